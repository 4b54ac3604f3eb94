"""A trained adapter asked with transformers and peft: its trial where the base is a safetensors folder, which llama.cpp cannot run."""

from __future__ import annotations

from pathlib import Path

from models.errors import MemoryShort, WeightsInvalid
from models.finetune.base import base_of_folder, load_tokenizer
from models.finetune.libraries import quiet
from models.finetune.load import choose_device, choose_precision, load_base
from models.language import Request
from models.training import Precision, TrainingOptions


def ask_adapter(base: Path, adapter: Path, question: Request, precision: Precision) -> str:
    """What the model in the folder `base` answers with the adapter in the folder `adapter`: likeliest tokens, max_tokens at most.

    The base is held in the numbers it was trained in. ModelError when the two cannot be loaded, or do not fit together.
    """
    found = base_of_folder(base)
    tokens = found.reader().prompt(question.messages)
    device = choose_device(TrainingOptions())
    held = choose_precision(TrainingOptions(precision="fp32" if (device, precision) == ("cpu", "fp16") else precision), device)
    with quiet():
        import torch
        from peft import PeftModel
        from safetensors import SafetensorError

        try:
            model = PeftModel.from_pretrained(load_base(base, device, held), str(adapter)).eval()
            given = torch.tensor([tokens], device=model.device)
            with torch.no_grad():
                written = model.generate(
                    input_ids=given,
                    attention_mask=torch.ones_like(given),
                    do_sample=False,
                    max_new_tokens=question.sampling.max_tokens,
                    eos_token_id=list(found.ends),
                    pad_token_id=found.ends[0],
                )
        except MemoryError as error:
            raise MemoryShort("Memory does not suffice to try the adapter", "Close programs that use memory.") from error
        except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
            line = str(error).strip().split("\n", 1)[0][:200]
            raise WeightsInvalid(f"The adapter in {adapter} cannot be tried: {line}", "Train it again.") from error
        return str(load_tokenizer(base).decode(written[0, len(tokens) :], skip_special_tokens=True)).strip()
