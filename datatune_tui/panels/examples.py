"""Execute: how many examples, how fast, and why units did not become any."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import DataTable, Static

from datatune_tui.panels.panel import Panel, record_of, standing
from datatune_tui.runs_read import View
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.plain_text import clean
from engine.records import Made
from engine.store.steps import Step


class ExamplesPanel(Panel):
    """Counts and reasons."""

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield KeyedTable((("UNITS", 9), ("WHY THEY ARE NO EXAMPLES", None)), id="reasons")
        yield Static(Text("3 shows all examples and failures, one by one; enter on a reason those alone.", style="dim"), id="hint")

    def show(self, view: View, step: Step | None) -> None:
        words, reasons = self.tell(view, step)
        self.query_one("#words", Static).update(words)
        table = self.query_one(KeyedTable)
        table.display = bool(reasons)
        table.show([(reason, (Text(f"{count:,}", justify="right", end=""), reason)) for reason, count in reasons.items()])
        self.query_one("#hint", Static).display = step is not None

    def tell(self, view: View, step: Step | None) -> tuple[Text, dict[str, int]]:
        """What came of the step in words, and the reasons by count."""
        made = record_of(step, Made)
        return _counts(view, step, made), made.reasons if made else view.reasons

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Go to the units of this reason."""
        state, _, reason = self.query_one(KeyedTable).current.partition(": ")
        self.post_message(self.Wanted(state, reason))


def _counts(view: View, step: Step | None, made: Made | None) -> Text:
    if step is None:
        return Text(standing(view, step), style="dim")
    text = Text()
    if made:
        text.append(f"{made.examples:,} examples", "bold green")
        text.append(f" of {made.units:,} units: {made.rejected:,} rejected, {made.failed:,} failed, {made.skipped:,} skipped")
        text.append(f", {made.surplus:,} more than were asked for" if made.surplus else "")
    else:
        counts = view.counts
        text.append(f"{counts.get('accepted', 0):,} examples", "bold green")
        text.append(f" so far; {counts.get('rejected', 0):,} rejected, {counts.get('failed', 0):,} failed, ")
        text.append(f"{counts.get('skipped', 0):,} skipped")
    if step.reason:
        text.append(f"\n{clean(step.reason)}", "dim")
    return text
