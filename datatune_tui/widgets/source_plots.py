"""Sources of examples drawn side by side with characters: where their examples lie on a map, and how long they are.

Drawn as text, so that it can be copied. Each source has a colour and a sign of its own, so it is told apart without colours as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.text import Text
from textual.events import Resize
from textual.widgets import Static

from engine.plain_text import one_line
from engine.quality.lengths import LENGTH_BINS

SIGNS = "ox+*#@%&abcdefghijklmnpqrstuvwyzABCDEFGHIJKLMNPQRSTUVWYZ"
COLOURS = ("cyan", "yellow", "green", "red", "blue", "magenta")
NAME_CHARACTERS = 40
LEAST_COLUMN = 24
"""Cells of a source's column in a histogram; where there are more sources than fit, they go below each other."""
EIGHTHS = " ▏▎▍▌▋▊▉"


class Mark(NamedTuple):
    """How a source looks."""

    sign: str
    colour: str
    name: str
    """Safe text on one line."""

    def titled(self, suffix: str = "") -> Text:
        """Sign and name, as titles and legends have them."""
        text = Text(no_wrap=True, end="")
        text.append(f"{self.sign} ", f"bold {self.colour}")
        return text.append(f"{self.name}{suffix}")


class Histogram(NamedTuple):
    """How many examples of a source have which length."""

    mark: Mark
    counts: Sequence[int]
    """In each of LENGTH_BINS."""


def marks_of(names: Sequence[str]) -> dict[str, Mark]:
    """A mark for each source."""
    return {
        name: Mark(SIGNS[place % len(SIGNS)], COLOURS[place % len(COLOURS)], one_line(name.removeprefix("transformed: "), NAME_CHARACTERS))
        for place, name in enumerate(names)
    }


class Drawn(Static):
    """A text that is drawn for the room there is, anew when that changes."""

    def __init__(self, name: str) -> None:
        super().__init__("", id=name, markup=False)
        self._draw: Callable[[int, int], Text] = lambda width, height: Text()

    def show(self, draw: Callable[[int, int], Text]) -> None:
        """Show what `draw` makes of a width and a height in cells."""
        self._draw = draw
        self.on_resize()

    def on_resize(self, event: Resize | None = None) -> None:
        """Draw it for the new size."""
        if self.size.width and self.size.height:
            self.update(self._draw(self.size.width, self.size.height))


def draw_map(sources: Sequence[str], x: Sequence[float], y: Sequence[float], marks: dict[str, Mark], width: int, height: int) -> Text:
    """The points in a field of so many cells. A cell in which several sources lie has the sign of that with most points in it, and of
    those with as many the one that has fewest on the whole map: what is rare stays in sight."""
    cells: dict[tuple[int, int], Counter[str]] = {}
    for source, across, up in zip(sources, _scaled(x, width), _scaled(y, height), strict=True):
        cells.setdefault((height - 1 - up, across), Counter())[source] += 1
    every = Counter(sources)
    lines = []
    for row in range(height):
        line = Text(no_wrap=True, end="")
        for column in range(width):
            found = cells.get((row, column))
            if found is None:
                line.append(" ")
            else:
                mark = marks[min(found, key=lambda source: (-found[source], every[source]))]
                line.append(mark.sign, mark.colour)
        lines.append(line)
    return Text("\n").join(lines)


def draw_lengths(title: str, histograms: Sequence[Histogram], width: int) -> Text:
    """A line for each bin from the shortest length to the longest, a column of bars for each source; all bars have one scale."""
    used = [place for one in histograms for place, count in enumerate(one.counts) if count]
    text = Text(f"{title}\n", style="bold") if title else Text()
    if not used:
        return text.append("Nothing to show.", "not bold dim")
    names = {place: bin_name(place) for place in range(min(used), max(used) + 1)}
    label = max(map(len, names.values()))
    most = max(count / sum(one.counts) for one in histograms if any(one.counts) for count in one.counts)
    several = max(1, min(len(histograms), (width - label) // LEAST_COLUMN))
    room = (width - label) // several
    for start in range(0, len(histograms), several):
        block = histograms[start : start + several]
        text.append(" " * label)
        for one in block:
            of = f", {sum(one.counts):,}"
            name = one_line(one.mark.name, room - len(of) - 4)
            text.append_text(_padded(one.mark._replace(name=name).titled(of), room))
        for place, name in names.items():
            text.append(f"\n{name:>{label}}", "not bold")
            for one in block:
                share = one.counts[place] / max(1, sum(one.counts))
                text.append_text(_padded(_bar(share, most, room - 8, one.mark.colour), room))
        text.append("\n")
    text.rstrip()
    return text


def bin_name(place: int) -> str:
    """The lengths in one of LENGTH_BINS."""
    start = LENGTH_BINS[place]
    if place + 1 == len(LENGTH_BINS):
        return f"{start:,}+"
    last = LENGTH_BINS[place + 1] - 1
    return f"{start:,}" if last == start else f"{start:,}–{last:,}"


def _bar(share: float, most: float, room: int, colour: str) -> Text:
    eighths = round(8 * room * share / most)
    text = Text(style="not bold")
    text.append("█" * (eighths // 8) + EIGHTHS[eighths % 8].strip(), colour)
    # What is too rare for an eighth of a cell is there all the same.
    if share:
        text.append(f" {share:.0%}" if share >= 0.005 else " <1%")
    return text


def _padded(text: Text, room: int) -> Text:
    """With two blanks before it, cut or filled up to the room of a column."""
    found = Text("  ").append_text(text)
    found.truncate(room, overflow="ellipsis", pad=True)
    return found


def _scaled(values: Sequence[float], cells: int) -> list[int]:
    low, high = min(values), max(values)
    step = (high - low) / cells or 1.0
    return [min(cells - 1, int((value - low) / step)) for value in values]
