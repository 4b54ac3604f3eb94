"""All wrong answers of an evaluation are read back from what was stored; never beside another test than the one that was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.evaluate.missed import Missed, missed_of
from engine.store.database import Connection, open_reader
from engine.store.runs import Run, read_run
from engine.store.steps import Step, steps_of_run
from tests.datatune_tui.experiments import asked_run

RIGHT, WRONG = 20, 9
Told = tuple[Connection, Step, Run]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    run_id = asked_run(tmp_path, RIGHT, WRONG)
    connection = open_reader(tmp_path / "home" / "datatune.db")
    run = read_run(connection, run_id)
    assert run is not None
    return connection, steps_of_run(connection, run_id)[-1], run


def read(told: Told) -> Missed:
    connection, step, run = told
    return missed_of(connection, step, run.task, run.settings.seed)


def test_every_wrong_answer_is_there_with_what_was_right_and_taken(told: Told) -> None:
    missed = read(told)
    (wrong,) = missed.by_model
    assert not missed.partly and [one.input for one in wrong] == [f"note number {RIGHT + number}." for number in range(WRONG)]
    assert all(one.right != one.taken and one.written.startswith(one.taken) for one in wrong)


def test_where_the_test_has_changed_only_what_was_recorded_is_shown(told: Told) -> None:
    file = Path(told[2].task.test)
    file.write_text(file.read_text().replace("note number 2", "another number 2"))
    missed = read(told)
    assert "not the one that was asked" in missed.partly
    assert len(missed.by_model[0]) == 5 and missed.by_model[0][0].input == "note number 20."


def test_where_the_test_is_gone_or_answers_are_missing_that_is_said(told: Told, tmp_path: Path) -> None:
    file = Path(told[2].task.test)
    text = file.read_text()
    file.unlink()
    assert "no such test file" in read(told).partly
    file.write_text(text + '{"input": "one more", "output": "sun"}\n')
    missed = read(told)
    assert "missing" in missed.partly and len(missed.by_model[0]) == 5
