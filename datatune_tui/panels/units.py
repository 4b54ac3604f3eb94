"""Stages that make examples unit by unit: how many, how fast, how that went over time, and why units did not become any."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import DataTable, Static

from datatune_tui.panels.panel import Panel
from datatune_tui.runs_read import Units, View
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.trend_plot import TrendPlots, rates_now
from engine.cli.progress import time_left
from engine.store.runs import RunSettings
from engine.store.steps import Step


class UnitsPanel(Panel):
    """Counts, rates, plots and reasons; what the stage's record says is the subclass's business."""

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield TrendPlots(id="trend")
        yield KeyedTable((("UNITS", 9), ("WHY THEY ARE NO EXAMPLES", None)), id="reasons")
        yield Static(Text("3 shows all examples and failures, one by one; enter on a reason those alone.", style="dim"), id="hint")

    def on_mount(self) -> None:
        self.settings = RunSettings()
        self.units = Units()

    def show(self, view: View, step: Step | None) -> None:
        self.settings = view.run.settings
        self.units = view.units.get(step.fingerprint, Units()) if step else Units()
        self.query_one("#words", Static).update(self.tell(view, step))
        self.query_one(TrendPlots).show(self.units.trend)
        table = self.query_one(KeyedTable)
        table.display = bool(self.units.reasons)
        reasons = self.units.reasons.items()
        table.show([(reason, (Text(f"{count:,}", justify="right", end=""), reason)) for reason, count in reasons])
        self.query_one("#hint", Static).display = step is not None

    def tell(self, view: View, step: Step | None) -> Text:
        """What came of the step, in words."""
        raise NotImplementedError

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Go to the units of this reason."""
        state, _, reason = self.query_one(KeyedTable).current.partition(": ")
        self.post_message(self.Wanted(state, reason))

    def so_far(self) -> Text:
        """The counts of a step that has no record yet."""
        counts, text = self.units.counts, Text()
        text.append(f"{counts.get('accepted', 0):,} examples", "bold green")
        text.append(f" so far; {counts.get('rejected', 0):,} rejected, {counts.get('failed', 0):,} failed, ")
        return text.append(f"{counts.get('skipped', 0):,} skipped")

    def pace(self, view: View, step: Step) -> Text:
        """How fast it is while it runs, how fast it was when it has ended."""
        points, text = self.units.trend, Text()
        if step.state == "running" and len(points) > 1:
            units, examples, tokens = rates_now(points)
            text.append(f"\n{units:,.1f} units/s, {examples:,.1f} examples/s" + (f", {tokens:,.0f} tokens/s" if tokens else ""))
            now = view.progress
            if now and now.total and now.done < now.total and examples > 0:
                text.append(f", about {time_left((now.total - now.done) / examples)} left")
        elif points and points[-1].worked >= 1:
            last = points[-1]
            text.append(f"\n{last.units / last.worked:,.1f} units/s over {time_left(last.worked)} of work", "dim")
            text.append(f", {last.tokens:,} tokens" if last.tokens else "", "dim")
        return text
