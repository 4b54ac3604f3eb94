"""The database file: created and brought up to date once, readable while it is written, clear about what is wrong with it."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlite_utils import Database

from engine.errors import BadInput, StoreUnusable
from engine.store import database, items, runs, tallies
from engine.store.database import MIGRATION_COUNT, check, open_reader, open_small_writer, open_writer, transaction
from engine.store.migrations import migrations

OPEN = """
import sys
from pathlib import Path
from engine.store.database import open_writer
sys.stdin.read()
connection = open_writer(Path(sys.argv[1]))
connection.execute("INSERT INTO commands (run, kind, created) VALUES (?, 'cancel', 0)", (sys.argv[2],))
"""

TASK = '{"name": "n", "description": "d"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "datatune.db"


def tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_count_beside_the_list_of_migrations_is_right() -> None:
    assert len(migrations().pending(Database(memory=True))) == MIGRATION_COUNT


def test_a_new_database_has_every_table_and_its_folder_is_made(path: Path) -> None:
    made = tables(open_writer(path))
    assert {"runs", "steps", "run_steps", "items", "in_flight", "suspects", "calls", "step_calls", "events", "progress", "commands"} <= made


def test_opening_twice_applies_nothing_twice(path: Path) -> None:
    first = open_writer(path)
    before = first.execute("SELECT name, applied_at FROM _sqlite_migrations").fetchall()
    migrations().apply(Database(open_small_writer(path)))
    second = open_writer(path)
    assert [tuple(row) for row in second.execute("SELECT name, applied_at FROM _sqlite_migrations")] == [tuple(row) for row in before]
    assert len(before) == MIGRATION_COUNT


def test_units_stored_before_they_were_kept_in_order_of_entry_are_still_there(path: Path) -> None:
    old = open_small_writer(path)
    migrations().apply(Database(old), stop_before="items_in_order_of_entry")
    for key, seq in (("train:7", 1), ("train:30", 0), ("train:4", 2)):
        old.execute("INSERT INTO items (step, key, seq, state, result) VALUES ('s', ?, ?, 'accepted', ?)", (key, seq, f'"{key}"'))
    old.execute("INSERT INTO in_flight (step, key) VALUES ('s', 'train:9')")
    old.close()
    now = open_writer(path)
    assert [(item.key, item.result) for item in items.items_in_order(now, "s", "accepted")] == [
        ("train:30", '"train:30"'),
        ("train:7", '"train:7"'),
        ("train:4", '"train:4"'),
    ]
    assert tallies.item_counts(now, "s") == {"accepted": 3} and items.in_flight(now, "s") == []
    items.mark_in_flight(now, "s", ["train:9"])
    items.store_items(now, "s", [items.Item("train:9", 3, "failed", "no answer")])
    assert items.in_flight(now, "s") == [] and tallies.item_counts(now, "s") == {"accepted": 3, "failed": 1}


def test_stored_runs_keep_their_share_of_validation_where_it_is_now(path: Path) -> None:
    old = open_small_writer(path)
    migrations().apply(Database(old), stop_before="validation_share_is_of_mix")
    for name, options in (("a", {"export": {"validation_share": 0.2, "system": ""}}), ("b", {"plan": {"votes": 3}}), ("c", None)):
        settings = msgspec.json.encode({"options": options} if options else {}).decode()
        old.execute("INSERT INTO runs (id, task_name, task, settings, created) VALUES (?, '', ?, ?, 0)", (name, TASK, settings))
    old.close()
    now = open_writer(path)
    found = {name: run.settings.options for name in "abc" if (run := runs.read_run(now, name))}
    assert found == {"a": {"export": {"system": ""}, "mix": {"validation_share": 0.2}}, "b": {"plan": {"votes": 3}}, "c": {}}


def test_a_current_database_is_opened_without_migrating(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_writer(path).close()
    monkeypatch.setattr(database, "migrations", None)  # would fail if it were called
    assert "runs" in tables(open_writer(path))


def longer(broken: bool = False) -> Any:
    """The list of migrations of a later release."""
    later = migrations()

    @later()  # type: ignore[untyped-decorator]
    def one_more(db: Database) -> None:
        db.execute("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT 'none'")
        if broken:
            db.execute("ALTER TABLE no_such_table ADD COLUMN note TEXT")

    return later


def test_an_older_database_is_brought_up_with_what_it_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = open_writer(path)
    older.execute("INSERT INTO runs (id, task_name, task, settings, created) VALUES ('abc', 'old', '{}', '{}', 1)")
    older.close()
    monkeypatch.setattr(database, "migrations", longer)
    monkeypatch.setattr(database, "MIGRATION_COUNT", MIGRATION_COUNT + 1)
    (row,) = open_writer(path).execute("SELECT id, task_name, note FROM runs").fetchall()
    assert tuple(row) == ("abc", "old", "none")


def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_writer(path).close()
    monkeypatch.setattr(database, "migrations", lambda: longer(broken=True))
    monkeypatch.setattr(database, "MIGRATION_COUNT", MIGRATION_COUNT + 1)
    with pytest.raises(StoreUnusable, match="no_such_table"):
        open_writer(path)
    columns = {row[1] for row in open_small_writer(path).execute("PRAGMA table_info(runs)")}
    assert "id" in columns and "note" not in columns


def test_processes_that_open_a_new_database_at_once_share_it(path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(path), str(number)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    for child in children:  # every one waits for this line, so that they open together
        assert child.stdin
        child.stdin.close()
    for child in children:
        assert child.wait(timeout=60) == 0, child.stderr and child.stderr.read()
        assert child.stderr
        child.stderr.close()
    connection = open_reader(path)
    assert {row[0] for row in connection.execute("SELECT run FROM commands")} == {"0", "1", "2", "3"}
    assert connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0] == MIGRATION_COUNT


def test_a_reader_sees_what_is_committed_and_nothing_half_done(path: Path) -> None:
    writer, reader = open_writer(path), open_reader(path)

    def seen() -> int:
        return len(items.stored_keys(reader, "s"))

    items.store_items(writer, "s", [items.Item("a", 0, "accepted")])
    with transaction(writer):
        writer.execute("INSERT INTO items (step, key, seq, state) VALUES ('s', 'b', 1, 'accepted')")
        assert seen() == 1, "and it need not wait for the writer"
    assert seen() == 2


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    writer = open_writer(path)
    with contextlib.suppress(ZeroDivisionError), transaction(writer):
        writer.execute("INSERT INTO items (step, key, seq, state) VALUES ('s', 'a', 0, 'accepted')")
        _ = 1 / 0
    assert not items.stored_keys(writer, "s") and not writer.in_transaction


def test_a_reader_cannot_write(path: Path) -> None:
    open_writer(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        open_reader(path).execute("DELETE FROM runs")


def test_a_reader_of_nothing_is_told_how_to_begin(path: Path) -> None:
    with pytest.raises(BadInput) as told:
        open_reader(path)
    assert str(path) in told.value.title and "datatune demo" in told.value.hint and not path.exists()


def test_paths_with_blanks_percents_and_letters_of_any_script_open(tmp_path: Path) -> None:
    path = tmp_path / "Büro 50% #1 ?x=y данные" / "datatune.db"
    items.store_items(open_writer(path), "s", [items.Item("a", 0, "accepted")])
    assert items.stored_keys(open_reader(path), "s") == {"a": "accepted"}
    assert [entry.name for entry in tmp_path.iterdir()] == [path.parent.name]


def test_a_healthy_database_passes_the_check_and_the_check_leaves_no_trace(path: Path) -> None:
    connection = open_writer(path)
    assert check(path) == ""
    assert connection.execute("SELECT count(*) FROM commands").fetchone()[0] == 0


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "datatune.db"
    path.write_bytes(b"dear diary, " * 500)
    with pytest.raises(StoreUnusable, match=r"datatune\.db: damaged or not a database"):
        open_writer(path)
    assert "damaged" in check(path)
    assert path.read_bytes() == b"dear diary, " * 500


def test_damage_inside_is_found_by_the_check(path: Path) -> None:
    connection = open_writer(path)
    items.store_items(connection, "s", [items.Item(f"key {number}", number, "accepted", "", "x" * 500) for number in range(500)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(os.urandom(8192))
    assert str(path) in check(path)


@pytest.fixture
def locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    holder = open_writer(path)
    holder.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    yield path
    holder.execute("ROLLBACK")


def test_a_database_another_program_holds_is_said_to_be_locked(locked: Path) -> None:
    assert "locked" in check(locked)


@pytest.mark.parametrize(
    ("met", "title", "hint"),
    [
        (sqlite3.OperationalError("database or disk is full"), "the disk is full", "free some space"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "the disk is full", "free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/x"), "the disk is full", "free some space"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "cannot be written", "permissions"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "cannot be written", "permissions"),
        (PermissionError(errno.EACCES, "Permission denied", "/the glass is full"), "cannot be written", "permissions"),
        (sqlite3.OperationalError("unable to open database file"), "cannot be written", "permissions"),
        (sqlite3.OperationalError("database is locked"), "locked", "close that program"),
        (sqlite3.DatabaseError("database disk image is malformed"), "damaged", "move the file away"),
        (sqlite3.DatabaseError("file is not a database"), "damaged", "move the file away"),
        (sqlite3.OperationalError("disk I/O error"), "disk I/O error", "datatune doctor"),
    ],
)
def test_every_trouble_of_the_file_has_a_line_and_a_way_out(path: Path, met: Exception, title: str, hint: str) -> None:
    error = database.unusable(path, met)
    assert error.title.startswith(f"{path}: ") and "\n" not in error.title
    assert title in error.title and hint in error.hint


def test_space_is_set_aside_once_and_given_back(path: Path) -> None:
    open_writer(path)
    database.reserve(path)
    (kept,) = (file for file in path.parent.iterdir() if file.name.endswith(".reserve"))
    made = kept.stat()
    database.reserve(path)
    assert kept.stat().st_mtime_ns == made.st_mtime_ns and kept.stat().st_blocks * 512 >= database.RESERVE_BYTES
    database.release_reserve(path)
    database.release_reserve(path)
    assert not kept.exists()


def test_where_no_space_can_be_set_aside_nothing_is_left_of_the_attempt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_writer(path)

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreUnusable, match="the disk is full"):
        database.reserve(path)
    assert not [file for file in path.parent.iterdir() if "reserve" in file.name]
