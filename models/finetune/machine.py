"""What this machine has to train with: GPUs that work, how many are alike, what bitsandbytes can do, and how much memory is free."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import subprocess
import sys
import traceback
from importlib.util import find_spec

from models.errors import RuntimeUnavailable
from models.finetune.libraries import stay_offline
from models.finetune.watch import memory_ran_out
from models.training import Device

COMPUTES = "torch computes on the GPU"
LOOKING = 20.0
"""Seconds that the driver's tool gets to answer."""


@functools.cache
def gpu_trouble() -> str:
    """Why torch cannot compute on this machine's GPU; "" where it can, and where there is none."""
    stay_offline()
    import torch

    if not torch.cuda.is_available():
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        if (hidden is not None and hidden.strip() in ("", "-1")) or not _driver_sees_a_card():
            return ""
        if torch.version.cuda is None and torch.version.hip is None:
            return f"torch {torch.__version__} is a build without CUDA, so it cannot use the GPU of this machine"
        return f"torch {torch.__version__} cannot use the driver of this machine's GPU: is it older than CUDA {torch.version.cuda}?"
    try:
        # A card that a build has no code for is there all the same; only a product tells.
        one = torch.ones((16, 16), device="cuda")
        (one @ one).sum().item()
    except RuntimeError as error:
        return "" if memory_ran_out(error) else f"torch {torch.__version__} cannot compute on the GPU: {_line(error)}"
    return ""


@functools.cache
def four_bits_trouble(device: Device) -> str:
    """Why bitsandbytes cannot hold numbers in 4 bits there; "" where it can."""
    if not find_spec("bitsandbytes"):
        return "bitsandbytes is not installed"
    stay_offline()
    import torch

    try:
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit

        # Without its native library it can be imported, and fails at its first work.
        given = torch.ones((64, 64), device=device)
        dequantize_4bit(*quantize_4bit(given, quant_type="nf4"), quant_type="nf4").sum().item()
    except Exception as error:
        return "" if memory_ran_out(error) else f"bitsandbytes does not work on the {device.upper()}: {_line(error)}"
    return ""


def multiplies_bf16(device: Device) -> bool:
    """Whether it has instructions for bf16; torch counts a GPU in that imitates them, slowly."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(has for name, has in torch.cpu.get_capabilities().items() if name.endswith("bf16"))


def gpus() -> int:
    """Cards from the first on that are of its kind: one with less memory, or that the build has no code for, would hold all up."""
    import torch

    kinds = [(torch.cuda.get_device_name(place), torch.cuda.get_device_capability(place)) for place in range(torch.cuda.device_count())]
    return next((place for place, kind in enumerate(kinds) if kind != kinds[0]), len(kinds))


def free_bytes(device: Device, processes: int = 1, mine: bool = True) -> int:
    """Bytes free on the fullest of as many GPUs, with what torch has put by for this process; in main memory, with what this process
    holds already, unless that is to stay (`mine`)."""
    import psutil

    if device == "cuda":
        return min(map(_free_on_gpu, range(processes)))
    return int(psutil.virtual_memory().available + (psutil.Process().memory_info().rss if mine else 0))


def give_back() -> None:
    """Give the memory of a model that nobody holds any more back to the GPU's other users; torch keeps it otherwise."""
    gc.collect()
    # Not imported here: where it was not, nothing is to be given back.
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def let_go(error: BaseException) -> None:
    """Let the frames that an error went through hold nothing any more, a model least of all: they live as long as the error does."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            left += [one.__cause__, one.__context__]


def mind_old_drivers() -> None:
    """Before processes speak: cards that an old driver cannot join directly go another way, where accelerate would give up."""
    from accelerate.utils import check_cuda_p2p_ib_support

    if not check_cuda_p2p_ib_support():
        os.environ.setdefault("NCCL_P2P_DISABLE", "1")
        os.environ.setdefault("NCCL_IB_DISABLE", "1")


def _free_on_gpu(place: int) -> int:
    import torch

    put_by = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)
    return int(torch.cuda.mem_get_info(place)[0] + put_by)


def _driver_sees_a_card() -> bool:
    tool = shutil.which("nvidia-smi")
    if not tool:
        return False
    try:
        done = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=LOOKING, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return "GPU" in done.stdout


def _line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]


def main() -> None:
    """`python -m models.finetune.machine` says in a line whether torch computes on the GPU, or why not."""
    try:
        trouble = gpu_trouble()
        import torch

        said = COMPUTES if torch.cuda.is_available() else f"torch {torch.__version__} finds no GPU that it can train on"
    except RuntimeUnavailable as error:
        trouble, said = error.title, ""
    sys.stdout.write(f"{trouble or said}\n")


if __name__ == "__main__":
    main()
