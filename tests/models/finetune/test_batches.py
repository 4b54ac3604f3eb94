from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from models.finetune.batches import order


@given(st.lists(st.integers(1, 500), max_size=400), st.integers(1, 16), st.integers(0, 1 << 31), st.integers(0, 9))
def test_every_example_comes_once_and_always_in_the_same_order(lengths: list[int], batch: int, seed: int, epoch: int) -> None:
    drawn = order(lengths, batch, seed, epoch)
    assert sorted(drawn) == list(range(len(lengths)))
    assert drawn == order(lengths, batch, seed, epoch)


def test_epochs_and_seeds_differ_and_batches_hold_like_lengths() -> None:
    lengths = [random.Random(n).randint(10, 500) for n in range(320)]
    drawn = order(lengths, 8, 0, 0)
    assert drawn != order(lengths, 8, 0, 1) and drawn != order(lengths, 8, 1, 0)

    def padded(indices: list[int]) -> int:
        return sum(8 * max(lengths[i] for i in indices[at : at + 8]) for at in range(0, len(indices), 8))

    assert padded(drawn) < 1.15 * sum(lengths) < 1.3 * sum(lengths) < padded(list(range(320)))
    longest_first = sorted(range(0, 320, 8), key=lambda at: -lengths[drawn[at]])
    assert longest_first != list(range(0, 320, 8)), "batches come in random order, not by length"


def test_the_batch_that_is_not_full_comes_last() -> None:
    lengths = list(range(1, 22))
    drawn = order(lengths, 4, 5, 0)
    assert all(max(drawn[at : at + 4]) - min(drawn[at : at + 4]) == 3 for at in range(0, 20, 4)), "neighbours by length"
