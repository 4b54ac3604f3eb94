"""What a report says of models: how they were trained, how well they do the task, and arms of an experiment side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from engine.curve import Point, curve_of
from engine.evaluate.evaluated import Compared, Evaluated
from engine.records import Finetuned, Value

if TYPE_CHECKING:
    from engine.store.database import Connection
    from engine.store.steps import Step

R = TypeVar("R", bound=Value)


class Training(Value):
    """One finetune step."""

    arm: str
    """Of an experiment, with its seed; "" outside of one."""
    state: str
    made: Finetuned | None
    """None while it is not done."""
    points: tuple[Point, ...]


class Asked(Value):
    """One evaluate step that is done."""

    arm: str
    evaluated: Evaluated


class Trained(Value):
    """All of a run."""

    trainings: tuple[Training, ...] = ()
    asked: tuple[Asked, ...] = ()
    compared: Compared | None = None


def read_trained(connection: Connection, taken: Sequence[Step]) -> Trained:
    """From the steps a run took; those that other versions of this program wrote are passed over."""
    trainings, asked = [], []
    compared: Compared | None = None
    for step in taken:
        if step.stage == "finetune":
            trainings.append(Training(step.candidate, step.state, _record(step, Finetuned), curve_of(connection, step.fingerprint)))
        elif step.stage == "evaluate" and (evaluated := _record(step, Evaluated)):
            asked.append(Asked(step.candidate, evaluated))
        elif step.stage == "compare":
            compared = _record(step, Compared)
    return Trained(tuple(trainings), tuple(asked), compared)


def _record(step: Step, kind: type[R]) -> R | None:
    try:
        return msgspec.json.decode(step.record, type=kind) if step.record else None
    except msgspec.ValidationError:
        return None
