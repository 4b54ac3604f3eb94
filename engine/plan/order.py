"""Seeded order: permutations that need no memory, and draws that depend on the unit alone, never on what else runs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

_TURNS = 3
_MASK = (1 << 64) - 1


class SeededOrder:
    """A permutation of range(size), computed place by place (a Feistel network on a near-square with cycle walking): no list is held."""

    def __init__(self, size: int, seed: int, purpose: str = "rows") -> None:
        self.size = size
        self._rows = math.isqrt(max(size - 1, 0)) + 1
        self._columns = -(-size // self._rows) or 1
        self._keys = [(draw(seed, purpose, size, turn) & _MASK, draw(seed, purpose, size, -turn) & _MASK) for turn in range(1, _TURNS + 1)]

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        return (self[place] for place in range(self.size))

    def __getitem__(self, place: int) -> int:
        if not 0 <= place < self.size:
            raise IndexError(place)
        rows, columns = self._rows, self._columns
        while True:
            row, column = divmod(place, columns)
            for first, second in self._keys:
                mixed = ((column ^ first) * 0x9E3779B97F4A7C15) & _MASK
                row = (row + (((mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9) >> 24)) % rows
                mixed = ((row ^ second) * 0x9E3779B97F4A7C15) & _MASK
                column = (column + (((mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9) >> 24)) % columns
            place = row * columns + column
            if place < self.size:
                return place


def draw(seed: int, *parts: object) -> int:
    """128 random bits that depend on the seed and these parts alone."""
    text = "\x1f".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), "big")


def shuffled(items: Sequence[T], seed: int, *parts: object) -> list[T]:
    """The items in an order that depends on the seed and these parts alone."""
    order = list(items)
    bits = draw(seed, *parts)
    for last in range(len(order) - 1, 0, -1):
        if bits <= last << 32:
            bits = draw(seed, *parts, last)
        bits, other = divmod(bits, last + 1)
        order[last], order[other] = order[other], order[last]
    return order
