"""Why units did not become examples, and examples did not enter the mix: each reason with one case to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from engine.export.facts import portable
from engine.records import Example, MixUnit, Value
from engine.store.browse import first_unit, read_units
from engine.store.items import Item
from engine.store.tallies import ItemState, reasons_of

if TYPE_CHECKING:
    from engine.store.database import Connection
    from engine.store.steps import Step

MOST_REASONS = 20
"""Reasons of one step that are listed; the others are one line."""


class Failure(Value):
    """One reason of one step."""

    stage: str
    candidate: str
    state: str
    reason: str
    units: int
    case: str = ""
    """A unit that ended so: where it is, and what the model answered."""


def failures_of(connection: Connection, taken: Sequence[Step]) -> Iterator[Failure]:
    """Reasons step by step, the most frequent first."""
    for step in taken:
        if step.stage not in ("execute", "generate", "mix"):
            continue
        rows = reasons_of(connection, step.fingerprint)
        name = str(portable(step.candidate))
        for state, reason, units in rows[:MOST_REASONS]:
            yield Failure(step.stage, name, state, reason, units, _case(connection, step, state, reason))
        if others := rows[MOST_REASONS:]:
            total = sum(units for _, _, units in others)
            yield Failure(step.stage, name, "", f"{len(others):,} other reasons", total)


def _case(connection: Connection, step: Step, state: ItemState, reason: str) -> str:
    item = first_unit(connection, step.fingerprint, state=state, reason=reason)
    if item is None:
        return ""
    return _of_mix(connection, item) if step.stage == "mix" else "\n".join((f"unit {item.key}", *item.answers))


def _of_mix(connection: Connection, item: Item) -> str:
    """The example that was left out, and what it met."""
    unit = msgspec.json.decode(item.result, type=MixUnit)
    (stored,) = read_units(connection, [(unit.step, unit.seq, unit.key)])
    if stored is None:
        return unit.detail
    example = msgspec.json.decode(stored.result, type=Example)
    return "\n".join(filter(None, (unit.detail, example.input, f"→ {example.output}")))
