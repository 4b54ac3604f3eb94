"""Generate: how many synthetic examples, what they were to be about, and why answers did not become any."""

from __future__ import annotations

from rich.text import Text

from datatune_tui.panels.panel import record_of, standing
from datatune_tui.panels.units import UnitsPanel
from datatune_tui.runs_read import View
from engine.plain_text import clean, one_line
from engine.records import Generated
from engine.store.steps import Step

TOPICS_SHOWN = 400


class SyntheticPanel(UnitsPanel):
    """Counts and reasons, with model and topics."""

    def tell(self, view: View, step: Step | None) -> Text:
        if step is None:
            return Text(standing(view, step), style="dim")
        made = record_of(step, Generated)
        text = Text() if made else self.so_far()
        if made:
            text.append(f"{made.examples:,} synthetic examples", "bold green")
            text.append(f" of {made.units:,} asked for: {made.rejected:,} rejected, {made.failed:,} failed, {made.skipped:,} skipped")
            text.append(f"\nwritten by {clean(made.model)}", "dim")
        if made and made.saturated:
            text.append(f"\nended early: {clean(made.saturated)}", "yellow")
        if made and made.outputs:
            text.append("\noutputs: " + ", ".join(f"{one_line(output, 40)} {count:,}" for output, count in made.outputs.items()), "dim")
        if made and made.topics:
            text.append(f"\ntopics: {one_line('; '.join(made.topics), TOPICS_SHOWN)}", "dim")
        text.append_text(self.pace(view, step))
        if step.reason:
            text.append(f"\n{clean(step.reason)}", "dim")
        return text
