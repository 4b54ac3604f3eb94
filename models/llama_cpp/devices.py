"""The GPUs llama.cpp computes on, asked of ggml, which the binding leaves out; and a model loaded with as many layers on them as fit."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import msgspec

from models.llama_cpp import library

CPU, GPU = 0, 1
"""ggml's numbers of kinds of devices: the main processor, and one with memory of its own. An integrated one shares the main memory."""


class Device(msgspec.Struct, frozen=True):
    """One of them."""

    description: str
    kind: int
    free: int
    total: int
    """Bytes."""


def devices(kind: int = GPU) -> tuple[Device, ...]:
    """All of this kind that this build can use; none where the library does not tell."""
    ggml = getattr(library.load(), "_lib", None)
    try:
        count, get, kind_of, memory, description = (
            getattr(ggml, f"ggml_backend_dev_{name}") for name in ("count", "get", "type", "memory", "description")
        )
    except AttributeError:
        return ()
    count.restype, get.restype, description.restype = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p
    get.argtypes = [ctypes.c_size_t]
    for function in (kind_of, description):
        function.argtypes = [ctypes.c_void_p]
    memory.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]
    found = []
    for pointer in map(get, range(count())):
        if kind_of(pointer) == kind:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            memory(pointer, free, total)
            found.append(Device((description(pointer) or b"").decode("utf-8", "replace"), kind, free.value, total.value))
    return tuple(found)


def load_model(native: Any, path: Path, wanted: int, layers: int) -> tuple[Any, int]:
    """The model in `path` with `wanted` of its layers on a GPU, and how many are there; a null pointer where it cannot be loaded.

    -1 is all, or as many quarters of them as there is room for: llama.cpp itself knows all or none.
    """
    tries = [wanted]
    if wanted < 0 and native.llama_supports_gpu_offload():
        tries += sorted({layers * quarters // 4 for quarters in range(4)}, reverse=True)
    pointer, on_gpu = None, 0
    for on_gpu in tries:
        params = native.llama_model_default_params()
        params.n_gpu_layers = on_gpu
        pointer = native.llama_model_load_from_file(str(path).encode("utf-8", "surrogateescape"), params)
        if pointer or "alloc" not in library.recent_log(library.LOG_LINES):
            break
    return pointer, on_gpu
