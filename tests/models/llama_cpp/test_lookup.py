"""Guesses ahead: what they save, and what they never change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.language import Message, Request
from models.llama_cpp.batch import Batch
from models.llama_cpp.jobs import Writing
from models.llama_cpp.lookup import AGAIN, TRIALS, Record, guess
from models.llama_cpp.sequences import Feed, Layout
from tests.models.llama_cpp.exact import (
    END,
    ENDS,
    SIZE,
    Exact,
    told,
    writing,
)


def reciting(tokens: Sequence[int]) -> NDArray[np.float32]:
    """A model that counts on: after 7 comes 8, after 30 comes 1, and after some of them it is done."""
    found: NDArray[np.float32] = np.zeros(SIZE, dtype=np.float32)
    found[END if len(tokens) > 90 else 1 + tokens[-1] % 30] = 5
    return found


@pytest.mark.parametrize("unified", [False, True])
def test_what_an_answer_copies_is_written_in_fewer_steps(unified: bool) -> None:
    steps: dict[bool, int] = {}
    answers: dict[bool, list[Any]] = {}
    for lookup in (False, True):
        batch = Batch(Exact(Layout(2, 512, unified), scores=reciting), lambda: pytest.fail("no grammar"), lookup)  # type: ignore[arg-type]
        jobs = [writing(str(number), [1 + (number * 3 + i) % 30 for i in range(40)], 60) for number in range(2)]
        for job in jobs:
            batch.add(job)
        while batch.busy:
            batch.step()
        batch.close()
        steps[lookup], answers[lookup] = batch.steps.number, [told(job) for job in jobs]
    assert answers[True] == answers[False] and len(answers[True][0][2]) == 51
    assert steps[True] < steps[False] / 2


class Forcing:
    """A grammar in which 20 follows 8."""

    def __init__(self) -> None:
        self._last = 0

    def accept(self, token: int) -> None:
        self._last = token

    def forced(self, limit: int) -> list[int]:
        return [20][:limit] if self._last == 8 else []

    def finished(self) -> bool:
        return False

    def check(self) -> None:
        pass


def test_a_right_guess_counts_though_the_grammar_goes_on_otherwise() -> None:
    exact = Exact(Layout(1, 512), scores=reciting)
    batch = Batch(exact, lambda: pytest.fail("no mask was needed"))  # type: ignore[arg-type]
    job = Writing(Request("k", (Message("user", "hi"),)), [6, 7], 9, ENDS, Forcing())  # type: ignore[arg-type]
    batch.add(job)
    batch._schedule.guesses[0] = [8, 9]
    feed = Feed(0, [6, 7, 8, 9], 3)
    batch._check(feed, job, exact.decode([feed]), None)
    record = batch._schedule.record
    assert job.goal == [6, 7, 8, 20] and record and (record.guessed, record.right) == (2, 1)
    assert exact.held(0).tolist() == [6, 7, 8]
    batch.close()


def steps(record: Record, number: int, guessing_takes: float, written: int, under_way: int = 1) -> int:
    """Of so many steps, how many guessed; a plain step takes a second and writes a token for each under way."""
    guessed = 0
    for _ in range(number):
        if guessing := record.promising(under_way):
            guessed += 1
        record.time(under_way, guessing, guessing_takes if guessing else 1.0, written if guessing else under_way)
    return guessed


def test_guessing_goes_on_where_it_writes_faster_and_ends_where_its_steps_cost_what_they_save() -> None:
    assert steps(Record(), 100, 1.5, 3) == 100 - TRIALS
    assert steps(Record(), 100, 3.1, 3) == TRIALS
    assert steps(Record(), 100, 3.0, 3) == TRIALS, "no faster is not worth it"


def test_guessing_is_tried_again_after_a_while() -> None:
    assert steps(Record(), AGAIN + 5 * TRIALS, 3.1, 3) == 2 * TRIALS


def test_with_more_under_way_it_is_found_out_anew() -> None:
    record = Record()
    assert steps(record, 50, 1.5, 3, under_way=1) == 50 - TRIALS
    assert steps(record, 50, 4.0, 6, under_way=4) == TRIALS
    assert steps(record, 50, 1.5, 3, under_way=1) == 50


def test_what_was_long_ago_counts_less() -> None:
    record = Record()
    steps(record, 300, 1.5, 3)
    assert steps(record, 300, 4.0, 3) < 150


def test_a_guess_is_what_followed_the_latest_place_with_the_longest_match() -> None:
    assert guess([1, 2, 3, 4, 5, 9, 2, 3, 7, 7, 1, 2, 3], 3) == [4, 5, 9]
    assert guess([2, 3, 8, 2, 3, 6, 0, 2, 3], 9) == [6, 0, 2, 3]
    assert guess([1, 2, 3, 4], 3) == guess([1], 3) == guess([], 3) == []
