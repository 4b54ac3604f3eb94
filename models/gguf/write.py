"""Writes a merged model: the metadata of the base byte for byte, then its tensors one after the other, those with a delta changed."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsInvalid
from models.gguf.adapter import Adapter
from models.gguf.base import Base, is_matrix
from models.gguf_header import TENSOR_TYPES, Tensor

Numbers = Literal["F32", "F16"]
KINDS: dict[str, int] = {"F32": 0, "F16": 1}
"""Name → number of the tensor type; also of the file type."""
FILE_TYPE = "general.file_type"
Reported = Callable[[int, int], None]
"""Gets bytes written and bytes there will be about; what it raises ends the work, and nothing of it stays."""


def unreported(written: int, whole: int) -> None:
    """Nobody looks."""


def kind_of(tensor: Tensor, numbers: Numbers) -> int:
    """The type a tensor of the base gets: matrices become `numbers`, all else stays as it is, in 32 bits as a rule."""
    return KINDS[numbers] if is_matrix(tensor) else tensor.kind


def size_of(base: Base, numbers: Numbers) -> int:
    """Bytes the merged file will have, but for the padding of a few tensors."""
    header = max((end for _, end in base.header.entries.values()), default=0)
    sizes = (_size(tensor, kind_of(tensor, numbers)) + 64 + len(tensor.name) + base.header.alignment for tensor in base.header.layout)
    return header + sum(sizes)


def write_merged(base: Base, adapter: Adapter | None, path: Path, numbers: Numbers, reported: Reported = unreported) -> None:
    """Write `base` with what `adapter` adds to it, if anything, matrices in `numbers`; the file is on the disk when this returns."""
    deltas = adapter.deltas if adapter is not None else {}
    for tensor in base.header.layout:
        if kind_of(tensor, numbers) != tensor.kind or tensor.name in deltas:
            base.must_be_read(tensor)
    whole = size_of(base, numbers)
    with path.open("wb") as file:
        _write_header(base, file, numbers)
        for tensor in base.header.layout:
            _pad(file, base.header.alignment)
            for piece in _data(base, adapter, tensor, kind_of(tensor, numbers)):
                file.write(piece.data)
                reported(min(file.tell(), whole), whole)
        _pad(file, base.header.alignment)
        file.flush()
        os.fsync(file.fileno())


def _write_header(base: Base, file: BinaryIO, numbers: Numbers) -> None:
    header = base.header
    file_type = _text(FILE_TYPE) + struct.pack("<II", 4, KINDS[numbers])
    with base.path.open("rb") as source:
        entries = []
        for key, (start, end) in header.entries.items():
            source.seek(start)
            entries.append(file_type if key == FILE_TYPE else source.read(end - start))
    if FILE_TYPE not in header.entries:
        entries.append(file_type)
    file.write(b"GGUF" + struct.pack("<IQQ", 3, len(header.layout), len(entries)))
    for entry in entries:
        file.write(entry)
    offset = 0
    for tensor in header.layout:
        kind = kind_of(tensor, numbers)
        file.write(_text(tensor.name) + struct.pack(f"<I{len(tensor.shape)}QIQ", len(tensor.shape), *tensor.shape, kind, offset))
        offset += -(-_size(tensor, kind) // header.alignment) * header.alignment


def _data(base: Base, adapter: Adapter | None, tensor: Tensor, kind: int) -> Iterator[NDArray[np.generic]]:
    """The tensor's data, a piece at a time."""
    delta = adapter.deltas.get(tensor.name) if adapter is not None else None
    if kind == tensor.kind and delta is None:
        raw = base.raw(tensor)
        step = max(1, (64 << 20) // max(1, raw.shape[1]))
        for start in range(0, raw.shape[0], step):
            yield np.ascontiguousarray(raw[start : start + step])
        return
    factors = adapter.factors(delta) if adapter is not None and delta is not None else None
    start = 0
    for rows in base.pieces(tensor):
        if delta is not None and factors is not None:
            a, b = factors
            rows = rows + np.float32(delta.scale) * (b[start : start + len(rows)] @ a)
        start += len(rows)
        with np.errstate(over="ignore"):
            written = rows.astype("<f2" if kind == KINDS["F16"] else "<f4")
        if not np.isfinite(written).all():
            title = f"{tensor.name} has numbers that {TENSOR_TYPES[kind][0]} cannot hold once the adapter is merged"
            raise WeightsInvalid(title, "Export as F32, or export the adapter alone.")
        yield written


def _size(tensor: Tensor, kind: int) -> int:
    if kind == tensor.kind:
        return tensor.size
    count = 1
    for length in tensor.shape:
        count *= length
    _, block, size = TENSOR_TYPES[kind]
    return count // block * size


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _pad(file: BinaryIO, alignment: int) -> None:
    file.write(bytes(-file.tell() % alignment))
