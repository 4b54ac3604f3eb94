"""Rows of one run on their way out of a database and into another: every value typed, what belongs to a machine left behind.

Left behind are owners and heartbeats, commands, and what was in flight. Counts of units are made anew where rows enter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from engine.records import Value
from engine.store.lease import Owner
from engine.store.origins import UNBUNDLED
from engine.store.runs import RunState
from engine.store.steps import StepState
from engine.store.tallies import ItemState, count_anew

Fingerprint = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What SQLite holds as an integer."""
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class RunRow(Value, array_like=True, omit_defaults=False):
    """A row of `runs`."""

    id: Id
    task_name: str
    task: str
    settings: str
    state: RunState
    reason: str
    exit_code: Whole | None
    examples: Count
    created: float
    finished: float | None


class StepRow(Value, array_like=True, omit_defaults=False):
    """A row of `steps`."""

    fingerprint: Fingerprint
    stage: str
    candidate: str
    version: Whole
    options: str
    seed: Whole
    state: StepState
    reason: str
    record: str | None
    started: float | None
    finished: float | None
    seconds: float


class LinkRow(Value, array_like=True, omit_defaults=False):
    """A row of `run_steps`."""

    step: Fingerprint
    stage: str
    candidate: str
    position: Whole
    reused: Annotated[int, Meta(ge=0, le=1)]


class ItemRow(Value, array_like=True, omit_defaults=False):
    """A row of `items`."""

    step: Fingerprint
    seq: Whole
    key: str
    state: ItemState
    reason: str
    result: str


class SuspectRow(Value, array_like=True, omit_defaults=False):
    """A row of `suspects`."""

    step: Fingerprint
    key: str


class TrendRow(Value, array_like=True, omit_defaults=False):
    """A row of `trends`."""

    step: Fingerprint
    worked: float
    accepted: Count
    rejected: Count
    failed: Count
    skipped: Count
    tokens: Count


class CallRow(Value, array_like=True, omit_defaults=False):
    """A row of `calls`."""

    hash: Fingerprint
    role: str
    model: str
    prompt: str
    completion: str
    finish: Literal["stop", "length"]
    prompt_tokens: Count
    completion_tokens: Count
    seconds: float
    created: float


class StepCallRow(Value, array_like=True, omit_defaults=False):
    """A row of `step_calls`."""

    step: Fingerprint
    hash: Fingerprint


class ReviewRow(Value, array_like=True, omit_defaults=False):
    """A row of `reviews`."""

    step: Fingerprint
    key: str
    verdict: Literal["", "accepted", "rejected"]
    note: str
    output: str | None
    at: float


class EventRow(Value, array_like=True, omit_defaults=False):
    """A row of `events`."""

    at: float
    kind: str
    stage: str
    candidate: str
    text: str
    data: str


class ProgressRow(Value, array_like=True, omit_defaults=False):
    """A row of `progress`."""

    step: str
    stage: str
    candidate: str
    done: Count
    total: Count | None
    rate: float
    unit: str
    at: float


class Table(NamedTuple):
    """A table whose rows go along."""

    name: str
    row: type[Value]
    whose: str
    """Which rows belong to the run :run, and in which order."""
    own: bool = False
    """Whether they are the run's alone; others are a step's, and may be there already."""


_STEPS = "(SELECT step FROM run_steps WHERE run = :run)"
TABLES = (
    Table("runs", RunRow, "id = :run", own=True),
    Table("steps", StepRow, f"fingerprint IN {_STEPS} ORDER BY fingerprint"),
    Table("run_steps", LinkRow, "run = :run ORDER BY position", own=True),
    Table("items", ItemRow, f"step IN {_STEPS} ORDER BY step, seq, key"),
    Table("suspects", SuspectRow, f"step IN {_STEPS} ORDER BY step, key"),
    Table("trends", TrendRow, f"step IN {_STEPS} ORDER BY step, worked"),
    Table("calls", CallRow, f"hash IN (SELECT hash FROM step_calls WHERE step IN {_STEPS}) ORDER BY hash"),
    Table("step_calls", StepCallRow, f"step IN {_STEPS} ORDER BY step, hash"),
    Table("reviews", ReviewRow, f"step IN {_STEPS} ORDER BY step, key"),
    Table("events", EventRow, f"run = :run AND kind != '{UNBUNDLED}' ORDER BY id", own=True),
    Table("progress", ProgressRow, "run = :run", own=True),
)
"""In the order in which they enter."""
MACHINES_OWN: dict[str, tuple[str, ...]] = {
    "runs": ("owner_pid", "owner_started", "heartbeat"),
    "steps": ("owner_pid", "owner_started", "heartbeat"),
    "run_steps": ("run",),
    "events": ("id", "run"),
    "progress": ("run",),
}
"""Columns that stay, by table: they belong to a machine, or follow from the run."""


class Held(NamedTuple):
    """How much a run has in one table."""

    rows: int
    characters: int
    """Of its texts."""


def held(connection: sqlite3.Connection, run: str) -> dict[str, Held]:
    """How much a run has, by table."""
    found = {}
    for table in TABLES:
        length = " + ".join(f"coalesce(length({column}), 0)" for column in table.row.__struct_fields__)
        query = f"SELECT count(*), coalesce(sum({length}), 0) FROM {table.name} WHERE {table.whose.partition(' ORDER BY')[0]}"
        found[table.name] = Held(*connection.execute(query, {"run": run}).fetchone())
    return found


def rows_of(connection: sqlite3.Connection, run: str, table: Table) -> Iterator[Value]:
    """The rows of a table that belong to a run. Raises msgspec.ValidationError for values of other types than it should hold."""
    columns = ", ".join(table.row.__struct_fields__)
    for row in connection.execute(f"SELECT {columns} FROM {table.name} WHERE {table.whose}", {"run": run}):
        yield msgspec.convert(tuple(row), table.row)


# ── into another database ─────────────────────────────────────────────────────────────────────────────────


def same_run(connection: sqlite3.Connection, task_name: str, created: float) -> str:
    """The id of the run of this task that was begun at this very moment; "" where there is none."""
    row = connection.execute("SELECT id FROM runs WHERE created = ? AND task_name = ?", (created, task_name)).fetchone()
    return str(row["id"]) if row else ""


def run_taken(connection: sqlite3.Connection, run: str) -> bool:
    """Whether there is a run of this id."""
    return connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is not None


class StepHere(NamedTuple):
    """A step that is in this database."""

    state: StepState
    owner: Owner | None
    """The live process that is at it."""


def step_here(connection: sqlite3.Connection, fingerprint: str) -> StepHere | None:
    """The step with this fingerprint, if it is here."""
    row = connection.execute("SELECT state, owner_pid, owner_started FROM steps WHERE fingerprint = ?", (fingerprint,)).fetchone()
    if row is None:
        return None
    owner = Owner(row["owner_pid"], row["owner_started"]) if row["owner_pid"] else None
    return StepHere(row["state"], owner if owner and owner.alive() else None)


def put_step(connection: sqlite3.Connection, step: StepRow) -> None:
    """Store a step without its units; of one that is here and not done, what it made is forgotten, but for reviews."""
    for table in ("items", "tallies", "trends", "in_flight", "suspects", "step_calls"):
        connection.execute(f"DELETE FROM {table} WHERE step = ?", (step.fingerprint,))
    columns = step.__struct_fields__
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    connection.execute(
        f"INSERT INTO steps ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT (fingerprint) DO UPDATE SET {changes}, owner_pid = NULL, owner_started = NULL",
        _values(step),
    )


def put_rows(connection: sqlite3.Connection, table: Table, rows: Iterable[Value], run: str) -> int:
    """Add rows; those of steps that are here already stay as they are. Returns how many were added."""
    columns = table.row.__struct_fields__
    fixed: Mapping[str, Any] = {"run": run} if table.own and table.name != "runs" else {}
    names = ", ".join((*fixed, *columns))
    marks = ", ".join("?" * (len(fixed) + len(columns)))
    before = connection.total_changes
    connection.executemany(
        f"INSERT {'' if table.own else 'OR IGNORE '}INTO {table.name} ({names}) VALUES ({marks})",
        ((*fixed.values(), *_values(row)) for row in rows),
    )
    return connection.total_changes - before


def count_units(connection: sqlite3.Connection, step: str) -> None:
    """Count the units of a step that entered."""
    count_anew(connection, step)


def _values(row: Value) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in row.__struct_fields__)
