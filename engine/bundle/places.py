"""Where the files of a bundle go: first into a folder of their own, checked; then to their places, and back out if anything fails.

Nothing is overwritten: what is there with the same content serves, what is there with another keeps its name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.bundle.archive import Archive
from engine.bundle.contents import CHUNK, AdapterFile, File, TestFile, WeightsFile
from engine.errors import BadInput, Busy, StoreUnusable
from engine.locations import ADAPTER_DIGITS, Locations
from engine.store.database import translated as stored_at

STAGING = ".unbundle-"
LOCK = "unbundle.lock"
_DIGITS = 16
"""Of a file's SHA-256, in names."""


@contextmanager
def staging(locations: Locations) -> Iterator[Path]:
    """A folder of the home that is gone afterwards, and with it those that killed commands left. Raises Busy where another unbundles."""
    from filelock import FileLock, Timeout

    lock = FileLock(str(locations.home / LOCK), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise Busy("another command is unbundling into this home", "wait for it, then try again") from None
    try:
        for left in locations.home.glob(f"{STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=locations.home))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def stage_files(archive: Archive, folder: Path, tell: Callable[[int], None]) -> dict[str, Path]:
    """Write every file of a bundle into `folder`, checked to the last byte and kept through a power cut; entry → path."""
    found: dict[str, Path] = {}
    done = 0
    for file in archive.manifest.files:
        path = folder / file.entry.replace("/", "-")
        with stored_at(path), path.open("xb") as out:
            for chunk in archive.chunks(file.entry):
                out.write(chunk)
                done += len(chunk)
                tell(done)
            out.flush()
            os.fsync(out.fileno())
        if isinstance(file, WeightsFile):
            _check_weights(archive, file, path)  # llama.cpp would read it later, and is no place for surprises
        found[file.entry] = path
    return found


class Places:
    """Where each staged file goes, decided once; moves them there, and takes them back."""

    def __init__(self, locations: Locations, archive: Archive, staged: dict[str, Path]) -> None:
        self._locations = locations
        self._sums = {entry.name: entry.sha256 for entry in archive.manifest.entries}
        sums = [self._sums[file.entry] for file in archive.manifest.files if isinstance(file, TestFile)]
        self._test = sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
        self._staged = staged
        self._served: set[str] = set()
        """Entries whose content is in its place already."""
        self._moved: list[Path] = []
        self._promised: set[Path] = set()
        self.targets = {file.entry: self._target(file) for file in archive.manifest.files}
        """Entry → path."""

    def move(self, entry: str) -> None:
        """Put a file into its place. Raises BadInput where another file stands there."""
        target = self.targets[entry]
        if entry in self._served:
            return
        if _there(target):
            raise BadInput(f"{target} is there already, and is another file; nothing was stored", "move it away, then try again")
        target.parent.mkdir(parents=True, exist_ok=True)
        self._staged[entry].replace(target)
        self._moved.append(target)

    def keep(self) -> None:
        """Let the moves last through a power cut, now that the rows that speak of them are about to be stored."""
        for folder in {parent for path in self._moved for parent in (path.parent, path.parent.parent)}:
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def undo(self) -> None:
        """Take everything back out, folders that are empty then included."""
        for path in self._moved:
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder in (self._locations.home, self._locations.weights) or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()
        self._moved = []

    def _target(self, file: File) -> Path:
        digits = self._sums[file.entry][:_DIGITS]
        if isinstance(file, AdapterFile):
            found = [self._locations.adapters / file.step[:ADAPTER_DIGITS] / file.name]
        elif isinstance(file, TestFile):
            found = [self._locations.tests / self._test[:_DIGITS] / file.part / file.name]
        else:
            found = [self._locations.weights / file.name, self._locations.weights / digits / file.name]
        for path in found:
            if self._same(path, file.entry):
                self._served.add(file.entry)
                return path
        free = next((path for path in found if not _there(path) and path not in self._promised), found[-1])
        self._promised.add(free)
        return free

    def _same(self, path: Path, entry: str) -> bool:
        if not path.is_file() or path.stat().st_size != self._staged[entry].stat().st_size:
            return False
        return _sha256(path) == self._sums[entry]


def _check_weights(archive: Archive, file: WeightsFile, path: Path) -> None:
    """Refuse what is no GGUF file of the kind the bundle calls it."""
    from models.errors import ModelError
    from models.gguf_header import read_header
    from models.weights import describe

    sums = next(entry.sha256 for entry in archive.manifest.entries if entry.name == file.entry)
    adapter = any(one.part == "adapter" and one.sha256 == sums for one in archive.manifest.weights)
    try:
        if not adapter:
            describe(path)
        elif read_header(path).metadata.get("general.type") != "adapter":
            raise archive.bad(f"{file.name} is no adapter")
    except ModelError as error:
        raise archive.bad(f"its weights {file.name}: {error.title.replace(str(path), file.name)}") from None


def _there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _sha256(path: Path) -> str:
    sums = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sums.update(chunk)
    return sums.hexdigest()


def room(locations: Locations, needed: int) -> None:
    """Raises StoreUnusable where the home's disk has no room for so many bytes."""
    free = shutil.disk_usage(locations.home).free
    if free < needed:
        raise StoreUnusable(
            f"{locations.home}: the bundle needs {needed / 1e9:.2f} GB, the disk has {free / 1e9:.2f} GB free; nothing was stored",
            "free some space, or set DATATUNE_HOME to a folder on another disk",
        )
