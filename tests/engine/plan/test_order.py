"""Seeded order: every place once, the same for the same seed, another for another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.plan.order import SeededOrder, draw, shuffled


@given(st.integers(0, 3000), st.integers())
def test_every_place_comes_exactly_once(size: int, seed: int) -> None:
    assert sorted(SeededOrder(size, seed)) == list(range(size))


def test_the_first_places_come_from_everywhere() -> None:
    first = [SeededOrder(10_000_000, 5)[place] for place in range(400)]
    assert 4_000_000 < sum(first) / 400 < 6_000_000
    assert len({index // 1_000_000 for index in first}) == 10


def test_seeds_give_different_orders_and_the_same_seed_the_same() -> None:
    assert list(SeededOrder(100, 1)) == list(SeededOrder(100, 1)) != list(SeededOrder(100, 2))
    assert draw(1, "a", 2) == draw(1, "a", 2) != draw(1, "a", 3)


def test_every_order_of_three_is_about_as_frequent() -> None:
    orders = [tuple(shuffled("abc", seed)) for seed in range(3000)]
    assert all(400 < orders.count(order) < 600 for order in set(orders))
    assert len(set(orders)) == 6


@given(st.lists(st.integers(), max_size=80), st.integers())
def test_shuffling_loses_nothing(items: list[int], seed: int) -> None:
    assert sorted(shuffled(items, seed)) == sorted(items)
