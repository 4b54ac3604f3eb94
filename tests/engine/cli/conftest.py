"""The command line in this process, over a home of its own whose embedder has no weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import engine.roles
from engine.cli import main
from engine.store import runs
from tests.engine.stages.house import House, notes

CARD = "---\nlicense: cc-by-4.0\nlanguage: en\n---\n# Weather notes\n\nSay what kind of weather a note speaks of: sun, rain or snow."


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one line of JSON."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Datatune = Callable[..., Said]


@pytest.fixture
def datatune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Datatune:
    """Runs a command line."""
    monkeypatch.setenv("DATATUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(engine.roles, "DEFAULT_EMBEDDER", "hashing")

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house in the same home, with one data set in its catalog."""
    made = House(tmp_path)
    made.add("notes", notes(60), CARD)
    return made


@pytest.fixture
def finished(house: House) -> str:
    """A finished run of twenty examples."""
    ending = house.pipeline(options={"execute": {"examples": 20}})
    runs.finish_run(house.connection, house.session.run, "done", "20 examples from 1 data set", 0, ending.examples)
    return house.session.run
