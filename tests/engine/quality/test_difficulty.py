from __future__ import annotations

import json
import random
import re

import pytest

from engine.quality import base_difficulty, rate_difficulty
from engine.quality.difficulty import expected_mark
from models.language import Request
from tests.engine.quality.judges import MOODS, SUMS, Judge, knows_moods, moods, sums, weighing
from tests.engine.quality.pairs import pair


def by_number(prompt: str, request: Request) -> str:
    """Every fifth is as hard as its number says, with the scale turned round where it is, and a liking of the number 5."""
    hard = int(next(re.finditer(r"item (\d+)", request.messages[-1].content))[1]) % 5
    likes = [3.0 if place == hard else 0.0 for place in range(5)]
    return json.dumps([like + (1.5 if mark == "5" else 0.0) for like, mark in zip(likes, request.choices, strict=True)])


ITEMS = [pair(f"item {number}", "x") for number in range(60)]


def test_difficulty_asks_about_right_examples_alone() -> None:
    judge = Judge(by_number)
    hard = frozenset(number for number in range(60) if number % 5 == 4)
    found = rate_difficulty(SUMS, {"one": ITEMS}, {"one": frozenset(range(60)) - hard}, judge)["one"]
    assert found.examples == 60 and found.right == found.measured == 48 and {one.index for one in found.verdicts}.isdisjoint(hard)
    assert len(judge.asked) == 96 and not any("item 4\n" in prompt for prompt in judge.prompts)
    everything = rate_difficulty(SUMS, {"one": ITEMS}, {"one": frozenset(range(60))}, judge)["one"]
    assert found.mean is not None and everything.mean is not None and everything.mean.mean > found.mean.mean + 0.3


def test_a_liking_of_one_number_cancels_out() -> None:
    found = rate_difficulty(SUMS, {"one": ITEMS}, {"one": frozenset(range(60))}, Judge(by_number))["one"]
    assert found.mean is not None and found.mean.mean == pytest.approx(3, abs=0.05) and found.mean.low < 3 < found.mean.high
    single = rate_difficulty(SUMS, {"one": ITEMS}, {"one": frozenset(range(60))}, Judge(by_number), votes=1)["one"]
    assert single.mean is not None and single.mean.mean > 3.2 and single.votes_agree is None
    scores = {one.index: one.score or 0.0 for one in found.verdicts}
    assert scores[0] < scores[1] < scores[2] < scores[3] < scores[4]


def test_votes_that_do_not_agree_say_nothing() -> None:
    drawing = Judge(lambda prompt, request: json.dumps([random.Random(f"{prompt} {mark}").gauss(0, 2) for mark in request.choices]))
    found = rate_difficulty(SUMS, {"one": ITEMS}, {"one": frozenset(range(60))}, drawing)["one"]
    assert not found.tells and found.votes_agree is not None and found.votes_agree.low < 0
    able = rate_difficulty(SUMS, {"one": ITEMS}, {"one": frozenset(range(60))}, Judge(by_number))["one"]
    assert able.tells and able.votes_agree is not None and able.votes_agree.mean > 0.9


def test_one_who_likes_a_number_whatever_it_stands_for_disagrees_with_itself() -> None:
    def fond(prompt: str, request: Request) -> str:
        number = int(next(re.finditer(r"item (\d+)", request.messages[-1].content))[1])
        return json.dumps([number / 10 if mark in ("5", "very hard") else 0.0 for mark in request.choices])

    assert not rate_difficulty(SUMS, {"one": ITEMS}, {"one": frozenset(range(60))}, Judge(fond))["one"].tells


def test_a_mark_is_read_off_all_likelihoods() -> None:
    assert expected_mark([0.0] * 5) == 3
    assert expected_mark([-50, -50, -50, -50, 0]) == pytest.approx(5)
    assert expected_mark([-900, -901, -900, -901, -900]) == pytest.approx(3)


def test_the_base_models_margin_is_small_where_it_hardly_knows() -> None:
    def likes(text: str, choice: str) -> float:
        return knows_moods(text, choice) * (0.1 if "0-1" in text else 1.0)

    pairs = moods(40)
    found = base_difficulty(MOODS, {"one": pairs}, {"one": frozenset(range(40))}, weighing(likes), len)["one"]
    assert found.measure == "margin" and found.measured == 40 and found.mean is not None
    scores = {one.index: one.score or 0.0 for one in found.verdicts}
    usual = [score for index, score in scores.items() if "0-1" not in pairs[index].input]
    assert min(usual) > 0 and all(len(request) for request in pairs[0].input)
    assert found.perplexity is None


def test_margins_of_right_examples_keep_their_places() -> None:
    found = base_difficulty(MOODS, {"one": moods(40, wrong=10)}, {"one": frozenset(range(10, 40))}, weighing(knows_moods), len)["one"]
    assert [one.index for one in found.verdicts] == [*range(10, 40)] and all((one.score or -1) > 0 for one in found.verdicts)


def test_free_text_is_measured_by_log_probability_a_token() -> None:
    judge = Judge(lambda prompt, request: json.dumps([-2.0 * (len(request.choices[0]) + 1)]))
    found = base_difficulty(SUMS, {"one": sums(20)}, {"one": frozenset(range(20))}, judge, len)["one"]
    assert found.measure == "log-probability" and found.mean is not None and found.mean.mean == pytest.approx(-2)
    assert found.perplexity == pytest.approx(7.389, abs=0.001)


def test_nothing_right_is_nothing_measured() -> None:
    judge = Judge(by_number)
    found = rate_difficulty(SUMS, {"one": ITEMS}, {}, judge)["one"]
    assert found.mean is None and found.measured == 0 and not judge.asked
