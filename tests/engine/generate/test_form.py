"""The form of examples is found in all the ways people write options, and comes out of the pieces a model fills."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.generate.form import Filled, Form
from engine.records import Output, OutputKind, Task, TaskExample


def task_with(kind: OutputKind, *examples: tuple[str, str], labels: tuple[str, ...] = ()) -> Task:
    return Task("t", "Do one thing with it.", output=Output(kind, labels), examples=tuple(TaskExample(*pair) for pair in examples))


WRITTEN = {
    "letters on one line": ("option_letter", ("Where are books lent?\n(A)shop (B)library (C)park", "B"), ("Where?",)),
    "letters on lines": ("option_text", ("Which is red?\nA. sky\nB. blood\nC. grass", "blood"), ("blood", "sky", "grass")),
    "small letters and a last line": ("option_letter", ("Which is red?\na) sky\nb) blood\nAnswer:", "b"), ("blood", "sky")),
    "numbers": ("option_letter", ("Which is red? Choices: 1. sky 2. blood", "2"), ("blood",)),
    "bullets": ("option_text", ("Which is red?\n- sky\n- blood", "blood"), ("blood",)),
    "as BIG-bench has them": ("option_text", ("Which is red?\n  choice: sky\n  choice: blood", "blood"), ("blood",)),
    "as BIG-bench has them, close": ("option_text", ("How many are 2 and 3 ?\n choice:5\n choice:6\n choice:23", "5"), ("5", "23")),
    "choices alone": ("option_text", ("choice: It rained.\n  choice: The street was wet.", "It rained."), ("It rained.",)),
    "joined after a heading": ("option_text", ("Premise: He fell.\nQuestion: Why?\nOptions: ice; luck", "ice"), ("He fell.", "Why?")),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_an_example_comes_apart_and_together_again(name: str) -> None:
    kind, (text, output), parts = WRITTEN[name]
    form = Form(task_with(kind, (text, output)))  # type: ignore[arg-type]
    filled = form.taken_apart(TaskExample(text, output))
    assert filled is not None and form.options is not None
    written = json.dumps([*filled.pieces, filled.right, *filled.wrong])
    assert all(part in written or part == "Where?" for part in parts)
    for key in "abcdefgh":  # in some order it is the example itself, letter for letter
        made = form.render(filled, key, 0)
        assert form.holds(filled, *made)
        assert made[1] in form.outputs_of(made[0]) and sorted(made[0]) == sorted(text)
    assert text in {form.render(filled, str(key), 0)[0] for key in range(200)}


def test_headings_that_all_examples_share_become_pieces() -> None:
    pairs = (("Premise: A man sleeps.\nHypothesis: He runs.", "no"), ("Premise: A dog runs.\nHypothesis: It moves.", "yes"))
    form = Form(task_with("label", *pairs, labels=("yes", "no")))
    assert [piece.name for piece in form.pieces] == ["Premise", "Hypothesis"]
    filled = form.read('{"output": "no", "Premise": "It is noon.", "Hypothesis": "It is night."}', 1)
    assert filled is not None
    assert form.render(filled[0], "k", 0) == ("Premise: It is noon.\nHypothesis: It is night.", "no")


def test_a_part_with_another_heading_in_it_is_not_taken() -> None:
    pairs = (("Premise: A man sleeps.\nHypothesis: He runs.", "no"), ("Premise: A dog runs.\nHypothesis: It moves.", "yes"))
    form = Form(task_with("label", *pairs, labels=("yes", "no")))
    filled = Filled(("It is noon.\nHypothesis: oh", "It is night."), "no")
    assert not form.holds(filled, *form.render(filled, "k", 0))


def test_the_right_option_is_as_often_at_each_place() -> None:
    form = Form(task_with("option_letter", ("Where are books lent?\n(A)shop (B)library (C)park (D)pool", "B")))
    filled = Filled(("Where do fish live?",), "", "water", ("air", "sand", "wood"))
    places = Counter(form.render(filled, str(key), 0)[1] for key in range(800))
    assert set(places) == set("ABCD") and min(places.values()) > 150


def test_none_of_the_others_stays_last() -> None:
    form = Form(task_with("option_text", ("Which is red?\nA. sky\nB. blood", "blood")))
    filled = Filled(("Which is green?",), "", "grass", ("none of the above", "sky"))
    assert all(form.render(filled, str(key), 0)[0].endswith("C. none of the above") for key in range(20))


def test_without_examples_there_is_a_form_all_the_same() -> None:
    form = Form(task_with("option_letter"))
    filled = Filled(("Which is green?",), "", "grass", ("sea", "sky"))
    text, output = form.render(filled, "k", 0)
    assert text.startswith("Which is green?\nA) ") and form.holds(filled, text, output)
    assert Form(task_with("text")).render(Filled(("in",), "out"), "k", 0) == ("in", "out")


@pytest.mark.parametrize(
    "answer", ["", "[]", "null", '{"input": 3, "output": "a"}', '{"input": "a"}', '{"input": "a", "output": ["b"]}', "[" * 9999]
)
def test_an_answer_of_another_form_is_none(answer: str) -> None:
    assert Form(task_with("text")).read(answer, 1) is None


def test_several_examples_are_asked_for_and_read_as_a_list() -> None:
    form = Form(task_with("label", labels=("a", "b")))
    schema = form.schema(("b", "a"), "k", 0, 2)["properties"]["examples"]
    assert (schema["minItems"], schema["maxItems"]) == (2, 2)
    assert [one["properties"]["output"]["const"] for one in schema["prefixItems"]] == ["b", "a"]
    read = form.read('{"examples": [{"output": "b", "input": "x"}, {"output": "a", "input": "y"}]}', 2)
    assert read == [Filled(("x",), "b"), Filled(("y",), "a")]
    assert form.read('{"examples": [{"output": "b", "input": "x"}]}', 2) is None


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_text_can_be_taken_apart_without_an_error(text: str, output: str) -> None:
    for kind in ("option_letter", "option_text", "text"):
        form = Form(task_with(kind, (text, output)))
        form.taken_apart(TaskExample(text, output))
        form.outputs_of(text)


def test_an_input_of_options_alone_has_no_question_to_write() -> None:
    form = Form(task_with("option_letter", ("A. It rained.\nB. The street is wet.", "A"), ("A. She fell.\nB. There was ice.", "B")))
    assert form.pieces == () and list(form.schema([], "k", 0, 1)["properties"]) == ["right", "wrong"]
    (filled,) = form.read('{"right": "The sun rose.", "wrong": ["It grew warm."]}', 1) or []
    for seed in range(6):
        text, output = form.render(filled, "k", seed)
        assert text in ("A. The sun rose.\nB. It grew warm.", "A. It grew warm.\nB. The sun rose.")
        assert text.split("\n")["AB".index(output)].endswith("The sun rose.") and form.holds(filled, text, output)
