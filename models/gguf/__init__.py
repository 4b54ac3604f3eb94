"""Adapters and merged models as GGUF files. Front door: adapter_gguf, merged_gguf, Exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.gguf.export import Exported, adapter_gguf, merged_gguf

__all__ = ["Exported", "adapter_gguf", "merged_gguf"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"models.gguf has no {name!r}")
    import importlib

    return getattr(importlib.import_module("models.gguf.export"), name)
