"""A run survives kills, crashes in native code, a second engine, a full disk and a read-only home."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.workbench import Workbench, wait_until


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, rows=150)


def settings(bench: Workbench, writing: bool, model: str) -> list[str]:
    task, plan = (bench.writing_task, bench.writing_plan) if writing else (bench.task, bench.mapping_plan)
    options = ["--set", "expand.use_model=false", "--set", "execute.examples=20000", "--model", model]
    return [str(task), "--dataset", str(bench.data), "--plan", str(plan), *options]


def processes(bench: Workbench, module: str) -> list[psutil.Process]:
    """Live engine or watcher processes of this home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if module in (process.info["cmdline"] or []) and process.environ().get("DATATUNE_HOME") == str(bench.home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def stored(bench: Workbench) -> int:
    try:
        connection = sqlite3.connect(f"file:{bench.home / 'datatune.db'}?mode=ro", uri=True)
        return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])
    except sqlite3.Error:
        return 0


def kill(bench: Workbench) -> None:
    """kill -9 for the watcher and the engine, as a power cut would."""
    for module in ("engine.watch", "engine.work"):
        for process in processes(bench, module):
            process.kill()
    wait_until(lambda: not processes(bench, "engine.work") and not processes(bench, "engine.watch"))


def latest_run(bench: Workbench) -> str:
    return str(json.loads(bench.datatune("runs", "--json").out)[0]["run"])


def _reached(bench: Workbench, moment: int) -> bool:
    return stored(bench) >= moment


def _at_work(bench: Workbench, child: subprocess.Popen[str]) -> bool:
    return bool(processes(bench, "engine.work")) or child.poll() is not None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("writing", [True, False], ids=["scripted model", "deterministic plan"])
def test_killed_twenty_times_the_export_is_the_same_to_the_byte(tmp_path: Path, writing: bool) -> None:
    """Twenty random moments of execute, drawn as counts of finished units; resumed after each."""
    rows = 200 if writing else 20_000
    whole, torn = Workbench(tmp_path / "whole", rows), Workbench(tmp_path / "torn", rows)
    model, same = torn.script(log="calls.jsonl", delay=0.005), whole.script(log="calls.jsonl", delay=0.005)
    quiet = whole.datatune("run", *settings(whole, writing, same), "--json")
    assert quiet.code == 0, quiet.err
    moments = sorted(random.Random(7).sample(range(rows - 5), 20))
    last_before_kill: list[str] = []
    child = torn.start("run", *settings(torn, writing, model), "--json")
    for moment in moments:
        wait_until(partial(_reached, torn, moment))
        kill(torn)
        child.communicate(timeout=60)
        log = torn.folder / "calls.jsonl"
        last_before_kill.append(log.read_text().splitlines()[-1] if log.exists() else "")
        child = torn.start("resume", latest_run(torn), "--json")
        wait_until(partial(_at_work, torn, child))
    _, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    assert torn.exported(latest_run(torn)) == whole.exported(latest_run(whole))
    if writing:
        prompts = Counter(json.loads(line)["prompt"] for line in (torn.folder / "calls.jsonl").read_text().splitlines())
        cut_short = Counter(json.loads(line)["prompt"] for line in last_before_kill if line)
        repeated = {prompt for prompt, count in prompts.items() if count > 1}
        assert repeated <= set(cut_short), "only a call that was under way when the engine was killed may be made again"


@pytest.mark.timeout(600)
def test_killed_while_writing_synthetic_examples_the_export_is_the_same_to_the_byte(tmp_path: Path) -> None:
    whole, torn = Workbench(tmp_path / "whole"), Workbench(tmp_path / "torn")

    def given(bench: Workbench) -> list[str]:
        model = bench.script(log="calls.jsonl", delay=0.005)
        asked = ["--dataset", "none", "--synthetic", "60", "--set", "generate.near_duplicate=1.1", "--set", "generate.votes=0"]
        return [str(bench.task), *asked, "--set", "expand.use_model=false", "--model", model, "--json"]

    quiet = whole.datatune("run", *given(whole))
    assert quiet.code == 0, quiet.err
    assert quiet.last["examples"] == 60
    child = torn.start("run", *given(torn))
    last_before_kill: list[str] = []
    for moment in sorted(random.Random(3).sample(range(55), 4)):
        wait_until(partial(_reached, torn, moment))
        kill(torn)
        child.communicate(timeout=60)
        log = torn.folder / "calls.jsonl"
        last_before_kill.append(log.read_text().splitlines()[-1] if log.exists() else "")
        child = torn.start("resume", latest_run(torn), "--json")
        wait_until(partial(_at_work, torn, child))
    _, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    assert torn.exported(latest_run(torn)) == whole.exported(latest_run(whole))
    asked = [[json.loads(line)["prompt"] for line in (one.folder / "calls.jsonl").read_text().splitlines()] for one in (whole, torn)]
    assert set(asked[0]) == set(asked[1]), "a run that was killed asks what one that was not would have asked"
    cut_short = [json.loads(line)["prompt"] for line in last_before_kill if line]
    assert len(asked[1]) <= len(asked[0]) + len(cut_short), "only a call that was under way may be made again"


def test_a_unit_that_aborts_native_code_is_found_and_passed_over(bench: Workbench) -> None:
    ended = bench.datatune("run", *settings(bench, True, bench.script(abort_on="neighbour number 42.")), "--json")
    assert ended.code == 0, ended.err
    assert ended.last["examples"] == 149
    (failure,) = json.loads(bench.datatune("show", ended.last["run"], "--failures", "--json").out)
    assert failure["unit"] == "train:42" and "SIGABRT" in failure["reason"]
    story = json.loads(bench.datatune("show", ended.last["run"], "--events", "--json").out)
    assert [event["kind"] for event in story].count("crash") == 2, "once among its neighbours, once alone"


def test_a_second_engine_is_refused_with_the_owner_named(bench: Workbench) -> None:
    first = bench.start("run", *settings(bench, True, bench.script(delay=0.05)), "--json")
    wait_until(lambda: stored(bench) > 3)
    run = latest_run(bench)
    owner = processes(bench, "engine.watch")[0].pid
    second = bench.datatune("resume", run)
    assert second.code == 4 and str(owner) in second.err
    direct = subprocess.run(
        [sys.executable, "-I", "-m", "engine.watch", run], env=bench.environment(), capture_output=True, text=True, timeout=60
    )
    assert direct.returncode == 4 and str(owner) in direct.stderr
    assert bench.datatune("cancel", run).code == 0
    first.communicate(timeout=60)


def test_two_runs_never_write_one_step_at_the_same_time(bench: Workbench) -> None:
    given = settings(bench, True, bench.script(delay=0.05))
    first = bench.start("run", *given, "--json")
    wait_until(lambda: stored(bench) > 3)
    engine = processes(bench, "engine.work")[0].pid
    second = bench.datatune("run", *given, "--json")
    assert second.code == 4 and str(engine) in second.err
    bench.datatune("cancel", json.loads(bench.datatune("runs", "--json").out)[1]["run"])
    first.communicate(timeout=60)


def test_cancel_keeps_what_was_made_and_resume_goes_on(bench: Workbench) -> None:
    model = bench.script(delay=0.02, log="calls.jsonl")
    child = bench.start("run", *settings(bench, True, model), "--json")
    wait_until(lambda: stored(bench) > 10)
    run = latest_run(bench)
    assert bench.datatune("cancel", run).code == 0
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 8 and json.loads(out.strip().splitlines()[-1])["state"] == "cancelled"
    assert 10 < stored(bench) < 150
    resumed = bench.datatune("resume", run, "--json")
    assert resumed.code == 0 and resumed.last["examples"] == 150
    assert len((bench.folder / "calls.jsonl").read_text().splitlines()) == 150


def test_an_interrupt_at_the_keyboard_cancels_the_run(bench: Workbench) -> None:
    child = bench.start("run", *settings(bench, True, bench.script(delay=0.05)), "--json")
    wait_until(lambda: stored(bench) > 3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 8 and "stopping" in err
    assert json.loads(out.strip().splitlines()[-1])["state"] == "cancelled"


def test_a_run_outlives_the_command_that_started_it(bench: Workbench) -> None:
    child = bench.start("run", *settings(bench, True, bench.script(delay=0.02)))
    wait_until(lambda: stored(bench) > 3)
    child.kill()
    child.communicate(timeout=60)
    run = latest_run(bench)
    bench.datatune("show", run, "--follow")
    shown = json.loads(bench.datatune("show", run, "--json").out)
    assert shown["state"] == "done" and shown["examples"] == 150


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="needs a folder that refuses writes")
def test_a_home_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.home.write_text("a file where the folder should be")
    ended = bench.datatune("run", *settings(bench, False, bench.script()))
    assert ended.code == 5 and "Traceback" not in ended.err and len(ended.err.strip().splitlines()) <= 3


def test_a_damaged_database_is_named_and_left_alone(bench: Workbench) -> None:
    bench.home.mkdir()
    broken = bench.home / "datatune.db"
    broken.write_bytes(b"not a database, but somebody's file" * 100)
    ended = bench.datatune("run", *settings(bench, False, bench.script()))
    assert ended.code == 5 and "datatune.db" in ended.err
    assert broken.read_bytes().startswith(b"not a database")
