"""Measures how quick the screens are, in a terminal of their own: `python -m datatune_tui.bench [--json]`.

First paint after the interpreter's own start; a key until the screen has changed, while a model uses all cores; a hundred thousand
examples until they are shown; and what looking at the database costs while nothing happens.
"""

from __future__ import annotations

import json
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from engine.locations import HOME_VARIABLE, Locations
from engine.records import Example, Made, Source, Task
from engine.store import items, runs, steps
from engine.store.database import Connection, open_writer
from engine.store.events import read_progress
from engine.store.lease import this_process

EXAMPLES = 100_000
STARTS = 5
KEYS = 60
IDLE_SECONDS = 20.0
PATIENCE = 60.0
SIZE = (30, 100)


class Terminal:
    """A program in a pseudo terminal, and what it writes there."""

    def __init__(self, arguments: list[str], home: Path) -> None:
        environment = os.environ | {HOME_VARIABLE: str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        lines, columns = SIZE
        self.began = time.perf_counter()
        self.pid, self.file = pty.fork()
        if not self.pid:
            import fcntl
            import struct
            import termios

            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execve(arguments[0], arguments, environment)

    def until(self, text: bytes) -> float:
        """Seconds since `began` when this text has been written; what was written before is forgotten."""
        seen = b""
        while text not in seen:
            seen += self._read(PATIENCE)
        return time.perf_counter() - self.began

    def press(self, keys: bytes) -> None:
        """Press keys; `began` is now."""
        self.began = time.perf_counter()
        os.write(self.file, keys)

    def first(self) -> float:
        """Seconds since `began` when anything is written."""
        self._read(PATIENCE)
        return time.perf_counter() - self.began

    def settle(self, quiet: float = 0.4) -> None:
        """Wait until nothing was written for a while."""
        while select.select([self.file], [], [], quiet)[0]:
            os.read(self.file, 1 << 16)

    def close(self) -> None:
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.file)

    def _read(self, patience: float) -> bytes:
        if not select.select([self.file], [], [], patience)[0]:
            raise TimeoutError(f"nothing on the terminal for {patience:.0f} s")
        return os.read(self.file, 1 << 16)


def measure() -> dict[str, Any]:
    """All figures; times in milliseconds."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        _fill(Locations(home).ensure())
        return {
            "first_paint_ms": _first_paint(home),
            "examples": EXAMPLES,
            "open_ms": _open(home),
            "idle_share_of_a_core": _idle(home),
            **_percentiles("key_in_examples", (keys := _keys(home))[0]),
            **_percentiles("key_beside_the_run", keys[1]),
            "keys": KEYS,
            "cores": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process(), "cpu_affinity") else os.cpu_count(),
        }


def _percentiles(name: str, times: list[float]) -> dict[str, float]:
    return {f"{name}_p50_ms": times[len(times) // 2], f"{name}_p95_ms": times[int(0.95 * len(times))]}


def _first_paint(home: Path) -> float:
    """Median over STARTS, less the median start of an interpreter that does nothing."""
    painted, bare = [], []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append(time.perf_counter() - began)
        with _screens(home, wait=False) as terminal:
            painted.append(terminal.until(b"Home"))
    return round(1000 * (statistics.median(painted) - statistics.median(bare)), 1)


def _open(home: Path) -> float:
    """From the key that goes to the examples to the screen that shows them."""
    with _screens(home) as terminal:
        terminal.press(b"\r")
        terminal.until(b"execute")
        terminal.settle()
        terminal.press(b"3")
        return round(1000 * terminal.until(f"{EXAMPLES:,} units".encode()), 1)


def _idle(home: Path) -> float:
    with _screens(home) as terminal:
        process = psutil.Process(terminal.pid)
        before, began = process.cpu_times(), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        after = process.cpu_times()
        return round((after.user + after.system - before.user - before.system) / (time.perf_counter() - began), 4)


def _keys(home: Path) -> tuple[list[float], list[float]]:
    """Key to repaint in milliseconds, sorted, while an engine that writes the same database keeps all cores busy.

    First in a list of EXAMPLES, then beside the run at work: its stages, its counts and its plots.
    """
    with _screens(home) as terminal:
        terminal.press(b"\r")
        terminal.until(b"execute")
        terminal.settle()
        terminal.press(b"3")
        terminal.until(b"units")
        terminal.settle()
        with _engine_at_work(home):
            in_list = _pressed(terminal, (b"\x1b[B",) * 6 + (b"\x1b[6~",))
            terminal.press(b"1")
            terminal.until(b"bench")
            terminal.settle(0.15)
            terminal.press(b"\x1b[H\r")
            terminal.until(b"execute")
            terminal.settle(0.15)
            return in_list, _pressed(terminal, (b"\x1b[A", b"\x1b[B"))


def _pressed(terminal: Terminal, keys: tuple[bytes, ...]) -> list[float]:
    times = []
    for number in range(KEYS):
        terminal.press(keys[number % len(keys)])
        times.append(1000 * terminal.first())
        terminal.settle(0.15)
    return [round(one, 1) for one in sorted(times)]


@contextmanager
def _engine_at_work(home: Path) -> Iterator[None]:
    """A run that has a model write something about each of 20,000 rows."""
    data = home / "bench-rows"
    data.mkdir()
    with (data / "train.jsonl").open("w", encoding="utf-8") as file:
        for number in range(20_000):
            file.write(json.dumps({"number": number, "note": f"Neighbour number {number} says that the gutter ran over again."}) + "\n")
    (home / "bench.toml").write_text(_TASK, encoding="utf-8")
    (home / "bench-plan.toml").write_text(_PLAN, encoding="utf-8")
    command = [sys.executable, "-I", "-m", "engine", "run", str(home / "bench.toml"), "--dataset", str(data)]
    command += ["--plan", str(home / "bench-plan.toml"), "--model", "smollm2", "--detach", "--json"]
    started = subprocess.run(command, env=os.environ | {HOME_VARIABLE: str(home)}, capture_output=True, check=True)
    run = json.loads(started.stdout)["run"]
    connection = open_writer(Locations(home).database)
    try:
        _wait_for_load(connection, run)
        yield
    finally:
        found = runs.read_run(connection, run)
        runs.send_command(connection, run, "cancel")
        if found and found.owner:
            psutil.wait_procs([psutil.Process(found.owner.pid)], timeout=PATIENCE)
        connection.close()


_TASK = """
[task]
name = "bench"
description = "Write a title for a short note about the weather."
[execute]
least_yield = 0.0
"""
_PLAN = """
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


def _wait_for_load(connection: Connection, run: str) -> None:
    """Until the model is at work and units are being stored: loading it uses one core only."""
    deadline = time.monotonic() + 10 * PATIENCE
    while time.monotonic() < deadline:
        found, now = runs.read_run(connection, run), read_progress(connection, run)
        if found is None or found.state not in ("new", "running"):
            break
        if now and now.stage == "execute" and now.done > 0:
            return
        time.sleep(0.5)
    raise TimeoutError("the run that should use all cores does not; see: datatune doctor")


@contextmanager
def _screens(home: Path, wait: bool = True) -> Iterator[Terminal]:
    terminal = Terminal([sys.executable, "-m", "datatune_tui"], home)
    try:
        if wait:
            terminal.until(b"Home")
            terminal.settle()
        yield terminal
    finally:
        terminal.close()


def _fill(locations: Locations) -> None:
    """A finished run with EXAMPLES examples."""
    connection = open_writer(locations.database)
    run = runs.create_run(connection, Task("many-examples", "Say what kind of weather a note speaks of."), runs.RunSettings())
    runs.claim_run(connection, run, this_process())
    steps.claim_step(connection, "made", "execute", "owner/notes", 1, "{}", 0, this_process())
    stored = []
    for number in range(EXAMPLES):
        text = f"Note {number}: the gutter ran over again, and the picnic was moved into the barn before anybody had sat down to it."
        example = Example(text, ("sun", "rain", "snow")[number % 3], "derived", Source("owner/notes", "default", "train", number), "plan")
        stored.append(items.Item(f"train {number}", number, "accepted", "", msgspec.json.encode(example).decode()))
    items.store_items(connection, "made", stored)
    made = Made("owner/notes", "default", "plan", EXAMPLES, EXAMPLES)
    steps.finish_step(connection, "made", "done", "", msgspec.json.encode(made).decode(), 9.0)
    steps.link_step(connection, run, "made", "execute", "owner/notes", False)
    runs.finish_run(connection, run, "done", f"{EXAMPLES:,} examples from 1 data set", 0, EXAMPLES)
    connection.close()


if __name__ == "__main__":
    found = measure()
    if "--json" in sys.argv[1:]:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write("\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in found.items()) + "\n")
