from __future__ import annotations

from pathlib import Path

from engine.store.database import open_writer
from engine.stored_answers import StoredAnswers
from models.language import Message, Request
from models.scripted import scripted


def request(key: str, text: str) -> Request:
    return Request(key, (Message("user", text),), choices=("yes", "no"))


def test_an_answer_is_asked_for_once_whoever_asks(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "d.db")
    first = StoredAnswers(scripted([("", "yes")]), "judge", connection)
    told: list[int] = []
    first.tell = told.append
    answers = {one.key: one.text for one in first.complete([request("a", "one"), request("b", "two"), request("c", "one")])}
    assert answers == dict.fromkeys("abc", "[-0.05, -10.0]") and first.fresh == 2 and told == [1, 2, 3]
    again = StoredAnswers(scripted([("", "yes")]), "base", connection)
    found = {one.key: one.text for one in again.complete([request("x", "two"), request("y", "one"), request("z", "new")])}
    assert set(found) == {"x", "y", "z"} and again.fresh == 1 and again.done == 3


def test_an_error_is_handed_on_and_not_kept(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "d.db")
    answers = StoredAnswers(scripted([("", "neither")]), "judge", connection)
    for _ in range(2):
        (completion,) = answers.complete([request("a", "one")])
        assert completion.finish == "error"
    assert answers.fresh == 2


def test_time_is_told_from_what_calls_took_here(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "d.db")
    answers = StoredAnswers(scripted([("", "yes")], delay=0.002), "judge", connection)
    assert answers.expected_seconds(10, 100, 20, 0) is None
    list(answers.complete(request(f"{number}", f"note {number}") for number in range(3)))
    assert 0 < (answers.expected_seconds(1000, 6000, 4000, 0) or 0) < 20
