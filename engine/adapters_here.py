"""Folders of trainings: gone when their step is, never while an engine may be at it."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from pathlib import Path

from engine.locations import ADAPTER_DIGITS, Locations
from engine.store.database import Connection, transaction
from engine.store.runs import delete_run
from engine.store.steps import known_beginnings

_FOLDER = re.compile(rf"[0-9a-f]{{{ADAPTER_DIGITS}}}")
_GONE = ".gone-"


def delete_run_here(connection: Connection, run: str, locations: Locations) -> bool:
    """Delete a run that is not at work with what its steps made, in the database and on the disk; False where it is at work."""
    if not delete_run(connection, run):
        return False
    with contextlib.suppress(OSError):  # a folder that cannot be removed now is removed with the next run
        drop_adapters(connection, locations)
    return True


def drop_adapters(connection: Connection, locations: Locations) -> int:
    """Remove folders of trainings whose step no longer exists. Returns how many there were."""
    if not locations.adapters.is_dir():
        return 0
    for left in locations.adapters.glob(f"{_GONE}*"):
        shutil.rmtree(left, ignore_errors=True)
    gone: Path | None = None
    dropped = 0
    # An engine begins a step in the database before it makes the folder, and nothing can begin while this holds the lock.
    with transaction(connection):
        known = known_beginnings(connection, ADAPTER_DIGITS)
        for folder in sorted(locations.adapters.iterdir()):
            if not _FOLDER.fullmatch(folder.name) or folder.name in known or not folder.is_dir() or folder.is_symlink():
                continue
            gone = gone or Path(tempfile.mkdtemp(prefix=_GONE, dir=locations.adapters))
            folder.rename(gone / folder.name)
            dropped += 1
    if gone is not None:
        shutil.rmtree(gone, ignore_errors=True)
    return dropped
