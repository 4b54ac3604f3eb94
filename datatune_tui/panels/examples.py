"""Execute: how many examples came of a data set's rows, and another try for the units that failed."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.text import Text
from textual import work
from textual.binding import Binding

from datatune_tui.modals.line_input import LineInput
from datatune_tui.panels.panel import record_of, standing, with_options
from datatune_tui.panels.units import UnitsPanel
from datatune_tui.runs_read import View
from engine.plain_text import clean
from engine.records import Made
from engine.roles import absolute_spec
from engine.store.steps import Step


class ExamplesPanel(UnitsPanel):
    """Counts, rates and reasons."""

    BINDINGS = [
        Binding("t", "retry", "Retry failed", id="examples.retry", tooltip="Ask the model again for every unit that failed, warmer"),
        Binding("m", "retry_with", "With another model", id="examples.retry-with", tooltip="Ask another model for every unit that failed"),
    ]

    def tell(self, view: View, step: Step | None) -> Text:
        if step is None:
            return Text(standing(view, step), style="dim")
        made = record_of(step, Made)
        text = Text() if made else self.so_far()
        if made:
            text.append(f"{made.examples:,} examples", "bold green")
            text.append(f" of {made.units:,} units: {made.rejected:,} rejected, {made.failed:,} failed, {made.skipped:,} skipped")
            text.append(f", {made.surplus:,} more than were asked for" if made.surplus else "")
        text.append_text(self.pace(view, step))
        if step.reason:
            text.append(f"\n{clean(step.reason)}", "dim")
        return text

    def action_retry(self) -> None:
        """Ask again, with the model that was asked before."""
        if not self._failed:
            self.notify("no unit failed", markup=False)
            return
        note = f"{self._failed:,} units that failed are asked about again, at a higher temperature; all other answers are kept."
        changed = with_options(self.settings, "execute", retries=self._retries + 1)
        self.post_message(self.Changed("execute", changed, note))

    @work
    async def action_retry_with(self) -> None:
        """Ask another model about them."""
        if not self._failed:
            self.notify("no unit failed", markup=False)
            return
        asked = "Model for the units that failed: a GGUF file, its name, or openai:URL"
        spec = (await self.app.push_screen_wait(LineInput(asked, self.settings.models.get("retry", ""))) or "").strip()
        if not spec:
            return
        changed = with_options(self.settings, "execute", retries=max(1, self._retries))
        models = {**self.settings.models, "retry": absolute_spec(spec, Path.cwd())}
        note = f"{self._failed:,} units that failed are asked about again, by {spec}; all other answers are kept."
        self.post_message(self.Changed("execute", msgspec.structs.replace(changed, models=models), note))

    @property
    def _retries(self) -> int:
        return int(str(self.settings.options.get("execute", {}).get("retries", 0)))

    @property
    def _failed(self) -> int:
        return self.units.counts.get("failed", 0)
