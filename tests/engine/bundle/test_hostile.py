"""Bundles that are damaged, foreign or made to harm: one clear line, and nothing of them is stored."""

from __future__ import annotations

import json
import os
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.bundle import archive, checks
from engine.bundle.contents import MOST_ENTRIES
from engine.errors import BadInput, EngineError
from engine.store.database import open_writer
from tests.engine.bundle.forged import Forged
from tests.engine.bundle.machines import Machine, with_test
from tests.engine.stages.house import WEATHER
from tests.models.gguf.tiny import tiny_model

Spoil = Callable[[Forged], object]


class Scene:
    """A bundle with a bit of everything, and a home that is to stay as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        there = Machine(folder / "there")
        there.folder.mkdir()
        model = tiny_model(there.folder / "tiny.gguf")
        test = there.folder / "test.jsonl"
        test.write_text('{"input": "It froze all night.", "output": "snow"}\n')
        options: dict[str, dict[str, object]] = {"execute": {"examples": 9}, "finetune": {"train": True, "epochs": 1}}
        models = {"default": str(model), "base": "dry-run"}
        run = there.run(with_test(WEATHER, test), options, dataset=str(there.data(12)), models=models)
        self.bundle = folder / "run.datatune"
        there.bundle(run, self.bundle, weights=True)
        self.here = Machine(folder / "here")
        open_writer(self.here.locations.ensure().database).close()
        self.rows, self.files = self.here.everything(), self.here.files()

    def refused(self, path: Path) -> str:
        """What is said of a bundle that is refused, and that it left no trace."""
        with pytest.raises(EngineError) as caught:
            self.here.take(path)
        assert isinstance(caught.value, BadInput), caught.value
        self.untouched()
        assert "\n" not in caught.value.title and caught.value.title.isprintable() and len(caught.value.title) < 500
        return caught.value.title.removeprefix(f"{path}: ")

    def untouched(self) -> None:
        """Database and folders are what they were."""
        assert self.here.everything() == self.rows and self.here.files() == self.files
        assert not list(self.here.locations.home.glob(".unbundle-*"))
        assert not self.here.locations.tests.exists() and not self.here.locations.adapters.exists()

    def spoilt(self, spoil: Spoil) -> Path:
        """The bundle with a change in it."""
        forged = Forged(self.bundle)
        spoil(forged)
        return forged.write(self.folder / "spoilt.datatune")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


def test_put_together_again_unchanged_it_is_taken(scene: Scene, tmp_path: Path) -> None:
    """Else what follows would be refused for another reason."""
    fresh = Machine(tmp_path / "fresh")
    taken = fresh.take(scene.spoilt(lambda bundle: None))
    assert taken.examples == 9 and len(taken.adapters) == len(taken.weights) == 1 and taken.test


def first(bundle: Forged, stage: str) -> int:
    return next(number for number, row in enumerate(bundle.rows("steps")) if row[1] == stage)


def add(name: str, data: bytes = b"x") -> Spoil:
    """An entry that no manifest names."""

    def spoil(bundle: Forged) -> None:
        bundle.before = lambda file: file.writestr(zipfile.ZipInfo(name), data)

    return spoil


def named(kind: str, **fields: object) -> Spoil:
    """The manifest's word on a file, changed."""

    def spoil(bundle: Forged) -> None:
        next(file for file in bundle.manifest["files"] if file["type"] == kind).update(fields)

    return spoil


def ends_early(bundle: Forged) -> None:
    def write(file: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("files/0042")
        info.filename = "files/0042\0evil"
        file.writestr(info, b"x")

    bundle.before = write


def link(bundle: Forged) -> None:
    def write(file: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("files/0099")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc/passwd")

    bundle.before = write


def packed_file(bundle: Forged) -> None:
    bundle.before = lambda file: file.writestr(zipfile.ZipInfo("files/0099"), bytes(100_000), zipfile.ZIP_DEFLATED)


def other_method(bundle: Forged) -> None:
    bundle.before = lambda file: file.writestr(zipfile.ZipInfo("files/0099"), b"x" * 99, zipfile.ZIP_BZIP2)


def many(bundle: Forged) -> None:
    def write(file: zipfile.ZipFile) -> None:
        for number in range(100, MOST_ENTRIES + 101):
            file.writestr(zipfile.ZipInfo(f"files/{number:04}"), b"")

    bundle.before = write


def twice(bundle: Forged) -> None:
    def write(file: zipfile.ZipFile) -> None:
        file.writestr(zipfile.ZipInfo("files/0098"), b"another")
        file.filelist[-1].filename = "files/0001"

    bundle.before = write


def no_bundle(bundle: Forged) -> None:
    bundle.manifest = {"entries": []}


def a_run_more(bundle: Forged) -> None:
    bundle.put_rows("runs", bundle.rows("runs") * 2)


def a_step_less(bundle: Forged) -> None:
    bundle.put_rows("run_steps", bundle.rows("run_steps")[:-1])


def a_step_twice(bundle: Forged) -> None:
    bundle.put_rows("steps", bundle.rows("steps") + bundle.rows("steps")[:1])


def another_stage(bundle: Forged) -> None:
    bundle.change("run_steps", 0, 1, "export")


def of_no_step(bundle: Forged) -> None:
    bundle.change("items", 0, 0, "0" * 64)


def another_row(table: str, row: object) -> Spoil:
    return lambda bundle: bundle.put_rows(table, [*bundle.rows(table), row])


def adapter_elsewhere(bundle: Forged) -> None:
    bundle.within("steps", first(bundle, "finetune"), 8, lambda record: record.update(adapter="../../../etc"))


def adapter_of_another(bundle: Forged) -> None:
    named("adapter", step=bundle.rows("steps")[first(bundle, "mix")][0])(bundle)


def unfinished_training(bundle: Forged) -> None:
    bundle.change("steps", first(bundle, "finetune"), 6, "interrupted")


def example(change: Callable[[Any], object]) -> Spoil:
    """An accepted unit of execute, changed."""

    def spoil(bundle: Forged) -> None:
        step = bundle.rows("steps")[first(bundle, "execute")][0]
        number = next(number for number, row in enumerate(bundle.rows("items")) if row[0] == step and row[3] == "accepted")
        bundle.within("items", number, 5, change)

    return spoil


def mixed(bundle: Forged) -> None:
    step = bundle.rows("steps")[first(bundle, "mix")][0]
    number = next(number for number, row in enumerate(bundle.rows("items")) if row[0] == step)
    bundle.change("items", number, 5, '{"step": 5}')


def no_weights(bundle: Forged) -> None:
    entry = next(file["entry"] for file in bundle.manifest["files"] if file["type"] == "weights")
    bundle.content[entry] = b"#!/bin/sh\n" * 99


def orphan(bundle: Forged) -> None:
    bundle.content["files/0099"] = b"nobody's"


def two_tests(bundle: Forged) -> None:
    bundle.content["files/0099"] = b"another"
    bundle.manifest["files"].append({"type": "test", "entry": "files/0099", "name": "other.jsonl"})


def gone(name: str) -> Spoil:
    return lambda bundle: bundle.content.pop(name)


HARMS: dict[str, tuple[Spoil, str]] = {
    "a path out of the folder": (add("../../evil"), "belongs to no bundle: '../../evil'"),
    "an absolute path": (add("/etc/cron.d/evil"), "belongs to no bundle"),
    "a path of Windows": (add("files\\0001"), "belongs to no bundle"),
    "a folder": (add("files/"), "belongs to no bundle"),
    "a name with control characters": (add("files/\x1b[2J0001"), "belongs to no bundle"),
    "a name that ends early": (ends_early, "belongs to no bundle"),
    "an entry nobody names": (add("files/0042"), "not those its manifest names"),
    "a link": (link, "no plain file but a link"),
    "a name twice": (twice, "two entries of the name"),
    "too many entries": (many, "entries"),
    "another way of packing": (other_method, "packed in a way"),
    "a packed file": (packed_file, "claims 100,000 bytes"),
    "not of this program": (no_bundle, "not a bundle of a run"),
    "of a later version": (lambda bundle: bundle.manifest.update(version=2), "a bundle of version 2; this DataTune reads version 1"),
    "a version that is no number": (lambda bundle: bundle.manifest.update(version="1"), "manifest cannot be read"),
    "a field nobody knows": (lambda bundle: bundle.manifest.update(run_this="rm -rf /"), "unknown field `run_this`"),
    "a row that is not what was summed up": (
        lambda bundle: bundle.sums.update({"rows/items.jsonl": "0" * 64}),
        "damaged: rows/items.jsonl",
    ),
    "a file that is not what was summed up": (
        lambda bundle: bundle.sums.update({name: "0" * 64 for name in bundle.content if name.startswith("files/")}),
        "damaged: files/",
    ),
    "a table less": (gone("rows/reviews.jsonl"), "a table is missing"),
    "a table more": (lambda bundle: bundle.put_rows("commands", [["x", "cancel", "{}", 0, None]]), "tables are not those"),
    "a count that is wrong": (lambda bundle: bundle.manifest["rows"].update(items=3), "its manifest says otherwise"),
    "another run": (lambda bundle: bundle.manifest["run"].update(created=5.0), "not the one its manifest names"),
    "two runs": (a_run_more, "2 runs in it"),
    "no run": (lambda bundle: bundle.put_rows("runs", []), "0 runs in it"),
    "an id with a path in it": (lambda bundle: bundle.change("runs", 0, 0, "../../x"), "rows/runs.jsonl, row 1"),
    "a number for a text": (lambda bundle: bundle.change("items", 3, 2, 5), "row 4: Expected `str`, got `int`"),
    "a text for a number": (lambda bundle: bundle.change("items", 3, 1, "5; DROP TABLE runs"), "row 4: Expected `int`, got `str`"),
    "a number too large for the database": (lambda bundle: bundle.change("items", 0, 1, 2**63), "row 1: Expected `int`"),
    "a state nobody knows": (lambda bundle: bundle.change("items", 0, 3, "perfect"), "Invalid enum value"),
    "a cell less": (another_row("step_calls", ["0" * 64]), "at least length 2"),
    "a cell more": (another_row("suspects", ["0" * 64, "key", "more"]), "at most length 2"),
    "no JSON": (another_row("suspects", b"<html>"), "JSON is malformed"),
    "half a character": (another_row("suspects", b'["\xff"]'), "rows/suspects.jsonl, row 1"),
    "brackets without end": (another_row("suspects", b"[" * 200_000), "rows/suspects.jsonl, row 1"),
    "a task that is none": (lambda bundle: bundle.change("runs", 0, 2, '{"name": 5}'), "task or settings cannot be read"),
    "a task of two names": (lambda bundle: bundle.change("runs", 0, 1, "other"), "not the one its manifest names"),
    "settings nobody knows": (lambda bundle: bundle.within("runs", 0, 3, lambda said: said.update(shell="x")), "settings cannot be read"),
    "an option nobody knows": (
        lambda bundle: bundle.within("runs", 0, 3, lambda said: said["options"]["execute"].update(evil=1)),
        "its settings: options: unknown key execute.evil",
    ),
    "a role nobody asks for": (
        lambda bundle: bundle.within("runs", 0, 3, lambda said: said["models"].update({"boss\nrun: done": "x"})),
        "its settings: models: unknown role",
    ),
    "options of no stage": (lambda bundle: bundle.within("runs", 0, 3, lambda said: said["options"].update(evil={})), "does not have"),
    "options that nest without end": (
        lambda bundle: bundle.change("runs", 0, 3, '{"options": {"execute": {"examples": ' + "[" * 100_000),
        "settings cannot be read",
    ),
    "a stage nobody knows": (lambda bundle: bundle.change("steps", 0, 1, "evil\n"), "a stage that this DataTune does not have"),
    "a record of another stage": (lambda bundle: bundle.change("steps", first(bundle, "mix"), 8, '{"folder": "/"}'), "what mix made"),
    "a step that is done without a record": (lambda bundle: bundle.change("steps", 0, 8, None), "done without a record"),
    "a step at work": (lambda bundle: bundle.change("steps", 0, 6, "running"), "is running in it"),
    "a step twice": (a_step_twice, "stands in it twice"),
    "a step the run did not take": (a_step_less, "not those its run took"),
    "a step taken for another": (another_stage, "and its run took it for export"),
    "a unit of no step": (of_no_step, "of a step that is not in it"),
    "an example that is none": (example(lambda unit: unit.update(input=5)), "row"),
    "an example without output": (example(lambda unit: unit.pop("output")), "missing required field `output`"),
    "a mix that is none": (mixed, "rows/items.jsonl"),
    "an event that is none": (lambda bundle: bundle.change("events", 0, 5, "[]"), "rows/events.jsonl, row 1"),
    "an event only this machine may tell": (lambda bundle: bundle.change("events", 0, 1, "unbundled"), "what only this machine may say"),
    "an adapter outside of its folder": (adapter_elsewhere, "an adapter that is not where adapters are: '../../../etc'"),
    "an adapter's file elsewhere": (named("adapter", name="../../../.bashrc"), "manifest cannot be read"),
    "a file that could run": (named("adapter", name="checkpoints/optimizer.pt"), "manifest cannot be read"),
    "an adapter of another step": (adapter_of_another, "an adapter of no training"),
    "an adapter of an unfinished training": (unfinished_training, "an adapter of no training"),
    "weights with a path": (named("weights", name="../x.gguf"), "manifest cannot be read"),
    "weights that hide": (named("weights", name=".x.gguf"), "manifest cannot be read"),
    "weights that are none": (no_weights, "its weights tiny.gguf"),
    "a test with a path": (named("test", name="a/../../x"), "manifest cannot be read"),
    "two tests": (two_tests, "two tests"),
    "a file nobody names": (orphan, "files are not those"),
    "a file that is not there": (named("test", entry="files/0077"), "files are not those"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_wrong_is_said_and_nothing_is_stored(scene: Scene, harm: str) -> None:
    spoil, said = HARMS[harm]
    assert said in scene.refused(scene.spoilt(spoil))


def test_files_that_are_no_bundles_are_refused(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("not a zip\n" * 9999)
    (tmp_path / "cut").write_bytes(scene.bundle.read_bytes()[:-40])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("word/document.xml", "<w/>")
    with zipfile.ZipFile(tmp_path / "none.zip", "w"):
        pass
    os.mkfifo(tmp_path / "pipe")
    for name, said in {
        "missing": "no such file",
        "": "no file",
        "pipe": "no file, but something else",
        "empty": "not a zip file",
        "text": "not a zip file",
        "cut": "not a zip file",
        "other.zip": "belongs to no bundle",
        "none.zip": "empty",
    }.items():
        assert said in scene.refused(tmp_path / name), name


def patched(scene: Scene, tmp_path: Path, change: Callable[[bytearray, int, int], None], name: bytes = b"rows/items.jsonl") -> Path:
    """The bundle with bytes changed in the local and the central header of an entry."""
    data = bytearray(scene.bundle.read_bytes())
    local, central = data.index(name) - 30, data.rindex(name) - 46
    assert data[local : local + 4] == b"PK\3\4" and data[central : central + 4] == b"PK\1\2"
    change(data, local, central)
    path = tmp_path / "patched.datatune"
    path.write_bytes(data)
    return path


def test_an_entry_that_claims_more_than_can_be_in_it_is_a_bomb(scene: Scene, tmp_path: Path) -> None:
    def claim(data: bytearray, local: int, central: int) -> None:
        struct.pack_into("<L", data, central + 24, 0xFFFFFF00)

    assert "claims 4,294,967,040 bytes out of" in scene.refused(patched(scene, tmp_path, claim))


def test_entries_that_share_bytes_are_refused(scene: Scene, tmp_path: Path) -> None:
    def overlap(data: bytearray, local: int, central: int) -> None:
        struct.pack_into("<L", data, central + 20, len(data))

    assert "claim more than the file holds" in scene.refused(patched(scene, tmp_path, overlap))


def test_an_encrypted_entry_is_refused(scene: Scene, tmp_path: Path) -> None:
    def encrypt(data: bytearray, local: int, central: int) -> None:
        data[central + 8] |= 1

    assert "is encrypted" in scene.refused(patched(scene, tmp_path, encrypt))


def test_a_list_of_entries_without_end_is_not_read(scene: Scene, tmp_path: Path) -> None:
    data = bytearray(scene.bundle.read_bytes() + bytes(archive.MOST_AT_ONCE))
    at = data.rindex(b"PK\5\6")
    end = bytearray(data[at : at + 22])
    struct.pack_into("<LL", end, 12, len(data), 0)
    (tmp_path / "long").write_bytes(data + end)
    assert "list of entries is too long" in scene.refused(tmp_path / "long")


def test_a_row_without_end_is_not_kept_in_memory(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_ROW", 1 << 16)
    monkeypatch.setattr(archive, "CHUNK", 1 << 14)
    long = json.dumps(["0" * 64, "x" * 100_000]).encode()
    assert "has a row of over" in scene.refused(scene.spoilt(another_row("suspects", long)))


def test_a_manifest_without_end_is_not_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MANIFEST", 1000)
    assert "a manifest of" in scene.refused(scene.bundle)


def test_steps_without_end_are_not_kept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MOST_STEPS", 2)
    assert "too many" in scene.refused(scene.bundle)
    monkeypatch.setitem(checks.MOST_HELD, "steps", 1000)
    assert "rows/steps.jsonl has over" in scene.refused(scene.bundle)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_bytes_are_changed_it_is_refused_or_the_very_same_run(scene: Scene, data: st.DataObject) -> None:
    """Anywhere in the file: a byte changed, a piece taken out, put in, or moved."""
    whole = scene.bundle.read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.integers(0, 64))
    new = data.draw(st.binary(max_size=64) | st.just(whole[start + 1 : start + length + 1]))
    changed = whole[:start] + new + whole[start + length :]
    path = scene.folder / "fuzzed.datatune"
    path.write_bytes(changed)
    fresh = Machine(Path(tempfile.mkdtemp(dir=scene.folder)))
    try:
        taken = fresh.take(path)
    except BadInput as error:
        assert "\n" not in error.title
        assert not fresh.locations.database.exists() or fresh.rows("SELECT count(*) FROM runs") == [(0,)]
        assert not fresh.locations.adapters.exists() and not fresh.locations.tests.exists()
    else:
        # What says nothing of the content, such as a date in the zip, may be anything.
        assert taken.examples == 9 and taken.units > 0


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_in_a_cell_it_is_refused_or_stored_as_it_is(scene: Scene, data: st.DataObject) -> None:
    """Any JSON in any cell of any table, with sums that fit."""
    forged = Forged(scene.bundle)
    table = data.draw(st.sampled_from([name for name in forged.manifest["rows"] if forged.rows(name)]))
    rows = forged.rows(table)
    number = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(rows[number]) - 1))
    leaf = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20)
    value = data.draw(leaf | st.lists(leaf, max_size=3) | st.dictionaries(st.text(max_size=5), leaf, max_size=3).map(json.dumps))
    try:
        forged.change(table, number, column, value)
    except UnicodeEncodeError:
        return
    fresh = Machine(Path(tempfile.mkdtemp(dir=scene.folder)))
    try:
        fresh.take(forged.write(scene.folder / "cell.datatune"))
    except BadInput as error:
        assert "\n" not in error.title
        assert not fresh.locations.database.exists() or fresh.rows("SELECT count(*) FROM runs") == [(0,)]
