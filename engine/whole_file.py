"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import BadInput


def must_be_writable(path: Path) -> None:
    """Say before hours of work that a file could not be written after them. Raises BadInput."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            raise BadInput(f"{path} is a folder", "name a file in it")
    if why := unwritable(path):
        raise BadInput(f"{path} cannot be written: {why}", "choose another place, or free some space")


def unwritable(path: Path) -> str:
    """Why nothing can be put where `path` would be; "" where it can. Folders that are not there yet can be made in the nearest that is."""
    above = path
    try:
        above = next(folder for folder in path.absolute().parents if folder.exists())
        with tempfile.NamedTemporaryFile(dir=above, prefix=".datatune-"):
            return ""
    except OSError as error:
        return f"{above}: {error.strerror or error}"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place when all of it was written. Raises BadInput where it cannot be."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
        part = Path(name)
        os.close(handle)
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        # The temporary file is for its owner alone; what people save is as readable as what they write otherwise.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        part.replace(path)
        part = None
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}", "choose another place, or free some space") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[str]]:
    """The same, open for text: half a character, as broken JSON holds it, is written as JSON escapes it."""
    with whole(path) as part, part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        yield file
