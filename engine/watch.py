"""Watches over an engine: `python -I -m engine.watch RUN`. Owns the run, starts engine.work, records what it died of.

A native crash (SIGSEGV, ABRT, BUS, ILL, FPE) blames the units that were in flight and the engine is started again, which
runs them singly; any other death blames none and leaves the run to be resumed.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from engine.errors import EngineError, ExitCode
from engine.locations import Locations, locate
from engine.log import leave, say
from engine.store import events, items, runs
from engine.store.database import Connection, DatabaseError, open_writer, reserve, unusable
from engine.store.lease import this_process

NATIVE = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
MOST_CRASHES = 50
MOST_IDLE_CRASHES = 2
"""Crashes with no unit in flight: loading a model dies the same way each time."""


def main(arguments: list[str]) -> int:
    """Watch one run to its end. Returns its exit code."""
    (run_id,) = arguments
    try:
        return _watch(run_id, locate().ensure())
    except EngineError as error:
        say(error.title)
        return error.exit_code
    except DatabaseError as error:
        say(unusable(locate().database, error).title)
        return ExitCode.STORE_UNUSABLE


def _watch(run_id: str, locations: Locations) -> int:
    connection = open_writer(locations.database)
    reserve(locations.database)
    holder = runs.claim_run(connection, run_id, this_process())
    if holder:
        say(f"run {run_id} belongs to process {holder.pid}")
        return ExitCode.BUSY
    runs.drop_commands(connection, run_id)
    connection.execute("DELETE FROM in_flight WHERE step IN (SELECT step FROM run_steps WHERE run = ?)", (run_id,))
    crashes = idle = 0
    with (locations.logs / f"{run_id}.log").open("ab") as log:
        while True:
            code = _engine(run_id, log.fileno())
            if code >= 0:
                return _ended(connection, run_id, code)
            died = signal.Signals(-code)
            if died not in NATIVE:
                reason = f"its engine was ended by {died.name}"
                events.add_event(connection, run_id, "interrupted", reason)
                runs.finish_run(connection, run_id, "interrupted", reason, ExitCode.CANCELLED)
                return ExitCode.CANCELLED
            in_flight = sum(len(keys) for keys in items.in_flight_of_run(connection, run_id).values())
            failed = items.blame(connection, run_id, died.name)
            crashes, idle = crashes + 1, 0 if in_flight else idle + 1
            text = f"the engine died of {died.name} in native code; " + (
                f"unit {failed[0]} crashed it alone and is left out" if failed else f"{in_flight} units in flight will be run singly"
            )
            events.add_event(connection, run_id, "crash", text, signal=died.name, in_flight=in_flight)
            if crashes >= MOST_CRASHES or idle >= MOST_IDLE_CRASHES:
                reason = f"the engine died of {died.name} {crashes} times; run: datatune doctor"
                runs.finish_run(connection, run_id, "failed", reason, ExitCode.STAGE_FAILED)
                events.add_event(connection, run_id, "failed", reason)
                return ExitCode.STAGE_FAILED


def _engine(run_id: str, log: int) -> int:
    command = [sys.executable, "-I", "-m", "engine.work", run_id]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
    return child.wait()


def _ended(connection: Connection, run_id: str, code: int) -> int:
    run = runs.read_run(connection, run_id)
    if run and run.state in ("running", "interrupted", "new"):
        runs.finish_run(connection, run_id, "failed", "the engine ended without a word; see its log", ExitCode(code or ExitCode.CRASHED))
    return code


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
