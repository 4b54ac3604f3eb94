"""Runs and the commands people send them."""

from __future__ import annotations

import secrets
import sqlite3
import time
from typing import Literal

import msgspec

from engine.records import Task, Value
from engine.store.database import transaction
from engine.store.lease import Owner
from engine.store.origins import origin_of
from engine.store.steps import delete_step

RunState = Literal["new", "running", "done", "failed", "cancelled", "interrupted"]

LIVE_STATES = ("new", "running")
AS_THEY_STAND = ", existing"
"""Ends the label of an experiment's rows that nothing was done to: they are no examples that were made."""
_MADE = f"""SELECT coalesce(sum(units), 0) FROM run_steps JOIN tallies ON tallies.step = run_steps.step AND tallies.state = 'accepted'
    WHERE run_steps.run = runs.id AND run_steps.stage IN ('execute', 'generate')
    AND run_steps.candidate NOT LIKE '%{AS_THEY_STAND}'"""
_SELECT = f"SELECT *, ({_MADE}) AS made FROM runs"


class RunSettings(Value):
    """Everything besides the task that decides what a run does."""

    models: dict[str, str] = {}
    """role → spec."""
    options: dict[str, dict[str, object]] = {}
    """stage → option → value, as given."""
    dataset: str = ""
    """A data set's id or folder that skips finding one."""
    plan: str = ""
    """A plan in TOML to apply instead of searching for one; goes with `dataset`."""
    plans: dict[str, str] = {}
    """Data set → a plan in TOML to apply to it, where several may be used."""
    until: str = ""
    """Last stage to run; "" is all of them."""
    seed: int = 0
    budget_seconds: float = 0
    """0 is no limit."""
    export_to: str = ""
    experiment: bool = False
    """Whether it compares several ways to a model, as compare's options say, instead of making one training set."""

    def plan_of(self, dataset: str) -> str:
        """The plan in TOML to apply to a data set; "" where one is searched for."""
        return self.plan if self.plan and dataset == self.dataset else self.plans.get(dataset, "")

    def with_plan(self, dataset: str, plan: str) -> RunSettings:
        """The same with another plan for one data set, "" for none; which data sets are used stays as it is."""
        if dataset == self.dataset:
            return msgspec.structs.replace(self, plan=plan)
        others = {name: text for name, text in self.plans.items() if name != dataset}
        return msgspec.structs.replace(self, plans={**others, dataset: plan} if plan else others)


class Run(Value):
    """One run as the database has it."""

    id: str
    task: Task
    settings: RunSettings
    state: RunState
    reason: str
    exit_code: int | None
    examples: int
    """Of a run that is done, in what it made; of another, stored so far."""
    created: float
    finished: float | None
    owner: Owner | None
    heartbeat: float | None


def create_run(connection: sqlite3.Connection, task: Task, settings: RunSettings) -> str:
    """Store a new run and return its id, a short word people can type."""
    while True:
        run = secrets.token_hex(3)
        try:
            connection.execute(
                "INSERT INTO runs (id, task_name, task, settings, created) VALUES (?, ?, ?, ?, ?)",
                (run, task.name, msgspec.json.encode(task).decode(), msgspec.json.encode(settings).decode(), time.time()),
            )
        except sqlite3.IntegrityError:
            continue
        return run


def read_run(connection: sqlite3.Connection, run: str) -> Run | None:
    """The run with this id, or with the only id that starts so."""
    found = connection.execute(f"{_SELECT} WHERE id = ? OR substr(id, 1, ?) = ? LIMIT 2", (run, len(run), run)).fetchall()
    exact = [row for row in found if row["id"] == run]
    if len(exact or found) != 1 or not run:
        return None
    return _run(exact[0] if exact else found[0])


def list_runs(connection: sqlite3.Connection) -> list[Run]:
    """All runs, newest first."""
    return [_run(row) for row in connection.execute(f"{_SELECT} ORDER BY created DESC")]


def plans_applied(connection: sqlite3.Connection, run: str, dataset: str, limit: int = 3) -> tuple[str, ...]:
    """Plans in TOML that finished runs older than `run` applied to a data set for a task of the same name, newest first.

    A run that came in a bundle keeps to those there were where it comes from.
    """
    origin = origin_of(connection, run)
    if origin is not None:
        return origin.plans.get(dataset, ())
    rows = connection.execute(
        "SELECT plan FROM (SELECT old.created, coalesce("
        "CASE WHEN json_extract(old.settings, '$.dataset') = :dataset THEN nullif(json_extract(old.settings, '$.plan'), '') END, "
        "(SELECT value FROM json_each(old.settings, '$.plans') WHERE key = :dataset), '') AS plan "
        "FROM runs AS old JOIN runs AS new ON new.id = :run "
        "WHERE old.created < new.created AND old.state = 'done' AND old.task_name = new.task_name) "
        "WHERE plan != '' GROUP BY plan ORDER BY max(created) DESC LIMIT :limit",
        {"run": run, "dataset": dataset, "limit": limit},
    )
    return tuple(row["plan"] for row in rows)


def claim_run(connection: sqlite3.Connection, run: str, owner: Owner) -> Owner | None:
    """Make `owner` the engine of a run, or return the live one that already is."""
    with transaction(connection):
        row = connection.execute("SELECT owner_pid, owner_started FROM runs WHERE id = ?", (run,)).fetchone()
        holder = Owner(row["owner_pid"], row["owner_started"]) if row and row["owner_pid"] else None
        if holder and holder != owner and holder.alive():
            return holder
        connection.execute(
            "UPDATE runs SET state = 'running', reason = '', exit_code = NULL, finished = NULL, owner_pid = ?, owner_started = ?, "
            "heartbeat = ? WHERE id = ?",
            (owner.pid, owner.started, time.time(), run),
        )
    return None


def finish_run(connection: sqlite3.Connection, run: str, state: RunState, reason: str, exit_code: int, examples: int | None = None) -> None:
    """Record how a run ended and let go of it."""
    connection.execute(
        "UPDATE runs SET state = ?, reason = ?, exit_code = ?, finished = ?, examples = coalesce(?, examples), owner_pid = NULL, "
        "owner_started = NULL WHERE id = ?",
        (state, reason, exit_code, time.time(), examples, run),
    )


def change_settings(connection: sqlite3.Connection, run: str, settings: RunSettings) -> bool:
    """Give a run that is not at work other settings, for its next start; False where it is at work."""
    with transaction(connection):
        if not _idle(connection, run):
            return False
        connection.execute("UPDATE runs SET settings = ? WHERE id = ?", (msgspec.json.encode(settings).decode(), run))
    return True


def delete_run(connection: sqlite3.Connection, run: str) -> bool:
    """Delete a run that is not at work, and what its steps made where no other run has it; False where it is at work.

    Answers of models stay: they are never asked for twice. So does what was exported.
    """
    with transaction(connection):
        if not _idle(connection, run):
            return False
        own = [
            row["step"]
            for row in connection.execute(
                "SELECT DISTINCT step FROM run_steps WHERE run = ? AND step NOT IN (SELECT step FROM run_steps WHERE run != ?)", (run, run)
            )
        ]
        for table in ("run_steps", "events", "progress", "commands"):
            connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
        connection.execute("DELETE FROM runs WHERE id = ?", (run,))
        for step in own:
            delete_step(connection, step)
    return True


def _idle(connection: sqlite3.Connection, run: str) -> bool:
    found = read_run(connection, run)
    return found is not None and not (found.owner and found.owner.alive())


def send_command(connection: sqlite3.Connection, run: str, kind: str) -> None:
    """Leave a command for the engine, such as "cancel"."""
    connection.execute("INSERT INTO commands (run, kind, created) VALUES (?, ?, ?)", (run, kind, time.time()))


def take_command(connection: sqlite3.Connection, run: str) -> str:
    """The oldest command not yet taken, now taken; "" when there is none."""
    row = connection.execute("SELECT id, kind FROM commands WHERE run = ? AND taken IS NULL ORDER BY id LIMIT 1", (run,)).fetchone()
    if row is None:
        return ""
    connection.execute("UPDATE commands SET taken = ? WHERE id = ?", (time.time(), row["id"]))
    return str(row["kind"])


def drop_commands(connection: sqlite3.Connection, run: str) -> None:
    """Forget what was sent before this engine started: a cancel belongs to the engine it was sent to."""
    connection.execute("UPDATE commands SET taken = ? WHERE run = ? AND taken IS NULL", (time.time(), run))


def _run(row: sqlite3.Row) -> Run:
    owner = Owner(row["owner_pid"], row["owner_started"]) if row["owner_pid"] else None
    state = row["state"]
    reason = row["reason"]
    if state == "running" and not (owner and owner.alive()):
        state, reason = "interrupted", reason or "its engine is gone"
    return Run(
        id=row["id"],
        task=msgspec.json.decode(row["task"], type=Task),
        settings=msgspec.json.decode(row["settings"], type=RunSettings),
        state=state,
        reason=reason,
        exit_code=row["exit_code"],
        examples=row["examples"] if state == "done" else max(row["examples"], row["made"]),
        created=row["created"],
        finished=row["finished"],
        owner=owner,
        heartbeat=row["heartbeat"],
    )
