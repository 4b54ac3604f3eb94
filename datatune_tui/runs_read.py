"""What the screens know: read from the database, which engines write; nothing is remembered here but the connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeVar

from engine.curve import Point, curve_of
from engine.locations import Locations
from engine.records import Value
from engine.store.database import Connection, needs_migration, open_reader, open_small_writer, translated, version_seen
from engine.store.events import Event, Progress, events_after, read_progress
from engine.store.runs import Run, list_runs, read_run
from engine.store.steps import Step, steps_of_run
from engine.store.tallies import ItemState, TrendPoint, item_counts, reason_counts, trend

K = TypeVar("K")

MAKING = ("execute", "generate")
"""Stages whose units become examples."""
LEFT_OUT = "left out"
"""State, among those of units, of examples that are not in the mix."""


class Row(Value, frozen=True):
    """One run in the list."""

    run: Run
    progress: Progress | None
    """Of one that is at work."""


class Units(Value, frozen=True):
    """How the units of one step ended so far."""

    counts: dict[ItemState, int] = {}
    reasons: dict[str, int] = {}
    """Why units did not become examples, most frequent first."""
    trend: tuple[TrendPoint, ...] = ()
    """How they ended over the step's time at work."""


class View(Value, frozen=True):
    """One run in full."""

    run: Run
    steps: tuple[Step, ...]
    progress: Progress | None
    """Of one that is at work."""
    units: dict[str, Units]
    """Of the steps that make examples and of the mix, by fingerprint."""
    events: tuple[Event, ...]
    """The whole story."""
    curves: dict[str, tuple[Point, ...]] = {}
    """Of the steps that train, by fingerprint."""

    @property
    def counts(self) -> dict[ItemState, int]:
        """Units of all steps that make examples."""
        return _summed([self.units[step.fingerprint].counts for step in self.steps if step.stage in MAKING])


class Reader:
    """Reads the database of a home, once there is one."""

    def __init__(self, locations: Locations) -> None:
        self.locations = locations
        self._connection: Connection | None = None
        self._seen = -1
        self._curves: dict[str, tuple[int, tuple[Point, ...]]] = {}
        """Step → number of points seen, and those that are drawn."""
        self._told: tuple[str, tuple[Event, ...]] = ("", ())
        """Run and its story as far as it was read."""

    def changed(self) -> bool:
        """Whether anybody wrote since this was last asked."""
        connection = self.connection()
        if connection is None:
            return False
        with translated(self.locations.database):
            seen = version_seen(connection)
        changed, self._seen = seen != self._seen, seen
        return changed

    def connection(self) -> Connection | None:
        """A connection that reads; None while there is no database with all its tables. Raises StoreUnusable."""
        path = self.locations.database
        if self._connection is None and path.exists():
            with translated(path):
                connection = open_reader(path)
                if needs_migration(connection):
                    connection.close()
                else:
                    self._connection = connection
        return self._connection

    def writer(self) -> Connection:
        """A connection for one small write; the caller closes it. Raises StoreUnusable."""
        return open_small_writer(self.locations.database)

    def rows(self) -> list[Row]:
        """All runs, newest first."""
        connection = self.connection()
        if connection is None:
            return []
        with translated(self.locations.database):
            return [Row(run, read_progress(connection, run.id) if run.state == "running" else None) for run in list_runs(connection)]

    def view(self, run_id: str) -> View | None:
        """One run; None where there is none of this id."""
        connection = self.connection()
        if connection is None:
            return None
        with translated(self.locations.database):
            run = read_run(connection, run_id)
            if run is None:
                return None
            steps = tuple(steps_of_run(connection, run.id))
            made = [step.fingerprint for step in steps if step.stage in (*MAKING, "mix")]
            return View(
                run=run,
                steps=steps,
                progress=read_progress(connection, run.id) if run.state == "running" else None,
                units={step: self._units(connection, step) for step in made},
                events=self._story(connection, run.id),
                curves={step.fingerprint: self._curve(connection, step.fingerprint) for step in steps if step.stage == "finetune"},
            )

    def _units(self, connection: Connection, step: str) -> Units:
        return Units(item_counts(connection, step), reason_counts(connection, step), tuple(trend(connection, step)))

    def _curve(self, connection: Connection, step: str) -> tuple[Point, ...]:
        """Read only when there are more points than were seen."""
        count = item_counts(connection, step).get("accepted", 0)
        if self._curves.get(step, (0, ()))[0] != count:
            self._curves = {step: (count, curve_of(connection, step))}
        return self._curves.get(step, (0, ()))[1]

    def _story(self, connection: Connection, run: str) -> tuple[Event, ...]:
        """Only what came since it was last read is read."""
        told = self._told[1] if self._told[0] == run else ()
        self._told = (run, (*told, *events_after(connection, run, told[-1].id if told else 0)))
        return self._told[1]

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def ago(at: float, now: float | None = None) -> str:
    """How long ago, in the largest unit that fits."""
    passed = max(0.0, (time.time() if now is None else now) - at)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{int(passed // size)} {unit} ago"
    return "now"


def _summed(parts: Sequence[dict[K, int]]) -> dict[K, int]:
    total: dict[K, int] = {}
    for part in parts:
        for key, count in part.items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items(), key=lambda pair: -pair[1]))
