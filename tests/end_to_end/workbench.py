"""A home of its own with a small data set, a task, a plan and a scripted model, and the real command line in child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TASK = """
[task]
name = "weather-notes"
description = "Say in one word what kind of weather a note speaks of: sun, rain or snow."
[task.output]
kind = "label"
labels = ["sun", "rain", "snow"]
[[task.examples]]
input = "We ate ice cream on the balcony."
output = "sun"
[[task.examples]]
input = "Everyone came in with wet shoes."
output = "rain"
"""

WRITING_TASK = """
[task]
name = "notes-in-short"
description = "Write a title for a short note about the weather."
[[task.examples]]
input = "We ate ice cream on the balcony."
output = "Ice cream outside"
"""

KEEP_ALIKE = """
[mix]
near_duplicates = 0
languages = "off"
"""
"""The notes are much alike, and what a scripted model writes is no language."""

MAPPING_PLAN = """
name = "kinds"
[[steps]]
do = "map"
value = "kind"
into = "label"
table = {S = "sun", R = "rain", W = "snow"}
[emit]
input = "{{ note }}"
output = "{{ label }}"
"""

WRITING_PLAN = """
name = "titles"
[[steps]]
do = "write"
instruction = "Write a title for the note."
given = ["note"]
into = ["title"]
[emit]
input = "{{ note }}"
output = "{{ title }}"
"""

NOTES = {
    "S": ("The sand was too hot to walk on", "We looked for shade all day", "The laundry dried within the hour"),
    "R": ("The gutter ran over again", "We could not see through the windscreen", "The picnic was moved into the barn"),
    "W": ("The hens would not leave their hut", "We dug out the car before breakfast", "The lake can be walked on now"),
}


@dataclass(frozen=True)
class Ended:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> dict[str, Any]:
        """The last line of JSON."""
        found: dict[str, Any] = json.loads(self.out.strip().splitlines()[-1])
        return found


class Workbench:
    """One DATATUNE_HOME under a folder."""

    def __init__(self, folder: Path, rows: int = 60) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.data = folder / "notes"
        self.write_data(rows)
        self.task = self.write("task.toml", TASK + KEEP_ALIKE)
        self.writing_task = self.write("writing.toml", WRITING_TASK + KEEP_ALIKE)
        self.mapping_plan = self.write("mapping-plan.toml", MAPPING_PLAN)
        self.writing_plan = self.write("writing-plan.toml", WRITING_PLAN)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def write_data(self, rows: int) -> None:
        """`rows` notes, sorted by kind as real files often are."""
        self.data.mkdir(parents=True, exist_ok=True)
        kinds = sorted("SRW"[i % 3] for i in range(rows))
        with (self.data / "train.jsonl").open("w", encoding="utf-8") as file:
            for number, kind in enumerate(kinds):
                note = f"{NOTES[kind][number % 3]}, said neighbour number {number}."
                file.write(json.dumps({"number": number, "note": note, "kind": kind}) + "\n")

    def script(self, **settings: Any) -> str:
        """A scripted model's spec; titles follow from the note alone."""
        rules = [{"match": r"neighbour number (\d+)", "text": '{"title": "Note \\1"}'}]
        path = self.folder / "script.json"
        path.write_text(json.dumps({"name": "scripted", "rules": rules, **settings}), encoding="utf-8")
        return f"scripted:{path}"

    def environment(self) -> dict[str, str]:
        return os.environ | {"DATATUNE_HOME": str(self.home), "PYTHONWARNINGS": "ignore"}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """A command, running."""
        return subprocess.Popen(
            [sys.executable, "-m", "datatune_tui", *map(str, arguments)],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def datatune(self, *arguments: str | Path) -> Ended:
        """A command, finished."""
        child = self.start(*arguments)
        out, err = child.communicate(timeout=300)
        return Ended(child.returncode, out, err)

    def run(self, task: Path, plan: Path, *arguments: str | Path) -> Ended:
        """`datatune run` with a given plan over the notes."""
        quick = ("--set", "expand.use_model=false", "--json")
        return self.datatune("run", task, "--dataset", self.data, "--plan", plan, *quick, *arguments)

    def exported(self, run: str) -> dict[str, bytes]:
        """Every file of a run's export, by relative path."""
        folder = self.folder / f"export-{run}"
        ended = self.datatune("export", run, "--to", folder)
        assert ended.code == 0, ended.err
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def wait_until(condition: Any, seconds: float = 60.0) -> Any:
    """The first true value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s in vain")
