"""Retrieve and rerank: the data sets with their scores and reasons; leave one out, or put one first."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Static

from datatune_tui.panels.panel import Panel, record_of, standing
from datatune_tui.runs_read import View
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.plain_text import clean
from engine.records import Candidate, Candidates, Ranking
from engine.store.steps import Step


class CandidatesPanel(Panel):
    """Data sets, best first."""

    BINDINGS = [
        Binding("x", "exclude", "Leave out", id="candidates.exclude", tooltip="Never use this data set for this run"),
        Binding("p", "prefer", "Put first", id="candidates.prefer", tooltip="Try this data set before all others"),
    ]

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield KeyedTable((("RANK", 4), ("SCORE", 6), ("DATA SET", 28), ("WHY", None)), id="candidates")
        yield Static("", id="reasons")

    def on_mount(self) -> None:
        self._candidates: dict[str, Candidate] = {}

    def show(self, view: View, step: Step | None) -> None:
        ranking = record_of(step, Ranking) if step and step.stage == "rerank" else None
        found = record_of(step, Candidates) if step and step.stage == "retrieve" else None
        candidates = ranking.candidates if ranking else found.candidates if found else ()
        if ranking:
            said = ranking.reason
        elif found:
            said = f"{found.searched:,} cards were searched"
        else:
            said = standing(view, step)
        self.query_one("#words", Static).update(Text(clean(said), style="" if candidates else "dim"))
        self._candidates = {one.dataset: one for one in candidates}
        table = self.query_one(KeyedTable)
        table.display = bool(candidates)
        table.show([(one.dataset, (str(one.rank), f"{one.score:.3f}", one.dataset, "; ".join(one.reasons))) for one in candidates])
        self._tell()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._tell()

    def _tell(self) -> None:
        one = self._candidates.get(self.query_one(KeyedTable).current)
        text = Text()
        if one:
            text.append(f"{clean(one.dataset)}\n", "bold")
            text.append("\n".join(f"· {clean(reason)}" for reason in one.reasons))
        self.query_one("#reasons", Static).update(text)

    def action_exclude(self) -> None:
        """Leave the data set out, and search anew."""
        if dataset := self.query_one(KeyedTable).current:
            self.post_message(self.Changed(("retrieve", "rerank", "schema", "plan", "execute", "export"), exclude=dataset))

    def action_prefer(self) -> None:
        """Put the data set first, and search anew."""
        if dataset := self.query_one(KeyedTable).current:
            self.post_message(self.Changed(("retrieve", "rerank", "schema", "plan", "execute", "export"), prefer=dataset))
