"""datatune compare-data: the examples of runs, source by source, in one table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.output import json_option, note, put, table
from engine.cli.progress import Meter, time_left
from engine.errors import BadInput, ExitCode, Unavailable

if TYPE_CHECKING:
    from engine.compare_data import DataComparison
    from engine.data_sources import Line
    from engine.judged_data import Cost
    from engine.records import Task
    from engine.roles import Roles
    from models.embedding import Embedder

_WIDEST = 48


@click.command("compare-data")
@click.argument("run_ids", nargs=-1, required=True, metavar="RUN…")
@click.option("--judge", "judge_spec", metavar="SPEC", help="A model that says whether outputs are right and how hard examples are.")
@click.option("--base", "base_spec", metavar="SPEC", help="The model to be trained: how surely it finds the right outputs by now.")
@click.option(
    "--known", type=click.Path(path_type=Path), help="Examples with right outputs, {input, output, right?} a line: measures the judge."
)
@click.option("--examples", default=500, show_default=True, type=click.IntRange(2, 100_000), help="Examples of each source, drawn by seed.")
@click.option(
    "--judged", default=100, show_default=True, type=click.IntRange(2, 100_000), help="Of these, examples models are asked about."
)
@click.option(
    "--by", type=click.Choice(["source", "kind"]), default="source", show_default=True, help="Compare each source, or all of a kind."
)
@click.option("--seed", default=0, show_default=True, help="Decides which examples are drawn.")
@json_option
def compare_data(
    run_ids: tuple[str, ...],
    judge_spec: str | None,
    base_spec: str | None,
    known: Path | None,
    examples: int,
    judged: int,
    by: str,
    seed: int,
    as_json: bool,
) -> int:
    """Compare the examples of runs, source by source, at equal numbers: also of a run that is still going on.

    Without --judge and --base no language model is asked. What a model answers is kept, and asked once.
    """
    from engine.cli.find import find_run
    from engine.compare_data import compare_data
    from engine.data_sources import by_kind, read_pairs, sources_of
    from engine.judged_data import Models, expected_costs
    from engine.locations import locate
    from engine.quality.correctness import Known
    from engine.roles import Roles
    from engine.store.database import open_reader, open_small_writer
    from engine.stored_answers import StoredAnswers

    if known is not None and judge_spec is None:
        raise BadInput("--known needs --judge", "known answers say how often the judge errs")
    locations = locate()
    reader = open_reader(locations.database)
    runs = [find_run(reader, run_id) for run_id in dict.fromkeys(run_ids)]
    task = runs[0].task
    drawn = sources_of(reader, runs, examples, seed)
    drawn = by_kind(drawn, examples, seed) if by == "kind" else drawn
    for source in drawn:
        if len(source.examples) < 2:
            raise BadInput(f"{source.name} has {len(source.examples)} examples", "a source needs two or more that nobody rejected")
    given = {"judge": judge_spec, "base": base_spec}
    specs = {role: spec for role, spec in {**runs[0].settings.models, **given}.items() if spec and role in ("embed", *given)}
    roles = Roles(specs, locations)
    notes: list[str] = []
    lines = read_pairs(known) if known else []
    test = _test(task, notes)
    progress = _Progress()
    try:
        writer = open_small_writer(locations.database) if judge_spec or base_spec else None
        answers = {role: StoredAnswers(roles.model(role), role, writer) for role, spec in given.items() if spec and writer is not None}
        models = Models(answers.get("judge"), answers.get("base"), tuple(Known(one.input, one.output, one.right) for one in lines))
        asked = [source.drawn(judged, seed) for source in drawn] if answers else []
        if asked:
            note("reckoning the cost; where many calls are to come, it is measured first how they are fastest here")
        for role, cost in expected_costs(asked, task, models).items() if asked else ():
            note(_cost(role, cost))
            answers[role].tell = progress.of(f"asking the {role}", cost.calls)
        compared = compare_data(
            drawn,
            task,
            test=test,
            embedder=_embedder(roles, notes),
            models=models,
            judged=asked,
            with_map=as_json,
            seed=seed,
            tell=progress.tell,
        )
        progress.end()
        for role, one in answers.items():
            if one.fresh:
                note(f"{role}: {one.fresh:,} new answers in {one.wall:.0f} s, {one.fresh / max(one.wall, 1e-6):.2f}/s")
    finally:
        roles.close()
    put({"comparison": compared, "notes": notes}, as_json, lambda: _text(compared, notes))
    return ExitCode.DONE


def _text(found: DataComparison, notes: list[str]) -> str:
    from engine.comparison_table import comparison_rows, comparison_sentences

    several = "s" if len(found.sources) > 1 else ""
    head = f"{found.task}: {len(found.sources)} source{several}, seed {found.seed}"
    rows = table(("", *(one.name for one in found.sources)), comparison_rows(found), widest=_WIDEST)
    return "\n".join([head, rows, *comparison_sentences(found), *notes])


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


def _test(task: Task, notes: list[str]) -> list[Line]:
    """The user's test, where it can be found and read."""
    from engine.data_sources import read_pairs

    if not task.test:
        return []
    try:
        return read_pairs(Path(task.test).expanduser())
    except BadInput as error:
        notes.append(f"not held against the test: {error.title}; its path is looked up from this folder")
        return []


def _cost(role: str, cost: Cost) -> str:
    time = (
        f"about {time_left(cost.seconds)} at the rate measured here"
        if cost.seconds is not None
        else "this machine's rate for it is not known yet"
    )
    return f"{role}: at most {cost.calls:,} calls of {cost.model}, {time}; what it answered before is not asked again"
