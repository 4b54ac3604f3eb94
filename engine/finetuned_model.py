"""A finetuned model as it is used: the base's GGUF file with the adapter as a LoRA file, both in llama.cpp."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.errors import BadInput, Unavailable
from engine.locations import Locations
from engine.prompts.evaluate import chat_messages
from engine.records import Finetuned, Task
from engine.roles import Roles, translated
from engine.store.database import Connection
from engine.store.steps import steps_of_run
from models.language import Request, Sampling

ADAPTER = "adapter.gguf"
TRIED_TOKENS = 16
"""Of the answer to a trial, at most."""


def finetuned_of(connection: Connection, run: str, arm: str = "") -> Finetuned | None:
    """What a run trained, of a comparison's several this arm's; None where it trained nothing, or is not done with it.

    Raises BadInput where there are several and none, or another, is named.
    """
    done = {step.candidate: step.record for step in steps_of_run(connection, run) if step.stage == "finetune" and step.record}
    if arm not in done and (arm or len(done) > 1):
        title = f"run {run} trained {f'no arm {arm!r}' if arm else 'several models'}"
        named = ", ".join(f"“{run}:{name}”" for name in done if name)
        raise BadInput(title, f"name one: {named}" if named else f"it is named by its id alone, if it trained one: {run}")
    record = done.get(arm) or next(iter(done.values()), "")
    return msgspec.json.decode(record, type=Finetuned) if record else None


def adapter_folder(finetuned: Finetuned, locations: Locations) -> Path:
    """The adapter as finetune left it. Raises Unavailable where it is gone."""
    folder = locations.adapters / finetuned.adapter
    if not finetuned.base.digest:
        raise Unavailable("a dry run trained nothing that could be used", "train a model: datatune run TASK --finetune smollm2")
    if not (folder / "adapter_model.safetensors").is_file():
        raise Unavailable(f"the adapter is gone: {folder}", "finetune again: its examples are still stored")
    return folder


def base_of(finetuned: Finetuned, roles: Roles) -> Path:
    """The GGUF file or safetensors folder the adapter belongs to. Raises BadInput where another stands in its place, or Unavailable."""
    path = roles.base_path()
    if path is None or roles.base().digest != finetuned.base.digest:
        title = f"{path or roles.spec('base')} is not the model that was trained, {finetuned.base.name}"
        raise BadInput(title, "name that one: --model base=MODEL.gguf")
    return path


def base_file(finetuned: Finetuned, roles: Roles) -> Path:
    """The GGUF file the adapter belongs to. Raises BadInput where another stands in its place, or the base is no GGUF file."""
    path = base_of(finetuned, roles)
    if path.is_dir():
        raise BadInput(f"{finetuned.base.name} is no GGUF file, so llama.cpp cannot run it", "finetune a GGUF file: --finetune MODEL.gguf")
    return path


def trial(task: Task, text: str) -> Request:
    """What a file is asked before it counts as made: one input of the task."""
    return Request("trial", chat_messages(task, (), text, bare=True), sampling=Sampling(max_tokens=TRIED_TOKENS))


def adapter_file(finetuned: Finetuned, roles: Roles, locations: Locations, question: Request) -> Path:
    """The adapter as a LoRA file beside the trained one; made, loaded and asked `question` when it is not there yet."""
    from models.gguf.export import adapter_gguf

    folder = adapter_folder(finetuned, locations)
    out = folder / ADAPTER
    base = base_file(finetuned, roles)
    if not out.is_file():
        with translated(f"adapter of {finetuned.base.name}"):
            adapter_gguf(folder, base, out, question)
    return out


def spec_of(finetuned: Finetuned, roles: Roles, locations: Locations, question: Request) -> str:
    """The spec of the base with the adapter, for `--model` and for opening it."""
    from models.llama_cpp.options import adapter_setting

    base = roles.spec("base")
    if not finetuned.base.digest:
        return f"{base}#{adapter_setting(Path(finetuned.adapter))}"
    adapter = adapter_file(finetuned, roles, locations, question)
    return f"{base}{',' if '#' in base else '#'}{adapter_setting(adapter)}"
