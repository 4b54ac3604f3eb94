"""Reads the header of a GGUF file without trusting it: every count and length is checked against the file's size.

Format: magic, version, number of tensors, number of metadata entries, the entries, one record a tensor, then the
tensors' data at offsets from the next aligned byte. Nothing of the data itself is read.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import msgspec

from models.errors import WeightsInvalid, WeightsMissing

HEADER_LIMIT = 256 << 20
"""Bytes of metadata read at most; the largest vocabularies published need under 30 MiB."""
STRING_LIMIT = 1 << 20
"""Longer strings are walked over and not kept."""
NUMBERS_LIMIT = 4096
"""Longer arrays of numbers are walked over and only counted."""
ENTRIES_LIMIT = 1 << 16
TENSORS_LIMIT = 1 << 17
STRINGS_LIMIT = 1 << 22
WINDOW = 1 << 16

Scalar = int | float | bool | str
SCALARS: dict[int, str] = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
LENGTH = struct.Struct("<Q")

TENSOR_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
    42: ("Q2_0", 64, 18),
}
"""Type number → name, elements in a block, bytes of a block."""


class Counted(msgspec.Struct, frozen=True):
    """An array or string that was walked over: only its length is known."""

    length: int


Value = Scalar | tuple[int | float | bool, ...] | Counted


class Tensor(msgspec.Struct, frozen=True):
    """One tensor's record."""

    name: str
    shape: tuple[int, ...]
    """The length of a row first, as the file has it."""
    kind: int
    """Number of its type in TENSOR_TYPES."""
    start: int
    """Byte of the file where its data begin."""
    size: int
    """Bytes of its data."""


class Header(msgspec.Struct, frozen=True):
    """What a GGUF file says about itself."""

    size: int
    """Bytes of the file."""
    version: int
    metadata: dict[str, Value]
    tensors: int
    parameters: int
    """Elements of all tensors together."""
    tensor_types: dict[str, int]
    """Name of a tensor type → elements stored in it."""
    layout: tuple[Tensor, ...] = ()
    """The tensors' records, in the order of the file."""
    entries: dict[str, tuple[int, int]] = {}
    """Metadata key → bytes of the file that hold its entry, from and up to."""
    alignment: int = 32
    """Tensors begin at multiples of so many bytes after the header."""


def read_header(path: Path) -> Header:
    """Read and check the header at `path`; WeightsMissing or WeightsInvalid says what is wrong."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _Reader(file, size, path).header()
    except FileNotFoundError as error:
        raise WeightsMissing(f"No file at {path}", "Check the path, or list what is there with `datatune models list`.") from error
    except OSError as error:
        raise WeightsMissing(f"Cannot read {path}: {error.strerror}", "Check that it is a file you may read.") from error


class _Reader:
    """A cursor over the header; every method that moves it checks the bounds first."""

    def __init__(self, file: BinaryIO, size: int, path: Path) -> None:
        self._file = file
        self._size = size
        self._path = path
        self._limit = min(size, HEADER_LIMIT)
        self._window = b""
        self._start = 0
        self._at = 0

    def header(self) -> Header:
        magic = self._take(4, "the magic bytes")
        if magic != b"GGUF":
            raise self._invalid("it is not a GGUF file")
        version = self._integer("I", "the version")
        if version not in (2, 3):
            what = "it is big-endian" if version in (0x02000000, 0x03000000) else f"its GGUF version is {version}"
            raise self._invalid(f"{what}; versions 2 and 3, little-endian, can be read")
        tensors = self._integer("Q", "the number of tensors")
        entries = self._integer("Q", "the number of metadata entries")
        if entries > ENTRIES_LIMIT:
            raise self._invalid(f"it claims {entries} metadata entries")
        # A tensor's record takes at least 24 bytes: a count that cannot fit is refused before anything is read.
        if tensors > min(self._size // 24, TENSORS_LIMIT):
            raise self._invalid(f"it claims {tensors} tensors, more than it can hold")
        metadata: dict[str, Value] = {}
        spans: dict[str, tuple[int, int]] = {}
        for _ in range(entries):
            start = self._position()
            key = self._text(256, "a metadata key")
            if key in metadata:
                raise self._invalid(f"metadata key {key!r} is there twice")
            metadata[key] = self._value(self._integer("I", f"the type of {key!r}"), key)
            spans[key] = (start, self._position())
        return self._tensors(version, metadata, tensors, spans)

    def _tensors(self, version: int, metadata: dict[str, Value], count: int, entries: dict[str, tuple[int, int]]) -> Header:
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 8 or alignment > 1 << 20 or alignment & (alignment - 1):
            raise self._invalid(f"general.alignment is {alignment!r}, which is no power of two between 8 and 1048576")
        names: set[str] = set()
        records: list[Tensor] = []
        types: Counter[str] = Counter()
        for _ in range(count):
            name = self._text(256, "a tensor's name")
            if name in names:
                raise self._invalid(f"tensor {name!r} is there twice")
            names.add(name)
            dimensions = self._integer("I", f"the shape of {name!r}")
            if dimensions > 4:
                raise self._invalid(f"tensor {name!r} claims {dimensions} dimensions")
            shape = tuple(self._integer("Q", f"the shape of {name!r}") for _ in range(dimensions))
            kind = self._integer("I", f"the type of {name!r}")
            offset = self._integer("Q", f"the offset of {name!r}")
            if kind not in TENSOR_TYPES:
                raise self._invalid(f"tensor {name!r} has the unknown or withdrawn type {kind}")
            type_name, block, block_bytes = TENSOR_TYPES[kind]
            elements = math.prod(shape)
            if elements > 1 << 62 or (shape and shape[0] % block):
                raise self._invalid(f"tensor {name!r} of type {type_name} has the impossible shape {list(shape)}")
            if offset % alignment:
                raise self._invalid(f"tensor {name!r} lies at {offset}, which is not a multiple of {alignment}")
            records.append(Tensor(name, shape, kind, offset, elements // block * block_bytes))
            types[type_name] += elements
        data = -(-self._position() // alignment) * alignment
        end, before = 0, ""
        for record in sorted(records, key=lambda each: (each.start, each.size, each.name)):
            if record.start < end:
                raise self._invalid(f"tensors {before!r} and {record.name!r} overlap")
            end, before = record.start + record.size, record.name
            if data + end > self._size:
                raise self._invalid(f"tensor {before!r} ends at byte {data + end}, the file at {self._size}: it is truncated")
        layout = tuple(msgspec.structs.replace(record, start=data + record.start) for record in records)
        return Header(self._size, version, metadata, count, types.total(), dict(types), layout, entries, alignment)

    def _value(self, kind: int, key: str) -> Value:
        if kind == STRING:
            length = self._length(f"the value of {key!r}")
            if length > STRING_LIMIT:
                self._skip(length, f"the value of {key!r}")
                return Counted(length)
            return self._take(length, f"the value of {key!r}").decode("utf-8", "replace")
        if kind == ARRAY:
            return self._array(key)
        if kind not in SCALARS:
            raise self._invalid(f"{key!r} has the unknown value type {kind}")
        value: int | float | bool = self._number(SCALARS[kind], f"the value of {key!r}")
        return value

    def _array(self, key: str) -> Value:
        what = f"the list {key!r}"
        kind = self._integer("I", what)
        length = self._integer("Q", what)
        if kind == STRING:
            if length > min((self._limit - self._position()) // 8, STRINGS_LIMIT):
                raise self._invalid(f"{what} claims {length} strings, more than it can hold")
            self._skip_strings(length, what)
            return Counted(length)
        if kind not in SCALARS:
            raise self._invalid(f"{what} has the unknown or nested item type {kind}")
        width = struct.calcsize("<" + SCALARS[kind])
        if length > NUMBERS_LIMIT:
            self._skip(length * width, what)
            return Counted(length)
        return struct.unpack(f"<{length}{SCALARS[kind]}", self._take(length * width, what))

    def _skip_strings(self, count: int, what: str) -> None:
        # Vocabularies hold hundreds of thousands of short strings: stepping inside the window is five times faster.
        for _ in range(count):
            at = self._at + 8
            if at <= len(self._window):
                after = at + LENGTH.unpack_from(self._window, self._at)[0]
                if after <= len(self._window) and self._start + after <= self._limit:
                    self._at = after
                    continue
            self._skip(self._length(what), what)

    def _text(self, limit: int, what: str) -> str:
        length = self._length(what)
        if length > limit:
            raise self._invalid(f"{what} claims {length} bytes")
        try:
            return self._take(length, what).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._invalid(f"{what} is not UTF-8") from error

    def _length(self, what: str) -> int:
        return self._integer("Q", what)

    def _integer(self, form: str, what: str) -> int:
        value = self._number(form, what)
        return int(value)

    def _number(self, form: str, what: str) -> int | float | bool:
        # A byte that is neither 0 nor 1 is still a truth value to struct, as it is to C.
        value: int | float | bool = struct.unpack("<" + form, self._take(struct.calcsize("<" + form), what))[0]
        return value

    def _take(self, count: int, what: str) -> bytes:
        self._check(count, what)
        if self._at + count > len(self._window):
            rest = self._window[self._at :]
            self._start += self._at
            self._window = rest + self._file.read(max(WINDOW, count) - len(rest))
            self._at = 0
            if len(self._window) < count:
                raise self._invalid(f"it ended while {what} was read")
        piece = self._window[self._at : self._at + count]
        self._at += count
        return piece

    def _skip(self, count: int, what: str) -> None:
        self._check(count, what)
        if self._at + count <= len(self._window):
            self._at += count
            return
        self._start = self._position() + count
        self._file.seek(self._start)
        self._window, self._at = b"", 0

    def _check(self, count: int, what: str) -> None:
        if count > self._limit - self._position():
            if self._limit < self._size and count <= self._size - self._position():
                raise self._invalid(f"its metadata is larger than {HEADER_LIMIT >> 20} MiB")
            raise self._invalid(f"{what} runs past the end of the file at byte {self._size}")

    def _position(self) -> int:
        return self._start + self._at

    def _invalid(self, what: str) -> WeightsInvalid:
        return WeightsInvalid(f"{self._path} cannot be used: {what}", "Copy or download the file again, and compare its SHA-256.")
