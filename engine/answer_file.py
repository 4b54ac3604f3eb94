"""What a task's test file holds, found by looking at its start: how many items, which columns, whether the outputs fit the task."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from engine.errors import BadInput
from engine.records import Value

LOOKED_AT = 8_000_000
"""Bytes of a file that are read; how many items a longer one holds is told from these."""
OUTPUTS_KEPT = 1000
FORMATS = "a test file is JSONL, JSON, CSV, TSV, Parquet or xlsx, with input and output"


class AnswerFile(Value, frozen=True):
    """A file of inputs with the right outputs."""

    items: int
    exact: bool
    """False where the file is longer than what was looked at: `items` is told from its start."""
    columns: tuple[str, ...]
    outputs: tuple[str, ...]
    """Different outputs among the first items, at most OUTPUTS_KEPT."""

    def told(self, labels: tuple[str, ...] = ()) -> str:
        """One line a person can check it by; outputs that are none of `labels` are named."""
        count = f"{'' if self.exact else 'about '}{self.items:,} item{'' if self.items == 1 else 's'}"
        columns = f"columns {', '.join(self.columns[:8])}{' …' if len(self.columns) > 8 else ''}"
        lacking = [name for name in ("input", "output") if name not in self.columns]
        said = f"{count}; {columns}" + (f"; none is called {' or '.join(lacking)}" if lacking else "")
        strange = [output for output in self.outputs if output not in labels] if labels else []
        more = f" and {len(strange) - 3:,} more" if len(strange) > 3 else ""
        return said + (f"; no labels: {', '.join(strange[:3])}{more}" if strange else "")


def look_at(path: Path) -> AnswerFile:
    """Look at a test file; reads at most LOOKED_AT bytes of a text file, whatever its length. Raises BadInput."""
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise BadInput(f"{path.name}: not a format that is read", FORMATS)
    try:
        return read(path)
    except (OSError, csv.Error) as error:
        raise BadInput(f"{path.name} cannot be read: {error}", FORMATS) from error


def _lines(path: Path) -> AnswerFile:
    text, share = _start(path)
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadInput(f"{path.name}, line {number}: no JSON", 'write lines such as {"input": "…", "output": "…"}') from error
            if not isinstance(row, dict):
                raise BadInput(f"{path.name}, line {number}: no JSON object", 'write lines such as {"input": "…", "output": "…"}')
            rows.append(row)
    return _found(path, iter(rows), share)


def _json(path: Path) -> AnswerFile:
    if path.stat().st_size > LOOKED_AT:
        raise BadInput(f"{path.name}: over {LOOKED_AT // 1_000_000} MB of one JSON value", "write it as JSON lines: .jsonl")
    text, share = _start(path)
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return _lines(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadInput(f"{path.name}: no list of JSON objects", FORMATS)
    return _found(path, iter(rows), share)


def _delimited(path: Path) -> AnswerFile:
    text, share = _start(path)
    first = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else max(",;\t", key=first.count)
    csv.field_size_limit(2**31 - 1)
    return _found(path, iter(csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter)), share)


def _parquet(path: Path) -> AnswerFile:
    import pyarrow as pa  # deferred: slow to import
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = tuple(file.schema_arrow.names)
            batch = next(file.iter_batches(OUTPUTS_KEPT, columns=["output"]), None) if "output" in columns else None
            outputs = tuple(dict.fromkeys(str(value) for value in batch.column(0).to_pylist())) if batch else ()
            return AnswerFile(int(file.metadata.num_rows), True, columns, outputs)
    except pa.ArrowException as error:
        raise BadInput(f"{path.name} is no Parquet file that can be read: {str(error).splitlines()[0]}", FORMATS) from error


def _sheet(path: Path) -> AnswerFile:
    from engine.catalog.sheets import sheet_rows, sheet_tables

    if path.stat().st_size > LOOKED_AT:
        raise BadInput(f"{path.name}: a workbook of over {LOOKED_AT // 1_000_000} MB", "save it as CSV")
    tables = sheet_tables(path)
    if not tables:
        raise BadInput(f"{path.name} has no sheet with a header and a row", FORMATS)
    return _found(path, sheet_rows(path, tables[0][0]), 1.0)


_READERS: Mapping[str, Callable[[Path], AnswerFile]] = {
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".json": _json,
    ".csv": _delimited,
    ".tsv": _delimited,
    ".tab": _delimited,
    ".parquet": _parquet,
    ".xlsx": _sheet,
}


def _start(path: Path) -> tuple[str, float]:
    """The file's first LOOKED_AT bytes as text, cut at a line's end, and which share of the file they are."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    if len(start) < size:
        start = start[: start.rfind(b"\n") + 1] or start
    return start.decode("utf-8-sig", "replace"), len(start) / size if size else 1.0


def _found(path: Path, rows: Iterator[Mapping[Any, Any]], share: float) -> AnswerFile:
    columns: dict[str, None] = {}
    outputs: dict[str, None] = {}
    count = 0
    # The last record of what was read may be cut within quotes.
    with suppress(csv.Error) if share < 1 else nullcontext():
        for row in rows:
            count += 1
            columns.update(dict.fromkeys(str(name) for name in row if name is not None))
            if row.get("output") is not None and len(outputs) < OUTPUTS_KEPT:
                outputs[str(row["output"])] = None
    if not count:
        raise BadInput(f"{path.name} holds no items", FORMATS)
    return AnswerFile(count if share == 1 else round(count / share), share == 1, tuple(columns), tuple(outputs))
