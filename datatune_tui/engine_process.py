"""The only file that starts engines and commands. Each is a process of its own: closing the screen ends none of them but measurements,
of which nobody else has anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

from engine.cli.progress import FOLLOWED, line
from engine.plain_text import clean

POLL_SECONDS = 0.05


class Refused(Exception):
    """A command did not do what was asked."""

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint


class Doing(NamedTuple):
    """How far a command is with a part of its work."""

    doing: str
    done: int
    of: int | None
    rate: float
    """A second."""
    unit: str

    def __str__(self) -> str:
        return line(self.doing, self.done, self.of, self.rate, self.unit, True)


async def command(*arguments: str) -> Any:
    """Run a command of the command line and return its JSON. Raises Refused with what it said.

    Heavy imports and native code stay out of this process: what they write to file descriptors would land on the screen. The command
    goes on when the screen is closed meanwhile, so what it says goes to files, not to pipes that would break.
    """
    return await _answer(arguments, None)


async def measurement(*arguments: str, tell: Callable[[Doing], None]) -> Any:
    """The same for a command that only measures: `tell` gets how far it is, and it ends at once when whoever waits for it is cancelled."""
    return await _answer(arguments, tell)


async def _answer(arguments: tuple[str, ...], tell: Callable[[Doing], None] | None) -> Any:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "engine", *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=said,
            env={**os.environ, FOLLOWED: "json"} if tell else None,
            start_new_session=True,
        )
        try:
            read = 0
            while process.poll() is None:
                await asyncio.sleep(POLL_SECONDS)
                if tell:
                    # The place in the file is the writer's too: reading must not move it.
                    new, cut, _ = os.pread(said.fileno(), 1 << 20, read).rpartition(b"\n")
                    read += len(new + cut)
                    for told in filter(None, map(_doing, new.splitlines()[-1:])):
                        tell(told)
        finally:
            if tell and process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out.seek(0)
        said.seek(0)
        value = _value(out.read())
        lines = [clean(text.decode("utf-8", "replace")).strip() for text in said.read().splitlines() if not (tell and _doing(text))]
    lines = [text for text in lines if text]
    told_as_json = value if isinstance(value, dict) else {}
    # Some commands find something wrong and say what, in JSON of their own: that is an answer too.
    if value is None or "error" in told_as_json or told_as_json.get("state") == "refused" or (process.returncode and not told_as_json):
        ended = f"datatune {arguments[0]} ended with {process.returncode}"
        title = told_as_json.get("error") or told_as_json.get("reason") or (lines[0] if lines else ended)
        raise Refused(str(title).removeprefix("datatune: "), str(told_as_json.get("hint") or (lines[1] if len(lines) > 1 else "")))
    return value


def _value(out: bytes) -> Any:
    """The last line that is JSON; None for none."""
    for text in reversed(out.splitlines()):
        try:
            return json.loads(text)
        except ValueError:
            continue
    return None


def _doing(text: bytes) -> Doing | None:
    """A report of progress; None for another line."""
    try:
        told = json.loads(text)
        of = None if told["of"] is None else int(told["of"])
        return Doing(clean(str(told["doing"])), int(told["done"]), of, float(told["rate"]), clean(str(told["unit"])))
    except (ValueError, TypeError, KeyError):
        return None
