"""Finetune: a LoRA adapter for the base model, trained on the mix; its loss step by step, and the best by validation loss is kept.

Source of the defaults: arXiv 2404.14361, with QLoRA (Dettmers et al. 2023). A training that was stopped or killed goes on from its last
checkpoint. Prompts are those with which exports and `datatune evaluate --style export` ask: the task's description, then the input.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.call_time import duration
from engine.curve import key_of, point_of
from engine.errors import BadInput, EngineError, StageFailed, Unavailable
from engine.export.facts import mixed_examples
from engine.mix.offered import AnyPart
from engine.prompts.evaluate import chat_messages
from engine.records import Base, Finetuned, Mixed, Part, SyntheticPart, Task, Value
from engine.roles import translated
from engine.stage import Context, Outcome, Stage
from models.training import TrainingEstimate, TrainingExample, TrainingOptions, TrainingProgress


class Given(Value):
    """What it starts from."""

    task: Task
    parts: tuple[Part, ...]
    mix: str
    """Fingerprint of the mix step."""
    mixed: Mixed
    base: Base
    synthetic: tuple[SyntheticPart, ...] = ()
    control: Literal["", "shuffled", "own"] = ""
    """Of a comparison: "shuffled" gives every input the output of another example, so that only their form can be learned; "own" takes
    the task's own examples in place of a mix."""

    @property
    def all_parts(self) -> tuple[AnyPart, ...]:
        """In the order of the examples."""
        return (*self.parts, *self.synthetic)


class Options(Value):
    """Settings of finetune."""

    train: Annotated[bool, Meta(description="Train a model on the mix; off ends with the examples.")] = False
    rank: Annotated[int, Meta(description="Rank of the adapter's matrices.", ge=1, le=1024)] = 8
    alpha: Annotated[int, Meta(description="The adapter counts alpha/rank times.", ge=1, le=4096)] = 16
    dropout: Annotated[float, Meta(description="Share of the adapter's inputs left out at random while training.", ge=0.0, le=0.9)] = 0.05
    learning_rate: Annotated[float, Meta(description="Highest learning rate; it falls to 0 in a straight line.", ge=1e-9, le=1.0)] = 5e-5
    epochs: Annotated[int, Meta(description="How often every example is seen.", ge=1, le=1000)] = 3
    steps: Annotated[int, Meta(description="End after so many steps; 0 for all epochs.", ge=0, le=10_000_000)] = 0
    batch: Annotated[int, Meta(description="Examples worked on at once; memory grows with it.", ge=1, le=4096)] = 8
    accumulation: Annotated[int, Meta(description="Batches whose gradients make one step.", ge=1, le=4096)] = 1
    max_length: Annotated[
        int, Meta(description="Tokens of prompt and completion together; longer examples are left out, never cut.", ge=8, le=1_000_000)
    ] = 1024
    warm_up: Annotated[float, Meta(description="Share of the steps in which the learning rate rises.", ge=0.0, le=0.9)] = 0.03
    evaluations: Annotated[int, Meta(description="Measurements of the validation loss in an epoch.", ge=1, le=1000)] = 2
    checkpoints: Annotated[
        int, Meta(description="Checkpoints in an epoch: a kill loses at most the work since the last.", ge=1, le=1000)
    ] = 4
    precision: Annotated[
        Literal["auto", "nf4", "bf16", "fp16", "fp32"],
        Meta(description="Numbers the base model is held in; auto: nf4 (4 bits), or bf16 on a CPU that multiplies those."),
    ] = "auto"
    device: Annotated[Literal["auto", "cpu", "cuda"], Meta(description="Where to train; auto: the GPU where there is one.")] = "auto"
    processes: Annotated[
        int, Meta(description="Processes that share each batch, one a GPU; 0: as many as there are GPUs, one on a CPU.", ge=0, le=64)
    ] = 0
    gradient_checkpointing: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="Compute activations twice instead of keeping them; auto: where they would not fit."),
    ] = "auto"


def run(given: Given, options: Options, ctx: Context) -> Finetuned:
    """Train, or go on training. Raises Unavailable where it cannot fit, with a way out, BadInput for a base that cannot be trained,
    StageFailed where the mix leaves nothing to train on."""
    train, validation = _examples(given, ctx)
    if not train:
        raise StageFailed("the mix holds no example to train on", "see: datatune show RUN mix")
    settings = _settings(options, ctx.seed)
    where = f"finetune {given.base.name}"
    with translated(where):
        trainer = ctx.trainer()
        estimate = trainer.estimate(train, validation, settings, ctx.folder())
    if estimate.refusal:
        raise Unavailable(f"{where}: {estimate.refusal}", estimate.way_out)
    _tell_estimate(estimate, given.base, ctx)
    curve = _Curve(ctx, estimate.steps)
    with translated(where):
        result = trainer.train(train, validation, ctx.folder(), settings, curve.report, curve.stops)
    if curve.why is not None:
        raise curve.why
    if not result.finished:
        raise StageFailed(f"{where}: it ended at step {result.step:,} of {result.steps:,}", "go on with: datatune resume RUN")
    if result.left_out:
        ctx.event("left-out", f"{result.left_out:,} examples are longer than {options.max_length:,} tokens, and were not trained on")
    finetuned = Finetuned(
        base=given.base,
        adapter=Path(result.adapter).relative_to(ctx.folder().parent).as_posix(),
        examples=result.examples,
        validation=len(validation) if result.validation is None else result.validation,
        left_out=result.left_out,
        steps=result.steps,
        best_step=result.best_step,
        loss=result.loss,
        first_validation_loss=result.first_validation_loss,
        best_validation_loss=result.best_validation_loss,
        device=result.device,
        precision=result.precision,
        mix=given.mix,
    )
    ctx.event("finetuned", _came_to(finetuned), memory=result.memory, seconds=round(result.seconds, 1), tokens=result.tokens)
    return finetuned


class _Curve:
    """Keeps every report of the training, and remembers why it is to stop: a trainer saves its state before it does."""

    def __init__(self, ctx: Context, steps: int) -> None:
        self.why: EngineError | None = None
        self._ctx = ctx
        self._steps = steps

    def report(self, progress: TrainingProgress) -> None:
        """Store a point of the curve, and let a cancel take effect."""
        point = point_of(progress)
        self._ctx.keep(*key_of(point), Outcome("accepted", result=msgspec.json.encode(point).decode()))
        try:
            self._ctx.progress(progress.step, self._steps, "steps")
        except EngineError as error:
            self.why = error

    def stops(self) -> bool:
        """Whether somebody wants it to stop."""
        return self.why is not None


def _examples(given: Given, ctx: Context) -> tuple[list[TrainingExample], list[TrainingExample]]:
    pairs: dict[str, list[tuple[str, str]]] = {"train": [], "validation": []}
    if given.control == "own":
        pairs["train"] = [(one.input, one.output) for one in given.task.examples]
    else:
        for _, example, split in mixed_examples(given.all_parts, given.mix, given.mixed, ctx):
            pairs[split].append((example.input, example.output))
    if given.control == "shuffled":
        pairs = {split: _shuffled(some, f"shuffled {ctx.seed} {split}") for split, some in pairs.items()}
    train, validation = (
        [TrainingExample(chat_messages(given.task, (), text, bare=True), output) for text, output in pairs[split]]
        for split in ("train", "validation")
    )
    return train, validation


def _shuffled(pairs: list[tuple[str, str]], seed: str) -> list[tuple[str, str]]:
    outputs = [output for _, output in pairs]
    random.Random(seed).shuffle(outputs)
    return [(text, output) for (text, _), output in zip(pairs, outputs, strict=True)]


def _settings(options: Options, seed: int) -> TrainingOptions:
    given = {name: value for name, value in msgspec.to_builtins(options).items() if name != "train"}
    try:
        return msgspec.convert(given | {"seed": seed}, TrainingOptions)
    except msgspec.ValidationError as error:
        raise BadInput(f"finetune: {error}", "change that option: datatune options finetune") from error


def _tell_estimate(estimate: TrainingEstimate, base: Base, ctx: Context) -> None:
    time = f", about {duration(estimate.seconds)}" if estimate.seconds else ""
    text = (
        f"{base.name} on the {estimate.device.upper()} in {estimate.precision}: {estimate.steps:,} steps over {estimate.tokens:,} tokens, "
        f"about {estimate.bytes / 1e9:.1f} GB of {estimate.available / 1e9:.1f} GB free{time}"
    )
    parts = {part.name: part.bytes for part in estimate.parts}
    ctx.event("estimate", text, steps=estimate.steps, seconds=round(estimate.seconds), parts=parts, assumed=list(estimate.assumed))


def _came_to(made: Finetuned) -> str:
    text = f"{made.steps:,} steps over {made.examples:,} examples; loss {made.loss:.3f}"
    if made.best_validation_loss is None or made.first_validation_loss is None:
        return text
    return f"{text}; validation loss {made.first_validation_loss:.3f} before, {made.best_validation_loss:.3f} at step {made.best_step:,}"


STAGE = Stage("finetune", "training a model on them", 2, Given, Options, Finetuned, run)
