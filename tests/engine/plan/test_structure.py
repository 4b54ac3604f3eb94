"""What data sets of different make propose for a task: the output each row gets, what the input shows and what it must not."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.steps import Keep, Pick, Shuffle
from engine.plan.trial import Proposal, propose, run_on
from engine.records import Example, Output, OutputKind, Task, TaskExample
from tests.engine.plan.tables import Table

ANIMALS = ["cat", "dog", "cow", "hen", "pig", "fox", "owl", "bee", "ant", "eel", "emu", "yak"]
PLACES = ["barn", "wood", "lake", "yard", "hill", "cave", "nest", "hive", "pond", "moor", "farm", "reef"]


def task(kind: OutputKind, description: str, *examples: tuple[str, str], labels: tuple[str, ...] = (), language: str = "en") -> Task:
    return Task("made-up", description, language, Output(kind, labels), tuple(TaskExample(*example) for example in examples))


def best(rows: list[dict[str, Any]], for_task: Task) -> tuple[Proposal, list[Example]]:
    table = Table(rows)
    proposal = propose(for_task, table.columns, table.rows)
    assert proposal.plans, proposal.refusal
    made, _, _ = run_on(proposal.plans[0][0], table.columns, table.rows, for_task)
    return proposal, sorted(made, key=lambda example: example.source.row)


def quiz(row: int, right: int) -> dict[str, Any]:
    animals = ANIMALS[row % 12 :] + ANIMALS[: row % 12]
    animals.insert(right, animals.pop(0))
    return {
        "question": f"Which animal number {row} lives in the {PLACES[row % 12]}?",
        "options": [f"the {name}" for name in animals[:3]],
        "right": right,
    }


PICK = task(
    "option_text",
    "Answer the question by choosing one of three options.",
    ("Question: Who barks at night?\nOptions: the dog; the hen; the cow", "the dog"),
)


@pytest.mark.parametrize("way", ["columns", "list", "dictionary", "parallel", "text", "from one"])
def test_the_right_option_is_found_however_the_row_holds_it(way: str) -> None:
    rows, gold = [], []
    for number in range(36):
        row = quiz(number, number % 3)
        options = row["options"]
        gold.append(options[number % 3])
        shape: dict[str, dict[str, Any]] = {
            "columns": {"choice_a": options[0], "choice_b": options[1], "choice_c": options[2], "answer": "ABC"[number % 3]},
            "list": {"choices": options, "label": number % 3},
            "dictionary": {"choices": dict(zip("ABC", options, strict=True)), "answer": "ABC"[number % 3]},
            "parallel": {"choices": {"text": options, "label": ["A", "B", "C"]}, "answer_key": "ABC"[number % 3]},
            "text": {"options": options, "answer": options[number % 3]},
            "from one": {"choice1": options[0], "choice2": options[1], "choice3": options[2], "label": number % 3 + 1},
        }
        rows.append({"question": row["question"], **shape[way], "uid": f"q-{number}"})
    _, made = best(rows, PICK)
    assert [example.output for example in made] == gold
    assert made[0].input.startswith("Question: Which animal number 0")
    assert "\nOptions: the " in made[0].input
    assert "q-0" not in made[0].input


def test_a_letter_is_asked_for_and_given() -> None:
    rows = [{"question": quiz(n, n % 3)["question"], "choices": quiz(n, n % 3)["options"], "label": n % 3} for n in range(36)]
    wanted = task("option_letter", "Choose. The output is the letter.", ("Who barks at night?\nA. dog\nB. hen\nC. cow", "A"))
    _, made = best(rows, wanted)
    assert [example.output for example in made] == ["ABC"[n % 3] for n in range(36)]
    assert "\nA. the " in made[0].input


def test_the_right_one_in_its_own_column_is_shuffled_among_the_others() -> None:
    rows = [{"good_answer": f"the {ANIMALS[n % 12]} number {n}", "bad_answer": f"the {PLACES[n % 12]} number {n}"} for n in range(40)]
    wanted = task("option_text", "Which of the two is an animal?", ("1) a lamp\n2) a lion", "a lion"))
    proposal, made = best(rows, wanted)
    assert any(isinstance(step, Shuffle) for step in proposal.plans[0][0].steps)
    assert [example.output for example in made] == [row["good_answer"] for row in rows]
    first = sum(example.input.index(example.output) < 6 for example in made)
    assert 8 <= first <= 32


def test_a_task_for_the_wrong_one_gets_the_wrong_one() -> None:
    rows = [{"correct": f"Two and {n} make {n + 2}.", "incorrect": f"Two and {n} make {n + 3}."} for n in range(30)]
    wanted = task("option_text", "Which statement is incorrect?", ("1) One is two.\n2) Two is two.", "One is two."))
    _, made = best(rows, wanted)
    assert made[4].output == rows[4]["incorrect"]


def test_flags_with_none_set_give_the_word_for_neither() -> None:
    rows = [
        {
            "text": f"Story {n}: the {ANIMALS[n % 12]} met the {ANIMALS[(n + 1) % 12]}.",
            "A": ANIMALS[n % 12],
            "B": ANIMALS[(n + 1) % 12],
            "A-hit": n % 3 == 0,
            "B-hit": n % 3 == 1,
        }
        for n in range(36)
    ]
    wanted = task("text", 'Who won? Answer "neither" when it was none of the two.', ("Text: The ox met the ram.\nNames: ox, ram", "ram"))
    _, made = best(rows, wanted)
    assert [example.output for example in made[:3]] == ["cat", "cow", "neither"]
    assert "True" not in made[0].input


def test_a_column_that_says_what_is_asked_stays_in_the_input() -> None:
    rows = [
        {
            "premise": f"The {ANIMALS[n % 12]} ran home at {n}.",
            "choice1": f"It was {n} degrees.",
            "choice2": f"It slept {n} hours.",
            "question": ["cause", "effect"][n % 2],
            "label": (n // 2) % 2,
        }
        for n in range(30)
    ]
    wanted = task(
        "option_text",
        "Choose the cause or effect.",
        ("Premise: It rained.\nAsked: effect\nOptions: It got wet. / It got hot.", "It got wet."),
    )
    _, made = best(rows, wanted)
    assert made[1].input.startswith("Premise: The dog ran home at 1.\nAsked: effect\nOptions: ")
    assert [example.output for example in made[:4]] == [rows[n][f"choice{(n // 2) % 2 + 1}"] for n in range(4)]


def test_the_largest_vote_names_the_classes_of_a_number() -> None:
    rows = []
    for n in range(30):
        votes = [1, 1, 1]
        votes[n % 3] = 5
        rows.append(
            {"calm_weather": votes[0], "stormy_weather": votes[1], "neither": votes[2], "class": n % 3, "text": f"Report {n} from the hill"}
        )
    wanted = task("label", "Calm, stormy or neither?", ("Wind in the trees", "stormy"), labels=("stormy", "calm", "neither"))
    _, made = best(rows, wanted)
    assert [example.output for example in made[:3]] == ["calm", "stormy", "neither"]
    assert made[0].input == "Report 0 from the hill"


def test_a_number_is_cut_where_the_description_says() -> None:
    rows = [{"text": f"Query about the {PLACES[n % 12]} no {n}", "rating": (n % 11) / 10} for n in range(33)]
    wanted = task("label", "Say yes for a rating of 0.7 or more, otherwise no.", ("Query about the sea", "yes"), labels=("yes", "no"))
    _, made = best(rows, wanted)
    assert [example.output for example in made[:11]] == ["no"] * 7 + ["yes"] * 4


def test_names_of_areas_are_written_as_the_example_writes_them_and_some_left_out() -> None:
    areas = ["food_and_drink", "oos", "travel_plans"]
    rows = [{"text": f"request {n} about a {PLACES[n % 12]}", "area": areas[n % 3]} for n in range(30)]
    wanted = task("text", "Name the area. Leave out what is out of scope.", ("boil an egg", "food and drink"))
    _, made = best(rows, wanted)
    assert {example.output for example in made} == {"food and drink", "travel plans"}


def test_tagged_spans_are_listed_for_the_type_described() -> None:
    rows = [
        {
            "words": ["Ann", "and", "Bob", "Lee", "met", str(n)] if n % 2 else ["It", "rained", "on", str(n)],
            "tags": ["B-PER", "O", "B-PER", "I-PER", "O", "O"] if n % 2 else ["O"] * 4,
        }
        for n in range(30)
    ]
    wanted = task("text", 'List the persons, separated by "; ", or "nobody".', ("Eve slept .", "Eve"), ("It snowed .", "nobody"))
    _, made = best(rows, wanted)
    assert [example.output for example in made[:2]] == ["nobody", "Ann; Bob Lee"]
    assert made[1].input == "Ann and Bob Lee met 1"


def test_the_answer_after_a_marker_is_given_without_showing_its_column() -> None:
    rows = [
        {"question": f"Tom has {n} pears and gets two. How many?", "answer": f"We add two to {n} pears and get it.\n#### {n + 2}"}
        for n in range(30)
    ]
    wanted = task("text", "Solve the problem. The output is the number.", ("Ann has 3 pens and loses 1. How many?", "2"))
    _, made = best(rows, wanted)
    assert made[5].output == "7"
    assert "We add" not in made[5].input


def test_the_direction_of_a_pair_follows_the_examples() -> None:
    rows = [{"left": f"Where was uh no I mean when was hut {n} built?", "right": f"When was hut {n} built?"} for n in range(30)]
    clean = task("text", "Clean up.", ("Who er sorry what is this?", "What is this?"))
    noisy = task("text", "Make it sound spoken.", ("What is this?", "Who er sorry what is this?"))
    assert best(rows, clean)[1][3].output == rows[3]["right"]
    assert best(rows, noisy)[1][3].output == rows[3]["left"]


def test_sentences_in_numbered_columns_are_joined_where_the_example_has_several() -> None:
    rows = [
        {
            "whole": f"The {ANIMALS[n % 12]}, which is {n}, sleeps in the {PLACES[n % 12]}.",
            "part_1": f"The {ANIMALS[n % 12]} sleeps in the {PLACES[n % 12]}.",
            "part_2": f"The {ANIMALS[n % 12]} is {n}.",
        }
        for n in range(30)
    ]
    wanted = task(
        "text", "Split.", ("The tower, which is old, stands here by the sea.", "The tower stands here by the sea. The tower is old.")
    )
    _, made = best(rows, wanted)
    assert made[2].output == f"{rows[2]['part_1']} {rows[2]['part_2']}"
    assert made[2].input == rows[2]["whole"]


def test_turns_before_are_the_input_of_a_reply() -> None:
    rows = [
        {
            "turns": [
                {"speaker": "USER", "text": f"I need a room for {n} nights please"},
                {"speaker": "SYSTEM", "text": f"Which town for the {n} nights?"},
                {"speaker": "USER", "text": "The town by the sea"},
                {"speaker": "SYSTEM", "text": f"Booked it for {n} nights, enjoy your stay."},
            ]
        }
        for n in range(12)
    ]
    wanted = task("text", "Write the next reply of the SYSTEM in the dialogue.", ("USER: A table please.", "For how many people is it?"))
    _, made = best(rows, wanted)
    assert len(made) == 24
    assert made[0].input.startswith("USER: I need a room")
    assert {example.output.split()[0] for example in made} == {"Which", "Booked"}


def test_only_rows_in_the_task_language_are_kept() -> None:
    rows = [{"lang": ["de", "en"][n % 2], "text": f"Satz {n} vom Berg", "label": ["good", "bad"][n // 2 % 2]} for n in range(40)]
    wanted = task("label", "Gut oder schlecht?", labels=("good", "bad"), language="de")
    proposal, made = best(rows, wanted)
    assert any(isinstance(step, Keep) and step.one_of == ("de",) for step in proposal.plans[0][0].steps)
    assert len(made) == 20


def test_plans_do_not_depend_on_column_order() -> None:
    rows = [{"question": quiz(n, n % 3)["question"], "choices": quiz(n, n % 3)["options"], "label": n % 3} for n in range(36)]
    turned = [dict(reversed(row.items())) for row in rows]
    assert [e.output for e in best(rows, PICK)[1]] == [e.output for e in best(turned, PICK)[1]]
    pick = next(step for step in best(turned, PICK)[0].plans[0][0].steps if isinstance(step, Pick))
    assert (pick.by, pick.value, pick.base) == ("index", "label", 0)
