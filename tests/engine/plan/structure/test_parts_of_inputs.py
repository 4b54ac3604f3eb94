"""Inputs of several parts: each part of the examples finds its column, and nothing else is shown."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.labels.words import folded
from engine.plan.structure.no_answers import no_answers
from engine.plan.trial import propose, run_on
from engine.records import Example, Output, Task, TaskExample
from models.hashing import HashingEmbedder
from tests.engine.plan.tables import Table

BEASTS = ["cat", "dog", "cow", "hen", "pig", "fox", "owl", "bee", "ant", "eel", "emu", "yak"]
PLACES = ["barn", "wood", "lake", "yard", "hill", "cave", "nest", "hive", "pond", "moor", "farm", "reef"]


def made_of(
    rows: list[dict[str, Any]], description: str, *examples: tuple[str, str], labels: tuple[str, ...] = (), near: bool = False
) -> list[Example]:
    table = Table(rows)
    output = Output("label", labels) if labels else Output("text")
    task = Task("t", description, "en", output, tuple(TaskExample(*example) for example in examples))
    proposal = propose(task, table.columns, table.rows, embedder=HashingEmbedder() if near else None)
    made = run_on(proposal.plans[0][0], table.columns, table.rows, task)[0] if proposal.plans else []
    return sorted(made, key=lambda example: example.source.row)


def test_numbered_parts_keep_their_numbers() -> None:
    rows = [
        {"text_a": f"The {BEASTS[n % 12]} slept at {n}.", "text_b": f"At {n} the {BEASTS[n % 7]} slept.", "label": ["yes", "no"][n % 2]}
        for n in range(60)
    ]
    made = made_of(
        rows,
        "Do two sentences say the same thing? Answer yes or no.",
        ("1: He came home.\n2: Home he came.", "yes"),
        ("1: He came home.\n2: She left.", "no"),
        labels=("yes", "no"),
    )
    assert made[3].input == "1: The hen slept at 3.\n2: At 3 the hen slept."


def test_a_clock_time_is_no_numbered_part() -> None:
    rows = [
        {"note": f"The {BEASTS[n % 12]} was seen near the {PLACES[n % 11]} twice.", "short": f"A {BEASTS[n % 12]}, {n}"} for n in range(60)
    ]
    made = made_of(
        rows, "Shorten the note.", ("12: 30 is when the goose came\nand stayed", "A goose, 1"), ("The mole was late.", "A mole, 2")
    )
    assert made[3].input == rows[3]["note"]


def test_an_empty_line_between_parts_stays() -> None:
    rows = [
        {
            "context": f"The {BEASTS[n % 12]} number {n} lives in the {PLACES[n % 11]} and sleeps all day.",
            "question": f"Where does number {n} live?",
            "answer": f"in the {PLACES[n % 11]}",
        }
        for n in range(60)
    ]
    made = made_of(
        rows,
        "Answer a question about a short text. The answer is copied from the text.",
        ("The mole lives in a hole.\n\nQuestion: Where does it live?", "in a hole"),
        ("The goose sits on the roof.\n\nQuestion: Where does it sit?", "on the roof"),
    )
    assert made[3].input == f"{rows[3]['context']}\n\nQuestion: {rows[3]['question']}"


def test_units_in_brackets_belong_to_the_heading() -> None:
    rows = [
        {"station": f"{PLACES[n % 12]}-{n % 4}", "humidity": 40 + n % 37, "wind_kmh": (n * 7) % 41, "verdict": ["fine", "odd"][n % 3 == 0]}
        for n in range(60)
    ]
    made = made_of(
        rows,
        'Check readings. The verdict is "fine" or "odd".',
        ("station: X-1\nhumidity (%): 74\nwind (km/h): 14", "fine"),
        ("station: Y-2\nhumidity (%): 12\nwind (km/h): 90", "odd"),
        labels=("fine", "odd"),
    )
    assert made[5].input == f"station: {rows[5]['station']}\nhumidity (%): 45\nwind (km/h): 35"


def test_an_amount_is_no_number_of_a_row() -> None:
    rows = [
        {"place": f"{PLACES[n % 12]}ton {n}", "people": 1000 + (n * 7919) % 30000 // 10 * 10, "saying": f"We like {BEASTS[n % 12]}s, {n}!"}
        for n in range(60)
    ]
    made = made_of(
        rows,
        "Make up the saying of a place from its name and the number of its people.",
        ("Place: Kettle\nPeople: 3450", "We boil!"),
        ("Place: Owl\nPeople: 820", "Awake!"),
    )
    assert made[4].input == f"Place: {rows[4]['place']}\nPeople: {rows[4]['people']}"


def test_a_paragraph_of_numbered_sentences_reads_as_one() -> None:
    rows = [
        {
            **{f"sentence{i}": f"Then the {BEASTS[(n + i) % 12]} went to the {PLACES[(n * i) % 12]} for {n + i} days." for i in (1, 2, 3)},
            "ending": f"At last the {BEASTS[n % 7]} was home after {n} days.",
        }
        for n in range(60)
    ]
    made = made_of(
        rows,
        "Finish a story: the input is its first three sentences as one paragraph, the output one last sentence.",
        ("A mole dug. It rained. The hole filled.", "The mole swam."),
        ("A goose sat. A fox came. It barked.", "The goose flew."),
    )
    assert made[2].input == " ".join(rows[2][f"sentence{i}"] for i in (1, 2, 3)) and made[2].output == rows[2]["ending"]


def test_a_term_is_shown_without_a_sentence_about_it() -> None:
    rows = [
        {
            "headword": BEASTS[n % 12] + "s" * (n % 5),
            "usage": f"Yesterday we saw many of them in the {PLACES[n % 11]} number {n}.",
            "definition": f"An animal that has {n} legs and lives outside.",
        }
        for n in range(60)
    ]
    made = made_of(
        rows,
        "Explain a word in one plain sentence.",
        ("mole", "An animal that digs."),
        ("goose", "A bird that is loud and lives near water."),
    )
    assert made[3].input == rows[3]["headword"]


def test_stars_in_words_are_cut_where_the_description_says() -> None:
    rows = [
        {
            "review": f"The {BEASTS[n % 12]} at the {PLACES[n % 11]} was served {n} times.",
            "score": f"{1 + n % 5} star{'s' if n % 5 else ''}",
        }
        for n in range(100)
    ]
    made = made_of(
        rows,
        'Label reviews "up" (4 or 5 stars) or "down" (1 or 2 stars). Three-star reviews are neither, so skip them.',
        ("Lovely.", "up"),
        ("Bad.", "down"),
        labels=("up", "down"),
    )
    assert {example.output for example in made} == {"up", "down"} and len(made) == 80
    assert all((rows[example.source.row]["score"][0] in "45") == (example.output == "up") for example in made)


def test_rows_that_say_there_is_no_answer_are_left_out() -> None:
    rows = [
        {
            "report": f"We measured the {BEASTS[n % 12]} in the {PLACES[n % 11]} for {n} days.",
            "measured": "not found" if n % 3 == 0 else f"weight of {BEASTS[n % 12]} {n}",
        }
        for n in range(90)
    ]
    made = made_of(rows, "Name what was measured.", ("We weighed moles.", "weight of moles"), ("We timed geese.", "speed of geese 1"))
    assert len(made) == 60 and "not found" not in {example.output for example in made}


@pytest.mark.parametrize("value", ["None", "n/a", "Not found.", "keine Angabe", "неизвестно", "不明", "sin respuesta"])
def test_what_says_there_is_no_answer_is_known_in_several_languages(value: str) -> None:
    texts = ["a cat", "a dog", value, "a hen", value, "a fox"]
    task = Task("t", "Name the animal.", "en", Output("text"), (TaskExample("It barks.", "a dog"),))
    assert no_answers(texts, task) == (value,)
    shown = Task("t", "Name the animal.", "en", Output("text"), (TaskExample("It says nothing.", value),))
    asked = Task("t", f"Name the animal, or write {folded(value)} if there is none.", "en", Output("text"), ())
    assert no_answers(texts, shown) == no_answers(texts, asked) == no_answers([*"abc", value], task) == ()


def test_a_sign_that_every_text_has_is_cut_at() -> None:
    rows = [
        {
            "story": f"The {BEASTS[n % 12]} number {n} came into the {PLACES[n % 11]} at noon and left again.",
            "rule": f"It came {n} times >Makes/Lets> The {PLACES[n % 11]} has {n} guests",
        }
        for n in range(60)
    ]
    made = made_of(
        rows,
        "What comes of the story?",
        ("Story: A mole dug for a day and a night.", "A garden is lost"),
        ("Story: A goose sat down on its nest.", "The eggs are warm"),
    )
    assert made[3].output == "The yard has 3 guests"


def test_a_text_that_recurs_with_one_label_is_still_shown_where_the_examples_show_it() -> None:
    rows = [
        {
            "query": f"tell me about the {BEASTS[n // 2 % 12]} in the {PLACES[n // 2 % 11]} {n // 4}",
            "reply": f"do you mean the {BEASTS[n % 12]} or number {n} in the {PLACES[n % 7]}",
            "verdict": ["on", "off"][n // 4 % 2],
        }
        for n in range(120)
    ]
    made = made_of(
        rows,
        'Tell whether the reply is "on" or "off" the topic.',
        ("User: show me moles\nAssistant: do you like big ones", "on"),
        ("User: show me geese\nAssistant: what size of tyre", "off"),
        labels=("on", "off"),
    )
    assert made[5].input == f"User: {rows[5]['query']}\nAssistant: {rows[5]['reply']}"


def test_readings_are_written_with_their_decimals() -> None:
    rows = [{"day": f"day {n} in the {PLACES[n % 12]}", "warmth": 10 + n % 9 * 0.25, "kind": ["calm", "wild"][n % 2]} for n in range(60)]
    made = made_of(
        rows,
        "Is the weather calm or wild?",
        ("day: today\nwarmth: 3.5", "calm"),
        ("day: then\nwarmth: 9.0", "wild"),
        labels=("calm", "wild"),
    )
    assert [example.input.partition("warmth: ")[2] for example in made[:3]] == ["10.0", "10.25", "10.5"]
