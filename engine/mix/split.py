"""Which groups of examples are set aside for validation: whole ones, by seed, in the same shares from each source and label."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence

from engine.mix.offered import Offered

Stratum = tuple[str, str, str]
"""Data set, config and output; "" for outputs that are free texts."""


def choose_validation(examples: Sequence[Offered], groups: Sequence[Sequence[int]], share: float, seed: int, by_output: bool) -> set[int]:
    """Places of the examples for validation: this share of them as near as whole groups allow, at least one, never all.

    The order of groups is drawn by what their inputs say, so neither the order of examples nor further sources move an example that
    both splits have room for. Empty where there is only one group.
    """
    if share <= 0 or len(groups) < 2:
        return set()
    wanted = min(max(1, round(share * len(examples))), len(examples) - 1)
    strata = [_stratum(one, by_output) for one in examples]
    room = _targets(Counter(strata), wanted)
    drawn = sorted(groups, key=lambda group: min(input_hash(examples[place].input, seed) for place in group))
    chosen: set[int] = set()
    for fits in (_within, _mostly_within, _any):
        for group in drawn:
            if group[0] in chosen or len(group) > wanted - len(chosen):
                continue
            members = Counter(strata[place] for place in group)
            if fits(members, room):
                chosen.update(group)
                room.subtract(members)
    if not chosen:
        # Every group is larger than the share: the smallest is better than no validation.
        smallest: Sequence[int] = min(drawn, key=len)
        chosen.update(smallest)
    return chosen


def _within(members: Counter[Stratum], room: Counter[Stratum]) -> bool:
    return all(room[stratum] >= count for stratum, count in members.items())


def _mostly_within(members: Counter[Stratum], room: Counter[Stratum]) -> bool:
    return 2 * sum(min(count, max(0, room[stratum])) for stratum, count in members.items()) >= members.total()


def _any(members: Counter[Stratum], room: Counter[Stratum]) -> bool:
    return True


def _stratum(one: Offered, by_output: bool) -> Stratum:
    name = one.source.model or one.source.dataset
    return (name, one.source.config, one.output if by_output else "")


def _targets(sizes: Counter[Stratum], wanted: int) -> Counter[Stratum]:
    """`wanted` shared out by size, in whole numbers (largest remainders)."""
    total = sizes.total()
    exact = {stratum: wanted * size / total for stratum, size in sizes.items()}
    room = Counter({stratum: int(part) for stratum, part in exact.items()})
    by_remainder = sorted(exact, key=lambda stratum: (int(exact[stratum]) - exact[stratum], stratum))
    room.update(by_remainder[: wanted - room.total()])
    return room


def input_hash(text: str, seed: int) -> int:
    """Seeded 64-bit hash of an input without its case, its blanks and its Unicode form."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return int.from_bytes(hashlib.blake2b(f"{seed}\n{plain}".encode(errors="surrogatepass"), digest_size=8).digest())
