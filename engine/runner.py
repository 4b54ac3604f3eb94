"""Runs one step: fingerprint, lease, context, record. A finished step is handed back; an unfinished one goes on."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from engine.context import StepContext
from engine.errors import Busy, Cancelled, EngineError, StoreUnusable
from engine.fingerprint import step_fingerprint
from engine.records import Value
from engine.session import BudgetSpent, Session
from engine.stage import Stage
from engine.store import items, steps
from engine.store.database import DatabaseError, unusable


def run_step(session: Session, stage: Stage, given: Value, options: Value, candidate: str = "", seed: int = 0) -> tuple[str, Any]:
    """Do a step, or take what an earlier run made of it. Returns its fingerprint and record.

    Raises whatever the stage raises; the step is then stored as failed, stopped or interrupted, and what it finished stays.
    """
    models = {role: session.roles.identity(role) for role in stage.roles}
    fingerprint = step_fingerprint(stage.name, stage.version, given, options, seed, models)
    done = steps.read_step(session.connection, fingerprint)
    if done and done.state == "done":
        steps.link_step(session.connection, session.run, fingerprint, stage.name, candidate, reused=True)
        session.event("step-reused", f"{stage.name}: done before, taken as it is", stage.name, candidate)
        return fingerprint, msgspec.json.decode(done.record, type=stage.record)
    holder = steps.claim_step(
        session.connection,
        fingerprint,
        stage.name,
        candidate,
        stage.version,
        msgspec.json.encode(options).decode(),
        seed,
        session.owner,
    )
    if holder:
        raise Busy(f"{stage.name}: another engine (process {holder.pid}) is at it", "wait for it, or cancel its run: datatune runs")
    items.clear_in_flight(session.connection, fingerprint)  # what a killed engine of another run left marked is not to blame for ours
    steps.link_step(session.connection, session.run, fingerprint, stage.name, candidate, reused=False)
    session.step = fingerprint
    session.event("step-started", stage.title, stage.name, candidate)
    context = StepContext(session, stage, fingerprint, candidate, seed)
    begun = time.monotonic()

    def finish(state: steps.StepState, reason: str = "", record: str = "") -> None:
        items.clear_in_flight(session.connection, fingerprint)
        steps.finish_step(session.connection, fingerprint, state, reason, record, time.monotonic() - begun)

    try:
        record = stage.run(given, options, context)
    except BudgetSpent as spent:
        finish("stopped", spent.title)
        raise
    except Cancelled as cancelled:
        finish("interrupted", cancelled.title)
        raise
    except DatabaseError as error:
        raise unusable(session.locations.database, error) from error
    except StoreUnusable:
        raise
    except EngineError as error:
        finish("failed", error.title)
        session.event("step-failed", f"{stage.name}: {error.title}", stage.name, candidate, hint=error.hint)
        raise
    except Exception as error:
        finish("failed", f"{type(error).__name__}: {error}")
        raise
    stopped = context.stopped
    finish("stopped" if stopped else "done", stopped, msgspec.json.encode(record).decode())
    session.event("step-finished", f"{stage.name}: done in {time.monotonic() - begun:.1f} s", stage.name, candidate)
    return fingerprint, record
