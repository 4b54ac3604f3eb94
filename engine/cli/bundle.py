"""datatune bundle and datatune unbundle: a run as one file, and that file as a run on another machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.output import json_option, note, put
from engine.cli.progress import Meter
from engine.errors import ExitCode
from engine.plain_text import one_line

if TYPE_CHECKING:
    from engine.bundle.gather import Going
    from engine.bundle.read import Unbundled
    from engine.bundle.write import Bundled

_KB = 1000


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--to", "file", required=True, type=click.Path(path_type=Path), help="The file to write, such as RUN.datatune.")
@click.option("--weights", is_flag=True, help="Put the GGUF files in that the run's models are; they may be large.")
@click.option("--replace", is_flag=True, help="Write over the file if it is there.")
@json_option
def bundle(run_id: str, file: Path, weights: bool, replace: bool, as_json: bool) -> int:
    """Write a run into one file, for another machine: there, `datatune unbundle FILE`.

    In it are the task with its test, the settings, what every stage made, all examples, failures with what the model answered, reviews,
    the plan, the answers of models, the run's story, and the adapters it trained. Not in it are the rows of the data sets it used, its
    exports (export again), checkpoints of a training that has not ended, and, without --weights, models.
    """
    from engine.bundle.gather import gather
    from engine.bundle.write import check_target, write_bundle
    from engine.cli.find import find_run
    from engine.locations import locate
    from engine.store.database import open_reader, translated

    file = file.expanduser()
    check_target(file, replace)
    locations = locate()
    connection = open_reader(locations.database)
    with translated(locations.database):
        connection.execute("BEGIN")  # one state of everything, whatever others write meanwhile
    going = gather(connection, find_run(connection, run_id), locations, weights)
    note(_sizes(going))
    meters = _Meters()
    written = write_bundle(connection, going, file, meters.show)
    meters.end()
    connection.close()
    put({"bundled": written}, as_json, lambda: _written(written))
    return ExitCode.DONE


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def unbundle(file: Path, as_json: bool) -> int:
    """Take a run out of a file that `datatune bundle` wrote, into this machine's database and folders.

    Everything is checked before anything is stored, and all of it is stored or nothing. Steps that are here and done stay as they are;
    nothing is overwritten; the same run twice changes nothing. Take bundles from those you trust: what a bundle says was done, counts as
    done here.
    """
    from engine.bundle.read import unbundle as take_in
    from engine.locations import locate

    meters = _Meters()
    found = take_in(file.expanduser(), locate(), meters.show)
    meters.end()
    put({"unbundled": found}, as_json, lambda: _taken_in(found))
    return ExitCode.DONE


class _Meters:
    """One after the other, for what is being done."""

    def __init__(self) -> None:
        self._doing = ""
        self._meter = Meter("", sys.stderr.isatty())

    def show(self, doing: str, done: int, total: int) -> None:
        """How many bytes of it are done, of how many."""
        if doing != self._doing:
            self.end()
            self._doing, self._meter = doing, Meter(doing, sys.stderr.isatty())
        self._meter.show(done // _KB, max(done, total) // _KB, "kB")

    def end(self) -> None:
        """Clear the line."""
        self._meter.end()


def _sizes(going: Going) -> str:
    from engine.bundle.contents import AdapterFile, TestFile, WeightsFile

    parts = [f"about {_size(going.characters)} of rows before they are packed"]
    for what, kind in (("the test", TestFile), ("adapters", AdapterFile), ("weights", WeightsFile)):
        if size := going.bytes_of(kind):
            parts.append(f"{what} {_size(size)}")
    return f"run {going.run.id}: {', '.join(parts)}"


def _written(found: Bundled) -> str:
    rows = found.rows
    lines = [
        f"{found.file}: {_size(found.bytes)}",
        f"{rows['steps']:,} steps, {rows['items']:,} units, {rows['calls']:,} answers of models, {rows['reviews']:,} reviews, "
        f"{found.files:,} files",
    ]
    lines += [f"weights: {name}" for name in found.weights]
    lines += [f"not in it: {what}" for what in found.left_out]
    return "\n".join(lines)


def _taken_in(found: Unbundled) -> str:
    if found.already:
        return f"run {found.run} is here already, and was left as it is; to have it as the bundle has it, delete this one first"
    new = "" if found.run == found.was else f"; it was {found.was}, and that id is taken here by another run"
    kept = f", {found.kept:,} of them here already" if found.kept else ""
    lines = [
        f"run {found.run}: {found.state}, {found.examples:,} examples{new}",
        f"{found.steps:,} steps{kept}; {found.units:,} units and {found.answers:,} answers of models entered",
    ]
    lines += [f"test: {found.test}"] if found.test else []
    lines += [f"its test {one_line(found.test_missing, 160)} did not come along"] if found.test_missing else []
    lines += [f"adapter: {folder}" for folder in found.adapters]
    lines += [f"weights: {path}" for path in found.weights]
    lines += [f"asks a server, {server}" for server in found.servers]
    for missing in found.missing_models:
        role = missing.partition(":")[0]
        lines.append(f"not here: the model for {missing}; name one with --model: datatune resume {found.run} --model {role}=SPEC")
    lines += [f"not here: the rows of {one_line(name, 160)}; they are needed only to make more of them" for name in found.missing_data]
    lines.append(f"look at it: datatune show {found.run}")
    return "\n".join(lines)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.2f} GB"
