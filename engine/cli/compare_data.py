"""datatune compare-data: the examples of runs, source by source, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.comparing import Asked, asking_options, compared
from engine.cli.output import SEED, json_option, put, table
from engine.errors import ExitCode

if TYPE_CHECKING:
    from engine.compare_data import DataComparison

_WIDEST = 48


@click.command("compare-data")
@click.argument("run_ids", nargs=-1, required=True, metavar="RUN…")
@asking_options
@click.option("--examples", default=500, show_default=True, type=click.IntRange(2, 100_000), help="Examples of each source, drawn by seed.")
@click.option(
    "--by", type=click.Choice(["source", "kind"]), default="source", show_default=True, help="Compare each source, or all of a kind."
)
@click.option("--seed", default=0, show_default=True, type=SEED, help="Decides which examples are drawn.")
@json_option
def compare_data(
    run_ids: tuple[str, ...],
    judge: str | None,
    base: str | None,
    known: Path | None,
    judged: int,
    examples: int,
    by: str,
    seed: int,
    as_json: bool,
) -> int:
    """Compare the examples of runs, source by source, at equal numbers: also of a run that is still going on.

    Without --judge and --base no language model is asked. What a model answers is kept, and asked once.
    """
    from engine.cli.find import find_run
    from engine.locations import locate
    from engine.store.database import open_reader

    locations = locate()
    reader = open_reader(locations.database)
    runs = [find_run(reader, run_id) for run_id in dict.fromkeys(run_ids)]
    asked = Asked(judge, base, known, judged)
    found, _, notes = compared(reader, locations, runs, asked, examples=examples, by_kind=by == "kind", with_map=as_json, seed=seed)
    put({"comparison": found, "notes": notes}, as_json, lambda: _text(found, notes))
    return ExitCode.DONE


def _text(found: DataComparison, notes: list[str]) -> str:
    from engine.comparison_table import comparison_rows, comparison_sentences

    several = "s" if len(found.sources) > 1 else ""
    head = f"{found.task}: {len(found.sources)} source{several}, seed {found.seed}"
    rows = table(("", *(one.name for one in found.sources)), comparison_rows(found), widest=_WIDEST)
    return "\n".join([head, rows, *comparison_sentences(found), *notes])
