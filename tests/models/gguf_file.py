"""Writes small GGUF files for tests, sound or broken on purpose."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

TYPES: dict[type, tuple[int, str]] = {bool: (7, "?"), int: (4, "I"), float: (6, "f")}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, value: Any) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        if value and isinstance(value[0], str):
            return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        return text(key) + struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value)
    number, form = TYPES[type(value)]
    return text(key) + struct.pack("<I" + form, number, value)


def tensor(name: str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


MODEL: dict[str, Any] = {
    "general.architecture": "llama",
    "general.name": "Tiny\x1b[31m model",
    "general.license": "apache-2.0",
    "general.file_type": 1,
    "llama.context_length": 2048,
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.chat_template": "{{ messages }}",
}


def gguf(
    metadata: dict[str, Any] | None = None,
    tensors: Sequence[bytes] | None = None,
    *,
    data: int = 256,
    version: int = 3,
    counts: tuple[int, int] | None = None,
    magic: bytes = b"GGUF",
) -> bytes:
    entries = [entry(key, value) for key, value in (MODEL if metadata is None else metadata).items()]
    records = [tensor("w", (8, 8), 1, 0), tensor("v", (32,), 0, 128)] if tensors is None else list(tensors)
    header = magic + struct.pack("<IQQ", version, *(counts or (len(records), len(entries)))) + b"".join(entries) + b"".join(records)
    return header + bytes(-len(header) % 32) + bytes(data)
