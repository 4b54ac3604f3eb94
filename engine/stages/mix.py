"""Mix: one training set of all that was made, without copies, without the user's test, and split so that no copy straddles.

Every offered example is a unit that ends in training, in validation, or left out with the example, test item or rule it met. Nothing is
asked of a model: the same examples, reviews, test and options give the same mix. Examples stay in the order in which they were offered:
data sets by rank, rows by seed, then what a model wrote; so a mix without synthetic examples begins like one with them, and whoever
trains shuffles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from engine.export.facts import portable
from engine.mix import checks
from engine.mix.groups import connected
from engine.mix.held_out import items_of_test
from engine.mix.offered import WORDS, AnyPart, Decisions, Offered, Reason, read_offered
from engine.mix.quota import cap_groups, keep_quota
from engine.mix.split import choose_validation
from engine.mix.table import found_words
from engine.quality.benchmarks import related_source
from engine.quality.licences import LicenceSummary
from engine.quality.pairs import Watch
from engine.records import MixCounts, Mixed, MixSource, MixUnit, Part, SyntheticPart, Task, Value
from engine.stage import Context, Outcome, Stage

Doing = Literal["remove", "report", "off"]


class Given(Value):
    """What it starts from."""

    task: Task
    parts: tuple[Part, ...]
    synthetic: tuple[SyntheticPart, ...] = ()
    reviews: str = ""
    """Digest of what people rejected and put right: another review is another step."""
    test: str = ""
    """SHA-256 of the task's test file; "" where there is none."""

    @property
    def all_parts(self) -> tuple[AnyPart, ...]:
        """In the order of the examples."""
        return (*self.parts, *self.synthetic)


class Options(Value):
    """Settings of mix."""

    synthetic_share: Annotated[
        Annotated[float, Meta(ge=0.0, le=1.0)] | None,
        Meta(description="Wanted share of synthetic examples; what is over on either side is left out. Unset takes all there are."),
    ] = None
    total: Annotated[int, Meta(description="Most examples in the mix, the first in order; 0 takes all.", ge=0, le=100_000_000)] = 0
    balance: Annotated[
        bool,
        Meta(
            description="Where the output is a label, take each as often as the others: as often as the rarest occurs, or as evenly as a "
            "wanted total allows."
        ),
    ] = False
    near_duplicates: Annotated[
        float,
        Meta(
            description="ROUGE-L F of two inputs from which the later is left out where outputs are alike too; 0 leaves none out. The "
            "published method takes 0.7 to 0.9, and this is the middle: of 18,169 examples of 99 tasks 0.7 takes 3.3 %, 0.8 2.4 % and "
            "0.9 1.0 %, and what goes are sets made from a few patterns.",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.8
    leakage: Annotated[
        Doing,
        Meta(description="What to do with examples that hold an item of your test, or one of the examples in your task file."),
    ] = "remove"
    benchmarks: Annotated[
        tuple[str, ...],
        Meta(description="Benchmarks your test is taken from, such as bigbench: data sets made from them, by name, are left out whole."),
    ] = ()
    languages: Annotated[
        Doing,
        Meta(
            description="What to do with inputs and free outputs that are surely in another language than the task's; code, labels and "
            "names have none."
        ),
    ] = "remove"
    licences: Annotated[
        tuple[str, ...],
        Meta(
            description="Licences that may be in the mix: ids such as cc-by-4.0, or permissive, share-alike, non-commercial, "
            "no-derivatives, other, unknown. Empty takes all and names those that are unclear or clash."
        ),
    ] = ()
    validation_share: Annotated[
        float, Meta(description="Share of the examples set aside for validation, in whole groups of connected ones.", ge=0.0, le=0.5)
    ] = 0.1
    max_per_group: Annotated[
        int,
        Meta(
            description="Most examples of one group that belongs together: one row, dialogue, translation or passage; 0 is no limit.",
            ge=0,
            le=1_000_000,
        ),
    ] = 0

    def __post_init__(self) -> None:
        if 0 < self.near_duplicates < LEAST_THRESHOLD:
            raise ValueError(f"near_duplicates is 0, or at least {LEAST_THRESHOLD}")


LEAST_THRESHOLD = 0.5
LINKED_AT = 0.8
"""ROUGE-L F from which inputs stay together where near-duplicates are left in."""
MANY = 0.3
"""Share of a source's examples from which it is said that they are near-duplicates."""
CLASHES_TOLD = 3


def run(given: Given, options: Options, ctx: Context) -> Mixed:
    """Decide of every example, then store what was decided. Raises BadInput for a test that cannot be read, StageFailed for examples that
    are gone."""
    decisions = read_offered(given.all_parts, ctx)
    found = _decide(given, options, decisions, ctx)
    by_output = given.task.output.kind in ("label", "option_letter")
    kept = decisions.kept()
    examples = [decisions.offered[place] for place in kept]
    near = LINKED_AT if not options.near_duplicates else 0.0
    groups, apart = connected(examples, near, _watch(ctx, decisions, "joined into groups"))
    cap_groups(decisions, [[kept[place] for place in group] for group in groups], options.max_per_group)
    limits = keep_quota(decisions, options.total, options.synthetic_share, by_output and options.balance)
    left = [place for place, one in enumerate(kept) if decisions.reasons[one] is None]
    number = {place: at for at, place in enumerate(left)}
    groups = [staying for group in groups if (staying := [number[place] for place in group if place in number])]
    examples = [examples[place] for place in left]
    chosen = choose_validation(examples, groups, options.validation_share, ctx.seed, by_output)
    validation = {kept[left[place]] for place in chosen}
    _store(given.all_parts, decisions, validation, ctx)
    mixed = Mixed(
        sources=tuple(_source(place, part, decisions, validation) for place, part in enumerate(given.all_parts)),
        outputs=_outputs(examples) if by_output else {},
        edited=sum(one.edited for one in examples),
        test_items=found.test_items,
        test_items_found=found.items_found,
        leaks_kept=sum(bool(decisions.details[kept[place]]) for place in left),
        groups=len(groups),
        largest_group=max(map(len, groups), default=0),
    )
    _tell(given, options, mixed, limits, apart, ctx)
    return mixed


class _Found(NamedTuple):
    """What the checks found that the counts do not say."""

    test_items: int = 0
    items_found: int = 0


def _decide(given: Given, options: Options, decisions: Decisions, ctx: Context) -> _Found:
    """Every check in turn; each looks only at what those before it left."""
    checks.check_benchmarks(decisions, options.benchmarks)
    _tell_licences(checks.check_licences(decisions, options.licences), options, ctx)
    found = _Found()
    if options.leakage != "off":
        test = items_of_test(given.task.test, given.task.output.labels) if given.task.test else ()
        held = checks.check_leaks(decisions, given.task, test, options.leakage == "remove", _watch(ctx, decisions, "held against the test"))
        found = _Found(len(test), held)
    checks.check_repeats(decisions)
    if options.near_duplicates:
        checks.check_near_duplicates(decisions, options.near_duplicates, _watch(ctx, decisions, "compared with each other"))
    if options.languages != "off":
        told = checks.check_language(
            decisions, given.task, options.languages == "remove", _watch(ctx, decisions, "read for their language")
        )
        for line in told:
            ctx.event("language", line)
    return found


def _watch(ctx: Context, decisions: Decisions, doing: str) -> Watch:
    return lambda done: ctx.progress(done, len(decisions.offered), f"examples {doing}")


def _store(parts: Sequence[AnyPart], decisions: Decisions, validation: set[int], ctx: Context) -> None:
    """One unit for each offered example."""

    def through(pending: Iterator[int]) -> Iterator[tuple[str, Outcome]]:
        for place in pending:
            one, reason = decisions.offered[place], decisions.reasons[place]
            split: Literal["", "train", "validation"] = "" if reason else "validation" if place in validation else "train"
            output = one.output if one.edited and not reason else None
            unit = MixUnit(parts[one.part].step, one.seq, one.key, split, output, decisions.details[place], decisions.items.get(place))
            result = msgspec.json.encode(unit).decode()
            yield key(place), Outcome("rejected", WORDS[reason], result) if reason else Outcome("accepted", "", result)

    def key(place: int) -> str:
        one = decisions.offered[place]
        return f"{one.part}:{one.key}"

    ctx.each(range(len(decisions.offered)), key=key, through=through, total=len(decisions.offered))


def _source(place: int, part: AnyPart, decisions: Decisions, validation: set[int]) -> MixSource:
    left_out = decisions.counts(place)
    offered = [at for at, one in enumerate(decisions.offered) if one.part == place]
    validating = sum(at in validation for at in offered)
    training = len(offered) - validating - left_out.total()
    counts = MixCounts(len(offered), training, validating, **{reason: left_out[reason] for reason in get_args(Reason)})
    if isinstance(part, SyntheticPart):
        return MixSource(part.step, "", "", portable(part.generated.model), counts)
    return MixSource(part.step, portable(part.choice.dataset), part.choice.config, "", counts)


def _outputs(examples: Sequence[Offered]) -> dict[str, int]:
    counts = Counter(one.output for one in examples)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:OUTPUTS_COUNTED])


OUTPUTS_COUNTED = 200
"""Most different outputs that are counted one by one."""


def _tell_licences(summary: LicenceSummary, options: Options, ctx: Context) -> None:
    if options.licences:
        return
    if summary.unclear:
        named = "; ".join(f"{name}: {summary.sources[name].stated or 'none is stated'}" for name in summary.unclear[:CLASHES_TOLD])
        ctx.event("licences", f"read these licences yourself: {named}", sources=list(summary.unclear))
    for clash in summary.clashes[:CLASHES_TOLD]:
        between = f"of {clash.one} and {clash.other}" if clash.one != clash.other else f"of {clash.one}"
        ctx.event("licences", f"licences {between}: {clash.reason}")


def _tell(given: Given, options: Options, mixed: Mixed, limits: Sequence[str], apart: int, ctx: Context) -> None:
    counts = mixed.counts
    for source in mixed.sources:
        if source.counts.near_duplicates > MANY * source.counts.offered:
            name = source.dataset or "the synthetic examples"
            text = f"{name}: {source.counts.near_duplicates:,} of {source.counts.offered:,} examples are nearly the same as others"
            ctx.event("near-duplicates", f"{text}; to keep them: --set mix.near_duplicates=0")
    if mixed.leaks_kept:
        ctx.event("leakage", f"{found_words(mixed)[:-1]}, and stay", items=mixed.test_items_found)
    elif counts.leaked:
        ctx.event("leakage", found_words(mixed)[:-1], items=mixed.test_items_found)
    if given.task.test and not options.benchmarks:
        stem = given.task.test.replace("\\", "/").rpartition("/")[2].partition(".")[0]
        for source in mixed.sources:
            if source.dataset and (related := related_source(source.dataset, source.config, [stem])).related:
                ctx.event("benchmark", f"{source.dataset}: {related.reason}; if it is, name it: --set mix.benchmarks={stem}")
    for line in limits:
        ctx.event("quota", line)
    if apart:
        text = f"{apart:,} examples are connected, too many to keep together: they are kept together by row, or else by input"
        ctx.event("groups", text)
    if not counts.validation and options.validation_share and counts.examples > 1:
        ctx.event("groups", "all examples have one input: nothing can be set aside for validation")
    ctx.event(
        "mixed",
        f"{counts.examples:,} of {counts.offered:,} examples: {counts.train:,} to train on, {counts.validation:,} for validation, "
        f"{counts.left_out:,} left out",
        **msgspec.to_builtins(counts),
    )


STAGE = Stage("mix", "making one training set of them", 2, Given, Options, Mixed, run)
