"""Options written inside a text: whatever marks them, the right one is given as a letter or as its text."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from engine.plan.trial import Proposal, propose, run_on
from engine.records import Example, Output, OutputKind, Task, TaskExample
from tests.engine.plan.tables import Table

THINGS = ["copper", "a bread knife", "oak wood", "grey wool", "sea salt", "window glass", "river clay", "goat milk", "coal", "rain water"]
ASKS = ["sinks in water", "burns with a flame", "can be spun into yarn", "is mined in hills", "melts in the sun", "breaks when it falls"]
ROWS = 36
LETTERED = ("Which of these barks?\nA. a dog\nB. a hen\nC. a cow\nD. a bee", "A")
BULLETS = ("Which of these barks?\n- a dog\n- a hen\n- a cow\n- a bee", "a dog")
IN_LINE = ("Which of these barks? (A) a dog (B) a hen (C) a cow (D) a bee", "A")


def options(n: int) -> list[str]:
    return random.Random(n).sample(THINGS, 4)


def right(n: int) -> int:
    return random.Random(n + 1000).randrange(4)


def question(n: int) -> str:
    return f"Which of the four things in box {n + 1} {ASKS[n % len(ASKS)]}?"


def written(n: int, way: str) -> str:
    several = options(n)
    marked = {
        "brackets": "".join(f" ({sign}) {text}" for sign, text in zip("ABCD", several, strict=True)),
        "brackets close by": "\n" + " ".join(f"({sign}){text}" for sign, text in zip("ABCD", several, strict=True)),
        "lines": "".join(f"\n{sign}. {text}" for sign, text in zip("ABCD", several, strict=True)),
        "one line": "".join(f" {sign}) {text}," for sign, text in zip("ABCD", several, strict=True)).rstrip(","),
        "small letters": "".join(f"\n{sign}) {text}" for sign, text in zip("abcd", several, strict=True)),
        "numbers": "".join(f"\n{sign}. {text}" for sign, text in zip("1234", several, strict=True)),
        "bullets": "".join(f"\n- {text}" for text in several),
        "bare lines": "".join(f"\n{text}" for text in several),
        "dashes": "".join(f"\n{sign} - {text}" for sign, text in zip("ABCD", several, strict=True)),
        "colons": " Choices: " + ", ".join(f"{sign}: {text}" for sign, text in zip("ABCD", several, strict=True)),
        "chinese": "".join(f"\n{sign}．{text}" for sign, text in zip("ABCD", several, strict=True)),
        "a part with bullets": "\nOPTIONS:\n" + "\n".join(f"- {text}" for text in several),
        "a part with brackets": "\nOPTIONS:\n" + "\n".join(f"({sign}) {text}" for sign, text in zip("ABCD", several, strict=True)),
        "a part": f" Options: {'; '.join(several)}",
        "before a part": "".join(f" ({sign}) {text}" for sign, text in zip("ABCD", several, strict=True)) + f", Box: number {n}",
    }[way]
    return ("Question: " if way == "a part" else "") + question(n) + marked


def rows(way: str, answer: str) -> list[dict[str, Any]]:
    found = []
    for n in range(ROWS):
        value: Any = {
            "letter": "ABCD"[right(n)],
            "in brackets": f"({'ABCD'[right(n)]})",
            "text": options(n)[right(n)],
            "number": right(n) + 1,
            "both": f"{'ABCD'[right(n)]}) {options(n)[right(n)]}",
        }[answer]
        found.append({"input": written(n, way), "output": value})
    return found


def best(data: list[dict[str, Any]], kind: OutputKind, example: tuple[str, str]) -> tuple[Proposal, list[Example]]:
    table = Table(data)
    task = Task("t", "Choose the right thing.", "en", Output(kind), (TaskExample(*example),))
    proposal = propose(task, table.columns, table.rows)
    if not proposal.plans:
        return proposal, []
    made, _, _ = run_on(proposal.plans[0][0], table.columns, table.rows, task)
    return proposal, sorted(made, key=lambda one: one.source.row)


WAYS = [
    "brackets",
    "brackets close by",
    "lines",
    "one line",
    "small letters",
    "numbers",
    "bullets",
    "bare lines",
    "a part",
    "before a part",
    "dashes",
    "colons",
    "chinese",
    "a part with bullets",
    "a part with brackets",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", ["letter", "in brackets", "text", "number", "both"])
def test_the_text_of_the_right_one_is_given(way: str, answer: str) -> None:
    if way in ("bare lines", "a part") and answer != "text":
        return  # without marks only a text that is one of several tells that there are options
    proposal, made = best(rows(way, answer), "option_text", BULLETS)
    assert proposal.plans, proposal.refusal
    assert len(made) == ROWS
    assert [one.output for one in made] == [options(n)[right(n)] for n in range(ROWS)]
    assert all(one.output in one.input and question(n) in one.input for n, one in enumerate(made))
    assert all(text in made[3].input for text in options(3))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", ["letter", "in brackets", "text", "number", "both"])
def test_the_letter_of_the_right_one_is_given(way: str, answer: str) -> None:
    if way in ("bare lines", "a part") and answer != "text":
        return
    proposal, made = best(rows(way, answer), "option_letter", LETTERED)
    assert proposal.plans, proposal.refusal
    assert [one.output for one in made] == ["ABCD"[right(n)] for n in range(ROWS)]
    assert all(question(n) in one.input for n, one in enumerate(made))
    assert all(re.search(rf"(?<!\w){one.output}\W{{1,3}}{options(n)[right(n)]}", one.input) for n, one in enumerate(made))


def test_a_text_that_lists_its_options_as_the_examples_do_stays_as_it_is() -> None:
    proposal, made = best(rows("brackets", "letter"), "option_letter", IN_LINE)
    assert made[4].input == written(4, "brackets")
    assert "input lists the options itself" in proposal.plans[0][0].reasons


def test_answers_that_are_spans_of_a_passage_are_no_options() -> None:
    data = [
        {"input": f"{question(n)} A man kept {options(n)[0]}, and also {options(n)[1]}, in a box.", "output": options(n)[n % 2]}
        for n in range(ROWS)
    ]
    proposal, _ = best(data, "option_text", BULLETS)
    assert not proposal.plans


def test_marks_without_a_column_that_says_which_is_right_are_refused() -> None:
    data = [{"input": written(n, "lines"), "level": ["easy", "hard"][n % 2]} for n in range(ROWS)]
    assert not best(data, "option_letter", LETTERED)[0].plans


def test_question_options_and_answer_may_be_parts_of_one_text() -> None:
    data = [{"text": f"Question: {written(n, 'lines')}\nAnswer: {'ABCD'[right(n)]}"} for n in range(ROWS)]
    proposal, made = best(data, "option_letter", LETTERED)
    assert proposal.plans, proposal.refusal
    assert [one.output for one in made] == ["ABCD"[right(n)] for n in range(ROWS)]
    assert made[0].input == written(0, "lines")


def test_rows_may_list_more_or_fewer_options() -> None:
    data = []
    for n in range(ROWS):
        several = options(n)[: 2 + n % 3]
        text = question(n) + "".join(f" ({sign}) {option}" for sign, option in zip("ABCD", several, strict=False))
        data.append({"source": text, "target": "ABCD"[n % len(several)]})
    proposal, made = best(data, "option_text", BULLETS)
    assert proposal.plans, proposal.refusal
    assert [one.output for one in made] == [options(n)[n % (2 + n % 3)] for n in range(ROWS)]


COLUMNS = {
    "in brackets": lambda several: " ".join(f"({sign}) {text}" for sign, text in zip("ABCD", several, strict=True)),
    "with blanks": lambda several: " , ".join(f"{sign} ) {text}" for sign, text in zip("abcd", several, strict=True)),
    "with bars": "|".join,
    "with semicolons": "; ".join,
}


@pytest.mark.parametrize("way", COLUMNS)
@pytest.mark.parametrize("answer", ["letter", "index"])
def test_a_column_of_its_own_may_list_the_options_in_one_text(way: str, answer: str) -> None:
    data = [
        {
            "question": question(n),
            "choices": COLUMNS[way](options(n)),
            "answer": "ABCD"[right(n)] if answer == "letter" else right(n),
        }
        for n in range(ROWS)
    ]
    proposal, made = best(data, "option_letter", LETTERED)
    assert proposal.plans, proposal.refusal
    assert [one.output for one in made] == ["ABCD"[right(n)] for n in range(ROWS)]
    assert made[2].input == written(2, "lines")


def test_numbered_parts_of_a_text_are_options() -> None:
    data = [
        {"input": f"sentence 1: {options(n)[0]} {ASKS[n % 6]}.\nsentence 2: {options(n)[1]} {ASKS[n % 6]}.", "output": right(n) % 2 + 1}
        for n in range(ROWS)
    ]
    proposal, made = best(data, "option_text", ("- dogs bark\n- hens bark", "dogs bark"))
    assert proposal.plans, proposal.refusal
    assert [one.output for one in made] == [f"{options(n)[right(n) % 2]} {ASKS[n % 6]}." for n in range(ROWS)]
    assert "sentence" not in made[0].input
