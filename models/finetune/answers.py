"""Greedy answers of an adapter in PyTorch, to hold those of llama.cpp against: the base dequantised, never in 4 bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.errors import MemoryShort, WeightsInvalid
from models.finetune.base import base_of, load_tokenizer
from models.finetune.libraries import quiet, stay_offline
from models.language import Message
from models.training import TrainingExample


def torch_answers(base: Path, adapter: Path, cache: Path, prompts: Sequence[tuple[Message, ...]], tokens: int) -> Iterator[str]:
    """The likeliest answer to each prompt, at most `tokens` long, from the adapter folder on the base (a GGUF file or a folder).

    Prompts are cut into tokens as for training, which is as llama.cpp does it. MemoryShort or WeightsInvalid where it cannot be loaded.
    """
    stay_offline()
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    made = base_of(base, cache)
    reader = made.reader()
    tokenizer = load_tokenizer(Path(made.folder))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                made.folder, dtype="auto", device_map={"": device}, local_files_only=True, trust_remote_code=False, use_safetensors=True
            )
            model = PeftModel.from_pretrained(model, str(adapter), local_files_only=True).eval()
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise MemoryShort("Memory does not suffice for the adapter in PyTorch", "Leave it out: evaluate.torch_items = 0.") from error
    except (OSError, ValueError, KeyError) as error:
        raise WeightsInvalid(f"The adapter cannot be loaded in PyTorch: {str(error)[:200]}", "Finetune again.") from error
    ends = [*made.ends]
    for prompt in prompts:
        row = reader.row(TrainingExample(prompt, ""))
        given = torch.tensor([row.tokens[: row.prompt]], device=device)
        with torch.no_grad(), quiet():
            told = model.generate(
                input_ids=given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=tokens,
                do_sample=False,
                eos_token_id=ends,
                pad_token_id=ends[0],
            )
        written = [token for token in told[0, given.shape[1] :].tolist() if token not in ends]
        yield str(tokenizer.decode(written, skip_special_tokens=True))
