"""The trainer protocol: examples in, an adapter folder out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec


class TrainingProgress(msgspec.Struct, frozen=True):
    """One report of a training run; `validation_loss` is None between evaluations."""

    step: int
    steps: int
    loss: float
    validation_loss: float | None = None
    tokens_per_second: float = 0.0


class Trainer(Protocol):
    """Finetunes a base model on prompt and completion files."""

    def train(self, train: Path, validation: Path, out: Path) -> Iterator[TrainingProgress]:
        """Read JSONL of {prompt, completion}, write an adapter under `out`, report on the way; resumes from `out`."""
        ...
