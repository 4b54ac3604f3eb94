"""Where and in what numbers to train, and the base model loaded so, with a fresh adapter on all its projections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.errors import RequestInvalid, RuntimeUnavailable, WeightsInvalid
from models.finetune.libraries import stay_offline
from models.finetune.machine import four_bits_trouble, free_bytes, gpu_trouble, gpus, multiplies_bf16
from models.finetune.watch import memory_ran_out
from models.training import Device, Precision, TrainingOptions

QUANTISING = 2 << 30
"""Bytes free below which memory is what was missing where a base could not be put into 4 bits."""


def choose_device(options: TrainingOptions) -> Device:
    """The device the options mean here; RuntimeUnavailable when there is no such."""
    stay_offline()
    import torch

    if options.device == "cpu":
        return "cpu"
    trouble = gpu_trouble()
    if torch.cuda.is_available() and not trouble:
        return "cuda"
    if options.device == "cuda":
        title = trouble or "torch finds no CUDA GPU here"
        raise RuntimeUnavailable(title, "Train on the CPU (device = cpu), or install a torch with CUDA for this GPU and its driver.")
    return "cpu"


def choose_precision(options: TrainingOptions, device: Device) -> Precision:
    """The numbers the base is held in; RuntimeUnavailable when these cannot be had here."""
    if options.precision == "nf4" and (trouble := four_bits_trouble(device)):
        raise RuntimeUnavailable(trouble, "Install it anew, or train in 16 bits (precision = bf16).")
    if device == "cpu" and options.precision == "fp16":
        raise RequestInvalid("A CPU cannot train in fp16", "Choose fp32, bf16 or nf4.")
    if options.precision != "auto":
        return options.precision
    # A processor that multiplies bf16 is faster with 16 bits than with 4, which are made 32 for every product.
    if device == "cpu" and multiplies_bf16(device):
        return "bf16"
    if not four_bits_trouble(device):
        return "nf4"
    return "fp32" if device == "cpu" else sixteen_bits()


def sixteen_bits() -> Precision:
    """The numbers of 16 bits that the GPU computes with."""
    return "bf16" if multiplies_bf16("cuda") else "fp16"


def choose_processes(options: TrainingOptions, device: Device) -> int:
    """How many processes train together, one a GPU: as many as the options say, or as there are GPUs alike, that a batch can be cut for."""
    there = gpus() if device == "cuda" else options.processes or 1
    most = min(options.processes or there, there)
    return next(count for count in range(most, 0, -1) if options.batch % count == 0)


def computing(device: Device, precision: Precision) -> Any:
    """The torch type that is computed in, and that what is not quantised is held in."""
    import torch

    if precision == "fp32" or (precision == "nf4" and device == "cpu"):
        return torch.float32
    return torch.float16 if (sixteen_bits() if precision == "nf4" else precision) == "fp16" else torch.bfloat16


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
    except RuntimeError as error:
        if precision != "nf4" or memory_ran_out(error) or "conversion of the weights" not in str(error):
            raise
        # The library writes what it was into a log, and says no more than that something was.
        if free_bytes(device) < QUANTISING:
            raise MemoryError(f"the base in {folder} could not be put into 4 bits") from error
        raise RuntimeUnavailable(f"bitsandbytes could not put the base in {folder} into 4 bits", "Train in 16 bits: bf16.") from error
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # Otherwise bitsandbytes lays 4-bit weights out anew the first time they are used without gradients, such as for a validation
            # loss, and from then on no gradient passes through them, without a word; their scales are rounded too.
            module.support_avx512bf16_for_cpu = False
    return model


def load_model(folder: Path, options: TrainingOptions, device: Device, precision: Precision) -> Any:
    """The base in `folder` with an adapter to train: a PeftModel. What torch raises for want of memory passes through."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    model = load_base(folder, device, precision)
    model.config.use_cache = False
    if precision == "nf4":
        _prepare(model)
    # The adapter's first numbers are random.
    set_seed(options.seed)
    adapter = LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(model, adapter)


def _prepare(model: Any) -> None:
    """What peft's prepare_model_for_kbit_training does, but for the embeddings: those it puts into 32 bits, which for a large vocabulary
    takes more memory than all layers in 4 bits."""
    for parameter in model.parameters():
        parameter.requires_grad = False
        if parameter.ndim == 1 and parameter.is_floating_point():
            parameter.data = parameter.data.float()
