"""What makes a step or a model call the same as an earlier one."""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import Any

import msgspec

from engine.records import Task
from models.language import Identity, Request


def digest(value: Any) -> str:
    """SHA-256 of a value's JSON with sorted keys, in hexadecimal."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def step_fingerprint(stage: str, version: int, given: Any, options: Any, seed: int, models: dict[str, Identity]) -> str:
    """Name of a step: two steps with the same name would do the same. Where the user's test lies has no say in it; its content has, by
    digest, in what is given to the stages that read it."""
    task = getattr(given, "task", None)
    if isinstance(task, Task) and task.test:
        given = msgspec.structs.replace(given, task=msgspec.structs.replace(task, test=PurePath(task.test).name))
    return digest(["step", stage, version, given, options, seed, {role: [m.digest, m.runtime] for role, m in models.items()}])


def call_hash(prompt: str, request: Request, model: Identity) -> str:
    """Name of a model call: prompt as rendered, schema, sampling with its seed (a vote's number is its seed), weights, runtime."""
    choices = [request.choices] if request.choices else []
    # A chat's markup written out as a text is read as other tokens than the chat.
    plain = ["text"] if any(message.role == "text" for message in request.messages) else []
    return digest(["call", prompt, request.schema, request.sampling, *choices, *plain, model.digest, model.runtime])
