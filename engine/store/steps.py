"""Steps: one stage done once for one set of inputs, shared by every run that needs it, owned by one engine at a time."""

from __future__ import annotations

import sqlite3
import time
from typing import Literal

from engine.records import Value
from engine.store.database import transaction
from engine.store.lease import Owner

StepState = Literal["new", "running", "done", "stopped", "failed", "interrupted"]


class Step(Value):
    """One step as the database has it."""

    fingerprint: str
    stage: str
    candidate: str
    state: StepState
    reason: str
    record: str
    """The stage's record as JSON; "" until it is done or stopped."""
    started: float | None
    finished: float | None
    seconds: float
    options: str
    reused: bool = False


def read_step(connection: sqlite3.Connection, fingerprint: str) -> Step | None:
    """The step with this fingerprint, or None when nobody has begun it."""
    row = connection.execute("SELECT *, 0 AS reused FROM steps WHERE fingerprint = ?", (fingerprint,)).fetchone()
    return _step(row) if row else None


def steps_of_run(connection: sqlite3.Connection, run: str) -> list[Step]:
    """The steps of a run in the order they were taken."""
    rows = connection.execute(
        "SELECT steps.*, run_steps.reused AS reused FROM run_steps JOIN steps ON steps.fingerprint = run_steps.step "
        "WHERE run = ? ORDER BY position",
        (run,),
    )
    return [_step(row) for row in rows]


def link_step(connection: sqlite3.Connection, run: str, step: str, stage: str, candidate: str, reused: bool) -> None:
    """Make a step part of a run; a later one for the same stage and candidate takes its place."""
    with transaction(connection):
        (position,) = connection.execute("SELECT coalesce(max(position), 0) + 1 FROM run_steps WHERE run = ?", (run,)).fetchone()
        connection.execute(
            "INSERT INTO run_steps (run, step, stage, candidate, position, reused) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (run, stage, candidate) DO UPDATE SET step = excluded.step, reused = excluded.reused, "
            "position = excluded.position",
            (run, step, stage, candidate, position, reused),
        )


def unlink_steps(connection: sqlite3.Connection, run: str) -> None:
    """Forget which steps a run took; the steps stay for it to take again."""
    connection.execute("DELETE FROM run_steps WHERE run = ?", (run,))


def unlink_step(connection: sqlite3.Connection, run: str, fingerprint: str) -> None:
    """Take one step out of a run; where no run has it any more, it is deleted."""
    connection.execute("DELETE FROM run_steps WHERE run = ? AND step = ?", (run, fingerprint))
    forget_step(connection, fingerprint)


def claim_step(
    connection: sqlite3.Connection, fingerprint: str, stage: str, candidate: str, version: int, options: str, seed: int, owner: Owner
) -> Owner | None:
    """Begin or take over a step, or return the live process that is at it."""
    with transaction(connection):
        row = connection.execute("SELECT owner_pid, owner_started FROM steps WHERE fingerprint = ?", (fingerprint,)).fetchone()
        holder = Owner(row["owner_pid"], row["owner_started"]) if row and row["owner_pid"] else None
        if holder and holder != owner and holder.alive():
            return holder
        now = time.time()
        connection.execute(
            "INSERT INTO steps (fingerprint, stage, candidate, version, options, seed, state, owner_pid, owner_started, heartbeat, "
            "started) "
            "VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET state = 'running', reason = '', "
            "owner_pid = excluded.owner_pid, owner_started = excluded.owner_started, heartbeat = excluded.heartbeat",
            (fingerprint, stage, candidate, version, options, seed, owner.pid, owner.started, now, now),
        )
    return None


def finish_step(connection: sqlite3.Connection, fingerprint: str, state: StepState, reason: str, record: str, seconds: float) -> None:
    """Record how a step ended and let go of it."""
    connection.execute(
        "UPDATE steps SET state = ?, reason = ?, record = ?, finished = ?, seconds = seconds + ?, owner_pid = NULL, owner_started = NULL "
        "WHERE fingerprint = ?",
        (state, reason, record, time.time(), seconds, fingerprint),
    )


def delete_step(connection: sqlite3.Connection, fingerprint: str) -> None:
    """Delete a step and its units; answers of models stay. For use within a transaction."""
    for table in ("items", "tallies", "trends", "in_flight", "suspects", "step_calls", "reviews"):
        connection.execute(f"DELETE FROM {table} WHERE step = ?", (fingerprint,))
    connection.execute("DELETE FROM steps WHERE fingerprint = ?", (fingerprint,))


def known_beginnings(connection: sqlite3.Connection, digits: int) -> set[str]:
    """The first digits of the fingerprints of all steps there are."""
    return {row[0] for row in connection.execute("SELECT substr(fingerprint, 1, ?) FROM steps", (digits,))}


def forget_step(connection: sqlite3.Connection, fingerprint: str) -> None:
    """Delete a step that no run has any more."""
    with transaction(connection):
        if connection.execute("SELECT 1 FROM run_steps WHERE step = ? LIMIT 1", (fingerprint,)).fetchone() is None:
            delete_step(connection, fingerprint)


def beat(connection: sqlite3.Connection, run: str, fingerprint: str) -> None:
    """Say that the owner is alive and at work."""
    now = time.time()
    connection.execute("UPDATE runs SET heartbeat = ? WHERE id = ?", (now, run))
    connection.execute("UPDATE steps SET heartbeat = ? WHERE fingerprint = ?", (now, fingerprint))


def _step(row: sqlite3.Row) -> Step:
    state, reason = row["state"], row["reason"]
    if state == "running" and not (row["owner_pid"] and Owner(row["owner_pid"], row["owner_started"]).alive()):
        state, reason = "interrupted", reason or "its engine is gone"
    return Step(
        fingerprint=row["fingerprint"],
        stage=row["stage"],
        candidate=row["candidate"],
        state=state,
        reason=reason,
        record=row["record"] or "",
        started=row["started"],
        finished=row["finished"],
        seconds=row["seconds"],
        options=row["options"],
        reused=bool(row["reused"]),
    )
