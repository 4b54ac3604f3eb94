"""Where and in what numbers to train, and the base model loaded so, with a fresh adapter on all its projections."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.errors import RequestInvalid, RuntimeUnavailable, WeightsInvalid
from models.finetune.libraries import stay_offline
from models.training import Device, Precision, TrainingOptions


def choose_device(options: TrainingOptions) -> Device:
    """The device the options mean here; RuntimeUnavailable when there is no such."""
    stay_offline()
    import torch

    if options.device == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if options.device == "cuda":
        raise RuntimeUnavailable("torch finds no CUDA GPU here", "Train on the CPU (device = cpu), or install torch with CUDA.")
    return "cpu"


def choose_precision(options: TrainingOptions, device: Device) -> Precision:
    """The numbers the base is held in; RuntimeUnavailable when these cannot be had here."""
    import torch

    if options.precision == "nf4" and not find_spec("bitsandbytes"):
        raise RuntimeUnavailable("bitsandbytes is not installed", "Install it, or train in 16 bits (precision = bf16).")
    if device == "cpu" and options.precision == "fp16":
        raise RequestInvalid("A CPU cannot train in fp16", "Choose fp32, bf16 or nf4.")
    if options.precision != "auto":
        return options.precision
    if device == "cpu" and _multiplies_bf16():
        return "bf16"
    if find_spec("bitsandbytes"):
        return "nf4"
    if device == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def _multiplies_bf16() -> bool:
    """Whether this processor has instructions for it: then 16 bits are faster than 4, which are made 32 for every product."""
    import torch

    return any(has for name, has in torch.cpu.get_capabilities().items() if name.endswith("bf16"))


def choose_processes(options: TrainingOptions, device: Device) -> int:
    """How many processes train together, one a GPU: as many as the options say, or as there are GPUs, that a batch can be cut for."""
    import torch

    there = torch.cuda.device_count() if device == "cuda" else options.processes or 1
    most = min(options.processes or there, there)
    return next(count for count in range(most, 0, -1) if options.batch % count == 0)


def computing(device: Device, precision: Precision) -> Any:
    """The torch type that is computed in, and that what is not quantised is held in."""
    import torch

    if precision == "fp32" or (precision == "nf4" and device == "cpu"):
        return torch.float32
    if precision == "fp16" or (precision == "nf4" and not torch.cuda.is_bf16_supported()):
        return torch.float16
    return torch.bfloat16


def load_base(folder: Path, device: Device, precision: Precision) -> Any:
    """The base in `folder`. What torch raises for want of memory passes through."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    kind = computing(device, precision)
    settings: dict[str, Any] = {}
    if precision == "nf4":
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=kind
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=kind,
            device_map={"": torch.cuda.current_device() if device == "cuda" else "cpu"},
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            attn_implementation="sdpa",
            **settings,
        )
    except (OSError, ValueError, KeyError) as error:
        line = str(error).strip().split("\n", 1)[0][:200]
        raise WeightsInvalid(f"The model in {folder} cannot be loaded: {line}", "Copy or download the folder again.") from error
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # Otherwise bitsandbytes lays 4-bit weights out anew the first time they are used without gradients, such as for a validation
            # loss, and from then on no gradient passes through them, without a word; their scales are rounded too.
            module.support_avx512bf16_for_cpu = False
    return model


def load_model(folder: Path, options: TrainingOptions, device: Device, precision: Precision, checkpointing: bool) -> Any:
    """The base in `folder` with an adapter to train: a PeftModel. What torch raises for want of memory passes through."""
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import set_seed

    kind = computing(device, precision)
    model = load_base(folder, device, precision)
    model.config.use_cache = False
    if precision == "nf4":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=checkpointing)
        if kind is not torch.float32:
            # Preparing turns all that is not quantised to 32 bits; of these, the embeddings alone take much memory.
            for part in {id(part): part for part in (model.get_input_embeddings(), model.get_output_embeddings()) if part}.values():
                part.to(kind)
    # The adapter's first numbers are random.
    set_seed(options.seed)
    adapter = LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(model, adapter)
