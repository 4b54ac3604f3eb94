"""Codes, signs and names of closed vocabularies: one thing written in two ways."""

from __future__ import annotations

import pytest

from engine.plan.labels.loanwords import sound_alike
from engine.plan.labels.vocabularies import stand_for


@pytest.mark.parametrize(
    ("values", "labels", "language"),
    [
        (["Italian", "Portuguese", "Dutch"], ["IT", "PT", "NL"], "en"),
        (["ita", "por", "nld"], ["Italienisch", "Portugiesisch", "Niederländisch"], "de"),
        (["italiano", "português", "polski"], ["it", "pt", "pl"], "ru"),
        (["Italy", "Kenya"], ["IT", "KE"], "en"),
        (["ITA", "KEN"], ["Italien", "Kenia"], "de"),
        (["mars", "Apr"], ["March", "April"], "fr"),
        (["Wed", "Sun"], ["Mittwoch", "Sonntag"], "de"),
        (["plus", "minus", "times"], ["+", "-", "×"], "en"),
        (["greater than", "less than", "equal"], [">", "<", "="], "en"),
        (["yes", "no"], ["✓", "✗"], "en"),
        (["positive", "negative", "neutral"], ["🙂", "🙁", "😐"], "en"),
        (["NN", "VB", "JJ"], ["noun", "verb", "adjective"], "en"),
        (["M", "F"], ["hombre", "mujer"], "es"),
        (["c", "n", "e"], ["contradiction", "neutral", "entailment"], "en"),
        (["first", "second"], ["1", "2"], "en"),
    ],
)
def test_two_ways_to_write_one_thing_meet(values: list[str], labels: list[str], language: str) -> None:
    found = stand_for(dict(zip(values, values, strict=True)), labels, language)
    assert {value: label for value, (label, _) in found.items()} == dict(zip(values, labels, strict=True))


def test_a_misspelt_word_of_a_vocabulary_is_still_known() -> None:
    found = stand_for({"Substraction": "Substraction", "Long-Division": "Long-Division"}, ["-", "÷"])
    assert {value: label for value, (label, _) in found.items()} == {"Substraction": "-", "Long-Division": "÷"}


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["0", "1", "2"], ["entailment", "neutral", "contradiction"]),
        (["1", "2", "3"], ["A", "B", "C"]),
        (["low", "high"], ["easy", "hard"]),
        (["right", "wrong"], ["yes", "no"]),
        (["January", "February"], ["1", "2"]),
        (["German", "cooking"], ["DE", "rugby"]),
    ],
)
def test_what_only_looks_like_a_vocabulary_maps_to_nothing(values: list[str], labels: list[str]) -> None:
    assert stand_for(dict(zip(values, values, strict=True)), labels) == {}


@pytest.mark.parametrize(("one", "other"), [("phonetics", "фонетика"), ("comedy", "комедия"), ("western", "вестерн")])
def test_loanwords_are_known_across_alphabets(one: str, other: str) -> None:
    assert sound_alike(one, other) >= 0.8


@pytest.mark.parametrize(("one", "other"), [("phonetics", "синтаксис"), ("legal", "нелегально"), ("formal", "informal"), ("art", "арт")])
def test_words_that_do_not_sound_alike_or_are_of_one_alphabet_are_none(one: str, other: str) -> None:
    assert sound_alike(one, other) == 0
