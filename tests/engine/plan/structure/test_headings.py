"""Columns assigned to the headings of the examples' inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.plan.trial import propose
from engine.records import Output, Task, TaskExample
from models.embedding import Embedder
from tests.engine.plan.tables import Table

PLACES = ["barn", "wood", "lake", "yard", "hill", "cave", "nest", "hive", "pond", "moor", "farm", "reef"]


def shown(rows: list[dict[str, Any]], example: str, embedder: Embedder | None = None) -> str:
    """The input's template of the best plan for telling good from bad."""
    table = Table(rows)
    wanted = Task("made-up", "Is it good or bad?", "en", Output("label", ("good", "bad")), (TaskExample(example, "good"),))
    found = propose(wanted, table.columns, table.rows, embedder=embedder)
    assert found.plans, found.refusal
    emit = found.plans[0][0].emit
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


def test_a_column_that_has_what_the_examples_have_under_a_heading_fills_it() -> None:
    rows = [row(n, sort=["lamp", "chair", "kettle"][n % 3], colour=["red", "blue"][n // 2 % 2]) for n in range(40)]
    rows = [{key: value for key, value in one.items() if key != "summary"} for one in rows]
    assert shown(rows, f"Product: Chair\nReport: {LONG}") == "Product: {{ sort }}\nReport: {{ body }}"


class Meanings:
    """An embedder that knows which of a few words mean the same."""

    name = "meanings"
    dimensions = 3

    def embed(self, texts: Sequence[str]) -> Any:
        import numpy as np

        known = (("maker", "brand"), ("item", "product"))
        found = [[float(any(word in text.lower().split() for word in words)) for words in known] for text in texts]
        return np.array([[*vector, 0.0 if any(vector) else 1.0] for vector in found])


@pytest.mark.parametrize("turned", [False, True])
def test_an_embedder_tells_columns_of_one_form_apart(turned: bool) -> None:
    rows = [
        {
            "maker": f"{PLACES[n % 12]} {PLACES[(n + 3) % 12]} works {n}",
            "item": f"{PLACES[(n + 5) % 12]} {PLACES[(n + 1) % 12]} lamp {n}",
            "verdict": ["good", "bad"][n % 2],
        }
        for n in range(40)
    ]
    heads = ("Product", "Brand") if turned else ("Brand", "Product")
    names = ("item", "maker") if turned else ("maker", "item")
    template = shown(rows, f"{heads[0]}: sea view pots 4\n{heads[1]}: old mill cups 7", Meanings())
    assert template == f"{heads[0]}: {{{{ {names[0]} }}}}\n{heads[1]}: {{{{ {names[1]} }}}}"
