"""A trained adapter asked with transformers and peft, greedily: its trial where llama.cpp cannot run the base, and what llama.cpp's answers
are held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.errors import MemoryShort, WeightsInvalid
from models.finetune.base import base_of, load_tokenizer
from models.finetune.libraries import quiet
from models.finetune.load import choose_device, choose_precision, load_base
from models.language import Message, Request
from models.training import Precision, TrainingOptions


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
    found = base_of(base, cache)
    reader = found.reader()
    tokenizer = load_tokenizer(Path(found.folder))
    device = choose_device(TrainingOptions())
    wanted = precision or ("fp32" if device == "cpu" else "bf16")
    held = choose_precision(TrainingOptions(precision="fp32" if (device, wanted) == ("cpu", "fp16") else wanted), device)
    with quiet():
        import torch
        from peft import PeftModel
        from safetensors import SafetensorError

        try:
            model: Any = PeftModel.from_pretrained(load_base(Path(found.folder), device, held), str(adapter)).eval()
        except MemoryError as error:
            raise MemoryShort("Memory does not suffice to ask the adapter", "Close programs that use memory.") from error
        except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
            line = str(error).strip().split("\n", 1)[0][:200]
            raise WeightsInvalid(f"The adapter in {adapter} cannot be tried: {line}", "Train it again.") from error
    for prompt in prompts:
        given = torch.tensor([reader.prompt(prompt)], device=model.device)
        with torch.no_grad(), quiet():
            told = model.generate(
                input_ids=given,
                attention_mask=torch.ones_like(given),
                do_sample=False,
                max_new_tokens=tokens,
                eos_token_id=list(found.ends),
                pad_token_id=found.ends[0],
            )
        yield str(tokenizer.decode(told[0, given.shape[1] :], skip_special_tokens=True)).strip()
