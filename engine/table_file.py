"""A file of rows, whatever of the usual formats it has: JSONL, JSON, CSV, TSV, Parquet or xlsx."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.answer_file import FORMATS
from engine.errors import BadInput


def rows_in(path: Path) -> Iterator[dict[str, Any]]:
    """Every row in file order, of a workbook those of its first sheet. Raises BadInput for another format, or what cannot be read."""
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise BadInput(f"{path.name}: not a format that is read", FORMATS)
    try:
        yield from read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name} cannot be read: {error}", FORMATS) from error


def _json(path: Path) -> Iterator[dict[str, Any]]:
    from engine.catalog.json_file import json_rows, json_tables

    for layout, key, _ in json_tables(path)[:1]:
        yield from json_rows(path, layout, key)


def _delimited(path: Path) -> Iterator[dict[str, Any]]:
    from engine.catalog.delimited import delimited_rows

    return delimited_rows(path)


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1000):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise BadInput(f"{path.name} is no Parquet file that can be read: {str(error).splitlines()[0]}", FORMATS) from error


def _sheet(path: Path) -> Iterator[dict[str, Any]]:
    from engine.catalog.sheets import sheet_rows, sheet_tables

    for name, _ in sheet_tables(path)[:1]:
        yield from sheet_rows(path, name)


_READERS: Mapping[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
    ".csv": _delimited,
    ".tsv": _delimited,
    ".tab": _delimited,
    ".parquet": _parquet,
    ".xlsx": _sheet,
}
