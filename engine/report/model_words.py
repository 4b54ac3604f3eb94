"""What a report says of models in words, tables and drawings: trainings, evaluations, and an experiment's arms."""

from __future__ import annotations

from collections.abc import Sequence

from engine import compared_table as of_arms
from engine import evaluated_table as of_models
from engine.curve import Point
from engine.evaluate.evaluated import Compared
from engine.records import Value
from engine.report.model_charts import BarsDrawn, LossDrawn, bars_drawn, losses_drawn
from engine.report.trained import Asked, Trained, Training

_WRONG = 10
"""Wrong answers of each model that are shown."""


class TableShown(Value):
    """A table."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class TrainingTold(Value):
    """How one training went."""

    title: str
    """The arm; "" where there is one training alone."""
    sentences: tuple[str, ...]
    losses: LossDrawn | None
    measured: TableShown


class EvaluationTold(Value):
    """How well models do the task."""

    title: str
    sentences: tuple[str, ...]
    bars: BarsDrawn
    difference: tuple[str, ...]
    figures: TableShown
    labels: TableShown
    tried: TableShown
    wrong: TableShown
    notes: tuple[str, ...]


class ComparisonTold(Value):
    """Arms side by side."""

    headline: str
    caveats: tuple[str, ...]
    arms: BarsDrawn
    contrasts: BarsDrawn
    contrast_table: TableShown
    arm_table: TableShown
    figures: TableShown
    notes: tuple[str, ...]


class ModelsTold(Value):
    """All of a run."""

    trainings: tuple[TrainingTold, ...]
    evaluations: tuple[EvaluationTold, ...]
    comparison: ComparisonTold | None


def models_told(trained: Trained) -> ModelsTold:
    """In the order they were done."""
    return ModelsTold(
        tuple(_training(one) for one in trained.trainings),
        tuple(_evaluation(one) for one in trained.asked),
        _comparison(trained.compared) if trained.compared else None,
    )


def _training(one: Training) -> TrainingTold:
    told = []
    if made := one.made:
        told.append(
            f"{made.base.name} on {made.examples:,} examples, {made.steps:,} steps, {made.precision} on the {made.device.upper()}; "
            f"the adapter is from step {made.best_step:,}."
        )
        if made.first_validation_loss is not None and made.best_validation_loss is not None:
            told.append(
                f"Validation loss {made.first_validation_loss:.3f} before, {made.best_validation_loss:.3f} at its best, nats a token, "
                f"n {made.validation:,}."
            )
        if made.left_out:
            told.append(f"{made.left_out:,} examples were too long and left out.")
    else:
        told.append(f"The training is {one.state}.")
    return TrainingTold(one.arm, tuple(told), losses_drawn(one.points), _measured(one.points))


def _measured(points: Sequence[Point]) -> TableShown:
    """Every measurement of the validation loss, with the training loss of the step before it."""
    rows: list[tuple[str, ...]] = []
    last = ""
    for point in points:
        if point.loss is not None:
            last = f"{point.loss:.3f}"
        elif point.validation_loss is not None:
            rows.append((f"{point.step:,}", f"{point.epoch:.2f}", last or "-", f"{point.validation_loss:.3f}"))
    return TableShown(("Step", "Epoch", "Training loss", "Validation loss"), tuple(rows))


def _evaluation(one: Asked) -> EvaluationTold:
    found = one.evaluated
    models = list(zip(of_models.model_names(found), found.evaluation.models, strict=True))
    asked = [f"{name}: {model.model}, asked {model.choice.setting}" for name, model in models]
    notes = [f"{name}: {note}" for name, model in models for note in (model.choice.why, *model.notes)]
    notes += filter(None, (of_models.agreement_words(found),))
    wrong = [model.results[0].wrong[:_WRONG] for _, model in models]
    return EvaluationTold(
        one.arm,
        (*asked, of_models.headline(found), *of_models.caveats(found)),
        bars_drawn(of_models.model_bars(found)),
        tuple(filter(None, (of_models.difference_words(found), of_models.share_words(found)))),
        _shown(of_models.figure_table(found)),
        _shown(of_models.label_table(found)),
        _shown(of_models.tried_table(found)),
        _shown((("model", "item", "input", "right", "taken", "written"), of_models.wrong_rows(found, wrong))),
        (*notes, *of_arms.other_notes(found.evaluation.notes)),
    )


def _comparison(found: Compared) -> ComparisonTold:
    return ComparisonTold(
        of_arms.headline(found),
        tuple(of_arms.caveats(found)),
        bars_drawn(of_arms.arm_bars(found)),
        bars_drawn(of_arms.contrast_bars(found)),
        _shown(of_arms.contrast_table(found)),
        _shown(of_arms.arm_table(found)),
        _shown(of_arms.figure_table(found)),
        (*of_arms.contrast_sentences(found), *of_arms.arm_sentences(found), *of_arms.other_notes(found.notes)),
    )


def _shown(found: of_arms.Table) -> TableShown:
    heads, rows = found
    return TableShown(tuple(f"{head[:1].upper()}{head[1:]}" for head in heads), tuple(rows))
