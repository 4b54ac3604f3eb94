"""What a run that came in a bundle knew on the machine it comes from: as what its data and models, which may not be here, counted there.

It stands in the run's story. What was done there is then taken as done here, without its rows, its models or its catalog.
"""

from __future__ import annotations

import sqlite3

import msgspec

from engine.records import Value

UNBUNDLED = "unbundled"
"""Kind of the event that holds it."""


class DataSeen(Value):
    """A data set as the other machine had it."""

    label: str
    """What it was called there."""
    revision: str


class ModelSeen(Value):
    """A model as the other machine had it; see models.language.Identity."""

    name: str
    digest: str
    runtime: str
    batched: bool = False
    """Whether its answers were decoded several at a time."""


class Origin(Value):
    """Where a run comes from."""

    run: str
    """Its id there."""
    catalog: str = ""
    """State of the catalog that its search was of; "" where it had none, or has to search again."""
    data: dict[str, DataSeen] = {}
    """By the name the run gives it: an id, or a folder of the other machine."""
    models: dict[str, ModelSeen] = {}
    """By spec, as the run's settings have it now."""
    plans: dict[str, tuple[str, ...]] = {}
    """Data set → plans in TOML that earlier runs there had applied to it for the same task."""


class _Data(Value):
    """What the event holds."""

    origin: Origin


def origin_of(connection: sqlite3.Connection, run: str) -> Origin | None:
    """Where a run comes from; None for one that was begun here."""
    row = connection.execute("SELECT data FROM events WHERE run = ? AND kind = ? ORDER BY id DESC LIMIT 1", (run, UNBUNDLED)).fetchone()
    return msgspec.json.decode(row["data"], type=_Data).origin if row else None
