"""How many units of a step ended how, kept while they are stored, and how that grew while the step was at work."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from engine.records import Value

ItemState = Literal["accepted", "rejected", "failed", "skipped"]


class TrendPoint(Value):
    """How the units of a step had ended after so many seconds of work."""

    worked: float
    accepted: int
    rejected: int
    failed: int
    skipped: int
    tokens: int
    """Read and written by the model for this step until then."""

    @property
    def units(self) -> int:
        """All that had ended."""
        return self.accepted + self.rejected + self.failed + self.skipped


def add_to_tallies(connection: sqlite3.Connection, step: str, ended: Iterable[tuple[ItemState, str]]) -> None:
    """Count units that were stored just now: their state and reason."""
    connection.executemany(
        "INSERT INTO tallies (step, state, reason, units) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (step, state, reason) DO UPDATE SET units = units + excluded.units",
        [(step, state, reason, units) for (state, reason), units in Counter(ended).items()],
    )


def count_anew(connection: sqlite3.Connection, step: str) -> None:
    """Count all units of a step, where it is not known which of those given were new."""
    connection.execute("DELETE FROM tallies WHERE step = ?", (step,))
    connection.execute("INSERT INTO tallies SELECT step, state, reason, count(*) FROM items WHERE step = ? GROUP BY state, reason", (step,))


def item_counts(connection: sqlite3.Connection, step: str) -> dict[ItemState, int]:
    """How many units ended in each state."""
    return dict(connection.execute("SELECT state, sum(units) FROM tallies WHERE step = ? GROUP BY state", (step,)).fetchall())


def reason_counts(connection: sqlite3.Connection, step: str) -> dict[str, int]:
    """Why units did not become examples, most frequent first."""
    rows = connection.execute(
        "SELECT state || ': ' || reason, units FROM tallies WHERE step = ? AND state != 'accepted' ORDER BY units DESC, 1", (step,)
    )
    return dict(rows.fetchall())


def reasons_of(connection: sqlite3.Connection, step: str) -> list[tuple[ItemState, str, int]]:
    """State, reason and number of the units that did not become examples, the most frequent first."""
    rows = connection.execute(
        "SELECT state, reason, units FROM tallies WHERE step = ? AND state != 'accepted' ORDER BY units DESC, state, reason", (step,)
    )
    return [(row["state"], row["reason"], row["units"]) for row in rows]


def add_trend_point(connection: sqlite3.Connection, step: str, worked: float, tokens: int) -> None:
    """Note how the units have ended by now, after so many seconds of work on the step and so many tokens."""
    counts = item_counts(connection, step)
    states: tuple[ItemState, ...] = ("accepted", "rejected", "failed", "skipped")
    connection.execute(
        "INSERT OR REPLACE INTO trends VALUES (?, ?, ?, ?, ?, ?, ?)", (step, worked, *(counts.get(state, 0) for state in states), tokens)
    )


def work_before(connection: sqlite3.Connection, step: str) -> tuple[float, int]:
    """Seconds that engines had worked on the step, and tokens, when it was last noted."""
    seconds, tokens = connection.execute(
        "SELECT coalesce(max(worked), 0), coalesce(max(tokens), 0) FROM trends WHERE step = ?", (step,)
    ).fetchone()
    return float(seconds), int(tokens)


def trend(connection: sqlite3.Connection, step: str) -> list[TrendPoint]:
    """How the step's units ended over its time at work, from the first second on."""
    rows = connection.execute(
        "SELECT worked, accepted, rejected, failed, skipped, tokens FROM trends WHERE step = ? ORDER BY worked", (step,)
    )
    return [TrendPoint(*row) for row in rows]
