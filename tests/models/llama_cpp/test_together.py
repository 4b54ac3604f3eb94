"""Streams of jobs and the contexts made for them, on exact sequences."""

from __future__ import annotations

import pytest

from models.errors import ModelError, RuntimeUnavailable
from models.language import unhindered
from models.llama_cpp.jobs import Failed
from models.llama_cpp.sequences import Layout
from models.llama_cpp.together import SHORT_ROWS
from tests.models.llama_cpp.exact import (
    Opened,
    alone,
    told,
    writing,
)


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
