"""A JSON file in the cache folder that remembers what takes long to find out: digests, calibrations."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class CacheFile(Generic[T]):
    """Values of one type by key. What cannot be read or written only costs time; two writers lose one entry, never the file."""

    def __init__(self, folder: Path | None, name: str, kind: type[T]) -> None:
        """`name` in `folder`; None remembers nothing."""
        self._folder = folder
        self._name = name
        self._kind = kind

    def all(self) -> dict[str, T]:
        """What is remembered; nothing where the file is missing or damaged."""
        if self._folder is None:
            return {}
        try:
            return msgspec.json.decode((self._folder / self._name).read_bytes(), type=dict[str, self._kind])  # type: ignore[name-defined]
        except (OSError, msgspec.DecodeError):
            return {}

    def get(self, key: str) -> T | None:
        """The value under a key."""
        return self.all().get(key)

    def put(self, key: str, value: T, instead: str = "") -> None:
        """Remember a value; keys that begin with `instead` are forgotten for it."""
        if self._folder is None:
            return
        known = {name: one for name, one in self.all().items() if not (instead and name.startswith(instead))} | {key: value}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, part = tempfile.mkstemp(dir=self._folder, prefix=self._name, suffix=".part")
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(known)))
            Path(part).replace(self._folder / self._name)
        except OSError:
            return


def key_of(*parts: object) -> str:
    """A key for what depends on all of these."""
    return hashlib.sha256(msgspec.json.encode([str(part) for part in parts])).hexdigest()[:24]
