"""How fast a plan without model steps turns rows into stored examples here."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path

from engine.catalog.rows import open_rows
from engine.catalog.scan import scan_folder
from engine.loop import Loop
from engine.plan.compile import compile_plan
from engine.plan.steps import Emit, Map, Plan
from engine.plan.units import Accepted
from engine.records import Output, Task, Value
from engine.stages.execute import entering, straight
from engine.store.database import open_writer

GRADES = {"a": "low", "b": "middle", "c": "high"}


class RowRates(Value):
    """Rows a second for a look-up and a template on four columns."""

    rows: int
    read: float
    """Rows read in seeded order from their Arrow copy."""
    planned: float
    """Read and turned into examples."""
    stored: float
    """Read, turned into examples and committed, as a run does it."""
    grown_bytes: int
    """Memory the process holds more at the end of the last pass than at its beginning."""


def bench_rows(rows: int) -> RowRates:
    """Three passes over `rows` made-up rows, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="datatune-bench-") as name:
        folder = Path(name)
        _write(folder / "data" / "train.csv", rows)
        source = open_rows(scan_folder(folder / "data"), cache=folder / "cache")
        plan = Plan(
            name="grades",
            steps=(Map(value="code", into="grade", table=GRADES),),
            emit=Emit(input="{{ text }} at {{ place }}", output="{{ grade }}"),
        )
        task = Task("grades", "Tell how high the river is.", output=Output("label", tuple(GRADES.values())))
        program = compile_plan(plan, source.columns, task=task)
        read = _rate(lambda: sum(1 for _ in program.units(source)))
        planned = _rate(lambda: sum(isinstance(program.outcome(unit), Accepted) for unit in program.units(source)))
        connection = open_writer(folder / "bench.db")
        loop = Loop(connection, "bench", native=False)

        def store() -> int:
            for _ in loop.drive(entering(program, source), itemgetter(0), straight, lambda accepted: False):
                pass
            loop.commit()
            return loop.counts().accepted

        before = _held_bytes()
        stored = _rate(store)
        grown = _held_bytes() - before
        connection.close()
    return RowRates(rows, read, planned, stored, grown)


def _write(path: Path, rows: int) -> None:
    path.parent.mkdir()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "code", "place", "number"))
        codes = tuple(GRADES)
        writer.writerows(
            (f"Reading number {n} of the river near town {n * 7 % 999}", codes[n * 31 % 3], f"place {n % 50}", n) for n in range(rows)
        )


def _rate(work: Callable[[], int]) -> float:
    begun = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - begun)


def _held_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)
