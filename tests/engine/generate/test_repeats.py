"""Repeats are found, in whatever words they differ; and it is told when nothing new comes."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.generate.repeats import Inputs, Novelty, majority, same_key, words_of

WORDS = st.lists(st.sampled_from("the a lake froze dog ran over night we went rain came".split()), min_size=1, max_size=9)


def test_case_blanks_and_signs_make_no_other_input() -> None:
    assert same_key("The  lake,\nfroze!") == same_key("the lake froze")
    assert same_key("湖が凍った。") == same_key("湖が 凍った")
    assert same_key("?!") != same_key("...")


@given(st.lists(WORDS, max_size=20), WORDS, st.sampled_from([0.5, 0.7, 0.9]))
def test_the_index_finds_what_comparing_with_each_would(before: list[list[str]], words: list[str], threshold: float) -> None:
    inputs = Inputs(threshold)
    for one in before:
        inputs.add(" ".join(one))
    sets = [set(words_of(" ".join(one))) for one in before]
    own = set(words)
    assert inputs.near(" ".join(words)) == any(len(own & one) >= threshold * len(own | one) for one in sets)


def test_above_one_nothing_is_near() -> None:
    inputs = Inputs(1.1)
    inputs.add("the lake froze")
    assert not inputs.near("the lake froze")


def test_the_last_hundred_are_held_against_the_first() -> None:
    novelty = Novelty()
    for number in range(100):
        novelty.add(f"word{number} other{number} third{number}")
    assert not novelty.flat(0.5)
    for _ in range(99):
        novelty.add("word1 other1 third1")
    assert not novelty.flat(0.5), "a hundred that is not whole yet says nothing"
    novelty.add("word1 other1 third1")
    assert novelty.by_hundred == [200, 0] and novelty.flat(0.1)


def test_a_tie_is_no_majority() -> None:
    assert majority(Counter("aab")) == "a"
    assert majority(Counter("ab")) is None
