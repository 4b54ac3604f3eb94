"""Compare: the arms of an experiment side by side, what one has more than another, how their trainings went; until then, what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from datatune_tui.panels.evaluation import evaluated_of
from datatune_tui.panels.pace import pace_text
from datatune_tui.panels.panel import Panel, record_of, standing
from datatune_tui.runs_read import View
from datatune_tui.widgets.interval_bars import IntervalBars
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.loss_plot import LossPlot
from datatune_tui.widgets.rail import PER_ARM
from datatune_tui.widgets.states import state_text
from engine import compared_table as rows
from engine.compared_table import Table
from engine.curve import Point
from engine.plain_text import clean, one_line
from engine.store.steps import Step

if TYPE_CHECKING:
    from engine.evaluate.evaluated import Compared

SO_FAR = (("ARM", 19), ("FIGURE, 95 % INTERVAL", 21), ("AT", None))
CONTRASTS = (("CONTRAST", 25), ("DIFFERENCE", 24), ("P", 6), ("SHARE OF THE OTHER'S", 20), ("TEST", None))
ARMS = (("ARM", 12), ("EXAMPLES", 8), ("STEPS", 6), ("LEAKED", 6), ("VALIDATION LOSS", 15), ("ASKED", 18), ("WHAT", None))


class ExperimentPanel(Panel):
    """Bars of the arms and of the contrasts, tables of both, losses."""

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield KeyedTable(SO_FAR, id="so-far")
        yield IntervalBars("arms-bars")
        yield IntervalBars("contrasts-bars")
        yield KeyedTable(CONTRASTS, id="contrasts")
        yield KeyedTable(ARMS, id="arms")
        yield KeyedTable((("ARM", 12),), id="figures")
        yield LossPlot(id="arm-losses")
        yield Static("", id="notes")

    def show(self, view: View, step: Step | None) -> None:
        found = compared_of(step)
        self.query_one("#words", Static).update(_told(found) if found else _under_way(view, step))
        self._fill("#so-far", [] if found else _so_far(view))
        self.query_one("#arms-bars", IntervalBars).show(rows.arm_bars(found) if found else None)
        self.query_one("#contrasts-bars", IntervalBars).show(rows.contrast_bars(found) if found else None)
        self._fill("#contrasts", [(row[0], row) for row in rows.contrast_table(found)[1]] if found else [])
        self._fill("#arms", _arms(found) if found else [])
        self._fill_figures(rows.figure_table(found) if found else ((), []))
        self.query_one(LossPlot).show_arms(_curves(view))
        notes = _notes(found) if found else Text()
        self.query_one("#notes", Static).display = bool(notes)
        self.query_one("#notes", Static).update(notes)

    def _fill(self, name: str, lines: list[tuple[str, tuple[str | Text, ...]]]) -> None:
        table = self.query_one(name, KeyedTable)
        table.display = bool(lines)
        table.show(lines)

    def _fill_figures(self, found: Table) -> None:
        heads, lines = found
        if lines:
            self.query_one("#figures", KeyedTable).head([(head.upper(), 12 if place == 0 else 20) for place, head in enumerate(heads)])
        self._fill("#figures", [(row[0], row) for row in lines])


def compared_of(step: Step | None) -> Compared | None:
    """What a compare step found; None while there is nothing."""
    if step is None or not step.record:
        return None
    # Its parts take long to import: not before there is one.
    from engine.evaluate.evaluated import Compared

    return record_of(step, Compared)


def _told(found: Compared) -> Text:
    text = Text(rows.headline(found), style="bold")
    for caveat in rows.caveats(found):
        text.append(f"\n{caveat}", "yellow" if caveat.startswith("descriptive") else "not bold")
    return text


def _notes(found: Compared) -> Text:
    told = [*rows.contrast_sentences(found), *rows.arm_sentences(found), *rows.other_notes(found.notes)]
    return Text("\n".join(f"· {one}" for one in told), style="dim")


def _arms(found: Compared) -> list[tuple[str, tuple[str | Text, ...]]]:
    what = {arm.name: one_line(arm.what, 300) for arm in found.arms}
    return [(arm.name, (*cells, what[arm.name])) for arm, cells in zip(found.arms, rows.arm_table(found)[1], strict=True)]


def _under_way(view: View, step: Step | None) -> Text:
    if step is not None:
        return Text(standing(view, step), style="dim").append_text(pace_text(view, step, "items"))
    if not _arm_steps(view):
        return Text(standing(view, step), style="dim")
    return Text("The arms are compared when all of them are done. So far:", style="dim")


def _arm_steps(view: View) -> list[Step]:
    return [step for step in view.steps if step.stage in PER_ARM and step.candidate]


def _so_far(view: View) -> list[tuple[str, tuple[str | Text, ...]]]:
    """For each arm and seed the last of its steps, and the figure that decides where there is one."""
    last = {step.candidate: step for step in _arm_steps(view)}
    lines: list[tuple[str, tuple[str | Text, ...]]] = []
    for name, step in last.items():
        found = evaluated_of(step) if step.stage == "evaluate" else None
        models = found.evaluation.models if found else ()
        figure = models[0].results[0].figures[0] if models and models[0].results else None
        at = state_text(step.state)
        at = Text(f"{step.stage} ", end="").append_text(at)
        lines.append((name, (clean(name), rows.interval_words(figure.estimate) if figure else "-", at)))
    return lines


def _curves(view: View) -> dict[str, Sequence[Point]]:
    """Of the first seed of each arm that is trained."""
    found: dict[str, Sequence[Point]] = {}
    for step in _arm_steps(view):
        if step.stage == "finetune":
            found.setdefault(step.candidate.partition(", seed ")[0], view.curves.get(step.fingerprint, ()))
    return found
