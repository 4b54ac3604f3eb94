"""How the units of a step ended over its time at work, drawn with characters: how many, and what share became examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.containers import Horizontal

from engine.store.tallies import TrendPoint

if TYPE_CHECKING:
    from textual_plotext import PlotextPlot

LEAST_POINTS = 3
WINDOW = 8
"""Points over which the share of examples is taken: of all so far it would hardly move any more."""


class TrendPlots(Horizontal):
    """Two plots side by side; nothing until there are a few points."""

    DEFAULT_CSS = """
    TrendPlots { height: 11; display: none; }
    TrendPlots.-shown { display: block; }
    """

    def on_mount(self) -> None:
        self._drawn: Sequence[TrendPoint] = ()

    def show(self, points: Sequence[TrendPoint]) -> None:
        """Draw these points, if they are others than before."""
        enough = len(points) >= LEAST_POINTS and points[-1].worked > points[0].worked
        self.set_class(enough, "-shown")
        if not enough or points == self._drawn:
            return
        self._drawn = points
        if not self.children:
            # The plotting library takes 30 ms to import: not before there is something to plot.
            from textual_plotext import PlotextPlot

            self.mount(PlotextPlot(id="plot-counts"), PlotextPlot(id="plot-share"))
            self.call_after_refresh(self._draw)
        else:
            self._draw()

    def _draw(self) -> None:
        from textual_plotext import PlotextPlot

        points = self._drawn
        size, unit = (3600.0, "h") if points[-1].worked > 5400 else (60.0, "min") if points[-1].worked > 90 else (1.0, "s")
        times = [point.worked / size for point in points]
        counts = self.query_one("#plot-counts", PlotextPlot)
        plot = cleared(counts, f"units over time ({unit})")
        plot.plot(times, [point.accepted for point in points], label="examples", marker="braille", color="green")
        others = [point.units - point.accepted for point in points]
        if any(others):
            plot.plot(times, others, label="no examples", marker="dot", color="red")
        counts.refresh()
        shares = self.query_one("#plot-share", PlotextPlot)
        plot = cleared(shares, f"% that became examples ({unit})")
        share = [(time, value) for time, value in zip(times, accept_rate(points), strict=True) if value is not None]
        plot.plot([time for time, _ in share], [value for _, value in share], marker="braille", color="cyan")
        plot.ylim(0, 100)
        shares.refresh()


def accept_rate(points: Sequence[TrendPoint]) -> list[float | None]:
    """Of the units that ended in the window up to each point, the per cent that became examples; None where none ended."""
    rates: list[float | None] = []
    for place, point in enumerate(points):
        before = points[max(0, place - WINDOW)]
        ended = point.units - before.units
        rates.append(100 * (point.accepted - before.accepted) / ended if ended else None)
    return rates


def rates_now(points: Sequence[TrendPoint]) -> tuple[float, float, float]:
    """Units, examples and tokens a second over the last window."""
    if len(points) < 2:
        return 0.0, 0.0, 0.0
    last, before = points[-1], points[max(0, len(points) - 1 - WINDOW)]
    seconds = max(last.worked - before.worked, 1e-6)
    return (last.units - before.units) / seconds, (last.accepted - before.accepted) / seconds, (last.tokens - before.tokens) / seconds


def cleared(widget: PlotextPlot, title: str) -> Any:
    """The widget's plot, empty but for a title."""
    plot = widget.plt
    plot.clear_data()
    plot.clear_figure()
    plot.title(title)
    return plot
