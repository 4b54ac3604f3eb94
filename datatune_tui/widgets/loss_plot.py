"""Losses over the steps of a training, drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import Horizontal

from engine.curve import Point

LEAST_POINTS = 3


class LossPlot(Horizontal):
    """Training and validation loss; nothing until there are a few points."""

    DEFAULT_CSS = """
    LossPlot { height: 14; display: none; }
    LossPlot.-shown { display: block; }
    """

    def on_mount(self) -> None:
        self._drawn: Sequence[Point] = ()

    def show(self, points: Sequence[Point]) -> None:
        """Draw these points, if they are others than before."""
        enough = sum(point.loss is not None for point in points) >= LEAST_POINTS
        self.set_class(enough, "-shown")
        if not enough or points == self._drawn:
            return
        self._drawn = points
        if not self.children:
            # The plotting library takes 30 ms to import: not before there is something to plot.
            from textual_plotext import PlotextPlot

            self.mount(PlotextPlot(id="plot-loss"))
            self.call_after_refresh(self._draw)
        else:
            self._draw()

    def _draw(self) -> None:
        from textual_plotext import PlotextPlot

        from datatune_tui.widgets.trend_plot import cleared

        widget = self.query_one("#plot-loss", PlotextPlot)
        plot = cleared(widget, "loss over steps")
        steps = [(point.step, point.loss) for point in self._drawn if point.loss is not None]
        plot.plot([step for step, _ in steps], [loss for _, loss in steps], label="training", marker="braille", color="cyan")
        measured = [(point.step, point.validation_loss) for point in self._drawn if point.validation_loss is not None]
        if measured:
            plot.scatter([step for step, _ in measured], [loss for _, loss in measured], label="validation", marker="o", color="green")
        widget.refresh()
