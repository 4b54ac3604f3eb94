"""Free text tasks: which column is the output, which the input, and what no column holds."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.trial import Proposal, propose, run_on
from engine.records import Example, Output, OutputKind, Task, TaskExample
from tests.engine.plan.tables import Table

BEASTS = ["cat", "dog", "cow", "hen", "pig", "fox", "owl", "bee", "ant", "eel", "emu", "yak"]
PLACES = ["barn", "wood", "lake", "yard", "hill", "cave", "nest", "hive", "pond", "moor", "farm", "reef"]


def proposed(
    rows: list[dict[str, Any]], description: str, *examples: tuple[str, str], kind: OutputKind = "text", language: str = "en"
) -> tuple[Proposal, list[Example]]:
    table = Table(rows)
    task = Task("t", description, language, Output(kind), tuple(TaskExample(*example) for example in examples))
    proposal = propose(task, table.columns, table.rows)
    made = run_on(proposal.plans[0][0], table.columns, table.rows, task)[0] if proposal.plans else []
    return proposal, sorted(made, key=lambda example: example.source.row)


PAIRS = [
    {"kind": ["verb", "noun"][n % 2], "right": f"The {BEASTS[n % 12]} goes home at {n}.", "wrong": f"The {BEASTS[n % 12]} go home at {n}."}
    for n in range(40)
]


@pytest.mark.parametrize(
    ("good", "bad"),
    [("right", "wrong"), ("correct", "mistake"), ("original", "corrupted"), ("fixed", "original"), ("sentence", "sentence_bad")],
)
def test_the_bad_one_of_a_pair_is_rewritten_as_the_good_one(good: str, bad: str) -> None:
    rows = [{"kind": row["kind"], bad: row["wrong"], good: row["right"]} for row in PAIRS]
    _, made = proposed(rows, "Correct the sentence.", ("Them boys was here.", "Those boys were here."))
    assert (made[3].input, made[3].output) == (PAIRS[3]["wrong"], PAIRS[3]["right"])


def test_a_mistake_is_put_in_where_the_task_is_to_put_one_in() -> None:
    _, made = proposed(PAIRS, "Put a grammar mistake into the sentence.", ("Those boys were here.", "Those boys was here."))
    assert (made[3].input, made[3].output) == (PAIRS[3]["right"], PAIRS[3]["wrong"])


def test_a_category_alone_is_no_input() -> None:
    rows = [{"area": ["bank", "travel"][n % 2], "text": f"Please help me find the {BEASTS[n % 12]} number {n}"} for n in range(40)]
    proposal, _ = proposed(rows, "Say it politely.", ("give me a fork now", "Would you please give me a fork"))
    assert not proposal.plans


def scores(n: int) -> dict[str, Any]:
    value = (n % 21 - 10) / 10
    return {"word": f"{BEASTS[n % 12]} {PLACES[n % 11]}", "up": max(0.0, value), "down": max(0.0, -value), "value": value, "votes": n % 7}


def test_a_number_is_known_by_the_scale_the_description_names() -> None:
    _, made = proposed([scores(n) for n in range(60)], "How good is it? Give a number from -1 to 1.", ("kind man", "0.8"), ("war", "-0.9"))
    assert [example.output for example in made[:4]] == ["-1.0", "-0.9", "-0.8", "-0.7"]


def test_a_score_from_nought_to_one_of_something_else_is_refused() -> None:
    rows = [{"text": f"where is the {BEASTS[n % 12]} of {n}", "rating": (n % 11) / 10} for n in range(50)]
    proposal, _ = proposed(rows, "How polite is it, from 0.0 to 1.0?", ("please come in", "0.9"), ("get out", "0.1"))
    assert not proposal.plans


def test_ids_are_no_options_and_counts_no_index() -> None:
    rows = [
        {
            "text": f"The {BEASTS[n % 12]} of the {PLACES[n % 11]} sleeps at {n}.",
            "raters": [f"{(n + k) % 20:02d}" for k in range(5)],
            "binary_label": n % 2,
        }
        for n in range(40)
    ]
    assert not proposed(rows, "Rate it.", ("A dog sleeps.", "3.2"), ("A cat eats.", "4.0"))[0].plans
    rows = [
        {"question": f"What does the {BEASTS[n % 12]} eat at {n}?", "num_answers": n % 3 + 1}
        | {f"answer_{letter}": f"the {PLACES[(n + place) % 12]}" for place, letter in enumerate("abc")}
        for n in range(40)
    ]
    assert not proposed(rows, "Answer the question.", ("Where does a fish live?", "the sea"))[0].plans


def test_an_answer_the_examples_show_is_not_the_output() -> None:
    rows = [
        {"question": f"Where does the {BEASTS[n % 12]} number {n} live?", "answer": f"in the {PLACES[n % 12]} by the old road"}
        for n in range(40)
    ]
    proposal, _ = proposed(
        rows,
        "Explain why the answer is right.",
        ("Question: Where is ice?\nAnswer: at the poles", "The poles get little light from the sun."),
    )
    assert not proposal.plans


def test_questions_are_no_answers() -> None:
    rows = [
        {
            "question": f"Hello, my {BEASTS[n % 12]} is ill since day {n} and lies in the {PLACES[n % 11]}. What can I do? Please help.",
            "summary": f"What helps an ill {BEASTS[n % 12]} number {n}?",
        }
        for n in range(40)
    ]
    proposal, _ = proposed(
        rows, "Answer the question of an owner.", ("Can my cat have milk?", "No. Give it water instead and ask a vet if it stays thirsty.")
    )
    assert not proposal.plans


def test_a_translation_into_a_language_no_column_is_in_is_refused() -> None:
    words = ["гусеница", "малина", "собака", "корова", "дорога", "берёза", "молоко", "работа", "голова", "погода", "девочка", "железо"]
    rows = [{"mistake": f"{word[:3]}{word[4:]}", "correct": word} for word in words * 3]
    proposal, _ = proposed(rows, "Переведи слово с русского языка на украинский.", ("хлеб", "хліб"), ("спасибо", "дякую"), language="ru")
    assert not proposal.plans


def test_the_marked_sentence_of_a_list_is_the_output() -> None:
    rows = [
        {
            "sentences": [f"The {BEASTS[(n + k) % 12]} number {n} sleeps in the {PLACES[(n + k) % 12]}." for k in range(4)],
            "marks": [int(k == n % 4) for k in range(4)],
        }
        for n in range(40)
    ]
    _, made = proposed(rows, "Pick the key sentence.", ("Bees fly. We show that bees count. It rains.", "We show that bees count."))
    assert made[2].output == "The pig number 2 sleeps in the hill."
    assert made[2].output in made[2].input


def test_the_second_line_answers_the_first_without_who_speaks() -> None:
    rows = [
        {
            "dialogue": [
                f"A: Where is the {BEASTS[n % 12]} number {n} ?",
                f"B: It is in the {PLACES[n % 12]} {n} , I think .",
                "A: Thank you so much .",
            ]
        }
        for n in range(40)
    ]
    rows[5]["dialogue"][1] = "B: It is in <MASK> , I think ."
    _, made = proposed(
        rows, "Reply to the first line of a dialogue. Leave out lines with <MASK>.", ("Are you hungry ?", "Yes , let us eat .")
    )
    assert (made[2].input, made[2].output) == ("Where is the cow number 2 ?", "It is in the lake 2 , I think .")
    assert len(made) == 39


def test_title_and_text_go_the_way_the_description_says() -> None:
    rows = [
        {
            "title": f"The {BEASTS[n % 12]} of the {PLACES[n % 11]}",
            "text": f"On day {n} the {BEASTS[n % 12]} came. It left the {PLACES[n % 11]} soon.",
        }
        for n in range(40)
    ]
    _, made = proposed(rows, "Write a title for the text.", ("A ship sank. All were saved by the crew.", "The lost ship"))
    assert made[1].output == rows[1]["title"]
    _, made = proposed(rows, "Write a short text from its title.", ("The lost ship", "A ship sank. All were saved by the crew."))
    assert made[1].output == rows[1]["text"]


def test_choices_stay_out_where_the_examples_show_none() -> None:
    rows = [
        {"question": f"Who lives in the {PLACES[n % 12]} number {n}?", "label": n % 3}
        | {f"choice{k}": f"the {BEASTS[(n + k) % 12]} of {PLACES[n % 11]}" for k in range(3)}
        for n in range(40)
    ]
    _, made = proposed(rows, "Answer in a word or two.", ("Who lives in the sea?", "the whale"))
    assert made[4].output == rows[4][f"choice{4 % 3}"]
    assert made[4].input == rows[4]["question"]


def test_the_whole_text_is_the_beginning_and_its_right_ending() -> None:
    rows = [
        {
            "start": f"The {BEASTS[n % 12]} went to the {PLACES[n % 11]} at {n} and",
            "label": n % 2,
            "ending0": f"ate {n} nuts.",
            "ending1": f"slept {n} hours.",
        }
        for n in range(40)
    ]
    _, made = proposed(rows, "Return the beginning with a good ending.", ("Tom got up and", "Tom got up and washed."))
    assert made[3].output == f"{rows[3]['start']} slept 3 hours."
    assert made[3].input == rows[3]["start"]


def test_copies_do_not_serve_where_the_examples_are_none() -> None:
    rows = [{"mistake": f"{beast}{place[:2]}{place[3:]}", "correct": f"{beast}{place}"} for beast in BEASTS for place in PLACES[:4]]
    proposal, _ = proposed(rows, "Write a synonym.", ("street", "avenue"), ("doctor", "medic"), ("small", "little"))
    assert not proposal.plans


def test_outputs_are_found_in_their_inputs_where_the_examples_are() -> None:
    rows = [
        {
            "text": f"The {BEASTS[n % 12]} sleeps in the {PLACES[n % 11]} at {n}.",
            "answer": f"number {n * 7 + 1000} Zed Road",
            "where": f"{PLACES[n % 11]} at {n}",
        }
        for n in range(40)
    ]
    _, made = proposed(
        rows, "Say where it happens.", ("The dog ran to the old mill by noon.", "old mill by noon"), ("We met in Rome at 5.", "Rome at 5")
    )
    assert made[3].output == "yard at 3"


def test_several_texts_of_which_the_description_names_one_give_this_one_as_the_input() -> None:
    rows = [
        {
            "title": f"The {BEASTS[n % 12]} of the {PLACES[n % 11]}",
            "body": " ".join(
                f"On day {n + k} the {BEASTS[(n + k) % 12]} came to the {PLACES[(n * k) % 11]} and left again." for k in range(12)
            ),
            "summary": f"A {BEASTS[n % 12]} came {n} times to the {PLACES[n % 11]}.",
        }
        for n in range(40)
    ]
    _, made = proposed(rows, "Write a one-sentence summary from the title.", ("The lost ship", "A ship was lost and found again."))
    assert (made[2].input, made[2].output) == (rows[2]["title"], rows[2]["summary"])
