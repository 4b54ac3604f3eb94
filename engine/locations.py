"""Where everything lies on this machine: one folder per kind of thing, all moved together by DATATUNE_HOME."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.errors import BadInput, StoreUnusable

HOME_VARIABLE = "DATATUNE_HOME"
ADAPTER_DIGITS = 24
"""Of a step's fingerprint: the name of its folder among adapters."""


class Locations(msgspec.Struct, frozen=True):
    """The folders and the database. Nothing is created by asking; `ensure` creates."""

    home: Path
    """Holds what the user would miss: tasks, runs, catalog, exports, weights."""
    cache_home: Path | None = None
    """None puts the cache below `home`, as DATATUNE_HOME asks for."""
    log_home: Path | None = None
    """None puts the logs below `home`."""
    config_home: Path | None = None
    """None puts the settings into `home`."""

    @property
    def settings(self) -> Path:
        """The user's defaults for new runs, their theme and keys; a TOML file, which need not be there."""
        return (self.config_home or self.home) / "settings.toml"

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.cache_home or self.home / "cache"

    @property
    def logs(self) -> Path:
        """What the engine and the native code said, one file a run."""
        return self.log_home or self.home / "logs"

    @property
    def database(self) -> Path:
        """The one SQLite file that holds tasks, runs, steps, items and events."""
        return self.home / "datatune.db"

    @property
    def catalog(self) -> Path:
        """Indexed cards and their vectors."""
        return self.home / "catalog"

    @property
    def exports(self) -> Path:
        """Training sets, one folder each, unless the user names another place."""
        return self.home / "exports"

    def export_of(self, task: str, run: str) -> Path:
        """Where a run's training set goes that was not given a folder; a task's name, which may be a stranger's, cannot lead elsewhere."""
        kept = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in task.lower()).strip("-")
        return self.exports / f"{kept[:40] or 'task'}-{run}"

    @property
    def adapters(self) -> Path:
        """What finetune trained, a folder for each of its steps."""
        return self.home / "adapters"

    @property
    def tests(self) -> Path:
        """Tests of tasks that came in bundles, each in a folder named after its content."""
        return self.home / "tests"

    @property
    def weights(self) -> Path:
        """GGUF files the user put here; found without being named by path."""
        return self.home / "weights"

    @property
    def weight_folders(self) -> tuple[Path, ...]:
        """Folders searched for weights, in this order."""
        return (self.weights, self.cache / "weights")

    def ensure(self) -> Locations:
        """Create every folder and return these locations; StoreUnusable names the folder that cannot be used."""
        for folder in (self.home, self.catalog, self.exports, self.weights, self.cache, self.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
            except OSError as error:
                raise StoreUnusable(
                    f"The folder {folder} cannot be used: {error.strerror or error}.",
                    f"Make it writable, free some space, or set {HOME_VARIABLE} to another folder.",
                ) from error
        return self


def locate(environment: Mapping[str, str] = os.environ) -> Locations:
    """The locations this environment asks for: below DATATUNE_HOME if it is set, else the platform's own folders."""
    chosen = environment.get(HOME_VARIABLE, "").strip()
    if chosen:
        try:
            return Locations(Path(chosen).expanduser().absolute())
        except RuntimeError as error:
            raise BadInput(f"{HOME_VARIABLE} names no folder: {chosen}.", "Give an absolute path.") from error
    from platformdirs import PlatformDirs

    folders = PlatformDirs("datatune", appauthor=False)
    return Locations(folders.user_data_path, folders.user_cache_path, folders.user_log_path, folders.user_config_path)
