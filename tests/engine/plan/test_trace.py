"""Traces: what every step of a plan read and gave for a unit, and where the unit ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.plan.compile import compile_plan
from engine.plan.steps import AnyStep, Emit, Explode, Keep, Map, Options, Pick, Plan, Shuffle, Write
from engine.plan.trace import CHARACTERS, UnitSeen, trace_units
from engine.plan.units import ModelCall
from tests.engine.plan.tables import Table, outcomes, task

SAY = Emit(input="{{ x }}", output="{{ y }}")


def traced(table: Table, *steps: AnyStep, emit: Emit = SAY, ask: Any = None) -> dict[str, UnitSeen]:
    program = compile_plan(Plan(name="p", steps=steps, emit=emit), table.columns, task=task())
    return {unit.key: unit for unit in trace_units(program, list(program.units(table)), ask)}


def test_each_step_shows_what_it_read_and_what_it_gave() -> None:
    steps = (Map(value="y", into="z", table={"a": "A", "b": "B", "c": "C"}), Keep(value="z", not_one_of=("B",)))
    seen = traced(Table([{"x": "one", "y": "a"}, {"x": "two", "y": "b"}]), *steps, emit=Emit(input="{{ x }}", output="{{ z }}"))
    first, second = seen["0"], seen["1"]
    assert (first.state, first.input, first.output) == ("accepted", "one", "A")
    assert [(step.do, step.before, step.after) for step in first.steps] == [("map", {"y": "a"}, {"z": "A"}), ("keep", {"z": "A"}, {})]
    assert second.state == "skipped" and [step.do for step in second.steps] == ["map", "keep"] and second.reason
    assert second.steps[1].before == {"z": "B"}


def test_a_unit_that_ends_early_shows_the_steps_up_to_there() -> None:
    steps = (Map(value="y", into="z", table={"a": "A", "b": "B"}, unknown="fail"), Keep(value="x", min_chars=1))
    (unit,) = traced(Table([{"x": "one", "y": "q"}]), *steps, emit=Emit(input="{{ x }}", output="{{ z }}")).values()
    assert unit.state == "failed" and [(step.place, step.do, step.after) for step in unit.steps] == [(0, "map", {})]


def test_options_are_shown_in_their_new_order_and_with_the_right_one() -> None:
    steps = (
        Options(columns=("a", "b"), into="choices"),
        Pick(options="choices", by="index", value="label", into="right"),
        Shuffle(options="choices"),
    )
    emit = Emit(input="{{ q }} {{ choices }}", output="{{ right.text }}")
    rows = [{"q": f"which {n}", "a": f"tea {n}", "b": f"ice {n}", "label": 1} for n in range(6)]
    for key, unit in traced(Table(rows), *steps, emit=emit).items():
        options, pick, shuffle = unit.steps
        assert options.after == {"choices": f"A. tea {key}\nB. ice {key}"}
        assert pick.after == {"right": f"ice {key}"} == {"right": unit.output}
        assert sorted(line[3:] for line in shuffle.after["choices"].split("\n")) == [f"ice {key}", f"tea {key}"]


def test_row_steps_show_the_item_of_the_unit() -> None:
    seen = traced(
        Table([{"x": ["one", "two"], "y": "a"}]), Explode(value="x", into="item"), emit=Emit(input="{{ item }}", output="{{ y }}")
    )
    assert {key: unit.steps[0].after for key, unit in seen.items()} == {"0/0": {"item": "one"}, "0/1": {"item": "two"}}
    assert {unit.row for unit in seen.values()} == {0}


def test_without_a_model_a_unit_ends_where_one_is_needed_and_with_one_it_goes_on() -> None:
    write = Write(instruction="Give it a title.", given=("x",), into=("title",))
    table, emit = Table([{"x": "one"}, {"x": "two"}]), Emit(input="{{ x }}", output="{{ title }}")
    alone = traced(table, write, emit=emit)
    assert {unit.state for unit in alone.values()} == {"asks"} and alone["0"].reason == "asks the model: Give it a title."
    rounds: list[int] = []

    def ask(calls: Sequence[ModelCall]) -> Sequence[str | None]:
        rounds.append(len(calls))
        return ['{"title": "' + dict(call.given)["x"].upper() + '"}' if "one" in dict(call.given)["x"] else None for call in calls]

    seen = traced(table, write, emit=emit, ask=ask)
    assert rounds == [2] and seen["0"].output == "ONE" and seen["0"].steps[0].after == {"title": "ONE"}
    assert (seen["1"].state, seen["1"].reason) == ("asks", "no answer that is whole")


def test_what_a_trace_says_of_the_end_is_what_becomes_of_the_unit() -> None:
    rows: list[dict[str, Any]] = [{"x": "one", "y": "a"}, {"x": "", "y": "a"}, {"x": "two", "y": None}]
    table = Table(rows)
    seen = traced(table, Map(value="y", into="z", table={"a": "A", "b": "B"}), emit=Emit(input="{{ x }}", output="{{ z }}"))
    plan = Plan(name="p", steps=(Map(value="y", into="z", table={"a": "A", "b": "B"}),), emit=Emit(input="{{ x }}", output="{{ z }}"))
    for key, outcome in outcomes(plan, table).items():
        assert seen[key].state == outcome.__struct_config__.tag


def test_a_long_or_odd_value_is_shown_short() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    (unit,) = traced(
        Table([{"x": "é" * 1_000_000, "y": "b", "z": deep}]), Keep(value="x", min_chars=1), Keep(value="z", not_one_of=("q",))
    ).values()
    assert len(unit.steps[0].before["x"]) == CHARACTERS and unit.steps[1].before["z"]
