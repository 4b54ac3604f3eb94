"""The batch's bookkeeping, on sequences whose scores depend on exactly the tokens they hold: any mistake shows in the answers."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import ModelError, RuntimeUnavailable
from models.language import Message, Request, Sampling, unhindered
from models.llama_cpp.batch import Batch
from models.llama_cpp.jobs import Failed, Job, Weighing, Writing, log_softmax
from models.llama_cpp.lookup import Record, guess
from models.llama_cpp.options import LEAST_BATCH
from models.llama_cpp.schedule import FEW, READINGS, Schedule
from models.llama_cpp.sequences import DecodeFailed, Feed, Layout
from models.llama_cpp.together import SHORT_ROWS, Together

SIZE = 40
END = 0
ENDS = frozenset({END})
POISON = 39
NUMBERLESS = 38


def scores(tokens: Sequence[int]) -> NDArray[np.float32]:
    if tokens[-1] == NUMBERLESS:
        return np.full(SIZE, np.nan, dtype=np.float32)
    seed = hashlib.sha256(bytes(tokens)).digest()[:8]
    drawn = np.random.default_rng(int.from_bytes(seed, "little")).normal(size=SIZE).astype(np.float32)
    drawn[[POISON, NUMBERLESS]] = -9
    return drawn


class Exact:
    """Sequences without a model: the scores after some tokens are drawn from a generator those tokens seed."""

    def __init__(self, layout: Layout, rewinds: bool = True, scores: Callable[[Sequence[int]], NDArray[np.float32]] = scores) -> None:
        assert layout.batch >= max(layout.count, LEAST_BATCH)
        self.layout = layout
        self._scores = scores
        self.outputs = max(layout.count, 32)  # fewer than there are, so that long answers come in pieces
        self.rewinds = rewinds
        self.closed = False
        self.decoded = 0
        self.most = 0
        """Tokens decoded in all, and in one step at most."""
        self.pieces = 0
        """What llama.cpp computes one after the other: sequences whose numbers follow each other share a piece, token by token."""
        self.stepped: list[dict[int, int]] = []
        """Of each step, how many tokens by sequence."""
        self._held: list[list[int]] = [[] for _ in range(layout.count)]

    def held(self, sequence: int) -> NDArray[np.int32]:
        return np.asarray(self._held[sequence], dtype=np.int32)

    def keep(self, sequence: int, count: int) -> int:
        if count < len(self._held[sequence]):
            self._held[sequence] = self._held[sequence][: count if self.rewinds else 0]
        return len(self._held[sequence])

    def share(self, source: int, target: int, count: int) -> None:
        assert self.rewinds
        self._held[target] = self._held[source][:count]

    def decode(self, feeds: Sequence[Feed]) -> NDArray[np.float32]:
        tokens = sum(len(feed.tokens) for feed in feeds)
        assert 0 < tokens <= self.layout.batch and all(len(feed.tokens) for feed in feeds)
        assert sum(feed.scored for feed in feeds) <= self.outputs
        assert sorted({feed.sequence for feed in feeds}) == [feed.sequence for feed in feeds]
        assert all(0 <= feed.scored <= len(feed.tokens) for feed in feeds)
        self.stepped.append({feed.sequence: len(feed.tokens) for feed in feeds})
        self.pieces += sum(feed.sequence - 1 not in self.stepped[-1] for feed in feeds)
        if any(POISON in feed.tokens for feed in feeds):
            self.clear()
            raise DecodeFailed("could not decode")
        rows = []
        for feed in feeds:
            held = self._held[feed.sequence]
            held += [int(token) for token in feed.tokens]
            assert len(held) <= self.layout.length
            rows += [self._scores(held[: len(held) - back]) for back in range(feed.scored - 1, -1, -1)]
        self.decoded += tokens
        self.most = max(self.most, tokens)
        return np.asarray(rows, dtype=np.float32).reshape(len(rows), SIZE)

    def clear(self) -> None:
        self._held = [[] for _ in self._held]

    def close(self) -> None:
        self.closed = True


def writing(name: str, prompt: Sequence[int], limit: int = 9, temperature: float = 0.0) -> Writing:
    request = Request(name, (Message("user", name),), None, Sampling(max_tokens=limit, temperature=temperature, seed=3))
    return Writing(request, prompt, limit, ENDS, None)


def weighing(name: str, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> Weighing:
    return Weighing(Request(name, (Message("user", name),), choices=tuple(map(str, answers))), prompt, answers, ENDS)


def alone(job: Job) -> Job:
    """The job done in the plainest way: all its tokens again for every score."""
    while not job.finish:
        if isinstance(job, Writing):
            job.take(int(job.chooser.choose(scores(job.goal), None)))
        elif isinstance(job, Weighing):
            job.look(scores(job.goal[: job.wanted + 1]))
    return job


def told(job: Job) -> tuple[Any, ...]:
    if isinstance(job, Writing):
        return (job.request.key, job.finish, job.goal[job.prompt_tokens :])
    assert isinstance(job, Weighing)
    return (job.request.key, job.finish, job._weights)


def some_jobs(seed: int, count: int = 40) -> list[Job]:
    draw = random.Random(seed)
    shared = [draw.randrange(1, 30) for _ in range(60)]
    jobs: list[Job] = []
    for number in range(count):
        prompt = [*shared[: draw.choice((0, 30, 60, 60, 60))], *(draw.randrange(1, 30) for _ in range(draw.randrange(1, 30)))]
        if draw.random() < 0.3:
            answers = [[draw.randrange(1, 4) for _ in range(draw.choice((0, 1, 2, 5, 20)))] for _ in range(draw.randrange(1, 6))]
            jobs.append(weighing(str(number), prompt, answers))
        else:
            jobs.append(writing(str(number), prompt, draw.randrange(1, 20), draw.choice((0.0, 0.0, 0.8))))
    return jobs


class Opened:
    """A Together over exact sequences, with all the sequences it ever made and the layouts it asked for."""

    def __init__(self, layout: Layout, rewinds: bool = True, cell: int = 1, room: int = 1 << 40) -> None:
        self.made: list[Exact] = []
        self.asked: list[tuple[int, int]] = []
        self._room = room
        self._rewinds = rewinds
        self.together = Together(self._start, cell, layout, lambda: pytest.fail("no grammar was asked for"))  # type: ignore[arg-type]

    def _start(self, layout: Layout) -> Exact:
        self.asked.append((layout.count, layout.length))
        if layout.count * layout.length > self._room:
            raise RuntimeUnavailable("too much")
        self.made.append(Exact(layout, self._rewinds))
        return self.made[-1]

    def run(self, jobs: Sequence[Job | None] | Iterator[Job | None]) -> list[Job]:
        return list(self.together.run(iter(jobs), unhindered))


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


def test_longer_rows_get_a_longer_context_and_shorter_ones_their_sequences_back() -> None:
    opened = Opened(Layout(8, 4096), cell=1 << 18)  # so that the memory allowed holds 4,096 tokens
    short = [writing(str(number), [1 + number % 30], 3) for number in range(20 + SHORT_ROWS)]
    long = writing("long", [1 + number % 30 for number in range(3000)], 3)
    done = opened.run([*short[:10], long, *short[10:]])
    assert len(done) == len(short) + 1 and {job.finish for job in done} <= {"stop", "length"}
    assert [(made.layout.count, made.layout.length) for made in opened.made] == [(8, 512), (1, 4096), (8, 512)]
    assert [made.closed for made in opened.made] == [True, True, False]


def test_a_machine_with_little_memory_gets_fewer_sequences() -> None:
    opened = Opened(Layout(16, 1024), room=512 * 5)
    assert len(opened.run([writing(str(number), [1 + number], 3) for number in range(20)])) == 20
    assert opened.together.layout.count == 4
    with pytest.raises(RuntimeUnavailable, match="too much"):
        Opened(Layout(16, 1024), room=10).run([writing("a", [1], 3)])


def test_a_context_is_not_made_anew_for_every_other_row() -> None:
    opened = Opened(Layout(8, 4096), cell=1 << 18)
    mixed = [writing(str(number), [1 + i % 30 for i in range(3000 if number % 5 == 0 else 9)], 2) for number in range(20)]
    assert len(opened.run(mixed)) == 20 and len(opened.made) == 1


def test_what_could_not_be_had_is_not_asked_for_again() -> None:
    opened = Opened(Layout(16, 1024), room=512 * 5)
    for _ in range(3):
        opened.run([writing(str(number), [1 + number], 3) for number in range(9)])
    assert opened.asked == [(16, 512), (8, 512), (4, 512)]


def test_a_row_too_long_for_the_memory_fails_alone() -> None:
    opened = Opened(Layout(4, 4096), room=512 * 4)
    rows = [writing(str(number), [1 + i % 30 for i in range(3000 if number in (5, 7) else 5)], 3) for number in range(12)]
    done = {job.request.key: job for job in opened.run(rows)}
    assert len(done) == 12 and {key for key, job in done.items() if job.finish == "error"} == {"5", "7"}
    assert "3003 tokens" in done["5"].error and "too much" in done["5"].error
    assert opened.together.layout.length == 512
    assert [count for count, length in opened.asked if length > 512] == [4, 2, 1]


def test_a_closed_stream_cannot_go_on() -> None:
    opened = Opened(Layout(4, 512))
    stream = opened.together.run(iter([writing(str(number), [1 + number], 9) for number in range(9)]), unhindered)
    next(stream)
    opened.together.close()
    with pytest.raises(ModelError, match="was closed"):
        next(stream)
    with pytest.raises(ModelError, match="was closed"):
        opened.run([writing("x", [1], 1)])
    assert len(opened.made) == 1 and opened.made[0].closed


def test_what_is_done_before_it_begins_takes_no_sequence() -> None:
    opened = Opened(Layout(4, 512))
    over = writing("a", [1, 2], 3)
    over.finish = "stop"
    failed = Failed(over.request, [1, 2], "no such schema")
    assert opened.run([over, failed]) == [over, failed] and not opened.made


def test_a_stream_left_behind_is_ended_by_the_next() -> None:
    opened = Opened(Layout(4, 512))
    first = opened.together.run(iter([writing(str(number), [1 + number], 9) for number in range(9)]), unhindered)
    next(first)
    (done,) = opened.run([writing("x", [5, 6], 4)])
    assert told(done) == told(alone(writing("x", [5, 6], 4)))
    with pytest.raises(Exception, match="Another stream"):
        list(first)


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
    assert steps[True] < steps[False] / 3


def test_guessing_stops_where_it_does_not_come_true() -> None:
    record = Record()
    while record.promising():
        record.count(8, 1)
        assert record.guessed < 200
    assert not record.promising()
    record = Record()
    for _ in range(100):
        assert record.promising()
        record.count(8, 6)


def test_a_guess_is_what_followed_the_latest_place_with_the_longest_match() -> None:
    assert guess([1, 2, 3, 4, 5, 9, 2, 3, 7, 7, 1, 2, 3], 3) == [4, 5, 9]
    assert guess([2, 3, 8, 2, 3, 6, 0, 2, 3], 9) == [6, 0, 2, 3]
    assert guess([1, 2, 3, 4], 3) == guess([1], 3) == guess([], 3) == []
