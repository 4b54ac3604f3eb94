from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.quality.near_duplicates import find_duplicates, rouge_l
from engine.quality.words import tokens
from tests.engine.quality.pairs import WORDS, example, pair, sentences


def _changed(text: str, count: int, chosen: random.Random) -> str:
    words = text.split()
    for place in chosen.sample(range(len(words)), count):
        words[place] = chosen.choice(WORDS)
    return " ".join(words)


def test_the_first_of_the_same_is_kept_whatever_case_form_and_punctuation() -> None:
    found = find_duplicates([pair("The cat sat."), pair("a dog"), pair("  the CAT, sat"), pair("ｔｈｅ cat sat")])
    assert (found.kept, found.exact, found.near) == (2, 2, 0)
    assert found.clusters() == {0: [2, 3]}
    assert found.verdicts[2].reason == "the same as example 0" and found.verdicts[2].against == 0


def test_the_same_input_with_another_output_is_a_conflict_and_stays() -> None:
    found = find_duplicates([pair("The cat sat", "yes"), pair("the cat sat!", "no"), pair("the cat sat", "no")])
    assert [(one.index, one.first) for one in found.conflicts] == [(1, 0)]
    assert [one.kept for one in found.verdicts] == [True, True, False]
    assert found.verdicts[1].kind == "conflict" and found.verdicts[2].against == 1


def test_where_outputs_do_not_count_a_conflict_is_a_repeat_too() -> None:
    found = find_duplicates([pair("The cat sat", "yes"), pair("the cat sat!", "no")], outputs="ignored")
    assert found.kept == 1 and len(found.conflicts) == 1


def test_the_same_output_makes_no_repeat() -> None:
    assert find_duplicates([pair(text, "yes") for text in sentences(30)]).kept == 30


def test_nearly_the_same_is_found_with_its_score() -> None:
    one, other = "one two three four five six seven eight nine ten", "one two three four five six seven eight nine eleven"
    found = find_duplicates([pair(one), pair(other)])
    assert found.near == 1 and found.verdicts[1].score == pytest.approx(0.9) == rouge_l(one, other)
    assert find_duplicates([pair(one), pair(other)], threshold=0.95).near == 0


def test_a_pair_that_turns_on_one_word_stays_where_outputs_differ() -> None:
    twins = [
        pair("the trophy does not fit in the case because it is too big", "trophy"),
        pair("the trophy does not fit in the case because it is too small", "case"),
    ]
    assert find_duplicates(twins).kept == 2
    assert find_duplicates(twins, outputs="ignored").kept == 1


def test_short_texts_are_compared_only_exactly() -> None:
    assert find_duplicates([pair("capital of France"), pair("capital of Spain")], threshold=0.6).kept == 2


def test_a_shared_template_makes_no_repeats() -> None:
    frame = "Read this carefully and then answer the question that follows below.\nText: {}\nQuestion: what happened in the end, and why?"
    pairs = [example(frame.format(text)) for text in sentences(40, words=8)]
    assert find_duplicates(pairs).kept == 40
    assert find_duplicates(pairs, use_templates=False).kept < 20


def test_all_repeats_are_found_that_comparing_every_two_finds() -> None:
    chosen = random.Random(5)
    base = sentences(300, words=20)
    texts = base + [_changed(text, chosen.randint(1, 8), chosen) for text in base]
    chosen.shuffle(texts)
    out: set[int] = set()
    for place, text in enumerate(texts):
        if any(rouge_l(text, texts[other]) >= 0.7 for other in range(place) if other not in out):
            out.add(place)
    found = find_duplicates([pair(text) for text in texts])
    told = {one.index for one in found.verdicts if not one.kept}
    assert len(out) > 150 and len(told & out) >= 0.98 * len(out) and len(told - out) <= 0.02 * len(out)


@pytest.mark.parametrize("make", [lambda n: f"今天天气很好我们去公园散步吧第{n}次", lambda n: f"แม่น้ำสายใดไหลผ่านเมืองเก่าของกราซ{n}"])
def test_scripts_without_spaces_are_compared_by_characters(make: Callable[[int], str]) -> None:
    assert find_duplicates([pair(make(1)), pair(make(2))], threshold=0.9).near == 1


def test_copies_that_make_a_great_part_of_all_are_found_and_no_template() -> None:
    copies = [f"{' '.join(WORDS[:20])} {WORDS[place % 250]}" for place in range(1000)]
    found = find_duplicates([pair(text) for text in [*copies, *sentences(500)]])
    assert found.kept == 501 and set(found.clusters()) == {0}


def test_one_word_in_a_long_question_may_be_all_that_differs() -> None:
    assert find_duplicates([pair(f"Is the word {word} one that people like or dislike ?") for word in WORDS[:60]]).kept == 60


def test_every_example_kept_is_unlike_every_other_kept_one_and_order_alone_decides() -> None:
    chosen = random.Random(2)
    texts = [_changed(" ".join(WORDS[:16]), chosen.randint(0, 9), chosen) for _ in range(120)]
    pairs = [pair(text) for text in texts]
    found = find_duplicates(pairs, use_templates=False)
    kept = [texts[one.index] for one in found.verdicts if one.kept]
    assert all(rouge_l(one, other) < 0.7 for place, one in enumerate(kept) for other in kept[:place])
    assert found == find_duplicates(pairs, use_templates=False)
    for verdict in found.verdicts:
        assert verdict.kept or (verdict.against is not None and verdict.against < verdict.index and found.verdicts[verdict.against].kept)


def test_embeddings_find_what_words_do_not() -> None:
    pairs = [pair("a dog runs over the wide field"), pair("some hound is racing across pastures"), pair("the sun is hot in summer")]
    rows = np.array([[1, 0], [0.99, 0.141], [0, 1]], np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = find_duplicates(pairs, embeddings=rows)
    assert (found.meaning, found.kept) == (1, 2) and found.verdicts[1].kind == "meaning"


def test_what_cannot_be_asked_is_said() -> None:
    with pytest.raises(BadInput, match=r"threshold of 0\.2"):
        find_duplicates([pair("a")], threshold=0.2)
    with pytest.raises(BadInput, match="2 embeddings came for 1 examples"):
        find_duplicates([pair("a")], embeddings=np.eye(2, dtype=np.float32))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.sampled_from(["a", "b", ""])), max_size=25))
def test_whatever_the_texts_counts_add_up_and_repeats_point_back(texts: list[tuple[str, str]]) -> None:
    found = find_duplicates([pair(text, output) for text, output in texts])
    assert found.kept + found.exact + found.near + found.meaning == len(texts) == len(found.verdicts)
    assert found.kept == sum(one.kept for one in found.verdicts)
    assert all(one.kept or (one.against is not None and one.against < one.index) for one in found.verdicts)


@given(st.text(max_size=80), st.text(max_size=80))
def test_rouge_l_is_symmetric_and_one_for_the_same(one: str, other: str) -> None:
    assert rouge_l(one, one) == 1
    assert rouge_l(one, other) == pytest.approx(rouge_l(other, one))
    assert 0 <= rouge_l(one, other) <= 1


def test_a_text_of_a_megabyte_is_no_trouble() -> None:
    long = " ".join(random.Random(0).choices(WORDS, k=150_000))
    found = find_duplicates([pair(long), pair(long + " end"), pair("short"), pair("x" * 1_000_000)])
    assert found.near == 1 and len(tokens(long)) == 150_000
