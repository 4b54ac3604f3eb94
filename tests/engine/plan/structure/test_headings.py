"""Columns assigned to the headings of the examples' inputs."""

from __future__ import annotations

from typing import Any

from engine.plan.trial import propose
from engine.records import Output, Task, TaskExample
from tests.engine.plan.tables import Table

PLACES = ["barn", "wood", "lake", "yard", "hill", "cave", "nest", "hive", "pond", "moor", "farm", "reef"]


def shown(rows: list[dict[str, Any]], example: str) -> str:
    """The input's template of the best plan for telling good from bad."""
    table = Table(rows)
    wanted = Task("made-up", "Is it good or bad?", "en", Output("label", ("good", "bad")), (TaskExample(example, "good"),))
    plans = propose(wanted, table.columns, table.rows).plans
    assert plans
    emit = plans[0][0].emit
    assert emit is not None
    return emit.input


def row(number: int, **more: Any) -> dict[str, Any]:
    place = PLACES[number % 12]
    return {
        "ticket_id": f"t{4 * number % 97}{number}",
        "summary": f"Noise near the {place} {number}",
        "body": f"We heard a loud noise near the {place} at {number} o'clock. Nobody was hurt. Please send somebody to look at it soon.",
        **more,
        "verdict": ["good", "bad"][number % 2],
    }


LONG = "The gate is open again. Two sheep have left the field, and the dog is after them. Somebody has to come."


def test_a_name_of_rows_is_no_text_even_where_a_heading_names_half_of_it() -> None:
    template = shown([row(n) for n in range(40)], f"Subject: Gate open\nTicket: {LONG}")
    assert template == "Subject: {{ summary }}\nTicket: {{ body }}"


def test_form_tells_which_heading_a_column_belongs_to_whatever_the_columns_order() -> None:
    rows = [dict(reversed(row(n).items())) for n in range(40)]
    assert shown(rows, f"Subject: Gate open\nLetter: {LONG}") == "Subject: {{ summary }}\nLetter: {{ body }}"


def test_a_heading_that_names_a_column_beats_its_form() -> None:
    assert shown([row(n) for n in range(40)], f"Body: Gate open\nSubject: {LONG}") == "Body: {{ body }}\nSubject: {{ summary }}"


def test_columns_of_one_form_fill_the_headings_in_their_order() -> None:
    rows = [
        {
            "sentence1": f"A man walks by the {PLACES[n % 12]} with {n} dogs.",
            "sentence2": f"There are {n} animals near the {PLACES[n % 12]} today.",
            "verdict": ["good", "bad"][n % 2],
        }
        for n in range(40)
    ]
    template = shown(rows, "First: A woman sits in the sun by the old wall of the town.\nSecond: She sits.")
    assert template == "First: {{ sentence1 }}\nSecond: {{ sentence2 }}"


def test_lines_that_begin_with_a_time_are_text() -> None:
    rows = [row(n, log=f"0{n % 9}:15-10:{10 + n} feeds the goats; 11:30-12:00 eats at the {PLACES[n % 12]}") for n in range(40)]
    rows = [
        {key: value for key, value in one.items() if key not in ("summary", "body")} | {"who": PLACES[n % 7]} for n, one in enumerate(rows)
    ]
    assert shown(rows, "Day: 07:00-08:30 swims in the sea; 09:00-10:00 reads the paper") == "Day: {{ log }}"
