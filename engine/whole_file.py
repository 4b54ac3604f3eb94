"""Text files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import BadInput


@contextmanager
def written_whole(path: Path) -> Iterator[IO[str]]:
    """A text file that takes its place when all of it was written. Raises BadInput where it cannot be."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
        # Half a character, as broken JSON holds it, is written as JSON escapes it.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # The temporary file is for its owner alone; what people save is as readable as what they write otherwise.
        mask = os.umask(0)
        os.umask(mask)
        Path(part).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        Path(part).replace(path)
        part = None
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}", "choose another place, or free some space") from error
    finally:
        if part is not None:
            Path(part).unlink(missing_ok=True)
