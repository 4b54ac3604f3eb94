"""One step from claim to record: done, failed, stopped, interrupted, taken over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from engine.errors import BadInput, Busy, Cancelled, StoreUnusable
from engine.runner import run_step
from engine.session import BudgetSpent
from engine.stage import Context, Outcome
from engine.store import events, items, runs, steps
from engine.store.lease import Owner
from tests.engine.bench import Bench, Given, Made, Options, accept, in_flight, names, same, stage_of


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
