"""The curve of a training: what finetune keeps of every step, and reads back for screens, commands and reports."""

from __future__ import annotations

import msgspec

from engine.records import Value
from engine.store.database import Connection
from engine.store.items import items_in_order
from models.training import TrainingProgress

MOST_POINTS = 400


class Point(Value):
    """One training step, or one measurement of the validation loss."""

    step: int
    epoch: float
    loss: float | None = None
    """Of the completions of this step, nats a token; None for a measurement."""
    validation_loss: float | None = None
    learning_rate: float = 0.0
    tokens_per_second: float = 0.0
    memory: int = 0
    """Bytes of main memory the process held."""
    gpu_memory: int = 0


def point_of(progress: TrainingProgress) -> Point:
    """What is kept of a report."""
    measured = progress.validation_loss is not None
    return Point(
        progress.step,
        round(progress.epoch, 4),
        None if measured else progress.loss,
        progress.validation_loss,
        progress.learning_rate,
        round(progress.tokens_per_second, 1),
        progress.memory,
        progress.gpu_memory,
    )


def key_of(point: Point) -> tuple[int, str]:
    """Its place and name among the units of its step."""
    measured = point.validation_loss is not None
    return 2 * point.step + measured, f"{'validation' if measured else 'step'} {point.step}"


def curve_of(connection: Connection, step: str, at_most: int = MOST_POINTS) -> tuple[Point, ...]:
    """The points of a finetune step in order: every measurement, and of the steps at most so many, evenly, with the last."""
    points = [msgspec.json.decode(item.result, type=Point) for item in items_in_order(connection, step, "accepted")]
    steps = [point for point in points if point.loss is not None]
    every = -(-len(steps) // max(1, at_most))
    drawn = {id(point) for point in [*steps[:: max(1, every)], *steps[-1:]]}
    return tuple(point for point in points if point.loss is None or id(point) in drawn)
