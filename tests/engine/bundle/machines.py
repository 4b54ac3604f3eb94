"""Two machines, each with a home of its own, in this process; models are scripts, so what a run asked is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from engine.bundle.gather import gather
from engine.bundle.read import Unbundled, unbundle
from engine.bundle.write import Bundled, write_bundle
from engine.catalog_here import catalog_here
from engine.export_run import export_run
from engine.locations import Locations
from engine.pipeline import run_pipeline
from engine.records import Task
from engine.roles import Roles
from engine.session import Session
from engine.store import runs
from engine.store.database import open_reader, open_writer
from engine.store.lease import this_process
from engine.store.origins import origin_of
from tests.engine.stages.house import WEATHER, notes

WRITE_PLAN = """
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
TITLES = Task("titles", "Write a title for a short note.")
QUIET: dict[str, dict[str, object]] = {
    "expand": {"use_model": False},
    "rerank": {"use_model": False},
    "mix": {"near_duplicates": 0, "languages": "off"},
}


class Machine:
    """One home below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.locations = Locations(folder / "home")

    def data(self, count: int = 30, name: str = "notes") -> Path:
        """A folder of notes about the weather."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in notes(count)), encoding="utf-8")
        return folder

    def catalogue(self, folder: Path) -> None:
        """Add a folder to this machine's catalog."""
        roles = Roles({"embed": "hashing"}, self.locations.ensure())
        catalog_here(self.locations, roles).add_folder(folder)

    def script(self, name: str = "writer", **more: Any) -> str:
        """A scripted model that names a note by its number, and keeps a log; where that ends in 7 it gives half an answer."""
        rules = [
            {"match": r"neighbour number \d*7\b", "text": '{"title": "No', "finish": "length"},
            {"match": r"neighbour number (\d+)", "text": '{"title": "Note \\1"}'},
        ]
        file = self.folder / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"name": name, "rules": rules, "log": f"{name}.log", **more}), encoding="utf-8")
        return f"scripted:{file}"

    def run(self, task: Task = WEATHER, options: dict[str, dict[str, object]] | None = None, **settings: Any) -> str:
        """A whole run; returns its id."""
        merged = {name: QUIET.get(name, {}) | (options or {}).get(name, {}) for name in {**QUIET, **(options or {})}}
        models = {"embed": "hashing"} | settings.pop("models", {})
        connection = open_writer(self.locations.ensure().database)
        run = runs.create_run(connection, task, runs.RunSettings(models=models, options=merged, **settings))
        connection.close()
        self.resume(run)
        return run

    def resume(self, run: str) -> None:
        """What the engine does with a run, in this process."""
        connection = open_writer(self.locations.ensure().database)
        found = self.read(run)
        origin = origin_of(connection, run)
        roles = Roles(found.settings.models, self.locations, origin.models if origin else None)
        session = Session(connection, run, this_process(), self.locations, roles, 0)
        try:
            ending = run_pipeline(session, found.task, found.settings)
        finally:
            roles.close()
        runs.finish_run(connection, run, "done", f"{ending.examples} examples", 0, ending.examples)
        connection.close()

    def read(self, run: str) -> runs.Run:
        """The run as the database has it."""
        reader = open_reader(self.locations.database)
        found = runs.read_run(reader, run)
        reader.close()
        assert found is not None
        return found

    def bundle(self, run: str, to: Path, weights: bool = False) -> Bundled:
        """Write a run's bundle."""
        reader = open_reader(self.locations.database)
        try:
            return write_bundle(reader, gather(reader, self.read(run), self.locations, weights), to)
        finally:
            reader.close()

    def take(self, bundle: Path) -> Unbundled:
        """Take a bundle in."""
        return unbundle(bundle, self.locations)

    def export(self, run: str, folder: Path) -> dict[str, bytes]:
        """Every file of a run's export, by relative path."""
        connection = open_writer(self.locations.database)
        export_run(connection, self.read(run), self.locations, folder)
        connection.close()
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds in the database."""
        reader = open_reader(self.locations.database)
        found = [tuple(row) for row in reader.execute(query, values)]
        reader.close()
        return found

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables."""
        tables = [name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        return {table: sorted(self.rows(f"SELECT * FROM {table}"), key=repr) for table in tables}

    def files(self) -> dict[str, bytes]:
        """Every file of the home but the database's own, by relative path."""
        home = self.locations.home
        found = {path.relative_to(home).as_posix(): path for path in home.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items() if not name.startswith(("datatune.db", "unbundle.lock"))}


def with_test(task: Task, path: Path) -> Task:
    """The task with a test file."""
    return msgspec.structs.replace(task, test=str(path))
