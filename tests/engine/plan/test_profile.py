"""What sample rows say of columns."""

from __future__ import annotations

from typing import Any

from engine.plan.profile import ColumnProfile, as_number, profile_columns, script_of
from tests.engine.plan.tables import Table


def profiles(*rows: dict[str, Any]) -> dict[str, ColumnProfile]:
    table = Table(rows)
    return {profile.name: profile for profile in profile_columns(table.columns, table.rows)}


def test_few_repeating_values_are_a_label_set_and_free_text_is_not() -> None:
    found = profiles(*({"tone": ["good", "bad"][i % 2], "text": f"Review number {i} speaks of a kettle"} for i in range(20)))
    assert found["tone"].label_set
    assert not found["text"].label_set
    assert found["text"].free_text


def test_running_numbers_codes_and_addresses_only_identify_rows() -> None:
    found = profiles(*({"n": i, "code": f"ab-{i}x", "link": f"http://a.b/{i}", "word": "qwertzuiop"[i] * 4} for i in range(10)))
    assert found["n"].id_like
    assert found["code"].id_like
    assert found["link"].id_like
    assert not found["word"].id_like


def test_a_constant_column_says_so() -> None:
    assert profiles({"a": "x"}, {"a": "x"})["a"].constant


def test_numbers_written_as_text_have_a_range() -> None:
    found = profiles(*({"price": f"1,{i}00.5"} for i in range(1, 9)))["price"]
    assert (found.low, found.high, found.whole) == (1100.5, 1800.5, 0.0)


def test_nested_values_come_with_the_steps_that_read_them() -> None:
    found = profiles(*({"answers": {"text": [f"word {i}"], "start": [i]}} for i in range(4)))
    first = found["answers_text_first"]
    assert first.first_item
    assert [step.into for step in first.steps if hasattr(step, "into")] == ["answers_text", "answers_text_first"]


def test_the_end_after_a_marker_is_a_value_of_its_own() -> None:
    found = profiles(*({"answer": f"First we add {i} and {i}, which gives the sum we need.\n#### {2 * i}"} for i in range(1, 9)))
    assert found["answer"].marker == "####"
    assert found["answer_end"].counts["4"] == 1


def test_json_kept_in_text_is_read() -> None:
    found = profiles(*({"meta": f'{{"kind": "a", "size": {i}}}'} for i in range(5)))
    assert found["meta_parsed_size"].high == 4


def test_lists_of_few_words_offer_the_only_item_of_rows_that_have_one() -> None:
    rows = [{"moods": ["calm"] if i % 3 else ["calm", "sad"]} for i in range(30)]
    found = profiles(*rows)["moods_only"]
    assert found.single_item
    assert found.filled == 20 / 30


def test_tag_lists_are_told_from_word_lists() -> None:
    found = profiles({"words": ["Ann", "sleeps"], "tags": ["B-PER", "O"]}, {"words": ["It", "rains"], "tags": ["O", "O"]})
    assert found["tags"].tags
    assert not found["words"].tags


def test_names_written_by_programs_are_no_free_text() -> None:
    found = profiles(*({"intent": f"ask_{word}_now"} for word in ("price", "date", "name", "place", "way", "size", "age", "reason")))
    assert found["intent"].coded
    assert not found["intent"].free_text


def test_kana_and_han_together_are_japanese() -> None:
    assert script_of(["東京に行く"]) == "JAPANESE"
    assert script_of(["北京大学"]) == "CJK"


def test_a_truth_value_is_no_number() -> None:
    assert as_number(True) is None
    assert as_number("3.50") == 3.5
    assert as_number("3 apples") is None
