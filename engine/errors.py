"""Errors the engine raises, and the exit codes they end with.

EngineError
├── BadInput        a task file, option, data set or plan that cannot be used as it is   2
├── NothingSuitable no data set or plan serves the task                                  3
├── Busy            another engine owns the run or the step                              4
├── StoreUnusable   the database cannot be read or written: disk full, read-only, locked 5
├── Unavailable     a model, data set or file this needs is not on this machine          6
├── StageFailed     a stage ended without its result                                     7
└── Cancelled       the user stopped it, or its budget ran out before any example        8
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `datatune` tells the shell."""

    DONE = 0
    CRASHED = 1
    BAD_INPUT = 2
    NOTHING_SUITABLE = 3
    BUSY = 4
    STORE_UNUSABLE = 5
    UNAVAILABLE = 6
    STAGE_FAILED = 7
    CANCELLED = 8


class EngineError(Exception):
    """A plain `title` (what and where), a `hint` (what to do), whether trying again can help, the exit code."""

    exit_code = ExitCode.CRASHED
    retryable = False

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint


class BadInput(EngineError):
    """Something the user gave cannot be used as it is."""

    exit_code = ExitCode.BAD_INPUT


class NothingSuitable(EngineError):
    """An honest answer: none of the data sets, or no plan, serves the task."""

    exit_code = ExitCode.NOTHING_SUITABLE


class Busy(EngineError):
    """Another engine holds the lease; the title names it."""

    exit_code = ExitCode.BUSY
    retryable = True


class StoreUnusable(EngineError):
    """The database or the folder it lies in cannot be used."""

    exit_code = ExitCode.STORE_UNUSABLE


class Unavailable(EngineError):
    """A model, a data set or a package this needs is not on this machine."""

    exit_code = ExitCode.UNAVAILABLE


class StageFailed(EngineError):
    """A stage ended without its result."""

    exit_code = ExitCode.STAGE_FAILED


class Cancelled(EngineError):
    """Stopped on purpose; what was done stays."""

    exit_code = ExitCode.CANCELLED
