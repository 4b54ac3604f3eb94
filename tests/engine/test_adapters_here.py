"""Folders of trainings go with their steps, and never while somebody may be at them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.adapters_here import delete_run_here, drop_adapters
from engine.locations import Locations
from engine.store.database import open_writer
from engine.store.lease import this_process
from engine.store.runs import RunSettings, create_run, finish_run
from engine.store.steps import claim_step, finish_step, link_step
from tests.engine.store.rows import TASK, begin

STEP, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def locations(tmp_path: Path) -> Locations:
    return Locations(tmp_path).ensure()


@pytest.fixture
def connection(locations: Locations) -> sqlite3.Connection:
    return open_writer(locations.database)


def folder(locations: Locations, step: str) -> Path:
    """What a training made."""
    made = locations.adapters / step[:24]
    (made / "adapter").mkdir(parents=True)
    (made / "adapter" / "adapter_model.safetensors").write_bytes(b"x")
    return made


def ended(connection: sqlite3.Connection, run: str, step: str) -> None:
    finish_step(connection, step, "done", "", "{}", 1.0)
    finish_run(connection, run, "done", "", 0)


def test_a_run_that_is_deleted_takes_its_adapter_along(connection: sqlite3.Connection, locations: Locations) -> None:
    ended(connection, begin(connection, "one", STEP, "finetune"), STEP)
    ended(connection, begin(connection, "two", OTHER, "finetune"), OTHER)
    gone, stays = folder(locations, STEP), folder(locations, OTHER)
    assert delete_run_here(connection, "one", locations)
    assert not gone.exists() and stays.exists() and [path.name for path in locations.adapters.iterdir()] == [OTHER[:24]]


def test_an_adapter_that_another_run_has_stays(connection: sqlite3.Connection, locations: Locations) -> None:
    ended(connection, begin(connection, "one", STEP, "finetune"), STEP)
    other = create_run(connection, TASK, RunSettings())
    link_step(connection, other, STEP, "finetune", "", reused=True)
    kept = folder(locations, STEP)
    assert delete_run_here(connection, "one", locations) and kept.exists()
    assert delete_run_here(connection, other, locations) and not kept.exists()


def test_a_run_at_work_keeps_everything(connection: sqlite3.Connection, locations: Locations) -> None:
    begin(connection, "one", STEP, "finetune")
    connection.execute("UPDATE runs SET owner_pid = ?, owner_started = ?", (this_process().pid, this_process().started))
    kept = folder(locations, STEP)
    assert not delete_run_here(connection, "one", locations) and kept.exists()


def test_a_step_that_an_engine_has_only_begun_counts_as_there(connection: sqlite3.Connection, locations: Locations) -> None:
    """Its folder may come before its run's link."""
    claim_step(connection, STEP, "finetune", "", 1, "{}", 0, this_process())
    kept = folder(locations, STEP)
    assert drop_adapters(connection, locations) == 0 and kept.exists()


def test_only_folders_of_trainings_are_looked_at(connection: sqlite3.Connection, locations: Locations, tmp_path: Path) -> None:
    assert drop_adapters(connection, locations) == 0, "there may be none"
    theirs = locations.adapters / "my notes"
    theirs.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (locations.adapters / ("c" * 24)).symlink_to(outside)
    (locations.adapters / ("d" * 24)).write_text("a file")
    left = locations.adapters / ".gone-abc"
    (left / "e").mkdir(parents=True)
    lost = folder(locations, STEP)
    assert drop_adapters(connection, locations) == 1
    assert not lost.exists() and not left.exists(), "what a killed one left goes too"
    assert theirs.exists() and outside.exists() and (locations.adapters / ("d" * 24)).exists()


def test_nothing_is_dropped_while_another_writes(
    connection: sqlite3.Connection, locations: Locations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is beginning a step holds the database; looking waits for it."""
    monkeypatch.setattr("engine.store.database.BUSY_SECONDS", 0.05)
    impatient = open_writer(locations.database)
    lost = folder(locations, STEP)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        drop_adapters(impatient, locations)
    assert lost.exists()
    connection.execute("ROLLBACK")
    assert drop_adapters(impatient, locations) == 1
