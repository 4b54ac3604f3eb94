"""Checks: what each leaves out, and what it says of it."""

from __future__ import annotations

import pytest

from engine.mix.checks import check_benchmarks, check_language, check_leaks, check_licences, check_near_duplicates, check_repeats
from engine.records import Output, Task, TaskExample
from tests.engine.mix.offer import decisions, of_rows, offered, watch

WEATHER = Task("weather", "Which weather?", output=Output("label", ("sun", "rain")))
TITLES = Task("titles", "Write a title.")
LONG = "We waited at the ferry until the fog had gone and the bell rang twice"
ENGLISH = ("The gutter of the barn ran over again last night", "We looked for shade all day and found none at all", LONG)
GERMAN = "Die Nachbarn haben gestern den ganzen Tag im Garten gearbeitet und gesungen"


def test_a_source_of_the_tests_benchmark_is_left_out_whole_by_name() -> None:
    made = decisions(
        offered("a", dataset="tasksource/bigbench", config="cause_and_effect"), offered("b"), offered("c", model="bigbench-writer")
    )
    check_benchmarks(made, ("bigbench",))
    assert made.reasons == ["benchmark", None, None] and "bigbench" in made.details[0]
    check_benchmarks(made, ())
    assert made.kept() == [1, 2]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [((), [0, 1, 2, 3]), (("permissive",), [0, 3]), (("mit", "cc-by-nc-4.0"), [0, 1, 3]), (("unknown",), [2, 3])],
)
def test_only_allowed_licences_stay_and_what_a_model_wrote(wanted: tuple[str, ...], kept: list[int]) -> None:
    made = decisions(
        offered("a", licence="mit"),
        offered("b", licence="cc-by-nc-4.0", dataset="owner/nc"),
        offered("c", licence="", dataset="owner/none"),
        offered("d", model="m"),
    )
    summary = check_licences(made, wanted)
    assert made.kept() == kept
    assert "owner/none default" in summary.unclear
    if wanted == ("permissive",):
        assert made.details[1:3] == ["cc-by-nc-4.0", "no licence is stated"]


def test_clashing_licences_are_found() -> None:
    made = decisions(offered("a", licence="cc-by-sa-4.0", dataset="o/a"), offered("b", licence="cc-by-nc-4.0", dataset="o/b"))
    assert check_licences(made, ()).clashes[0].one == "o/a default"


def test_examples_that_hold_a_test_item_or_one_of_ones_own_are_named_with_it() -> None:
    task = Task("t", "d", examples=(TaskExample(ENGLISH[1], "x"),))
    made = decisions(*of_rows(ENGLISH[0], f"Read: {LONG.upper()}!", ENGLISH[1], "nothing of it here at all, in no word"))
    assert check_leaks(made, task, (TaskExample("some other item which nobody knows", ""), TaskExample(LONG, "")), True, watch) == 2
    assert made.reasons == [None, "leaked", "leaked", None]
    assert made.details[1] == "holds all of item 2 of the test" and made.details[2] == "the same input as your example 1"


def test_leaks_that_are_only_reported_stay_with_their_details() -> None:
    made = decisions(*of_rows(ENGLISH[0], LONG))
    assert check_leaks(made, TITLES, (TaskExample(LONG, ""),), False, watch) == 1
    assert made.kept() == [0, 1] and made.details == ["", "the same input as item 1 of the test"]
    assert check_leaks(made, TITLES, (), True, watch) == 0


def test_the_same_to_the_letter_is_a_repeat_and_another_output_is_none() -> None:
    made = decisions(offered("a", "x", row=0), offered("a", "x", row=7), offered("a", "y", row=8), offered("A", "x", row=9))
    check_repeats(made)
    assert made.reasons == [None, "repeats", None, None]
    assert made.details[1] == "the same as row 0 of owner/notes, train"


def test_near_duplicates_need_like_outputs_and_name_the_one_that_stays() -> None:
    near = f"{LONG} again"
    made = decisions(
        offered(LONG, "x", row=3), offered(near, "x", row=4), offered(near, "y", row=5), offered(LONG.upper() + "!", "x", model="m", seq=6)
    )
    check_near_duplicates(made, 0.8, watch)
    assert made.reasons == [None, "near_duplicates", None, "near_duplicates"]
    assert made.details[1].startswith("nearly the same as row 3 of owner/notes, train: ROUGE-L 0.9")
    assert made.details[3] == "the same but for case and punctuation as row 3 of owner/notes, train"


def test_what_was_left_out_before_hides_no_later_copy() -> None:
    made = decisions(*of_rows(LONG, LONG))
    made.leave_out(0, "rejected", "")
    check_repeats(made)
    check_near_duplicates(made, 0.8, watch)
    assert made.kept() == [1]
    made.leave_out(0, "repeats", "later")
    assert made.reasons[0] == "rejected", "the first reason counts"


def test_texts_surely_in_another_language_are_left_out_in_inputs_and_free_outputs() -> None:
    made = decisions(
        *(offered(text, "A short title of it", row=n) for n, text in enumerate((*ENGLISH, GERMAN))), offered(LONG, GERMAN, row=9)
    )
    told = check_language(made, TITLES, True, watch)
    assert made.reasons == [None, None, None, "language", "language"]
    assert made.details[3:] == ["its input is in de, not in en", "its output is in de, not in en"]
    assert "1 inputs are in another language: 1 in de, not in en" in told
    again = decisions(*of_rows(*ENGLISH, GERMAN))
    assert check_language(again, TITLES, False, watch) and again.kept() == [0, 1, 2, 3]


def test_labels_code_names_and_numbers_have_no_language() -> None:
    texts = ("sun", "def wert(x): return x", "Anna Maria Schmidt", "3 + 4 = 7", "☀☀")
    made = decisions(*(offered(text, "sun", row=n) for n, text in enumerate((*ENGLISH, *texts))))
    assert check_language(made, WEATHER, True, watch) == () and len(made.kept()) == 8


def test_a_side_whose_examples_are_in_another_language_is_not_looked_at() -> None:
    task = Task("translate", "Put it into German.", examples=(TaskExample(ENGLISH[0], GERMAN),))
    made = decisions(*(offered(text, GERMAN, row=n) for n, text in enumerate(ENGLISH)))
    told = check_language(made, task, True, watch)
    assert len(made.kept()) == 3 and told == ("the outputs of your examples are not all in en: the language of outputs is not looked at",)


def test_a_language_nobody_can_recognise_is_said_and_leaves_nothing_out() -> None:
    made = decisions(*of_rows(*ENGLISH))
    (told,) = check_language(made, Task("t", "d", language="gsw"), True, watch)
    assert "languages are not looked at" in told and len(made.kept()) == 3
