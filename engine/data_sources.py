"""The examples of runs, source by source: what each step made of a data set's rows, or had a model write, as people reviewed it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from engine.errors import BadInput
from engine.plain_text import one_line
from engine.records import Example, Value
from engine.store import items
from engine.store.database import Connection
from engine.store.reviews import reviews_of
from engine.store.runs import Run
from engine.store.steps import Step, steps_of_run

Kind = Literal["transformed", "synthetic"]


class DataSource(NamedTuple):
    """Examples of one step, or of several that are taken together."""

    name: str
    kind: Kind
    runs: tuple[str, ...]
    steps: tuple[str, ...]
    stored: int
    """Examples the steps have made so far."""
    rejected: int
    """Of these, left out because a person rejected them."""
    going_on: bool
    """Whether a step is still at work."""
    writers: frozenset[str]
    """Digests of the models that answered its steps, where any output is written by a model."""
    examples: tuple[Example, ...]

    def drawn(self, count: int, seed: int) -> DataSource:
        """At most so many of its examples, by seed."""
        if count >= len(self.examples):
            return self
        places = sorted(random.Random(f"{seed} {self.name}").sample(range(len(self.examples)), count))
        return self._replace(examples=tuple(self.examples[place] for place in places))


class Line(Value):
    """One line: an input, its output, and whether that is the right one."""

    input: str
    output: str
    right: bool = True


def sources_of(connection: Connection, runs: Sequence[Run]) -> list[DataSource]:
    """Every step of the runs whose accepted items are examples, transformed data sets first; one step of several runs once.

    Raises BadInput for runs of different tasks, or none with an example.
    """
    first = runs[0].task
    for run in runs[1:]:
        if (run.task.description, run.task.output) != (first.description, first.output):
            raise BadInput(f"runs {runs[0].id} and {run.id} have different tasks", "compare runs of one task: their examples have one form")
    taken: dict[str, tuple[Step, list[str]]] = {}
    for run in runs:
        for step in steps_of_run(connection, run.id):
            taken.setdefault(step.fingerprint, (step, []))[1].append(run.id)
    found = [source for step, ids in taken.values() if (source := _source(connection, step, ids)) is not None]
    if not found:
        names = ", ".join(run.id for run in runs)
        raise BadInput(f"no examples yet in {names}", "wait until a run has made some, or see why: datatune show RUN")
    return sorted(_named_apart(found), key=lambda source: source.kind != "transformed")


def by_kind(sources: Sequence[DataSource]) -> list[DataSource]:
    """All transformed examples as one source, all synthetic ones as another."""
    merged = []
    for kind in ("transformed", "synthetic"):
        some = [source for source in sources if source.kind == kind]
        if some:
            merged.append(
                DataSource(
                    kind,
                    some[0].kind,
                    tuple(dict.fromkeys(run for source in some for run in source.runs)),
                    tuple(step for source in some for step in source.steps),
                    sum(source.stored for source in some),
                    sum(source.rejected for source in some),
                    any(source.going_on for source in some),
                    frozenset(writer for source in some for writer in source.writers),
                    tuple(example for source in some for example in source.examples),
                )
            )
    return merged


def read_pairs(path: Path) -> list[Line]:
    """Examples in a file of JSON Lines, {input, output, right?} each; other fields are passed over. Raises BadInput."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}", "give a file of JSON Lines in UTF-8, {input, output} each") from error
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                read = msgspec.json.decode(line, type=_Loose)
            except msgspec.DecodeError as error:
                raise BadInput(f"{path}, line {number}: {error}", "a line has the fields input and output, both text") from error
            pairs.append(Line(read.input, read.output, read.right))
    if not pairs:
        raise BadInput(f"{path}: holds no example", "give one {input, output} a line")
    return pairs


class _Loose(msgspec.Struct):
    input: str
    output: str
    right: bool = True


def _source(connection: Connection, step: Step, runs: list[str]) -> DataSource | None:
    try:
        examples, stored, rejected = _examples(connection, step.fingerprint)
    except msgspec.DecodeError:
        return None
    if not stored:
        return None
    synthetic = step.stage == "generate" or any(getattr(example.source, "synthetic", False) for example in examples[:1])
    written = synthetic or any(example.output_origin == "written" for example in examples)
    name = f"synthetic: {step.candidate or 'generate'}" if synthetic else f"transformed: {Path(step.candidate).name or step.stage}"
    return DataSource(
        one_line(name, 80),
        "synthetic" if synthetic else "transformed",
        tuple(runs),
        (step.fingerprint,),
        stored,
        rejected,
        step.state == "running",
        frozenset(items.models_of_step(connection, step.fingerprint)) if written else frozenset(),
        examples,
    )


def _examples(connection: Connection, step: str) -> tuple[tuple[Example, ...], int, int]:
    """The examples as reviewed, how many are stored, how many a person rejected. Raises DecodeError where items are no examples."""
    reviews = reviews_of(connection, step)
    kept: list[Example] = []
    stored = rejected = 0
    for item in items.items_in_order(connection, step, "accepted"):
        example = msgspec.json.decode(item.result, type=Example)
        stored += 1
        review = reviews.get(item.key)
        if review and review.verdict == "rejected":
            rejected += 1
        elif review and review.output is not None:
            kept.append(msgspec.structs.replace(example, output=review.output, output_origin="edited"))
        else:
            kept.append(example)
    return tuple(kept), stored, rejected


def _named_apart(sources: Sequence[DataSource]) -> Iterator[DataSource]:
    """Names told apart by their runs, and where that is not enough by number."""
    for names in (lambda source: source.name, lambda source: f"{source.name} ({source.runs[0]})"):
        if len({names(source) for source in sources}) == len(sources):
            return (source._replace(name=names(source)) for source in sources)
    return (source._replace(name=f"{source.name} ({source.runs[0]}, {number})") for number, source in enumerate(sources, 1))
