"""A command that is killed while it takes a bundle in: nothing of the run is there, and the next try finds nothing in its way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.bundle.checks import check_rows
from engine.errors import Busy, StoreUnusable
from engine.store.database import open_writer
from tests.engine.bundle.machines import Machine, with_test
from tests.engine.stages.house import WEATHER
from tests.models.gguf.tiny import tiny_model

KILLED_AT = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from engine.bundle.read import unbundle
from engine.locations import Locations

bundle, home, module, name, nth = sys.argv[1:]
owner = import_module(module)
for part in name.split(".")[:-1]:
    owner = getattr(owner, part)
name, left = name.split(".")[-1], [int(nth)]
whole = getattr(owner, name)

def dies(*given, **more):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*given, **more)

setattr(owner, name, dies)
unbundle(Path(bundle), Locations(Path(home)))
"""
MOMENTS = {
    "while rows are checked": ("engine.bundle.archive", "Archive.chunks", 4),
    "while files are checked": ("engine.bundle.places", "_check_weights", 1),
    "before the first file is in its place": ("engine.bundle.places", "Places.move", 1),
    "when some files are in their places": ("engine.bundle.places", "Places.move", 3),
    "when rows are half in": ("engine.bundle.read", "put_rows", 4),
    "when all is in but the end": ("engine.bundle.places", "Places.keep", 1),
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    there = Machine(folder / "there")
    there.folder.mkdir()
    test = there.folder / "test.jsonl"
    test.write_text('{"input": "It froze all night.", "output": "snow"}\n')
    options: dict[str, dict[str, object]] = {"execute": {"examples": 9}, "finetune": {"train": True, "epochs": 1}}
    models = {"default": str(tiny_model(there.folder / "tiny.gguf")), "base": "dry-run"}
    run = there.run(with_test(WEATHER, test), options, dataset=str(there.data(12)), models=models)
    there.bundle(run, folder / "run.datatune", weights=True)
    return folder / "run.datatune"


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "here")
    open_writer(machine.locations.ensure().database).close()
    return machine


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_it_left_no_row_and_taken_again_everything_is_there(bundle: Path, here: Machine, moment: str) -> None:
    rows = here.everything()
    given = [sys.executable, "-c", KILLED_AT, str(bundle), str(here.locations.home), *map(str, MOMENTS[moment])]
    ended = subprocess.run(given, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == -9, ended.stderr
    assert here.everything() == rows
    taken = here.take(bundle)
    assert not taken.already and taken.examples == 9 and taken.units > 0
    assert not list(here.locations.home.glob(".unbundle-*")), "what the killed one left is gone"
    assert sum(name.startswith("weights/") for name in here.files()) == sum(name.startswith("tests/") for name in here.files()) == 1
    assert all(Path(path).exists() for path in (*taken.adapters, *taken.weights, taken.test))


@pytest.mark.parametrize("moment", ["engine.bundle.places.Places.keep", "engine.bundle.read.count_units", "engine.bundle.read.add_event"])
def test_what_fails_late_is_taken_back_to_the_last_file(bundle: Path, here: Machine, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, files = here.everything(), here.files()

    def full(*given: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(moment, full)
    with pytest.raises(StoreUnusable, match="the disk is full; nothing was stored"):
        here.take(bundle)
    assert here.everything() == rows and here.files() == files
    assert not here.locations.tests.exists() and not here.locations.adapters.exists()
    monkeypatch.undo()
    assert not here.take(bundle).already


def test_a_disk_that_fills_while_files_are_written_is_said(bundle: Path, here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, files = here.everything(), here.files()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreUnusable, match="the disk is full; nothing was stored"):
        here.take(bundle)
    assert here.everything() == rows and here.files() == files


def test_two_do_not_unbundle_into_one_home_at_once(bundle: Path, here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    second: list[str] = []

    def meanwhile(*given: object, **more: object) -> object:
        with pytest.raises(Busy) as caught:
            here.take(bundle)
        second.append(caught.value.title)
        return check_rows(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("engine.bundle.read.check_rows", meanwhile)
    assert not here.take(bundle).already and second == ["another command is unbundling into this home"]
