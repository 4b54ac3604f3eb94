"""Runs and steps: who owns them, what becomes of them when the owner dies, and the commands people send."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.store import runs, steps
from engine.store.database import open_writer
from engine.store.events import add_event
from engine.store.lease import Owner, this_process
from engine.store.origins import UNBUNDLED, Origin, origin_of
from engine.store.runs import RunSettings
from engine.store.tallies import add_to_tallies
from tests.end_to_end.workbench import wait_until
from tests.engine.store.rows import NOBODY, TASK, begin


@pytest.fixture
def writer(tmp_path: Path) -> sqlite3.Connection:
    return open_writer(tmp_path / "datatune.db")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def owner_of(process: subprocess.Popen[bytes]) -> Owner:
    return Owner(process.pid, psutil.Process(process.pid).create_time())


# ── owners ────────────────────────────────────────────────────────────────────────────────────────────────


def test_this_process_lives_and_nobody_does_not() -> None:
    assert this_process().alive() and not NOBODY.alive()


def test_a_process_that_took_over_the_number_is_another() -> None:
    me = this_process()
    assert not Owner(me.pid, me.started - 5).alive() and not Owner(me.pid, me.started + 5).alive()


def test_a_zombie_owns_nothing(child: subprocess.Popen[bytes]) -> None:
    owner = owner_of(child)
    assert owner.alive()
    child.kill()
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert psutil.pid_exists(child.pid) and not owner.alive()


def test_a_live_owner_keeps_a_run_and_is_named(writer: sqlite3.Connection, child: subprocess.Popen[bytes]) -> None:
    run = runs.create_run(writer, TASK, runs.RunSettings())
    theirs = owner_of(child)
    assert runs.claim_run(writer, run, theirs) is None
    assert runs.claim_run(writer, run, this_process()) == theirs
    assert runs.claim_run(writer, run, theirs) is None, "one that has it may ask again"
    found = runs.read_run(writer, run)
    assert found and found.owner == theirs and found.state == "running"


def test_a_dead_owner_shows_as_interrupted_and_the_run_can_be_taken_over(writer: sqlite3.Connection) -> None:
    run = runs.create_run(writer, TASK, runs.RunSettings())
    assert runs.claim_run(writer, run, NOBODY) is None
    found = runs.read_run(writer, run)
    assert found and found.state == "interrupted" and "gone" in found.reason
    assert runs.claim_run(writer, run, this_process()) is None
    found = runs.read_run(writer, run)
    assert found and found.state == "running" and found.reason == ""


def test_a_live_owner_keeps_a_step_and_a_dead_one_loses_it(writer: sqlite3.Connection, child: subprocess.Popen[bytes]) -> None:
    theirs = owner_of(child)

    def claim(owner: Owner) -> Owner | None:
        return steps.claim_step(writer, "f", "execute", "cards", 1, "{}", 0, owner)

    assert claim(theirs) is None and claim(theirs) is None
    assert claim(this_process()) == theirs
    child.kill()
    wait_until(lambda: not theirs.alive())
    assert claim(this_process()) is None


def test_of_many_that_claim_at_once_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "datatune.db"
    writer = open_writer(path)
    run = runs.create_run(writer, TASK, runs.RunSettings())
    me, parent = this_process(), psutil.Process().parent()
    assert parent
    rivals = [me, Owner(parent.pid, parent.create_time())]
    start = threading.Barrier(len(rivals))
    answers: list[Owner | None] = []

    def claim(owner: Owner) -> None:
        connection = open_writer(path)
        start.wait()
        answers.append(runs.claim_run(connection, run, owner))
        connection.close()

    threads = [threading.Thread(target=claim, args=(rival,)) for rival in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = runs.read_run(writer, run)
    assert found and answers.count(None) == 1 and set(answers) == {None, found.owner}


# ── runs ──────────────────────────────────────────────────────────────────────────────────────────────────


def named(writer: sqlite3.Connection, *ids: str) -> None:
    for name in ids:
        writer.execute("UPDATE runs SET id = ? WHERE id = ?", (name, runs.create_run(writer, TASK, runs.RunSettings())))


def test_a_run_is_found_by_its_id_or_by_a_beginning_only_it_has(writer: sqlite3.Connection) -> None:
    named(writer, "a1b2c3", "a1ffff", "beef", "beef01")

    def found(text: str) -> str:
        run = runs.read_run(writer, text)
        return run.id if run else ""

    assert found("a1b2c3") == "a1b2c3" and found("a1b") == "a1b2c3" and found("a1f") == "a1ffff"
    assert found("beef") == "beef", "an id that another one begins with is still that id"
    assert found("a1") == found("") == found("c") == found("%") == found("a1_2c3") == ""


def test_a_new_run_keeps_its_task_and_settings(writer: sqlite3.Connection) -> None:
    settings = runs.RunSettings(models={"plan": "smollm2"}, options={"execute": {"examples": 5}}, dataset="x", seed=3, budget_seconds=9.5)
    found = runs.read_run(writer, runs.create_run(writer, TASK, settings))
    assert found and found.task == TASK and found.settings == settings
    assert found.state == "new" and found.owner is None and found.exit_code is None and found.examples == 0


def test_runs_are_listed_newest_first(writer: sqlite3.Connection) -> None:
    named(writer, "one", "two", "three")
    for age, name in enumerate(("three", "one", "two")):
        writer.execute("UPDATE runs SET created = ? WHERE id = ?", (100 - age, name))
    assert [run.id for run in runs.list_runs(writer)] == ["three", "one", "two"]


def test_a_finished_run_is_let_go_and_keeps_its_count_of_examples(writer: sqlite3.Connection) -> None:
    run = runs.create_run(writer, TASK, runs.RunSettings())
    runs.claim_run(writer, run, this_process())
    runs.finish_run(writer, run, "done", "12 examples", 0, 12)
    found = runs.read_run(writer, run)
    assert found and (found.state, found.reason, found.exit_code, found.examples, found.owner) == ("done", "12 examples", 0, 12, None)
    runs.claim_run(writer, run, this_process())
    found = runs.read_run(writer, run)
    assert found and (found.state, found.exit_code, found.finished) == ("running", None, None)
    runs.finish_run(writer, run, "cancelled", "cancelled", 8)
    found = runs.read_run(writer, run)
    assert found and found.state == "cancelled" and found.examples == 12


def test_a_run_that_is_not_done_counts_what_is_stored_so_far(writer: sqlite3.Connection) -> None:
    run = begin(writer, "run", "rows", candidate="a/set")
    for step, stage, candidate in (("bare", "execute", "a/set, existing"), ("written", "generate", ""), ("mixed", "mix", "")):
        begin(writer, "run", step, stage, candidate)
    begin(writer, "other", "others")
    for step, state, count in (("rows", "accepted", 3), ("rows", "rejected", 9), ("written", "accepted", 4), ("bare", "accepted", 50)):
        add_to_tallies(writer, step, [(state, "")] * count)  # type: ignore[list-item]
    add_to_tallies(writer, "mixed", [("accepted", "")] * 7)
    add_to_tallies(writer, "others", [("accepted", "")] * 100)
    assert {one.id: one.examples for one in runs.list_runs(writer)} == {"run": 7, "other": 100}
    runs.finish_run(writer, run, "cancelled", "cancelled", 8)
    assert (cancelled := runs.read_run(writer, run)) and cancelled.examples == 7
    runs.finish_run(writer, run, "done", "6 examples", 0, 6)
    assert (done := runs.read_run(writer, run)) and done.examples == 6


def test_commands_are_taken_once_in_order_by_the_run_they_were_sent_to(writer: sqlite3.Connection) -> None:
    for run, kind in (("a", "pause"), ("b", "cancel"), ("a", "cancel")):
        runs.send_command(writer, run, kind)
    assert [runs.take_command(writer, "a") for _ in range(3)] == ["pause", "cancel", ""]
    assert runs.take_command(writer, "b") == "cancel"


def test_a_cancel_sent_to_an_engine_before_does_not_reach_the_next(writer: sqlite3.Connection) -> None:
    runs.send_command(writer, "a", "cancel")
    runs.send_command(writer, "b", "cancel")
    runs.drop_commands(writer, "a")
    assert runs.take_command(writer, "a") == "" and runs.take_command(writer, "b") == "cancel"


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_step_keeps_its_record_and_adds_up_its_seconds(writer: sqlite3.Connection) -> None:
    assert steps.read_step(writer, "f") is None
    begin(writer, "run", "f")
    steps.finish_step(writer, "f", "interrupted", "cancelled", "", 2.0)
    begin(writer, "run", "f")
    found = steps.read_step(writer, "f")
    assert found and found.state == "running" and found.reason == ""
    steps.finish_step(writer, "f", "done", "", '{"made":1}', 3.0)
    found = steps.read_step(writer, "f")
    assert found and (found.state, found.record, found.seconds) == ("done", '{"made":1}', 5.0)
    assert steps.claim_step(writer, "f", "execute", "", 1, "{}", 0, NOBODY) is None, "a finished step has no owner"


def test_a_run_lists_its_steps_in_the_order_they_were_taken(writer: sqlite3.Connection) -> None:
    for step, stage, candidate in (("f1", "expand", ""), ("f2", "plan", "cards"), ("f3", "plan", "dice"), ("f4", "plan", "cards")):
        begin(writer, "run", step, stage, candidate)
    begin(writer, "other", "f2", "plan", "cards")
    assert [step.fingerprint for step in steps.steps_of_run(writer, "run")] == ["f1", "f3", "f4"], "f4 took the place of f2"
    steps.unlink_steps(writer, "run")
    assert steps.steps_of_run(writer, "run") == [] and steps.read_step(writer, "f1")
    assert [step.fingerprint for step in steps.steps_of_run(writer, "other")] == ["f2"]


def test_a_step_taken_from_an_earlier_run_says_so(writer: sqlite3.Connection) -> None:
    begin(writer, "first", "f", "expand")
    begin(writer, "second", "g", "plan")
    steps.link_step(writer, "second", "f", "expand", "", reused=True)
    assert [(step.stage, step.reused) for step in steps.steps_of_run(writer, "second")] == [("plan", False), ("expand", True)]
    assert [step.reused for step in steps.steps_of_run(writer, "first")] == [False]


def test_a_beat_is_seen_on_the_run_and_on_its_step(writer: sqlite3.Connection) -> None:
    begin(writer, "run", "f")
    writer.execute("UPDATE steps SET heartbeat = 0")
    steps.beat(writer, "run", "f")
    found = runs.read_run(writer, "run")
    (step_beat,) = writer.execute("SELECT heartbeat FROM steps WHERE fingerprint = 'f'").fetchone()
    assert found and found.heartbeat and step_beat == found.heartbeat


def test_a_step_whose_owner_died_shows_as_interrupted(writer: sqlite3.Connection) -> None:
    assert steps.claim_step(writer, "f", "execute", "cards", 1, "{}", 0, NOBODY) is None
    found = steps.read_step(writer, "f")
    assert found and found.state == "interrupted" and "gone" in found.reason
    assert steps.claim_step(writer, "f", "execute", "cards", 1, "{}", 0, this_process()) is None
    found = steps.read_step(writer, "f")
    assert found and found.state == "running" and found.reason == ""


def test_plans_that_were_applied_are_known_however_they_were_given(writer: sqlite3.Connection) -> None:
    several = RunSettings().with_plan("notes", "second").with_plan('o\'dd "one"', "odd")
    for settings in (RunSettings(dataset="notes", plan="first"), several, RunSettings(dataset="notes", plan="first"), RunSettings()):
        runs.finish_run(writer, runs.create_run(writer, TASK, settings), "done", "", 0)
    new = runs.create_run(writer, TASK, RunSettings())
    assert runs.plans_applied(writer, new, "notes") == ("first", "second"), "the one that was applied last comes first, once"
    assert runs.plans_applied(writer, new, 'o\'dd "one"') == ("odd",) and runs.plans_applied(writer, new, "other") == ()
    assert runs.plans_applied(writer, new, "notes", 1) == ("first",)


def test_a_plan_belongs_to_its_data_set() -> None:
    named = RunSettings(dataset="notes", plan="first")
    assert (named.plan_of("notes"), named.plan_of("other")) == ("first", "")
    assert named.with_plan("notes", "second") == RunSettings(dataset="notes", plan="second")
    both = named.with_plan("other", "odd")
    assert (both.plan_of("notes"), both.plan_of("other")) == ("first", "odd")
    assert both.with_plan("other", "") == named


def test_a_run_from_elsewhere_keeps_to_the_plans_it_knew_there(writer: sqlite3.Connection) -> None:
    old, new, moved = (
        runs.create_run(writer, TASK, RunSettings(dataset="notes", plan="mine" if number == 0 else "")) for number in range(3)
    )
    runs.finish_run(writer, old, "done", "", 0)
    assert runs.plans_applied(writer, new, "notes") == ("mine",)
    add_event(writer, moved, UNBUNDLED, "came in a bundle", origin=Origin("abc", plans={"notes": ("theirs",)}))
    assert runs.plans_applied(writer, moved, "notes") == ("theirs",) and runs.plans_applied(writer, moved, "others") == ()
    assert origin_of(writer, new) is None
