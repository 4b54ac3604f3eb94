"""Frozen values that stages, catalog, plans and store pass to each other.

Every value is a msgspec Struct: it goes to JSON and back without a line of code here, and an unknown or
wrongly typed field is refused with its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, dataclass_transform

import msgspec

from engine.plan.steps import Plan


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all records: immutable, strict, small in JSON."""


# ── the task ──────────────────────────────────────────────────────────────────────────────────────────────

OutputKind = Literal["text", "label", "option_text", "option_letter"]


class Output(Value):
    """What an example's output looks like."""

    kind: OutputKind = "text"
    """"text" is written freely, "label" is one of `labels`, "option_text" and "option_letter" choose among options in the input."""
    labels: tuple[str, ...] = ()


class TaskExample(Value):
    """One pair the user wrote."""

    input: str
    output: str


class Task(Value):
    """What the user wants."""

    name: str
    description: str
    language: str = "en"
    """BCP 47 code of inputs and outputs."""
    output: Output = Output()
    examples: tuple[TaskExample, ...] = ()
    metric: str = ""
    test: str = ""
    """Path of the user's own test file; never used for making examples."""


class ExpandedTask(Value):
    """A fuller description, written by a model from the user's own; the user's words always come first."""

    description: str
    origin: Literal["model", "user"]
    """"user" when no usable expansion came back and the user's words stand alone."""
    reason: str = ""


# ── data ──────────────────────────────────────────────────────────────────────────────────────────────────

ColumnKind = Literal["text", "integer", "number", "boolean", "class", "list", "dict", "time", "binary", "null", "mixed"]


class Column(Value):
    """One column of a data set as its rows show it."""

    name: str
    kind: ColumnKind
    class_names: tuple[str, ...] = ()
    """For an integer label: the name of 0, 1, …, from the card's or the file's features."""
    description: str = ""
    """What the card says of it, if anything."""


class Row(Value):
    """One row; `index` is 0-based in its split's file order."""

    index: int
    values: dict[str, Any]


class RowSource(Protocol):
    """One split of one config of a data set, read lazily in bounded memory."""

    dataset: str
    config: str
    split: str
    revision: str
    """Commit of a Hub data set, else a digest of the data files."""
    licence: str
    """As the card states it; "" when it states none."""
    columns: tuple[Column, ...]

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Row]:
        """All rows in file order, streaming."""
        ...

    def take(self, indices: Sequence[int]) -> list[Row]:
        """The rows at these places, in the order asked for."""
        ...


class Source(Value):
    """Where an example came from."""

    dataset: str
    config: str
    split: str
    row: int
    """0-based in that split's file; the first of `rows` for grouped and joined examples."""
    revision: str = ""
    licence: str = ""
    rows: tuple[int, ...] = ()
    """All rows a grouped or joined example was made of."""
    part: tuple[int, ...] = ()
    """Which piece of an exploded row: one index for each explode step."""
    model: str = ""
    """Name of the model that wrote a synthetic example, input and output; no row stands behind it, and the rest is empty."""

    @property
    def synthetic(self) -> bool:
        """Whether a model wrote the example from the task alone."""
        return bool(self.model)


def written_by(model: str) -> Source:
    """The source of synthetic examples."""
    return Source("", "", "", -1, model=model)


OutputOrigin = Literal["copied", "derived", "written", "edited"]


class Example(Value):
    """One input and output of the task."""

    input: str
    output: str
    output_origin: OutputOrigin
    """"copied" from the row as it stands, "derived" from it by deterministic steps, "written"
    by a model, "edited" by a person who reviewed it."""
    source: Source
    plan: str
    """Digest of the plan that made it; "" for a synthetic one."""


# ── what the stages hand on ───────────────────────────────────────────────────────────────────────────────


class Candidate(Value):
    """A data set retrieve or rerank thinks of, best first."""

    dataset: str
    rank: int
    score: float
    reasons: tuple[str, ...] = ()
    """Lines a person can check."""
    likeness: float | None = None
    """Cosine of the task's and the card's meaning; None where it was not looked at."""
    preferred: bool = False
    """Put first by the user: no vote moves it."""


class Candidates(Value):
    """What retrieve found."""

    candidates: tuple[Candidate, ...]
    searched: int
    """Cards the catalog held."""


class Ranking(Value):
    """What rerank made of it; empty with a reason when none fits."""

    candidates: tuple[Candidate, ...]
    none_fits: bool = False
    reason: str = ""


class SchemaSelection(Value):
    """What each column of the chosen split is for."""

    dataset: str
    config: str
    splits: tuple[str, ...]
    roles: dict[str, Literal["input", "output", "context", "irrelevant"]]
    pair: tuple[str, ...] = ()
    """Columns that give the output together: options and the label that chooses among them."""
    origin: Literal["model", "structure", "user"] = "structure"
    reason: str = ""


class SamplePair(Value):
    """An example a plan made of a sample row, for people to judge it by."""

    row: int
    input: str
    output: str


PlanVerdict = Literal["", "verified", "unverified", "beaten"]
""""verified": a model that does the task on sample rows agrees with the outputs clearly more than by chance; "unverified": it does
not, for the outputs are wrong or the model too weak to tell; "beaten": it agrees more with another plan; "": not asked."""


class RunnerUp(Value):
    """A plan that scored less."""

    plan: Plan
    score: float
    reasons: tuple[str, ...] = ()
    samples: tuple[SamplePair, ...] = ()
    verdict: PlanVerdict = ""
    evidence: str = ""


class PlanChoice(Value):
    """The plan for one data set, with what speaks for it and what else there was."""

    dataset: str
    config: str
    splits: tuple[str, ...]
    plan: Plan
    digest: str
    score: float
    reasons: tuple[str, ...] = ()
    samples: tuple[SamplePair, ...] = ()
    runners_up: tuple[RunnerUp, ...] = ()
    output_origin: OutputOrigin = "copied"
    verdict: PlanVerdict = ""
    evidence: str = ""
    """What the verdict rests on, in one line."""


class Part(Value):
    """What execute made of one data set, as mix and export take it up."""

    step: str
    """Fingerprint of the execute step; its accepted items hold the examples as JSON, in seeded order."""
    choice: PlanChoice
    made: Made
    take: int
    """How many of its examples, from the first on, are offered to the mix."""


class Generated(Value):
    """What generate wrote. The counts always add up: units = examples + rejected + failed + skipped."""

    model: str
    units: int
    """Examples that were asked for."""
    examples: int
    rejected: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: dict[str, int] = {}
    """Why what was asked for did not become examples, by count."""
    topics: tuple[str, ...] = ()
    """What the examples were to be about, in the model's words; empty where it was not asked."""
    outputs: dict[str, int] = {}
    """How often each label is the output."""
    saturated: str = ""
    """Why it ended before there were enough; "" where it did not."""


class SyntheticPart(Value):
    """What generate made, as mix and export take it up after the parts of data sets."""

    step: str
    """Fingerprint of the generate step; its accepted items hold the examples as JSON, in seeded order."""
    generated: Generated
    take: int
    """How many of its examples, from the first on, are offered to the mix."""


Split = Literal["train", "validation"]


class MixCounts(Value):
    """What became of the examples offered to a mix. The counts always add up: offered = train + validation + all that were left out."""

    offered: int = 0
    train: int = 0
    validation: int = 0
    rejected: int = 0
    """By a person who reviewed them."""
    benchmark: int = 0
    """Of a data set made from the benchmark the user's test is of."""
    licence: int = 0
    """Of a licence that is not among those allowed."""
    leaked: int = 0
    """They hold an item of the user's test, or one of the task's own examples."""
    repeats: int = 0
    """The same input and output as an earlier one, to the letter."""
    near_duplicates: int = 0
    """Nearly the same input and output as an earlier one."""
    language: int = 0
    """In another language than the task's."""
    over_quota: int = 0
    """More than the wanted total, share, balance of labels or number of one group."""

    @property
    def examples(self) -> int:
        """In the mix."""
        return self.train + self.validation

    @property
    def left_out(self) -> int:
        """Not in the mix, for whatever reason."""
        return self.offered - self.examples


class MixSource(Value):
    """One source of a mix: a data set, or a model that wrote from the task alone."""

    step: str
    """Fingerprint of the execute or generate step whose accepted units were offered."""
    dataset: str
    """"" for a model's."""
    config: str
    model: str
    """"" for a data set's."""
    counts: MixCounts


class Mixed(Value):
    """What mix made of all examples; its accepted units say which are in and where they go."""

    sources: tuple[MixSource, ...]
    """Parts of data sets in their order, then what a model wrote."""
    outputs: dict[str, int] = {}
    """How often each label or letter is the output in the mix; empty for other tasks."""
    edited: int = 0
    """In the mix with an output that a person put right."""
    test_items: int = 0
    """Items of the user's test that were looked for."""
    test_items_found: int = 0
    """Different ones of these, and of the task's own examples, that were found in examples."""
    leaks_kept: int = 0
    """Examples in the mix that hold one, where leaks are only reported."""
    groups: int = 0
    """Sets of connected examples in the mix, each in one split alone."""
    largest_group: int = 0

    @property
    def counts(self) -> MixCounts:
        """Over all sources."""
        names = MixCounts.__struct_fields__
        return MixCounts(*(sum(getattr(source.counts, name) for source in self.sources) for name in names))


class MixUnit(Value):
    """What is stored of one offered example: where it is, and where it goes or why it does not."""

    step: str
    """Fingerprint of the step that made it."""
    seq: int
    key: str
    split: Literal["", "train", "validation"] = ""
    output: str | None = None
    """What a person put in place of its output."""
    detail: str = ""
    """Which example, item or rule it met, for a person."""
    item: int | None = None
    """Which item of the user's test it holds, counted from 0 in the test's order."""


class Base(Value):
    """The model finetune trains."""

    name: str
    """Of its file or folder."""
    digest: str
    """SHA-256 of its weights; "" for a dry run."""


class Finetuned(Value):
    """What finetune trained."""

    base: Base
    adapter: str
    """Folder with adapter_model.safetensors and adapter_config.json, below that of all adapters."""
    examples: int
    validation: int
    left_out: int
    """Examples too long to be trained on."""
    steps: int
    best_step: int
    """The step the adapter is from."""
    loss: float
    """Of the last step, nats a token of the completions."""
    first_validation_loss: float | None
    """Before the first step; None without validation."""
    best_validation_loss: float | None
    device: str
    precision: str
    mix: str = ""
    """Fingerprint of the mix step whose examples it was trained on; "" where it was not noted."""


class ModelFile(Value):
    """A file of a finetuned model in an export."""

    path: str
    """Within the export."""
    what: str
    size: int
    """Bytes."""
    digest: str
    """SHA-256, in hex."""
    answer: str | None = None
    """What it answered when it was loaded and asked; None where it was not."""


class Exported(Value):
    """A written training set."""

    folder: str
    examples: int
    train: int
    validation: int
    digest: str
    """SHA-256 of examples.jsonl."""
    model: tuple[ModelFile, ...] = ()
    """Of the model the run finetuned."""
    left_out: tuple[str, ...] = ()
    """Files of that model that could not be made, each with why."""


class Made(Value):
    """What execute made of one data set. The counts always add up:
    units = examples + rejected + failed + skipped + surplus."""

    dataset: str
    config: str
    plan: str
    units: int
    examples: int
    rejected: int = 0
    failed: int = 0
    skipped: int = 0
    surplus: int = 0
    reasons: dict[str, int] = {}
    """Why units did not become examples, by count."""
