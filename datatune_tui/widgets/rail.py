"""The pipeline as a list: every stage with its state and how long it took; the one that is chosen is shown beside it.

An experiment does some stages once for each arm and seed: those are one line, in which left and right go from arm to arm.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.events import Key
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from datatune_tui.runs_read import View
from datatune_tui.widgets.states import SIGNS
from engine.cli.progress import time_left
from engine.config import NO_DATASET
from engine.plain_text import one_line
from engine.stages import STAGE_NAMES, compares, stages_left_out
from engine.store.steps import Step

PER_DATASET = ("schema", "plan", "execute")
PER_ARM = ("mix", "finetune", "evaluate")
"""Stages that an experiment does once for each arm and seed: one line of the rail, in which one goes from arm to arm."""
NAME_CHARACTERS = 18
ARM_CHARACTERS = 20
MOVES = ("up", "down", "home", "end", "pageup", "pagedown")
WORST = ("running", "failed", "interrupted", "stopped", "new", "done")
"""States of steps; a line that stands for several has the first that any of them is in."""


class Entry(NamedTuple):
    """One line of the rail."""

    id: str
    """The stage, or "stage data-set"."""
    text: Text
    arms: tuple[str, ...] = ()
    """Those whose steps the line stands for."""


class Rail(OptionList):
    """The steps of a run, and the stages it has not reached."""

    BINDINGS = [
        Binding("left", "arm(-1)", "Arm before", id="run.arm-before", tooltip="The arm of the experiment before the one shown"),
        Binding("right", "arm(1)", "Next arm", id="run.arm-after", tooltip="The arm of the experiment after the one shown"),
    ]

    class ArmChosen(Message):
        """Another arm is to be shown."""

    def __init__(self) -> None:
        super().__init__(id="rail", markup=False)
        self._shown: list[Entry] = []
        self._view: View | None = None
        self._arm = ""
        """The arm that is shown in all stages that have it."""
        self.follows = True
        """Whether the choice goes with the step at work; until somebody chooses."""

    def show(self, view: View) -> None:
        """Show the steps of a run and the stages it has not reached; the choice stays where it is."""
        if self._view is None or view.run.id != self._view.run.id:
            self._arm = ""
        self._view = view
        running = next((step for step in view.steps if step.state == "running"), None)
        if running is not None and _of_arm(running) and (self.follows or not self._arm):
            self._arm = running.candidate
        wanted = entries(view, self._arm)
        keys = [entry.id for entry in wanted]
        if keys == [entry.id for entry in self._shown]:
            for entry, before in zip(wanted, self._shown, strict=True):
                if entry.text != before.text:
                    self.replace_option_prompt(entry.id, entry.text)
        else:
            at = self._shown[self.highlighted].id if self.highlighted is not None and self._shown else ""
            self.clear_options()
            self.add_options([Option(entry.text, id=entry.id) for entry in wanted])
            alike = [place for place, key in enumerate(keys) if at and key.split(" ")[0] == at.split(" ")[0]]
            self.highlighted = keys.index(at) if at in keys else alike[0] if alike else _busiest(view, keys)
        self._shown = wanted
        if self.follows and running is not None and keys[self.highlighted or 0] != id_of(running):
            self.highlighted = keys.index(id_of(running))

    def on_key(self, event: Key) -> None:
        if event.key in MOVES:
            self.follows = False

    def on_click(self) -> None:
        self.follows = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.of_arms if action == "arm" else True

    def action_arm(self, by: int) -> None:
        """Show the next arm, or the one before."""
        arms, self.follows = self._arms, False
        if arms and self._view is not None:
            self._arm = arms[(arms.index(_nearest(self._arm, arms)) + by) % len(arms)]
            self.show(self._view)
            self.post_message(self.ArmChosen())

    @property
    def current(self) -> str:
        """The key of the chosen step; "" before anything is shown."""
        if self.highlighted is None or not self._shown:
            return ""
        entry = self._shown[self.highlighted]
        return f"{entry.id} {_nearest(self._arm, entry.arms)}" if entry.arms else entry.id

    @property
    def of_arms(self) -> bool:
        """Whether the chosen line stands for several arms."""
        return len(self._arms) > 1

    @property
    def _arms(self) -> tuple[str, ...]:
        return self._shown[self.highlighted].arms if self.highlighted is not None and self._shown else ()


def key_of(step: Step) -> str:
    """What tells a step from the others of its run."""
    return f"{step.stage} {step.candidate}" if step.candidate else step.stage


def id_of(step: Step) -> str:
    """The line of the rail that a step is in."""
    return step.stage if _of_arm(step) else key_of(step)


def entries(view: View, arm: str = "") -> list[Entry]:
    """Steps in the order they were taken, then the stages to come; `arm` is shown where a line stands for several."""
    shown: list[Entry] = []
    by_arm = {stage: [step for step in view.steps if step.stage == stage and _of_arm(step)] for stage in PER_ARM}
    for step in view.steps:
        if not _of_arm(step):
            shown.append(Entry(key_of(step), _line(step)))
        elif not any(entry.arms for entry in shown):
            shown += [_entry_of_arms(stage, steps, arm, _may_grow(stage, view)) for stage, steps in by_arm.items() if steps]
    reached = {step.stage for step in view.steps}
    last = view.run.settings.until or STAGE_NAMES[-1]
    skipped = ("retrieve", "rerank") if view.run.settings.dataset else ()
    if view.run.settings.dataset == NO_DATASET:
        skipped = (*skipped, *PER_DATASET)
    skipped = (*skipped, *stages_left_out(view.run.settings, bool(view.run.task.test)))
    if compares(view.run.settings) and view.run.state == "done":
        return shown  # what its arms did not need is not to come either
    for stage in STAGE_NAMES[: STAGE_NAMES.index(last) + 1]:
        if stage not in reached and stage not in skipped:
            ended = stage == "export" and view.run.state == "done"
            sign, style = SIGNS["done" if ended else "new"]
            shown.append(Entry(stage, Text(f"{sign} {stage}", style=style)))
    return shown


def _of_arm(step: Step) -> bool:
    return step.stage in PER_ARM and bool(step.candidate)


def _may_grow(stage: str, view: View) -> bool:
    """Whether more arms may come to a stage: all are mixed before the first is trained or asked, and compared when all were asked."""
    after = ("compare", *(PER_ARM[1:] if stage == "mix" else ()))
    return view.run.state in ("new", "running") and not any(step.stage in after for step in view.steps)


def _nearest(arm: str, arms: tuple[str, ...]) -> str:
    """The arm itself where it is among them, else the last one, which is what came last."""
    return arm if arm in arms or not arms else arms[-1]


def _entry_of_arms(stage: str, steps: list[Step], arm: str, going_on: bool) -> Entry:
    """One line for the steps of a stage: how all of them stand, and below it the arm that is shown; `going_on`: more may come."""
    arms = tuple(step.candidate for step in steps)
    place = arms.index(_nearest(arm, arms))
    state = min((step.state for step in steps), key=WORST.index)
    if going_on and state == "done":
        text = _head(stage, "new", 0, f"{len(steps)} done so far")
    else:
        text = _head(stage, state, sum(step.seconds for step in steps))
    sign, style = SIGNS.get(steps[place].state, ("?", Style()))
    text.append("\n  ")
    text.append(f"{sign} ", style)
    name, of = one_line(arms[place], ARM_CHARACTERS), f" {place + 1}/{len(arms)}"
    text.append(f"{name}{of if len(name) + len(of) <= ARM_CHARACTERS else ''}", "dim")
    return Entry(stage, text, arms)


def _line(step: Step) -> Text:
    state = "reused" if step.reused and step.state == "done" else step.state
    text = _head(step.stage, state, step.seconds)
    if step.stage in PER_DATASET and step.candidate:
        path = Path(step.candidate)
        name = path.name if path.is_absolute() else step.candidate
        text.append(f"\n  {one_line(name, NAME_CHARACTERS)}", "dim")
    return text


def _head(stage: str, state: str, seconds: float, told: str = "") -> Text:
    sign, style = SIGNS.get(state, ("?", Style()))
    took = "reused" if state == "reused" else time_left(seconds) if seconds >= 1 else ""
    text = Text()  # the style belongs to these words alone: dimmed green would be hard to read
    text.append(f"{sign} {stage}", style)
    text.append(f" {told or (state if state not in ('done', 'reused') else took)}", "dim")
    return text


def _busiest(view: View, keys: list[str]) -> int:
    """Where to look first: what is at work, else what an experiment found, else the last execute or plan, else the last."""
    running = [id_of(step) for step in view.steps if step.state == "running"]
    looked = ("plan", "execute", "generate", "compare")
    made = [id_of(step) for stage in looked for step in view.steps if step.stage == stage and step.record]
    for key in reversed([*made, *running]):
        if key in keys:
            return keys.index(key)
    return max(0, min(len(view.steps), len(keys)) - 1)
