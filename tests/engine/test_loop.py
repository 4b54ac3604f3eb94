"""One pass over the units of a step: order, what is stored, what is enough, what may crash."""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import loop as one_pass
from engine.errors import Cancelled, StageFailed
from engine.stage import Counts, Outcome
from engine.store import items
from engine.store.database import open_reader
from engine.store.tallies import ItemState
from tests.engine.bench import Bench, accept, in_flight, names, same


def test_every_unit_goes_through_once_and_is_kept_with_its_place(bench: Bench) -> None:
    def through(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
        everything = list(pending)
        for name in reversed(everything):
            yield name, Outcome("failed" if name == "unit 3" else "accepted", "cut off" if name == "unit 3" else "", f'"{name}"')

    context = bench.context()
    counts = context.each(names(6), key=same, through=through)
    assert counts == Counts(accepted=5, failed=1) and counts.total == 6
    kept = list(context.items("accepted"))
    assert [(item.seq, item.key) for item in kept] == [(n, f"unit {n}") for n in (0, 1, 2, 4, 5)]
    assert [item.reason for item in context.items("failed")] == ["cut off"]


def test_what_is_stored_is_not_done_again(bench: Bench) -> None:
    items.store_items(bench.connection, "step", [items.Item("unit 1", 1, "accepted"), items.Item("unit 2", 2, "failed")])
    seen = []

    def through(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
        for name in pending:
            seen.append(name)
            yield name, Outcome("accepted")

    assert bench.context().each(names(5), key=same, through=through) == Counts(accepted=4, failed=1)
    assert seen == ["unit 0", "unit 3", "unit 4"]
    assert bench.context().each(names(5), key=same, through=through).total == 5 and len(seen) == 3


def test_nothing_to_do_is_no_trouble(bench: Bench) -> None:
    assert bench.context().each([], key=same, through=accept) == Counts()


def test_enough_ends_the_pulling(bench: Bench) -> None:
    drawn = []

    def source() -> Iterator[str]:
        for name in names(10_000):
            drawn.append(name)
            yield name

    counts = bench.context().each(source(), key=same, through=accept, enough=lambda accepted: accepted >= 7)
    assert counts == Counts(accepted=7)
    assert len(drawn) <= 7 + one_pass.IN_FLIGHT, "units enter lazily"


def test_enough_from_the_start_brings_nothing_through(bench: Bench) -> None:
    assert bench.context().each(names(5), key=same, through=accept, enough=lambda accepted: True) == Counts()


@pytest.mark.parametrize("gap", [1, 700])
def test_two_units_of_one_key_are_refused_however_far_apart(bench: Bench, gap: int) -> None:
    source = [*names(gap), "unit 0"]
    with pytest.raises(StageFailed, match="two units have the key 'unit 0'"):
        bench.context().each(source, key=same, through=accept)
    with pytest.raises(StageFailed, match="two units have the key 'unit 0'"):
        bench.context("again").each(source, key=same, through=accept, native=True)


def test_units_are_stored_by_number(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "COMMIT_SIZE", 10)
    monkeypatch.setattr(one_pass, "COMMIT_SECONDS", 1e9)
    reader = open_reader(bench.locations.database)
    seen = []

    def through(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
        for name in pending:
            seen.append(len(items.stored_keys(reader, "step")))
            yield name, Outcome("accepted")

    bench.context().each(names(35), key=same, through=through)
    assert seen == [number // 10 * 10 for number in range(35)]
    assert len(items.stored_keys(reader, "step")) == 35, "the last ones when it ends"


def test_units_are_stored_by_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "COMMIT_SECONDS", 0.0)
    seen = []

    def through(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
        for number, name in enumerate(pending):
            seen.append(len(items.stored_keys(bench.connection, "step")) - number)
            yield name, Outcome("accepted")

    bench.context().each(names(5), key=same, through=through)
    assert seen == [0] * 5


@pytest.mark.parametrize(("native", "most"), [(True, one_pass.IN_FLIGHT_NATIVE), (False, one_pass.IN_FLIGHT)])
def test_a_unit_is_marked_before_it_is_worked_on_and_few_are_with_native_code(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, native: bool, most: int
) -> None:
    monkeypatch.setattr(one_pass, "COMMIT_SECONDS", 0.0)
    marked = []

    def through(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
        for name in pending:
            now = in_flight(bench)
            assert name in now
            marked.append(len(now))
            yield name, Outcome("accepted")

    bench.context().each(names(600), key=same, through=through, native=native)
    assert max(marked) <= most + 1 and in_flight(bench) == []


def test_a_suspect_runs_alone_with_nothing_else_in_flight(bench: Bench) -> None:
    bench.connection.executemany("INSERT INTO suspects VALUES ('step', ?)", [("unit 3",), ("unit 4",), ("unit 9",)])
    batches: list[list[str]] = []
    marked: list[list[str]] = []

    def through(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
        batch: list[str] = []
        batches.append(batch)
        for name in pending:
            batch.append(name)
            if name in ("unit 3", "unit 4", "unit 9"):
                marked.append(in_flight(bench))
        yield from ((name, Outcome("accepted")) for name in batch)

    counts = bench.context().each(names(11), key=same, through=through, native=True)
    assert counts == Counts(accepted=11) and items.suspects(bench.connection, "step") == set()
    assert batches == [names(11)[0:3], ["unit 3"], ["unit 4"], names(11)[5:9], ["unit 9"], ["unit 10"]]
    assert marked == [["unit 3"], ["unit 4"], ["unit 9"]]


def test_no_suspect_is_tried_once_there_is_enough(bench: Bench) -> None:
    bench.connection.execute("INSERT INTO suspects VALUES ('step', 'unit 2')")
    counts = bench.context().each(names(9), key=same, through=accept, enough=lambda accepted: accepted >= 2, native=True)
    assert counts == Counts(accepted=2)


class Killed(BaseException):
    """Stands for the end of the process."""


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    """A data set, what becomes of each unit, and how often the loop over it is cut off."""
    count = draw(st.integers(0, 60))
    return {
        "states": draw(
            st.lists(st.sampled_from(["accepted", "accepted", "rejected", "failed", "skipped"]), min_size=count, max_size=count)
        ),
        "wanted": draw(st.integers(1, 12)),
        "window": draw(st.integers(1, 16)),
        "ahead": draw(st.integers(1, 9)),
        "size": draw(st.integers(1, 4)),
        "suspects": draw(st.sets(st.integers(0, 60), max_size=4)),
        "cuts": draw(st.lists(st.tuples(st.integers(0, 15), st.sampled_from(["cancel", "kill"])), max_size=6)),
        "shuffle": draw(st.integers(0, 2**32)),
    }


HOLE = {
    "states": ["accepted"] * 12,
    "wanted": 3,
    "window": 6,
    "ahead": 9,
    "size": 1,
    "suspects": set(),
    "cuts": [(4, "kill")],
    "shuffle": 5,
}
"""Enough are accepted and stored when it is cut off, but not the first ones."""


@settings(max_examples=200, deadline=None)
@example(history=HOLE)
@given(history=histories())
def test_the_first_n_accepted_are_the_same_however_often_it_was_cut_off(shared: Bench, history: dict[str, Any]) -> None:
    states: list[ItemState] = history["states"]
    step = os.urandom(8).hex()
    order = random.Random(history["shuffle"])
    handed: Counter[str] = Counter()
    shared.connection.executemany("INSERT INTO suspects VALUES (?, ?)", [(step, f"u{number}") for number in history["suspects"]])

    def through(left: int, kind: str) -> Any:
        """Holds a window of units, ends them in any order; after `left` of them comes the cut."""

        def work(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
            nonlocal left
            window: list[str] = []
            for name in pending:
                handed[name] += 1
                window.append(name)
                if len(window) < history["window"]:
                    continue
                yield from ended(window, 1)
            yield from ended(window, len(window))

        def ended(window: list[str], count: int) -> Iterator[tuple[str, Outcome]]:
            nonlocal left
            for _ in range(count):
                if left == 0:
                    if kind == "kill":  # nothing more can be stored
                        shared.connection.execute("PRAGMA query_only = ON")
                    raise Cancelled("cut off")
                left -= 1
                name = window.pop(order.randrange(len(window)))
                yield name, Outcome(states[int(name[1:])], "", name)

        return work

    def loop(left: int, kind: str) -> None:
        units = (f"u{number}" for number in range(len(states)))
        shared.context(step).each(units, key=same, through=through(left, kind), enough=lambda accepted: accepted >= history["wanted"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_pass, "COMMIT_SIZE", history["size"])
        patch.setattr(one_pass, "COMMIT_SECONDS", 1e9)
        patch.setattr(one_pass, "IN_FLIGHT", history["ahead"])
        for left, kind in history["cuts"]:
            before = set(items.stored_keys(shared.connection, step))
            handed.clear()
            try:
                loop(left, kind)
            except (Cancelled, sqlite3.OperationalError):
                pass
            finally:
                shared.connection.execute("PRAGMA query_only = OFF")
            assert not before & set(handed), "what is stored is not done again"
            assert before <= set(items.stored_keys(shared.connection, step))
        handed.clear()
        loop(-1, "")
    accepted = [f"u{number}" for number, state in enumerate(states) if state == "accepted"][: history["wanted"]]
    assert [item.key for item in items.items_in_order(shared.connection, step, "accepted", history["wanted"])] == accepted
    last = int(accepted[-1][1:]) if len(accepted) == history["wanted"] else len(states) - 1
    stored = items.stored_keys(shared.connection, step)
    assert all(stored[f"u{number}"] == states[number] for number in range(last + 1)), "no unit before the last one is missing"
    assert max(handed.values(), default=0) <= 1
