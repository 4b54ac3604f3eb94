"""Writes a run's bundle in one pass and bounded memory; the file is there whole or not at all, and the same run gives the same bytes."""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec

from engine.bundle.archive import opened
from engine.bundle.checks import check_rows
from engine.bundle.contents import (
    CHUNK,
    FORMAT,
    MANIFEST,
    MOST_MANIFEST,
    MOST_ROW,
    VERSION,
    About,
    Entry,
    Manifest,
    rows_entry,
)
from engine.bundle.gather import FileHere, Going
from engine.errors import BadInput
from engine.plain_text import one_line
from engine.records import Value
from engine.store.copying import TABLES, RunRow, StepRow, Table, rows_of
from engine.store.database import Connection
from engine.whole_file import must_be_writable, whole

SPARE = 16 << 20
"""Bytes left free on the disk."""
GONE = "its engine is gone"
Watch = Callable[[str, int, int], None]
"""Gets what is being done, how many bytes of it are, before packing, and of how many."""


class Bundled(Value):
    """A bundle that was written."""

    run: str
    file: str
    bytes: int
    rows: dict[str, int]
    """By table."""
    files: int
    weights: tuple[str, ...]
    """Names of the weights in it."""
    left_out: tuple[str, ...]
    """What a reader might miss, each with why it stayed."""


def check_target(path: Path, replace: bool) -> None:
    """Refuse a file that cannot or must not be written, before anything is read. Raises BadInput."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder", "name a file in it, such as RUN.datatune")
    if path.exists() and not replace:
        raise BadInput(f"{path} is there already", "name another file, or say --replace")
    if not path.parent.is_dir():
        raise BadInput(f"no folder {path.parent}", "make it first, or name another")
    must_be_writable(path)


def write_bundle(connection: Connection, going: Going, path: Path, watch: Watch = lambda doing, done, total: None) -> Bundled:
    """Write what was gathered over this connection, which is within one reading transaction. Raises BadInput.

    The rows are read back as another machine will read them before the file gets its name.
    """
    most = going.characters + sum(one.size for one in going.files)
    if (free := shutil.disk_usage(path.parent).free) < most + SPARE:
        raise BadInput(
            f"{path} may need {most / 1e9:.2f} GB, the disk has {free / 1e9:.2f} GB free", "free some space, or name a file elsewhere"
        )
    entries: list[Entry] = []
    rows: dict[str, int] = {}
    done = 0

    def tell(size: int) -> None:
        nonlocal done
        done += size
        watch("writing", done, most)

    with whole(path) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as bundle:
            for table in TABLES:
                lines = _Lines(connection, going, table)
                entries.append(_add(bundle, rows_entry(table.name), lines, tell))
                rows[table.name] = lines.count
            for one in going.files:
                entries.append(_add(bundle, one.file.entry, _content(one), tell, packed=False))
            about = About(going.run.id, going.run.task.name, going.run.created)
            manifest = Manifest(
                format=FORMAT,
                version=VERSION,
                program=version("datatune"),
                run=about,
                rows=rows,
                entries=tuple(entries),
                files=tuple(one.file for one in going.files),
                weights=going.weights,
                seen=going.seen,
            )
            text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"))
            if len(text) > MOST_MANIFEST:
                raise BadInput(f"run {going.run.id} names too much for a bundle: a manifest of {len(text):,} bytes", "report it")
            _add(bundle, MANIFEST, iter([text]), tell)
        size = part.stat().st_size
        _read_back(part, going, watch)
    weights = tuple(one.file.name for one in going.files if one.file.__struct_config__.tag == "weights")
    return Bundled(going.run.id, str(path), size, rows, len(going.files), weights, going.left_out)


def _read_back(part: Path, going: Going, watch: Watch) -> None:
    try:
        with opened(part) as archive:
            total = sum(archive.bytes_of(rows_entry(table.name)) for table in TABLES)
            check_rows(archive, lambda done: watch("checking", done, total))
    except BadInput as error:
        what = error.title.removeprefix(f"{part}: ").removesuffix("; nothing was stored")
        raise BadInput(f"run {going.run.id} cannot be bundled: {what}", "it may be of another version of DataTune: run it again") from error


class _Lines:
    """The rows of a table as lines of JSON, counted while they pass."""

    def __init__(self, connection: Connection, going: Going, table: Table) -> None:
        self.count = 0
        self._connection = connection
        self._going = going
        self._table = table

    def __iter__(self) -> Iterator[bytes]:
        try:
            for row in rows_of(self._connection, self._going.run.id, self._table):
                self.count += 1
                line = msgspec.json.encode(_at_rest(row)) + b"\n"
                if len(line) > MOST_ROW:
                    raise BadInput(f"{self._table.name}: a row of {len(line):,} bytes is too long for a bundle", "")
                yield line
        except msgspec.ValidationError as error:
            raise BadInput(
                f"{self._table.name} of run {self._going.run.id} holds what it should not: {one_line(str(error), 120)}",
                "run: datatune doctor",
            ) from error


def _at_rest(row: Value) -> Value:
    """The row as it is on a machine where nothing is at work on it."""
    if isinstance(row, RunRow | StepRow) and row.state == "running":
        return msgspec.structs.replace(row, state="interrupted", reason=row.reason or GONE)
    return row


def _content(one: FileHere) -> Iterator[bytes]:
    try:
        left = one.size
        with one.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise BadInput(f"{one.path} cannot be read: {error.strerror or error}", "check its permissions") from error
    if left:
        raise BadInput(f"{one.path} changed while it was read", "try again when nothing writes it")


def _add(bundle: zipfile.ZipFile, name: str, content: Iterable[bytes], tell: Callable[[int], None], packed: bool = True) -> Entry:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    sums, size = hashlib.sha256(), 0
    with bundle.open(info, "w", force_zip64=True) as out:
        for piece in content:
            sums.update(piece)
            size += len(piece)
            out.write(piece)
            tell(len(piece))
    return Entry(name, size, sums.hexdigest())
