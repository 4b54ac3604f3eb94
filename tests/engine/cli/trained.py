"""A finished run with a tiny model and an adapter for it, as finetune leaves them: real files that llama.cpp loads in milliseconds."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.records import Base, Finetuned
from engine.store import runs, steps
from engine.store.lease import this_process
from models.weights import digest
from tests.engine.stages.house import House
from tests.models.gguf.tiny import tiny_model, written_adapter

STEP = "f" * 64


def train(house: House, run: str) -> Path:
    """Give a run a model that it trained; returns its base."""
    base = tiny_model(house.folder / "tiny.gguf")
    written_adapter_in = house.locations.adapters / STEP[:24]
    written_adapter_in.mkdir(parents=True)
    written_adapter(written_adapter_in / "adapter")
    record = Finetuned(Base(base.name, digest(base)), f"{STEP[:24]}/adapter", 20, 2, 0, 3, 3, 0.5, 1.5, 1.0, "cpu", "fp32")
    connection = house.connection
    steps.claim_step(connection, STEP, "finetune", "", 1, "{}", 0, this_process())
    steps.link_step(connection, run, STEP, "finetune", "", reused=False)
    steps.finish_step(connection, STEP, "done", "", msgspec.json.encode(record).decode(), 1.0)
    found = runs.read_run(connection, run)
    assert found is not None
    models = {"base": f"{base}#sequences=1"}
    runs.change_settings(connection, run, msgspec.structs.replace(found.settings, models=models))
    return base
