"""One step from claim to record, and what every stage leaves to its context: looping, asking, stopping, going on."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import context as stepping
from engine import loop as one_pass
from engine import session as sessions
from engine.errors import BadInput, Busy, Cancelled, StageFailed, StoreUnusable, Unavailable
from engine.runner import run_step
from engine.session import BudgetSpent, Pulse
from engine.stage import Context, Counts, Outcome
from engine.store import events, items, runs, steps
from engine.store.database import open_reader
from engine.store.lease import Owner
from models.errors import RuntimeUnavailable, WeightsInvalid
from models.language import Completion, Message, Request, Sampling
from tests.end_to_end.workbench import wait_until
from tests.engine.bench import Bench, CountingModel, Given, Made, Options, stage_of


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def accept(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
    for name in pending:
        yield name, Outcome("accepted", "", f'"{name}"')


def names(count: int) -> list[str]:
    return [f"unit {number}" for number in range(count)]


def same(name: str) -> str:
    return name


def in_flight(bench: Bench, step: str = "step") -> list[str]:
    return [row[0] for row in bench.connection.execute("SELECT key FROM in_flight WHERE step = ?", (step,))]


# ── each ──────────────────────────────────────────────────────────────────────────────────────────────────


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


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("histories"))


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
    states: list[items.ItemState] = history["states"]
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


# ── complete ──────────────────────────────────────────────────────────────────────────────────────────────


def request(prompt: str, key: str = "", seed: int = 0) -> Request:
    return Request(key or prompt, (Message("user", prompt),), None, Sampling(seed=seed))


def counting(bench: Bench) -> CountingModel:
    assert isinstance(bench.model, CountingModel)
    return bench.model


def test_an_answer_is_stored_and_never_asked_for_again(bench: Bench) -> None:
    first = list(bench.context("one").complete("execute", [request("a", "1"), request("b", "2")]))
    again = list(bench.context("two").complete("execute", [request("b", "x"), request("a", "y"), request("c", "z")]))
    assert [(c.key, c.text) for c in first] == [("1", "A"), ("2", "B")]
    assert sorted((c.key, c.text) for c in again) == [("x", "B"), ("y", "A"), ("z", "C")]
    assert counting(bench).asked == ["a", "b", "c"]
    assert items.calls_of_step(bench.connection, "one").calls == 2 and items.calls_of_step(bench.connection, "two").calls == 3


def test_another_seed_is_another_call(bench: Bench) -> None:
    list(bench.context().complete("execute", [request("a", "1", seed=0), request("a", "2", seed=1)]))
    assert counting(bench).asked == ["a", "a"]


def test_the_same_question_twice_in_flight_is_asked_once_and_answers_both(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CountingModel(batch=8))
    answers = list(bench.context().complete("execute", [request("a", "1"), request("b", "2"), request("a", "3"), request("a", "4")]))
    assert sorted((c.key, c.text) for c in answers) == [("1", "A"), ("2", "B"), ("3", "A"), ("4", "A")]
    assert counting(bench).asked == ["a", "b"]


def test_a_failed_call_is_not_stored(tmp_path: Path) -> None:
    model = CountingModel(batch=4, errors=["a"])
    bench = Bench(tmp_path, model)
    answers = list(bench.context().complete("execute", [request("a", "1"), request("a", "2"), request("b", "3")]))
    assert sorted((c.key, c.finish) for c in answers) == [("1", "error"), ("2", "error"), ("3", "stop")]
    model.errors.clear()
    (now,) = bench.context().complete("execute", [request("a", "1")])
    assert now.text == "A" and model.asked == ["a", "b", "a"]


@settings(max_examples=60, deadline=None)
@given(
    prompts=st.lists(st.integers(0, 12), max_size=40),
    known=st.sets(st.integers(0, 12)),
    batch=st.integers(1, 6),
    ahead=st.integers(1, 4),
)
def test_every_request_gets_its_own_answer_whatever_was_known_before(
    shared: Bench, prompts: list[int], known: set[int], batch: int, ahead: int
) -> None:
    mark = os.urandom(6).hex()
    model = CountingModel(batch)
    shared.session.roles.only = model  # type: ignore[attr-defined]
    list(shared.context().complete("execute", [request(f"{mark} {number}") for number in sorted(known)]))
    model.asked.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepping, "KNOWN_AT_ONCE", ahead)
        wanted = [request(f"{mark} {number}", f"key {place}") for place, number in enumerate(prompts)]
        answers = list(shared.context().complete("execute", iter(wanted)))
    assert {c.key: c.text for c in answers} == {f"key {place}": f"{mark} {number}".upper() for place, number in enumerate(prompts)}
    assert len(answers) == len(prompts)
    assert Counter(model.asked) == Counter({f"{mark} {number}": 1 for number in set(prompts) - known})


def test_a_cancel_takes_effect_between_calls_and_the_answer_that_came_is_kept(bench: Bench) -> None:
    answers = []
    with pytest.raises(Cancelled):
        for completion in bench.context().complete("execute", [request("a"), request("b"), request("c")]):
            answers.append(completion.text)
            runs.send_command(bench.connection, bench.run, "cancel")
    assert answers == ["A"] and counting(bench).asked == ["a"]
    list(bench.context().complete("execute", [request("a")]))
    assert counting(bench).asked == ["a"]


def test_a_role_the_stage_does_not_declare_is_refused(bench: Bench) -> None:
    with pytest.raises(StageFailed, match="role plan"):
        list(bench.context().complete("plan", [request("a")]))


@pytest.mark.parametrize(
    ("error", "expected"), [(RuntimeUnavailable("it died", "reinstall"), Unavailable), (WeightsInvalid("cut"), BadInput)]
)
def test_a_model_that_cannot_go_on_ends_the_step_in_the_engines_words(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    def die(requests: Iterator[Request]) -> Iterator[Completion]:
        raise error
        yield

    monkeypatch.setattr(bench.model, "complete_many", die)
    with pytest.raises(expected, match="role execute"):
        bench.step(lambda given, options, ctx: list(ctx.complete("execute", [request("a")])))


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────


def looping(count: int = 30, wanted: int = 1000) -> Any:
    def work(given: Given, options: Options, ctx: Context) -> Made:
        return Made(ctx.each(names(count), key=same, through=accept, enough=lambda accepted: accepted >= wanted).total)

    return work


def state(bench: Bench) -> tuple[str, str]:
    found = steps.steps_of_run(bench.connection, bench.run)[-1]
    return found.state, found.reason


def test_a_step_that_is_done_is_taken_as_it_is_by_any_run(bench: Bench) -> None:
    fingerprint, made = bench.step(looping())
    assert made == Made(30) and state(bench) == ("done", "")

    def never(given: Given, options: Options, ctx: Context) -> Made:
        raise AssertionError("it was done before")

    bench.session.run = runs.create_run(bench.connection, runs.list_runs(bench.connection)[0].task, runs.RunSettings())
    assert bench.step(never) == (fingerprint, Made(30))
    (step,) = steps.steps_of_run(bench.connection, bench.session.run)
    assert step.reused and step.fingerprint == fingerprint


def test_other_input_another_seed_or_version_is_another_step(bench: Bench) -> None:
    prints = {
        bench.step(looping())[0],
        bench.step(looping(), Given("other"))[0],
        bench.step(looping(), seed=1)[0],
        run_step(bench.session, stage_of(looping()), Given(), Options(size=2))[0],
        run_step(bench.session, stage_of(looping(), version=2), Given(), Options())[0],
        run_step(bench.session, stage_of(looping(), name="other"), Given(), Options())[0],
    }
    assert len(prints) == 6


def test_an_error_of_ours_fails_the_step_with_its_title_and_a_second_try_may_do_better(bench: Bench) -> None:
    def refuse(given: Given, options: Options, ctx: Context) -> Made:
        ctx.each(names(3), key=same, through=accept)
        raise BadInput("no such column", "name another")

    with pytest.raises(BadInput):
        bench.step(refuse)
    assert state(bench) == ("failed", "no such column")
    told = [event for event in events.events_after(bench.connection, bench.run, 0) if event.kind == "step-failed"]
    assert told[0].data == {"hint": "name another"}
    fingerprint, made = bench.step(looping(5))
    assert made == Made(5) and state(bench) == ("done", "") and len(items.stored_keys(bench.connection, fingerprint)) == 5


def test_a_mistake_of_ours_fails_the_step_with_its_kind(bench: Bench) -> None:
    def slip(given: Given, options: Options, ctx: Context) -> Made:
        raise KeyError("slip")

    with pytest.raises(KeyError):
        bench.step(slip)
    assert state(bench) == ("failed", "KeyError: 'slip'")


def cut_after(bench: Bench, count: int, cut: Any) -> Any:
    def work(given: Given, options: Options, ctx: Context) -> Made:
        def through(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
            for number, result in enumerate(accept(pending), 1):
                if number == count:
                    cut()
                yield result

        return Made(ctx.each(names(30), key=same, through=through).total)

    return work


def test_a_cancel_interrupts_the_step_and_what_was_made_stays(bench: Bench) -> None:
    with pytest.raises(Cancelled, match="cancelled"):
        bench.step(cut_after(bench, 4, lambda: runs.send_command(bench.connection, bench.run, "cancel")))
    assert state(bench) == ("interrupted", "cancelled")
    (step,) = steps.steps_of_run(bench.connection, bench.run)
    assert list(items.stored_keys(bench.connection, step.fingerprint)) == sorted(names(4))
    assert in_flight(bench, step.fingerprint) == []
    assert bench.step(looping())[1] == Made(30)


def test_a_spent_budget_stops_the_step_with_what_it_has_and_the_record_counts_it(bench: Bench) -> None:
    def spend() -> None:
        bench.session.deadline = time.monotonic() - 1

    fingerprint, made = bench.step(cut_after(bench, 4, spend))
    assert made == Made(4) and bench.session.spent and bench.session.budget_ended
    stopped, reason = state(bench)
    assert stopped == "stopped" and "budget" in reason
    bench.session = bench.another_session()
    assert bench.step(looping()) == (fingerprint, Made(30)), "a stopped step goes on when there is time again"


def test_a_budget_spent_outside_a_loop_stops_the_step_without_a_record(bench: Bench) -> None:
    def work(given: Given, options: Options, ctx: Context) -> Made:
        bench.session.deadline = time.monotonic() - 1
        ctx.progress(1, 2, "units")
        return Made()

    with pytest.raises(BudgetSpent):
        bench.step(work)
    assert state(bench)[0] == "stopped" and steps.steps_of_run(bench.connection, bench.run)[0].record == ""


@pytest.mark.parametrize("change", [{"terminated": True}, {"parent": 1 << 22}])
def test_an_engine_told_to_end_or_left_by_its_watcher_stops(bench: Bench, change: dict[str, Any]) -> None:
    def end() -> None:
        for name, value in change.items():
            setattr(bench.session, name, value)

    with pytest.raises(Cancelled, match="from outside"):
        bench.step(cut_after(bench, 2, end))
    assert state(bench)[0] == "interrupted"


def test_a_step_another_live_process_is_at_is_refused_with_its_number(bench: Bench) -> None:
    fingerprint, _ = bench.step(looping(2))
    parent = psutil.Process().parent()
    assert parent
    steps.finish_step(bench.connection, fingerprint, "interrupted", "", "", 0)
    theirs = Owner(parent.pid, parent.create_time())
    assert steps.claim_step(bench.connection, fingerprint, "count", "", 1, "{}", 0, theirs) is None
    with pytest.raises(Busy, match=str(parent.pid)):
        bench.step(looping(2))
    found = steps.read_step(bench.connection, fingerprint)
    assert found and found.state == "running"


def test_marks_a_killed_engine_left_are_gone_when_another_takes_the_step(bench: Bench) -> None:
    fingerprint, _ = bench.step(looping(2))
    steps.finish_step(bench.connection, fingerprint, "interrupted", "", "", 0)
    items.mark_in_flight(bench.connection, fingerprint, ["unit 0"])
    seen = []

    def work(given: Given, options: Options, ctx: Context) -> Made:
        seen.append(in_flight(bench, fingerprint))
        return Made()

    bench.step(work)
    assert seen == [[]]


def test_a_database_that_cannot_be_written_is_told_as_that(bench: Bench) -> None:
    with pytest.raises(StoreUnusable) as told:
        bench.step(cut_after(bench, 2, lambda: bench.connection.execute("PRAGMA query_only = ON")))
    assert str(bench.locations.database) in told.value.title


# ── telling ───────────────────────────────────────────────────────────────────────────────────────────────


def test_progress_counts_examples_or_all_units(bench: Bench) -> None:
    def half(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
        for number, name in enumerate(pending):
            yield name, Outcome("accepted" if number % 2 else "skipped")

    bench.context("one").each(names(10), key=same, through=half, total=5, unit="examples")
    told = events.read_progress(bench.connection, bench.run)
    assert told and (told.done, told.total, told.unit, told.stage) == (5, 5, "examples", "count")
    bench.context("two").each(names(10), key=same, through=half, total=10)
    told = events.read_progress(bench.connection, bench.run)
    assert told and (told.done, told.total, told.unit) == (10, 10, "units")


def test_the_rate_counts_only_what_this_engine_did(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100, 10_000))
    monkeypatch.setattr("engine.context.time.monotonic", lambda: float(next(clock)))
    context = bench.context()
    context.progress(1000, 2000, "units")
    context.progress(1010, 2000, "units")
    told = events.read_progress(bench.connection, bench.run)
    assert told and 0 < told.rate <= 10


def test_the_cost_is_told_in_calls_and_in_time_once_the_rate_is_known(bench: Bench) -> None:
    context = bench.context()
    context.expect_calls("execute", 100, 5000, 1000)
    list(context.complete("execute", [request("a" * size) for size in (5, 50, 90)]))
    context.expect_calls("execute", 100, 5000, 1000)
    before, after = (event for event in events.events_after(bench.connection, bench.run, 0) if event.kind == "cost")
    assert before.data == {"role": "execute", "calls": 100, "prompt_tokens": 5000, "completion_tokens": 1000}
    assert "not measured" in before.text and "100 calls" in before.text and "6,000 tokens" in before.text
    assert after.data["seconds"] > 0 and "measured on this machine" in after.text


def test_the_pulse_beats_while_the_engine_lives_and_stops_with_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "BEAT_SECONDS", 0.01)
    bench.connection.execute("UPDATE runs SET heartbeat = 0")

    def beat() -> float:
        found = runs.read_run(bench.connection, bench.run)
        return (found and found.heartbeat) or 0.0

    pulse = Pulse(bench.locations.database, bench.session)
    pulse.start()
    first = wait_until(beat)
    wait_until(lambda: beat() > first)
    pulse.stop()
    assert not pulse.is_alive()
