"""Errors a model runtime can raise.

ModelError
├── WeightsMissing      nothing there, or not a file we can read
├── WeightsInvalid      there, but not what it says it is
├── RuntimeUnavailable  the runtime's package is absent, or its build cannot run here
├── ServerUnavailable   a server did not answer (retryable)
├── MemoryShort         a training that does not fit into memory or onto the disk
└── RequestInvalid      a request no model could serve: too long, a schema no grammar can express
"""

from __future__ import annotations


class ModelError(Exception):
    """A plain `title` (what and where), an optional `hint` (what to do), and whether trying again can help."""

    retryable = False

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint


class WeightsMissing(ModelError):
    """The weights a spec names are not on this machine."""


class WeightsInvalid(ModelError):
    """The weights are damaged, truncated or not of a kind the runtime serves."""


class RuntimeUnavailable(ModelError):
    """The runtime cannot be imported or dies when it runs."""


class ServerUnavailable(ModelError):
    """A model server refused, timed out or failed."""

    retryable = True


class MemoryShort(ModelError):
    """A training needs more memory or disk than there is; the hint says what would need less."""


class RequestInvalid(ModelError):
    """A request that would fail however often it is sent."""
