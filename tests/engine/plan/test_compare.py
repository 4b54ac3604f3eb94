"""Plans side by side: what each made, how often two made the same, and rows where they did not."""

from __future__ import annotations

import pytest

from engine.plan.compare import Comparison, compare_plans
from engine.plan.steps import AnyStep, Check, Emit, Explode, Keep, Map, Plan
from engine.records import Task, TaskExample
from tests.engine.plan.tables import Table, task

TABLE = Table({"note": f"note number {n}", "kind": "ab"[n % 2], "place": n} for n in range(40))
LABELS = task("label", ("red", "blue"), examples=(TaskExample("a note of red things", "red"), TaskExample("a blue note", "blue")))


def plan(*steps: AnyStep, name: str = "p", a: str = "red", b: str = "blue", given: str = "{{ note }}") -> Plan:
    mapped = Map(value="kind", into="label", table={"a": a, "b": b})
    return Plan(name=name, steps=(*steps, mapped), emit=Emit(input=given, output="{{ label }}"))


def compared(*plans: Plan, table: Table = TABLE, for_task: Task = LABELS) -> Comparison:
    named = [(f"{place}.toml", one) for place, one in enumerate(plans, 1)]
    return compare_plans(named, table.columns, table.rows, for_task)


def test_a_plan_agrees_with_itself_and_nothing_differs() -> None:
    found = compared(plan(), plan())
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.rows, pair.same_outputs, pair.same_inputs, pair.agreement) == (1, 2, 40, 40, 40, 1.0)
    assert found.differences == ()
    assert [(side.name, side.trial.made if side.trial else 0) for side in found.plans] == [("1.toml", 40), ("2.toml", 40)]


def test_turned_labels_differ_everywhere_and_three_rows_show_it() -> None:
    found = compared(plan(), plan(a="blue", b="red", given="Note: {{ note }}"))
    (pair,) = found.pairs
    assert (pair.rows, pair.same_outputs, pair.same_inputs, pair.agreement) == (40, 0, 0, 0.0)
    assert [difference.row for difference in found.differences] == [0, 1, 2]
    assert found.differences[0].input == "note number 0"
    assert found.differences[0].outputs == ("red", "blue")


def test_rows_one_plan_leaves_out_do_not_count_and_are_shown_last() -> None:
    few = plan(Keep(value="place", at_least=30))
    (pair,) = compared(plan(), few).pairs
    assert (pair.rows, pair.same_outputs) == (10, 10)
    assert compared(plan(), few).differences[0].outputs == ("red", "")
    turned = plan(Keep(value="place", at_least=38), a="blue", b="red")
    found = compared(plan(), turned)
    assert [difference.row for difference in found.differences] == [38, 39, 0]


def test_every_two_of_three_are_compared() -> None:
    found = compared(plan(), plan(), plan(a="blue", b="red"))
    assert [(pair.first, pair.second, pair.agreement) for pair in found.pairs] == [(1, 2, 1.0), (1, 3, 0.0), (2, 3, 0.0)]
    assert found.differences[0].outputs == ("red", "red", "blue")


@pytest.mark.parametrize(
    ("other", "asks"), [(plan(Keep(value="colour", at_least=1)), False), (plan(Check(question="Is it?", given=("note",))), True)]
)
def test_a_plan_with_errors_or_a_model_is_not_run_but_the_others_are(other: Plan, asks: bool) -> None:
    found = compared(plan(), other, plan())
    side = found.plans[1]
    assert side.trial is None and side.asks_model == asks
    assert [problem.severity for problem in side.problems] == ([] if asks else ["error"])
    assert [(pair.first, pair.second) for pair in found.pairs] == [(1, 3)]


def test_rows_of_several_examples_agree_when_all_of_them_do() -> None:
    table = Table({"words": [f"up {n}", f"down {n}"], "kind": "a"} for n in range(10))
    exploded = Plan(name="p", steps=(Explode(value="words", into="word"),), emit=Emit(input="{{ kind }}", output="{{ word }}"))
    first = Plan(
        name="p",
        steps=(Explode(value="words", into="word", index_into="place"), Keep(value="place", at_most=0)),
        emit=Emit(input="{{ kind }}", output="{{ word }}"),
    )
    found = compared(exploded, first, table=table, for_task=task())
    assert (found.pairs[0].rows, found.pairs[0].same_outputs) == (10, 0)
    assert found.differences[0].outputs == ("up 0 down 0", "up 0")


def test_long_texts_are_shortened() -> None:
    table = Table({"note": "word " * 200 + str(n), "kind": "a", "place": n} for n in range(12))
    found = compared(plan(), plan(a="blue", b="red"), table=table)
    assert len(found.differences[0].input) == 200 and found.differences[0].input.endswith("…")
