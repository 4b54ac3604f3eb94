"""The shape of a task's examples."""

from __future__ import annotations

import pytest

from engine.plan.structure.shape import Shape, form_of, shape_of
from engine.records import Task, TaskExample


def shape(text: str, output: str = "x") -> Shape:
    return shape_of(Task("t", "d", examples=(TaskExample(text, output),)))


def test_headings_in_lines_are_the_pieces_of_an_input() -> None:
    found = shape("Text: Ann lives in Rome.\nQuestion: Where?")
    assert [(slot.heading, slot.before) for slot in found.slots] == [("Text", ""), ("Question", "\n")]


def test_headings_within_one_line_count_too() -> None:
    assert [slot.heading for slot in shape("前提：下雨了。问：结果？").slots] == ["前提", "问"]


def test_speakers_of_one_letter_are_no_headings() -> None:
    assert [slot.heading for slot in shape("A: When?\nB: At nine.").slots] == [""]


@pytest.mark.parametrize(
    ("text", "output", "style", "mark", "join", "count"),
    [
        ("The sky is\nA. green\nB. blue", "B", "marked", "A. ", "\n", 2),
        ("1) She go.\n2) She goes.", "She goes.", "marked", "1) ", "\n", 2),
        ("Pick:\n- red\n- blue\n- pink", "red", "marked", "- ", "\n", 3),
        ("Who was late?\nOptions: Lee; Sam; nobody", "Sam", "joined", "", "; ", 3),
        ("質問：雨の日は？ 選択肢：傘、皿、靴", "傘", "joined", "", "、", 3),
        ("The sky is A) green B) blue", "B", "marked", "A) ", " ", 2),
    ],
)
def test_options_are_listed_the_way_the_example_lists_them(text: str, output: str, style: str, mark: str, join: str, count: int) -> None:
    found = shape(text, output)
    assert (found.style, found.mark, found.join, found.count) == (style, mark, join, count)
    assert sum(slot.options for slot in found.slots) == 1


def test_examples_of_different_shapes_share_none() -> None:
    task = Task("t", "d", examples=(TaskExample("Text: a", "x"), TaskExample("Word: b", "y")))
    assert len(shape_of(task).slots) == 1


def test_the_form_of_texts_is_measured() -> None:
    form = form_of(["Where is it?", "Who came?", ""])
    assert (form.asks, form.numeric, form.script) == (1.0, 0.0, "LATIN")
    assert form_of(["    return x"]).code == 1.0
