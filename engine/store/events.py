"""What happened in a run, and how far the step at work has got."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import msgspec

from engine.records import Value


class Event(Value):
    """Something that happened, told in one line, with the facts beside it."""

    id: int
    run: str
    at: float
    kind: str
    stage: str
    candidate: str
    text: str
    data: dict[str, Any] = {}


class Progress(Value):
    """How far the step at work is; `total` None while unknown; `rate` in units a second since this engine began."""

    stage: str
    candidate: str
    done: int
    total: int | None
    rate: float
    unit: str
    at: float


def add_event(connection: sqlite3.Connection, run: str, kind: str, text: str, *, stage: str = "", candidate: str = "", **data: Any) -> None:
    """Append to the run's story."""
    connection.execute(
        "INSERT INTO events (run, at, kind, stage, candidate, text, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (run, time.time(), kind, stage, candidate, text, msgspec.json.encode(data).decode()),
    )


def events_after(connection: sqlite3.Connection, run: str, last: int) -> list[Event]:
    """The story from after event `last` on."""
    rows = connection.execute("SELECT * FROM events WHERE run = ? AND id > ? ORDER BY id", (run, last))
    return [
        Event(r["id"], r["run"], r["at"], r["kind"], r["stage"], r["candidate"], r["text"], msgspec.json.decode(r["data"])) for r in rows
    ]


def set_progress(
    connection: sqlite3.Connection, run: str, step: str, stage: str, candidate: str, done: int, total: int | None, rate: float, unit: str
) -> None:
    """Replace what is known of how far the run is."""
    connection.execute(
        "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (run, step, stage, candidate, done, total, rate, unit, time.time()),
    )


def read_progress(connection: sqlite3.Connection, run: str) -> Progress | None:
    """How far the step at work is, or None before the first."""
    r = connection.execute("SELECT * FROM progress WHERE run = ?", (run,)).fetchone()
    return Progress(r["stage"], r["candidate"], r["done"], r["total"], r["rate"], r["unit"], r["at"]) if r else None
