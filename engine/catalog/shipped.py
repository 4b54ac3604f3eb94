"""The starter data sets and tasks that are installed with the program."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

STARTER_PREFIX = "starter"
"""What starter data sets' ids begin with, in place of "local"."""


def starter_folders() -> tuple[Path, ...]:
    """Folders of the starter data sets, by name."""
    root = _root()
    return tuple(sorted(folder for folder in root.iterdir() if (folder / "README.md").is_file()))


def starter_tasks() -> tuple[Path, ...]:
    """Task files of the starter tasks, by name."""
    return tuple(sorted((_root() / "tasks").glob("*.toml")))


def _root() -> Path:
    return Path(str(resources.files("engine.catalog") / "starter"))
