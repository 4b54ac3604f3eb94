from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.quality.listed_options import options_in
from engine.records import OutputKind


@pytest.mark.parametrize(
    ("text", "output", "kind", "options"),
    [
        ("He\nA. swam.\nB. ate.\nC. slept.", "B", "option_letter", ("swam.", "ate.", "slept.")),
        ("Which? (A) one (B) two (C) three", "C", "option_letter", ("one", "two", "three")),
        ("Which?\n1) one\n2) two", "2", "option_letter", ("one", "two")),
        ("A. a note before\n\nWhich?\na) one\nb) two", "b", "option_letter", ("one", "two")),
        ("Who?\nOptions: Lee; Sam; not known", "Sam", "option_text", ("Lee", "Sam", "not known")),
        ("选项：红、绿", "绿", "option_text", ("红", "绿")),
        ("Which?\n- a cat\n- a dog", "a dog", "option_text", ("a cat", "a dog")),
        ("He\nA. swam.\nB. ate.", "ate.", "option_text", ("swam.", "ate.")),
        ("Which caused the other?\n  choice: It rained.\n  choice:It is wet.", "It rained.", "option_text", ("It rained.", "It is wet.")),
    ],
)
def test_options_are_found_where_they_stand(text: str, output: str, kind: OutputKind, options: tuple[str, ...]) -> None:
    listed = options_in(text, output, kind)
    assert listed is not None and listed.options == options


@pytest.mark.parametrize(
    ("text", "output", "kind"),
    [
        ("Nothing to choose from", "A", "option_letter"),
        ("He\nA. swam.\nB. ate.", "C", "option_letter"),
        ("Options: Lee; Sam", "Ann", "option_text"),
        ("Options: Lee; Lee", "Lee", "option_text"),
    ],
)
def test_what_is_no_list_with_the_output_is_none(text: str, output: str, kind: OutputKind) -> None:
    assert options_in(text, output, kind) is None


def test_marks_stay_and_options_move_but_none_of_these_is_last() -> None:
    listed = options_in("Q\nA. one\nB. two\nC. three\nD. none of these\nSay which.", "A", "option_letter")
    assert listed is not None
    assert listed.rotated(1) == ("Q\nA. three\nB. one\nC. two\nD. none of these\nSay which.", (2, 0, 1, 3))
    assert listed.rotated(0) == (listed.text, (0, 1, 2, 3))


@given(st.lists(st.text("abc xyz", min_size=1).map(str.strip).filter(bool), min_size=2, max_size=6, unique=True), st.integers(0, 6))
def test_every_order_holds_every_option_once(options: list[str], shift: int) -> None:
    text = "Which?\n" + "\n".join(f"{'ABCDEF'[place]}. {option}" for place, option in enumerate(options))
    listed = options_in(text, "A", "option_letter")
    assert listed is not None and listed.options == tuple(options)
    turned, order = listed.rotated(shift)
    again = options_in(turned, "A", "option_letter")
    assert again is not None and again.options == tuple(options[place] for place in order) and sorted(order) == [*range(len(options))]


def test_a_mark_in_brackets_may_stand_close_to_its_option() -> None:
    found = options_in("Where are books lent?\n(A)doctor (B)book store (C)park", "B", "option_letter")
    assert found is not None and found.options == ("doctor", "book store", "park") and found.signs == ("A", "B", "C")
    assert options_in("It was (a)synchronous, he said.", "a", "option_letter") is None
