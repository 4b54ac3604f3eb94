"""Losses over the steps of a training, or of several, drawn with characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

from textual.containers import Horizontal

from datatune_tui.widgets.source_plots import SIGNS
from engine.curve import Point
from engine.plain_text import one_line

LEAST_POINTS = 3
MOST_ARMS = 8
"""Curves in one plot that can be told apart."""
ARM_CHARACTERS = 24
_COLOURS = ("cyan", "orange", "green", "red", "blue", "magenta")
"""As the plotting library calls them: orange is what themes call yellow."""


class Series(NamedTuple):
    """One curve."""

    label: str
    marker: str
    colour: str
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    joined: bool = True
    """Whether its points are joined by a line."""


class LossPlot(Horizontal):
    """Training and validation loss; nothing until there are a few points."""

    DEFAULT_CSS = """
    LossPlot { height: 14; display: none; }
    LossPlot.-shown { display: block; }
    """

    def on_mount(self) -> None:
        self._drawn: tuple[Series, ...] = ()
        self._title = ""

    def show(self, points: Sequence[Point]) -> None:
        """Draw the losses of one training."""
        losses = [(point.step, point.loss) for point in points if point.loss is not None]
        trained = _series("training", "braille", "cyan", losses)
        measured = _series("validation", "o", "green", _measured(points))._replace(joined=False)
        series = (trained, measured) if measured.steps else (trained,)
        self._show("loss over steps", series if len(losses) >= LEAST_POINTS else ())

    def show_arms(self, arms: Mapping[str, Sequence[Point]]) -> None:
        """Draw the validation losses of several trainings, as many as can be told apart."""
        found = [(name, losses) for name, points in arms.items() if len(losses := _measured(points)) > 1]
        marked = zip(found[:MOST_ARMS], SIGNS, cycle(_COLOURS), strict=False)
        series = tuple(_series(one_line(name, ARM_CHARACTERS), sign, colour, losses) for (name, losses), sign, colour in marked)
        self._show("validation loss over steps, first seed", series)

    def _show(self, title: str, series: tuple[Series, ...]) -> None:
        """Draw these, if they are others than before."""
        self.set_class(bool(series), "-shown")
        if not series or (title, series) == (self._title, self._drawn):
            return
        self._title, self._drawn = title, series
        if not self.children:
            # The plotting library takes 30 ms to import: not before there is something to plot.
            from textual_plotext import PlotextPlot

            self.mount(PlotextPlot(classes="plot"))
            self.call_after_refresh(self._draw)
        else:
            self._draw()

    def _draw(self) -> None:
        from textual_plotext import PlotextPlot

        from datatune_tui.widgets.trend_plot import cleared

        widget = self.query_one(PlotextPlot)
        plot = cleared(widget, self._title)
        for one in self._drawn:
            (plot.plot if one.joined else plot.scatter)(one.steps, one.losses, label=one.label, marker=one.marker, color=one.colour)
        widget.refresh()


def _measured(points: Sequence[Point]) -> list[tuple[int, float]]:
    return [(point.step, point.validation_loss) for point in points if point.validation_loss is not None]


def _series(label: str, marker: str, colour: str, losses: Sequence[tuple[int, float]]) -> Series:
    return Series(label, marker, colour, tuple(step for step, _ in losses), tuple(loss for _, loss in losses))
