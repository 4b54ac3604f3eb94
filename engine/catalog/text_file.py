"""Text data files as they lie on disk: compressed or not, in whatever encoding."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from engine.errors import BadInput

COMPRESSIONS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def plain_name(name: str) -> str:
    """The file's name less a compression ending: "train.csv.gz" is "train.csv"."""
    for ending in COMPRESSIONS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, unpacked while they are read. Raises BadInput when it cannot be opened."""
    opener = COMPRESSIONS.get(path.suffix.lower())
    try:
        return cast(BinaryIO, opener(path, "rb")) if opener else path.open("rb")
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror or error}") from error


def open_text(path: Path) -> TextIO:
    """The file as text, line ends as they stand. Bytes that fit no encoding become the replacement character.

    Raises BadInput when the file cannot be opened or its compression is damaged.
    """
    encoding = encoding_of(path, path.stat().st_mtime_ns if path.exists() else 0)
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, errors="replace", newline="")


@lru_cache(maxsize=4096)
def encoding_of(path: Path, modified_ns: int) -> str:
    """UTF-8 where the whole file is, UTF-16 where it says so, else Windows-1252, the commonest of the others."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open_bytes(path) as file:
            start = file.read(4)
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            chunk = start
            while chunk:
                decoder.decode(chunk)
                chunk = file.read(1 << 20)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise BadInput(f"{path.name} cannot be unpacked: {error}", "The file may be cut off; fetch it again.") from error
    return "utf-8-sig"
