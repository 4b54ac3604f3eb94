"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import BadInput


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
