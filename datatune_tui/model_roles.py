"""Which model does what in new runs, and where that comes from: the settings, or what DataTune does without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.config import ROLES
from engine.roles import DEFAULT_EMBEDDER, DEFAULT_LANGUAGE_MODEL

DOES = {
    "default": "whatever has no model of its own",
    "expand": "words the task more fully",
    "rerank": "votes among the data sets",
    "plan": "finds plans and checks them",
    "execute": "writes and judges, row by row",
    "retry": "tries again what failed in execute",
    "generate": "writes synthetic examples",
    "judge": "judges examples",
    "base": "the model that is finetuned",
    "embed": "searches by meaning; an embedder, not a GGUF file",
}
"""By role."""


class Serves(NamedTuple):
    """The model that has a role."""

    role: str
    spec: str
    origin: str
    """Where that is said."""


def served(models: Mapping[str, str]) -> list[Serves]:
    """Every role with its model in new runs, given what the settings say; task files and --model come before both."""
    default = models.get("default", DEFAULT_LANGUAGE_MODEL)
    usual = {"default": (DEFAULT_LANGUAGE_MODEL, "came with DataTune"), "embed": (DEFAULT_EMBEDDER, "came with DataTune")}
    return [
        Serves(role, models[role], "settings") if role in models else Serves(role, *usual.get(role, (default, "as default")))
        for role in ROLES
    ]
