"""Examples for the tests of measures."""

from __future__ import annotations

import random

from engine.records import Example, Source, TaskExample

WORDS = [f"{first}{second}{third}" for first in "bdfgklmnprst" for second in "aeiou" for third in ("ra", "nek", "lim", "sto", "ve")]


def pair(text: str, output: str = "x") -> TaskExample:
    return TaskExample(text, output)


def example(text: str, output: str = "x", dataset: str = "one", row: int = 0, licence: str = "") -> Example:
    return Example(text, output, "copied", Source(dataset, "default", "train", row, licence=licence), "plan")


def sentences(count: int, words: int = 14, seed: int = 0) -> list[str]:
    """So many different texts of made-up words."""
    chosen = random.Random(seed)
    return [" ".join(chosen.choices(WORDS, k=words)) for _ in range(count)]
