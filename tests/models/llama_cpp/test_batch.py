"""The batch's bookkeeping, on exact sequences."""

from __future__ import annotations

import json
import random

import pytest

from models.llama_cpp.batch import Batch
from models.llama_cpp.jobs import Weighing, log_softmax
from models.llama_cpp.schedule import FEW, READINGS, Schedule
from models.llama_cpp.sequences import Layout
from tests.models.llama_cpp.exact import (
    END,
    NUMBERLESS,
    POISON,
    Exact,
    Opened,
    alone,
    scores,
    some_jobs,
    told,
    weighing,
    writing,
)


@pytest.mark.parametrize("unified", [False, True])
@pytest.mark.parametrize("rewinds", [True, False])
@pytest.mark.parametrize(("count", "batch"), [(1, 512), (5, 64), (16, 512), (16, 16)])
def test_many_at_once_give_what_each_gives_alone(unified: bool, rewinds: bool, count: int, batch: int) -> None:
    opened = Opened(Layout(count, 1024, unified, batch=batch), rewinds)
    for seed in range(3):
        done = opened.run(some_jobs(seed))
        assert sorted(map(told, done)) == sorted(told(alone(job)) for job in some_jobs(seed))
        assert {job.finish for job in done} == {"stop", "length"}


def test_a_common_beginning_is_decoded_once() -> None:
    shared = [1 + number % 29 for number in range(300)]
    opened = Opened(Layout(8, 1024))
    opened.run([writing(str(number), [*shared, *(1 + number + i for i in range(5))], 1) for number in range(20)])
    assert opened.made[0].decoded == 300 + 20 * 5
    unrelated = Opened(Layout(8, 1024))
    unrelated.run([writing(str(number), [1 + (number * 7 + i * i) % 37 for i in range(300)], 1) for number in range(20)])
    assert unrelated.made[0].decoded > 20 * 290


def test_rows_join_as_others_end() -> None:
    """Ten times as many rows of uneven length as sequences: were they waited for, steps would run half empty."""
    opened = Opened(Layout(4, 512))
    draw = random.Random(1)
    opened.run([writing(str(number), [1 + number % 30, 1 + number // 30], draw.choice((1, 30)), 0.9) for number in range(40)])
    steps = opened.together.steps
    assert steps and steps.sequences / steps.number > 3


def test_a_failed_step_fails_only_the_job_at_fault() -> None:
    jobs = [writing(str(number), [1, 2, 3 + number], 6) for number in range(12)]
    jobs[5] = writing("5", [1, 2, POISON, 4], 6)
    done = {job.request.key: job for job in Opened(Layout(4, 512)).run(jobs)}
    assert done["5"].finish == "error" and "could not decode" in done["5"].error
    for number in set(range(12)) - {5}:
        assert told(done[str(number)]) == told(alone(writing(str(number), [1, 2, 3 + number], 6)))


def test_scores_that_are_no_numbers_fail_their_row_alone() -> None:
    jobs = [writing("a", [1, 2]), writing("b", [1, NUMBERLESS]), weighing("c", [1, NUMBERLESS], [[1]]), weighing("d", [1, 2], [[1]])]
    done = {job.request.key: job for job in Opened(Layout(4, 512)).run(jobs)}
    assert [done[key].finish for key in "abcd"] == [
        "stop" if told(alone(writing("a", [1, 2])))[1] == "stop" else "length",
        "error",
        "error",
        "stop",
    ]
    assert "usable score" in done["b"].error and "not numbers" in done["c"].error


def test_numbers_gone_wrong_do_not_stay_in_the_cache() -> None:
    batch = Batch(exact := Exact(Layout(4, 512)), lambda: pytest.fail("no grammar"))  # type: ignore[arg-type]
    bad, good = writing("bad", [1, NUMBERLESS]), writing("good", [1, 2, 3, 4], 20)
    for job in (good, bad):
        batch.add(job)
    while bad not in batch.step():
        pass
    assert all(len(exact.held(sequence)) == 0 for sequence in range(4))
    while batch.busy:
        batch.step()
    batch.close()
    assert told(good) == told(alone(writing("good", [1, 2, 3, 4], 20)))


def test_rows_sit_side_by_side() -> None:
    """Each hole between sequences at work makes a step of two pieces, one after the other."""
    exact = Exact(Layout(12, 512))
    batch = Batch(exact, lambda: pytest.fail("no grammar"), lookup=False)  # type: ignore[arg-type]
    jobs = [writing(str(number), [1 + number % 30, 1 + number // 30], limit) for number, limit in enumerate([30, 2, 30, 2, 2, 30])]
    for job in jobs:
        batch.add(job)
    for _ in range(4):
        batch.step()
    late = [writing(str(number), [1 + number, 7], 3) for number in range(6, 10)]
    for job in late:
        batch.add(job)
    batch.step()
    assert [*exact.stepped[-1]] == list(range(min(exact.stepped[-1]), max(exact.stepped[-1]) + 1))
    batch.close()


def test_those_that_read_together_sit_side_by_side() -> None:
    exact = Exact(Layout(16, 512, batch=128))
    batch = Batch(exact, lambda: pytest.fail("no grammar"))  # type: ignore[arg-type]
    draw = random.Random(2)
    for number in range(16):
        batch.add(writing(str(number), [1 + number, *(draw.randrange(1, 30) for _ in range(draw.randrange(20, 30)))], 3))
    batch.step()
    assert len(exact.stepped[0]) >= 4 and exact.pieces == 1
    batch.close()


def test_reading_for_long_does_not_keep_others_from_writing() -> None:
    exact = Exact(Layout(4, 1024, batch=32))
    prompt = [1 + i % 30 for i in range(900)]
    jobs = {0: writing("w", [1, 2], 40), 1: weighing("a", prompt, [[1]]), 2: weighing("b", prompt, [[1]])}
    schedule = Schedule(exact, lookup=False)  # type: ignore[arg-type]
    kinds = []
    for _ in range(4 * READINGS):
        feeds = schedule.feeds(jobs)
        kinds.append(max(len(feed.tokens) for feed in feeds) >= FEW)
        for feed in feeds:
            exact._held[feed.sequence] = []
        assert kinds[-1] or 0 in [feed.sequence for feed in feeds]
    assert kinds.count(False) == 3 and any(kinds)


def test_time_is_shared_out_so_that_it_adds_up() -> None:
    batch = Batch(Exact(Layout(4, 512)), lambda: pytest.fail("no grammar"))  # type: ignore[arg-type]
    jobs = [writing(str(number), [1, 2 + number], 5) for number in range(4)]
    for job in jobs:
        batch.add(job)
    while batch.busy:
        batch.step()
    batch.close()
    steps = batch.steps
    assert sum(job.seconds for job in jobs) == pytest.approx(steps.decode + steps.masks + steps.choice, rel=1e-6)


def test_an_answer_is_weighed_by_its_tokens_and_its_end() -> None:
    prompt, answer = [4, 5], [7, 8, 9]
    (done,) = Opened(Layout(2, 512)).run([weighing("k", prompt, [answer, []])])
    expected = sum(log_softmax(scores([*prompt, *answer[:i]]))[token] for i, token in enumerate([*answer, END]))
    assert isinstance(done, Weighing)
    assert done._weights == pytest.approx([expected, log_softmax(scores(prompt))[END]])
    assert json.loads(json.dumps(done._weights)) == done._weights
