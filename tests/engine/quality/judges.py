"""Judges made of a rule, over the scripted model; how well they do the task is up to a test."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator

from engine.records import Output, Task, TaskExample
from models.language import Completion, Request
from models.scripted import ScriptedModel
from tests.engine.quality.pairs import pair

MOODS = Task(
    "moods",
    "Say whether a guest was glad, calm or angry.",
    output=Output("label", ("glad", "calm", "angry")),
    examples=(TaskExample("The soup was lovely.", "glad"), TaskExample("Never again.", "angry")),
)
SIGNS = {"glad": "smiled all evening", "calm": "read a book", "angry": "slammed the door"}
SUMS = Task("sums", "Add two numbers.", examples=(TaskExample("1 and 1", "2"),))

Answer = Callable[[str, Request], str | None]


def moods(count: int, wrong: int = 0, seed: int = 0) -> list[TaskExample]:
    """Notes that say their mood; the first `wrong` have another as output."""
    drawn = random.Random(seed)
    made = []
    for number in range(count):
        mood = drawn.choice([*SIGNS])
        said = drawn.choice([one for one in SIGNS if one != mood]) if number < wrong else mood
        made.append(pair(f"Guest {seed}-{number} {SIGNS[mood]}.", said))
    return made


def sums(count: int, wrong: int = 0, seed: int = 0) -> list[TaskExample]:
    """Sums; the first `wrong` have another one's result as output."""
    drawn = random.Random(seed)
    pairs = [(drawn.randrange(100, 400), drawn.randrange(100, 400)) for _ in range(count)]
    return [pair(f"{one} and {other}", f"{one + other + (137 if place < wrong else 0)}") for place, (one, other) in enumerate(pairs)]


class Judge:
    """Answers as `answer` says and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.model = ScriptedModel(answer=answer)
        self.asked: list[Request] = []

    def __call__(self, requests: Iterable[Request]) -> Iterator[Completion]:
        def noted() -> Iterator[Request]:
            for request in requests:
                self.asked.append(request)
                yield request

        return self.model.complete_many(noted())

    @property
    def prompts(self) -> list[str]:
        """What it was asked last in each request."""
        return [request.messages[-1].content for request in self.asked]


def weighing(likes: Callable[[str, str], float]) -> Judge:
    """A judge that weighs by `likes(asked text, choice)`, in nats."""
    return Judge(lambda prompt, request: json.dumps([likes(request.messages[-1].content, choice) for choice in request.choices]))


def knows_moods(text: str, choice: str) -> float:
    """Able, and far too fond of "angry"."""
    return (1.0 if SIGNS[choice] in text else -1.0) + (5.0 if choice == "angry" else 0.0)


def adds(prompt: str, request: Request) -> str | None:
    """Adds rightly, and says yes to right sums alone."""
    text = request.messages[-1].content
    asked = text.rpartition("Input:")[2] or text
    one, other = [int(word) for word in asked.split() if word.isdigit()][:2]
    if not request.choices:
        return str(one + other)
    output = text.rpartition("Output:")[2]
    return "yes" if str(one + other) in output else "no"
