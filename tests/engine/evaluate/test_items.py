"""Tests are read whole, or refused in a line that says where and why."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.evaluate.items import example_items, read_test, shuffled
from engine.records import Output, Task
from tests.engine.evaluate.made import TITLE, WEATHER, bigbench, lines

CHOICES = [{"input": f"Question number {number}?", "target_scores": {"right": 1, "wrong": 0, "bad": 0.0}} for number in range(60)]


def test_the_right_option_is_kept_wherever_it_comes_to_stand(tmp_path: Path) -> None:
    test = read_test(bigbench(tmp_path / "t", CHOICES), WEATHER)
    assert all([item.options[place] for place in item.right] == ["right"] for item in test.items)
    places = Counter(item.right[0] for item in test.items)
    assert set(places) == {0, 1, 2} and max(places.values()) < 35
    assert [item.options for item in test.items] == [item.options for item in read_test(tmp_path / "t", WEATHER).items]
    assert [item.options for item in test.items] != [item.options for item in read_test(tmp_path / "t", WEATHER, seed=1).items]
    assert {item.options for item in read_test(tmp_path / "t", WEATHER, shuffle=False).items} == {("right", "wrong", "bad")}


def test_options_are_listed_in_the_order_they_are_weighed_in(tmp_path: Path) -> None:
    (item,) = read_test(bigbench(tmp_path / "t", CHOICES[:1], choice_prefix="\n* "), WEATHER).items
    assert item.input == "Question number 0?" + "".join(f"\n* {option}" for option in item.options)
    (bare,) = read_test(bigbench(tmp_path / "u", CHOICES[:1], append_choices_to_input=False), WEATHER).items
    assert bare.input == "Question number 0?" and sorted(bare.options) == ["bad", "right", "wrong"]


def test_half_right_options_keep_their_credit(tmp_path: Path) -> None:
    (item,) = read_test(bigbench(tmp_path / "t", [{"input": "x", "target_scores": {"a": 1, "b": 0.5, "c": 0}}]), WEATHER).items
    assert dict(zip(item.options, item.credits, strict=True)) == {"a": 1, "b": 0.5, "c": 0} and item.chance == 0.5


def test_texts_are_judged_by_what_the_task_asks_for(tmp_path: Path) -> None:
    plain = read_test(bigbench(tmp_path / "t", [{"input": "2 + 2", "target": ["4", "four"]}]), TITLE)
    assert plain.metric == "exact_str_match" and plain.items[0].references == ("4", "four") and not plain.closed
    other = read_test(bigbench(tmp_path / "u", [{"input": "2", "target": "4"}], preferred_score="rouge_l"), TITLE)
    assert other.metric == "rouge_l"
    unknown = read_test(bigbench(tmp_path / "v", [{"input": "2", "target": "4"}], preferred_score="bleurt"), TITLE)
    assert unknown.metric == "exact_str_match" and "bleurt" in unknown.notes[0]


def test_subtasks_hold_the_same_items_in_other_forms_and_these_are_one(tmp_path: Path) -> None:
    pairs = [(f"the {animal} slept all day", f"the {animal} was tired and old") for animal in ("cat", "dog", "owl", "cow")]
    folder = bigbench(tmp_path / "t", [])
    one = [{"input": "", "target_scores": {f"{a} because {b}": 1, f"{b} because {a}": 0}} for a, b in pairs]
    bigbench(folder / "joined", one)
    bigbench(folder / "apart", [{"input": "", "target_scores": {b: 1, a: 0}} for a, b in pairs], task_prefix="Which is the cause?")
    test = read_test(folder, WEATHER)
    assert len(test.items) == 8 and test.clusters == 4
    assert test.frames["apart"].instruction == "Which is the cause?" and "subtasks: apart, joined" in test.notes[0]


def test_questions_on_one_passage_are_one_cluster_and_instructions_are_none(tmp_path: Path) -> None:
    passage = " ".join(f"word{number}" for number in range(40))
    instruction = " ".join(f"please{number}" for number in range(40))
    rows = [{"input": f"{instruction}\n{passage} {number // 2}\nWhat is {number}?", "output": "x"} for number in range(20)]
    assert read_test(lines(tmp_path / "t.jsonl", rows), TITLE).clusters == 10


def test_a_file_may_say_itself_what_belongs_together(tmp_path: Path) -> None:
    rows = [{"input": f"note {number}", "output": "sun", "cluster": "a" if number < 3 else "b"} for number in range(5)]
    assert [item.cluster for item in read_test(lines(tmp_path / "t.jsonl", rows), WEATHER).items] == ["a", "a", "a", "b", "b"]


def test_what_a_file_says_of_clusters_holds_against_what_items_look_like(tmp_path: Path) -> None:
    rows = [{"input": text, "output": "sun", "cluster": name} for text, name in (("one", "a"), ("one", "b"), ("other words", "a"))]
    assert [item.cluster for item in read_test(lines(tmp_path / "t.jsonl", rows), WEATHER).items] == ["a", "b", "a"]


def test_items_in_the_same_place_of_two_subtasks_are_one_only_where_they_say_the_same(tmp_path: Path) -> None:
    folder = bigbench(tmp_path / "t", [])
    for name, words in (("one", ("a cat sleeps", "a dog barks")), ("two", ("a cow eats", "a owl hoots"))):
        bigbench(folder / name, [{"input": text, "target_scores": {f"{text} x": 1, f"{text} y": 0}} for text in words])
    assert read_test(folder, WEATHER).clusters == 4


def test_csv_jsonl_and_workbooks_give_the_same_items(tmp_path: Path) -> None:
    rows = [{"input": "It froze, hard.", "output": "snow"}, {"input": "It poured.", "output": "rain"}]
    read = [read_test(lines(tmp_path / "t.jsonl", rows), WEATHER).items]
    (tmp_path / "t.csv").write_text('input,output\n"It froze, hard.",snow\nIt poured.,rain\n')
    read.append(read_test(tmp_path / "t.csv", WEATHER).items)
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (("input", "output"), *((one["input"], one["output"]) for one in rows)):
        sheet.append(row)
    book.save(tmp_path / "t.xlsx")
    read.append(read_test(tmp_path / "t.xlsx", WEATHER).items)
    assert read[0] == read[1] == read[2] and read[0][0].options == ("sun", "rain", "snow")


def test_options_listed_in_an_input_are_shuffled_there(tmp_path: Path) -> None:
    text = "Which is a bird?\n- owl\n- cow\n- cat\n- none of these"
    rows = [{"input": text.replace("?", f" ({number})?"), "output": "owl"} for number in range(20)]
    test = read_test(lines(tmp_path / "t.jsonl", rows), Task("t", "d", output=Output("option_text")))
    assert {item.options[item.right[0]] for item in test.items} == {"owl"} and len({item.right for item in test.items}) == 3
    for item in test.items:
        assert item.input.endswith("\n".join(f"- {option}" for option in item.options)) and item.options[-1] == "none of these"


def test_the_right_letter_moves_with_its_option(tmp_path: Path) -> None:
    rows = [{"input": f"Number {number}: which is a bird?\nA) owl\nB) cow\nC) cat", "output": "A"} for number in range(20)]
    for item in read_test(lines(tmp_path / "t.jsonl", rows), Task("t", "d", output=Output("option_letter"))).items:
        assert (
            item.options == ("A", "B", "C") and f"{item.answer}) owl" in item.input and item.credits[item.options.index(item.answer)] == 1
        )


def test_where_options_cannot_be_seen_answers_are_written(tmp_path: Path) -> None:
    rows = [{"input": "Which is a bird?\n- owl\n- cow", "output": "owl"}, {"input": "And which swims?", "output": "fish"}]
    test = read_test(lines(tmp_path / "t.jsonl", rows), Task("t", "d", output=Output("option_text")))
    assert not test.closed and test.metric == "exact_match" and "1 of 2 items" in test.notes[0]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"input": "x", "output": "fog"}, "item 1: output 'fog' is none of the labels"),
        ({"input": 3, "output": "sun"}, 'no text "input"'),
        ({"input": "x", "output": ""}, "no right answer"),
        ({"input": "x", "output": [1]}, "neither a text nor a list of texts"),
        ({"input": "x" * 200_001, "output": "sun"}, "over 200,000 characters"),
        ({"question": "x", "answer": "y", "more": "z"}, 'no text "input" among question, answer, more'),
    ],
)
def test_a_bad_row_is_told_with_its_place(tmp_path: Path, row: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput) as error:
        read_test(lines(tmp_path / "t.jsonl", [row]), WEATHER)
    assert told in error.value.title and error.value.hint and "\n" not in error.value.title


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "task.json"),
        ('{"examples": [{"input": "x", "target_scores": {"a": 1}}]}', "example 1: 1 options"),
        ('{"examples": [{"input": "x", "target_scores": {"a": 0, "b": 0}}]}', "no right option"),
        ('{"examples": [{"input": "x", "target_scores": {"a": 1e400, "b": 0}}]}', "task.json"),
        ('{"examples": [{"input": "x", "target_scores": {"a": 7, "b": 0}}]}', "beyond 0 to 1"),
        ('{"examples": [{"input": "x"}]}', "neither target nor target_scores"),
        ('{"examples": []}', "holds no examples"),
        ('{"examples": [' + "[" * 100_000, "task.json"),
        ('{"other": ' + "[" * 100_000 + "]" * 100_000 + "}", "task.json"),
        ('{"examples": [{"input": "x", "target": "y"}, {"input": "x", "target_scores": {"a": 1, "b": 0}}]}', "others none"),
    ],
)
def test_a_hostile_task_file_is_refused_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "task.json").write_text(text)
    with pytest.raises(BadInput) as error:
        read_test(tmp_path, WEATHER)
    assert told in error.value.title and error.value.hint and "\n" not in error.value.title and len(error.value.title) < 500


def test_the_canary_is_copied_nowhere(tmp_path: Path) -> None:
    test = read_test(bigbench(tmp_path / "t", CHOICES), WEATHER)
    assert "CANARY" not in repr(test)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(BadInput):
            read_test(path, WEATHER)
    (tmp_path / "t.docx").write_text("x")
    with pytest.raises(BadInput, match="not a format"):
        read_test(tmp_path / "t.docx", WEATHER)


def test_which_items_are_drawn_follows_the_seed_and_not_the_file(tmp_path: Path) -> None:
    rows = [{"input": f"note {number}", "output": "sun"} for number in range(60)]
    test = read_test(lines(tmp_path / "t.jsonl", rows), WEATHER)
    zero, again, one = ([item.key for item in test.drawn(10, seed)[0].items] for seed in (0, 0, 1))
    assert zero == again != one and zero != [item.key for item in test.items[:10]] and len(set(zero)) == 10


def test_a_part_of_a_test_leaves_other_clusters(tmp_path: Path) -> None:
    rows = [{"input": f"note {number}", "output": "sun", "cluster": f"{number % 10}"} for number in range(40)]
    test, rest = read_test(lines(tmp_path / "t.jsonl", rows), WEATHER).drawn(6, 0)
    assert len(test.items) == 6 and not {item.cluster for item in test.items} & {item.cluster for item in rest}
    assert "6 of 40 items" in test.notes[-1]


def test_examples_never_go_by_the_key_of_a_test_item() -> None:
    assert [item.key for item in example_items(WEATHER.examples, WEATHER)] == ["example 1", "example 2", "example 3"]


@given(st.lists(st.text(min_size=1), min_size=2, max_size=8, unique=True), st.text(), st.integers(0, 5))
def test_shuffling_loses_no_option(options: list[str], key: str, seed: int) -> None:
    order = shuffled(key, options, seed)
    assert sorted(order) == list(range(len(options))) and order == shuffled(key, options, seed)


@given(st.dictionaries(st.text(min_size=1).filter(str.strip), st.sampled_from([0, 1]), min_size=2, max_size=6), st.text(max_size=40))
def test_whatever_the_options_the_right_ones_stay_right(scores: dict[str, int], question: str) -> None:
    import tempfile

    if not any(scores.values()):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "task.json").write_text(json.dumps({"examples": [{"input": question, "target_scores": scores}]}))
        (item,) = read_test(folder, WEATHER).items
    assert {item.options[place] for place in item.right} == {option for option, score in scores.items() if score}
    assert sorted(item.options) == sorted(scores)


def test_a_column_of_labels_is_no_input_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("label,text\nrain,It poured.\n")
    (item,) = read_test(tmp_path / "t.csv", WEATHER).items
    assert (item.input, item.answer) == ("It poured.", "rain")
    (tmp_path / "t.csv").write_text("digits,words\n12,twelve\n")
    (item,) = read_test(tmp_path / "t.csv", TITLE).items
    assert (item.input, item.answer) == ("12", "twelve")
    (tmp_path / "t.csv").write_text("id,question\n12,Why?\n")
    with pytest.raises(BadInput, match="no right answer"):
        read_test(tmp_path / "t.csv", TITLE)
    (tmp_path / "t.csv").write_text("text,label\nIt poured.,Rain\n")
    with pytest.raises(BadInput, match="did you mean 'rain'"):
        read_test(tmp_path / "t.csv", WEATHER)
