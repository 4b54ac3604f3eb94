"""What people say of single examples: kept or left out, changed, noted. An export follows it; the step that made them is left as it is."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from engine.records import Value

Verdict = Literal["", "accepted", "rejected"]


class Review(Value):
    """What was said of one example."""

    key: str
    verdict: Verdict = ""
    note: str = ""
    output: str | None = None
    """In place of the one it was made with; None leaves that."""


def put_reviews(connection: sqlite3.Connection, step: str, reviews: Iterable[Review]) -> None:
    """Store reviews of a step's examples; each takes the place of the one before, one that says nothing removes it."""
    for review in reviews:
        connection.execute("DELETE FROM reviews WHERE step = ? AND key = ?", (step, review.key))
        if review != Review(key=review.key):
            connection.execute(
                "INSERT INTO reviews (step, key, verdict, note, output, at) VALUES (?, ?, ?, ?, ?, ?)",
                (step, review.key, review.verdict, review.note, review.output, time.time()),
            )


def reviews_digest(connection: sqlite3.Connection, steps: Sequence[str]) -> str:
    """SHA-256 over what reviews of these steps leave out or change, in hexadecimal; "" where they do neither."""
    said = [
        (place, review.key, review.verdict == "rejected", review.output)
        for place, step in enumerate(steps)
        for review in sorted(reviews_of(connection, step).values(), key=lambda review: review.key)
        if review.verdict == "rejected" or review.output is not None
    ]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest() if said else ""


def reviews_of(connection: sqlite3.Connection, step: str) -> dict[str, Review]:
    """All reviews of a step's examples, by key."""
    rows = connection.execute("SELECT key, verdict, note, output FROM reviews WHERE step = ?", (step,))
    return {row["key"]: Review(row["key"], row["verdict"], row["note"], row["output"]) for row in rows}
