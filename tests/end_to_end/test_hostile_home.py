"""A home on a full disk, on a medium that cannot be written, under a strange name; data and caches that vanish or rot."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.end_to_end.workbench import Ended, Workbench, wait_until

NAMESPACE = ["unshare", "--mount", "--user", "--map-root-user"]


@cache
def may_mount() -> bool:
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        return False
    tried = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True)
    return tried.returncode == 0


@pytest.fixture(autouse=True)
def needs_mounts(request: pytest.FixtureRequest) -> None:
    if "enclosed" in request.fixturenames and not may_mount():
        pytest.skip("this machine does not let a user mount in a namespace of their own")


class Enclosed(Workbench):
    """A workbench whose home can be put on another file system that only its own commands see."""

    def __init__(self, folder: Path, rows: int) -> None:
        super().__init__(folder, rows)
        self.home.mkdir()
        self._keeper = subprocess.Popen([*NAMESPACE, "sh", "-c", "echo ready; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._keeper.stdout and self._keeper.stdout.readline() == b"ready\n"

    def close(self) -> None:
        self._keeper.communicate()

    def mount(self, *arguments: str | Path) -> None:
        """`mount` in the namespace."""
        subprocess.run([*self._inside(), "mount", *map(str, arguments)], check=True, capture_output=True)

    def freeze(self, path: Path) -> None:
        """Make a file or folder one that cannot be written."""
        self.mount("--bind", path, path)
        self.mount("-o", "remount,bind,ro", path)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._inside(), sys.executable, "-m", "datatune_tui", *map(str, arguments)],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def _inside(self) -> list[str]:
        return ["nsenter", "--target", str(self._keeper.pid), "--user", "--mount", "--preserve-credentials", f"--wd={Path.cwd()}"]


@pytest.fixture
def enclosed(tmp_path: Path) -> Iterator[Enclosed]:
    bench = Enclosed(tmp_path / "enclosed", 2000)
    yield bench
    bench.close()


def complaint(ended: Ended) -> str:
    """What a command that met trouble with the home said of it: one line, at most two of hint, code 5."""
    assert ended.code == 5, ended.err
    assert "Traceback" not in ended.err + ended.out and "unexpected" not in ended.err
    lines = ended.err.splitlines()
    (first,) = (place for place, line in enumerate(lines) if line.startswith("datatune: "))
    assert len(lines) - first <= 3, ended.err
    return lines[first]


def latest_run(bench: Workbench) -> str:
    return str(json.loads(bench.datatune("runs", "--json").out)[0]["run"])


# ── full ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the run of the next test exports when nothing is in its way."""
    whole = Workbench(tmp_path_factory.mktemp("whole"), 2000)
    quiet = whole.run(whole.writing_task, whole.writing_plan, "--model", whole.script(log="calls.jsonl"))
    return whole.exported(quiet.last["run"])


@pytest.mark.parametrize("size", ["700k", "1500k"], ids=["while rows are copied", "while units are stored"])
def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_with_space_again_it_is_made_whole(
    enclosed: Enclosed, undisturbed: dict[str, bytes], size: str
) -> None:
    enclosed.mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", enclosed.home)
    made = enclosed.run(enclosed.writing_task, enclosed.writing_plan, "--model", enclosed.script(log="calls.jsonl"))
    assert "full" in complaint(made) or "No space left" in complaint(made)
    assert made.last["state"] == "failed" and made.last["reason"]
    run = latest_run(enclosed)
    shown = json.loads(enclosed.datatune("show", run, "--json").out)
    assert shown["state"] == "failed" and shown["reason"] == made.last["reason"]
    complaint(enclosed.datatune("resume", run))
    enclosed.mount("-o", "remount,size=100m", enclosed.home)
    resumed = enclosed.datatune("resume", run, "--json")
    assert resumed.code == 0 and resumed.last["examples"] == 2000, resumed.err
    assert enclosed.exported(run) == undisturbed
    calls = (enclosed.folder / "calls.jsonl").read_text().splitlines()
    assert len(calls) <= len(set(calls)) + 2, "no call is made again but the one whose answer found no room, once for each time"


def test_a_disk_full_from_the_start_is_one_line(enclosed: Enclosed) -> None:
    enclosed.mount("-t", "tmpfs", "-o", "size=40k", "tmpfs", enclosed.home)
    assert "full" in complaint(enclosed.run(enclosed.task, enclosed.mapping_plan))
    complaint(enclosed.datatune("catalog", "add", enclosed.data))


def test_an_export_to_a_full_disk_is_one_line_and_can_go_elsewhere(enclosed: Enclosed) -> None:
    place = enclosed.folder / "stick"
    place.mkdir()
    enclosed.mount("-t", "tmpfs", "-o", "size=100k", "tmpfs", place)
    ended = enclosed.run(enclosed.task, enclosed.mapping_plan, "--to", place / "out")
    assert str(place) in complaint(ended)
    run = latest_run(enclosed)
    assert str(place) in complaint(enclosed.datatune("export", run, "--to", place / "out"))
    assert "examples.jsonl" in enclosed.exported(run)


# ── not to be written ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tidy", [True, False], ids=["closed cleanly", "with its log beside it"])
def test_a_home_that_cannot_be_written_is_one_line_and_can_be_looked_at(enclosed: Enclosed, tidy: bool) -> None:
    run = enclosed.run(enclosed.task, enclosed.mapping_plan).last["run"]
    if tidy:
        connection = sqlite3.connect(enclosed.home / "datatune.db")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    assert (enclosed.home / "datatune.db-wal").exists() != tidy
    enclosed.freeze(enclosed.home)
    for command in (["run", enclosed.task], ["resume", run], ["export", run, "--to", enclosed.folder / "out"], ["demo"]):
        assert str(enclosed.home) in complaint(enclosed.datatune(*command))
    assert json.loads(enclosed.datatune("runs", "--json").out)[0]["examples"] == 2000
    assert json.loads(enclosed.datatune("show", run, "--json").out)["state"] == "done"
    assert json.loads(enclosed.datatune("show", run, "execute", "--json").out)[0]["record"]["examples"] == 2000


def test_a_database_that_cannot_be_written_is_named_and_no_earlier_end_is_reported_instead(enclosed: Enclosed) -> None:
    run = enclosed.run(enclosed.task, enclosed.mapping_plan).last["run"]
    enclosed.freeze(enclosed.home / "datatune.db")
    for command in (["run", enclosed.task, "--dataset", enclosed.data], ["resume", run], ["export", run, "--to", enclosed.folder / "out"]):
        assert "datatune.db: cannot be written" in complaint(enclosed.datatune(*command))
    assert json.loads(enclosed.datatune("show", run, "--json").out)["state"] == "done"


# ── odd places, rotten caches, vanished data ──────────────────────────────────────────────────────────────


def test_blanks_percents_and_letters_of_any_script_in_every_path(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "Büro & мой дом 50% [#1]?", rows=9)
    ended = bench.run(bench.task, bench.mapping_plan, "--to", bench.folder / "aus gabe ✓")
    assert ended.code == 0 and ended.last["examples"] == 9, ended.err
    assert len((bench.folder / "aus gabe ✓" / "examples.jsonl").read_text(encoding="utf-8").splitlines()) == 9
    assert json.loads(bench.datatune("show", ended.last["run"], "--json").out)["examples"] == 9


DAMAGE: tuple[Callable[[bytes], bytes], ...] = (
    lambda whole: whole[: len(whole) // 2],
    lambda whole: b"\x7f" * len(whole),
    lambda whole: b"",
)


def test_a_rotten_copy_of_the_rows_is_made_anew(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, rows=300)
    assert bench.run(bench.task, bench.mapping_plan).code == 0
    (copy,) = (bench.home / "cache").rglob("*.arrow")
    whole = copy.read_bytes()
    rows = [json.loads(line) for line in (bench.data / "train.jsonl").read_text().splitlines()]
    for seed, damaged in enumerate(DAMAGE, 1):
        copy.write_bytes(damaged(whole))
        again = bench.run(bench.task, bench.mapping_plan, "--seed", str(seed), "--to", bench.folder / f"out-{seed}")
        assert again.code == 0 and again.last["examples"] == 300, again.err
        drawn = [json.loads(line) for line in (bench.folder / f"out-{seed}" / "examples.jsonl").read_text().splitlines()]
        assert all(example["input"] == rows[example["source"]["row"]]["note"] for example in drawn)
        assert copy.read_bytes() == whole


def test_data_that_vanishes_during_a_run_is_named_and_what_was_made_of_it_stays(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, rows=150)
    model = bench.script(delay=0.02, log="calls.jsonl")
    child = bench.start(
        *("run", bench.writing_task, "--dataset", bench.data, "--plan", bench.writing_plan, "--set", "expand.use_model=false"),
        *("--model", model, "--json"),
    )
    calls = bench.folder / "calls.jsonl"
    wait_until(lambda: child.poll() is not None or (calls.exists() and len(calls.read_text().splitlines()) > 20))
    assert child.poll() is None, child.communicate()
    run = latest_run(bench)
    bench.datatune("cancel", run)
    child.communicate(timeout=60)
    kept = (bench.data / "train.jsonl").rename(bench.folder / "elsewhere.jsonl")
    gone = bench.datatune("resume", run)
    assert gone.code in (2, 6) and "Traceback" not in gone.err and "notes" in gone.err, gone.err
    kept.rename(bench.data / "train.jsonl")
    resumed = bench.datatune("resume", run, "--json")
    assert resumed.code == 0 and resumed.last["examples"] == 150, resumed.err
    assert len(calls.read_text().splitlines()) == 150
