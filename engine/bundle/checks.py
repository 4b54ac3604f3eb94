"""The rows of a bundle, checked one by one before any is stored: types, the records they must decode into, and what belongs to what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from engine.bundle.archive import Archive
from engine.bundle.contents import AdapterFile, TestFile, rows_entry
from engine.config import check_role, stage_options
from engine.curve import Point
from engine.errors import BadInput
from engine.evaluate.bigbench import FILE
from engine.locations import ADAPTER_DIGITS
from engine.plain_text import one_line
from engine.records import Example, Finetuned, MixUnit, Task, Value
from engine.stages import STAGE_NAMES, stage
from engine.store.copying import (
    TABLES,
    EventRow,
    ItemRow,
    LinkRow,
    RunRow,
    StepRow,
    Table,
)
from engine.store.origins import UNBUNDLED
from engine.store.runs import RunSettings

MOST_STEPS = 10_000
MOST_HELD = {"runs": 64 << 20, "steps": 256 << 20, "run_steps": 16 << 20}
"""Bytes of the tables whose rows are all kept in memory."""
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_MADE: dict[str, type[Value]] = {"execute": Example, "generate": Example, "finetune": Point}
"""What an accepted unit of a stage holds."""


class Read(Value):
    """What was learnt of a bundle's rows."""

    run: RunRow
    task: Task
    settings: RunSettings
    steps: dict[str, StepRow]
    links: tuple[LinkRow, ...]
    units: dict[str, int]
    """Of each step."""


def table_rows(archive: Archive, table: Table) -> Iterator[Value]:
    """The rows of a table as a bundle has them, each of the right types. Raises BadInput."""
    decoder: msgspec.json.Decoder[Value] = msgspec.json.Decoder(table.row)
    name = rows_entry(table.name)
    number = 0
    for number, line in enumerate(archive.rows(name), 1):
        try:
            yield decoder.decode(line)
        except _UNREADABLE as error:
            raise archive.bad(f"{name}, row {number:,}: {one_line(str(error), 120)}") from None
    if number != archive.manifest.rows.get(table.name):
        raise archive.bad(f"{name} has {number:,} rows, its manifest says otherwise")


def check_rows(archive: Archive, tell: Callable[[int], None]) -> Read:
    """Read every row once. Raises BadInput with the first thing that is wrong."""
    if archive.manifest.rows.keys() != {table.name for table in TABLES}:
        raise archive.bad("its tables are not those a bundle has")
    by_name = {table.name: table for table in TABLES}
    if any(rows_entry(name) not in {entry.name for entry in archive.manifest.entries} for name in by_name):
        raise archive.bad("a table is missing")
    for name, most in MOST_HELD.items():
        if archive.bytes_of(rows_entry(name)) > most:
            raise archive.bad(f"{rows_entry(name)} has over {most >> 20} MB")
    done = 0

    def told(table: Table) -> Iterator[Value]:
        nonlocal done
        yield from table_rows(archive, table)
        done += archive.bytes_of(rows_entry(table.name))
        tell(done)

    runs = list(told(by_name["runs"]))
    if len(runs) != 1 or not isinstance(run := runs[0], RunRow):
        raise archive.bad(f"{len(runs)} runs in it")
    about = archive.manifest.run
    if (run.id, run.task_name, run.created) != (about.id, about.task_name, about.created):
        raise archive.bad("its run is not the one its manifest names")
    task, settings = _run(archive, run)
    steps: dict[str, StepRow] = {}
    for row in told(by_name["steps"]):
        assert isinstance(row, StepRow)
        if row.fingerprint in steps or len(steps) >= MOST_STEPS:
            raise archive.bad("a step stands in it twice, or too many do")
        steps[row.fingerprint] = _step(archive, row)
    links = [row for row in told(by_name["run_steps"]) if isinstance(row, LinkRow)]
    places = {(link.stage, link.candidate) for link in links}
    if len(places) != len(links) or {link.step for link in links} != steps.keys():
        raise archive.bad("the steps in it are not those its run took")
    for link in links:
        if link.stage != steps[link.step].stage:
            raise archive.bad(f"a step is of {one_line(steps[link.step].stage, 20)}, and its run took it for {one_line(link.stage, 20)}")
    units: Counter[str] = Counter()
    for name in ("items", "suspects", "trends", "calls", "step_calls", "reviews", "events", "progress"):
        for number, row in enumerate(told(by_name[name]), 1):
            fingerprint = getattr(row, "step", None)
            if name != "progress" and fingerprint is not None and fingerprint not in steps:
                raise archive.bad(f"{rows_entry(name)}, row {number:,}: of a step that is not in it")
            if isinstance(row, ItemRow):
                units[row.step] += 1
                _unit(archive, row, steps[row.step].stage, number)
            elif isinstance(row, EventRow):
                _event(archive, row, number)
    _files(archive, steps)
    return Read(run, task, settings, steps, tuple(links), dict(units))


def _run(archive: Archive, run: RunRow) -> tuple[Task, RunSettings]:
    try:
        task = msgspec.json.decode(run.task, type=Task)
        settings = msgspec.json.decode(run.settings, type=RunSettings)
    except _UNREADABLE as error:
        raise archive.bad(f"its task or settings cannot be read: {one_line(str(error), 120)}") from None
    if task.name != run.task_name:
        raise archive.bad("its task has two names")
    try:
        if not settings.options.keys() <= set(STAGE_NAMES):
            raise BadInput("options of stages that this DataTune does not have")
        for name, options in settings.options.items():
            stage_options(name, options)
        for role in settings.models:
            check_role(role, "models")
    except BadInput as error:
        raise archive.bad(f"its settings: {one_line(error.title, 120)}") from None
    return task, settings


def _step(archive: Archive, step: StepRow) -> StepRow:
    if step.stage not in STAGE_NAMES:
        raise archive.bad(f"a step of {one_line(step.stage, 20)!r}, a stage that this DataTune does not have")
    if step.state in ("new", "running"):
        raise archive.bad(f"a step of {step.stage} is {step.state} in it")
    if step.state == "done" and not step.record:
        raise archive.bad(f"a step of {step.stage} is done without a record")
    kind = stage(step.stage)
    try:
        msgspec.json.decode(step.options, type=kind.options)
        record = msgspec.json.decode(step.record, type=kind.record) if step.record else None
    except _UNREADABLE as error:
        raise archive.bad(f"what {step.stage} made cannot be read: {one_line(str(error), 120)}") from None
    # The place of an adapter is a path that is opened later.
    if isinstance(record, Finetuned) and record.adapter != f"{step.fingerprint[:ADAPTER_DIGITS]}/adapter":
        raise archive.bad(f"an adapter that is not where adapters are: {one_line(record.adapter, 60)!r}")
    return step


def _unit(archive: Archive, row: ItemRow, stage_name: str, number: int) -> None:
    kind = MixUnit if stage_name == "mix" else _MADE.get(stage_name) if row.state == "accepted" else None
    if kind is None or (row.state == "failed" and not row.result):
        return
    try:
        msgspec.json.decode(row.result, type=kind)
    except _UNREADABLE as error:
        raise archive.bad(f"{rows_entry('items')}, row {number:,}: {one_line(str(error), 120)}") from None


def _event(archive: Archive, row: EventRow, number: int) -> None:
    if row.kind == UNBUNDLED:
        raise archive.bad(f"{rows_entry('events')}, row {number:,}: says what only this machine may say")
    try:
        msgspec.json.decode(row.data, type=dict[str, Any])
    except _UNREADABLE as error:
        raise archive.bad(f"{rows_entry('events')}, row {number:,}: {one_line(str(error), 120)}") from None


def _files(archive: Archive, steps: dict[str, StepRow]) -> None:
    """Every file has its entry, every entry its file, and adapters are of trainings that are in the bundle and done."""
    manifest = archive.manifest
    named = [file.entry for file in manifest.files]
    held = {entry.name for entry in manifest.entries if entry.name.startswith("files/")}
    if len(set(named)) != len(named) or set(named) != held:
        raise archive.bad("its files are not those its manifest names")
    tests = [file for file in manifest.files if isinstance(file, TestFile)]
    if len(tests) != len({file.part for file in tests}) or (tests and "" not in {file.part for file in tests}):
        raise archive.bad("two tests, or parts of none")
    if len(tests) > 1 and any(file.name != FILE for file in tests):
        raise archive.bad("a test of several files that is no task of BIG-bench")
    places = set()
    for file in manifest.files:
        if isinstance(file, AdapterFile):
            step = steps.get(file.step)
            if step is None or step.stage != "finetune" or step.state != "done" or (file.step, file.name) in places:
                raise archive.bad("an adapter of no training that is in it")
            places.add((file.step, file.name))
