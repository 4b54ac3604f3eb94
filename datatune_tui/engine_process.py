"""The only file that starts engines and commands. Each is a process of its own: closing the screen ends none of them."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from engine.plain_text import clean

SECONDS = 600.0
"""A command that takes longer is given up."""


class Refused(Exception):
    """A command did not do what was asked."""

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint


async def command(*arguments: str) -> Any:
    """Run a command of the command line and return its JSON. Raises Refused with what it said.

    Heavy imports and native code stay out of this process: what they write to file descriptors would land on the screen.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "engine",
        *arguments,
        "--json",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, said = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        raise Refused(f"datatune {arguments[0]} did not answer in {SECONDS:.0f} seconds", "See: datatune doctor") from None
    value = _value(out)
    if process.returncode or value is None:
        lines = [clean(line).strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
        told = value if isinstance(value, dict) else {}
        title = (
            told.get("error") or told.get("reason") or (lines[0] if lines else f"datatune {arguments[0]} ended with {process.returncode}")
        )
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
