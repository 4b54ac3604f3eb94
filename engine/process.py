"""The only file that starts processes that outlive whoever started them: engines, which are followed through the database, and readers
of cards."""

from __future__ import annotations

import subprocess
import sys

from engine.errors import Busy
from engine.locations import Locations
from engine.store.runs import Run


def start_engine(run: Run, locations: Locations) -> subprocess.Popen[bytes]:
    """Start the watcher of a run in a session of its own. Raises Busy when a live engine has the run.

    `-I` keeps the user's folder and PYTHON* variables out: `engine` and `models` are names another folder may have too.
    """
    if run.owner and run.owner.alive():
        raise Busy(
            f"run {run.id} is already at work in process {run.owner.pid}",
            f"follow it: datatune show {run.id}; or stop it: datatune cancel {run.id}",
        )
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "engine.watch", run.id],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(locations.logs / f"{run.id}.log").open("ab"),
        start_new_session=True,
    )


def start_reading(embedder: str, locations: Locations) -> subprocess.Popen[bytes]:
    """Start a process that embeds the catalog's cards with the embedder of this spec, and ends."""
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "engine", "catalog", "embed", "--embedder", embedder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(locations.logs / "catalog-embed.log").open("ab"),
        start_new_session=True,
    )
