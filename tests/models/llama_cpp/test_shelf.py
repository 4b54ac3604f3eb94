"""Beginnings of requests that come by turns, on exact sequences."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator

import pytest

from models.language import unhindered
from models.llama_cpp.batch import Batch
from models.llama_cpp.jobs import Job
from models.llama_cpp.sequences import Layout
from models.llama_cpp.shelf import SHELVES, shelves
from models.llama_cpp.together import Together
from tests.models.llama_cpp.exact import Exact, Opened, alone, told, writing

WRITE = [1 + number % 29 for number in range(300)]
CHECK = [8 + number % 22 for number in range(200)]


def by_turns() -> Iterator[Job]:
    """Requests that write much, and now and then one that checks and writes little."""
    draw = random.Random(4)
    for count in range(60):
        own = [draw.randrange(1, 30) for _ in range(5)]
        yield writing(f"w{count}", [*WRITE, *own], 12, 0.8)
        if count % 3 == 0:
            yield writing(f"c{count}", [*CHECK, *own], 1)


def run(exact: Exact, jobs: Iterable[Job], at_once: int = 0) -> list[Job]:
    """Bring all jobs to their end, at most so many at once; 0: as many as there are sequences."""
    batch = Batch(exact, lambda: pytest.fail("no grammar"))  # type: ignore[arg-type]
    waiting, done = deque(jobs), []
    at_once = at_once or exact.layout.count
    while waiting or batch.busy:
        while waiting and exact.layout.count - batch.free < at_once and not batch.worth_waiting(waiting[0]):
            batch.add(waiting.popleft())
        done += batch.step()
    batch.close()
    return done


def test_a_beginning_that_comes_back_is_read_a_few_times_and_not_each_time() -> None:
    without, with_two = Exact(Layout(4, 512)), Exact(Layout(4, 512, shelves=2))
    expected = sorted(told(alone(job)) for job in by_turns())
    assert sorted(map(told, run(without, by_turns()))) == expected == sorted(map(told, run(with_two, by_turns())))
    assert without.decoded - with_two.decoded > 10 * len(CHECK)
    read = [
        sum(len(CHECK) < tokens <= len(CHECK) + 5 for step in exact.stepped for tokens in step.values()) for exact in (without, with_two)
    ]
    assert read[0] > 10 and read[1] <= 4, "it was read more often than it takes to see that it comes back"


def test_kinds_that_are_at_work_push_none_out_that_comes_now_and_then() -> None:
    """As when examples are written: what is shown changes from wave to wave, and each has an answer checked."""
    draw = random.Random(5)

    def jobs() -> Iterator[Job]:
        for wave in range(12):
            shown = [[1 + (number * (wave + 3) + kind) % 29 for number in range(150)] for kind in (0, 7)]
            for number in range(12):
                own = [draw.randrange(1, 30) for _ in range(5)]
                yield writing(f"w{wave} {number}", [*WRITE[:100], *shown[number % 2], *own], 12, 0.8)
            yield writing(f"c{wave}", [*CHECK, *own], 1)

    exact = Exact(Layout(4, 512, shelves=2))
    run(exact, jobs())
    read = sum(len(CHECK) < tokens <= len(CHECK) + 5 for step in exact.stepped for tokens in step.values())
    assert read <= 4


def test_what_two_requests_about_one_row_have_in_common_is_not_kept() -> None:
    draw = random.Random(1)
    rows = [[*CHECK, *(draw.randrange(1, 30) for _ in range(60))] for _ in range(12)]
    exact = Exact(Layout(2, 512, shelves=1))
    jobs = []
    for number, row in enumerate(rows):
        jobs += [writing(f"{number} {last}", [*row, last], 1) for last in (1, 2)]
        jobs += [writing(f"{number} other {kind}", [draw.randrange(1, 30) for _ in range(90)], 1) for kind in (1, 2)]
    run(exact, jobs, at_once=1)
    assert list(exact.held(2)) == CHECK


def test_the_beginning_that_was_of_use_longest_ago_makes_room() -> None:
    kinds = {name: [start + number % 7 for number in range(80)] for name, start in (("a", 1), ("b", 9), ("c", 17))}
    exact = Exact(Layout(1, 512, shelves=2))
    run(exact, [writing(str(number), [*kinds[name], 30 - number], 1) for number, name in enumerate("abababcacaca")])
    assert sorted(list(exact.held(place))[:80] for place in (1, 2)) == [kinds["a"], kinds["c"]]


def test_models_that_cannot_share_keep_none() -> None:
    exact = Exact(Layout(4, 512, shelves=2), rewinds=False)
    assert sorted(map(told, run(exact, by_turns()))) == sorted(told(alone(job)) for job in by_turns())
    assert not len(exact.held(4)) and not len(exact.held(5))


@pytest.mark.parametrize(("wanted", "most", "expected"), [(64, 8, 0), (64, 16, 2), (64, 36, 4), (4, 100, SHELVES), (8, 9, 1), (1, 0, 0)])
def test_shelves_are_taken_from_what_is_over_or_from_many(wanted: int, most: int, expected: int) -> None:
    assert shelves(wanted, most) == expected


def test_a_context_has_shelves_beyond_the_sequences_at_work_as_far_as_memory_goes() -> None:
    opened = Opened(Layout(64, 4096), cell=(1 << 30) // (512 * 20))  # the memory allowed holds 20 sequences of 512 tokens
    opened.run(by_turns())
    (made,) = opened.made
    assert (made.layout.count, made.layout.shelves) == (17, 3) and made.layout.total == 20


def test_a_batch_holds_a_token_of_each_shelf_too() -> None:
    """llama.cpp ends the process where a context has more sequences than outputs."""
    assert Layout(1, 1, batch=16).of(16, 64, 4).batch == 20
    layout = Layout(1, 1, batch=64).of(252, 64, 4)
    assert layout.total == 256 == layout.batch and Exact(layout).outputs == 256


def test_where_memory_was_refused_none_goes_to_shelves() -> None:
    for room in (1, 5, 17):
        opened = Opened(Layout(16, 512), room=512 * room)
        assert len(opened.run(by_turns())) == 80
        made = opened.made[-1].layout
        assert (made.count, made.shelves) == ({1: 1, 5: 4, 17: 8}[room], 0)


def test_models_whose_sequences_cannot_share_get_no_shelves() -> None:
    made: list[Layout] = []

    def start(layout: Layout) -> Exact:
        made.append(layout)
        return Exact(layout, rewinds=False)

    together = Together(start, 1, Layout(4, 512), lambda: pytest.fail("no grammar"), keeps=False)  # type: ignore[arg-type]
    list(together.run(iter(by_turns()), unhindered))
    assert [layout.total for layout in made] == [4]
