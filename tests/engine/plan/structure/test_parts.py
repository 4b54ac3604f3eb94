"""Texts of several marked parts and nested values: a part can be the output or the input, like a column."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.profile import read_sample
from engine.plan.structure.parts import with_parts
from engine.plan.trial import propose, run_on
from engine.records import Example, Output, OutputKind, Task, TaskExample
from tests.engine.plan.tables import Table

NAMES = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "Jill", "Kim", "Lea"]
TOWNS = ["Rome", "Bonn", "Oslo", "Lima", "Kyiv", "Cork", "Graz", "Nice", "Bari", "Metz", "Ulm", "Riga"]


def made(rows: list[dict[str, Any]], description: str, *examples: tuple[str, str], kind: OutputKind = "text") -> list[Example]:
    table = Table(rows)
    task = Task("t", description, "en", Output(kind), tuple(TaskExample(*example) for example in examples))
    proposal = propose(task, table.columns, table.rows)
    assert proposal.plans, proposal.refusal
    found, _, _ = run_on(proposal.plans[0][0], table.columns, table.rows, task)
    return sorted(found, key=lambda example: example.source.row)


def story(n: int) -> str:
    return f"{NAMES[n % 12]} moved to {TOWNS[n % 11]} in {1900 + n} and opened a small shop there."


def marked(n: int) -> dict[str, Any]:
    return {"input": f"Context: {story(n)} Question: Where did {NAMES[n % 12]} move in {1900 + n}?", "output": TOWNS[n % 11]}


def test_headings_that_recur_cut_a_text_into_parts() -> None:
    table = Table([marked(n) for n in range(30)])
    sample = with_parts(read_sample(table.columns, table.rows))
    assert sample.texts("input_Question")[3] == "Where did Dan move in 1903?"
    assert sample.texts("input_Context")[3] == story(3)


def test_a_heading_some_rows_lack_or_repeat_cuts_nothing() -> None:
    rows = [{"text": f"Note: {story(n)}" if n % 3 == 0 else story(n)} for n in range(30)]
    table = Table(rows)
    assert len(with_parts(read_sample(table.columns, table.rows)).profiles) == 1


def test_a_question_is_asked_from_its_part_of_the_input() -> None:
    examples = made(
        [marked(n) for n in range(40)],
        "Write a question about a passage.",
        ("Tom sold his boat in 1950 and bought a large farm near the coast.", "What did Tom buy in 1950?"),
    )
    assert examples[3].output == "Where did Dan move in 1903?"
    assert examples[3].input == story(3)


def test_a_subject_line_is_written_from_the_message_below_it() -> None:
    rows = [
        {"mail": f"SUBJECT: {NAMES[n % 12]} in {TOWNS[n % 11]}\nMESSAGE: Hello, {story(n)} Please tell me more of it."} for n in range(40)
    ]
    examples = made(
        rows,
        "Write the subject line of a message.",
        ("Hello, my cat eats grass every day since May. What should I do about it?", "Cat eats grass"),
    )
    assert examples[5].output == "Finn in Cork"
    assert examples[5].input == f"Hello, {story(5)} Please tell me more of it."


def test_keys_of_one_nested_value_are_output_and_input() -> None:
    rows = [{"id": n, "pair": {"source": story(n), "title": f"A shop in {TOWNS[n % 11]} by {NAMES[n % 12]}"}} for n in range(40)]
    examples = made(
        rows, "Give a title to a text.", ("Tom sold his boat in 1950 and bought a large farm near the coast.", "A farm near the coast")
    )
    assert examples[2].input == story(2)
    assert examples[2].output == "A shop in Oslo by Cleo"


def test_a_field_in_brackets_is_read_out_of_a_list_of_fields() -> None:
    rows = [
        {
            "facts": f"name[The {NAMES[n % 12]} {n}], town[{TOWNS[n % 11]}]" + (f", food[{['Thai', 'Greek'][n % 2]}]" if n % 3 else ""),
            "text": f"In {TOWNS[n % 11]} the {['Thai', 'Greek'][n % 2]} house The {NAMES[n % 12]} {n} serves lunch and dinner.",
        }
        for n in range(60)
    ]
    examples = made(rows, "Give the name of the restaurant in the text.", ("In Paris the bar The Owl opens at nine.", "The Owl"))
    assert examples[4].output == "The Eve 4"
    assert examples[4].input == rows[4]["text"]


@pytest.mark.parametrize("between", [" ", ", ", " | ", "; ", "\n", "\n\n### ", " # "])
def test_parts_are_cut_whatever_stands_between_them(between: str) -> None:
    rows = [
        {"text": f"sentence_A: {story(n)}{between}sentence_B: {story(n + 5)}{between}category: {['old', 'new', 'unsure'][n % 3]}"}
        for n in range(30)
    ]
    table = Table(rows)
    sample = with_parts(read_sample(table.columns, table.rows))
    assert sample.texts("text_sentence_A")[4] == story(4)
    assert sample.texts("text_sentence_B")[4] == story(9)
    assert sample.texts("text_category")[4] == "new"
    assert sample.by_name["text_category"].label_set


def test_headings_in_bold_leave_no_stars_in_the_parts() -> None:
    rows = [{"text": f"**Story:** {story(n)}\n**Town:** {TOWNS[n % 11]}"} for n in range(30)]
    table = Table(rows)
    sample = with_parts(read_sample(table.columns, table.rows))
    assert (sample.texts("text_Story")[2], sample.texts("text_Town")[2]) == (story(2), TOWNS[2])


def test_question_and_answer_may_be_headed_by_their_letters_unlike_speakers() -> None:
    asked = Table([{"text": f"Q: Where did {NAMES[n % 12]} move?\nA: {TOWNS[n % 11]}"} for n in range(30)])
    sample = with_parts(read_sample(asked.columns, asked.rows))
    assert (sample.texts("text_Q")[1], sample.texts("text_A")[1]) == ("Where did Ben move?", "Bonn")
    spoken = Table([{"text": f"A: {story(n)}\nB: I did not know that, {NAMES[n % 12]}."} for n in range(30)])
    assert len(with_parts(read_sample(spoken.columns, spoken.rows)).profiles) == 1
