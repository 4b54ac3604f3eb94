"""The runtime this product lives by: GGUF models in this process through llama.cpp. Front door: LlamaCppModel, probe_in_child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.llama_cpp.model import LlamaCppModel
    from models.llama_cpp.probe import Probe, probe_in_child

__all__ = ["LlamaCppModel", "Probe", "probe_in_child"]

_HOMES = {"LlamaCppModel": "model", "Probe": "probe", "probe_in_child": "probe"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"models.llama_cpp has no {name!r}")
    import importlib

    return getattr(importlib.import_module(f"models.llama_cpp.{_HOMES[name]}"), name)
