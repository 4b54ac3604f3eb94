"""The pipeline as a list: every stage with its state and how long it took; the one that is chosen is shown beside it."""

from __future__ import annotations

from pathlib import Path

from rich.style import Style
from rich.text import Text
from textual.events import Key
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from datatune_tui.runs_read import View
from datatune_tui.widgets.states import SIGNS
from engine.cli.progress import time_left
from engine.config import NO_DATASET
from engine.plain_text import one_line
from engine.stages import STAGE_NAMES, stages_left_out
from engine.store.steps import Step

PER_DATASET = ("schema", "plan", "execute")
NAME_CHARACTERS = 18
MOVES = ("up", "down", "home", "end", "pageup", "pagedown")


class Rail(OptionList):
    """One option a step; its id is "stage" or "stage data-set"."""

    def __init__(self) -> None:
        super().__init__(id="rail", markup=False)
        self._shown: list[tuple[str, Text]] = []
        self.follows = True
        """Whether the choice goes with the step at work; until somebody chooses."""

    def show(self, view: View) -> None:
        """Show the steps of a run and the stages it has not reached; the choice stays where it is."""
        wanted = entries(view)
        if [key for key, _ in wanted] == [key for key, _ in self._shown]:
            for (key, text), (_, before) in zip(wanted, self._shown, strict=True):
                if text != before:
                    self.replace_option_prompt(key, text)
        else:
            at = self.current
            self.clear_options()
            self.add_options([Option(text, id=key) for key, text in wanted])
            keys = [key for key, _ in wanted]
            alike = [place for place, key in enumerate(keys) if at and key.split(" ")[0] == at.split(" ")[0]]
            self.highlighted = keys.index(at) if at in keys else alike[0] if alike else _busiest(view, keys)
        self._shown = wanted
        running = next((place for place, step in enumerate(view.steps) if step.state == "running"), None)
        if self.follows and running is not None and self.highlighted != running:
            self.highlighted = running

    def on_key(self, event: Key) -> None:
        if event.key in MOVES:
            self.follows = False

    def on_click(self) -> None:
        self.follows = False

    @property
    def current(self) -> str:
        """The chosen step's id; "" before anything is shown."""
        return self._shown[self.highlighted][0] if self.highlighted is not None and self._shown else ""


def key_of(step: Step) -> str:
    """What a step is called in the rail."""
    return f"{step.stage} {step.candidate}" if step.candidate else step.stage


def entries(view: View) -> list[tuple[str, Text]]:
    """Steps in the order they were taken, then the stages to come."""
    shown = [(key_of(step), _line(step)) for step in view.steps]
    reached = {step.stage for step in view.steps}
    last = view.run.settings.until or STAGE_NAMES[-1]
    skipped = ("retrieve", "rerank") if view.run.settings.dataset else ()
    if view.run.settings.dataset == NO_DATASET:
        skipped = (*skipped, *PER_DATASET)
    skipped = (*skipped, *stages_left_out(view.run.settings, bool(view.run.task.test)))
    for stage in STAGE_NAMES[: STAGE_NAMES.index(last) + 1]:
        if stage not in reached and stage not in skipped:
            ended = stage == "export" and view.run.state == "done"
            sign, style = SIGNS["done" if ended else "new"]
            shown.append((stage, Text(f"{sign} {stage}", style=style)))
    return shown


def _line(step: Step) -> Text:
    state = "reused" if step.reused and step.state == "done" else step.state
    sign, style = SIGNS.get(state, ("?", Style()))
    took = "reused" if state == "reused" else time_left(step.seconds) if step.seconds >= 1 else ""
    text = Text()  # the style belongs to these words alone: dimmed green would be hard to read
    text.append(f"{sign} {step.stage}", style)
    text.append(f" {state if state not in ('done', 'reused') else took}", "dim")
    if step.stage in PER_DATASET and step.candidate:
        path = Path(step.candidate)
        name = path.name if path.is_absolute() else step.candidate
        text.append(f"\n  {one_line(name, NAME_CHARACTERS)}", "dim")
    return text


def _busiest(view: View, keys: list[str]) -> int:
    """Where to look first: what is at work, else the last execute or plan, else the last."""
    running = [key_of(step) for step in view.steps if step.state == "running"]
    made = [key_of(step) for stage in ("plan", "execute", "generate") for step in view.steps if step.stage == stage and step.record]
    for key in reversed([*made, *running]):
        if key in keys:
            return keys.index(key)
    return max(0, len(view.steps) - 1)
