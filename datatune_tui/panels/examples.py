"""Execute: how many examples, how fast, how that went over time, and why units did not become any, with another try for those."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Static

from datatune_tui.modals.line_input import LineInput
from datatune_tui.panels.panel import Panel, record_of, standing, with_options
from datatune_tui.runs_read import View
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.trend_plot import TrendPlots, rates_now
from engine.cli.progress import time_left
from engine.plain_text import clean
from engine.records import Made
from engine.roles import absolute_spec
from engine.store.runs import RunSettings
from engine.store.steps import Step


class ExamplesPanel(Panel):
    """Counts, rates and reasons."""

    BINDINGS = [
        Binding("t", "retry", "Retry failed", id="examples.retry", tooltip="Ask the model again for every unit that failed, warmer"),
        Binding("m", "retry_with", "With another model", id="examples.retry-with", tooltip="Ask another model for every unit that failed"),
    ]

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield TrendPlots(id="trend")
        yield KeyedTable((("UNITS", 9), ("WHY THEY ARE NO EXAMPLES", None)), id="reasons")
        yield Static(Text("3 shows all examples and failures, one by one; enter on a reason those alone.", style="dim"), id="hint")

    def on_mount(self) -> None:
        self._settings = RunSettings()
        self._failed = 0

    def show(self, view: View, step: Step | None) -> None:
        made = record_of(step, Made)
        self._settings = view.run.settings
        self._failed = made.failed if made else view.counts.get("failed", 0)
        reasons = made.reasons if made else view.reasons
        self.query_one("#words", Static).update(_counts(view, step, made))
        self.query_one(TrendPlots).show(view.trends.get(step.fingerprint, ()) if step else ())
        table = self.query_one(KeyedTable)
        table.display = bool(reasons)
        table.show([(reason, (Text(f"{count:,}", justify="right", end=""), reason)) for reason, count in reasons.items()])
        self.query_one("#hint", Static).display = step is not None

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Go to the units of this reason."""
        state, _, reason = self.query_one(KeyedTable).current.partition(": ")
        self.post_message(self.Wanted(state, reason))

    def action_retry(self) -> None:
        """Ask again, with the model that was asked before."""
        if not self._failed:
            self.notify("no unit failed", markup=False)
            return
        note = f"{self._failed:,} units that failed are asked about again, at a higher temperature; all other answers are kept."
        changed = with_options(self._settings, "execute", retries=self._retries + 1)
        self.post_message(self.Changed("execute", changed, note))

    @work
    async def action_retry_with(self) -> None:
        """Ask another model about them."""
        if not self._failed:
            self.notify("no unit failed", markup=False)
            return
        asked = "Model for the units that failed: a GGUF file, its name, or openai:URL"
        spec = (await self.app.push_screen_wait(LineInput(asked, self._settings.models.get("retry", ""))) or "").strip()
        if not spec:
            return
        changed = with_options(self._settings, "execute", retries=max(1, self._retries))
        models = {**self._settings.models, "retry": absolute_spec(spec, Path.cwd())}
        note = f"{self._failed:,} units that failed are asked about again, by {spec}; all other answers are kept."
        self.post_message(self.Changed("execute", msgspec.structs.replace(changed, models=models), note))

    @property
    def _retries(self) -> int:
        return int(str(self._settings.options.get("execute", {}).get("retries", 0)))


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
    text.append_text(_pace(view, step))
    if step.reason:
        text.append(f"\n{clean(step.reason)}", "dim")
    return text


def _pace(view: View, step: Step) -> Text:
    """How fast it is while it runs, how fast it was when it has ended."""
    points, text = view.trends.get(step.fingerprint, ()), Text()
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
