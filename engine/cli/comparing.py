"""What compare-data and report share: they draw the sources of runs, ask models where wanted, and measure, with progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from engine.cli.output import note
from engine.cli.progress import Meter, time_left
from engine.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from engine.compare_data import DataComparison
    from engine.data_sources import DataSource
    from engine.judged_data import Cost
    from engine.locations import Locations
    from engine.records import Task, TaskExample
    from engine.roles import Roles
    from engine.store.database import Connection
    from engine.store.runs import Run
    from models.embedding import Embedder


class Asked(NamedTuple):
    """Whom to ask, about how many examples."""

    judge: str | None = None
    base: str | None = None
    known: Path | None = None
    judged: int = 100

    @property
    def specs(self) -> dict[str, str]:
        """Role → spec of the models to ask."""
        return {role: spec for role, spec in (("judge", self.judge), ("base", self.base)) if spec}


def asking_options(command: Callable[..., int]) -> Callable[..., int]:
    """`--judge`, `--base`, `--known` and `--judged` for a command."""
    known = click.Path(path_type=Path)
    for option in (
        click.option(
            "--judged", default=100, show_default=True, type=click.IntRange(2, 100_000), help="Of these, examples models are asked about."
        ),
        click.option("--known", type=known, help="Examples with right outputs, {input, output, right?} a line: measures the judge."),
        click.option("--base", metavar="SPEC", help="The model to be trained: how surely it finds the right outputs by now."),
        click.option("--judge", metavar="SPEC", help="A model that says whether outputs are right and how hard examples are."),
    ):
        command = option(command)
    return command


def compared(
    connection: Connection,
    locations: Locations,
    runs: Sequence[Run],
    asked: Asked,
    *,
    examples: int,
    by_kind: bool = False,
    with_map: bool = False,
    seed: int = 0,
) -> tuple[DataComparison, list[DataSource], list[str]]:
    """The runs' sources measured, the sources as drawn, and notes. Raises BadInput for a source with fewer than two examples."""
    from engine.compare_data import compare_data
    from engine.data_sources import by_kind as taken_by_kind
    from engine.data_sources import read_pairs, sources_of
    from engine.judged_data import Models, expected_costs
    from engine.quality.correctness import Known
    from engine.roles import Roles
    from engine.store.database import open_small_writer
    from engine.stored_answers import StoredAnswers

    if asked.known is not None and asked.judge is None:
        raise BadInput("--known needs --judge", "known answers say how often the judge errs")
    task = runs[0].task
    drawn = sources_of(connection, runs, examples, seed)
    drawn = taken_by_kind(drawn, examples, seed) if by_kind else drawn
    for source in drawn:
        if len(source.examples) < 2:
            raise BadInput(f"{source.name} has {len(source.examples)} examples", "a source needs two or more that nobody rejected")
    given = asked.specs
    specs = {role: spec for role, spec in {**runs[0].settings.models, **given}.items() if role in ("embed", *given)}
    roles = Roles(specs, locations)
    notes: list[str] = []
    lines = read_pairs(asked.known) if asked.known else []
    test = _test(task, notes)
    progress = _Progress()
    try:
        writer = open_small_writer(locations.database) if given else None
        answers = {role: StoredAnswers(roles.model(role), role, writer) for role in given if writer is not None}
        models = Models(answers.get("judge"), answers.get("base"), tuple(Known(one.input, one.output, one.right) for one in lines))
        judged = [source.drawn(asked.judged, seed) for source in drawn] if answers else []
        if judged:
            note("reckoning the cost; where many calls are to come, it is measured first how they are fastest here")
        for role, cost in expected_costs(judged, task, models).items() if judged else ():
            note(_cost(role, cost))
            answers[role].tell = progress.of(f"asking the {role}", cost.calls)
        found = compare_data(
            drawn,
            task,
            test=test,
            embedder=_embedder(roles, notes),
            models=models,
            judged=judged,
            with_map=with_map,
            seed=seed,
            tell=progress.tell,
        )
        progress.end()
        for role, one in answers.items():
            if one.fresh:
                note(f"{role}: {one.fresh:,} new answers in {one.wall:.0f} s, {one.fresh / max(one.wall, 1e-6):.2f}/s")
    finally:
        roles.close()
    return found, drawn, notes


class _Progress:
    """A line on stderr for each thing that takes time."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}

    def tell(self, what: str, done: int, of: int, unit: str = "") -> None:
        """How far something is."""
        from engine.compare_data import COUNTED

        if what not in self._meters:
            self._meters[what] = Meter(what, sys.stderr.isatty())
        self._meters[what].show(done, of, unit or COUNTED.get(what, "examples"))

    def of(self, what: str, calls: int) -> Callable[[int], None]:
        """Tells of answers, of which there are at most about so many."""
        return lambda done: self.tell(what, done, max(done, calls), "answers")

    def end(self) -> None:
        """Clear what is drawn."""
        for meter in self._meters.values():
            meter.end()


def _embedder(roles: Roles, notes: list[str]) -> Embedder | None:
    try:
        return roles.embedder()
    except Unavailable as error:
        notes.append(f"no embeddings: {error.title}")
        return None


def _test(task: Task, notes: list[str]) -> tuple[TaskExample, ...]:
    """The user's test, where it can be found and read, in any of the forms mix takes."""
    from engine.mix.held_out import items_of_test

    if not task.test:
        return ()
    test = Path(task.test).expanduser()
    try:
        return items_of_test(str(test), task.output.labels)
    except BadInput as error:
        # Into a report that others read goes the file's name alone.
        notes.append(f"not held against the test: {error.title.removeprefix('task.test: ').replace(str(test), test.name)}")
        return ()


def _cost(role: str, cost: Cost) -> str:
    time = (
        f"about {time_left(cost.seconds)} at the rate measured here"
        if cost.seconds is not None
        else "this machine's rate for it is not known yet"
    )
    return f"{role}: at most {cost.calls:,} calls of {cost.model}, {time}; what it answered before is not asked again"
