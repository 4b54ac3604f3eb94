"""datatune report: a run as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.comparing import Asked, asking_options, compared
from engine.cli.output import SEED, json_option, note, put
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from engine.compare_data import DataComparison
    from engine.data_sources import DataSource


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--to", "file", required=True, type=click.Path(path_type=Path), help="HTML file to write; one that is there is replaced.")
@click.option("--examples", default=500, show_default=True, type=click.IntRange(2, 100_000), help="Examples of each source, drawn by seed.")
@click.option("--samples", default=10, show_default=True, type=click.IntRange(0, 1000), help="Examples of each source to read in full.")
@asking_options
@click.option("--seed", default=0, show_default=True, type=SEED, help="Decides which examples are drawn.")
@json_option
def report(
    run_id: str,
    file: Path,
    examples: int,
    samples: int,
    judge: str | None,
    base: str | None,
    known: Path | None,
    judged: int,
    seed: int,
    as_json: bool,
) -> int:
    """Write what a run did, and what its examples are worth, as one HTML file that needs no network.

    What was found, chosen and why, the plan, counts, losses of trainings, scores of models and arms, measures by source, a map to hover
    over, examples to read, what was left out, licences, leakage, cost. Any run will do, also one that goes on or failed. Without --judge
    and --base no language model is asked.
    """
    from engine.cli.find import find_run
    from engine.locations import locate
    from engine.report.content import read_report
    from engine.report.page import page
    from engine.store.database import open_reader
    from engine.whole_file import must_be_writable, written_whole

    file = file.expanduser()
    must_be_writable(file)
    locations = locate()
    reader = open_reader(locations.database)
    run = find_run(reader, run_id)
    found: DataComparison | None = None
    drawn: list[DataSource] = []
    notes: list[str] = []
    try:
        asked = Asked(judge, base, known, judged)
        found, drawn, notes = compared(reader, locations, [run], asked, examples=examples, with_map=True, seed=seed)
    except BadInput as error:
        if asked.specs or known:
            raise
        notes = [f"Nothing was measured: {error.title}."]
        note(f"nothing is measured: {error.title}")
    told = read_report(reader, run, drawn, samples=samples)
    text = page(told, found, drawn, notes)
    with written_whole(file) as out:
        out.write(text)
    size = len(text.encode("utf-8", "backslashreplace"))
    put(
        {"run": run.id, "file": str(file), "bytes": size, "sources": len(drawn), "notes": notes},
        as_json,
        lambda: f"{file}: {size / 1e6:.1f} MB; open it in any browser",
    )
    return ExitCode.DONE
