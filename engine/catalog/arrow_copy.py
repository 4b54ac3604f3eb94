"""An Arrow copy of a split, written once into the cache: random access to any format in bounded memory."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.catalog.delimited import delimited_rows
from engine.catalog.json_file import json_rows
from engine.catalog.kinds import Observed, stored
from engine.catalog.layout import DataFile
from engine.catalog.sheets import sheet_rows
from engine.errors import BadInput, EngineError, StoreUnusable
from engine.records import ColumnKind

KINDS_KEY = b"datatune.kinds"
"""Schema metadata: column name → kind; kinds that Arrow does not hold as such are stored as JSON text."""
AS_JSON = ("list", "dict", "mixed")
BATCH_ROWS = 1000
BATCH_BYTES = 16 << 20
_COPY_VERSION = 1


def arrow_copy(root: Path, files: tuple[DataFile, ...], cache: Path, digest: str) -> Path:
    """The split's Arrow copy, made if the cache has none.

    Raises BadInput when a file cannot be read, StoreUnusable when the cache cannot be written.
    """
    key = hashlib.sha256(json.dumps([_COPY_VERSION, digest, [(file.path, file.part) for file in files]]).encode()).hexdigest()
    path = cache / "rows" / f"{key[:32]}.arrow"
    if path.exists():
        return path
    draft = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if files[0].format in ("parquet", "arrow"):
            _copy_arrow(root, files, draft)
        else:
            _copy_rows(root, files, draft)
        draft.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise StoreUnusable(
                f"The cache in {cache} cannot be written: {error.strerror}", "Free some space or move DATATUNE_HOME."
            ) from error
        raise BadInput(f"{files[0].path} cannot be read: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return path


def copied_kinds(path: Path) -> dict[str, ColumnKind]:
    """Column name → kind, for a copy of texts or JSON; empty for a copy of Parquet or Arrow files."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        kinds: dict[str, ColumnKind] = json.loads((pa.ipc.open_stream(source).schema.metadata or {}).get(KINDS_KEY, b"{}"))
    return kinds


def files_digest(root: Path, files: Iterable[DataFile]) -> str:
    """SHA-256 over path and bytes of the files, each counted once."""
    total = hashlib.sha256()
    for path in dict.fromkeys(file.path for file in files):
        full = root / path
        parts = [*sorted(full.glob("*.arrow")), full / "state.json"] if path.endswith("/") else [full]
        for part in parts:
            status = part.stat()
            digest = _file_digest(part.resolve(), status.st_size, status.st_mtime_ns)
            total.update(f"{part.relative_to(root).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


@lru_cache(maxsize=4096)
def _file_digest(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _source_rows(root: Path, file: DataFile) -> Iterator[dict[str, Any]]:
    path = root / file.path
    if file.format == "delimited":
        return delimited_rows(path)
    if file.format == "sheet":
        return sheet_rows(path, file.part)
    if file.format in ("lines", "array", "columns", "keyed"):
        return json_rows(path, file.format, file.part)
    raise AssertionError(file.format)


def _copy_rows(root: Path, files: tuple[DataFile, ...], draft: Path) -> None:
    """Read everything twice: to learn the kinds, then to write them, so that memory stays bounded."""
    import pyarrow as pa

    texts_only = files[0].format in ("delimited", "sheet")
    observed: dict[str, Observed] = {}
    for row in _all_rows(root, files):
        for name, value in row.items():
            if name not in observed:
                observed[name] = Observed(texts_only=texts_only)
            observed[name].see(value)
    kinds = {name: seen.kind() for name, seen in observed.items()}
    types = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "null": pa.null()}
    fields = [pa.field(name, types.get(kind, pa.large_string())) for name, kind in kinds.items()]
    schema = pa.schema(fields, metadata={KINDS_KEY: json.dumps(kinds).encode()})
    with draft.open("wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in _batches(_all_rows(root, files), kinds, texts_only):
            writer.write_batch(pa.record_batch([pa.array(batch[field.name], field.type) for field in schema], schema=schema))
        sink.flush()
        os.fsync(sink.fileno())


def _all_rows(root: Path, files: tuple[DataFile, ...]) -> Iterator[dict[str, Any]]:
    rows = itertools.chain.from_iterable(_source_rows(root, file) for file in files)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except (EngineError, OSError):
            raise
        except (EOFError, ValueError) as error:
            raise BadInput(f"{files[0].path} cannot be read to its end: {error}", "The file may be cut off; fetch it again.") from error
        yield row


def _batches(rows: Iterator[dict[str, Any]], kinds: dict[str, ColumnKind], texts_only: bool) -> Iterator[dict[str, list[Any]]]:
    batch: dict[str, list[Any]] = {name: [] for name in kinds}
    count = size = 0
    for row in rows:
        for name, kind in kinds.items():
            cell = stored(row.get(name), kind, texts_only=texts_only)
            size += len(cell) if isinstance(cell, str) else 8
            batch[name].append(cell)
        count += 1
        if count >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch = {name: [] for name in kinds}
            count = size = 0
    if count:
        yield batch


def _copy_arrow(root: Path, files: tuple[DataFile, ...], draft: Path) -> None:
    """Copy Parquet or Arrow files under one schema, batch by batch."""
    import pyarrow as pa

    try:
        schemas = [schema for file in files for schema in _schema(root / file.path, file.format)]
        # Types may differ between shards (all null in one, text in another); names may not.
        schema = (
            schemas[0] if all(schema.equals(schemas[0]) for schema in schemas) else pa.unify_schemas(schemas, promote_options="permissive")
        )
        schema = schema.with_metadata(schemas[0].metadata)
        with draft.open("wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for file in files:
                for batch in _arrow_batches(root / file.path, file.format):
                    table = pa.Table.from_batches([batch])
                    if table.schema.names != schema.names:
                        missing = [name for name in schema.names if name not in table.schema.names]
                        for name in missing:
                            table = table.append_column(name, pa.nulls(table.num_rows, schema.field(name).type))
                        table = table.select(schema.names)
                    writer.write_table(table.cast(schema))
            sink.flush()
            os.fsync(sink.fileno())
    except pa.ArrowException as error:
        raise BadInput(f"{files[0].path} cannot be read: {str(error).splitlines()[0][:200]}") from error


def _schema(path: Path, kind: str) -> list[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "parquet":
        return [pq.read_schema(path)]
    with pa.memory_map(str(path)) as source:
        return [_opened(source).schema]


def _arrow_batches(path: Path, kind: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "parquet":
        with pq.ParquetFile(path) as file:
            rows = max(1, file.metadata.num_rows)
            size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
            yield from file.iter_batches(batch_size=max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, size))))
        return
    with pa.memory_map(str(path)) as source:
        reader = _opened(source)
        if isinstance(reader, pa.RecordBatchStreamReader):
            yield from reader
        else:
            for place in range(reader.num_record_batches):
                yield reader.get_batch(place)


def _opened(source: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.ipc.open_stream(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_file(source)
