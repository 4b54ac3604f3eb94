"""Trials on sample rows, and data sets that are refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.steps import Emit, Map, Plan
from engine.plan.trial import BAR, propose, try_plan
from engine.records import Column, Output, OutputKind, Row, Task, TaskExample
from tests.engine.plan.tables import Table


def refusal(rows: list[dict[str, Any]], kind: OutputKind, description: str, example: tuple[str, str], labels: tuple[str, ...] = ()) -> str:
    table = Table(rows)
    found = propose(Task("t", description, "en", Output(kind, labels), (TaskExample(*example),)), table.columns, table.rows)
    assert not found.plans, found.plans[0][0].reasons
    return found.refusal


SUMS = [{"body": f"Tom had {n} red pears in his old garden.", "kind": ["Plus", "Minus"][n % 2], "sum": f"{n} + 1"} for n in range(40)]


def test_labels_no_column_holds_are_refused_by_name() -> None:
    said = refusal(SUMS, "label", "Is it toxic?", ("You fool", "toxic"), ("toxic", "fine"))
    assert "toxic, fine" in said
    assert "Plus" in said


def test_options_that_are_not_there_are_refused() -> None:
    assert "options" in refusal(SUMS, "option_letter", "Choose.", ("Sky?\nA. red\nB. blue", "B"))


def test_numbers_that_are_not_there_are_refused() -> None:
    rows = [{"text": f"Play song {'abcdefgh'[n % 8] * (n % 5 + 2)} now please", "intent": ["play", "stop"][n % 2]} for n in range(40)]
    assert refusal(rows, "text", "Solve the problem; output the number.", ("Tom has 2 and buys 3.", "5"))


def test_another_language_is_refused_with_its_name() -> None:
    rows = [
        {"source": f"room {n}, garden, quiet", "text": f"The quiet room number {n} looks out on the garden behind the house."}
        for n in range(30)
    ]
    assert "fr" in refusal(
        rows, "text", "Translate the sentence into French.", ("The cat sleeps in the kitchen.", "Le chat dort dans la cuisine.")
    )


def test_another_script_is_refused() -> None:
    rows = [{"text": f"Номер {n} стоит у моря", "label": ["yes", "no"][n % 2]} for n in range(30)]
    assert "cyrillic" in refusal(rows, "label", "Is it so?", ("It is by the sea", "yes"), ("yes", "no"))


def test_a_closed_set_without_the_examples_output_is_refused() -> None:
    rows = [{"text": f"Bericht {n} aus dem Hafen von heute", "desk": ["Sport", "Kultur", "Web"][n % 3]} for n in range(60)]
    assert refusal(rows, "text", "Name the author.", ("Ein Text von gestern.", "Anna Huber"))


def test_no_rows_are_refused() -> None:
    assert "no rows" in propose(Task("t", "d"), (), ()).refusal


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (
            Plan(
                name="p",
                steps=(Map(value="kind", into="out", table={"Plus": "a", "Minus": "a"}),),
                emit=Emit(input="{{ body }}", output="{{ out }}"),
            ),
            "the same for every row",
        ),
        (Plan(name="p", emit=Emit(input="{{ nowhere }}", output="{{ kind }}")), "only 0 of 40 rows"),
        (
            Plan(name="p", steps=(Map(value="kind", into="out", table={"Times": "a"}),), emit=Emit(input="{{ body }}", output="{{ out }}")),
            "only 0 of 40 rows",
        ),
    ],
)
def test_a_plan_that_makes_no_data_scores_nothing_and_says_why(plan: Plan, said: str) -> None:
    table = Table(SUMS)
    trial = try_plan(plan, table.columns, table.rows, Task("t", "d"))
    assert trial.score == 0
    assert said in trial.reasons[0]
    assert trial.made + trial.skipped + trial.rejected + trial.failed == 40


def test_a_plan_that_works_scores_above_the_bar_and_shows_samples() -> None:
    table = Table(SUMS)
    plan = Plan(
        name="p",
        steps=(Map(value="kind", into="out", table={"Plus": "up", "Minus": "down"}),),
        emit=Emit(input="{{ body }}", output="{{ out }}"),
    )
    trial = try_plan(plan, table.columns, table.rows, Task("t", "Up or down?", "en", Output("label", ("up", "down"))))
    assert trial.score >= BAR
    assert {example.output for example in trial.samples} <= {"up", "down"}


def test_a_trial_is_the_same_every_time() -> None:
    table = Table(SUMS)
    task = Task("t", "Plus or minus?", "en", Output("label", ("plus", "minus")), (TaskExample("Ann has two pens.", "plus"),))
    assert propose(task, table.columns, table.rows) == propose(task, table.columns, table.rows)


def test_a_plan_that_lengthens_where_every_example_shortens_reads_backwards() -> None:
    things = ("river", "mill", "bridge", "harbour", "market", "tower", "school", "orchard")
    deeds = ("rebuilt", "painted", "sold", "closed", "moved")
    rows = []
    for number in range(120):
        thing, deed = things[number % 8], deeds[number % 5]
        before, after = f"In the course of the work that followed flood {number}, the {thing} was, after", f"among the councillors, {deed}."
        long = f"{before} much deliberation {after}"
        rows.append(Row(number, {"input": f"The {thing} was {deed} after flood {number}.", "output": long}))
    task = Task(
        "plain",
        "Rewrite a sentence so that it is short and plain.",
        examples=(
            TaskExample(
                "After the storm of last week, the roof was, to the relief of all who lived in the house, repaired.",
                "The roof was repaired after the storm.",
            ),
            TaskExample(
                "In the opinion of all who were there, the evening was, on the whole, a pleasant one.", "The evening was pleasant."
            ),
        ),
    )
    columns = (Column("input", "text"), Column("output", "text"))
    forwards = try_plan(Plan(name="f", emit=Emit(input="{{ output }}", output="{{ input }}")), columns, rows, task)
    backwards = try_plan(Plan(name="b", emit=Emit(input="{{ input }}", output="{{ output }}")), columns, rows, task)
    assert forwards.score > 0.6 and backwards.score < 0.7 * forwards.score
    assert propose(task, columns, rows).plans[0][0].emit == Emit(input="{{ output }}", output="{{ input }}")
