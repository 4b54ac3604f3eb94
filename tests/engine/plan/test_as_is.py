"""A data set's columns as they stand: those a real plan reads, with nothing done to them."""

from __future__ import annotations

import pytest

from engine.errors import NothingSuitable
from engine.plan.as_is import as_it_stands
from engine.plan.steps import Emit, Map, Match, Plan
from engine.records import Column


def columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "text") for name in names)


def test_the_columns_a_plan_shows_and_answers_from_are_taken_untouched() -> None:
    plan = Plan(
        name="p", steps=(Map(value="kind", into="label", table={"S": "sun"}),), emit=Emit(input="Note: {{ note }}", output="{{ label }}")
    )
    made = as_it_stands(plan, columns("number", "kind", "note"))
    assert made.emit == Emit(input="{{ note }}", output="{{ kind }}") and not made.steps


def test_a_column_that_a_plan_cuts_in_two_is_the_output_alone() -> None:
    cut = (
        Match(value="output", into="a", pattern="^(.*) > .*$", group=1),
        Match(value="output", into="b", pattern="^.* > (.*)$", group=1),
    )
    plan = Plan(name="p", steps=cut, emit=Emit(input="{{ a }} or {{ b }}", output="{{ a }}"))
    made = as_it_stands(plan, columns("story", "output"))
    assert made.emit == Emit(input="{{ story }}", output="{{ output }}")
    with pytest.raises(NothingSuitable, match="no two columns"):
        as_it_stands(plan, columns("output"))
