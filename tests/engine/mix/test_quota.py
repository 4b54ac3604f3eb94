"""Quotas: totals, shares and balanced labels, and that they are exact."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.mix.offered import Decisions
from engine.mix.quota import cap_groups, keep_quota, level
from tests.engine.mix.offer import offered


def made(real: int, synthetic: int, outputs: str = "x") -> Decisions:
    examples = [offered(f"row {n}", outputs[n % len(outputs)], row=n, seq=n) for n in range(real)]
    return Decisions([*examples, *(offered(f"written {n}", outputs[n % len(outputs)], model="m", seq=n) for n in range(synthetic))])


def kinds(decisions: Decisions) -> tuple[int, int]:
    counts = Counter(decisions.offered[place].source.synthetic for place in decisions.kept())
    return counts[False], counts[True]


@pytest.mark.parametrize(
    ("real", "synthetic", "total", "share", "kept"),
    [
        (100, 50, 0, None, (100, 50)),
        (100, 50, 80, None, (80, 0)),
        (100, 50, 120, None, (100, 20)),
        (100, 50, 0, 0.2, (100, 25)),
        (100, 10, 0, 0.2, (40, 10)),
        (100, 50, 50, 0.2, (40, 10)),
        (100, 50, 1000, 0.5, (50, 50)),
        (100, 50, 0, 0.0, (100, 0)),
        (100, 50, 0, 1.0, (0, 50)),
        (100, 0, 0, 0.3, (100, 0)),
        (0, 50, 10, 0.3, (0, 10)),
        (0, 0, 10, 0.3, (0, 0)),
    ],
)
def test_totals_and_shares_are_met_exactly(real: int, synthetic: int, total: int, share: float | None, kept: tuple[int, int]) -> None:
    decisions = made(real, synthetic)
    keep_quota(decisions, total, share, False)
    assert kinds(decisions) == kept


def test_the_first_in_order_stay_and_the_others_say_why() -> None:
    decisions = made(10, 0)
    keep_quota(decisions, 4, None, False)
    assert decisions.kept() == [0, 1, 2, 3]
    assert decisions.reasons[4] == "over_quota" and decisions.details[4] == "more in all than are wanted"


def test_what_limits_a_share_is_told() -> None:
    assert "only 10 synthetic examples: 60 others are left out" in keep_quota(made(100, 10), 0, 0.2, False)[0]
    assert "only 10 examples of data sets: 60 synthetic are left out" in keep_quota(made(10, 100), 0, 0.8, False)[0]
    assert "no synthetic example is there" in keep_quota(made(10, 0), 0, 0.8, False)[0]
    assert keep_quota(made(10, 10), 0, 0.5, False) == ()


def test_labels_are_taken_as_often_as_the_rarest_or_as_evenly_as_a_total_allows() -> None:
    decisions = made(100, 0, "aaab")
    told = keep_quota(decisions, 0, None, True)
    assert Counter(decisions.offered[place].output for place in decisions.kept()) == {"a": 25, "b": 25}
    assert "the rarest, b, has 25 examples" in told[0]
    decisions = made(100, 0, "aaab")
    assert keep_quota(decisions, 80, None, True) == ()
    assert Counter(decisions.offered[place].output for place in decisions.kept()) == {"a": 55, "b": 25}


def test_labels_are_balanced_on_both_sides_of_a_share() -> None:
    decisions = made(90, 30, "aab")
    keep_quota(decisions, 0, 0.25, True)
    cells = Counter((decisions.offered[place].source.synthetic, decisions.offered[place].output) for place in decisions.kept())
    assert cells == {(False, "a"): 30, (False, "b"): 30, (True, "a"): 10, (True, "b"): 10}


@given(st.dictionaries(st.text(max_size=2), st.integers(0, 50), max_size=6), st.integers(0, 200))
def test_levelling_gives_all_that_is_wanted_and_no_label_more_than_needed(counts: dict[str, int], size: int) -> None:
    quotas = level(Counter(counts), size)
    assert sum(quotas.values()) == min(size, sum(counts.values()))
    assert all(quotas[name] <= count for name, count in counts.items())
    cut = [quotas[name] for name, count in counts.items() if quotas[name] < count]
    assert not cut or max(quotas.values()) - min(cut) <= 1


def test_of_a_group_no_more_than_wanted_stay() -> None:
    decisions = made(6, 0)
    cap_groups(decisions, [[0, 2, 4], [1], [3, 5]], 2)
    assert decisions.kept() == [0, 1, 2, 3, 5]
    cap_groups(decisions, [[0, 1, 2, 3, 5]], 0)
    assert decisions.kept() == [0, 1, 2, 3, 5]
