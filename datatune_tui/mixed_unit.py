"""Units of a mix, which say only where their examples are stored, together with those examples."""

from __future__ import annotations

import msgspec

from engine.records import MixUnit
from engine.store.browse import read_units
from engine.store.database import Connection
from engine.store.items import Item


class MixedUnit(Item, frozen=True, kw_only=True):
    """An example that a mix left out: key and result are those of the unit that made it, state and reason the mix's."""

    unit: MixUnit


def made_unit(connection: Connection, item: Item | None) -> Item | None:
    """A mix's unit with its example; any other as it is, None for one that is gone."""
    if item is None or not item.result.startswith('{"step":'):
        return item
    unit = msgspec.json.decode(item.result, type=MixUnit)
    (made,) = read_units(connection, [(unit.step, unit.seq, unit.key)])
    return made and MixedUnit(key=made.key, seq=made.seq, state=item.state, reason=item.reason, result=made.result, unit=unit)
