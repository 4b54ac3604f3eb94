"""Every item that the models of an evaluate step did not answer right, read from the answers stored beside its record and the test."""

from __future__ import annotations

import msgspec

from engine.errors import BadInput, StageFailed
from engine.evaluate.evaluated import Evaluated
from engine.evaluate.evaluation import Wrong, wrong_answers
from engine.evaluate.kept import read_answers, test_of
from engine.records import Task, Value
from engine.store.database import Connection
from engine.store.items import items_in_order
from engine.store.steps import Step

SHOWN = 20_000
"""Characters of one text."""


class Missed(Value):
    """Wrong answers, model by model."""

    by_model: tuple[tuple[Wrong, ...], ...]
    partly: str = ""
    """Why these are only those that the record itself holds; "" for all."""


def missed_of(connection: Connection, step: Step, task: Task, seed: int) -> Missed:
    """All of them where the test is still the one that was asked, else the few in the record. The step must be done."""
    from engine.stages.evaluate import Options

    evaluated = msgspec.json.decode(step.record, type=Evaluated)
    recorded = Missed(tuple(one.results[0].wrong for one in evaluated.evaluation.models))
    try:
        options = msgspec.json.decode(step.options, type=Options)
        test = test_of(task, options.items, options.shuffle, seed)
        units = [item.result for item in items_in_order(connection, step.fingerprint, "accepted")]
        models = range(len(evaluated.evaluation.models))
        found = [wrong_answers(test, read_answers(units, test, model)[0], options.by, SHOWN) for model in models]
    except (BadInput, StageFailed, msgspec.ValidationError) as error:
        return msgspec.structs.replace(recorded, partly=getattr(error, "title", str(error)))
    if any(not _same(few, many) for few, many in zip(recorded.by_model, found, strict=True)):
        return msgspec.structs.replace(recorded, partly="the test is not the one that was asked any more")
    return Missed(tuple(map(tuple, found)))


def _same(recorded: tuple[Wrong, ...], found: list[Wrong]) -> bool:
    """Whether those that were recorded are among those that are found now, in the same words."""
    return len(found) >= len(recorded) and all(
        (few.item, few.taken) == (many.item, many.taken[: len(few.taken)]) and many.input.startswith(few.input)
        for few, many in zip(recorded, found, strict=False)
    )
