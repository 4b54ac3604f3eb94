"""Models as witnesses made of a rule: how well they do the task is up to a test."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator

from engine.plan.steps import Emit, Map, Plan
from engine.records import Column, Output, Row, Task, TaskExample
from models.language import Completion, Request

MOODS = Task(
    "moods",
    "Say whether a guest was glad or angry.",
    output=Output("label", ("glad", "angry")),
    examples=(TaskExample("The soup was lovely.", "glad"), TaskExample("Never again.", "angry")),
)
COLUMNS = (Column("note", "text"), Column("mark", "integer"))


def moods(count: int) -> list[Row]:
    """Notes that say their mood, mark 1 for glad and 0 for angry."""
    drawn = random.Random(3)
    rows = []
    for number in range(count):
        glad = drawn.random() < 0.5
        rows.append(Row(number, {"note": f"Guest {number} {'smiled all evening' if glad else 'slammed the door'}.", "mark": int(glad)}))
    return rows


def marks(one: str, zero: str) -> Plan:
    """Mark 1 and mark 0 as these labels."""
    return Plan(
        name=f"1 is {one}",
        steps=(Map(value="mark", into="mood", table={"1": one, "0": zero}),),
        emit=Emit(input="{{ note }}", output="{{ mood }}"),
        reasons=(f"1 is {one}",),
    )


class Weigher:
    """Weighs by `likes(asked text, choice)`, in nats; keeps what it was asked. `seconds` each."""

    def __init__(self, likes: Callable[[str, str], float], seconds: float = 1.0) -> None:
        self.likes = likes
        self.seconds = seconds
        self.asked: list[Request] = []

    def __call__(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            self.asked.append(request)
            text = json.dumps([self.likes(request.messages[-1].content, choice) for choice in request.choices])
            yield Completion(request.key, text, "stop", 10, 2, self.seconds)


def knows_moods(text: str, choice: str) -> float:
    """Able, and far too fond of "angry"."""
    return (1.0 if ("smiled" in text) == (choice == "glad") else -1.0) + (5.0 if choice == "angry" else 0.0)


def guesses(text: str, choice: str) -> float:
    """Draws, the same each time."""
    return random.Random(f"{text} {choice}").gauss(0, 2)
