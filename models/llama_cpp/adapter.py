"""A LoRA adapter as a GGUF file, applied to every context of a loaded model."""

from __future__ import annotations

import ctypes
import hashlib
from pathlib import Path
from typing import Any

from models import weights
from models.errors import RuntimeUnavailable, WeightsInvalid
from models.gguf_header import read_header
from models.language import Identity
from models.llama_cpp import library


class Adapter:
    """An adapter loaded beside a model, which frees it. Load it before the model's first context: that sizes the contexts' graphs."""

    def __init__(self, native: Any, model: Any, path: Path) -> None:
        metadata = read_header(path).metadata
        if metadata.get("general.type") != "adapter" or metadata.get("adapter.type") != "lora":
            raise WeightsInvalid(f"{path} is no LoRA adapter", "Give a GGUF file whose general.type is adapter and adapter.type lora.")
        self._native = native
        pointer = native.llama_adapter_lora_init(model, str(path).encode("utf-8", "surrogateescape"))
        if not pointer:
            raise WeightsInvalid(f"llama.cpp cannot load the adapter {path}: {library.recent_log()}", "Is it made for this model?")
        self._pointers = (native.llama_adapter_lora_p_ctypes * 1)(pointer)

    def apply(self, context: Any) -> None:
        """Let a new context compute with the adapter at its full scale."""
        if self._native.llama_set_adapters_lora(context, self._pointers, 1, (ctypes.c_float * 1)(1.0)) != 0:
            raise RuntimeUnavailable(f"llama.cpp cannot apply the adapter: {library.recent_log()}", "Merge it into the model instead.")


def adapted(identity: Identity, path: Path, cache: Path | None) -> Identity:
    """What answers when the model `identity` computes with the adapter at `path`: another model, with a digest of its own."""
    digest = hashlib.sha256(f"{identity.digest} {weights.digest(path, cache)}".encode()).hexdigest()
    return Identity(f"{identity.name} + {path.name}", digest, identity.runtime)
