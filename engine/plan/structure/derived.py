"""Values made of a column's, profiled like columns: what cleaning leaves and what a text's parts hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.plan.profile import ColumnProfile, Sample, identifier, read_sample
from engine.plan.steps import AnyStep
from engine.records import Column, Row


def derived_profile(name: str, origin: ColumnProfile, steps: tuple[AnyStep, ...], values: Sequence[Any]) -> ColumnProfile:
    """What the values say of themselves, as of something nested in the column they were made of."""
    rows = [Row(index, {name: value}) for index, value in enumerate(values)]
    profile = read_sample((Column(name, "mixed"),), rows).profiles[0]
    return msgspec.structs.replace(profile, column=origin.column, steps=(*origin.steps, *steps))


def extended(sample: Sample, added: Sequence[tuple[ColumnProfile, list[Any]]]) -> Sample:
    """The sample with further values, each after the column it was made of."""
    if not added:
        return sample
    order = [*sample.profiles]
    for profile, _ in added:
        last = max(place for place, other in enumerate(order) if other.column == profile.column)
        order.insert(last + 1, profile)
    return Sample(tuple(order), {**sample.values, **{profile.name: values for profile, values in added}}, sample.rows)


def taken_name(name: str, taken: set[str]) -> str:
    """A name like this one that no value has yet; it is taken from now on."""
    name = identifier(name)
    while name in taken:
        name += "_"
    taken.add(name)
    return name
