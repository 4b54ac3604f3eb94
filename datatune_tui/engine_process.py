"""The only file that starts engines and commands. Each is a process of its own: closing the screen ends none of them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from typing import Any

from engine.plain_text import clean

POLL_SECONDS = 0.05


class Refused(Exception):
    """A command did not do what was asked."""

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint


async def command(*arguments: str) -> Any:
    """Run a command of the command line and return its JSON. Raises Refused with what it said.

    Heavy imports and native code stay out of this process: what they write to file descriptors would land on the screen. The command
    goes on when the screen is closed meanwhile, so what it says goes to files, not to pipes that would break.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "engine", *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=said,
            start_new_session=True,
        )
        while process.poll() is None:
            await asyncio.sleep(POLL_SECONDS)
        out.seek(0)
        said.seek(0)
        value = _value(out.read())
        lines = [clean(line).strip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    told = value if isinstance(value, dict) else {}
    # Some commands find something wrong and say what, in JSON of their own: that is an answer too.
    if value is None or "error" in told or told.get("state") == "refused" or (process.returncode and not told):
        ended = f"datatune {arguments[0]} ended with {process.returncode}"
        title = told.get("error") or told.get("reason") or (lines[0] if lines else ended)
        raise Refused(str(title).removeprefix("datatune: "), str(told.get("hint") or (lines[1] if len(lines) > 1 else "")))
    return value


def _value(out: bytes) -> Any:
    """The last line that is JSON; None for none."""
    for line in reversed(out.splitlines()):
        try:
            return json.loads(line)
        except ValueError:
            continue
    return None
