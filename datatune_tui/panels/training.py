"""Finetune: how far the training is, its losses, and what came of it."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from datatune_tui.panels.panel import Panel, record_of, standing
from datatune_tui.runs_read import View
from datatune_tui.widgets.loss_plot import LossPlot
from engine.cli.progress import time_left
from engine.curve import Point
from engine.plain_text import clean
from engine.records import Finetuned
from engine.store.steps import Step


class TrainingPanel(Panel):
    """Words, and the curve."""

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield LossPlot(id="losses")
        yield Static(Text("c stops the training and keeps its state; r goes on where it was.", style="dim"), id="hint")

    def show(self, view: View, step: Step | None) -> None:
        points = view.curves.get(step.fingerprint, ()) if step else ()
        self.query_one("#words", Static).update(_told(view, step, points))
        self.query_one(LossPlot).show(points)
        self.query_one("#hint", Static).display = step is not None and step.state != "done"


def _told(view: View, step: Step | None, points: tuple[Point, ...]) -> Text:
    text = Text()
    if step is None:
        return Text(standing(view, step), style="dim")
    made = record_of(step, Finetuned)
    estimate = next((event.text for event in reversed(view.events) if event.stage == "finetune" and event.kind == "estimate"), "")
    if made:
        text.append(f"{clean(made.base.name)} trained", "bold green")
        text.append(f" on {made.examples:,} examples, {made.steps:,} steps, {made.precision} on the {made.device.upper()}")
        if made.best_validation_loss is not None and made.first_validation_loss is not None:
            text.append(f"\nvalidation loss {made.first_validation_loss:.3f} before, ")
            text.append(f"{made.best_validation_loss:.3f}", "bold")
            text.append(f" at step {made.best_step:,}, which is the one kept; n {made.validation:,}")
        if made.left_out:
            text.append(f"\n{made.left_out:,} examples were too long and left out", "yellow")
        text.append(f"\nadapter: {clean(made.adapter)}, in the folder of adapters", "dim")
    elif estimate:
        text.append(clean(estimate))
    for more in (_pace(view, step, points), Text(clean(step.reason), style="dim")):
        if more:
            text.append("\n" if text else "").append_text(more)
    return text if text else Text(standing(view, step), style="dim")


def _pace(view: View, step: Step, points: tuple[Point, ...]) -> Text:
    text = Text()
    last = next((point for point in reversed(points) if point.loss is not None), None)
    if last is None:
        return text
    text.append(f"loss {last.loss:.3f} at step {last.step:,}, epoch {last.epoch:.2f}")
    if step.state != "running":
        return text
    gpu = f" and {last.gpu_memory / 1e9:.1f} GB of GPU memory" if last.gpu_memory else ""
    text.append(f"; {last.tokens_per_second:,.0f} tokens/s, {last.memory / 1e9:.1f} GB of memory{gpu}")
    now = view.progress
    if now and now.total and now.rate > 0 and now.done < now.total:
        text.append(f", about {time_left((now.total - now.done) / now.rate)} left")
    return text
