"""Outputs and inputs written the way the examples write them: signs, joined columns, numbers, brackets at the end."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.structure.signs import sign_gaps
from engine.plan.trial import propose, run_on
from engine.records import Example, Output, Task, TaskExample
from tests.engine.plan.tables import Table

TOWNS = ["Arl", "Bresk", "Colm", "Dunby", "Elvas", "Fenn", "Gorle", "Hyth", "Ister", "Jarn"]
LANDS = ["Nordia", "Sudland", "Westra", "Ostmark"]


def made(rows: list[dict[str, Any]], description: str, *examples: tuple[str, str]) -> list[Example]:
    """The best plan's examples in the rows' order, none when there is no plan."""
    table = Table(rows)
    wanted = Task("made-up", description, "en", Output("text"), tuple(TaskExample(*example) for example in examples))
    plans = propose(wanted, table.columns, table.rows).plans
    found = run_on(plans[0][0], table.columns, table.rows, wanted)[0] if plans else []
    return sorted(found, key=lambda example: example.source.row)


@pytest.mark.parametrize(
    ("outputs", "shown", "said"),
    [
        (["4 + 5", "7 * 2"], ["3 + 1 = 4", "9 / 3 = 3"], "“=”"),
        (["red", "dark green"], ["red [1]", "grey [4]"], "a digit|“[”|“]”"),
        (["one line", "one more"], ["two\nlines", "two\nmore"], "a line break"),
        (["#a1", "#b1"], ["a1", "b2"], "“#”"),
    ],
)
def test_a_sign_on_one_side_only_is_told(outputs: list[str], shown: list[str], said: str) -> None:
    gaps = sign_gaps(outputs * 10, shown)
    assert len(gaps) == 1
    assert gaps[0][0] <= 0.5
    assert any(f" have {sign}," in gaps[0][1] for sign in said.split("|"))


@pytest.mark.parametrize(
    ("outputs", "shown"),
    [
        (["a = b", "no sign"], ["a = b", "c = d"]),  # Half of them have it.
        (["4 + 5", "7 * 2"], ["3 + 1 = 4"]),  # One example says nothing.
        (["A dog runs", "A cat sits"], ["A dog runs.", "“A cat” sits."]),  # Ends of sentences and quotation marks are no signs.
        (["He said: no. She said: yes, and that was that, as far as we know"] * 2, ["He left", "She too"]),  # Far longer than the examples.
        (["un – deux", "trois — quatre"], ["cinq - six", "sept - huit"]),  # One sign in two writings.
    ],
)
def test_what_is_no_gap(outputs: list[str], shown: list[str]) -> None:
    assert sign_gaps(outputs * 10, shown) == []


def sums(with_result: bool) -> list[dict[str, Any]]:
    rows = [
        {
            "story": f"On the table in {TOWNS[n % 10]} lie {n + 2} pears and {n % 7 + 1} plums. How many fruits lie there?",
            "formula": f"{n + 2} + {n % 7 + 1}",
            "answer": str(n + 3 + n % 7),
        }
        for n in range(40)
    ]
    return rows if with_result else [{key: text for key, text in row.items() if key != "answer"} for row in rows]


SUM = "Write the calculation for the story and its result."
SHOWN = (("Ann has 3 dogs and 4 cats. How many animals has she?", "3 + 4 = 7"), ("Of 9 eggs 2 broke. How many are left?", "9 - 2 = 7"))


def test_two_columns_are_joined_by_the_sign_that_every_example_has() -> None:
    found = made(sums(with_result=True), SUM, *SHOWN)
    assert found[0].output == "2 + 1 = 3"
    assert len(found) == 40
    assert not any("=" in example.input for example in found)


def test_half_of_what_every_example_has_is_no_output() -> None:
    assert made(sums(with_result=False), SUM, *SHOWN) == []


def places(first: str, second: str) -> list[dict[str, Any]]:
    return [
        {
            "note": f"We spent day {n} of the summer by the river near the old mill and met {n % 9} geese.",
            first: TOWNS[n % 10],
            second: LANDS[n % 4],
        }
        for n in range(60)
    ]


def test_columns_the_description_does_not_speak_of_are_not_joined() -> None:
    shown = (("We drank coffee on the square.", "Arl, Nordia"), ("It rained all week.", "Fenn, Westra"))
    found = made(places("town", "country"), "Guess where a note was written: town, country.", *shown)
    assert [example.output for example in found[:2]] == ["Arl, Nordia", "Bresk, Sudland"]
    assert made(places("horse", "rider"), "Guess where a note was written.", *shown) == []


def prices(values: list[str]) -> list[dict[str, Any]]:
    return [{"question": f"What do {n + 2} red pears cost on day {n} in all?", "output": values[n % len(values)]} for n in range(40)]


PRICES = ["12.0", "7.5", "3.0", "21.0", "8.25", "40.0", "6.0"]


@pytest.mark.parametrize(
    ("shown", "first"),
    [
        (("5", "2.5"), ["12", "7.5", "3", "21", "8.25"]),
        (("5.0", "2.5"), ["12.0", "7.5", "3.0", "21.0", "8.25"]),
    ],
)
def test_whole_numbers_have_a_point_where_the_examples_have_one(shown: tuple[str, str], first: list[str]) -> None:
    examples = [("What do 3 plums cost in all?", shown[0]), ("What do 4 figs cost in all?", shown[1])]
    found = made(prices(PRICES), "Answer with the number.", *examples)
    assert [example.output for example in found[:5]] == first


def clues(**more: Any) -> list[dict[str, Any]]:
    words = ["b" + "aeiou"[n % 5] * (n % 4 + 1) + "lmnr"[n % 4] + "aeiou"[n // 5 % 5] + "dgkt"[n // 10 % 4] for n in range(60)]
    return [
        {"meaning": f"A thing one may see on day {n} in the {TOWNS[n % 10]} market.", "word": word, "size": len(word), "page": 7 * n % 50}
        for n, word in enumerate(words)
    ]


def test_the_number_of_letters_stands_in_brackets_as_in_the_examples() -> None:
    shown = (("A place to sleep. (3)", "bed"), ("It shines by day. (3)", "sun"), ("One sails it. (4)", "boat"))
    found = made(clues(), "Give the word for a meaning.", *shown)
    assert found[0].input == f"{clues()[0]['meaning']} ({clues()[0]['size']})"


def test_numbers_in_brackets_that_nothing_bears_out_are_left_alone() -> None:
    found = made(clues(), "Give the word for a meaning.", ("A place to sleep. (17)", "bed"), ("It shines by day. (31)", "sun"))
    assert not found or found[0].input == clues()[0]["meaning"]


def distances(name: str) -> list[dict[str, Any]]:
    return [
        {"trip": f"On day {n} we rode from {TOWNS[n % 10]} to {TOWNS[(n + 3) % 10]} by the old road.", name: 9 + 5 * n % 37}
        for n in range(40)
    ]


def test_a_number_has_the_unit_that_every_example_has() -> None:
    shown = (("We walked from the mill to the inn.", "about 4 km"), ("She sailed round the island.", "about 31 km"))
    found = made(distances("distance_answer"), "How long was the way? Output the distance in km.", *shown)
    assert [example.output for example in found[:3]] == ["about 9 km", "about 14 km", "about 19 km"]
    assert made(distances("riders"), "How long was the way? Output the distance in km.", *shown) == []
