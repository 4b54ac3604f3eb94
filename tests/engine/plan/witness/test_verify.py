"""A model's answers on sample rows tell right readings from wrong ones, and a model that knows nothing tells nothing."""

from __future__ import annotations

from engine.plan.steps import Emit, Options, Pick, Plan, Shuffle
from engine.plan.witness.verify import verify
from engine.records import Column, Output, Row, Task
from tests.engine.plan.witness.weighers import COLUMNS, MOODS, Weigher, guesses, knows_moods, marks, moods

RIGHT, WRONG = marks("glad", "angry"), marks("angry", "glad")


def test_a_model_that_can_do_the_task_verifies_the_right_reading() -> None:
    found = verify([RIGHT], COLUMNS, moods(200), MOODS, Weigher(knows_moods))
    (verdict,) = found.verdicts
    assert verdict.state == "verified" and verdict.gain > 0.2 and verdict.belief >= 0.95


def test_the_wrong_reading_is_beaten_by_the_right_one_even_when_it_comes_first() -> None:
    found = verify([WRONG, RIGHT], COLUMNS, moods(200), MOODS, Weigher(knows_moods))
    assert [verdict.state for verdict in found.verdicts] == ["beaten", "verified"]


def test_the_same_rows_are_asked_once_for_both_readings() -> None:
    weigher = Weigher(knows_moods)
    found = verify([WRONG, RIGHT], COLUMNS, moods(200), MOODS, weigher)
    assert found.calls == len(weigher.asked) == len({request.messages for request in weigher.asked})


def test_a_wrong_reading_alone_is_not_verified() -> None:
    (verdict,) = verify([WRONG], COLUMNS, moods(200), MOODS, Weigher(knows_moods)).verdicts
    assert verdict.state == "unverified" and verdict.gain < 0


def test_a_model_that_guesses_verifies_hardly_ever() -> None:
    states = []
    for start in range(40):
        rows = [Row(row.index, row.values | {"note": f"{start}: {row.values['note']}"}) for row in moods(120)]
        states.append(verify([RIGHT], COLUMNS, rows, MOODS, Weigher(guesses)).verdicts[0].state)
    assert states.count("verified") <= 6


def test_a_model_that_always_names_one_label_says_nothing() -> None:
    (verdict,) = verify([RIGHT], COLUMNS, moods(200), MOODS, Weigher(lambda text, choice: 9.0 * (choice == "glad"))).verdicts
    assert verdict.state == "unverified" and abs(verdict.gain) < 0.01


def test_few_rows_are_asked_when_they_decide() -> None:
    weigher = Weigher(knows_moods)
    verify([RIGHT], COLUMNS, moods(200), MOODS, weigher)
    assert len(weigher.asked) <= 24


def test_the_time_a_model_may_take_bounds_the_rows_it_is_asked() -> None:
    weigher = Weigher(guesses, seconds=10.0)
    verify([RIGHT], COLUMNS, moods(200), MOODS, weigher, most_seconds=60.0)
    assert len(weigher.asked) <= 24


def test_texts_are_told_by_whether_a_row_gets_its_own_output() -> None:
    rows = [Row(number, {"word": f"word{number}", "twin": f"twin{number}", "other": f"twin{(number + 7) % 90}"}) for number in range(90)]
    columns = tuple(Column(name, "text") for name in ("word", "twin", "other"))
    task = Task("twins", "Give the twin of a word.")
    own = Plan(name="own", emit=Emit(input="{{ word }}", output="{{ twin }}"))
    other = Plan(name="other", emit=Emit(input="{{ word }}", output="{{ other }}"))

    def knows(text: str, choice: str) -> float:
        return 3.0 if text.removeprefix("word") == choice.removeprefix("twin") else -float(len(choice))

    verdicts = verify([other, own], columns, rows, task, Weigher(knows)).verdicts
    assert [verdict.state for verdict in verdicts] == ["beaten", "verified"]
    assert "pairs of rows" in verdicts[1].said


def test_options_are_weighed_as_a_menu_and_the_liking_of_a_letter_drops_out() -> None:
    rows = [Row(number, {"ask": f"Which is {number}?", "a": f"it is {number}", "b": "it is not", "right": 0}) for number in range(80)]
    columns = (Column("ask", "text"), Column("a", "text"), Column("b", "text"), Column("right", "integer"))
    task = Task("pick", "Choose the right one.", output=Output("option_text"))
    plan = Plan(
        name="pick",
        steps=(
            Options(into="choices", columns=("a", "b")),
            Pick(options="choices", into="answer", by="index", value="right"),
            Shuffle(options="choices"),
        ),
        emit=Emit(input="{{ ask }}\n{{ choices }}", output="{{ answer }}"),
    )

    def knows(text: str, choice: str) -> float:
        number = text.split("Which is ")[1].split("?")[0]
        return (2.0 if f"{choice}. it is {number}" in text else 0.0) + (6.0 if choice == "A" else 0.0)

    weigher = Weigher(knows)
    (verdict,) = verify([plan], columns, rows, task, weigher).verdicts
    assert verdict.state == "verified"
    assert {request.choices for request in weigher.asked} == {("A", "B")}
    (verdict,) = verify([plan], columns, rows, task, Weigher(lambda text, choice: 6.0 * (choice == "A"))).verdicts
    assert verdict.state == "unverified"
