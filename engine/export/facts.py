"""The examples of an export in their order, without duplicates, and everything that is counted about them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from engine.errors import StageFailed
from engine.records import Example, Part, SyntheticPart, Task, Value
from engine.stage import Context

Split = Literal["train", "validation"]
AnyPart = Part | SyntheticPart

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
    taken: int
    """Examples taken from the part, with those left out."""
    duplicates: int
    """Of these, left out because an earlier example has the same input and output."""
    rejected: int
    """Of these, left out because a person rejected them."""
    splits: tuple[SplitUse, ...]

    @property
    def examples(self) -> int:
        """Examples of this part in the export."""
        return self.taken - self.duplicates - self.rejected


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
    boundary: int
    """Inputs whose hash is not above it belong to validation; -1 when there is none."""

    @property
    def train(self) -> int:
        """Examples to train on."""
        return self.examples - self.validation

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have examples."""
        return ("train", "validation") if self.validation else ("train",)


class LeftOut:
    """What of each part is not in the export, by the part's place."""

    def __init__(self) -> None:
        self.duplicates: Counter[int] = Counter()
        self.rejected: Counter[int] = Counter()


def examples_of(parts: tuple[AnyPart, ...], ctx: Context, left_out: LeftOut | None = None) -> Iterator[tuple[int, Example]]:
    """(part's place, example) in order, as reviewed: without those a person rejected, with the outputs a person gave. Of examples with
    the same input and output the first only. `left_out` counts the others.

    Raises StageFailed when a part holds fewer examples than were to be taken, or one that cannot be read.
    """
    seen: set[bytes] = set()
    for place, part in enumerate(parts):
        read = 0
        reviews = ctx.reviews(part.step) if part.take > 0 else {}
        for item in ctx.items("accepted", part.take, part.step) if part.take > 0 else ():
            read += 1
            example = _example(item.result, part)
            if review := reviews.get(item.key):
                if review.verdict == "rejected":
                    if left_out is not None:
                        left_out.rejected[place] += 1
                    continue
                if review.output is not None:
                    example = msgspec.structs.replace(example, output=review.output, output_origin="edited")
            pair = _digest(example.input, example.output)
            if pair in seen:
                if left_out is not None:
                    left_out.duplicates[place] += 1
                continue
            seen.add(pair)
            yield place, example
        if read < part.take:
            raise StageFailed(
                f"{_name(part)}: {part.take} examples were to be exported but only {read} are stored",
                "resume the run, then export again",
            )


def count(parts: tuple[AnyPart, ...], ctx: Context, task: Task, share: float, seed: int) -> Facts:
    """One pass over all examples: the counts, and where validation ends.

    Memory grows by some hundred bytes an example (hashes of pairs and inputs, row numbers), never by their text.
    """
    total = sum(part.take for part in parts)
    left_out = LeftOut()
    uses: list[dict[tuple[str, str, str], _Use]] = [{} for _ in parts]
    origins: Counter[str] = Counter()
    outputs: Counter[str] = Counter()
    by_input: Counter[bytes] = Counter()
    places: Counter[int] = Counter()
    examples = exploded = synthetic = 0
    count_outputs = task.output.kind in ("label", "option_letter")
    for place, example in examples_of(parts, ctx, left_out):
        if examples % PROGRESS_EVERY == 0:
            ctx.progress(0, total, "examples")
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
        by_input[_digest(example.input)] += 1
        places[input_hash(example.input, seed)] += 1
        examples += 1
    boundary = _boundary(sorted(places), share)
    return Facts(
        examples,
        sum(times for place, times in places.items() if place <= boundary),
        tuple(_part_facts(part, left_out.duplicates[place], left_out.rejected[place], uses[place]) for place, part in enumerate(parts)),
        dict(sorted(origins.items())),
        dict(sorted(outputs.items(), key=lambda pair: (-pair[1], pair[0]))),
        sum(times > 1 for times in by_input.values()),
        sum(times for times in by_input.values() if times > 1),
        synthetic,
        exploded,
        boundary,
    )


def split_of(example: Example, seed: int, boundary: int) -> Split:
    """Where an example belongs, by what its input says alone: inputs that differ in case or blanks only never straddle the two."""
    return "validation" if input_hash(example.input, seed) <= boundary else "train"


def input_hash(text: str, seed: int) -> int:
    """Seeded 64-bit hash of an input without its case, its blanks and its Unicode form."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return int.from_bytes(hashlib.blake2b(f"{seed}\n{plain}".encode(), digest_size=8).digest())


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


def _name(part: AnyPart) -> str:
    return part.choice.dataset if isinstance(part, Part) else "the synthetic examples"


def _part_facts(part: AnyPart, duplicates: int, rejected: int, uses: dict[tuple[str, str, str], _Use]) -> PartFacts:
    if isinstance(part, SyntheticPart):
        return PartFacts("", "", portable(part.generated.model), part.take, duplicates, rejected, ())
    splits = (SplitUse(*key, use.examples, len(use.rows)) for key, use in sorted(uses.items()))
    return PartFacts(portable(part.choice.dataset), part.choice.config, "", part.take, duplicates, rejected, tuple(splits))


def _boundary(hashes: list[int], share: float) -> int:
    """The hash up to which inputs are for validation: a share of the different inputs, at least one, never all."""
    if share <= 0 or len(hashes) < 2:
        return -1
    return hashes[min(max(1, round(share * len(hashes))), len(hashes) - 1) - 1]


def _digest(*texts: str) -> bytes:
    whole = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode()
        whole.update(len(data).to_bytes(8))
        whole.update(data)
    return whole.digest()


def _example(result: str, part: AnyPart) -> Example:
    try:
        example = msgspec.json.decode(result, type=Example)
    except msgspec.DecodeError as error:
        raise StageFailed(f"{_name(part)}: a stored example cannot be read: {error}", "run its step again") from error
    dataset, model = portable(example.source.dataset), portable(example.source.model)
    if (dataset, model) == (example.source.dataset, example.source.model):
        return example
    return msgspec.structs.replace(example, source=msgspec.structs.replace(example.source, dataset=dataset, model=model))
