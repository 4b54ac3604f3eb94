"""The engine's own process: `python -I -m engine.work RUN`. Does one run and writes everything to the database.

Started by engine.watch, which survives it. SIGTERM ends it between two units, as a cancel does.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from engine.errors import Busy, Cancelled, EngineError, ExitCode
from engine.locations import Locations, locate
from engine.log import leave, say
from engine.pipeline import Ending, run_pipeline
from engine.roles import Roles
from engine.session import Pulse, Session
from engine.store import runs
from engine.store.database import DISK_TROUBLE, DatabaseError, open_writer, release_reserve, unusable
from engine.store.lease import this_process
from engine.store.origins import origin_of

NICENESS = 5
"""The machine stays somebody's workstation: what they type comes before a run that takes every core for hours."""


def main(arguments: list[str]) -> int:
    """Do the run named. Returns its exit code."""
    (run_id,) = arguments
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        locations = locate().ensure()
        connection = open_writer(locations.database)
    except EngineError as error:
        say(error.title)
        return error.exit_code
    # Nothing here may reach out: libraries are told before they are imported.
    os.environ.update(
        HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false"
    )
    run = runs.read_run(connection, run_id)
    if run is None:
        say(f"no run {run_id}")
        return ExitCode.BAD_INPUT
    origin = origin_of(connection, run.id)
    roles = Roles(run.settings.models, locations, origin.models if origin else None)
    session = Session(connection, run.id, this_process(), locations, roles, run.settings.budget_seconds)
    session.parent = os.getppid()
    signal.signal(signal.SIGTERM, _terminated(session))
    pulse = Pulse(locations.database, session)
    pulse.start()
    try:
        return _outcome(session, run, locations)
    finally:
        pulse.stop()
        roles.close()


def _outcome(session: Session, run: runs.Run, locations: Locations) -> int:
    connection = session.connection
    session.event("started", f"run {run.id}: {run.task.name}")
    try:
        ending = run_pipeline(session, run.task, run.settings)
    except Cancelled as error:
        return _finish(session, "cancelled", error.title, error.exit_code)
    except Busy as error:
        return _finish(session, "failed", f"{error.title}; {error.hint}", error.exit_code)
    except EngineError as error:
        return _finish(session, "failed", error.title, error.exit_code, hint=error.hint)
    except DatabaseError as error:
        broken = unusable(locations.database, error)
        return _finish(session, "failed", broken.title, broken.exit_code, hint=broken.hint)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
            broken = unusable(Path(error.filename or locations.home), error)
            return _finish(session, "failed", broken.title, broken.exit_code, hint=broken.hint)
        say(traceback.format_exc())
        return _finish(
            session, "failed", f"unexpected {type(error).__name__}: {error}", ExitCode.CRASHED, hint=f"details: {_log(locations, run.id)}"
        )
    reason = _told(ending, session)
    session.event("finished", reason, examples=ending.examples)
    runs.finish_run(connection, run.id, "done", reason, ExitCode.DONE, ending.examples)
    return ExitCode.DONE


def _told(ending: Ending, session: Session) -> str:
    if ending.compared:
        values = ", ".join(f"{arm.name} {arm.figures[0].estimate.value:.3f}" for arm in ending.compared.arms)
        return f"{ending.compared.metric}: {values}; n {ending.compared.items:,}"
    from engine.export.model_files import told_model

    where = f", in {ending.exported.folder}" if ending.exported else ""
    left_out = f"; {ending.mixed.counts.left_out:,} left out of the mix" if ending.mixed and ending.mixed.counts.left_out else ""
    early = "; the time budget ended it early" if session.budget_ended else ""
    sources = f"{len(ending.parts)} data set{'s' if len(ending.parts) != 1 else ''}"
    if ending.synthetic:
        taken = [source.counts.examples for source in ending.mixed.sources if source.model] if ending.mixed else []
        written = f"{sum(taken) if ending.mixed else sum(part.take for part in ending.synthetic):,} synthetic"
        sources = f"{sources} and {written} ones" if ending.parts else f"the task alone, {written}"
    model = "".join(f"; {line}" for line in told_model(ending.exported)) if ending.exported else ""
    return f"{ending.examples:,} examples from {sources}{left_out}{where}{model}{early}"


def _finish(session: Session, state: runs.RunState, reason: str, code: ExitCode, hint: str = "") -> int:
    if code == ExitCode.STORE_UNUSABLE:
        say(reason)
        release_reserve(session.locations.database)
    try:
        session.event(state, reason, hint=hint)
        runs.finish_run(session.connection, session.run, state, reason, code)
    except DatabaseError as error:
        # The disk is gone or cannot be written: the log is the only place left, the watcher reads the exit code.
        say(f"{reason} (not recorded: {error})")
    return code


def _terminated(session: Session) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        session.terminated = True

    return handle


def _log(locations: Locations, run: str) -> Path:
    return locations.logs / f"{run}.log"


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
