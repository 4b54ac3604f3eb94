"""Which examples belong together, so that copies never straddle training and validation: those of one row, with one input, nearly the
same input, or one long passage."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from engine.mix.offered import Offered
from engine.quality.near_duplicates import find_duplicates
from engine.quality.pairs import Watch
from engine.quality.words import normalised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_WIDTH = 40
"""Characters of a line or sentence that may tell a passage; those of Chinese, Japanese, Korean and Thai count as two and a half."""
LONGEST_KEPT = 8
"""Of an example's long segments that are compared: its longest."""
SHARED = 1 / 2
"""Of the shorter text that two examples of one passage have in common at least; an instruction that some share is mostly less."""
ALONE_IN = 10
"""Examples that may have one line or sentence in common and nothing else; in more it is an instruction or a question asked of many."""
TEMPLATE = 0.8
"""A segment in more of a source's examples than this share is its template's."""
TEMPLATE_LEAST = 20
FIRST_ONES = 4
"""Examples with a segment that a further one is compared with."""
TOO_LARGE = 0.5
"""A group of more than this share of all examples is taken apart: one huge group could be in one split only."""
NO_PASSAGE = 0.2
MANY = 50
"""Of so many examples or more, a group of over NO_PASSAGE is held together by something else than a passage, and taken apart as well."""
WATCHED_EVERY = 1000

_SEGMENT = re.compile(r"\n|(?<=[.!?])\s+|(?<=[。！？])")
_LABEL = re.compile(r"^\W*\w[\w ]{0,24}:\s+")


class Groups:
    """Sets of examples, joined as links are found."""

    def __init__(self, size: int) -> None:
        self._parents = list(range(size))

    def root(self, place: int) -> int:
        """The first example of the group."""
        parents = self._parents
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    def join(self, one: int, other: int) -> None:
        """Put both into one group."""
        first, second = sorted((self.root(one), self.root(other)))
        self._parents[second] = first

    def copy(self) -> Groups:
        """The groups as they are now."""
        copied = Groups(0)
        copied._parents = list(self._parents)
        return copied

    def members(self, places: Iterable[int]) -> list[list[int]]:
        """These examples group by group, in order of their first members."""
        found: dict[int, list[int]] = {}
        for place in places:
            found.setdefault(self.root(place), []).append(place)
        return list(found.values())


def connected(examples: Sequence[Offered], near: float, watch: Watch) -> tuple[list[list[int]], int]:
    """Places of the examples, group by group, and how many examples lay in a group too large to be kept together.

    `near` is the ROUGE-L F from which inputs are nearly the same; 0 where such were left out before. A group that is too large is taken
    apart into those of one row, and if need be into those with one input, which never are in two groups.
    """
    equal = Groups(len(examples))
    _join_same(equal, (normalised(one.input) for one in examples))
    rows = equal.copy()
    _join_rows(rows, examples)
    whole = rows.copy()
    _join_passages(whole, examples, watch)
    if near and len(examples) > 1:
        for first, repeats in find_duplicates(examples, threshold=near, outputs="ignored", watch=watch).clusters().items():
            for place in repeats:
                whole.join(first, place)
    groups: list[list[int]] = []
    apart = 0
    limit = (TOO_LARGE if len(examples) < MANY else NO_PASSAGE) * len(examples)
    for group in whole.members(range(len(examples))):
        if len(group) <= max(limit, 2):
            groups.append(group)
            continue
        apart += len(group)
        for smaller in rows.members(group):
            groups += [smaller] if len(smaller) <= TOO_LARGE * len(examples) else equal.members(smaller)
    return groups, apart if len(groups) > 1 else 0


def _join_same(groups: Groups, keys: Iterable[str]) -> None:
    first: dict[bytes, int] = {}
    for place, key in enumerate(keys):
        earlier = first.setdefault(_digest(key), place)
        if earlier != place:
            groups.join(earlier, place)


def _join_rows(groups: Groups, examples: Sequence[Offered]) -> None:
    first: dict[tuple[str, str, str, int], int] = {}
    for place, one in enumerate(examples):
        for row in one.rows:
            earlier = first.setdefault((one.source.dataset, one.source.config, one.source.split, row), place)
            if earlier != place:
                groups.join(earlier, place)


def _join_passages(groups: Groups, examples: Sequence[Offered], watch: Watch) -> None:
    """Join examples that share long lines or sentences which make up a good part of them."""
    found = _Segments(examples, watch)
    first_ones: dict[int, list[int]] = {}
    for place in range(len(examples)):
        own = found.repeated(place)
        for segment in own:
            before = first_ones.setdefault(segment, [])
            joined = False
            for other in before:
                if found.alike(place, other):
                    groups.join(other, place)
                    joined = True
                    break
            if not joined and len(before) < FIRST_ONES:
                before.append(place)


class _Segments:
    """The longest segments of each example that stand in others too, as numbers, and how wide it is in all."""

    def __init__(self, examples: Sequence[Offered], watch: Watch) -> None:
        import numpy as np

        keys, widths, owners = array("Q"), array("I"), array("I")
        totals = array("I")
        for place, one in enumerate(examples):
            if place % WATCHED_EVERY == 0:
                watch(place)
            segments = {segment: width(segment) for segment in segments_of(one.input)}
            long = sorted((found for found in segments.items() if found[1] >= LEAST_WIDTH), key=lambda found: -found[1])[:LONGEST_KEPT]
            # Of a long text more than its longest segments is not compared, so its others count for as much again at most.
            totals.append(min(sum(segments.values()), 2 * sum(found[1] for found in long)))
            for segment, wide in long:
                keys.append(int.from_bytes(_digest(segment)[:8]))
                widths.append(wide)
                owners.append(place)
        self._totals = np.array(totals, np.int64)
        self._own: dict[int, dict[int, int]] = {}
        self._counts: NDArray[np.int64] = np.zeros(0, np.int64)
        if not keys:
            return
        numbers, counts = np.unique(np.array(keys, np.uint64), return_inverse=True, return_counts=True)[1:]
        self._counts = counts
        owned = np.array(owners, np.int64)
        kept = (counts[numbers] > 1) & ~self._of_template(numbers, owned, examples)
        for place, number, wide in zip(owned[kept].tolist(), numbers[kept].tolist(), np.array(widths)[kept].tolist(), strict=True):
            self._own.setdefault(place, {})[number] = wide
        hidden = np.bincount(owned[~kept & (counts[numbers] > 1)], np.array(widths)[~kept & (counts[numbers] > 1)], len(examples))
        self._totals = np.maximum(self._totals - hidden.astype(np.int64), 1)

    def _of_template(self, numbers: NDArray[np.int64], owners: NDArray[np.int64], examples: Sequence[Offered]) -> NDArray[np.bool_]:
        """Which segments nearly all examples of a source have."""
        import numpy as np

        parts = np.array([one.part for one in examples], np.int64)
        sizes = np.bincount(parts)
        both = numbers * len(sizes) + parts[owners]
        _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
        of = sizes[parts[owners]]
        template: NDArray[np.bool_] = (counts[inverse] >= TEMPLATE * of) & (of >= TEMPLATE_LEAST)
        return template

    def repeated(self, place: int) -> Iterable[int]:
        """Segments of an example that others have too, longest first."""
        return self._own.get(place, ())

    def alike(self, one: int, other: int) -> bool:
        """Whether two examples share so much that it is a passage."""
        first, second = self._own[one], self._own[other]
        common = [segment for segment in first if segment in second]
        if len(common) == 1 and self._counts[common[0]] > ALONE_IN:
            return False
        return bool(sum(first[segment] for segment in common) >= SHARED * min(self._totals[one], self._totals[other]))


def segments_of(text: str) -> list[str]:
    """Lines and sentences, without a label such as "Passage:" before them, case and blanks aside."""
    plain = (" ".join(_LABEL.sub("", segment).casefold().split()) for segment in _SEGMENT.split(text))
    return [segment for segment in plain if segment]


def width(segment: str) -> int:
    """How much a segment says: its characters, two and a half for each that stands for a syllable or a word."""
    if segment.isascii():
        return len(segment)
    dense = sum("\u2e80" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af" or "\u0e00" <= char <= "\u0eff" for char in segment)
    return len(segment) + 3 * dense // 2


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
