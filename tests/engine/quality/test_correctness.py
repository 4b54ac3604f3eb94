from __future__ import annotations

import json
import random
import re
from string import ascii_uppercase

import pytest

from engine.errors import BadInput
from engine.quality import Known, judge_correctness
from engine.quality.shares import calibrate, corrected, share_of
from engine.records import Example, Output, Source, Task, TaskExample
from models.language import Request
from tests.engine.quality.judges import MOODS, SUMS, Judge, adds, knows_moods, moods, sums, weighing
from tests.engine.quality.pairs import pair


def known(pairs: list[TaskExample]) -> list[Known]:
    return [Known(one.input, one.output) for one in pairs]


def test_an_able_judge_that_is_too_fond_of_one_label_finds_the_wrong_ones() -> None:
    found = judge_correctness(MOODS, {"one": moods(60, wrong=15)}, weighing(knows_moods), known=known(moods(60, seed=1)))["one"]
    assert found.found == frozenset(range(15, 60)) and found.found_right.count == 45 and found.belief > 0.99
    assert found.judge is not None and found.judge.right.share == 1 and found.judge.wrong.share == 0 and found.judge.tells
    assert found.right is not None and found.right.mean == 0.75 and found.right.low < 0.65 and 0.8 < found.right.high < 0.9
    assert found.by_chance == pytest.approx(1 / 3, abs=0.05)
    assert "the judge takes" in found.verdicts[0].reason and (found.verdicts[0].score or 0) < 0 < (found.verdicts[-1].score or 0)


def test_a_judge_that_always_says_yes_is_told_to_be_no_judge() -> None:
    def yes(prompt: str, request: Request) -> str:
        return "yes" if request.choices else "of course"

    found = judge_correctness(SUMS, {"one": sums(60)}, Judge(yes), known=known(sums(60, seed=1)))["one"]
    assert found.judge is not None and not found.judge.tells and found.judge.gap.mean == 0
    assert found.right is None and "cannot tell" in found.reason


def test_a_judge_that_says_yes_more_loudly_to_some_inputs_whatever_the_output_is_no_judge() -> None:
    def likes(prompt: str, request: Request) -> str:
        return json.dumps([random.Random(request.messages[-1].content.rpartition("Output:")[0]).gauss(0, 3), 0]) if request.choices else "x"

    found = judge_correctness(SUMS, {"one": sums(80, wrong=40)}, Judge(likes), known=known(sums(80, seed=1)))["one"]
    assert found.judge is not None and not found.judge.tells and found.right is None


def test_a_judge_that_names_one_label_is_no_judge() -> None:
    judge = weighing(lambda text, choice: 3.0 if choice == "calm" else 0.0)
    found = judge_correctness(MOODS, {"one": moods(60)}, judge, known=known(moods(90, seed=1)))["one"]
    assert found.judge is not None and not found.judge.tells and found.right is None


def test_the_corrected_share_recovers_the_true_one_and_its_interval_holds_it() -> None:
    drawn = random.Random(5)
    means, held = [], 0
    for _ in range(400):
        judge = calibrate([drawn.random() < 0.85 for _ in range(100)], [drawn.random() < 0.3 for _ in range(100)])
        found = sum(drawn.random() < (0.85 if drawn.random() < 0.7 else 0.3) for _ in range(150))
        made = corrected(share_of(found, 150), judge)
        assert made is not None
        means.append(made.mean)
        held += made.low <= 0.7 <= made.high
    assert sum(means) / 400 == pytest.approx(0.7, abs=0.015)
    assert 0.92 <= held / 400 <= 0.99
    assert found / 150 != pytest.approx(0.7, abs=0.001)


def test_a_judge_that_errs_is_corrected_by_its_error_on_known_answers() -> None:
    def often(text: str, choice: str) -> float:
        able = random.Random(text).random() < 0.75
        return knows_moods(text, choice) if able else random.Random(f"{text} {choice}").gauss(0, 1)

    found = judge_correctness(MOODS, {"one": moods(600, wrong=240)}, weighing(often), known=known(moods(600, seed=1)))["one"]
    assert found.judge is not None and 0.7 < found.judge.right.share < 0.9 and 0.05 < found.judge.wrong.share < 0.15
    assert found.found_right.share < 0.56
    assert found.right is not None and found.right.mean == pytest.approx(0.6, abs=0.05) and found.right.low < 0.6 < found.right.high


def test_examples_given_as_wrong_count_among_the_wrong_ones() -> None:
    given = [*known(moods(30, seed=1)), *(Known(one.input, one.output, False) for one in moods(10, seed=2))]
    found = judge_correctness(MOODS, {"one": moods(30)}, weighing(knows_moods), known=given)["one"]
    assert found.judge is not None and found.judge.wrong.of == 40 and found.judge.wrong.count == 10


def test_sources_are_judged_by_one_rule() -> None:
    judge = weighing(knows_moods)
    angry = [one for one in moods(90) if one.output == "angry"]
    found = judge_correctness(MOODS, {"all": moods(60, seed=3), "angry alone": angry}, judge)
    assert found["all"].found_right.share == 1 and found["angry alone"].found_right.share == 1
    assert found["all"].judge is None and "not measured" in found["all"].reason


LETTERED = Task("capitals", "Choose the capital.", output=Output("option_letter"), examples=(TaskExample("x", "A"),))
CITIES = ("Oslo", "Bern", "Rome", "Kyiv")


def lettered(count: int, wrong: int) -> list[TaskExample]:
    made = []
    for number in range(count):
        order = random.Random(number).sample(CITIES, 4)
        right = order.index("Rome")
        said = (right + 1) % 4 if number < wrong else right
        made.append(
            pair(f"Question {number}: of Italy?\n" + "\n".join(f"{'ABCD'[at]}. {city}" for at, city in enumerate(order)), "ABCD"[said])
        )
    return made


def likes_the_first(text: str, choice: str) -> float:
    """Fond of A by far, else it knows."""
    city = next(found[1] for found in re.finditer(rf"^{choice}\. (\w+)", text, re.MULTILINE))
    return (1.0 if city == "Rome" else 0.0) + {"A": 3.0}.get(choice, 0.0)


def test_options_are_asked_in_several_orders_and_letters_follow() -> None:
    judge = weighing(likes_the_first)
    found = judge_correctness(LETTERED, {"one": lettered(40, 10)}, judge)["one"]
    assert found.found == frozenset(range(10, 40))
    assert len(judge.asked) == 80 and len({prompt for prompt in judge.prompts if prompt.startswith("Question 7:")}) == 2


def test_option_texts_are_asked_by_letter() -> None:
    task = Task("capitals", "Choose the capital.", output=Output("option_text"))
    pairs = [pair(f"{number}: of Italy?\nOptions: {'; '.join(random.Random(number).sample(CITIES, 4))}", "Rome") for number in range(30)]
    pairs[0] = pair(pairs[0].input, "Oslo")
    judge = weighing(likes_the_first)
    found = judge_correctness(task, {"one": pairs}, judge, known=known(pairs[10:]))["one"]
    assert found.found == frozenset(range(1, 30)) and all(request.choices == tuple(ascii_uppercase[:4]) for request in judge.asked)
    assert found.judge is not None and found.judge.wrong.count == 0 and found.judge.wrong.of == 20


def test_inputs_without_a_list_of_options_are_told_not_guessed() -> None:
    found = judge_correctness(LETTERED, {"one": [*lettered(20, 0), pair("Nothing to choose", "B")]}, weighing(likes_the_first))["one"]
    assert found.judged == 20 and list(found.failed.values()) == [1] and "no list of options" in next(iter(found.failed))


def test_free_text_is_held_against_the_judges_own_answer() -> None:
    judge = Judge(adds)
    found = judge_correctness(SUMS, {"one": sums(60, wrong=20)}, judge, known=known(sums(40, seed=1)))["one"]
    assert found.found == frozenset(range(20, 60)) and found.likeness is not None
    assert found.likeness.same == pytest.approx(2 / 3) and found.likeness.token_f1 > found.likeness.dealt_token_f1
    assert found.judge is not None and found.judge.tells and found.right is not None and found.right.mean == pytest.approx(2 / 3, abs=0.05)


def test_no_output_stands_in_the_prompt_that_asks_for_an_answer() -> None:
    judge = Judge(adds)
    pairs = sums(20)
    judge_correctness(SUMS, {"one": pairs}, judge)
    solving = [request for request in judge.asked if not request.choices]
    assert len(solving) == 20
    for one, request in zip(pairs, solving, strict=True):
        assert one.input in request.messages[-1].content and all(one.output not in message.content for message in request.messages)


def test_outputs_are_told_by_where_they_are_from() -> None:
    source = Source("notes", "default", "train", 0)
    pairs = [
        Example(one.input, one.output, "written" if place < 10 else "copied", source, "p") for place, one in enumerate(moods(30, wrong=10))
    ]
    found = judge_correctness(MOODS, {"one": pairs}, weighing(knows_moods))["one"]
    assert found.by_origin["written"].share == 0 and found.by_origin["copied"].share == 1 and found.by_origin["copied"].of == 20


def test_known_answers_that_measure_nothing_are_refused() -> None:
    same = [Known(f"Guest {number} read a book.", "calm") for number in range(5)]
    with pytest.raises(BadInput, match="5 known right examples and 0 wrong"):
        judge_correctness(MOODS, {"one": moods(10)}, weighing(knows_moods), known=same)
    shown = [Known(one.input, one.output) for one in MOODS.examples]
    with pytest.raises(BadInput, match="0 known right"):
        judge_correctness(MOODS, {"one": moods(10)}, weighing(knows_moods), known=shown)


def test_a_judge_without_answers_has_judged_nothing() -> None:
    judge = Judge(lambda prompt, request: "no number" if request.choices else None)
    found = judge_correctness(MOODS, {"one": moods(10)}, judge)["one"]
    assert found.judged == 0 and found.found_right.of == 0 and found.belief == 0.5 and sum(found.failed.values()) == 10
