"""Compare: the arms of an experiment side by side, item by item, with what training data is worth against prompting.

After arXiv 2404.14361's main table, and made fair where that is silent: one decontamination for all arms before any is trained, equal
numbers of examples, figures fixed beforehand, paired hierarchical bootstrap over seeds and clusters of items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from engine.evaluate.asking import Answer
from engine.evaluate.evaluated import Arm, Compared, Contrast, Evaluated
from engine.evaluate.evaluation import note_on_lengths, notes_on
from engine.evaluate.intervals import Estimate, Parts, difference, estimate, ratio
from engine.evaluate.items import Item, Test
from engine.evaluate.kept import read_answers, test_of
from engine.evaluate.scores import figures, primary_name, primary_parts
from engine.quality.leakage import find_leakage
from engine.records import Finetuned, Mixed, MixUnit, Task, TaskExample, Value
from engine.stage import Context, Stage

ArmName = Literal["few-shot", "existing", "synthetic", "transformed", "mix", "shuffled", "own", "prose"]
UNTRAINED = ("few-shot",)
"""Arms that are the base model itself."""


class ArmStep(Value):
    """What one seed of an arm came to."""

    evaluate: str
    """Fingerprint of the step that holds its answers."""
    evaluated: Evaluated
    mix: str = ""
    """Fingerprint of the step that says what it was trained on; "" where that is no mix."""
    mixed: Mixed | None = None
    finetuned: Finetuned | None = None


class ArmGiven(Value):
    """One arm with all its seeds."""

    name: ArmName
    what: str
    seeds: tuple[ArmStep, ...]


class Given(Value):
    """What it starts from."""

    task: Task
    test: str
    """SHA-256 of the task's test."""
    arms: tuple[ArmGiven, ...]
    items: int
    """At most so many items were asked; as evaluate's options have it."""
    shuffle: bool
    by: str
    told: tuple[str, ...] = ()
    """What there is to say of the data: arms that could not be made, or have fewer examples than were asked for."""


class Options(Value):
    """Settings of compare."""

    arms: Annotated[
        tuple[ArmName, ...],
        Meta(
            description="Ways to come to a model: few-shot (the base, prompted), existing (columns as they stand), synthetic, transformed, "
            "mix (half transformed, half synthetic); controls: shuffled (transformed, outputs shuffled), own (the task's examples alone), "
            "prose (a model follows prose row by row).",
            min_length=2,
            max_length=8,
        ),
    ] = ("few-shot", "existing", "synthetic", "transformed", "mix")
    examples: Annotated[int, Meta(description="Examples each arm has, validation included.", ge=10, le=1_000_000)] = 600
    least: Annotated[
        int,
        Meta(description="Arms with fewer examples than this are left out; 0: all have as many as the smallest.", ge=0, le=1_000_000),
    ] = 0
    seeds: Annotated[int, Meta(description="Trainings of each arm, with another seed each.", ge=1, le=20)] = 1

    def __post_init__(self) -> None:
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"an arm stands twice: {', '.join(self.arms)}")
        if self.least > self.examples:
            raise ValueError(f"no arm can have {self.least:,} examples, where each is to have {self.examples:,}")


PRIMARY = (("mix", "few-shot"), ("mix", "synthetic"))
"""Fixed before anything is asked."""
BESIDE = (("transformed", "synthetic"), ("transformed", "existing"), ("transformed", "shuffled"), ("transformed", "prose"))


class _Read(NamedTuple):
    """An arm's answers, a draw for each seed, and what its figure is made of."""

    given: ArmGiven
    draws: list[list[Answer]]
    parts: Parts


def run(given: Given, options: Options, ctx: Context) -> Compared:
    """Read every arm's answers and hold them against each other."""
    test = test_of(given.task, given.items, given.shuffle, ctx.seed)
    found = _found(given, test, ctx)
    arms = []
    for arm in given.arms:
        draws = [draw for seed in arm.seeds for draw in read_answers(_units(seed.evaluate, ctx), test)]
        arms.append(_Read(arm, draws, primary_parts(test, draws, given.by)))
    kept = [place for place in range(len(test.items)) if place not in found]
    clusters = [item.cluster for item in test.items]
    rows = tuple(_arm(one, test, given.by, kept, ctx.seed) for one in arms)
    compared = Compared(
        task=given.task.name,
        test=test.name,
        metric=primary_name(test, given.by),
        items=len(test.items),
        clusters=test.clusters,
        found=len(found),
        seeds=max(len(arm.seeds) for arm in given.arms),
        arms=rows,
        contrasts=tuple(_contrasts({one.given.name: one for one in arms}, test, clusters, ctx.seed)),
        notes=tuple(_notes(given, test)),
    )
    ctx.event("compared", _came_to(compared))
    return compared


def _units(step: str, ctx: Context) -> list[str]:
    return [item.result for item in ctx.items("accepted", step=step)]


def _found(given: Given, test: Test, ctx: Context) -> set[int]:
    """Places of the items that some mix left out of its data, or that one of the task's own examples holds."""
    numbers = {
        unit.item
        for mix in {seed.mix for arm in given.arms for seed in arm.seeds if seed.mix}
        for item in ctx.items("rejected", step=mix)
        if (unit := msgspec.json.decode(item.result, type=MixUnit)).item is not None
    }
    everything = test_of(given.task, 0, given.shuffle, ctx.seed)
    keys = {item.key for number, item in enumerate(everything.items) if number in numbers}
    asked = [TaskExample(item.input, item.answer) for item in test.items]
    shown = {match.item for match in find_leakage(given.task.examples, asked).matches if match.removed}
    found = {place for place, item in enumerate(test.items) if item.key in keys} | shown
    # Items that say the same, in subtasks of other forms, are known as soon as one is.
    known = {test.items[place].cluster for place in found}
    return {place for place, item in enumerate(test.items) if item.cluster in known}


def _arm(one: _Read, test: Test, way: str, kept: Sequence[int], seed: int) -> Arm:
    first = one.given.seeds[0]
    judged = first.evaluated.evaluation.models[0]
    without = None
    if kept and len(kept) < len(test.items):
        left = msgspec.structs.replace(test, items=tuple(test.items[place] for place in kept))
        answers = [[draw[place] for place in kept] for draw in one.draws]
        without = estimate(primary_parts(left, answers, way), [item.cluster for item in left.items], seed)
    trained = first.finetuned
    return Arm(
        name=one.given.name,
        what=one.given.what,
        examples=trained.examples + trained.validation if trained else 0,
        steps=trained.steps if trained else 0,
        setting=str(judged.choice.setting),
        figures=figures(test, one.draws, way, seed),
        without_found=without,
        leaked=first.mixed.counts.leaked if first.mixed else 0,
        first_validation_loss=trained.first_validation_loss if trained else None,
        best_validation_loss=trained.best_validation_loss if trained else None,
        digest=judged.digest,
    )


def _contrasts(arms: dict[str, _Read], test: Test, clusters: Sequence[str], seed: int) -> list[Contrast]:
    pairs = [pair for pair in PRIMARY if set(pair) <= set(arms)]
    pairs += [(name, "few-shot") for name in arms if name not in ("few-shot", "mix") and "few-shot" in arms]
    pairs += [pair for pair in BESIDE if set(pair) <= set(arms)]
    chance, best = _scale(test.items)
    normalised = test.closed and primary_name(test, "sum").startswith("accuracy") and best > chance
    found = []
    for name, other in pairs:
        ours, theirs = arms[name].parts, arms[other].parts
        told = difference(ours, theirs, clusters, seed)
        points: Estimate = told.estimate.scaled(0, best - chance if normalised else 1.0)
        share = ratio(ours, theirs, clusters, chance if normalised else 0.0, seed)
        found.append(Contrast(name, other, msgspec.structs.replace(told, estimate=points), normalised, share, (name, other) in PRIMARY))
    return found


def _scale(items: Sequence[Item]) -> tuple[float, float]:
    """Mean credit of blind choosing, and of all right."""
    count = len(items)
    return sum(item.chance for item in items) / count, sum(max(item.credits, default=1.0) for item in items) / count


def _notes(given: Given, test: Test) -> list[str]:
    lengths = note_on_lengths(test, given.by)
    notes = [*notes_on(test), *([lengths] if lengths else []), *given.told]
    sizes = {arm.name: one.examples + one.validation for arm in given.arms if (one := arm.seeds[0].finetuned) and arm.name != "own"}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        notes.append(f"examples longer than finetune.max_length were not trained on, which left {told}")
    seeds = max(len(arm.seeds) for arm in given.arms)
    if seeds == 1:
        notes.append("one seed: no interval here knows how much another training of the same arm would differ")
    else:
        notes.append(f"{seeds} seeds: each another order, first adapter, dropout and validation split over the same data")
    return notes


def _came_to(found: Compared) -> str:
    values = ", ".join(f"{arm.name} {arm.figures[0].estimate.value:.3f}" for arm in found.arms)
    return f"{found.metric} over {found.items:,} items: {values}"


STAGE = Stage("compare", "holding the arms against each other", 2, Given, Options, Compared, run)
