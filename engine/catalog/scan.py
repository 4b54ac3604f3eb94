"""A folder of data as configs and splits: every data file named, grouped by schema, nothing outside the folder touched."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.catalog.card import Card, Feature, features_in, parse_card, read_card
from engine.catalog.delimited import dialect_of
from engine.catalog.grouping import configs_of, split_named_in
from engine.catalog.json_file import json_tables
from engine.catalog.layout import DataFile, DataFolder
from engine.catalog.sheets import sheet_tables
from engine.catalog.text_file import plain_name
from engine.errors import BadInput

FILE_LIMIT = 20_000
SNIFF_LIMIT = 300
"""Files looked into one by one; beyond it one of each numbered series stands for the others."""

ENDINGS: dict[str, str] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".xlsx": "sheet",
    ".xlsm": "sheet",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
CARD_NAMES = ("README.md", "readme.md", "Readme.md", "README.MD", "README.markdown", "README.txt", "README")
DESCRIBING = re.compile(
    r"(?:dataset_?(?:info|infos|dict|card)|state|meta|metadata|info|index|manifest|config|schema|croissant|data_?package|package|"
    r"licen[cs]e|citation|stats|statistics|readme|checksums?|version)",
    re.IGNORECASE,
)
"""Stems of files that describe data; they are read as rows only where there is nothing else."""


def scan_folder(folder: Path, dataset: str = "", *, within: Path | None = None, revision: str = "", card: Card | None = None) -> DataFolder:
    """Find out what data lies in a folder, or in one file.

    Raises BadInput when there is no such folder, or nothing in it that can be read, with the reasons.
    """
    if not folder.exists():
        raise BadInput(f"There is no folder {folder}", "Check the path.")
    single = folder if folder.is_file() else None
    root = folder.parent if single else folder
    boundary = (within or root).resolve()
    name = dataset or folder_name(folder)
    notes: list[str] = []
    paths = [single.name] if single else list(_walk(root, boundary, notes))
    found_card = card or (parse_card(name, "") if single else _card(root, boundary, name))
    files = _data_files(root, paths, notes)
    if not files:
        raise BadInput(_nothing_readable(name, paths, notes), _hint(paths, notes))
    configs = configs_of(files, found_card, _declared_features(root, paths), notes)
    if not configs:
        raise BadInput(f"{name} holds no rows that can be read", "; ".join(notes[:2]))
    return DataFolder(
        dataset=name,
        folder=str(root.resolve()),
        within=str(boundary),
        configs=configs,
        card=found_card,
        revision=revision,
        notes=tuple(notes),
    )


def data_folders(path: Path) -> list[Path]:
    """The folder itself when it is a data set, else the data sets directly below it, by name.

    Raises BadInput when there is neither.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadInput(f"There is no folder {path}", "Check the path.")
    children = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith((".", "__")))
    holding = [child for child in children if _holds_data(child)]
    carded = [child for child in holding if _card_path(child)]
    if any(_is_data(entry) for entry in path.iterdir()) or (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        return [path]
    if carded or (holding and not _card_path(path) and not all(_part_of_one(child.name) for child in holding)):
        return holding
    if holding or any(_is_data(entry, describing=True) for entry in path.iterdir()):
        return [path]
    raise BadInput(f"{path} holds no data that can be read", "Expected: Parquet, CSV, TSV, JSON Lines, JSON, xlsx or save_to_disk folders.")


def folder_name(path: Path) -> str:
    """What a local folder goes by in the catalog: "local/" and its own name, safe to print."""
    resolved = path.resolve()
    stem = plain_name(resolved.name).rsplit(".", 1)[0] if path.is_file() else resolved.name
    return "local/" + (re.sub(r"[^\w.\-]+", "-", stem).strip("-.") or "data")[:96]


def _walk(root: Path, boundary: Path, notes: list[str]) -> Iterator[str]:
    """Relative paths of files in natural order; a folder written by `save_to_disk` counts as one."""
    count = 0
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted((name for name in folders if not name.startswith((".", "__"))), key=_natural)
        if "state.json" in names and _saved_state(here / "state.json", boundary):
            folders.clear()
            yield here.relative_to(root).as_posix() + "/"
            continue
        for name in sorted(names, key=_natural):
            if name.startswith("."):
                continue
            path = here / name
            if path.is_symlink() and not path.resolve().is_relative_to(boundary):
                notes.append(f"{path.relative_to(root).as_posix()}: a link that leads outside the folder, left out")
                continue
            count += 1
            if count > FILE_LIMIT:
                notes.append(f"more than {FILE_LIMIT:,} files; the rest is left out")
                return
            yield path.relative_to(root).as_posix()


def _data_files(root: Path, paths: list[str], notes: list[str]) -> list[DataFile]:
    """The tables of all readable files; describing files only where there is nothing else."""
    data = [path for path in paths if path.endswith("/") or Path(plain_name(path)).suffix.lower() in ENDINGS]
    rows = [path for path in data if path.endswith("/") or not DESCRIBING.fullmatch(Path(plain_name(path)).stem)]
    for path in data:
        if rows and path not in rows:
            notes.append(f"{path}: describes the data, not read as rows")
    files: list[DataFile] = []
    seen: dict[str, list[DataFile]] = {}
    for path in rows or data:
        series = re.sub(r"\d+", "#", path)
        if len(data) > SNIFF_LIMIT and series in seen and not path.endswith("/"):
            tables = [msgspec.structs.replace(table, path=path, size=(root / path).stat().st_size) for table in seen[series]]
        else:
            tables = _tables(root, path, notes)
            seen[series] = tables
        files.extend(tables)
    return files


def _tables(root: Path, path: str, notes: list[str]) -> list[DataFile]:
    """What tables one file holds; a damaged or empty one is a note."""
    full = root / path
    try:
        if path.endswith("/"):
            return [DataFile(path=path, format="saved", columns=_saved_columns(full), size=_folder_size(full))]
        size = full.stat().st_size
        kind = ENDINGS[Path(plain_name(path)).suffix.lower()]
        tables: list[DataFile]
        if size == 0:
            tables = []
        elif kind == "delimited":
            tables = [DataFile(path=path, format="delimited", columns=dialect_of(full).header, size=size)]
        elif kind == "json":
            tables = [DataFile(path=path, format=how, part=key, columns=names, size=size) for how, key, names in json_tables(full)]
        elif kind == "sheet":
            tables = [DataFile(path=path, format="sheet", part=sheet, columns=names, size=size) for sheet, names in sheet_tables(full)]
        else:
            tables = [
                DataFile(path=path, format="parquet" if kind == "parquet" else "arrow", columns=_arrow_columns(full, kind), size=size)
            ]
    except BadInput as error:
        notes.append(f"{path}: {error.title}")
        return []
    except OSError as error:
        notes.append(f"{path}: cannot be read ({error.strerror or error})")
        return []
    if not tables:
        notes.append(f"{path}: {'empty' if size == 0 else 'holds no rows'}")
    return tables


def _arrow_columns(path: Path, kind: str) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if kind == "parquet":
            return tuple(pq.read_schema(path).names)
        with pa.memory_map(str(path)) as source:
            try:
                return tuple(pa.ipc.open_stream(source).schema.names)
            except pa.ArrowInvalid:
                return tuple(pa.ipc.open_file(source).schema.names)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"no {kind} file that can be read: {str(error).splitlines()[0][:120]}") from error


def _saved_state(path: Path, boundary: Path) -> list[str]:
    """File names in a `save_to_disk` folder; empty when it is none or one of them lies elsewhere."""
    state = _json_object(path)
    names = [str(entry.get("filename", "")) for entry in state.get("_data_files") or () if isinstance(entry, dict)]
    inside = all((path.parent / name).resolve().is_relative_to(boundary) and "/" not in name for name in names)
    return names if names and inside and all((path.parent / name).is_file() for name in names) else []


def _saved_columns(folder: Path) -> tuple[str, ...]:
    features = _json_object(folder / "dataset_info.json").get("features")
    return tuple(map(str, features)) if isinstance(features, dict) else ()


def _folder_size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.arrow"))


def _declared_features(root: Path, paths: list[str]) -> dict[str, tuple[Feature, ...]]:
    """Features by config from `dataset_infos.json` or `dataset_info.json`, the older ways to declare them."""
    found: dict[str, tuple[Feature, ...]] = {}
    budget = [5000]
    if "dataset_info.json" in paths:
        found["default"] = tuple(features_in(_json_object(root / "dataset_info.json").get("features"), budget))
    if "dataset_infos.json" in paths:
        for name, info in _json_object(root / "dataset_infos.json").items():
            if isinstance(info, dict):
                found[name] = tuple(features_in(info.get("features"), budget))
    return found


def _json_object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > 1 << 26:
            return {}
        value = json.loads(path.read_text("utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _card(root: Path, boundary: Path, name: str) -> Card:
    """The folder's README, else what a describing JSON file says, else an empty card."""
    path = _card_path(root)
    if path and path.resolve().is_relative_to(boundary):
        return read_card(name, path)
    for describing in ("dataset_info.json", "meta.json", "metadata.json", "info.json", "datapackage.json"):
        about = _json_object(root / describing)
        told = [about[key] for key in about if str(key).lower() in ("description", "definition", "summary", "abstract", "about")]
        texts = [text for value in told for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
        if texts:
            return parse_card(name, "\n\n".join(texts))
    return parse_card(name, "")


def _card_path(folder: Path) -> Path | None:
    return next((folder / name for name in CARD_NAMES if (folder / name).is_file()), None)


def _is_data(entry: Path, *, describing: bool = False) -> bool:
    plain = Path(plain_name(entry.name))
    known = entry.is_file() and not entry.name.startswith(".") and plain.suffix.lower() in ENDINGS
    return known and (describing or not DESCRIBING.fullmatch(plain.stem))


def _holds_data(folder: Path) -> bool:
    for place, (_, _, names) in enumerate(os.walk(folder)):
        if any(Path(plain_name(name)).suffix.lower() in ENDINGS for name in names):
            return True
        if place > 200:
            return False
    return False


def _part_of_one(name: str) -> bool:
    """Whether a folder's name says that it is a piece of the data set above it."""
    return bool(split_named_in(name)) or name.lower() in ("data", "dataset", "raw", "default", "main", "parquet", "csv", "json")


def _nothing_readable(name: str, paths: list[str], notes: list[str]) -> str:
    if any(path.endswith(".py") for path in paths):
        return f"{name} is a loading script, and DataTune never runs code that comes with data"
    return f"{name} holds no data that can be read" + (f": {notes[0]}" if notes else "")


def _hint(paths: list[str], notes: list[str]) -> str:
    if any(path.endswith(".py") for path in paths):
        return "Look for a version of it in Parquet files, which most such data sets have."
    if any(path.endswith((".zip", ".tar", ".tgz", ".tar.gz", ".7z")) for path in paths):
        return "Unpack its archives first."
    return "; ".join(notes[1:3]) or "Expected: Parquet, CSV, TSV, JSON Lines, JSON, xlsx or save_to_disk folders."


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in re.split(r"(\d+)", name) if piece]
