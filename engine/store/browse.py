"""Looks through the units of steps: which there are, in what order, and one page of them at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Literal

import msgspec

from engine.store.items import Item
from engine.store.tallies import ItemState

Order = Literal["entered", "longest", "output", "reason"]

_ORDERS: dict[Order, str] = {
    "entered": "seq, key",
    "longest": "length(result) DESC, seq, key",
    "output": "json_extract(result, '$.output'), seq, key",
    "reason": "reason, seq, key",
}

WHOLE = ("output=", "reason=")
"""Begin a search for a whole output or reason."""

Place = tuple[str, int, str]
"""Step, seq and key of a unit."""


def find_units(
    connection: sqlite3.Connection, steps: Sequence[str], state: ItemState | Literal[""] = "", text: str = "", order: Order = "entered"
) -> list[Place]:
    """Where the units are, step after step, each step's in this order.

    `state` "" takes all; `text` must stand in the example, the reason or the trace, in whatever case where it is ASCII; after
    "output=" or "reason=" it must be the whole output or reason.
    """
    found: list[Place] = []
    for step in steps:
        conditions, values = ["step = ?"], [step]
        if state:
            conditions.append("state = ?")
            values.append(state)
        if text.startswith(WHOLE):
            field, _, wanted = text.partition("=")
            conditions.append("reason = ?" if field == "reason" else "state = 'accepted' AND json_extract(result, '$.output') = ?")
            values.append(wanted)
        elif text:
            # Results are JSON: what is looked for is written as it is there.
            for_result, for_reason = msgspec.json.encode(text).decode()[1:-1], text
            conditions.append("(result LIKE ? ESCAPE '\\' OR reason LIKE ? ESCAPE '\\' OR key = ?)")
            values += [f"%{_literal(for_result)}%", f"%{_literal(for_reason)}%", text]
        query = f"SELECT step, seq, key FROM items WHERE {' AND '.join(conditions)} ORDER BY {_ORDERS[order]}"
        found += map(tuple, connection.execute(query, values))
    return found


def first_unit(connection: sqlite3.Connection, step: str, *, state: ItemState, reason: str) -> Item | None:
    """The first unit to enter that ended so, or None."""
    row = connection.execute(
        "SELECT key, seq, state, reason, result FROM items WHERE step = ? AND state = ? AND reason = ? ORDER BY seq, key LIMIT 1",
        (step, state, reason),
    ).fetchone()
    return Item(row["key"], row["seq"], row["state"], row["reason"], row["result"]) if row else None


def read_units(connection: sqlite3.Connection, places: Sequence[Place]) -> list[Item | None]:
    """The units at these places, in the order asked for; None for one that is gone."""
    found: list[Item | None] = []
    for place in places:
        row = connection.execute(
            "SELECT key, seq, state, reason, result FROM items WHERE step = ? AND seq = ? AND key = ?", place
        ).fetchone()
        found.append(Item(row["key"], row["seq"], row["state"], row["reason"], row["result"]) if row else None)
    return found


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
