"""The drawings of what a report says of models, as numbers: losses over steps, figures with their intervals. The page draws them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.curve import Point
from engine.interval_bars import Bars, Scale, round_scale
from engine.records import Value

BARS_WIDTH, BAR_HEIGHT = 460, 22
LOSS_WIDTH, LOSS_HEIGHT = 560, 220
_SIDE = 18
"""Left and right of the bars: half the width of a number on the scale."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 20, 10, 24
"""Around the losses, for the numbers on the axes."""


class Tick(NamedTuple):
    """A number on an axis."""

    at: float
    words: str


class BarDrawn(Value):
    """One figure with its interval; lengths in the drawing's units."""

    name: str
    words: str
    low: float
    value: float
    high: float
    primary: bool


class BarsDrawn(Value):
    """Figures on one scale, BARS_WIDTH wide."""

    title: str
    rows: tuple[BarDrawn, ...]
    ticks: tuple[Tick, ...]
    zero: float | None
    zero_means: str


class Dot(Value):
    """One measurement of the validation loss."""

    x: float
    y: float
    step: int
    loss: float


class LossDrawn(Value):
    """The losses of one training, LOSS_WIDTH by LOSS_HEIGHT."""

    path: str
    """SVG path of the training loss."""
    validation: str
    """SVG path through the measurements; "" where there are fewer than two."""
    dots: tuple[Dot, ...]
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]


def bars_drawn(bars: Bars) -> BarsDrawn:
    """The bars in the units of the drawing."""
    scale = bars.scale()

    def at(value: float) -> float:
        return round(_SIDE + scale.share(value) * (BARS_WIDTH - 2 * _SIDE), 1)

    return BarsDrawn(
        bars.title,
        tuple(
            BarDrawn(row.name, row.words, at(row.estimate.low), at(row.estimate.value), at(row.estimate.high), row.primary)
            for row in bars.rows
        ),
        _ticks(scale, at),
        None if bars.zero is None else at(bars.zero),
        bars.zero_means,
    )


def losses_drawn(points: Sequence[Point]) -> LossDrawn | None:
    """The curve of a training; None where there is nothing to draw a line through."""
    trained = [(point.step, point.loss) for point in points if point.loss is not None]
    measured = [(point.step, point.validation_loss) for point in points if point.validation_loss is not None]
    if len(trained) < 2:
        return None
    steps = round_scale(0, max(step for step, _ in [*trained, *measured]), whole=True)
    losses = round_scale(min(loss for _, loss in [*trained, *measured]), max(loss for _, loss in [*trained, *measured]), ticks=5)

    def across(step: float) -> float:
        return round(_LEFT + steps.share(step) * (LOSS_WIDTH - _LEFT - _RIGHT), 1)

    def down(loss: float) -> float:
        return round(LOSS_HEIGHT - _BOTTOM - losses.share(loss) * (LOSS_HEIGHT - _TOP - _BOTTOM), 1)

    def path(line: Sequence[tuple[int, float]]) -> str:
        return "M" + "L".join(f"{across(step)} {down(loss)}" for step, loss in line)

    return LossDrawn(
        path(trained),
        path(measured) if len(measured) > 1 else "",
        tuple(Dot(across(step), down(loss), step, loss) for step, loss in measured),
        _ticks(steps, across),
        _ticks(losses, down),
    )


def _ticks(scale: Scale, at: Callable[[float], float]) -> tuple[Tick, ...]:
    return tuple(Tick(at(tick), words) for tick, words in zip(scale.ticks, scale.tick_words, strict=True))
