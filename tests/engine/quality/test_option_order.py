"""Options stand in one order whatever order they came in, and the output is the option it stood for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.quality.near_duplicates import find_duplicates
from engine.quality.option_order import ordered
from engine.records import TaskExample

QUESTION = "Which of these does one take along to the beach on a hot day in summer?"
WORDS = st.text("abcdefgh", min_size=3, max_size=9)


def asked(options: list[str], right: str, *, by_letter: bool = True) -> TaskExample:
    lines = [f"({chr(65 + place)}) {option}" for place, option in enumerate(options)]
    return TaskExample("\n".join([QUESTION, *lines]), chr(65 + options.index(right)) if by_letter else right)


@given(st.lists(WORDS, min_size=2, max_size=6, unique=True), st.randoms(), st.booleans())
def test_any_order_of_the_same_options_is_the_same_example(options: list[str], chosen: object, by_letter: bool) -> None:
    mixed = list(options)
    chosen.shuffle(mixed)  # type: ignore[attr-defined]
    right = options[0]
    one, other = ordered(asked(options, right, by_letter=by_letter)), ordered(asked(mixed, right, by_letter=by_letter))
    assert one is not None and one == other
    assert one.output == right and all(option in one.input for option in options)


def test_what_lists_no_options_or_not_the_output_is_left_alone() -> None:
    assert ordered(TaskExample("Who went to the beach?", "Ada")) is None
    assert ordered(TaskExample("Choose one.\n(A) sand\n(B) sea", "sky")) is None


def test_a_repeat_with_its_options_in_another_order_is_found_whatever_its_letter_is_now() -> None:
    first = asked(["a parasol against the sun", "a sledge with a long rope", "skates made of steel"], "a parasol against the sun")
    again = asked(["skates made of steel", "a parasol against the sun", "a sledge with a long rope"], "a parasol against the sun")
    assert first.output != again.output
    (verdict,) = (one for one in find_duplicates([first, again]).verdicts if not one.kept)
    assert (verdict.index, verdict.against, verdict.kind, verdict.score) == (1, 0, "near", 1.0)


def test_the_same_question_with_another_right_option_is_no_repeat() -> None:
    options = ["a parasol against the sun", "a sledge with a long rope", "skates made of steel"]
    pairs = [asked(options, options[0]), asked(options[::-1], options[1])]
    assert all(one.kept for one in find_duplicates(pairs).verdicts)
