"""How many of each source and label a mix takes, where there are more than are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.mix.offered import Decisions
from engine.plain_text import one_line


def cap_groups(decisions: Decisions, groups: Sequence[Sequence[int]], most: int) -> None:
    """Leave out what is more than so many of one group of connected examples; 0 is no limit."""
    if most:
        for group in groups:
            for place in group[most:]:
                decisions.leave_out(place, "over_quota", f"more than {most} of one group of connected examples")


def keep_quota(decisions: Decisions, total: int, synthetic_share: float | None, by_output: bool) -> tuple[str, ...]:
    """Leave out what is more than the wanted total (0: no limit), share of synthetic examples, or number of each label.

    The first in order stay. Returns what limits the mix, in lines.
    """
    kept = decisions.kept()
    pools = _pools(decisions, kept, synthetic_share)
    capacities = [_capacity(decisions, pool, total, by_output) for pool in pools]
    sizes, told = _sizes(capacities, total, synthetic_share)
    for pool, size in zip(pools, sizes, strict=True):
        outputs = Counter(decisions.offered[place].output for place in pool) if by_output else Counter({"": len(pool)})
        quotas = Counter(level(outputs, size))
        for place in pool:
            output = decisions.offered[place].output if by_output else ""
            if quotas[output] > 0:
                quotas[output] -= 1
            else:
                what = f"of the output {output}" if by_output else "in all" if synthetic_share is None else "of this kind of source"
                decisions.leave_out(place, "over_quota", one_line(f"more {what} than are wanted", 200))
    if by_output and not total and kept:
        outputs = Counter(decisions.offered[place].output for place in kept)
        rarest, count = min(outputs.items(), key=lambda pair: (pair[1], pair[0]))
        if len(decisions.kept()) < len(kept):
            text = f"outputs are balanced: the rarest, {one_line(rarest, 80)}, has {count:,} examples; with mix.total others have more"
            told = (*told, text)
    return told


def level(counts: Counter[str], size: int) -> dict[str, int]:
    """`size` shared out as evenly as the counts allow; all of them where there are no more."""
    quotas: dict[str, int] = {}
    left = min(size, counts.total())
    for place, (name, count) in enumerate(sorted(counts.items(), key=lambda pair: (pair[1], pair[0]))):
        quotas[name] = min(count, left // (len(counts) - place))
        left -= quotas[name]
    return quotas


def _pools(decisions: Decisions, kept: list[int], synthetic_share: float | None) -> list[list[int]]:
    if synthetic_share is None:
        return [kept]
    synthetic = [decisions.offered[place].source.synthetic for place in kept]
    return [[place for place, one in zip(kept, synthetic, strict=True) if one is wanted] for wanted in (False, True)]


def _capacity(decisions: Decisions, pool: list[int], total: int, by_output: bool) -> int:
    """How many a pool can give: with labels balanced and no total wanted, as many of each as there are of the rarest."""
    if not by_output or total or not pool:
        return len(pool)
    outputs = Counter(decisions.offered[place].output for place in pool)
    return len(outputs) * min(outputs.values())


def _sizes(capacities: list[int], total: int, share: float | None) -> tuple[list[int], tuple[str, ...]]:
    wanted = total or sum(capacities)
    if share is None:
        return [min(wanted, capacities[0])], ()
    real, synthetic = capacities
    if not real or not synthetic:
        missing = "no synthetic example is" if real else "no example of a data set is"
        return [min(wanted, real), min(wanted, synthetic)], (f"{missing} there, so the wanted share of {share:.0%} does not count",)
    whole = float(wanted)
    if share < 1:
        whole = min(whole, real / (1 - share))
    if share > 0:
        whole = min(whole, synthetic / share)
    sizes = [min(real, round((1 - share) * whole)), min(synthetic, round(share * whole))]
    told = []
    if sizes[0] < min(real, wanted * (1 - share)) - 1:
        told.append(f"for a share of {share:.0%} there are only {synthetic:,} synthetic examples: {real - sizes[0]:,} others are left out")
    if sizes[1] < min(synthetic, wanted * share) - 1:
        told.append(
            f"for a share of {share:.0%} there are only {real:,} examples of data sets: {synthetic - sizes[1]:,} synthetic are left out"
        )
    return sizes, tuple(told)
