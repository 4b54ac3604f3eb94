"""The model a run has trained, as its steps say: what of it an export needs."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.evaluate.evaluated import Evaluated
from engine.records import Finetuned, Value
from engine.stages import stage
from engine.store import steps
from engine.store.database import Connection


class Trained(Value):
    """A finetuned model and what is known of it."""

    finetuned: Finetuned
    settings: dict[str, Any]
    """Every option of the training, by name."""
    evaluated: Evaluated | None = None


def trained_of(connection: Connection, run: str) -> Trained | None:
    """What the run's finetune step trained, and what evaluate found of it; None where nothing was trained, as in a dry run."""
    taken = {step.stage: step for step in steps.steps_of_run(connection, run) if step.record}
    if "finetune" not in taken:
        return None
    finetuned = msgspec.json.decode(taken["finetune"].record, type=Finetuned)
    if not finetuned.base.digest:
        return None
    options = msgspec.json.decode(taken["finetune"].options, type=stage("finetune").options)
    settings = {name: getattr(options, name) for name in options.__struct_fields__ if name != "train"}
    evaluated = msgspec.json.decode(taken["evaluate"].record, type=Evaluated) if "evaluate" in taken else None
    return Trained(finetuned, settings, evaluated)
