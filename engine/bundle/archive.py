"""The zip file of a bundle as a stranger may have made it: nothing in it is believed before it was compared, and memory stays bounded.

Names are from a fixed set, so none is a path; the sizes it declares bound what is read; what it claims to hold must fit into it.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from engine.bundle.contents import CHUNK, ENTRY, FORMAT, MANIFEST, MOST_ENTRIES, MOST_MANIFEST, MOST_ROW, VERSION, Entry, Format, Manifest
from engine.errors import BadInput
from engine.plain_text import one_line

MOST_AT_ONCE = 2 << 20
"""Bytes that are read at once; also bounds the zip's own list of entries."""
PACKED = 1100
"""How many times smaller than itself an entry of rows may be: the method reaches 1,032. Files are not packed at all."""
AGAIN = "copy it again from the machine that wrote it, or bundle the run anew"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError, ValueError, OverflowError)


class Bounded(io.RawIOBase):
    """A file that hands out no more than a bounded piece at once, whatever is asked of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self.size - self._file.tell())
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > MOST_AT_ONCE:
            raise zipfile.BadZipFile("its list of entries is too long")
        return self._file.read(wanted)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


class Archive:
    """An open bundle whose entries are those its manifest names."""

    def __init__(self, path: Path, bundle: zipfile.ZipFile, size: int) -> None:
        self.path = path
        self.size = size
        self._zip = bundle
        self._infos = self._entries()
        self.manifest = self._manifest()

    def chunks(self, name: str) -> Iterator[bytes]:
        """An entry's content piece by piece; when all was read it was what the manifest says, to the last byte. Raises BadInput."""
        entry = self._declared[name]
        sums, left = hashlib.sha256(), entry.bytes
        for chunk in self._read(name, entry.bytes):
            sums.update(chunk)
            left -= len(chunk)
            yield chunk
        if left or sums.hexdigest() != entry.sha256:
            raise self.bad(f"damaged: {name} is not what its manifest says")

    def rows(self, name: str) -> Iterator[bytes]:
        """An entry's lines, without their ends. Raises BadInput also for a line that is too long."""
        rest = b""
        for chunk in self.chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > MOST_ROW:
                raise self.bad(f"{name} has a row of over {MOST_ROW >> 20} MB")
        if rest:
            raise self.bad(f"{name} ends within a row")

    def bytes_of(self, name: str) -> int:
        """Size of an entry, unpacked."""
        return self._declared[name].bytes

    def bad(self, what: str) -> BadInput:
        """The error that says what is wrong with this file."""
        return bad(self.path, what)

    def _entries(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if not 0 < len(infos) <= MOST_ENTRIES:
            raise self.bad(f"not a bundle: {len(infos):,} entries" if infos else "not a bundle: empty")
        found: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            shown = one_line(info.orig_filename, 60)
            if info.orig_filename != info.filename or not ENTRY.fullmatch(info.filename):
                raise self.bad(f"an entry that belongs to no bundle: {shown!r}")
            if info.filename in found:
                raise self.bad(f"two entries of the name {shown!r}")
            if (kind := stat.S_IFMT(info.external_attr >> 16)) and kind != stat.S_IFREG:
                raise self.bad(f"{shown!r} is no plain file but a link or something else")
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise self.bad(f"{shown!r} is encrypted, or packed in a way that bundles are not")
            most = info.compress_size * (1 if info.compress_type == zipfile.ZIP_STORED else PACKED)
            if info.file_size > most or (info.filename.startswith("files/") and info.compress_type != zipfile.ZIP_STORED):
                raise self.bad(f"{shown!r} claims {info.file_size:,} bytes out of {info.compress_size:,}")
            found[info.filename] = info
        if sum(info.compress_size for info in infos) > self.size:
            raise self.bad("its entries claim more than the file holds")
        if MANIFEST not in found:
            raise self.bad(f"not a bundle: no {MANIFEST}")
        return found

    def _manifest(self) -> Manifest:
        size = self._infos[MANIFEST].file_size
        if size > MOST_MANIFEST:
            raise self.bad(f"a manifest of {size:,} bytes")
        text = b"".join(self._read(MANIFEST, size))
        try:
            told = msgspec.json.decode(text, type=Format)
            if told.format != FORMAT:
                raise self.bad("not a bundle of a run")
            if told.version != VERSION:
                raise BadInput(
                    f"{self.path}: a bundle of version {told.version}; this DataTune reads version {VERSION}",
                    "use the DataTune that wrote it, or bundle the run anew with this one",
                )
            manifest = msgspec.json.decode(text, type=Manifest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self.bad(f"its manifest cannot be read: {one_line(str(error), 160)}") from None
        self._declared: dict[str, Entry] = {entry.name: entry for entry in manifest.entries}
        if len(self._declared) != len(manifest.entries) or self._declared.keys() | {MANIFEST} != self._infos.keys():
            raise self.bad("its entries are not those its manifest names")
        for entry in manifest.entries:
            if entry.bytes != self._infos[entry.name].file_size:
                raise self.bad(f"damaged: {entry.name} has another size than its manifest says")
        return manifest

    def _read(self, name: str, size: int) -> Iterator[bytes]:
        try:
            with self._zip.open(self._infos[name]) as file:
                left = size
                while chunk := file.read(min(CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        raise self.bad(f"damaged: {name} is longer than it claims")
                    yield chunk
        except _BROKEN as error:
            raise self.bad(f"damaged: {name}: {one_line(str(error), 120)}") from None
        except OSError as error:
            raise self.bad(f"cannot be read: {error.strerror or error}") from error


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A bundle, open for reading. Raises BadInput for what is none, or is damaged where that shows at once."""
    if not path.is_file():
        raise BadInput(
            f"{path}: {'no file, but something else' if path.exists() else 'no such file'}", "give a file that `datatune bundle` wrote"
        )
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}", "give a file that `datatune bundle` wrote") from None
    with file:
        yield _archive(path, file)


def bad(path: Path, what: str) -> BadInput:
    """One line on what is wrong with a bundle."""
    return BadInput(f"{path}: {what}; nothing was stored", AGAIN)


def _archive(path: Path, file: BinaryIO) -> Archive:
    try:
        bounded = Bounded(file)
        bundle = zipfile.ZipFile(bounded)
    except (*_BROKEN, OSError) as error:
        what = "not a zip file, or cut off" if "not a zip file" in str(error) else str(error)
        raise bad(path, f"not a bundle: {one_line(what, 120)}") from None
    return Archive(path, bundle, bounded.size)
