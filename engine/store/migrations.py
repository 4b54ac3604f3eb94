"""The database's tables, as migrations applied in order and never edited after a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations


def migrations() -> Migrations:
    """All of them, in order. Importing sqlite-utils costs half a second, so only the writer does."""
    from sqlite_utils.migrations import Migrations

    datatune = Migrations("datatune")

    @datatune()  # type: ignore[untyped-decorator]
    def first_tables(db: Database) -> None:
        for statement in _FIRST_TABLES:
            db.execute(statement)

    @datatune()  # type: ignore[untyped-decorator]
    def items_in_order_of_entry(db: Database) -> None:
        for statement in _ITEMS_IN_ORDER_OF_ENTRY:
            db.execute(statement)

    @datatune()  # type: ignore[untyped-decorator]
    def reviews_of_examples(db: Database) -> None:
        for statement in _REVIEWS:
            db.execute(statement)

    @datatune()  # type: ignore[untyped-decorator]
    def tallies_and_trends(db: Database) -> None:
        for statement in _TALLIES_AND_TRENDS:
            db.execute(statement)

    @datatune()  # type: ignore[untyped-decorator]
    def validation_share_is_of_mix(db: Database) -> None:
        for statement in _VALIDATION_SHARE_IS_OF_MIX:
            db.execute(statement)

    return datatune


_FIRST_TABLES = (
    """CREATE TABLE runs (
        id TEXT PRIMARY KEY, task_name TEXT NOT NULL, task TEXT NOT NULL, settings TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'new', reason TEXT NOT NULL DEFAULT '', exit_code INTEGER,
        examples INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, finished REAL,
        owner_pid INTEGER, owner_started REAL, heartbeat REAL)""",
    """CREATE TABLE steps (
        fingerprint TEXT PRIMARY KEY, stage TEXT NOT NULL, candidate TEXT NOT NULL DEFAULT '', version INTEGER NOT NULL,
        options TEXT NOT NULL, seed INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'new', reason TEXT NOT NULL DEFAULT '',
        record TEXT, owner_pid INTEGER, owner_started REAL, heartbeat REAL,
        started REAL, finished REAL, seconds REAL NOT NULL DEFAULT 0)""",
    """CREATE TABLE run_steps (
        run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, step TEXT NOT NULL REFERENCES steps(fingerprint),
        stage TEXT NOT NULL, candidate TEXT NOT NULL DEFAULT '', position INTEGER NOT NULL, reused INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (run, stage, candidate))""",
    """CREATE TABLE items (
        step TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
        result TEXT NOT NULL DEFAULT '', PRIMARY KEY (step, key)) WITHOUT ROWID""",
    "CREATE INDEX items_in_order ON items (step, state, seq)",
    "CREATE TABLE in_flight (step TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (step, key)) WITHOUT ROWID",
    "CREATE TABLE suspects (step TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (step, key)) WITHOUT ROWID",
    """CREATE TABLE calls (
        hash TEXT PRIMARY KEY, role TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, completion TEXT NOT NULL,
        finish TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, seconds REAL NOT NULL,
        created REAL NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE step_calls (step TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (step, hash)) WITHOUT ROWID",
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
        stage TEXT NOT NULL DEFAULT '', candidate TEXT NOT NULL DEFAULT '', text TEXT NOT NULL, data TEXT NOT NULL DEFAULT '{}')""",
    "CREATE INDEX events_of_run ON events (run, id)",
    """CREATE TABLE progress (
        run TEXT PRIMARY KEY, step TEXT NOT NULL, stage TEXT NOT NULL, candidate TEXT NOT NULL, done INTEGER NOT NULL,
        total INTEGER, rate REAL NOT NULL, unit TEXT NOT NULL, at REAL NOT NULL)""",
    """CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL DEFAULT '{}',
        created REAL NOT NULL, taken REAL)""",
)

_ITEMS_IN_ORDER_OF_ENTRY = (
    # Keys enter in seeded order: a table ordered by key was written at random places, five times as slowly.
    "ALTER TABLE items RENAME TO items_by_key",
    "DROP INDEX items_in_order",
    """CREATE TABLE items (
        step TEXT NOT NULL, seq INTEGER NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
        result TEXT NOT NULL DEFAULT '', PRIMARY KEY (step, seq, key)) WITHOUT ROWID""",
    "INSERT INTO items SELECT step, seq, key, state, reason, result FROM items_by_key ORDER BY step, seq, key",
    "DROP TABLE items_by_key",
    "CREATE INDEX items_in_order ON items (step, state, seq)",
    # One row for all the units that are marked together.
    "DROP TABLE in_flight",
    "CREATE TABLE in_flight (number INTEGER PRIMARY KEY, step TEXT NOT NULL, keys TEXT NOT NULL)",
    "CREATE INDEX in_flight_of_step ON in_flight (step)",
)

_REVIEWS = (
    """CREATE TABLE reviews (
        step TEXT NOT NULL, key TEXT NOT NULL, verdict TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '', output TEXT,
        at REAL NOT NULL, PRIMARY KEY (step, key)) WITHOUT ROWID""",
)

_TALLIES_AND_TRENDS = (
    # Counting 100,000 units by reason reads all of them; a screen asks several times a second.
    """CREATE TABLE tallies (
        step TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, units INTEGER NOT NULL, PRIMARY KEY (step, state, reason))
        WITHOUT ROWID""",
    "INSERT INTO tallies SELECT step, state, reason, count(*) FROM items GROUP BY step, state, reason",
    """CREATE TABLE trends (
        step TEXT NOT NULL, worked REAL NOT NULL, accepted INTEGER NOT NULL, rejected INTEGER NOT NULL, failed INTEGER NOT NULL,
        skipped INTEGER NOT NULL, tokens INTEGER NOT NULL, PRIMARY KEY (step, worked)) WITHOUT ROWID""",
)

_VALIDATION_SHARE_IS_OF_MIX = (
    """UPDATE runs SET settings = json_remove(json_set(settings, '$.options.mix',
        json_object('validation_share', json_extract(settings, '$.options.export.validation_share'))), '$.options.export.validation_share')
        WHERE json_extract(settings, '$.options.export.validation_share') IS NOT NULL""",
)
