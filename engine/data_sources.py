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
from engine.store.browse import find_units, read_units
from engine.store.database import Connection
from engine.store.reviews import Review, reviews_of
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
    """Those drawn, in the order they were made."""

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


def sources_of(connection: Connection, runs: Sequence[Run], at_most: int = 1_000_000, seed: int = 0) -> list[DataSource]:
    """Every step of the runs whose accepted items are examples, transformed data sets first; one step of several runs once.

    Of each, at most so many examples are drawn by seed, and only these are read.

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
    found = [source for step, ids in taken.values() if (source := _source(connection, step, ids, at_most, seed)) is not None]
    if not found:
        names = ", ".join(run.id for run in runs)
        raise BadInput(f"no examples yet in {names}", "wait until a run has made some, or see why: datatune show RUN")
    return sorted(_named_apart(found), key=lambda source: source.kind != "transformed")


def by_kind(sources: Sequence[DataSource], at_most: int = 1_000_000, seed: int = 0) -> list[DataSource]:
    """All transformed examples as one source, all synthetic ones as another, at most so many: of each step by what it made."""
    merged = []
    for kind in ("transformed", "synthetic"):
        some = [source for source in sources if source.kind == kind]
        if some:
            every = sum(source.stored - source.rejected for source in some)
            share = min(1.0, at_most / max(1, every))
            parts = [source.drawn(round(share * (source.stored - source.rejected)), seed).examples for source in some]
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
                    tuple(example for part in parts for example in part),
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


def _source(connection: Connection, step: Step, runs: list[str], at_most: int, seed: int) -> DataSource | None:
    places = find_units(connection, [step.fingerprint], "accepted")
    reviews = reviews_of(connection, step.fingerprint)
    kept = [place for place in places if place[2] not in reviews or reviews[place[2]].verdict != "rejected"]
    drawn = sorted(random.Random(f"{seed} {step.fingerprint}").sample(range(len(kept)), min(at_most, len(kept))))
    try:
        found = [_reviewed(unit, reviews) for unit in read_units(connection, [kept[at] for at in drawn] or places[:1]) if unit]
    except msgspec.DecodeError:
        return None
    if not found:
        return None
    examples = tuple(found) if drawn else ()
    synthetic = step.stage == "generate" or getattr(found[0].source, "synthetic", False)
    written = synthetic or any(example.output_origin == "written" for example in examples)
    name = f"synthetic: {step.candidate or 'generate'}" if synthetic else f"transformed: {Path(step.candidate).name or step.stage}"
    return DataSource(
        one_line(name, 80),
        "synthetic" if synthetic else "transformed",
        tuple(runs),
        (step.fingerprint,),
        len(places),
        len(places) - len(kept),
        step.state == "running",
        frozenset(items.models_of_step(connection, step.fingerprint)) if written else frozenset(),
        examples,
    )


def _reviewed(unit: items.Item, reviews: dict[str, Review]) -> Example:
    """An example with the output a person gave it, if any. Raises DecodeError for an item that is none."""
    example = msgspec.json.decode(unit.result, type=Example)
    review = reviews.get(unit.key)
    if review is None or review.output is None:
        return example
    return msgspec.structs.replace(example, output=review.output, output_origin="edited")


def _named_apart(sources: Sequence[DataSource]) -> Iterator[DataSource]:
    """Names told apart by their runs, and where that is not enough by number."""
    for names in (lambda source: source.name, lambda source: f"{source.name} ({source.runs[0]})"):
        if len({names(source) for source in sources}) == len(sources):
            return (source._replace(name=names(source)) for source in sources)
    return (source._replace(name=f"{source.name} ({source.runs[0]}, {number})") for number, source in enumerate(sources, 1))
