"""A comparison of two sources as `compare-data` answers it, and a process that stands in for the engine."""

from __future__ import annotations

import fcntl
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from datatune_tui.measured import Examples, Measured, read_answer
from engine.cli.output import plain
from engine.compare_data import Between, DataComparison, Placed, compare_data
from engine.data_sources import DataSource, Kind
from engine.quality.diversity import Interval, Spread
from engine.quality.regions import Map, Regions
from engine.records import Example, Generated, Source
from tests.datatune_tui.stored import NOTES, OUTPUTS, TASK, Home

NOTES_SOURCE, WRITTEN_SOURCE = "transformed: notes", "synthetic: [b]generate[/b]"
REGIONS = Regions(9, Interval(0.81, 0.74, 0.88), Interval(0.5, 0.41, 0.6), 5, True, "told apart with AUC 0.81 (0.74 to 0.88)")


@cache
def comparison() -> DataComparison:
    """Nine notes and nine synthetic ones, measured; spread, regions and map written down, the same on every machine."""
    found = compare_data([_source(NOTES_SOURCE, "transformed", ""), _source(WRITTEN_SOURCE, "synthetic", "It is written that ")], TASK)
    spread = (Spread(9, 0.72, 6.4, 9), Spread(9, 0.31, 2.2, 9))
    sources = tuple(msgspec.structs.replace(one, spread=spread[place]) for place, one in enumerate(found.sources))
    # Two halves of the plane, and one point of each source in the same place.
    x = (*(float(n % 3) for n in range(8)), 4.0, *(5.0 + n % 3 for n in range(8)), 4.0)
    y = (*(float(n // 3) for n in range(8)), 1.0, *(float(n // 3) for n in range(8)), 1.0)
    placed = Placed((NOTES_SOURCE,) * 9 + (WRITTEN_SOURCE,) * 9, (*range(9), *range(9)), Map(tuple(range(18)), x, y, 5.0))
    regions = (Between(NOTES_SOURCE, WRITTEN_SOURCE, REGIONS),)
    return msgspec.structs.replace(found, sources=sources, regions=regions, map=placed, embedder="hashing-384")


def answer(notes: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the command prints."""
    found: dict[str, Any] = json.loads(json.dumps(plain({"comparison": comparison(), "notes": notes})))
    return found


def run_of_both(home: Home) -> str:
    """A run with the examples that were compared."""
    run = home.finished()
    home.step(run, "generate", Generated("tiny.gguf", 9, 9))
    home.units(f"{run} generate", 9)
    return run


def measured(run: str, at: float) -> Measured:
    """As the screens keep it."""
    return read_answer(answer(), Examples((f"{run} execute owner/notes", f"{run} generate"), 18, ""), at, "")


class StandIn:
    """A program in Python's place: it notes how it was called, tells progress, waits for a gate, and says what was written down for it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder / "stand-in"
        self._folder.mkdir()
        self._gate = (self._folder / "gate").open("w")
        self.says(answer())
        program = self._folder / "python"
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(self._folder)))
        program.chmod(0o700)
        monkeypatch.setattr("datatune_tui.engine_process.sys.executable", str(program))

    def hold(self) -> None:
        """Let none of it pass the gate; for good, unless it is let go."""
        fcntl.flock(self._gate, fcntl.LOCK_EX)

    def let_go(self) -> None:
        """Open the gate again."""
        fcntl.flock(self._gate, fcntl.LOCK_UN)

    def says(self, value: Any, code: int = 0) -> None:
        """What it prints, and its exit code."""
        (self._folder / "says.json").write_text(json.dumps({"out": value, "code": code}))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """{"arguments", "pid", "progress"} of each time it was started."""
        file = self._folder / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


PROGRAM = """\
#!{python} -IS
import fcntl, json, os, sys
folder = {folder!r}
with open(folder + "/calls.jsonl", "a") as calls:
    call = dict(arguments=sys.argv[4:], pid=os.getpid(), progress=os.environ.get("DATATUNE_PROGRESS"))
    calls.write(json.dumps(call) + "\\n")
sys.stderr.write("a warning of a library\\n")
sys.stderr.write(json.dumps(dict(doing="embedding", done=64, of=400, rate=16.0, unit="examples")) + "\\n")
sys.stderr.flush()
with open(folder + "/gate") as gate:
    fcntl.flock(gate, fcntl.LOCK_SH)
told = json.load(open(folder + "/says.json"))
print(json.dumps(told["out"]))
sys.exit(told["code"])
"""


def _source(name: str, kind: Kind, before: str) -> DataSource:
    origin: Any = "written" if kind == "synthetic" else "derived"
    made = [
        Example(
            f"{before}{NOTES[n % 3]} ({n})", OUTPUTS[n % 3], origin, Source("owner/notes", "default", "train", n, licence="cc0-1.0"), ""
        )
        for n in range(9)
    ]
    return DataSource(name, kind, ("run",), (name,), len(made), 0, False, frozenset(), tuple(made))
