"""What the stages evaluate and compare hand on: a finetuned model against its base at its best, and arms of an experiment side by side."""

from __future__ import annotations

from engine.evaluate.evaluation import Evaluation
from engine.evaluate.intervals import Difference, Estimate
from engine.evaluate.scores import Figure
from engine.records import Value


class Agreement(Value):
    """How far llama.cpp and the place where it was trained agree on what the finetuned model says."""

    items: int
    """Of the test, answered greedily by both."""
    same: int
    """Answers that are the same to the letter."""
    tokens: int
    """Longest answer asked for."""


class Evaluated(Value):
    """What evaluate found; every answer is stored beside it as a unit, so that other models can be compared item by item."""

    evaluation: Evaluation
    """The finetuned model first, as trained; then the base in the way that was best for it off the test. One alone where only it was
    asked for."""
    finetuned: bool
    """Whether the first model is a finetuned one."""
    agreement: Agreement | None = None
    """With the adapter in PyTorch; None where it was not looked at."""


class Arm(Value):
    """One way to come to a model, with its figures over all seeds."""

    name: str
    what: str
    """In words, such as "300 transformed and 300 synthetic examples"."""
    examples: int
    """Trained on, in the first seed; 0 where nothing was."""
    steps: int
    """Of the training."""
    setting: str
    """How it was asked."""
    figures: tuple[Figure, ...]
    """The primary one first; seeds are drawn anew with clusters of items."""
    without_found: Estimate | None = None
    """The primary figure over the items that were found in no data, no demonstration and no plan; None where none was found."""
    leaked: int = 0
    """Examples that were left out since they held an item of the test."""
    first_validation_loss: float | None = None
    best_validation_loss: float | None = None
    """Of the first seed."""
    digest: str = ""
    """Of the model that was asked."""


class Contrast(Value):
    """One arm less another, on the same items."""

    arm: str
    other: str
    difference: Difference
    """In normalised points (0 chance, 100 all right) where `normalised`, else of the figure times 100."""
    normalised: bool
    share: Estimate | None = None
    """How much of the other's figure above chance the arm has; None where that is not clear of zero."""
    primary: bool = False
    """Fixed beforehand."""


class Compared(Value):
    """What an experiment found."""

    task: str
    test: str
    metric: str
    items: int
    clusters: int
    found: int
    """Items of the test that were found in some data, demonstration or plan, and left out there before anything was trained."""
    seeds: int
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]
    notes: tuple[str, ...] = ()
