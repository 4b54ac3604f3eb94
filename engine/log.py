"""What an engine says to its log, which may lie on the very disk that is full."""

from __future__ import annotations

import os
import sys


def say(text: str) -> None:
    """A line for the log; lost where the log cannot be written."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        _silence()


def leave(code: int) -> None:
    """End the process with this code. Python itself would end with 120 where what it still has to say cannot be written."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        _silence()
    sys.exit(code)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
