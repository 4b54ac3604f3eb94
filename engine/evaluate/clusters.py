"""Which items of a test share a stem: the same input, the same long passage, or the same question told in another subtask.

Such items are no independent evidence: they are drawn together where intervals are made.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from engine.quality.words import tokens

if TYPE_CHECKING:
    from engine.evaluate.items import Item

LEAST_PASSAGE = 25
"""Words of a line that two items share only if they are about the same passage."""
MOST_SHARED = 0.5
"""Share of items from which on a line is part of the instruction, and no passage."""
ALIKE = 0.65
"""Jaccard likeness of the words of two items that stand in the same place of two subtasks, from which on they are one."""


def clustered(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items, each with the name of its cluster: the key of the cluster's first item, or what the file says."""
    together = _Together(len(items))
    signs: dict[str, int] = {}
    counts: Counter[str] = Counter()
    passages = [list(_passages(item)) for item in items]
    for lines in passages:
        counts.update(set(lines))
    most = max(2.0, MOST_SHARED * len(items))
    for place, item in enumerate(items):
        if item.cluster:
            names = [f"given {item.cluster}"]
        else:
            names = [f"stem {_stem(item)}", *(f"passage {line}" for line in passages[place] if counts[line] <= most)]
        for name in names:
            together.join(place, signs.setdefault(name, place))
    if len({item.part for item in items}) > 1:
        for one, other in _in_the_same_place(items):
            if _alike(items[one], items[other]):
                together.join(one, other)
    named = [items[together.first(place)] for place in range(len(items))]
    return tuple(msgspec.structs.replace(item, cluster=first.cluster or first.key) for item, first in zip(items, named, strict=True))


def _stem(item: Item) -> str:
    """The input's words in alphabetical order, for options in it were shuffled; with the options where an input alone says little."""
    words = " ".join(sorted(tokens(item.input)))
    options = " ".join(sorted(" ".join(tokens(option)) for option in item.options))
    return f"{words or item.input.strip()} | {options}" if item.part or not words else words


def _passages(item: Item) -> Iterator[str]:
    for line in re.split(r"\n+", item.input):
        if len(line) >= 4 * LEAST_PASSAGE and len(words := tokens(line)) >= LEAST_PASSAGE:
            yield " ".join(words)


def _in_the_same_place(items: Sequence[Item]) -> Iterator[tuple[int, int]]:
    """Items that have the same number in subtasks of the same length."""
    parts: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        parts[item.part].append(place)
    for one, other in pairwise(sorted(parts.values(), key=len)):
        if len(one) == len(other):
            yield from zip(one, other, strict=True)


def _alike(one: Item, other: Item) -> bool:
    ours, theirs = (set(tokens(f"{item.input} {' '.join(item.options)}")) for item in (one, other))
    return bool(ours | theirs) and len(ours & theirs) / len(ours | theirs) >= ALIKE


class _Together:
    """Sets that are joined two by two (union-find), each known by its first member."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def first(self, place: int) -> int:
        while self._above[place] != place:
            self._above[place] = self._above[self._above[place]]
            place = self._above[place]
        return place

    def join(self, one: int, other: int) -> None:
        one, other = self.first(one), self.first(other)
        self._above[max(one, other)] = min(one, other)
