"""Rows that tests of the store begin with: runs, steps and their owners."""

from __future__ import annotations

import sqlite3

from engine.records import Task
from engine.store.lease import Owner, this_process
from engine.store.runs import RunSettings, create_run
from engine.store.steps import claim_step, link_step

TASK = Task("weather-notes", "Say what kind of weather a note speaks of.")
NOBODY = Owner(2**22 + 1, 1.0)
"""A process that cannot be: above the largest number the kernel gives."""


def begin(connection: sqlite3.Connection, run: str, step: str, stage: str = "execute", candidate: str = "") -> str:
    """A run that is at work on a step, owned by this process. Returns the run's id."""
    known = connection.execute("SELECT id FROM runs WHERE id = ?", (run,)).fetchone()
    if known is None:
        made = create_run(connection, TASK, RunSettings())
        connection.execute("UPDATE runs SET id = ? WHERE id = ?", (run, made))
    assert claim_step(connection, step, stage, candidate, 1, "{}", 0, this_process()) is None
    link_step(connection, run, step, stage, candidate, reused=False)
    return run
