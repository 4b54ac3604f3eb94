"""The stages, one file each, in the order they run. A stage never imports another: they meet in engine.records."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.stage import Stage
    from engine.store.runs import RunSettings

STAGE_NAMES = ("expand", "retrieve", "rerank", "schema", "plan", "execute", "generate", "mix", "finetune", "evaluate", "export", "compare")


def stage(name: str) -> Stage:
    """The stage of this name, imported when asked for."""
    found: Stage = import_module(f"engine.stages.{name}").STAGE
    return found


def options_type(name: str) -> Any:
    """The type of a stage's options."""
    return stage(name).options


def generates(settings: RunSettings) -> bool:
    """Whether a run asks for synthetic examples."""
    return asks_for_synthetic(settings.options)


def finetunes(settings: RunSettings) -> bool:
    """Whether a run trains a model on its mix."""
    return settings.until in ("finetune", "evaluate") or settings.options.get("finetune", {}).get("train") in (True, "true")


def evaluates(settings: RunSettings, tested: bool) -> bool:
    """Whether a run asks its finetuned model the task's test; `tested` says that the task has one."""
    return tested and finetunes(settings) and settings.options.get("evaluate", {}).get("finetuned") not in (False, "false")


def compares(settings: RunSettings) -> bool:
    """Whether a run is a comparison: several ways to a model, all asked the same test."""
    return settings.experiment


def stages_left_out(settings: RunSettings, tested: bool) -> frozenset[str]:
    """Stages that a run does not come to, for nothing asks for them."""
    if compares(settings):
        return frozenset({"export"})
    wanted = {"generate": generates(settings), "finetune": finetunes(settings), "evaluate": evaluates(settings, tested), "compare": False}
    return frozenset(name for name, asked in wanted.items() if not asked)


def asks_for_synthetic(options: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether options by stage say something of generate, and not that there be none."""
    given = options.get("generate")
    return given is not None and given.get("examples") not in (0, "0")
