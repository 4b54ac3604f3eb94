"""Small tests and models whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.evaluate.asking import Answer
from engine.evaluate.items import Item, Test
from engine.records import Output, Task, TaskExample
from engine.store.database import open_writer
from engine.stored_answers import StoredAnswers
from models.language import Request
from models.scripted import ScriptedModel

WEATHER = Task(
    "weather",
    "Say what weather a note speaks of.",
    output=Output("label", ("sun", "rain", "snow")),
    examples=(
        TaskExample("We ate ice cream.", "sun"),
        TaskExample("Wet shoes everywhere.", "rain"),
        TaskExample("We built a snowman.", "snow"),
    ),
    metric="accuracy",
)
TITLE = Task("title", "Give a title.", examples=(TaskExample("A dog ran off.", "Lost dog"), TaskExample("A cat came home.", "Found cat")))


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """A file of JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def bigbench(folder: Path, examples: Sequence[dict[str, Any]], **fields: Any) -> Path:
    """A task.json in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    head = {"canary": "CANARY-SIGN", "name": folder.name, "description": "Choose the right one."}
    (folder / "task.json").write_text(json.dumps({**head, **fields, "examples": list(examples)}), encoding="utf-8")
    return folder


def answers_of(folder: Path, answer: Callable[[str, Request], str | None]) -> StoredAnswers:
    """A model that answers as told, over a database in the folder."""
    return StoredAnswers(ScriptedModel(answer=answer), "base", open_writer(folder / "calls.db"))


def closed_test(rights: Sequence[int], options: Sequence[str] = ("yes", "no"), clusters: Sequence[str] = ()) -> Test:
    """Items whose right options stand in these places."""
    items = []
    for number, right in enumerate(rights):
        credits = tuple(float(place == right) for place in range(len(options)))
        cluster = clusters[number] if clusters else f"{number}"
        items.append(Item(f"{number}", f"question {number}", tuple(options), credits, (options[right],), cluster))
    return Test("made", tuple(items), "accuracy")


def likes(place: int, count: int = 2) -> Answer:
    """An answer that takes the option in this place."""
    return Answer(tuple(-1.0 if one == place else -5.0 for one in range(count)), (1,) * count)
