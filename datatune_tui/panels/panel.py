"""What all panels share."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from textual.containers import VerticalScroll
from textual.message import Message

from datatune_tui.runs_read import View
from engine.plain_text import clean
from engine.store.runs import RunSettings
from engine.store.steps import Step

R = TypeVar("R")


class Panel(VerticalScroll, can_focus=False):
    """Shows one step of a run."""

    class Changed(Message):
        """The person changed what the run should do from here on."""

        def __init__(self, first: str, settings: RunSettings, note: str = "") -> None:
            """The run is to have these settings; every stage from `first` on is done anew. `note` says what that does."""
            super().__init__()
            self.note = note
            self.first = first
            self.settings = settings

    class Wanted(Message):
        """The person wants to see the units that have this state and this reason."""

        def __init__(self, state: str, reason: str) -> None:
            super().__init__()
            self.state = state
            self.reason = reason

    def __init__(self) -> None:
        super().__init__(classes="panel")

    def show(self, view: View, step: Step | None) -> None:
        """Show what the step made, or why there is nothing; None where the run has not reached the stage."""
        raise NotImplementedError


def record_of(step: Step | None, kind: type[R]) -> R | None:
    """What a step made; None while there is nothing, or where another version of this program wrote it."""
    if step is None or not step.record:
        return None
    try:
        return msgspec.json.decode(step.record, type=kind)
    except msgspec.ValidationError:
        return None


def with_options(settings: RunSettings, stage: str, **options: Any) -> RunSettings:
    """The settings with other options of one stage; None takes an option back to its default."""
    kept = {name: value for name, value in {**settings.options.get(stage, {}), **options}.items() if value is not None}
    return msgspec.structs.replace(settings, options={**settings.options, stage: kept})


def standing(view: View, step: Step | None) -> str:
    """Why there is nothing to show yet."""
    if step is None:
        return "The run did not come so far." if view.run.state in ("done", "failed", "cancelled") else "Not reached yet."
    if step.state == "running":
        return "At work …"
    return f"{step.state}: {clean(step.reason)}" if step.reason else step.state
