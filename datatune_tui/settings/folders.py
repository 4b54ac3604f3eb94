"""Where everything lies, with how much it takes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static
from textual.worker import get_current_worker

from datatune_tui.widgets.keyed_table import KeyedTable
from engine.locations import HOME_VARIABLE, Locations
from engine.settings import Settings

if TYPE_CHECKING:
    from datatune_tui.app import DataTune

WORDS = {
    "settings": "your defaults, theme and keys",
    "database": "tasks, runs, plans, examples, answers of models",
    "catalog": "cards of data sets and their meaning",
    "exports": "training sets",
    "weights": "GGUF files you put here",
    "tasks": "task files made in place 5",
    "cache": "can be deleted: it is made again",
    "logs": "what engines and native code said",
}


class Size(NamedTuple):
    """What lies somewhere."""

    files: int
    bytes: int


class FoldersPanel(Vertical):
    """A table of places on the disk."""

    def compose(self) -> ComposeResult:
        yield KeyedTable((("WHAT", 9), ("SIZE", 9), ("FILES", 8), ("WHERE", None)), id="folders")
        yield Static("", id="folder-told", markup=False)

    def show(self, settings: Settings) -> None:
        """Show the folders and begin to measure them."""
        locations = cast("DataTune", self.app).reader.locations
        self._measure(locations)

    def on_data_table_row_highlighted(self) -> None:
        """Say what is there."""
        self._tell()

    def _tell(self) -> None:
        locations = cast("DataTune", self.app).reader.locations
        name = self.query_one(KeyedTable).current
        if name:
            free = shutil.disk_usage(_existing(paths(locations)[name])).free
            told = f"{paths(locations)[name]}\n{WORDS[name]}; {_size(free)} are free on its disk. {HOME_VARIABLE}=FOLDER moves all of it."
            self.query_one("#folder-told", Static).update(told)

    @work(thread=True, exclusive=True, group="sizes", exit_on_error=False)
    def _measure(self, locations: Locations) -> None:
        worker = get_current_worker()
        rows = {name: (name, "…", "…", str(path)) for name, path in paths(locations).items()}
        self.app.call_from_thread(self._put, rows)
        for name, path in paths(locations).items():
            found = measure(path, lambda: worker.is_cancelled)
            if worker.is_cancelled:
                return
            rows[name] = (name, _size(found.bytes) if found else "not there", f"{found.files:,}" if found else "", str(path))
        self.app.call_from_thread(self._put, rows)

    def _put(self, rows: dict[str, tuple[str, str, str, str]]) -> None:
        self.query_one(KeyedTable).show(list(rows.items()))
        self._tell()


def paths(locations: Locations) -> dict[str, Path]:
    """Places by name."""
    home = locations.home
    return {name: home / "tasks" if name == "tasks" else Path(getattr(locations, name)) for name in WORDS}


def measure(path: Path, stop: Callable[[], bool]) -> Size | None:
    """All files below a path, links not followed; a database with the files beside it. None where nothing is there."""
    if not path.exists():
        return None
    if path.is_file():
        beside = [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]
        return Size(1, sum(one.stat().st_size for one in beside if one.exists()))
    files = total = 0
    for folder, _, names in os.walk(path):
        if stop():
            break
        for name in names:
            try:
                total += Path(folder, name).lstat().st_size
                files += 1
            except OSError:
                continue
    return Size(files, total)


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def _size(number: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"
