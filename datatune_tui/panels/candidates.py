"""Retrieve and rerank: the data sets with their scores and reasons; leave some out, put them in another order, add others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Static

from datatune_tui.engine_process import command
from datatune_tui.modals.line_input import LineInput
from datatune_tui.panels.panel import Panel, record_of, standing, with_options
from datatune_tui.runs_read import View
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.plain_text import clean
from engine.records import Candidate, Candidates, Ranking
from engine.store.runs import RunSettings
from engine.store.steps import Step

if TYPE_CHECKING:
    from datatune_tui.screens.place import Place

PENDING = "ctrl+s searches anew with this order; ctrl+r puts back the run's own."


class CandidatesPanel(Panel):
    """Data sets, best first. What is changed here is marked, and done only with ctrl+s."""

    BINDINGS = [
        Binding("x", "exclude", "Leave out", id="candidates.exclude", tooltip="Never use this data set for this run; again: use it"),
        Binding("p", "prefer", "Put first", id="candidates.prefer", tooltip="Try this data set before all others"),
        Binding("shift+up", "move(-1)", "Up", id="candidates.up", tooltip="Try it earlier", key_display="⇧↑"),
        Binding("shift+down", "move(1)", "Down", id="candidates.down", tooltip="Try it later", key_display="⇧↓"),
        Binding("a", "add", "Add", id="candidates.add", tooltip="Add a data set by its id, or a folder with data"),
        Binding("ctrl+s", "apply", "Apply", id="candidates.apply", tooltip="Search anew with what was changed here"),
        Binding("ctrl+r", "restore", "Restore", id="candidates.restore", tooltip="Forget what was changed here"),
    ]

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield KeyedTable((("RANK", 4), ("SCORE", 6), ("DATA SET", 28), ("WHY", None)), id="candidates")
        yield Static("", id="reasons")

    def on_mount(self) -> None:
        self._candidates: dict[str, Candidate] = {}
        self._run = ""
        self._settings = RunSettings()
        self._said = ""
        self._order: list[str] = []
        """Data sets as they are shown; what stands in `_first` is preferred, in this order."""
        self._first: list[str] = []
        self._out: list[str] = []
        self._before: tuple[list[str], list[str]] = ([], [])

    def show(self, view: View, step: Step | None) -> None:
        ranking = record_of(step, Ranking) if step and step.stage == "rerank" else None
        found = record_of(step, Candidates) if step and step.stage == "retrieve" else None
        candidates = ranking.candidates if ranking else found.candidates if found else ()
        if ranking:
            self._said = ranking.reason
        elif found:
            self._said = f"{found.searched:,} cards were searched"
        else:
            self._said = standing(view, step)
        fresh = {one.dataset: one for one in candidates}
        if fresh != self._candidates or view.run.settings != self._settings or view.run.id != self._run:
            self._candidates, self._settings, self._run = fresh, view.run.settings, view.run.id
            self._take_back()
        self._draw()

    @property
    def pending(self) -> bool:
        """Whether something was changed that the run has not done yet."""
        return (self._first, self._out) != self._before

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._tell()

    def action_exclude(self) -> None:
        """Leave the data set out, or let it in again."""
        if dataset := self._current:
            self._first = [one for one in self._first if one != dataset]
            self._out = [one for one in self._out if one != dataset] if dataset in self._out else [*self._out, dataset]
            self._draw()

    def action_prefer(self) -> None:
        """Put the data set before all others."""
        if dataset := self._current:
            self._put(dataset, 0)

    def action_move(self, by: int) -> None:
        """Move the data set up or down; it and all above it are then tried in this order."""
        if dataset := self._current:
            self._put(dataset, self._order.index(dataset) + by)

    @work
    async def action_add(self) -> None:
        """Add a data set the search did not bring."""
        asked = "Id of a data set in the catalog, or a folder with data files"
        named = (await self.app.push_screen_wait(LineInput(asked, "")) or "").strip()
        folder = Path(named).expanduser()
        if named and folder.is_absolute():
            added = await cast("Place", self.screen).asked(command("catalog", "add", str(folder)))
            names = added["datasets"] if added else []
        else:
            names = [named] if named else []
        for name in reversed(names):
            self._candidates.setdefault(name, Candidate(name, 0, 0.0, ("added by you",), preferred=True))
            self._put(name, 0)

    def action_apply(self) -> None:
        """Ask for the search to be done anew."""
        if not self.pending:
            self.notify("nothing was changed here: x leaves out, p puts first, shift with up and down moves, a adds", markup=False)
            return
        changed = with_options(self._settings, "retrieve", prefer=self._first or None, exclude=self._out or None)
        # A data set or plan that was fixed would leave nothing for a search to decide.
        self.post_message(self.Changed("retrieve", msgspec.structs.replace(changed, dataset="", plan="")))

    def action_restore(self) -> None:
        """Forget what was changed here."""
        self._take_back()
        self._draw()

    @property
    def _current(self) -> str:
        return self.query_one(KeyedTable).current

    def _take_back(self) -> None:
        options = self._settings.options.get("retrieve", {})
        self._first, self._out = _list(options.get("prefer")), _list(options.get("exclude"))
        self._before = (list(self._first), list(self._out))
        self._candidates = {name: one for name, one in self._candidates.items() if one.rank}
        self._order = list(self._candidates)

    def _put(self, dataset: str, place: int) -> None:
        order = [one for one in self._order if one != dataset]
        place = max(0, min(place, len(order)))
        order.insert(place, dataset)
        was_first = len([one for one in self._first if one in order])
        self._order = order
        self._first = [one for one in order[: max(was_first, place + 1)] if one not in self._out or one == dataset]
        self._out = [one for one in self._out if one != dataset]
        self._draw()

    def _draw(self) -> None:
        text = Text(clean(self._said), style="" if self._candidates else "dim")
        if self.pending:
            text.append(f"\n{PENDING}", "bold yellow")
        self.query_one("#words", Static).update(text)
        table = self.query_one(KeyedTable)
        table.display = bool(self._order)
        table.show([(name, self._cells(self._candidates[name])) for name in self._order])
        self._tell()

    def _cells(self, one: Candidate) -> tuple[str | Text, ...]:
        if one.dataset in self._out:
            return (Text("out", "red"), Text(f"{one.score:.3f}", "dim"), Text(clean(one.dataset), "dim strike"), "left out by you")
        first = one.dataset in self._first
        rank = Text(str(self._first.index(one.dataset) + 1), "bold green") if first else str(one.rank)
        return (rank, f"{one.score:.3f}", one.dataset, "; ".join((*(("put here by you",) if first else ()), *one.reasons)))

    def _tell(self) -> None:
        one = self._candidates.get(self._current)
        text = Text()
        if one:
            text.append(f"{clean(one.dataset)}\n", "bold")
            text.append("\n".join(f"· {clean(reason)}" for reason in one.reasons))
        self.query_one("#reasons", Static).update(text)


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []
