"""What a model wrote is not believed: excuses, other languages, endless texts and parroted examples do not pass; honest texts do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.plan.compile import compile_plan
from engine.plan.steps import Emit, Plan, Write
from engine.plan.units import Accepted, Outcome, Rejected
from engine.records import Task, TaskExample
from tests.engine.plan.tables import Table, outcomes, task

REVIEW = "The kettle arrived with a dent in its side and the lid does not close any more, so I sent it back the same day."
GERMAN = (
    "Der Wasserkocher kam mit einer Beule an, und der Deckel schließt nicht mehr richtig. "
    "Ich habe ihn noch am selben Tag zurückgeschickt und warte seitdem auf mein Geld."
)
ENGLISH = (
    "The kettle came with a dent and its lid no longer closes as it should. "
    "I sent it back on the very same day and have been waiting for my money ever since."
)
SUMMED_UP = task(examples=(TaskExample("A long review of a pan that lost its handle.", "The pan's handle came off after a week of use."),))
PROSE = Plan(name="p", prose=("Take the review.", "Sum it up."), origin="prose")


def written(text: str, for_task: Task = SUMMED_UP, review: str = REVIEW) -> Outcome:
    """What becomes of a review whose output is written so."""
    plan = Plan(
        name="p",
        steps=(Write(instruction="Sum it up.", given=("review",), into=("short",), max_chars=9000),),
        emit=Emit(input="{{ review }}", output="{{ short }}"),
    )
    return ended(plan, json.dumps({"short": text}), for_task, {"review": review})


def followed(given: str, output: str, for_task: Task = SUMMED_UP, row: dict[str, Any] | None = None) -> Outcome:
    """What becomes of a row of which a model that follows prose made this."""
    return ended(PROSE, json.dumps({"skip": False, "input": given, "output": output}), for_task, row or {"review": REVIEW, "stars": 1})


def ended(plan: Plan, completion: str, for_task: Task, row: dict[str, Any]) -> Outcome:
    table = Table([row])
    program = compile_plan(plan, table.columns, task=for_task)
    run = program.run(next(program.units(table)))
    next(run)
    try:
        run.send(completion)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    raise AssertionError("it asks again")


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.reason


def test_an_honest_text_passes() -> None:
    assert isinstance(written("A dented kettle, sent back."), Accepted)
    assert isinstance(followed(REVIEW, "A dented kettle, sent back."), Accepted)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but the review does not say enough.",
        "I’m very sorry, I can't do that.",
        "As an AI language model, I have no opinion.",
        "Well, as a large language model I would say it broke.",
        "I cannot sum this up.",
        "Unfortunately, I have no access to the review.",
        "Es tut mir leid, das geht nicht.",
        "Lo siento, no puedo.",
        "К сожалению, я не могу этого сделать.",
        "很抱歉，我无法回答。",
        "作为一个人工智能，我不能回答。",
    ],
)
def test_a_model_that_excuses_itself_wrote_no_example(text: str) -> None:
    assert "excuses itself" in reason(written(text))
    assert "excuses itself" in reason(followed(REVIEW, text))


@pytest.mark.parametrize("text", ["The kettle is sorry sight.", "Sorry kettle with a dent.", "It asks how an AI model is trained."])
def test_words_that_only_look_like_an_excuse_pass(text: str) -> None:
    assert isinstance(written(text), Accepted)


def test_an_excuse_passes_where_the_task_or_the_row_has_it() -> None:
    replies = task(examples=(TaskExample("My parcel is wet.", "I'm sorry to hear that. We will send another one."),))
    assert isinstance(written("I'm sorry about the dent. We will send another kettle.", replies), Accepted)
    said = "I am sorry I was late, said the bus driver, and nobody on the bus believed him."
    assert isinstance(followed(said, "A late driver.", row={"review": said}), Accepted)


def test_a_written_text_in_another_language_is_rejected() -> None:
    assert reason(written(GERMAN)) == "output: in de, not in en"
    assert reason(followed(f"{GERMAN} {REVIEW[:20]}", "Dented.", row={"review": GERMAN})) == "input: in de, not in en"
    assert isinstance(written(ENGLISH), Accepted)


def test_the_language_wanted_is_that_of_the_task_and_its_examples() -> None:
    german = task(language="de", examples=(TaskExample("Die Pfanne hat keinen Griff mehr.", "Der Griff ging nach einer Woche ab."),))
    assert isinstance(written(GERMAN, german), Accepted)
    assert reason(written(ENGLISH, german)) == "output: in en, not in de"
    into_german = task(examples=(TaskExample(ENGLISH, GERMAN),))
    assert isinstance(written(f"{GERMAN} Immerhin.", into_german), Accepted)
    assert isinstance(written(GERMAN, task(language="tlh")), Accepted), "a language nobody can tell is not checked"


@pytest.mark.parametrize("text", ["Beule im Wasserkocher.", "x = [i ** 2 for i in range(10)]; print(x[3:7] + [(1, 2), {'a': 4}])" * 2])
def test_short_texts_and_code_have_no_language(text: str) -> None:
    assert isinstance(written(text), Accepted)


def test_a_text_far_longer_than_the_examples_is_rejected() -> None:
    longer = "It was dented and it leaked. "
    assert "4 times as long" in reason(written(longer * 15))
    assert isinstance(written(longer * 13), Accepted), "400 characters are never too long"
    essays = task(examples=(TaskExample("A pan.", longer * 20),))
    assert isinstance(written(longer * 60, essays), Accepted)
    assert isinstance(written(longer * 60, task()), Accepted), "without examples no length is too long"
    assert "input: more than 4 times" in reason(followed(REVIEW + longer * 80, "Dented.", row={"review": REVIEW}))


def test_an_examples_output_repeated_word_for_word_is_rejected_unless_short() -> None:
    assert reason(written("The pan's handle came off  after a week of use.")) == "output: a copy of one of the task's examples"
    brief = task(examples=(TaskExample("A pan without a handle.", "It broke."),))
    assert isinstance(written("It broke.", brief), Accepted)


@pytest.mark.parametrize(
    "given",
    [REVIEW, f"Review:\n{REVIEW.upper()}", REVIEW[:70], f"{REVIEW[:60]} … {REVIEW[60:]} Was it good?"],
)
def test_an_input_that_holds_a_columns_text_passes(given: str) -> None:
    assert isinstance(followed(given, "Dented."), Accepted)


@pytest.mark.parametrize("given", ["A review of a household device, one star.", "1", "Sum up the review in one sentence, please."])
def test_an_input_made_up_without_the_rows_text_is_rejected(given: str) -> None:
    assert reason(followed(given, "Dented.")) == "input: it holds no column's text"


def test_rows_of_short_texts_and_of_other_scripts_can_be_held_too() -> None:
    assert isinstance(followed("Which country is Oslo in?", "Norway", task(), {"town": "Oslo", "country": "Norway"}), Accepted)
    japanese = "昨日買ったやかんは蓋が閉まらないので返品しました。"
    for_task = task(language="ja")
    assert isinstance(followed(f"レビュー: {japanese[:18]}", "返品", for_task, {"review": japanese}), Accepted)
    assert reason(followed("一言で要約してください", "返品", for_task, {"review": japanese})) == "input: it holds no column's text"


def test_what_no_model_wrote_is_left_alone() -> None:
    plan = Plan(name="p", emit=Emit(input="{{ x }}", output="{{ y }}"))
    rows = [{"x": "in", "y": "I'm sorry, as an AI I cannot."}, {"x": "in", "y": GERMAN * 20}]
    assert all(isinstance(outcome, Accepted) for outcome in outcomes(plan, Table(rows), SUMMED_UP).values())


def test_a_written_question_may_stand_over_a_long_text_of_the_row() -> None:
    plan = Plan(
        name="p",
        steps=(Write(instruction="Ask.", given=("review",), into=("question",)),),
        emit=Emit(input="{{ question }}\n\n{{ review }}", output="{{ answer }}"),
    )
    asking = task(examples=(TaskExample("What broke? The pan broke.", "The pan"),))
    row = {"review": REVIEW * 10, "answer": "a kettle from elsewhere"}
    assert isinstance(ended(plan, '{"question": "What came?"}', asking, row), Accepted)
    assert "excuses itself" in reason(ended(plan, '{"question": "I cannot ask."}', asking, row))
