"""Figures with intervals and tests, held against closed forms, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest, permutation_test

from engine.evaluate import intervals
from engine.evaluate.intervals import Estimate, difference, estimate, mean_of, ratio

drawn = np.random.default_rng(5)


def names(count: int, size: int = 1) -> list[str]:
    return [f"{number // size}" for number in range(count)]


def test_an_interval_of_a_mean_is_as_wide_as_the_normal_one() -> None:
    scores = drawn.normal(0.5, 0.2, 400)
    found = estimate(mean_of([scores], None), names(400))
    half = 1.96 * scores.std() / 20
    assert found.value == pytest.approx(scores.mean())
    assert found.high - found.value == pytest.approx(half, rel=0.08) and found.value - found.low == pytest.approx(half, rel=0.08)
    assert (found.n, found.clusters, found.descriptive) == (400, 400, False)


def test_items_of_one_cluster_are_no_independent_evidence() -> None:
    base = (drawn.random(60) < 0.6).astype(float)
    alone = estimate(mean_of([base]), names(60))
    copied = estimate(mean_of([np.repeat(base, 5)]), names(300, 5))
    assert copied.n == 300 and copied.clusters == 60 and copied.descriptive
    assert (copied.low, copied.value, copied.high) == pytest.approx((alone.low, alone.value, alone.high))
    naive = estimate(mean_of([np.repeat(base, 5)]), names(300))
    assert copied.high - copied.low > 1.8 * (naive.high - naive.low)


def test_draws_that_differ_widen_an_interval() -> None:
    same = (drawn.random(200) < 0.5).astype(float)
    steady = estimate(mean_of([same, same, same]), names(200))
    unsteady = estimate(mean_of([same, np.ones(200), np.zeros(200)]), names(200))
    assert steady.draws == 3 and unsteady.high - unsteady.low > 3 * (steady.high - steady.low)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_where_all_are_right_or_wrong_the_interval_is_the_exact_one(score: float) -> None:
    found = estimate(mean_of([[score] * 40]), names(40))
    exact = binomtest(int(score * 40), 40).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert estimate(mean_of([[1.0] * 40]), names(40, 4)).low == pytest.approx(beta.ppf(0.025, 10, 1))


@pytest.mark.parametrize(("one", "other", "low", "high"), [(1, 1, -0.1157, 0.1157), (1, 0, 0.7686, 1), (0, 1, -1, -0.7686)])
def test_where_all_items_differ_alike_a_difference_has_an_exact_interval(one: int, other: int, low: float, high: float) -> None:
    """30 items of which none differs: by Clopper & Pearson up to 11.57 % of others may."""
    found = difference(mean_of([[one] * 30]), mean_of([[other] * 30]), names(30)).estimate
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4) and found.value == one - other


def test_as_many_clusters_as_differ_alike_count_not_their_items() -> None:
    found = difference(mean_of([[1] * 30]), mean_of([[1] * 30]), names(30, 3)).estimate
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 10)) and found.clusters == 10


def test_two_models_on_the_same_items_are_drawn_anew_together() -> None:
    """What is hard for one is hard for the other, in the same draw of demonstrations too: only what differs is uncertain."""
    base = (drawn.random(400) < 0.5).astype(float)
    other = base.copy()
    other[:4] = 1 - other[:4]
    alone = difference(mean_of([base]), mean_of([other]), names(400)).estimate
    assert alone.high - alone.low < 0.025
    draws = [np.zeros(400), np.ones(400), base]
    close = [one.copy() for one in draws]
    close[2] = other
    several = difference(mean_of(draws), mean_of(close), names(400)).estimate
    assert several.draws == 3 and several.high - several.low < 0.025


def test_several_draws_are_no_single_right_or_wrong() -> None:
    one, other = [[1.0] * 40, [0.0] * 40], [[0.0] * 40, [0.0] * 40]
    found = difference(mean_of(one), mean_of(other), names(40))
    assert "permutation" in found.test and found.estimate.value == 0.5


def test_draws_of_unequal_number_are_averaged_before_they_are_swapped() -> None:
    ours, theirs = [np.zeros(40), np.ones(40), np.ones(40)], [np.zeros(40)]
    found = difference(mean_of(ours), mean_of(theirs), names(40))
    assert found.estimate.value == pytest.approx(2 / 3) and found.p < 1e-3


def test_no_number_of_draws_makes_a_p_of_nothing() -> None:
    found = difference(mean_of([np.full(60, 0.9)]), mean_of([np.full(60, 0.1)]), names(60))
    assert 0 < found.p <= 1 / intervals.RESAMPLES


def test_mcnemar_is_the_binomial_test_of_the_items_that_differ() -> None:
    one = np.array([1] * 15 + [0] * 4 + [1] * 20 + [0] * 11, float)
    other = np.array([0] * 15 + [1] * 4 + [1] * 20 + [0] * 11, float)
    found = difference(mean_of([one]), mean_of([other]), names(50))
    assert found.test.startswith("McNemar") and found.p == pytest.approx(binomtest(15, 19).pvalue)
    assert found.estimate.value == pytest.approx(11 / 50) and found.estimate.low > 0 and found.estimate.n == 50
    assert difference(mean_of([one]), mean_of([one]), names(50)).p == 1


@pytest.mark.parametrize("count", [9, 40])
def test_the_permutation_test_agrees_with_scipy(count: int) -> None:
    one, other = drawn.normal(0.25, 1, count), drawn.normal(0, 1, count)
    found = difference(mean_of([one], None), mean_of([other], None), names(count))
    theirs = permutation_test((one - other,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", vectorized=True, rng=1)
    assert ("exact" in found.test) == (count == 9) and found.p == pytest.approx(theirs.pvalue, abs=0.02)


def test_clustered_items_are_swapped_together() -> None:
    one, other = np.ones(60), np.zeros(60)
    found = difference(mean_of([one]), mean_of([other]), names(60, 10))
    assert found.p == pytest.approx(2 / 2**6) and "permutation" in found.test


def test_a_test_under_no_difference_is_right_one_time_in_twenty() -> None:
    beyond = 0
    for trial in range(200):
        chance = np.random.default_rng(trial)
        one, other = chance.normal(0, 1, 12), chance.normal(0, 1, 12)
        beyond += difference(mean_of([one], None), mean_of([other], None), names(12)).p < 0.05
    assert 2 <= beyond <= 20


def test_intervals_hold_the_truth_about_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 1000)
    held = 0
    for trial in range(200):
        chance = np.random.default_rng(trial)
        sizes = chance.random(60) < chance.beta(3, 2, 20).repeat(3)
        found = estimate(mean_of([sizes.astype(float)]), names(60, 3))
        held += found.low <= 0.6 <= found.high
    assert held >= 176


def test_a_share_is_only_told_where_what_it_is_a_share_of_is_clear_of_zero() -> None:
    good, weak = np.array([1.0] * 80 + [0.0] * 20), np.array([1.0] * 52 + [0.0] * 48)
    assert ratio(mean_of([good]), mean_of([weak]), names(100), zero=0.5) is None
    found = ratio(mean_of([weak]), mean_of([good]), names(100), zero=0.5)
    assert found is not None and found.value == pytest.approx(0.02 / 0.3) and found.low < 0.1 < found.high


def test_what_rounding_puts_above_chance_is_not_clear_of_it() -> None:
    """40 of 150 right, chance one in five: the lower bound is 30 of 150, which is a hair above 0.2 where it is a mean of sums."""
    weak, good = np.array([1.0] * 40 + [0.0] * 110), np.array([1.0] * 90 + [0.0] * 60)
    assert estimate(mean_of([weak]), names(150)).low == pytest.approx(0.2)
    assert ratio(mean_of([good]), mean_of([weak]), names(150), zero=0.2 - 1e-15) is None


def test_a_share_without_an_upper_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own resamples may touch zero where those of the other's interval, drawn apart from them, just did not."""
    monkeypatch.setattr(intervals, "estimate", lambda *given: Estimate(0.55, 0.51, 0.6, 100, 100))
    near = np.array([1.0] * 53 + [0.0] * 47)
    assert ratio(mean_of([near]), mean_of([near]), names(100), zero=0.5) is None


def test_scaled_figures_put_chance_at_nothing() -> None:
    found = estimate(mean_of([[1.0] * 60 + [0.0] * 40]), names(100)).scaled(0.25, 1.0)
    assert found.value == pytest.approx(100 * 0.35 / 0.75) and found.low < found.value < found.high and found.n == 100


def test_no_items_have_no_figure() -> None:
    with pytest.raises(ValueError, match="no items"):
        estimate(mean_of([[]]), [])


SCORES = st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(0, 5)), min_size=1, max_size=30)


@settings(max_examples=25)
@given(SCORES, st.randoms())
def test_an_interval_holds_its_mean_and_does_not_heed_the_order_of_items(rows: list[tuple[float, int]], mixed: object) -> None:
    def of(some: list[tuple[float, int]]) -> intervals.Estimate:
        return estimate(mean_of([[score for score, _ in some]]), [f"c{group}" for _, group in some])

    found = of(rows)
    assert found.low <= found.value <= found.high and found.low >= -1e-9 and found.high <= 1 + 1e-9
    again = rows[:]
    mixed.shuffle(again)  # type: ignore[attr-defined]
    other = of(again)
    assert (other.low, other.value, other.high) == pytest.approx((found.low, found.value, found.high))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=20))
def test_swapping_two_models_turns_the_sign_and_nothing_else(rows: list[tuple[float, float]]) -> None:
    one, other = ([pair[side] for pair in rows] for side in (0, 1))
    there = difference(mean_of([one]), mean_of([other]), names(len(rows)))
    back = difference(mean_of([other]), mean_of([one]), names(len(rows)))
    assert there.estimate.value == pytest.approx(-back.estimate.value, abs=1e-12) and there.p == pytest.approx(back.p, abs=0.02)
    assert there.estimate.low == pytest.approx(-back.estimate.high, abs=1e-9) and 0 <= there.p <= 1
    assert there.estimate.high == pytest.approx(-back.estimate.low, abs=1e-9)
