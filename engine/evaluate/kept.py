"""Answers of an evaluation as they are stored beside its record, and the test they answer, read in the same way again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from engine.errors import BadInput, StageFailed
from engine.evaluate.asking import Answer
from engine.evaluate.evaluation import Draws
from engine.evaluate.items import Test, read_test
from engine.records import Task, Value
from engine.stage import Context, Outcome

MOST_DRAWS = 100


class AnswerUnit(Value):
    """What is stored of one answer."""

    model: int
    """0 is the first model evaluated."""
    draw: int
    item: str
    """Key of the item."""
    answer: Answer


def test_of(task: Task, items: int, shuffle: bool, seed: int) -> Test:
    """The task's own test: at most so many items of it by seed, all for 0, their options in an order by seed. Raises BadInput."""
    if not task.test:
        raise BadInput("the task has no test", "give one: test = … in the task file, with input and output in each row")
    test = read_test(Path(task.test), task, shuffle=shuffle, seed=seed)
    return test.drawn(items, seed)[0] if items else test


def keep_answers(model: int, test: Test, draws: Draws, ctx: Context) -> None:
    """Store a model's answers as units of the running step."""
    count = len(test.items)
    for draw, answers in enumerate(draws):
        for number, (item, answer) in enumerate(zip(test.items, answers, strict=True)):
            unit = AnswerUnit(model, draw, item.key, answer)
            seq = (model * MOST_DRAWS + draw) * count + number
            ctx.keep(seq, f"{model} {draw} {item.key}", Outcome("accepted", result=msgspec.json.encode(unit).decode()))


def read_answers(units: Iterable[str], test: Test, model: int = 0) -> Draws:
    """A model's answers to a test from what was stored of them, draw after draw. Raises StageFailed where some are missing."""
    places = {item.key: place for place, item in enumerate(test.items)}
    draws: dict[int, dict[int, Answer]] = {}
    for text in units:
        unit = msgspec.json.decode(text, type=AnswerUnit)
        if unit.model == model:
            draws.setdefault(unit.draw, {})[places.get(unit.item, -1)] = unit.answer
    if not draws or any(set(found) != set(range(len(test.items))) for found in draws.values()):
        raise StageFailed("answers of an evaluation are missing", "run its step again: datatune resume RUN")
    return [[found[place] for place in range(len(test.items))] for _, found in sorted(draws.items())]
