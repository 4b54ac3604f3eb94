from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import BadInput
from engine.quality.leakage import find_leakage
from engine.records import TaskExample
from tests.engine.quality.pairs import WORDS, example, pair, sentences


def _question(text: str, options: list[str]) -> str:
    return "\n".join([text, *(f"({chr(65 + place)}) {option}" for place, option in enumerate(options))])


def _test(count: int) -> list[tuple[str, list[str]]]:
    options = sentences(4 * count, words=2, seed=9)
    return [(text, options[4 * place : 4 * place + 4]) for place, text in enumerate(sentences(count, seed=8))]


TEST = _test(60)
ASKED = [TaskExample(_question(*item), "A") for item in TEST]
CLEAN = [example(text, dataset="clean") for text in sentences(400, words=25, seed=1)]


def _found(texts: list[str]) -> tuple[int, int]:
    """How many of the hidden items were found, and how many clean examples removed."""
    mixed = [*CLEAN, *(example(text, dataset="clean") for text in texts)]
    removed = set(find_leakage(mixed, ASKED).removed)
    return sum(place >= len(CLEAN) for place in removed), sum(place < len(CLEAN) for place in removed)


def test_items_as_they_stand_and_in_other_case_are_found() -> None:
    assert _found([item.input for item in ASKED]) == (60, 0)
    assert _found([item.input.upper() for item in ASKED]) == (60, 0)


def test_items_with_options_in_another_order_are_found() -> None:
    chosen = random.Random(3)
    assert _found([_question(text, chosen.sample(options, 4)) for text, options in TEST]) == (60, 0)


def test_items_in_another_template_are_found() -> None:
    wrapped = [f"Think first.\nPremise: {text}\nOptions: {'; '.join(options)}\nWhich is right?" for text, options in TEST]
    assert _found(wrapped) == (60, 0)


def test_items_with_two_words_changed_are_found() -> None:
    chosen = random.Random(4)

    def changed(text: str) -> str:
        words = text.split(" ")
        for place in chosen.sample(range(10), 2):
            words[place] = chosen.choice(WORDS)
        return " ".join(words)

    found, wrong = _found([changed(item.input) for item in ASKED])
    assert found >= 55 and wrong == 0


def test_a_match_says_which_item_and_how() -> None:
    found = find_leakage([*CLEAN, example(ASKED[7].input.lower())], ASKED)
    (match,) = found.matches
    assert (match.example, match.item, match.kind, match.removed) == (400, 7, "exact", True)
    assert match.reason == "the same input as item 7" and found.kinds == {"exact": 1} and found.items_found == 1


def test_few_shot_examples_are_looked_for_after_the_test() -> None:
    found = find_leakage([example(sentences(1, seed=77)[0])], ASKED, [pair(sentences(1, seed=77)[0])])
    assert found.matches[0].item == len(ASKED) and found.items == 61


def test_an_item_in_an_examples_output_is_found() -> None:
    assert find_leakage([example("write a question", ASKED[0].input)], ASKED).removed == (0,)


def test_a_generic_input_removes_nothing_and_is_told() -> None:
    examples = [example("Yes.")] * 200 + CLEAN
    found = find_leakage(examples, [pair("yes"), *ASKED])
    assert found.removed == () and found.too_short == (0,)
    assert "too short to tell: 200 examples have it" in found.matches[0].reason


def test_a_rare_short_input_counts_as_a_whole_but_not_inside_others() -> None:
    found = find_leakage([*CLEAN, example("Parasite"), example("a parasite lives on its host, as fleas do")], [pair("parasite")])
    assert found.removed == (400,)


def test_an_item_that_only_asks_does_not_remove_all_that_is_asked() -> None:
    asked = [example(f"{text}\nIs this review positive or negative?", dataset=f"d{place}") for place, text in enumerate(sentences(200))]
    found = find_leakage(asked, [pair("is this review positive or negative")])
    assert found.removed == () and "too general to tell: 200 examples do" in found.matches[0].reason


def test_few_items_are_freed_of_the_examples_template() -> None:
    frame = "Read the following story with great care, please.\nStory: {}\nWho is the person that the story is mostly about?"
    hidden = sentences(6, seed=21)
    examples = [example(frame.format(text)) for text in [*sentences(100), *(f"{text} bara bara" for text in hidden)]]
    assert find_leakage(examples, [pair(frame.format(text)) for text in hidden]).removed == tuple(range(100, 106))


def test_items_of_one_pattern_do_not_remove_each_others_like() -> None:
    chosen = random.Random(6)
    names, places = WORDS[:40], WORDS[40:90]

    def made() -> str:
        return "\n".join(
            f"{chosen.choice(names)} saw {chosen.choice(names)} walking to the {chosen.choice(places)} from {chosen.randint(1, 5)} to 9"
            for _ in range(5)
        )

    test, others = [pair(made()) for _ in range(60)], [example(made(), dataset="others") for _ in range(300)]
    assert len(find_leakage(others, test).removed) <= 1
    hidden = [*others, *(example(item.input.upper(), dataset="others") for item in test)]
    assert len([place for place in find_leakage(hidden, test).removed if place >= 300]) == 60


def test_a_sum_with_other_numbers_is_another_sum() -> None:
    item = "a train of {} meters passes a pole in {} seconds , how fast is it in kilometers per hour ?"
    found = find_leakage([example(item.format(120, 9)), example(item.format(250, 15))], [pair(item.format(250, 15))])
    assert found.removed == (1,)


def test_items_whose_siblings_are_too_alike_are_told_and_found_only_whole() -> None:
    frame = "every morning the old man in the tall house by the river feeds {} and then he reads a long letter"
    items = [pair(frame.format(word)) for word in WORDS[:6]]
    found = find_leakage([example(frame.format(WORDS[50])), example(frame.format(WORDS[0]).upper())], items)
    assert set(found.alike) == set(range(6)) and found.removed == (1,)


def test_scripts_without_spaces_are_searched() -> None:
    found = find_leakage(
        [example("问题：下列哪条河流流经格拉茨的老城区？"), example("今天天气很好")], [pair("下列哪条河流流经格拉茨的老城区")]
    )
    assert found.removed == (0,)


def test_embeddings_add_matches_by_meaning() -> None:
    rows: NDArray[np.float32] = np.eye(3, dtype=np.float32)
    found = find_leakage(
        [example(text) for text in sentences(3)], [pair("something else entirely")], embeddings=rows, test_embeddings=rows[1:2]
    )
    assert found.removed == (1,) and found.matches[0].kind == "meaning"
    with pytest.raises(BadInput, match="3 embeddings came for 2 examples"):
        find_leakage([example("a"), example("b")], [], embeddings=rows)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=12), st.lists(st.text(max_size=40), max_size=6))
def test_whatever_the_texts_it_answers_and_nothing_is_found_without_a_test(texts: list[str], items: list[str]) -> None:
    examples = [pair(text) for text in texts]
    found = find_leakage(examples, [pair(item) for item in items])
    assert set(found.removed) <= set(range(len(texts)))
    assert find_leakage(examples, []).matches == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=8, max_size=30), st.randoms(use_true_random=False))
def test_an_item_of_eight_words_or_more_is_always_found_in_a_longer_text(words: list[str], chosen: random.Random) -> None:
    before, after = chosen.choices(WORDS, k=40), chosen.choices(WORDS, k=40)
    hidden = example(" ".join([*before, *words, *after]))
    assert find_leakage([*CLEAN[:50], hidden], [pair(" ".join(words))]).removed[-1:] == (50,)
