"""Intervals drawn with characters on one scale: a point for each figure, a line for its 95 % interval, and where chance is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from engine.evaluate.intervals import Estimate

_LEAST_BESIDE = 20
"""Cells of a bar that stands beside its words."""
_LEAST = 8
_MOST = 72
_CELLS_A_TICK = 8
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


class Scale(NamedTuple):
    """Of numbers over a width that all bars share."""

    low: float
    high: float
    step: float
    """From tick to tick."""
    zero: float | None
    """The number that is marked in all bars, such as chance."""

    @property
    def ticks(self) -> tuple[float, ...]:
        """Numbers that are written, from `low` to `high`."""
        count = round((self.high - self.low) / self.step)
        # Sums of steps such as 0.1 are off in their last digits.
        return tuple(round(self.low + place * self.step, 10) + 0.0 for place in range(count + 1))

    @property
    def tick_words(self) -> tuple[str, ...]:
        """The ticks as they are written."""
        places = max(0, -math.floor(math.log10(self.step) + 1e-9))
        if round(self.step * 10**places, 9) % 1:
            places += 1
        return tuple(f"{tick:.{places}f}" for tick in self.ticks)

    def share(self, value: float) -> float:
        """How far along the scale a number is, 0 to 1; one beyond it is at its end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


class BarRow(NamedTuple):
    """One figure."""

    name: str
    """Safe text on one line."""
    words: str
    """The figure as it is written, with its interval."""
    short: str
    """The figure alone, for where there is little room."""
    estimate: Estimate
    primary: bool = False
    """Fixed beforehand, or of that on which it all turns."""


class Bars(NamedTuple):
    """Figures on one scale."""

    title: str
    rows: tuple[BarRow, ...]
    zero: float | None
    """The number that is marked; None for none."""
    zero_means: str
    """Such as "chance"."""

    @property
    def key(self) -> str:
        """What the signs mean."""
        return "├──●──┤ 95 % interval" + (f", ┆ {self.zero_means}" if self.zero is not None else "")

    def scale(self, ticks: int = 6) -> Scale:
        """The scale they share."""
        return scale_of((row.estimate for row in self.rows), self.zero, ticks)


def scale_of(estimates: Iterable[Estimate], zero: float | None = None, ticks: int = 6) -> Scale:
    """A scale with round ends that holds all intervals and `zero`, with about so many ticks."""
    ends = [end for one in estimates for end in (one.low, one.value, one.high) if math.isfinite(end)]
    ends += [] if zero is None else [zero]
    return round_scale(min(ends, default=0.0), max(ends, default=1.0), zero, ticks)


def round_scale(low: float, high: float, zero: float | None = None, ticks: int = 6, whole: bool = False) -> Scale:
    """A scale with round ends from `low` or less to `high` or more, with about so many ticks, all whole numbers where those are wanted."""
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / max(1, ticks - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * one for one in _STEPS if size * one >= rough - 1e-12)
    if whole:
        step = max(1.0, math.ceil(step))
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step, zero)


def ticks_for(width: int) -> int:
    """As many ticks as can be read over so many cells."""
    return max(2, min(8, width // _CELLS_A_TICK))


def bar(scale: Scale, one: Estimate, width: int) -> str:
    """The interval as `├──●──┤` over so many cells; where `zero` is, `┆`, and `┼` where the interval holds it."""
    cells = [" "] * width
    low, high, value = (_cell(scale, end, width) for end in (one.low, one.high, one.value))
    for place in range(low, high + 1):
        cells[place] = "─"
    cells[low], cells[high] = "├", "┤"
    if scale.zero is not None:
        zero = _cell(scale, scale.zero, width)
        cells[zero] = {" ": "┆", "─": "┼"}.get(cells[zero], cells[zero])
    cells[value] = "●"
    return "".join(cells)


def axis(scale: Scale, width: int) -> tuple[str, str]:
    """The numbers over the bars, and the line below them with its ticks."""
    words, line = [" "] * (width + _CELLS_A_TICK), ["─"] * width
    free = 0
    for tick, word in zip(scale.ticks, scale.tick_words, strict=True):
        at = _cell(scale, tick, width)
        line[at] = "┴"
        start = max(0, min(at - len(word) // 2, width - len(word)))
        if start >= free:
            words[start : start + len(word)] = word
            free = start + len(word) + 1
    return "".join(words).rstrip(), "".join(line)


def drawn(bars: Bars, width: int, shorten: bool = False) -> list[str]:
    """Lines of so many cells at most: name, figure in words and bar of each row, below the numbers of the scale.

    Where the bars would have too few cells they stand below the words; `shorten` makes the words short before that.
    """
    from rich.cells import cell_len, set_cell_size

    names = max((cell_len(row.name) for row in bars.rows), default=0)
    whole = [row.words for row in bars.rows]
    for said in (whole, [row.short for row in bars.rows]) if shorten else (whole,):
        words = max(map(cell_len, said), default=0)
        indent = names + 2 + words + 2
        if width - indent >= _LEAST_BESIDE:
            break
    else:
        said, indent = whole, 0
    room = max(_LEAST, min(_MOST, width - (indent or 2)))
    scale = bars.scale(ticks_for(room))
    lines = [f"{' ' * (indent or 2)}{line}" for line in axis(scale, room)]
    for row, told in zip(bars.rows, said, strict=True):
        shown = bar(scale, row.estimate, room)
        head = f"{set_cell_size(row.name, names)}  {told}"
        lines += [f"{set_cell_size(head, indent)}{shown}"] if indent else [head, f"  {shown}"]
    return [line.rstrip() for line in lines]


def _cell(scale: Scale, value: float, width: int) -> int:
    return round(scale.share(value) * (width - 1))
