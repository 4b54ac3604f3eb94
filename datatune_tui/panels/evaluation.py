"""Evaluate: how well the finetuned model does the task, and its base at its best; where they err, and how they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from datatune_tui.panels.pace import pace_text
from datatune_tui.panels.panel import Panel, record_of, standing
from datatune_tui.runs_read import View
from datatune_tui.sheet import Sheet
from datatune_tui.widgets.interval_bars import IntervalBars
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.long_list import Column, LongList
from engine import evaluated_table as rows
from engine.compared_table import Table, other_notes
from engine.errors import EngineError
from engine.locations import Locations
from engine.plain_text import clean, one_line
from engine.store.database import open_reader
from engine.store.runs import Run
from engine.store.steps import Step

if TYPE_CHECKING:
    from datatune_tui.app import DataTune
    from engine.evaluate.evaluated import Evaluated
    from engine.evaluate.missed import Missed

FIGURES = (("VALUE, 95 % INTERVAL", 21), ("MODEL", 9), ("FIGURE", None), ("ASKED", None))
WRONG = (Column("MODEL", 9), Column("RIGHT", 12), Column("TAKEN", 12), Column("INPUT", 0))
WHOLE = ("MODEL", "ITEM", "INPUT", "RIGHT", "TAKEN", "WRITTEN")
TRIED = (("MODEL", 9), ("SETTING", 19), ("SCORE", 5), ("LOG-P", 6), ("N", 4), ("", None))
CELL, SHOWN = 200, 4000
"""Characters of a text that are shown in a row, and of one alone."""


class EvaluationPanel(Panel):
    """Bars, the difference, and tables of figures, labels, wrong answers and settings."""

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield IntervalBars("bars")
        yield Static("", id="difference")
        yield KeyedTable(FIGURES, id="figures")
        yield KeyedTable((("LABEL", 14),), id="labels")
        yield Static("", id="wrong-told")
        yield LongList(WRONG, id="wrong")
        yield Static("", id="answer")
        yield KeyedTable(TRIED, id="tried")
        yield Static("", id="notes")

    def on_mount(self) -> None:
        self._read = ""
        """Fingerprint of the step whose wrong answers are shown, or read at the moment."""
        self._wrong: list[tuple[str, ...]] = []

    def show(self, view: View, step: Step | None) -> None:
        found = evaluated_of(step)
        self.query_one("#words", Static).update(_told(found) if found else _under_way(view, step))
        self.query_one(IntervalBars).show(rows.model_bars(found) if found else None)
        self._tell("#difference", _difference(found) if found else Text())
        self._fill("#figures", _figures(found) if found else [])
        self._fill_labels(rows.label_table(found) if found else ((), []))
        self._fill("#tried", [(" ".join(row[:2]), row) for row in rows.tried_table(found)[1]] if found else [])
        self._tell("#notes", _notes(found) if found else Text())
        if found is None or step is None:
            self._read = ""
            self._show_wrong([], "")
        elif step.fingerprint != self._read:
            self._read = step.fingerprint
            self._show_wrong([], "")
            self._read_wrong(view.run, step, found)

    # ── wrong answers ─────────────────────────────────────────────────────────────────────────────────────

    @work(exclusive=True, group="wrong")
    async def _read_wrong(self, run: Run, step: Step, found: Evaluated) -> None:
        """Read them beside the screen: a test may be large, and is read whole."""
        locations = cast("DataTune", self.app).reader.locations
        try:
            missed = await asyncio.to_thread(_missed, locations, run, step)
            by_model, partly = missed.by_model, missed.partly
        except EngineError as error:
            by_model, partly = tuple(one.results[0].wrong for one in found.evaluation.models), error.title
        if self._read == step.fingerprint:
            counted = zip(rows.model_names(found), found.evaluation.models, strict=True)
            told = "Not wholly right: " + ", ".join(f"{name} {one.results[0].wrong_of:,}" for name, one in counted)
            told += f". Shown are the worst of them: {clean(partly)}" if partly else ""
            self._show_wrong(rows.wrong_rows(found, by_model), told)

    def _show_wrong(self, wrong: list[tuple[str, ...]], told: str) -> None:
        self._wrong = wrong
        table = self.query_one("#wrong", LongList)
        table.display = bool(wrong)
        table.whole = Sheet(WHOLE, len(wrong), lambda start, end: wrong[start:end])
        table.fill(len(wrong), lambda start, end: [_cells(row) for row in wrong[start:end]])
        self._tell("#wrong-told", Text(told, style="bold"))
        self._tell("#answer", Text())

    @on(LongList.Moved)
    def _show_answer(self, event: LongList.Moved) -> None:
        """The whole of the wrong answer under the cursor."""
        text = Text()
        if 0 <= event.row < len(self._wrong):
            model, item, asked, right, taken, written = (clean(cell[:SHOWN]) for cell in self._wrong[event.row])
            text.append(f"{model}, item {item}\n", "bold")
            text.append(f"{asked}\n", "not bold")
            text.append(f"right: {right}\n", "green")
            text.append(f"taken: {taken}", "yellow")
            if written != taken:
                text.append(f"\nwritten: {written}", "dim")
        self._tell("#answer", text)

    # ── parts ─────────────────────────────────────────────────────────────────────────────────────────────

    def _fill(self, name: str, lines: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        table = self.query_one(name, KeyedTable)
        table.display = bool(lines)
        table.show(lines)

    def _fill_labels(self, found: Table) -> None:
        heads, lines = found
        if lines:
            widths = (14, 5, *[max(4, min(12, len(head))) for head in heads[2:-1]], None)
            self.query_one("#labels", KeyedTable).head([(head.upper(), width) for head, width in zip(heads, widths, strict=True)])
        self._fill("#labels", [(row[0], row) for row in lines])

    def _tell(self, name: str, text: Text) -> None:
        shown = self.query_one(name, Static)
        shown.display = bool(text)
        shown.update(text)


def evaluated_of(step: Step | None) -> Evaluated | None:
    """What an evaluate step found; None while there is nothing."""
    if step is None or not step.record:
        return None
    # Its parts take long to import: not before there is one.
    from engine.evaluate.evaluated import Evaluated

    return record_of(step, Evaluated)


def _missed(locations: Locations, run: Run, step: Step) -> Missed:
    # Reading tests brings in libraries that the screens need for nothing else.
    from engine.evaluate.missed import missed_of

    connection = open_reader(locations.database)
    try:
        return missed_of(connection, step, run.task, run.settings.seed)
    finally:
        connection.close()


def _told(found: Evaluated) -> Text:
    text = Text()
    for name, one in zip(rows.model_names(found), found.evaluation.models, strict=True):
        text.append(f"{name}: ", "bold")
        text.append(f"{one_line(one.model, 120)}, asked {one.choice.setting}\n", "not bold")
    text.append(f"{rows.headline(found)}; {found.evaluation.examples:,} examples off the test", "dim not bold")
    for caveat in rows.caveats(found):
        text.append(f"\n{caveat}", "yellow not bold")
    return text


def _difference(found: Evaluated) -> Text:
    if not (words := rows.difference_words(found)):
        return Text()
    compared = found.evaluation.comparison
    better = compared is not None and compared.difference.estimate.value > 0
    text = Text()
    text.append(words, "yellow" if rows.holds_zero(found) else "bold green" if better else "bold red")
    return text.append(f"\n{rows.share_words(found)}", "dim not bold")


def _figures(found: Evaluated) -> Sequence[tuple[str, tuple[str, ...]]]:
    heads, lines = rows.figure_table(found)
    shown = []
    for row in lines:
        for head, cell in zip(heads[1:], row[1:], strict=True):
            model, _, asked = head.partition(", ")
            shown.append((f"{row[0]} {head}", (cell, model, row[0], asked)))
    return shown


def _notes(found: Evaluated) -> Text:
    named = zip(rows.model_names(found), found.evaluation.models, strict=True)
    told = [f"{name}: {one_line(note, 300)}" for name, one in named for note in (one.choice.why, *one.notes)]
    told += [*filter(None, (rows.agreement_words(found),)), *other_notes(found.evaluation.notes)]
    return Text("\n".join(f"· {one}" for one in told), style="dim")


def _cells(row: Sequence[str]) -> list[Text]:
    model, _, asked, right, taken, _ = (Text(one_line(cell, CELL), no_wrap=True, end="") for cell in row)
    return [model, right, taken, asked]


def _under_way(view: View, step: Step | None) -> Text:
    return Text(standing(view, step), style="dim").append_text(pace_text(view, step, "answers"))
