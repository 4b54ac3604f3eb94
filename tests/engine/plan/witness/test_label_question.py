"""What values stand for is asked one by one and decided together; a model that fails the controls is not believed."""

from __future__ import annotations

import re

import numpy as np

from engine.plan.profile import ColumnProfile, Sample, read_sample
from engine.plan.witness.label_question import NONSENSE, LabelQuestion, assign
from engine.records import Column, Output, Row, Task
from tests.engine.plan.witness.weighers import Weigher

TASK = Task("desk", "Which desk gets the letter?", output=Output("label", ("billing", "repairs", "praise")))
MEANT = {"ZAHLUNG": "billing", "DEFEKT": "repairs", "LOB": "praise"}


def column(values: tuple[str, ...]) -> tuple[ColumnProfile, Sample]:
    rows = [
        Row(number, {"letter": f"Letter number {number} says this and that.", "art": values[number % len(values)]}) for number in range(60)
    ]
    sample = read_sample((Column("letter", "text"), Column("art", "text")), rows)
    return next(profile for profile in sample.profiles if profile.name == "art"), sample


def asked(text: str) -> str:
    return str(re.findall(r"Which label does the value <<<\n(.*?)\n>>>", text)[0])


def knows(text: str, choice: str) -> float:
    """Right, and far too fond of "praise"."""
    value = asked(text)
    if value in NONSENSE:
        return 4.0 if choice == "praise" else 0.0
    return (3.0 if MEANT.get(value, value) == choice else 0.0) + (4.0 if choice == "praise" else 0.0)


def test_values_in_another_language_are_matched_and_the_liking_of_a_label_drops_out() -> None:
    profile, sample = column(("ZAHLUNG", "DEFEKT", "LOB"))
    suggestion = LabelQuestion(TASK, Weigher(knows)).suggest(profile, sample, ("letter",))
    assert suggestion is not None
    assert suggestion.table == MEANT and suggestion.margin >= 1 and suggestion.sure
    assert all("times likelier" in line for line in suggestion.lines)


def test_a_value_too_many_is_left_out_and_named() -> None:
    profile, sample = column(("ZAHLUNG", "DEFEKT", "LOB", "SONSTIGES"))

    def likes(text: str, choice: str) -> float:
        return 3.0 if asked(text) == "SONSTIGES" and choice.startswith("none") else knows(text, choice)

    suggestion = LabelQuestion(TASK, Weigher(likes)).suggest(profile, sample, ())
    assert suggestion is not None
    assert suggestion.table == MEANT and suggestion.left_out == ("SONSTIGES",)


def test_two_values_may_stand_for_one_label_but_only_as_a_guess() -> None:
    meant = {**MEANT, "RECHNUNG": "billing", "WERKSTATT": "repairs"}
    profile, sample = column((*meant, "SONSTIGES"))

    def likes(text: str, choice: str) -> float:
        value = asked(text)
        if value == "SONSTIGES":
            return 3.0 if choice.startswith("none") else 0.0
        return 3.0 if meant.get(value, value) == choice else 0.0

    suggestion = LabelQuestion(TASK, Weigher(likes)).suggest(profile, sample, ())
    assert suggestion is not None
    assert suggestion.table == meant and suggestion.left_out == ("SONSTIGES",) and not suggestion.sure


def test_a_label_that_no_value_stands_for_gives_no_map() -> None:
    profile, sample = column(("ZAHLUNG", "RECHNUNG", "DEFEKT", "WERKSTATT"))

    def likes(text: str, choice: str) -> float:
        value = {"ZAHLUNG": "billing", "RECHNUNG": "billing", "DEFEKT": "repairs", "WERKSTATT": "repairs"}.get(asked(text), asked(text))
        return 3.0 if value == choice else 0.0

    suggestion = LabelQuestion(TASK, Weigher(likes)).suggest(profile, sample, ())
    assert suggestion is None or not suggestion.sure


def test_values_the_model_knows_nothing_about_give_no_map() -> None:
    profile, sample = column(("ka", "lo", "mi"))

    def likes(text: str, choice: str) -> float:
        return 3.0 * (asked(text) == choice)

    assert LabelQuestion(TASK, Weigher(likes)).suggest(profile, sample, ()) is None


def test_a_small_lead_makes_a_guess() -> None:
    profile, sample = column(("ZAHLUNG", "DEFEKT", "LOB"))

    def likes(text: str, choice: str) -> float:
        return 0.4 * (MEANT.get(asked(text)) == choice) + 4.0 * (asked(text) == choice)

    suggestion = LabelQuestion(TASK, Weigher(likes)).suggest(profile, sample, ())
    assert suggestion is not None and suggestion.table == MEANT and not suggestion.sure


def test_a_model_that_does_not_know_the_labels_themselves_again_is_asked_nothing_more() -> None:
    profile, sample = column(("ZAHLUNG", "DEFEKT", "LOB"))
    weigher = Weigher(lambda text, choice: {"billing": 3.0, "repairs": 1.0, "praise": 2.0}.get(choice, 0.0) * len(asked(text)))
    question = LabelQuestion(TASK, weigher)
    assert question.suggest(profile, sample, ()) is None
    assert "labels themselves" in question.doubt
    before = len(weigher.asked)
    assert question.suggest(profile, sample, ()) is None
    assert len(weigher.asked) == before


def test_a_model_that_is_sure_of_nonsense_must_be_surer_of_the_rest() -> None:
    profile, sample = column(("ZAHLUNG", "DEFEKT", "LOB"))

    def likes(text: str, choice: str) -> float:
        value = asked(text)
        if value in NONSENSE:
            return 5.0 * (TASK.output.labels.index(choice) == NONSENSE.index(value)) if choice in TASK.output.labels else 0.0
        return (1.5 if MEANT.get(value) == choice else 0.0) + 4.0 * (value == choice)

    suggestion = LabelQuestion(TASK, Weigher(likes)).suggest(profile, sample, ())
    assert suggestion is not None and not suggestion.sure


def test_an_assignment_uses_each_label_once_and_tells_how_far_it_leads() -> None:
    scores = np.log(np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]]))
    chosen, margins = assign(scores)
    assert chosen == {0: 0, 1: 1}
    assert 0 < min(margins.values()) < 1


def test_rows_and_names_reach_the_prompt_as_data_only() -> None:
    profile, sample = column(("ZAHLUNG", "DEFEKT", "LOB"))
    weigher = Weigher(knows)
    LabelQuestion(TASK, weigher).suggest(profile, sample, ("letter",))
    text = weigher.asked[-1].messages[-1].content
    assert "<<<\nletter: Letter number" in text and "ZAHLUNG; DEFEKT; LOB" in text
