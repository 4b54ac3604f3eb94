"""The drawings of a report as numbers: where the marks of the map stand, how tall the bars of a histogram are. The page draws them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from engine.quality.lengths import LENGTH_BINS
from engine.records import Value

if TYPE_CHECKING:
    from engine.compare_data import Figures, Placed
    from engine.data_sources import DataSource

MAP_SIZE = 640
"""Width and height of the map's drawing, in its own units."""
BAR_HEIGHT = 70
_HOVER_CHARS = 600
_MARGIN = 12
_SHAPES: tuple[Callable[[float, float], str], ...] = (
    lambda x, y: f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0",
    lambda x, y: f"M{x:.1f} {y - 4.5:.1f}l4.2 7.5h-8.4z",
    lambda x, y: f"M{x - 3.2:.1f} {y - 3.2:.1f}h6.4v6.4h-6.4z",
    lambda x, y: f"M{x:.1f} {y - 4.5:.1f}l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
)
"""Circle, triangle, square, diamond: sources are told apart without colours too."""
_SPANS = [
    *(f"{low:,}" if high - low == 1 else f"{low:,} to {high - 1:,}" for low, high in pairwise(LENGTH_BINS)),
    f"{LENGTH_BINS[-1]:,} or more",
]


class Point(Value):
    """One example on the map."""

    path: str
    """SVG path of its mark."""
    input: str
    output: str


class Layer(Value):
    """The points of one source."""

    source: str
    number: int
    """0-based place of the source: decides colour and shape."""
    key: str
    """SVG path of its mark, for the legend."""
    points: tuple[Point, ...]


class Bar(Value):
    """So many examples of these lengths."""

    x: float
    height: float
    """In units of the drawing, at most BAR_HEIGHT."""
    told: str


class Histogram(Value):
    """Lengths of one source's inputs or outputs, in words, over bins that all sources of a report share."""

    source: str
    number: int
    part: Literal["input", "output"]
    examples: int
    width: float
    """Of a bar, where the drawing is 100 wide."""
    bars: tuple[Bar, ...]
    first: str
    """Lengths of the first bar."""
    last: str
    """Lengths of the last bar."""


def map_layers(placed: Placed, sources: Sequence[DataSource]) -> list[Layer]:
    """The map of examples (x and y of any unit) scaled to MAP_SIZE, source by source."""
    examples = {source.name: source.examples for source in sources}
    numbers = {source.name: number for number, source in enumerate(sources)}
    across, down = _scaled(placed.map.x), _scaled(placed.map.y)
    points: dict[str, list[Point]] = {name: [] for name in numbers}
    for name, index, x, y in zip(placed.sources, placed.indices, across, down, strict=True):
        example = examples[name][index]
        points[name].append(Point(_shape(numbers[name])(x, y), example.input[:_HOVER_CHARS], example.output[:_HOVER_CHARS]))
    return [Layer(name, numbers[name], _shape(numbers[name])(8, 8), tuple(found)) for name, found in points.items()]


def length_histograms(sources: Sequence[Figures]) -> list[Histogram]:
    """Inputs of every source, then outputs; in words between blanks, over the bins that any of them fills."""
    found = []
    parts: tuple[Literal["input", "output"], ...] = ("input", "output")
    for part in parts:
        counts = [(one.input_lengths if part == "input" else one.output_lengths).histogram for one in sources]
        filled = [place for place in range(len(LENGTH_BINS)) if any(some[place] for some in counts)]
        first, last = filled[0], filled[-1]
        for number, (source, some) in enumerate(zip(sources, counts, strict=True)):
            found.append(_histogram(source.name, number, part, some[first : last + 1], _SPANS[first : last + 1]))
    return found


def _histogram(name: str, number: int, part: Literal["input", "output"], counts: Sequence[int], spans: Sequence[str]) -> Histogram:
    tallest, width, all_ = max(*counts, 1), 100 / len(counts), sum(counts)
    bars = tuple(
        Bar(place * width, BAR_HEIGHT * count / tallest, f"{span} words: {count:,} of {all_:,}")
        for place, (count, span) in enumerate(zip(counts, spans, strict=True))
    )
    return Histogram(name, number, part, all_, width, bars, spans[0], spans[-1])


def _shape(number: int) -> Callable[[float, float], str]:
    return _SHAPES[number % len(_SHAPES)]


def _scaled(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    room = MAP_SIZE - 2 * _MARGIN
    return [_MARGIN + room * ((value - low) / (high - low) if high > low else 0.5) for value in values]
