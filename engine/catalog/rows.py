"""Rows of one split, read through `datasets` from memory-mapped Arrow: streaming, any place at once, no network, no code."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.catalog.arrow_copy import AS_JSON, arrow_copy, copied_kinds, files_digest
from engine.catalog.card import class_names_in
from engine.catalog.layout import Config, DataFolder, Split
from engine.errors import BadInput
from engine.records import Column, ColumnKind, Row

READ_BYTES = 8 << 20
"""About how much Arrow data is turned into Python values at a time."""


def open_rows(data: DataFolder, config: str = "", split: str = "", *, cache: Path) -> DataRows:
    """The rows of one split; without names, of the first config and of "train" or the first split there is.

    `cache` is a folder for Arrow copies, keyed by what the files hold. Raises BadInput for a config or split
    that is not there and for files that cannot be read, StoreUnusable when the cache cannot be written.
    """
    chosen = data.config(config)
    part = data.split(config, split)
    root = Path(data.folder)
    try:
        revision = data.revision or files_digest(root, (file for each in chosen.splits for file in each.files))
        digest = files_digest(root, part.files) if not data.revision else f"{data.dataset}@{data.revision}"
    except OSError as error:
        raise BadInput(f"{data.dataset} has lost a file since it was added: {error.filename}", "Add the folder again.") from error
    return DataRows(data, chosen, part, revision, *_open_table(root, part, cache, digest))


class DataRows:
    """One split of one config (a RowSource). Values are plain: texts, numbers, booleans, None, lists, dicts, bytes;
    times are ISO 8601 texts, decimals are numbers, a float that is no number is None."""

    def __init__(self, data: DataFolder, config: Config, split: Split, revision: str, table: Any, kinds: dict[str, ColumnKind]) -> None:
        self.dataset = data.dataset
        self.config = config.name
        self.split = split.name
        self.revision = revision
        self.licence = data.card.licence
        self._table = table.with_format("arrow")  # the arrow format decodes no image and no sound
        schema = table.data.schema
        self._kinds = kinds
        self._batch = _batch_rows(table)
        self.columns = tuple(_column(field, self._kinds.get(field.name), table, config, data) for field in schema)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[Row]:
        index = 0
        for batch in self._table.iter(self._batch):
            for values in self._values(batch):
                yield Row(index=index, values=values)
                index += 1

    def take(self, indices: Sequence[int]) -> list[Row]:
        """The rows at these places, in the order asked for. Raises IndexError for a place that is not there."""
        count = len(self)
        for index in indices:
            if not 0 <= index < count:
                raise IndexError(f"{self.dataset} {self.split} has rows 0 to {count - 1}, not {index}")
        rows: list[Row] = []
        for start in range(0, len(indices), self._batch):
            places = [int(index) for index in indices[start : start + self._batch]]
            found = self._values(self._table[places])
            rows.extend(Row(index=index, values=values) for index, values in zip(places, found, strict=True))
        return rows

    def _values(self, batch: Any) -> Iterator[dict[str, Any]]:
        columns = []
        for name in batch.column_names:
            cells = batch.column(name).to_pylist()
            if self._kinds.get(name) in AS_JSON:
                cells = [None if cell is None else json.loads(cell) for cell in cells]
            elif name not in self._kinds and not _is_plain(batch.schema.field(name).type):
                cells = [_plain(cell) for cell in cells]
            columns.append(cells)
        names = batch.column_names
        for cells in zip(*columns, strict=True):
            yield dict(zip(names, cells, strict=True))


def shown(value: Any, limit: int = 500) -> str:
    """A cell as one text of at most `limit` characters, for screens and prompts."""
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _open_table(root: Path, split: Split, cache: Path, digest: str) -> tuple[Any, dict[str, ColumnKind]]:
    """The split as a `datasets` table, and the kinds its Arrow copy was given when it came from texts or JSON."""
    # Set before the first import, since the libraries read them once: reading rows never asks the network.
    os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import datasets
    import pyarrow as pa

    try:
        if split.files[0].format == "saved":
            parts = [datasets.load_from_disk(str(root / file.path)) for file in split.files]
            return (parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)), {}
        path = arrow_copy(root, split.files, cache, digest)
        try:
            return datasets.Dataset.from_file(str(path)), copied_kinds(path)
        except (pa.ArrowException, OSError):  # a damaged copy is made anew
            path.unlink(missing_ok=True)
            path = arrow_copy(root, split.files, cache, digest)
            return datasets.Dataset.from_file(str(path)), copied_kinds(path)
    except (pa.ArrowException, ValueError, TypeError, KeyError, OSError) as error:
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise BadInput(f"{split.files[0].path} cannot be read: {first}") from error


def _batch_rows(table: Any) -> int:
    rows = max(1, int(table.num_rows))
    return max(1, min(1000, READ_BYTES // max(1, int(table.data.nbytes) // rows)))


def _column(field: Any, kind: ColumnKind | None, table: Any, config: Config, data: DataFolder) -> Column:
    """Kind from the file; class names from the file's features, the card's, or the card's words, in this order."""
    kind = kind or _arrow_kind(field.type)
    description = data.card.columns.get(field.name, "")
    names = _feature_names(table.features.get(field.name)) if hasattr(table, "features") else ()
    if not names and kind in ("integer", "list"):
        names = next((feature.class_names for feature in config.features if feature.name == field.name), ())
    if not names and kind == "integer":
        names = class_names_in(description)
        if set(names) & set(table.column_names):  # "0 is choice1": places of columns, not names of classes
            names = ()
    if kind == "integer" and names:
        lowest, highest = _range(table, field.name)
        if lowest >= -1 and highest < len(names):
            kind = "class"
        else:
            names = ()
    return Column(name=field.name, kind=kind, class_names=names, description=description)


def _feature_names(feature: Any) -> tuple[str, ...]:
    """Names of a label, or of the labels in a list."""
    for _ in range(4):
        names = getattr(feature, "names", None)
        if names:
            return tuple(str(name) for name in names)
        feature = getattr(feature, "feature", None)
    return ()


def _range(table: Any, name: str) -> tuple[int, int]:
    import pyarrow.compute as pc

    found = pc.min_max(table.data.column(name)).as_py()
    return (0, 0) if found["min"] is None else (int(found["min"]), int(found["max"]))


def _arrow_kind(type_: Any) -> ColumnKind:
    from pyarrow import types

    type_ = getattr(type_, "storage_type", type_)
    if types.is_dictionary(type_):
        type_ = type_.value_type
    checks: tuple[tuple[ColumnKind, tuple[Any, ...]], ...] = (
        ("null", (types.is_null,)),
        ("boolean", (types.is_boolean,)),
        ("integer", (types.is_integer,)),
        ("number", (types.is_floating, types.is_decimal)),
        ("text", (types.is_string, types.is_large_string, types.is_string_view)),
        ("binary", (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)),
        ("list", (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)),
        ("dict", (types.is_struct, types.is_map)),
        ("time", (types.is_temporal,)),
    )
    return next((kind for kind, tests in checks if any(test(type_) for test in tests)), "mixed")


def _is_plain(type_: Any) -> bool:
    return _arrow_kind(type_) in ("text", "integer", "boolean", "null", "binary")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return {str(key): _plain(item) for key, item in value}  # an Arrow map
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value) if isinstance(value, datetime.timedelta) else value
