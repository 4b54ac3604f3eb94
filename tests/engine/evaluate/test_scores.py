"""Answers against what is right."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from engine.evaluate.asking import Answer
from engine.evaluate.items import Item, Test
from engine.evaluate.scores import credit, exact_match, figures, macro_f1_of, parsed, predicted, primary_parts
from tests.engine.evaluate.made import closed_test, likes


def by_name(test: Test, answers: list[Answer], way: str = "sum") -> dict[str, float]:
    return {figure.name: figure.estimate.value for figure in figures(test, [answers], way)}


def test_three_ways_to_score_options_may_choose_three_options() -> None:
    answer = Answer(sums=(-2.0, -3.0, -9.0), tokens=(1, 3, 9), priors=(-1.0, -3.0, -12.0))
    assert predicted(answer, "sum") == (0,)
    assert predicted(answer, "per_token") == (1, 2)
    assert predicted(answer, "prior_corrected") == (2,)


def test_a_tie_earns_the_mean_of_what_it_ties() -> None:
    item = closed_test([0]).items[0]
    assert credit(item, (0, 1)) == 0.5 and credit(item, ()) == 0 and credit(item, (0,)) == 1


def test_accuracy_stands_on_a_scale_from_chance_to_all_right() -> None:
    test = closed_test([0] * 75 + [1] * 25, ("a", "b", "c", "d"))
    (figure, *_) = figures(test, [[likes(0, 4)] * 100], "sum")
    assert figure.primary and figure.name == "accuracy, sum" and figure.estimate.value == 0.75 and figure.estimate.n == 100
    assert figure.normalised is not None and figure.normalised.value == pytest.approx(100 * (0.75 - 0.25) / 0.75)


def test_chance_and_all_right_are_means_over_items_of_their_own_options() -> None:
    two, four = closed_test([0] * 10).items, closed_test([0] * 10, ("a", "b", "c", "d")).items
    half = tuple(msgspec.structs.replace(item, credits=(0.5, 0.0)) for item in two)
    (mixed, *_) = figures(Test("t", (*two, *four), "accuracy"), [[likes(0)] * 10 + [likes(0, 4)] * 5 + [likes(1, 4)] * 5], "sum")
    assert mixed.normalised is not None and mixed.normalised.value == pytest.approx(100 * (0.75 - 0.375) / (1 - 0.375))
    (halved, *_) = figures(Test("t", half, "accuracy"), [[likes(0)] * 10], "sum")
    assert halved.normalised is not None and halved.normalised.value == pytest.approx(100)


def test_what_decides_is_the_mean_over_draws_scored_in_the_way_that_was_fixed() -> None:
    test = closed_test([0] * 4)
    lengths = Answer(sums=(-4.0, -3.0), tokens=(4, 1))
    for way, right in (("sum", 0.0), ("per_token", 1.0)):
        parts = primary_parts(test, [[lengths] * 4, [likes(1)] * 4], way)
        assert parts.numbers[..., 0].tolist() == [[right] * 4, [0.0] * 4], "a draw each"


def test_an_item_without_an_answer_is_wrong_and_stays_in_n() -> None:
    test = closed_test([0, 0])
    (figure, *_) = figures(test, [[likes(0), Answer(error="too long")]], "sum")
    assert (figure.estimate.value, figure.estimate.n) == (0.5, 2)


def test_written_answers_are_read_and_those_that_name_nothing_are_counted() -> None:
    test = closed_test([0, 0, 0, 1])
    answers = [Answer((-1.0, -2.0), (1, 1), text=text, written=True) for text in ("Yes.", "well, yes", "no idea, yes or no", "maybe")]
    found = by_name(test, answers)
    assert found["accuracy, written"] == 0.5 and found["unparsable"] == 0.5 and found["accuracy, sum"] == 0.75


@pytest.mark.parametrize(
    ("options", "text", "place"),
    [
        (("yes", "no"), " YES! ", 0),
        (("possible", "not possible"), "It is not possible.", 1),
        (("possible", "not possible"), "possible", 0),
        (("A", "B"), "(B)", 1),
        (("A", "B"), "The answer is B.", 1),
        (("A", "B"), "A cat and a dog", None),
        (("7am to 9am", "1pm to 3pm"), "Between 1pm to 3pm, I think", 1),
        (("7am to 9am", "1pm to 3pm"), "", None),
        (("no", "yes"), "nothing of the kind", None),
        (("sun", "rain"), "sun\nBecause of the rain", 0),
        (("+", "-"), "-", 1),
    ],
)
def test_an_answer_names_one_option_or_none(options: tuple[str, ...], text: str, place: int | None) -> None:
    item = Item("1", "x", options, (1.0,) + (0.0,) * (len(options) - 1), (options[0],))
    assert parsed(item, text) == (() if place is None else (place,))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    options = ("a", "b", "c", "d")
    test = closed_test([right for right, _ in pairs], options)
    parts = macro_f1_of(test, [[(taken,) for _, taken in pairs]])
    ours = float(parts.figure(parts.numbers.sum(axis=1))[0])
    assert ours == pytest.approx(f1_score([right for right, _ in pairs], [taken for _, taken in pairs], average="macro", zero_division=0))


def test_macro_f1_decides_where_the_task_says_so() -> None:
    test = Test("t", closed_test([0] * 9 + [1]).items, "macro_f1")
    (first, *_) = figures(test, [[likes(0)] * 10], "sum")
    assert first.name == "macro_f1, sum" and first.estimate.value == pytest.approx((18 / 19) / 2)
    assert first.estimate.low < first.estimate.value <= first.estimate.high


def test_free_answers_are_judged_by_the_best_reference() -> None:
    items = (Item("1", "x", references=("the lost dog", "a dog ran off"), cluster="1"), Item("2", "y", references=("cat",), cluster="2"))
    test = Test("t", items, "token_f1")
    found = by_name(test, [Answer(text="Dog ran off", written=True), Answer()])
    assert found["exact_match"] == 0.5 and found["exact_str_match"] == 0 and 0.4 < found["token_f1"] < 0.5
    assert next(iter(found)) == "token_f1" and {"rouge_l", "chrf"} <= set(found)


def test_exact_match_heeds_words_alone() -> None:
    assert exact_match("The  Eiffel-Tower.", "eiffel tower") == 1 and exact_match("tower", "eiffel tower") == 0
    assert exact_match("???", "!") == 0 and exact_match("???", "???") == 1 and exact_match("東京", "東京。") == 1


def test_figures_do_not_heed_the_order_of_items() -> None:
    rights = [int(one) for one in np.random.default_rng(1).integers(0, 2, 40)]
    test = closed_test(rights, clusters=[f"{number // 3}" for number in range(40)])
    answers = [likes(number % 2) for number in range(40)]
    back = Test("made", test.items[::-1], "accuracy")
    ours, theirs = (figures(one, [some], "sum") for one, some in ((test, answers), (back, answers[::-1])))
    for one, other in zip(ours, theirs, strict=True):
        found, turned = one.estimate, other.estimate
        assert (found.low, found.value, found.high) == pytest.approx((turned.low, turned.value, turned.high))
