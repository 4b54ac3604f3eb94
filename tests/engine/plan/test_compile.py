"""Programs: what becomes of a unit, with and without a model, and what may not leave a plan."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from engine.errors import BadInput
from engine.plan.compile import Program, compile_plan
from engine.plan.file import plan_digest
from engine.plan.steps import AnyStep, Check, Emit, Map, Options, Parse, Pick, Plan, Write
from engine.plan.units import Accepted, Failed, ModelCall, Outcome, Rejected, Skipped
from engine.records import Task, TaskExample
from tests.engine.plan.tables import Table, examples, outcomes, task

SAY = Emit(input="{{ x }}", output="{{ y }}")


def plan(*steps: AnyStep, emit: Emit = SAY) -> Plan:
    return Plan(name="p", steps=steps, emit=emit)


def asked(program: Program, table: Table, *completions: str) -> tuple[list[ModelCall], Outcome]:
    """The calls the first unit makes and what becomes of it, given these completions."""
    run = program.run(next(program.units(table)))
    calls: list[ModelCall] = []
    try:
        calls.append(next(run))
        for completion in completions:
            calls.append(run.send(completion))
    except StopIteration as end:
        return calls, end.value
    raise AssertionError("the unit wants more completions")


def test_a_unit_ends_the_same_in_bulk_and_alone() -> None:
    steps = (Map(value="y", into="z", table={"a": "A", "b": "B"}), Parse(value="n", into="m", form="number"))
    program_plan = plan(*steps, emit=Emit(input="{{ x }} {{ m }}", output="{{ z }}"))
    rows: list[dict[str, Any]] = [
        {"x": "one", "y": "a", "n": "1"},
        {"x": "two", "y": "c", "n": "2"},
        {"x": "\u0000", "y": "b", "n": "none"},
        {"x": None, "y": "b", "n": "3"},
    ]
    table = Table(rows)
    program = compile_plan(program_plan, table.columns, task=task())
    for unit in program.units(table):
        alone = program.run(unit)
        with pytest.raises(StopIteration) as end:
            next(alone)
        assert program.outcome(unit) == end.value.value
    assert {type(program.outcome(unit)) for unit in program.units(table)} >= {Accepted, Skipped}


def test_an_example_carries_its_source_its_origin_and_its_plan() -> None:
    made = examples(plan(), Table([{"x": " in ", "y": "out"}]))["0"]
    assert (made.input, made.output, made.output_origin, made.plan) == ("in", "out", "copied", plan_digest(plan()))
    assert made.source.row == 0


def test_a_plan_with_an_error_is_not_compiled() -> None:
    with pytest.raises(BadInput, match="emit: input: there is no `x`"):
        compile_plan(plan(), Table([{"y": "out"}]).columns, task=task())


@pytest.mark.parametrize(
    ("row", "for_task", "reason"),
    [
        ({"x": " ", "y": "out"}, task(), "input: empty"),
        ({"x": "in", "y": "\x00"}, task(), "output: empty"),
        ({"x": "in", "y": "maybe"}, task("label", ("yes", "no")), "output: 'maybe' is not one of the task's labels"),
        (
            {"x": "One  EXAMPLE", "y": "out"},
            task(examples=(TaskExample("one example", "other"),)),
            "input: a copy of one of the task's examples",
        ),
        ({"x": "(A) in", "y": "AB"}, task("option_letter"), "output: 'AB' is not a letter"),
        ({"x": "A. in\nB. on", "y": "C"}, task("option_letter"), "output: 'C' is not one of the options"),
        ({"x": "in or on", "y": "out"}, task("option_text"), "output: 'out' is not one of the options"),
    ],
)
def test_what_is_no_example_of_the_task_is_rejected(row: dict[str, Any], for_task: Task, reason: str) -> None:
    assert outcomes(plan(), Table([row]), for_task)["0"] == Rejected(reason)


def test_options_in_the_text_of_a_column_serve_as_well() -> None:
    assert "0" in examples(plan(), Table([{"x": "A. in\nB. on", "y": "B"}]), task("option_letter"))
    assert "0" in examples(plan(), Table([{"x": "in or on", "y": "on"}]), task("option_text"))


def test_an_answer_beside_the_options_serves_when_the_plan_names_it() -> None:
    steps = (Options(into="o", columns=("a", "b")), Pick(options="o", into="p", by="flags", flags=("f",), none="neither"))
    table = Table([{"x": "who", "a": "Ana", "b": "Li", "f": [False, False]}])
    made = examples(plan(*steps, emit=Emit(input="{{ x }} {{ o }}", output="{{ p }}")), table, task("option_text"))
    assert made["0"].output == "neither"


def test_a_model_step_yields_its_call_and_takes_the_completion() -> None:
    write = Write(instruction="Ask a question about the text.", given=("x", "n"), into=("q",), max_chars=50)
    program = compile_plan(plan(write, emit=Emit(input="{{ x }}", output="{{ q }}")), Table([{"x": "in", "n": 2.0}]).columns, task=task())
    assert program.has_model_steps
    calls, outcome = asked(program, Table([{"x": 'in """ </s>', "n": 2.0}]), json.dumps({"q": " Why?\x07 "}))
    assert isinstance(outcome, Accepted)
    assert (outcome.example.output, outcome.example.output_origin) == ("Why?", "written")
    assert calls[0].given == (("x", 'in """ </s>'), ("n", "2"))
    assert calls[0].schema["required"] == ["q"]
    assert calls[0].schema["properties"]["q"]["maxLength"] == 50
    user = calls[0].messages()[-1].content
    assert user.startswith("Ask a question about the text.") and user.count('"""') == 4


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        ("not json", Failed("write: the answer is not JSON")),
        ("[1]", Failed("write: the answer is not a JSON object")),
        ('{"other": "x"}', Failed("write: no text for q in the answer")),
        ('{"q": 3}', Failed("write: no text for q in the answer")),
        ('{"q": " "}', Rejected("write: q is empty")),
        (json.dumps({"q": "long" * 20}), Failed("write: q is longer than 50 characters")),
        ("[" * 100_000, Failed("write: the answer is not JSON")),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_never_passes(completion: str, outcome: Outcome) -> None:
    write = Write(instruction="Ask.", given=("x",), into=("q",), max_chars=50)
    table = Table([{"x": "in"}])
    program = compile_plan(plan(write, emit=Emit(input="{{ x }}", output="{{ q }}")), table.columns, task=task())
    assert asked(program, table, completion)[1] == outcome


def test_a_written_label_can_only_be_a_label() -> None:
    write = Write(instruction="Judge.", given=("x",), into=("q",))
    table = Table([{"x": "in"}])
    program = compile_plan(plan(write, emit=Emit(input="{{ x }}", output="{{ q }}")), table.columns, task=task("label", ("yes", "no")))
    calls, outcome = asked(program, table, '{"q": "perhaps"}')
    assert calls[0].schema["properties"]["q"] == {"type": "string", "enum": ["yes", "no"]}
    assert outcome == Failed("write: 'perhaps' is not one of the answers allowed")


def test_a_check_lets_yes_pass_and_rejects_no_with_the_question() -> None:
    table = Table([{"x": "in", "y": "out"}])
    program = compile_plan(plan(Check(question="Is it polite?", given=("x",))), table.columns, task=task())
    assert isinstance(asked(program, table, '{"answer": "yes"}')[1], Accepted)
    assert asked(program, table, '{"answer": "no"}')[1] == Rejected("check: no to 'Is it polite?'")
    assert asked(program, table, '{"answer": "maybe"}')[1] == Failed("check: the answer is neither yes nor no")


def test_an_input_in_which_the_model_told_the_output_is_rejected() -> None:
    write = Write(instruction="Ask for the answer.", given=("x", "y"), into=("q",))
    table = Table([{"x": "in", "y": "Lake Como"}])
    program = compile_plan(plan(write, emit=Emit(input="{{ q }}", output="{{ y }}")), table.columns, task=task())
    assert asked(program, table, '{"q": "Is it lake Como?"}')[1] == Rejected("input: the output stands in it")
    assert isinstance(asked(program, table, '{"q": "Which lake is it?"}')[1], Accepted)


def test_a_unit_can_be_run_again_with_the_same_result() -> None:
    table = Table([{"x": "in", "a": "red", "b": "blue", "n": 1}])
    steps = (Options(into="o", columns=("a", "b")), Pick(options="o", into="p", by="index", value="n"))
    program = compile_plan(plan(*steps, emit=Emit(input="{{ x }} {{ o }}", output="{{ p }}")), table.columns, task=task())
    unit = next(program.units(table))
    assert program.outcome(unit) == program.outcome(unit)
    assert "o" not in unit.values


def test_a_plan_that_asks_a_model_has_no_outcome_without_one() -> None:
    table = Table([{"x": "in", "y": "out"}])
    program = compile_plan(plan(Check(question="Is it?", given=("x",))), table.columns, task=task())
    with pytest.raises(ValueError, match="asks a model"):
        program.outcome(next(program.units(table)))


def test_a_thousand_rows_take_a_fraction_of_a_second() -> None:
    table = Table({"x": f"in {n}", "y": f"out {n}"} for n in range(2000))
    began = time.perf_counter()
    assert len(examples(plan(), table)) == 2000
    assert time.perf_counter() - began < 2  # a tenth of that on one idle core


PROSE = Plan(name="p", prose=("Take the x column as input.", "Write the output yourself."), origin="prose")


def test_prose_shows_task_examples_steps_and_row_in_one_call() -> None:
    table = Table([{"x": "in", "y": "out", "picture": b"\x00"}])
    for_task = task(examples=(TaskExample("first in", "first out"),))
    program = compile_plan(PROSE, table.columns, task=for_task, description="The same in more words.")
    calls, outcome = asked(program, table, '{"skip": false, "input": "in", "output": "made"}')
    assert isinstance(outcome, Accepted)
    assert (outcome.example.input, outcome.example.output, outcome.example.output_origin) == ("in", "made", "written")
    instruction = calls[0].instruction
    for shown in (for_task.description, "The same in more words.", "first in", "first out", "1. Take the x column", "2. Write the output"):
        assert shown in instruction
    assert calls[0].given == (("x", "in"), ("y", "out"))
    assert list(calls[0].schema["properties"]) == ["input", "output", "skip"], "to leave a row out is decided once it was tried"


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        ('{"skip": true, "input": "", "output": ""}', Skipped("prose: the model left the row out")),
        ('{"skip": false, "input": "in"}', Failed("prose: the answer lacks input or output")),
        ('{"skip": false, "input": "in", "output": ""}', Rejected("output: empty")),
        ("nothing", Failed("prose: the answer is not JSON")),
    ],
)
def test_a_prose_answer_is_checked_like_any_other(completion: str, outcome: Outcome) -> None:
    table = Table([{"x": "in", "y": "out"}])
    assert asked(compile_plan(PROSE, table.columns, task=task()), table, completion)[1] == outcome


def test_prose_shows_only_the_columns_it_names() -> None:
    table = Table([{"x": "in", "y": "out"}, {"x": "", "y": "out"}])
    program = compile_plan(Plan(name="p", prose=("Copy.",), columns=("x",)), table.columns, task=task())
    units = {unit.key: unit for unit in program.units(table)}
    assert next(program.run(units["0"])).given == (("x", "in"),)
    assert program.outcome(units["1"]) == Skipped("prose: the row is empty")
