"""A model's draft: the grammar offers only what can mean something, and every draft becomes a plan that can be checked, or a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.plan.check import check_plan
from engine.plan.draft import Draft, draft_schema, few_values, plan_of, read_draft, showable
from engine.plan.trial import run_on
from engine.records import Column, Output, Row, Task
from models.scripted_answer import answer_for
from tests.engine.plan.tables import Table, task

LABELS = task("label", ("good", "bad"))
REVIEWS = Table(
    {"text": f"Review number {n} of a film", "stars": n % 5, "mark": "pn"[n % 2], "said": f"Thinking about it {n}. #### {n}"}
    for n in range(40)
)
QUESTIONS = Table({"question": f"What is {n}?", "a": f"one {n}", "b": f"two {n}", "right": n % 2, "letter": "AB"[n % 2]} for n in range(40))
HOSTILE = Table(
    {
        'it\'s "quoted"': f"text {n}",
        "{{ 7 * 7 }}": f"more {n}",
        "answer": f"own {n}",
        "choices": "xy"[n % 2],
        "a b": n % 3,
        "": "",
        "列": f"文 {n}",
    }
    for n in range(40)
)


def schema_of(for_task: Task, table: Table, allow_write: bool = False) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    found = draft_schema(for_task, table.columns, few_values(table.columns, table.rows), names, allow_write=allow_write, allow_guess=True)
    assert found is not None
    return found


def ways(schema: dict[str, Any]) -> list[str]:
    return [one["properties"]["way"]["const"] for one in schema["anyOf"]]


def made(draft: dict[str, Any], for_task: Task, table: Table) -> list[tuple[str, str]]:
    """Inputs and outputs by row."""
    plan = plan_of(read_draft(json.dumps(draft)), for_task, "drafted", table.columns)
    assert not [problem for problem in check_plan(plan, table.columns, for_task) if problem.severity == "error"]
    examples, _, _ = run_on(plan, table.columns, table.rows, for_task)
    return [(example.input, example.output) for example in sorted(examples, key=lambda example: example.source.row)]


# ── what the grammar offers ───────────────────────────────────────────────────────────────────────────────


def test_a_label_task_is_offered_maps_of_the_values_there_are() -> None:
    schema = schema_of(LABELS, REVIEWS)
    assert ways(schema) == ["map", "map", "threshold"]
    stars, mark, _ = schema["anyOf"]
    assert stars["properties"]["column"] == {"const": "stars"}
    assert set(stars["properties"]["table"]["properties"]) == {"0", "1", "2", "3", "4"}
    assert set(mark["properties"]["table"]["properties"]) == {"p", "n"}
    assert mark["properties"]["table"]["properties"]["p"] == {"enum": ["good", "bad", ""]}


def test_three_labels_have_no_threshold() -> None:
    assert ways(schema_of(task("label", ("good", "fair", "bad")), REVIEWS)) == ["map", "map"]


def test_a_choice_task_is_offered_picks_and_a_text_task_copies_and_markers() -> None:
    assert ways(schema_of(task("option_letter"), QUESTIONS)) == ["pick", "copy"]
    assert ways(schema_of(task(), QUESTIONS)) == ["copy", "after"]


def test_writing_is_offered_for_texts_where_it_is_allowed() -> None:
    assert "write" in ways(schema_of(task(), QUESTIONS, allow_write=True))
    assert "write" not in ways(schema_of(LABELS, REVIEWS, allow_write=True))


def test_columns_can_only_be_those_that_exist() -> None:
    for one in schema_of(task(), QUESTIONS)["anyOf"]:
        assert one["properties"]["input"]["items"]["enum"] == ["question", "a", "b", "right", "letter"]
        assert one["additionalProperties"] is False


def test_columns_of_many_or_long_values_are_not_mapped() -> None:
    table = Table({"id": n, "long": "x" * 61 + "yz"[n % 2], "one": 1, "none": None, "two": "pn"[n % 2]} for n in range(40))
    assert set(few_values(table.columns, table.rows)) == {"two"}


# ── what a draft comes to ─────────────────────────────────────────────────────────────────────────────────


def test_copy_gives_the_columns_text() -> None:
    first = made({"input": ["question"], "way": "copy", "column": "a"}, task(), QUESTIONS)[0]
    assert first == ("What is 0?", "one 0")


def test_several_inputs_get_headings() -> None:
    first = made({"input": ["question", "b"], "way": "copy", "column": "a"}, task(), QUESTIONS)[0]
    assert first[0] == "Question: What is 0?\nB: two 0"


def test_a_map_leaves_out_rows_without_a_label() -> None:
    table = {"0": "bad", "1": "bad", "2": "", "3": "good", "4": "good"}
    found = made({"input": ["text"], "way": "map", "column": "stars", "table": table}, LABELS, REVIEWS)
    assert len(found) == 32
    assert dict(found)["Review number 0 of a film"] == "bad" and dict(found)["Review number 4 of a film"] == "good"


def test_what_follows_a_marker_is_taken_literally() -> None:
    found = made({"input": ["text"], "way": "after", "column": "said", "marker": "####"}, task(), REVIEWS)
    assert found[7] == ("Review number 7 of a film", "7")
    assert made({"input": ["text"], "way": "after", "column": "said", "marker": "number ."}, task(), REVIEWS) == []


def test_a_threshold_gives_the_first_label_below_it() -> None:
    found = made({"input": ["text"], "way": "threshold", "column": "stars", "threshold": 2.5}, LABELS, REVIEWS)
    assert [output for _, output in found[:5]] == ["good", "good", "good", "bad", "bad"]


@pytest.mark.parametrize(("by", "column"), [("index", "right"), ("letter", "letter")])
def test_a_pick_follows_the_index_or_letter_through_the_shuffle(by: str, column: str) -> None:
    draft = {"input": ["question"], "way": "pick", "column": column, "options": ["a", "b"], "by": by, "base": 0}
    for number, (given, output) in enumerate(made(draft, task("option_text"), QUESTIONS)):
        assert output == f"{'one' if number % 2 == 0 else 'two'} {number}"
        assert given.startswith(f"What is {number}?\nOptions:\n") and output in given
    letters = made(draft, task("option_letter"), QUESTIONS)
    for number, (given, output) in enumerate(letters):
        assert f"{output}) {'one' if number % 2 == 0 else 'two'} {number}" in given.replace(f"{output}. ", f"{output}) ")
    assert {output for _, output in letters} == {"A", "B"}, "the right one moves"


def test_names_a_table_has_already_do_not_collide_with_the_plans_own() -> None:
    found = made({"input": ["列", "answer"], "way": "copy", "column": "choices"}, task(), HOSTILE)
    assert found[0] == ("列: 文 0\nAnswer: own 0", "x")


def test_a_column_name_is_never_run_as_a_template() -> None:
    found = made({"input": ["{{ 7 * 7 }}", 'it\'s "quoted"'], "way": "copy", "column": "列"}, task(), HOSTILE)
    assert "more 0" in found[0][0] and "text 0" in found[0][0] and "49" not in found[0][0]


# ── whatever comes ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("for_task", [LABELS, task(), task("option_text"), task("option_letter")], ids=lambda t: t.output.kind)
@pytest.mark.parametrize("table", [REVIEWS, QUESTIONS, HOSTILE], ids=["reviews", "questions", "hostile"])
def test_every_answer_the_grammar_allows_is_a_plan_that_can_be_judged_or_a_reason(for_task: Task, table: Table) -> None:
    schema = schema_of(for_task, table, allow_write=True)
    working = 0
    for seed in range(60):
        draft = read_draft(json.dumps(answer_for(schema, str(seed))))
        try:
            plan = plan_of(draft, for_task, "drafted", table.columns)
        except ValueError as error:
            assert str(error).startswith(("the input", "a pick", "a threshold"))
            continue
        if not [problem for problem in check_plan(plan, table.columns, for_task) if problem.severity == "error"]:
            examples, counts, _ = run_on(plan, table.columns, table.rows, for_task)
            assert len(examples) + sum(counts.values()) == 40
            working += bool(examples)
    assert working or for_task.output.kind.startswith("option") or table is HOSTILE


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        (Draft(("text",), "pick", "stars"), "options"),
        (Draft(("text",), "threshold", "stars"), "two labels"),
    ],
)
def test_a_draft_that_stands_for_no_plan_says_why(draft: Draft, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        plan_of(draft, task(), "drafted", REVIEWS.columns)


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "{}", '{"input": "text", "way": "copy", "column": "a"}', '{"way": "copy"}', "\ud800", "[" * 9000]
)
def test_what_is_no_draft_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a draft"):
        read_draft(text)


def test_a_draft_may_show_texts_only() -> None:
    columns = (Column("id", "integer"), Column("votes", "integer"), Column("text", "text"), Column("kind", "text"))
    texts = [f"A note of some length about matter number {number}, told at the fence." for number in range(20)]
    rows = [Row(number, {"id": number, "votes": number % 3, "text": text, "kind": "ab"[number % 2]}) for number, text in enumerate(texts)]
    assert showable(columns, rows) == ("text",)


def test_without_leave_to_guess_there_is_no_draft_for_labels() -> None:
    labels = Task("t", "Say which.", output=Output("label", ("a", "b")))
    assert draft_schema(labels, (Column("text", "text"),), {}, ("text",)) is None
