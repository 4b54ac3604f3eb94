"""The examples of an export in the order of their mix, and everything that is counted about them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from engine.errors import StageFailed
from engine.mix.offered import AnyPart, examples_of
from engine.records import Example, MixCounts, Mixed, MixUnit, Split, SyntheticPart, Task, Value
from engine.stage import Context

PROGRESS_EVERY = 500
OUTPUTS_COUNTED = 200
"""Most different outputs that are counted one by one."""


class SplitUse(Value):
    """What one split of one revision of a data set gave to a part."""

    split: str
    revision: str
    licence: str
    examples: int
    rows: int
    """Different rows among them."""


class PartFacts(Value):
    """What one part gave to the export."""

    dataset: str
    """As files name it: never a path of this machine; "" for synthetic examples."""
    config: str
    model: str
    """Which wrote them, for synthetic examples; "" for a data set's."""
    mix: MixCounts
    """What became of the examples it offered."""
    splits: tuple[SplitUse, ...]

    @property
    def examples(self) -> int:
        """Examples of this part in the export."""
        return self.mix.examples


class Facts(Value):
    """What was counted over all examples of the export."""

    examples: int
    validation: int
    parts: tuple[PartFacts, ...]
    origins: dict[str, int]
    outputs: dict[str, int]
    """How often each output occurs, for tasks with labels or letters; else empty."""
    contested_inputs: int
    """Different inputs that occur with more than one output."""
    contested_examples: int
    synthetic: int
    """Examples written by a model from the task alone."""
    exploded: int
    """Examples that are one of several pieces of a row."""

    @property
    def train(self) -> int:
        """Examples to train on."""
        return self.examples - self.validation

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have examples."""
        return ("train", "validation") if self.validation else ("train",)


def mixed_examples(parts: tuple[AnyPart, ...], mix: str, mixed: Mixed, ctx: Context) -> Iterator[tuple[int, Example, Split]]:
    """(part's place, example, split) of everything in the mix (a step's fingerprint and record), in its order, with the outputs that
    people gave.

    Raises StageFailed when the mix and its parts do not hold what they held when it was made.
    """
    places = {part.step: place for place, part in enumerate(parts)}
    stored = ((places.get(unit.step, -1), unit) for unit in _units(mix, ctx))
    place, unit = next(stored, (len(parts), None))
    found = 0
    for at, part in enumerate(parts):
        for _, key, example in examples_of(part, ctx) if place == at else ():
            if unit is None or place != at or key != unit.key:
                continue
            if unit.output is not None:
                example = msgspec.structs.replace(example, output=unit.output, output_origin="edited")
            found += 1
            yield at, _portable(example), unit.split or "train"
            place, unit = next(stored, (len(parts), None))
    if found != mixed.counts.examples:
        raise StageFailed(
            f"the mix has {mixed.counts.examples:,} examples but {found:,} of them are stored", "resume the run, then export again"
        )


def _units(mix: str, ctx: Context) -> Iterator[MixUnit]:
    for item in ctx.items("accepted", step=mix):
        yield msgspec.json.decode(item.result, type=MixUnit)


def count(parts: tuple[AnyPart, ...], mix: str, mixed: Mixed, ctx: Context, task: Task, *, splits: bool) -> Facts:
    """One pass over all examples. Without `splits` all are for training.

    Memory grows by some hundred bytes an example (hashes of inputs, row numbers), never by their text.
    """
    uses: list[dict[tuple[str, str, str], _Use]] = [{} for _ in parts]
    origins: Counter[str] = Counter()
    outputs: Counter[str] = Counter()
    inputs: Counter[bytes] = Counter()
    examples = validation = exploded = synthetic = 0
    count_outputs = task.output.kind in ("label", "option_letter")
    for place, example, split in mixed_examples(parts, mix, mixed, ctx):
        if examples % PROGRESS_EVERY == 0:
            ctx.progress(0, mixed.counts.examples, "examples")
        source = example.source
        synthetic += source.synthetic
        if not source.synthetic:
            use = uses[place].setdefault((source.split, source.revision, source.licence), _Use())
            use.examples += 1
            use.rows.update(source.rows or (source.row,))
            exploded += bool(source.part)
        origins[example.output_origin] += 1
        if count_outputs and (example.output in outputs or len(outputs) < OUTPUTS_COUNTED):
            outputs[example.output] += 1
        inputs[_digest(example.input)] += 1
        validation += splits and split == "validation"
        examples += 1
    return Facts(
        examples,
        validation,
        tuple(_part_facts(part, mixed.sources[place].counts, uses[place]) for place, part in enumerate(parts)),
        dict(sorted(origins.items())),
        dict(sorted(outputs.items(), key=lambda pair: (-pair[1], pair[0]))),
        sum(times > 1 for times in inputs.values()),
        sum(times for times in inputs.values() if times > 1),
        synthetic,
        exploded,
    )


def portable(value: Any) -> Any:
    """The value with every absolute path in it cut down to its last name, so that no file of an export knows this machine."""
    if isinstance(value, str):
        return re.split(r"[/\\]", value.rstrip("/\\"))[-1] if re.match(r"(~?/|[A-Za-z]:[/\\]|\\\\)[^\n]*[/\\][^\n]+$", value) else value
    if isinstance(value, dict):
        return {key: portable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [portable(inner) for inner in value]
    return value


class _Use:
    def __init__(self) -> None:
        self.examples = 0
        self.rows: set[int] = set()


def _part_facts(part: AnyPart, counts: MixCounts, uses: dict[tuple[str, str, str], _Use]) -> PartFacts:
    if isinstance(part, SyntheticPart):
        return PartFacts("", "", portable(part.generated.model), counts, ())
    splits = (SplitUse(*key, use.examples, len(use.rows)) for key, use in sorted(uses.items()))
    return PartFacts(portable(part.choice.dataset), part.choice.config, "", counts, tuple(splits))


def _digest(*texts: str) -> bytes:
    whole = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode()
        whole.update(len(data).to_bytes(8))
        whole.update(data)
    return whole.digest()


def _portable(example: Example) -> Example:
    dataset, model = portable(example.source.dataset), portable(example.source.model)
    if (dataset, model) == (example.source.dataset, example.source.model):
        return example
    return msgspec.structs.replace(example, source=msgspec.structs.replace(example.source, dataset=dataset, model=model))
