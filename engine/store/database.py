"""The one SQLite file: opened for writing by the engine (sqlite-utils, migrations), for reading by everyone.

WAL lets readers look while the engine writes. A disk that is full or a folder that may not be written becomes
one StoreUnusable; what was committed before stays.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import BadInput, StoreUnusable
from engine.store.migrations import migrations

Connection = sqlite3.Connection
DatabaseError = sqlite3.Error
"""Names for those outside this package, which import no sqlite."""

BUSY_SECONDS = 30.0
RESERVE_BYTES = 256 << 10
FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
DISK_TROUBLE = (*FULL, errno.EROFS)
"""Numbers of errors that are the disk's, whatever was being done."""


def open_writer(path: Path) -> sqlite3.Connection:
    """Open for reading and writing, creating and migrating under a file lock. Raises StoreUnusable."""
    connection = open_small_writer(path)
    if needs_migration(connection):
        _migrate(path, connection)
    return connection


def open_small_writer(path: Path) -> sqlite3.Connection:
    """Open for writing without looking at migrations, for a screen or a command that adds small rows."""
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open for reading only. Raises BadInput when there is no database yet, StoreUnusable for one that cannot be read."""
    if not path.exists():
        raise BadInput(f"there are no runs yet: no database at {path}", "start one first: datatune demo, or datatune run TASK.toml")
    with translated(path):
        try:
            return _reader(path, "mode=ro")
        except sqlite3.OperationalError:
            if path.with_name(f"{path.name}-wal").exists():
                raise
            # On a medium that cannot be written there is no room for the files WAL wants beside it, and nobody who changes it.
            return _reader(path, "immutable=1")


def _reader(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    return connection


def version_seen(connection: sqlite3.Connection) -> int:
    """Another number whenever another connection has changed the database since; costs next to nothing to ask."""
    (number,) = connection.execute("PRAGMA data_version").fetchone()
    return int(number)


def check(path: Path) -> str:
    """Whether the database can be opened, written and is whole: "" or what is wrong."""
    try:
        connection = open_writer(path)
        with translated(path):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO commands (run, kind, created) VALUES ('', 'check', 0)")
            connection.execute("ROLLBACK")
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
            connection.close()
    except StoreUnusable as error:
        return error.title
    return "" if verdict == "ok" else f"{path}: {verdict}"


def reserve(path: Path) -> None:
    """Set space aside beside the database, so that a run which fills the disk can still record why it ended.

    Raises StoreUnusable where not even that much is free.
    """
    file = _reserve_file(path)
    with translated(path):
        if file.exists() and file.stat().st_size == RESERVE_BYTES:
            return
        try:
            file.write_bytes(os.urandom(RESERVE_BYTES))  # noise, since some file systems give zeros no space
        except OSError:
            file.unlink(missing_ok=True)
            raise


def release_reserve(path: Path) -> None:
    """Give the space back, for the last rows a run writes."""
    with contextlib.suppress(OSError):
        _reserve_file(path).unlink(missing_ok=True)


def _reserve_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.reserve")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of it or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into StoreUnusable."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError, OSError) as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: Exception) -> StoreUnusable:
    """What a person can do about an error of the database at `path`."""
    number = error.errno if isinstance(error, OSError) else None
    text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    if number in FULL or text == "database or disk is full":
        return StoreUnusable(f"{path}: the disk is full", "free some space, then: datatune resume RUN; what was done is kept")
    if number in FORBIDDEN or "readonly" in text or "unable to open" in text:
        return StoreUnusable(f"{path}: cannot be written", "check its permissions, or set DATATUNE_HOME to a folder you may write")
    if "locked" in text:
        return StoreUnusable(f"{path}: another program holds it locked", "close that program, then try again")
    if "malformed" in text or "not a database" in text:
        return StoreUnusable(f"{path}: damaged or not a database", "move the file away (it is not deleted), then try again")
    return StoreUnusable(f"{path}: {text}", "run: datatune doctor")


def needs_migration(connection: sqlite3.Connection) -> bool:
    """Whether tables are missing: the file is older than this program, or being made at this moment."""
    known = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE name = '_sqlite_migrations'")}
    if not known:
        return True
    (applied,) = connection.execute("SELECT count(*) FROM _sqlite_migrations WHERE migration_set = 'datatune'").fetchone()
    return bool(applied < MIGRATION_COUNT)


MIGRATION_COUNT = 5
"""Kept beside the list so that opening a current database does not import sqlite-utils; a test compares the two."""


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    from filelock import FileLock
    from sqlite_utils import Database

    with translated(path), FileLock(f"{path}.lock", timeout=BUSY_SECONDS):
        migrations().apply(Database(connection))
