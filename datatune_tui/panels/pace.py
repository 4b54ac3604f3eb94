"""How far a step at work is, in words, where the panel has nothing else to show yet."""

from __future__ import annotations

from rich.text import Text

from datatune_tui.runs_read import View
from engine.cli.progress import time_left
from engine.plain_text import clean
from engine.store.steps import Step


def pace_text(view: View, step: Step | None, units: str) -> Text:
    """What it is expected to take, how much is done, how fast, and how much time is left; nothing of a step that is not at work."""
    text = Text()
    if step is None or step.state != "running":
        return text
    told = (event for event in reversed(view.events) if (event.stage, event.candidate) == (step.stage, step.candidate))
    estimate = next((event.text for event in told if event.kind in ("estimate", "cost")), "")
    if estimate:
        text.append(f"\n{clean(estimate)}", "dim")
    now = view.progress
    if now is None or (now.stage, now.candidate) != (step.stage, step.candidate):
        return text
    unit = now.unit or units
    text.append(f"\n{now.done:,} of {now.total:,} {unit}" if now.total else f"\n{now.done:,} {unit}")
    if now.rate > 0:
        text.append(f", {now.rate:,.1f}/s")
        if now.total and now.done < now.total:
            text.append(f", about {time_left((now.total - now.done) / now.rate)} left")
    return text
