"""Generate: synthetic examples written by a model from the task alone, the second source beside rows that were turned into examples.

After the dataset generator of Prompt2Model (arXiv 2308.12261) as DataTune uses it (arXiv 2404.14361): the temperature rises over the run,
demonstrations are drawn from given and earlier accepted examples, equal inputs are settled by majority. Added here: a grammar for what is
written, labels steered to be even, topics, checks of every answer, and an end where nothing new comes.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.generate.collection import Collection
from engine.generate.form import Form
from engine.generate.topics import list_topics
from engine.generate.waves import ROLE, Settings, Waves, unit_key
from engine.records import Example, ExpandedTask, Generated, Task, Value
from engine.stage import Context, Counts, Stage


class Given(Value):
    """What it starts from."""

    task: Task
    expanded: ExpandedTask


class Options(Value):
    """Settings of generate."""

    examples: Annotated[int, Meta(description="How many synthetic examples to write; 0 writes none.", ge=0, le=1_000_000)] = 3000
    temperature_from: Annotated[float, Meta(description="Temperature of the first examples.", ge=0.0, le=2.0)] = 0.5
    temperature_to: Annotated[float, Meta(description="Temperature of the last examples; it rises in between.", ge=0.0, le=2.0)] = 1.1
    min_p: Annotated[
        float,
        Meta(description="Leave out words less likely than this share of the likeliest; keeps hot texts whole.", ge=0.0, le=1.0),
    ] = 0.1
    demonstrations: Annotated[
        int, Meta(description="Examples shown in each prompt, some of yours first, then some accepted earlier.", ge=0, le=20)
    ] = 4
    balance: Annotated[bool, Meta(description="Where the output is a label, ask for each label as often as for the others.")] = True
    topics: Annotated[
        int,
        Meta(
            description="Topics the model lists first, one for each prompt: inputs vary more, a small model strays more; 0 is none.",
            ge=0,
            le=500,
        ),
    ] = 0
    votes: Annotated[
        int,
        Meta(
            description="Where outputs are labels, options or short: how often the model does the task anew on each input it wrote; the "
            "written output must have more votes, its own among them, than any other.",
            ge=0,
            le=15,
        ),
    ] = 1
    batch: Annotated[int, Meta(description="Examples asked for in one call.", ge=1, le=10)] = 1
    max_tokens: Annotated[int, Meta(description="Longest example, in tokens.", ge=16, le=8192)] = 400
    near_duplicate: Annotated[
        float,
        Meta(description="Inputs that share at least this part of their words are near duplicates; above 1 none are.", ge=0.1, le=1.1),
    ] = 0.7
    saturation: Annotated[
        float,
        Meta(
            description="Stop when a hundred further examples bring less than this share of the new word pairs of the first hundred, "
            "or hardly any answer is new and well formed; 0 never stops early.",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.1


REQUEST_TOKENS = 250
"""Of a prompt beside description and demonstrations."""


def run(given: Given, options: Options, ctx: Context) -> Generated:
    """Wave after wave until there are enough examples or nothing new comes; every unit ends as an example or with its reason."""
    model = ctx.model(ROLE).identity.name
    if not options.examples:
        ctx.progress(0, 0, "examples")
        return Generated(model, 0, 0)
    form = Form(given.task)
    _tell_cost(given, options, ctx, form)
    topics = list_topics(given.task, options.topics, options.balance, ctx)
    ctx.progress(0, options.examples, "examples")
    collection = Collection(given.task, form, ctx.seed, options.near_duplicate)
    waves = Waves(given.task, given.expanded, topics, _settings(options), form, collection, ctx)
    counts = ctx.each(
        waves.units(),
        key=unit_key,
        through=waves.through,
        enough=lambda accepted: accepted >= options.examples,
        total=options.examples,
        unit="examples",
        native=True,
    )
    saturated = waves.saturated
    if waves.exhausted and counts.accepted < options.examples:
        saturated = f"{counts.total:,} answers did not give as many examples as were asked for"
    return _generated(given, topics.all, counts, saturated, ctx)


def _settings(options: Options) -> Settings:
    return Settings(
        wanted=options.examples,
        temperature_from=options.temperature_from,
        temperature_to=options.temperature_to,
        min_p=options.min_p,
        demonstrations=options.demonstrations,
        balance=options.balance,
        votes=options.votes,
        batch=options.batch,
        max_tokens=options.max_tokens,
        saturation=options.saturation,
    )


def _tell_cost(given: Given, options: Options, ctx: Context, form: Form) -> None:
    model = ctx.model(ROLE)
    shown = [filled for example in given.task.examples if (filled := form.taken_apart(example))]
    length = max((model.count_tokens(form.as_json(filled)) for filled in shown), default=80)
    shared = model.count_tokens(given.expanded.description) + REQUEST_TOKENS + options.demonstrations * (length + 20)
    written = -(-options.examples // options.batch)
    votes = options.examples * options.votes
    voting = model.count_tokens(given.task.description) + 100
    prompts = written * (shared + 20) + votes * (voting + length)
    answers = options.examples * min(length, options.max_tokens) + votes * 8
    ctx.expect_calls(ROLE, written + votes, prompts, answers, shared=(written * shared + votes * voting) // (written + votes))


def _generated(given: Given, topics: tuple[str, ...], counts: Counts, saturated: str, ctx: Context) -> Generated:
    outputs: Counter[str] = Counter()
    if given.task.output.kind in ("label", "option_letter"):
        outputs.update(msgspec.json.decode(item.result, type=Example).output for item in ctx.items("accepted"))
    made = Generated(
        model=ctx.model(ROLE).identity.name,
        units=counts.total,
        examples=counts.accepted,
        rejected=counts.rejected,
        failed=counts.failed,
        skipped=counts.skipped,
        reasons=ctx.reasons(),
        topics=topics,
        outputs=dict(sorted(outputs.items())),
        saturated=saturated,
    )
    ended = f"; ended early: {saturated}" if saturated else ""
    ctx.event(
        "generated",
        f"{made.examples:,} examples of {made.units:,} asked for; {made.rejected:,} rejected, {made.failed:,} failed{ended}",
        **msgspec.to_builtins(made),
    )
    return made


STAGE = Stage("generate", "writing synthetic examples", 1, Given, Options, Generated, run, roles=(ROLE,))
