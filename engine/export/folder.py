"""A folder that appears whole or not at all, and never at the cost of a file that somebody else put there or changed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from engine.errors import BadInput, StoreUnusable
from engine.records import Value
from engine.whole_file import unwritable

MANIFEST = "manifest.json"
FORMAT = "datatune-export/1"
"""Marks a manifest as ours; raised when its layout changes."""

PASSED_OVER = {".DS_Store", "Thumbs.db"}
"""What file browsers leave behind on their own."""

ANOTHER_FOLDER = "name another folder, or move this one out of the way"


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A new folder to write into; at the end of the block it is flushed to disk and takes the place of `target`.

    An earlier export at `target` is replaced; any other content there is left alone. Raises BadInput when `target` cannot be
    taken, StoreUnusable when the disk is full or the place cannot be written.
    """
    if not target.is_absolute():
        raise BadInput(f"{target}: the export's folder is not an absolute path", "give the whole path")
    target = target.resolve()
    new = target.parent / f".{target.name}.datatune-writing"
    old = target.parent / f".{target.name}.datatune-replaced"
    try:
        if old.is_dir() and not target.exists():
            old.rename(target)  # an engine died between the two renames below
        check_target(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            yield new
            _flush(new)
            shutil.rmtree(old, ignore_errors=True)
            if target.exists():
                target.rename(old)
            new.rename(target)
            _sync(target.parent)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise StoreUnusable(
            f"the export to {target} cannot be written: {error.strerror or error}",
            "free some space there, make it writable, or export elsewhere",
        ) from error


def check_target(target: Path) -> None:
    """Raises BadInput unless `target` is missing, empty, or an earlier export in which every file is as it was written."""
    if not target.exists():
        if why := unwritable(target):
            raise StoreUnusable(f"the export to {target} cannot be written: {why}", "make it writable, or export elsewhere")
        return
    if not target.is_dir():
        raise BadInput(f"{target}: a file, not a folder", "name another folder")
    files = [path for path in sorted(target.rglob("*")) if path.is_symlink() or not path.is_dir()]
    files = [path for path in files if path.name not in PASSED_OVER]
    if not files and not any(path.is_dir() for path in target.iterdir()):
        return
    listed = _listed(target / MANIFEST)
    if listed is None:
        raise BadInput(f"{target}: not empty, and not an earlier export", ANOTHER_FOLDER)
    for path in files:
        name = path.relative_to(target).as_posix()
        if name == MANIFEST:
            continue
        if name not in listed:
            raise BadInput(f"{target}: holds an earlier export and also {name}, which is not part of it", ANOTHER_FOLDER)
        if path.is_symlink() or file_digest(path) != listed[name]:
            raise BadInput(f"{target}: holds an earlier export whose {name} was changed since", ANOTHER_FOLDER)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Manifest(Value, forbid_unknown_fields=False):
    """The two fields by which an earlier export is known."""

    format: str
    files: dict[str, str]


def _listed(manifest: Path) -> dict[str, str] | None:
    """The files of an earlier export with their digests; None when this is not one."""
    if manifest.is_symlink() or not manifest.is_file():
        return None
    try:
        read = msgspec.json.decode(manifest.read_bytes(), type=_Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return read.files if read.format.startswith("datatune-export/") else None


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
