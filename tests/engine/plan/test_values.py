"""Values: how they compare, what counts as a number, a flag, a list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plan.values import as_text, clean, items_of, number_of, truth_of


@pytest.mark.parametrize(("one", "other"), [(True, "true"), (True, "TRUE"), (1, "1"), (1, 1.0), (1.0, "1.0"), ("a ", "a"), (None, "")])
def test_values_that_read_the_same_are_the_same(one: Any, other: Any) -> None:
    assert as_text(one) == as_text(other)


@pytest.mark.parametrize(("one", "other"), [(True, 1), ("A", "a"), ("01", 1), (1.5, 1), ("1.0.0", "1")])
def test_values_that_read_differently_differ(one: Any, other: Any) -> None:
    assert as_text(one) != as_text(other)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("7", 7),
        ("$1,234.50", 1234.5),
        ("3,5 kg", 3.5),
        ("1,000", 1000),
        ("-2", -2),
        ("4.0", 4.0),
        (True, 1),
        ("none", None),
        (None, None),
        (float("nan"), None),
        ("1,2,3", 1.2),
    ],
)
def test_numbers_are_read_out_of_text(value: Any, number: float | None) -> None:
    assert number_of(value) == number


@given(st.text() | st.floats() | st.integers())
def test_reading_a_number_never_raises(value: Any) -> None:
    number = number_of(value)
    assert number is None or number == number


def test_flags_are_read_in_their_usual_spellings() -> None:
    assert [truth_of(value) for value in (True, "TRUE", 1, "yes", 1.0)] == [True] * 5
    assert [truth_of(value) for value in (False, "False", 0, "no", None)] == [False] * 5
    assert truth_of("maybe") is None


def test_a_dictionary_of_equally_long_lists_is_a_list_of_dictionaries() -> None:
    assert items_of({"who": ["a", "b"], "n": [1, 2]}) == [{"who": "a", "n": 1}, {"who": "b", "n": 2}]
    assert items_of({"who": ["a", "b"], "n": [1]}) is None
    assert items_of("text") is None


def test_control_characters_and_half_surrogates_are_removed() -> None:
    assert clean(" a\x00\x1b[31mb\r\nc\ud800\tx ") == "a[31mb\nc\tx"
