"""A trained adapter asked with transformers and peft, greedily: its trial where llama.cpp cannot run the base, and what llama.cpp's answers
are held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.errors import MemoryShort, ModelError, WeightsInvalid
from models.finetune.base import base_of, load_tokenizer
from models.finetune.libraries import quiet
from models.finetune.load import choose_device, choose_precision, load_base, sixteen_bits
from models.finetune.machine import free_bytes, give_back, let_go
from models.finetune.shape import shape_of_folder
from models.finetune.watch import memory_ran_out
from models.language import Message, Request
from models.training import Device, Precision, TrainingOptions

FREE_MEMORY = "Close programs that use memory."
ROOM = 1.2
"""Times the weights: what reading a prompt takes besides, and the file while it is read."""


def ask_adapter(base: Path, adapter: Path, question: Request, precision: Precision) -> str:
    """What the model in the folder `base` answers with the adapter in the folder `adapter`, the base in the numbers it was trained in.

    ModelError when the two cannot be loaded, or do not fit together.
    """
    (text,) = answers(base, adapter, base, [question.messages], question.sampling.max_tokens, precision)
    return text


def answers(
    base: Path, adapter: Path, cache: Path, prompts: Sequence[tuple[Message, ...]], tokens: int, precision: Precision | None = None
) -> Iterator[str]:
    """The likeliest answer to each prompt, at most `tokens` long; the base is a GGUF file, which `cache` keeps as a folder, or a folder.

    Prompts are cut into tokens as for training, which is as llama.cpp does it. Without `precision` the base is dequantised, in 32 bits on
    a CPU: never in 4. ModelError when the two cannot be loaded, or do not fit together.
    """
    try:
        yield from _answers(base, adapter, cache, prompts, tokens, precision)
    except ModelError as error:
        let_go(error)
        raise
    finally:
        give_back()


def _answers(
    base: Path, adapter: Path, cache: Path, prompts: Sequence[tuple[Message, ...]], tokens: int, precision: Precision | None
) -> Iterator[str]:
    """In a frame of its own, so that nothing holds the model when it is over."""
    found = base_of(base, cache)
    reader = found.reader()
    tokenizer = load_tokenizer(Path(found.folder))
    device = choose_device(TrainingOptions())
    wanted = precision or ("fp32" if device == "cpu" else sixteen_bits())
    held = choose_precision(TrainingOptions(precision="fp32" if (device, wanted) == ("cpu", "fp16") else wanted), device)
    if precision is None:
        _must_fit(Path(found.folder), device, held)
    with quiet():
        import torch
        from peft import PeftModel
        from safetensors import SafetensorError

        try:
            model: Any = PeftModel.from_pretrained(load_base(Path(found.folder), device, held), str(adapter)).eval()
        except (MemoryError, OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
            if memory_ran_out(error):
                raise MemoryShort("Memory does not suffice to ask the adapter", FREE_MEMORY) from error
            line = str(error).strip().split("\n", 1)[0][:200]
            raise WeightsInvalid(f"The adapter in {adapter} cannot be tried: {line}", "Train it again.") from error
    for prompt in prompts:
        given = torch.tensor([reader.prompt(prompt)], device=model.device)
        try:
            with torch.no_grad(), quiet():
                told = model.generate(
                    input_ids=given,
                    attention_mask=torch.ones_like(given),
                    do_sample=False,
                    max_new_tokens=tokens,
                    eos_token_id=list(found.ends),
                    pad_token_id=found.ends[0],
                )
        except (MemoryError, RuntimeError) as error:
            if not memory_ran_out(error):
                raise
            raise MemoryShort(f"Memory on the {device.upper()} ran out while the adapter was asked", FREE_MEMORY) from error
        yield str(tokenizer.decode(told[0, given.shape[1] :], skip_special_tokens=True)).strip()


def _must_fit(folder: Path, device: Device, held: Precision) -> None:
    """Refuse a base whose plain numbers do not fit: it may have been trained in a few bits of each."""
    needed = shape_of_folder(folder).parameters * (4 if held == "fp32" else 2) * ROOM
    if (free := free_bytes(device, mine=False)) < needed:
        title = f"Asking the adapter needs about {needed / 1e9:.1f} GB on the {device.upper()}, and {free / 1e9:.1f} GB are free"
        raise MemoryShort(title, FREE_MEMORY)
