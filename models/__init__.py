"""What can run on this machine: language models, embedders, trainers. Knows no data set and no screen.

This is the table of contents; a name's module is imported when the name is first used, so listing costs nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# How long OpenMP threads spin before they sleep when they wait for each other, some hundred times in a token. Measured on two
# cores with a model of 135M parameters: never (passive) a token takes 48 ms, a thousand turns 11 ms, three hundred thousand
# (libgomp's own choice) 13 ms; with another program on one of the cores 27, 37 and, in batches, twice as long as the others, in bad
# cases ten times. Read once, when the first library with OpenMP is loaded, be it llama.cpp's or torch's: hence set here.
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="1000")

if TYPE_CHECKING:
    from models.embedding import Embedder
    from models.errors import (
        MemoryShort,
        ModelError,
        RequestInvalid,
        RuntimeUnavailable,
        ServerUnavailable,
        WeightsInvalid,
        WeightsMissing,
    )
    from models.language import Completion, Identity, LanguageModel, Message, Request, Sampling
    from models.rate import Rate, measure_rate
    from models.registry import Spec, open_embedder, open_language_model, open_trainer, resolve
    from models.training import Trainer, TrainingEstimate, TrainingExample, TrainingOptions, TrainingProgress, TrainingResult
    from models.weights import FoundWeights, Weights, describe, digest, find_weights

_HOMES = {
    "embedding": ("Embedder",),
    "errors": (
        "MemoryShort",
        "ModelError",
        "RequestInvalid",
        "RuntimeUnavailable",
        "ServerUnavailable",
        "WeightsInvalid",
        "WeightsMissing",
    ),
    "language": ("Completion", "Identity", "LanguageModel", "Message", "Request", "Sampling"),
    "rate": ("Rate", "measure_rate"),
    "registry": ("Spec", "open_embedder", "open_language_model", "open_trainer", "resolve"),
    "training": ("Trainer", "TrainingEstimate", "TrainingExample", "TrainingOptions", "TrainingProgress", "TrainingResult"),
    "weights": ("FoundWeights", "Weights", "describe", "digest", "find_weights"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Embedder",
    "MemoryShort",
    "ModelError",
    "RequestInvalid",
    "RuntimeUnavailable",
    "ServerUnavailable",
    "WeightsInvalid",
    "WeightsMissing",
    "Completion",
    "Identity",
    "LanguageModel",
    "Message",
    "Request",
    "Sampling",
    "Rate",
    "measure_rate",
    "Spec",
    "open_embedder",
    "open_language_model",
    "open_trainer",
    "resolve",
    "Trainer",
    "TrainingEstimate",
    "TrainingExample",
    "TrainingOptions",
    "TrainingProgress",
    "TrainingResult",
    "FoundWeights",
    "Weights",
    "describe",
    "digest",
    "find_weights",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"models has no {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"models.{_HOME[name]}"), name)
    globals()[name] = value
    return value
