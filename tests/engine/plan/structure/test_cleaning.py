"""Outputs brought to the form of the examples, and only to it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.profile import read_sample
from engine.plan.structure.cleaning import cleaned
from engine.plan.trial import propose, run_on
from engine.records import Example, Output, Task, TaskExample
from tests.engine.plan.tables import Table

WORDS = ["red fox", "old mill", "blue lake", "cold wind", "tall tree", "grey wolf", "warm sand", "deep well", "wild rose", "long road"]


def texts(values: list[str], outputs: list[str], description: str = "") -> list[tuple[str, ...]]:
    table = Table([{"page": value} for value in values])
    sample = read_sample(table.columns, table.rows)
    return [made.texts for made in cleaned(sample.profiles[0], sample, outputs, description)]


@pytest.mark.parametrize(
    ("raw", "shown", "plain"),
    [
        ("Old_{}_17", "The old tower", "Old {}"),
        ('"An old {}"', "An old tower", "An old {}"),
        ("[an old {}]", "an old tower", "an old {}"),
        ("An old<<a=b>> {} <<c>>here", "An old tower stands", "An old {} here"),
        ("An old {} [3]", "An old tower", "An old {}"),
        ("A: an old {}", "an old tower", "an old {}"),
        ("- an old {}", "an old tower", "an old {}"),
        ("old-{}-house", "old tower gate", "old {} house"),
        ("An old <b>{}</b>", "An old tower", "An old {}"),
        ("AN OLD {}", "an old tower", "an old {}"),
    ],
)
def test_what_most_values_have_and_no_example_goes(raw: str, shown: str, plain: str) -> None:
    fill = [f"{word.replace(' ', '')}{'abcde'[n % 5]}" for n, word in enumerate(WORDS * 3)]
    upper = raw.isupper() or raw.replace("{}", "X").isupper()
    found = texts([raw.format(word.upper() if upper else word) for word in fill], [shown])
    assert tuple(plain.format(word) for word in fill) in found


def test_what_the_examples_have_too_stays() -> None:
    values = [f"old_{word.replace(' ', '_')}" for word in WORDS]
    assert texts(values, ["new_tower"]) == []
    assert texts(["An old fox.", "A mill."] * 5, ["A tower."]) == []


def test_what_stands_before_and_after_a_sign_are_two_ways() -> None:
    found = texts([f"{word} => {word[::-1]}" for word in WORDS], ["a tower"])
    assert tuple(WORDS) in found
    assert tuple(word[::-1] for word in WORDS) in found


def test_a_number_is_taken_out_of_its_unit() -> None:
    assert tuple(str(n) for n in range(3, 23)) in texts([f"about {n} kg" for n in range(3, 23)], ["12", "7"])


def test_the_first_sentence_is_cut_where_the_description_says_so() -> None:
    values = [f"The {word} is here. It came at {n}." for n, word in enumerate(WORDS)]
    assert tuple(f"The {word} is here." for word in WORDS) in texts(values, ["The tower is old."], "Give the first sentence.")
    assert texts(values, ["The tower is old."], "Give the text.") == []


def best(rows: list[dict[str, Any]], description: str, *examples: tuple[str, str]) -> list[Example]:
    table = Table(rows)
    task = Task("t", description, "en", Output("text"), tuple(TaskExample(*example) for example in examples))
    proposal = propose(task, table.columns, table.rows)
    assert proposal.plans, proposal.refusal
    made, _, _ = run_on(proposal.plans[0][0], table.columns, table.rows, task)
    return sorted(made, key=lambda example: example.source.row)


def test_a_page_name_like_a_file_becomes_the_title_asked_for() -> None:
    rows = [
        {"question": f"Where does the {word} number {n} lie on the map of the island?", "page": f"The_{word.replace(' ', '_')}_{n}_map_{n}"}
        for n, word in enumerate(WORDS * 4)
    ]
    made = best(
        rows, "Name the page that answers the question, with blanks.", ("Where does the black tower stand in the city?", "The black tower")
    )
    assert made[2].output == "The blue lake 2 map"


def test_working_is_what_stands_before_the_result() -> None:
    rows = [
        {
            "problem": f"Tom has {n} pears and gets two. How many?",
            "answer": f"He has {n} + 2 = <<{n}+2={n + 2}>>{n + 2} pears now.\n#### {n + 2}",
        }
        for n in range(30)
    ]
    made = best(rows, "Write the working only.", ("Ann has 3 pens and loses 1. How many?", "She has 3 - 1 = 2 pens left."))
    assert made[3].output == "He has 3 + 2 = 5 pears now."


def test_a_first_line_that_is_the_whole_text_is_not_cut_out() -> None:
    shown = ["an old tower", "a new mill"]
    lines = [f"an old {word} {n}" for n, word in enumerate(WORDS * 3)]
    assert texts(lines, shown, "Reply; leave out replies that ignore the first line.") == []
    assert texts([f"{line}\nmore of it" for line in lines], shown, "Output the first line.") == [tuple(lines)]
