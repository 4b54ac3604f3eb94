"""Follows a run through the database: its story line by line, its progress as a bar, to its end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from types import FrameType

from engine.cli.output import note
from engine.cli.progress import Meter
from engine.locations import Locations
from engine.plain_text import clean
from engine.store import events, runs
from engine.store.database import Connection, open_reader, open_small_writer

POLL_SECONDS = 0.1
QUIET = {
    "step-reused",
    "candidate",
    "roles",
    "step-finished",
    "started",
    "finished",
    "exported",
    "failed",
    "made",
    "generated",
    "cancelled",
}
"""Told elsewhere, or too much for a screen; `datatune show RUN --events` has everything."""


def follow(run: str, locations: Locations, engine: subprocess.Popen[bytes]) -> runs.Run:
    """Show a run until it ends. Ctrl-C asks the engine to stop; a second one leaves it to itself."""
    connection = open_reader(locations.database)
    meters: dict[tuple[str, str], Meter] = {}
    meter = Meter("", sys.stderr.isatty())
    shown = 0.0
    last = _last_event(connection, run)
    asked = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        note("stopping; once more leaves it running")
        writer = open_small_writer(locations.database)
        runs.send_command(writer, run, "cancel")
        writer.close()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        while True:
            over = engine.poll() is not None
            for event in events.events_after(connection, run, last):
                last = event.id
                if event.kind not in QUIET:
                    meter.end()
                    note(_told(event))
            if over:
                break
            progress = events.read_progress(connection, run)
            if progress and progress.at != shown:
                shown = progress.at
                meter = meters.setdefault((progress.stage, progress.candidate), meter_of(progress))
                meter.show(progress.done, progress.total, progress.unit)
            time.sleep(POLL_SECONDS)
    finally:
        signal.signal(signal.SIGINT, before)
    meter.end()
    found = runs.read_run(connection, run)
    assert found is not None
    return found


def meter_of(progress: events.Progress) -> Meter:
    """A meter that names the stage."""
    return Meter(f"{progress.stage}{' ' + progress.candidate if progress.candidate else ''}", sys.stderr.isatty())


def _told(event: events.Event) -> str:
    place = f" {event.candidate}" if event.candidate else ""
    stage = f"{event.stage}{place}: " if event.stage and not event.text.startswith(event.stage) else ""
    return clean(f"{stage}{event.text}")


def _last_event(connection: Connection, run: str) -> int:
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM events WHERE run = ?", (run,)).fetchone()
    return int(last)
