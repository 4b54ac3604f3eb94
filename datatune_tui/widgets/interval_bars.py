"""Figures with their 95 % intervals as bars on one scale, drawn for the width there is."""

from __future__ import annotations

from rich.text import Text
from textual.events import Resize
from textual.widgets import Static

from engine.interval_bars import Bars, drawn

AXIS_LINES = 2
UNKNOWN_WIDTH = 60
"""Cells drawn for until the first layout says how many there are."""


class IntervalBars(Static):
    """A title, the scale, a bar a figure; nothing until there is a figure. It is text, so it can be copied."""

    def __init__(self, name: str) -> None:
        super().__init__("", id=name, markup=False)
        self.display = False
        self._bars: Bars | None = None
        self._drawn: tuple[Bars | None, int] = (None, 0)

    def show(self, bars: Bars | None) -> None:
        """Draw these, or nothing."""
        self._bars = bars if bars is not None and bars.rows else None
        self.display = self._bars is not None
        self._draw()

    def on_resize(self, event: Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.size.width or UNKNOWN_WIDTH
        if self._drawn != (self._bars, width):
            self._drawn = (self._bars, width)
            self.update(bars_text(self._bars, width) if self._bars else Text())


def bars_text(bars: Bars, width: int) -> Text:
    """The bars with a colour for what is certain and one for how far it may be off."""
    text = Text(bars.title, style="bold")
    text.append(f"\n{bars.key}", "not bold dim")
    for number, line in enumerate(drawn(bars, width, shorten=True)):
        shown = Text(line, style="not bold dim" if number < AXIS_LINES else "not bold")
        if number >= AXIS_LINES:
            shown.highlight_regex("[├─┤┼]+", "cyan")
            shown.highlight_regex("●", "bold green")
            shown.highlight_regex("┆", "yellow")
        text.append("\n").append_text(shown)
    return text
