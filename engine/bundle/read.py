"""Takes a bundle into this machine's database and folders: all of it, or nothing.

First every byte is compared with the manifest and every row with what it must be; files wait under names of their own. Then, in one
transaction, files go to their places and rows into the tables. A kill in between leaves at most files that no row speaks of.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from engine.adapters_here import drop_adapters
from engine.bundle.archive import Archive, opened
from engine.bundle.checks import Read, check_rows, table_rows
from engine.bundle.contents import AdapterFile, TestFile, WeightsFile
from engine.bundle.models_here import ModelsHere
from engine.bundle.places import Places, room, stage_files, staging
from engine.catalog.hub import is_cached
from engine.catalog_here import catalog_here
from engine.errors import Busy, StoreUnusable
from engine.locations import ADAPTER_DIGITS, Locations
from engine.records import Value
from engine.roles import Roles
from engine.store.copying import TABLES, RunRow, count_units, put_rows, put_step, run_taken, same_run, step_here
from engine.store.database import Connection, open_reader, open_writer, transaction, translated
from engine.store.events import add_event
from engine.store.origins import UNBUNDLED, Origin

ROOM = 3
"""How much of the disk rows take for a while: table, indexes and the log of the transaction, for each byte of JSON."""
SPARE = 64 << 20
"""Bytes left free on the disk."""
Watch = Callable[[str, int, int], None]
"""Gets what is being done, how many bytes of it are, and of how many."""


class Unbundled(Value):
    """What became of a bundle."""

    run: str
    """The run's id here."""
    was: str
    """Its id where it comes from."""
    already: bool = False
    """It was here, and nothing was changed."""
    state: str = ""
    examples: int = 0
    steps: int = 0
    kept: int = 0
    """Of the steps, those that were here and stayed as they are."""
    units: int = 0
    """That entered."""
    answers: int = 0
    """Of models, that entered."""
    test: str = ""
    """Where the task's test is now."""
    adapters: tuple[str, ...] = ()
    """Folders of adapters."""
    weights: tuple[str, ...] = ()
    """Where the bundle's weights are now."""
    models: dict[str, str] = {}
    """Role → spec, as the run has it here."""
    missing_models: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    """Roles whose model is a server, with its address."""
    missing_data: tuple[str, ...] = ()
    test_missing: str = ""
    """The path of the other machine, where the test did not come along."""


def unbundle(path: Path, locations: Locations, watch: Watch = lambda doing, done, total: None) -> Unbundled:
    """Take a bundle in. Raises BadInput for one that is not whole and true, Busy where an engine is at one of its steps, StoreUnusable."""
    with opened(path) as archive:
        about = archive.manifest.run
        if locations.database.exists():
            reader = open_reader(locations.database)
            with translated(locations.database):
                here = same_run(reader, about.task_name, about.created)
                reader.close()
            if here:
                return Unbundled(here, about.id, already=True)
        locations.ensure()
        rows = sum(entry.bytes for entry in archive.manifest.entries if entry.name.startswith("rows/"))
        files = sum(entry.bytes for entry in archive.manifest.entries if entry.name.startswith("files/"))
        room(locations, ROOM * rows + files + SPARE)
        with _nothing_stored(), staging(locations) as folder:
            read = check_rows(archive, lambda done: watch("checking rows", done, rows))
            staged = stage_files(archive, folder, lambda done: watch("checking files", done, files))
            connection = open_writer(locations.database)
            try:
                return _store(archive, read, staged, connection, locations, lambda done: watch("storing", done, rows))
            finally:
                connection.close()


@contextmanager
def _nothing_stored() -> Iterator[None]:
    """Say of a home that cannot be used that it is as it was."""
    try:
        yield
    except StoreUnusable as error:
        full = "disk is full" in error.title
        raise StoreUnusable(f"{error.title}; nothing was stored", "free some space, then unbundle again" if full else error.hint) from error


def _store(
    archive: Archive, read: Read, staged: dict[str, Path], connection: Connection, locations: Locations, tell: Callable[[int], None]
) -> Unbundled:
    drop_adapters(connection, locations)  # what a deleted run, or an earlier try, left in the way
    places = Places(locations, archive, staged)
    models = ModelsHere(archive, read.settings, locations, places.targets)
    try:
        with translated(locations.database), transaction(connection):
            if here := same_run(connection, read.run.task_name, read.run.created):
                return Unbundled(here, read.run.id, already=True)
            fresh = _fresh(connection, read)
            _move(archive, fresh, places, locations)
            made = _rows(archive, read, fresh, places.targets, models, connection, tell)
            places.keep()
    except BaseException:
        places.undo()
        raise
    return msgspec.structs.replace(made, missing_data=_missing_data(archive.manifest.seen.data, models.models, locations))


def _fresh(connection: Connection, read: Read) -> set[str]:
    """The steps that enter: those that are not here, and those that are finished in the bundle alone."""
    fresh = set()
    for fingerprint, step in read.steps.items():
        here = step_here(connection, fingerprint)
        if here is not None and here.owner is not None:
            raise Busy(
                f"{step.stage}: an engine (process {here.owner.pid}) is at a step of this run; nothing was stored",
                "wait for it, or cancel its run: datatune runs",
            )
        if here is None or (here.state != "done" and step.state == "done"):
            fresh.add(fingerprint)
    return fresh


def _move(archive: Archive, fresh: set[str], places: Places, locations: Locations) -> None:
    trained = {path.name for path in locations.adapters.glob("*")}
    for file in archive.manifest.files:
        # A step that stays as it is has its own adapter.
        if not (isinstance(file, AdapterFile) and file.step not in fresh and file.step[:ADAPTER_DIGITS] in trained):
            places.move(file.entry)


def _rows(
    archive: Archive,
    read: Read,
    fresh: set[str],
    paths: dict[str, Path],
    models: ModelsHere,
    connection: Connection,
    tell: Callable[[int], None],
) -> Unbundled:
    manifest = archive.manifest
    run = read.run.id
    while run_taken(connection, run):
        run = secrets.token_hex(3)
    tests = [(file.part, paths[file.entry]) for file in manifest.files if isinstance(file, TestFile)]
    heads = [path for part, path in tests if not part]
    # Of several files their folder is the test, whether it was given so or by its head: both are known by all.
    test = str(heads[0] if len(tests) == 1 else heads[0].parent) if heads else ""
    row = _run_row(read, run, models.models, test)
    entered: dict[str, int] = {}
    done = 0
    for table in TABLES:
        if table.name == "runs":
            put_rows(connection, table, [row], run)
        elif table.name == "steps":
            for fingerprint in sorted(fresh):
                put_step(connection, read.steps[fingerprint])
        else:
            everybodys = table.own or table.name in ("calls", "reviews")
            rows = table_rows(archive, table)
            entered[table.name] = put_rows(connection, table, rows if everybodys else _of(rows, fresh), run)
        done += archive.bytes_of(f"rows/{table.name}.jsonl")
        tell(done)
    for fingerprint in sorted(fresh):
        count_units(connection, fingerprint)
    origin = Origin(read.run.id, manifest.seen.catalog, manifest.seen.data, models.seen(manifest.seen.models), manifest.seen.plans)
    text = f"came in a bundle, as run {read.run.id} of another machine"
    add_event(connection, run, UNBUNDLED, text, origin=origin)
    return Unbundled(
        run=run,
        was=read.run.id,
        state=row.state,
        examples=row.examples,
        steps=len(read.steps),
        kept=len(read.steps) - len(fresh),
        units=entered["items"],
        answers=entered["calls"],
        test=test,
        adapters=tuple(sorted({str(paths[file.entry].parent) for file in manifest.files if _is_adapter(file)})),
        weights=tuple(str(paths[file.entry]) for file in manifest.files if isinstance(file, WeightsFile)),
        models=models.models,
        missing_models=tuple(models.missing()),
        servers=tuple(models.servers()),
        test_missing="" if test else read.task.test,
    )


def _run_row(read: Read, run: str, models: dict[str, str], test: str) -> RunRow:
    """The run as it is here: its test and its models where they lie now, exports under the home."""
    task = msgspec.structs.replace(read.task, test=test or read.task.test)
    settings = msgspec.structs.replace(read.settings, models=models, export_to="")
    return msgspec.structs.replace(
        read.run, id=run, task=msgspec.json.encode(task).decode(), settings=msgspec.json.encode(settings).decode()
    )


def _of(rows: Iterator[Value], fresh: set[str]) -> Iterator[Value]:
    return (row for row in rows if getattr(row, "step", None) in fresh)


def _is_adapter(file: object) -> bool:
    return isinstance(file, AdapterFile) and file.name == "adapter/adapter_model.safetensors"


def _missing_data(names: Iterable[str], models: dict[str, str], locations: Locations) -> tuple[str, ...]:
    """Data sets whose rows are not on this machine."""
    # Names are a stranger's: looked up, and not read.
    catalog = catalog_here(locations, Roles(models, locations))

    def here(name: str) -> bool:
        return Path(name).is_dir() if Path(name).is_absolute() else catalog.knows(name) or is_cached(name)

    return tuple(name for name in names if not here(name))
