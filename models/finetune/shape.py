"""The sizes of a model that decide what training it costs, from a GGUF header or a folder's config: no weights are read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from models.errors import WeightsInvalid
from models.gguf_header import Counted, Header, read_header

HEADER_LIMIT = 256 << 20


class Shape(msgspec.Struct, frozen=True):
    """Sizes of a model; of experts, all are counted."""

    parameters: int
    layers: int
    hidden: int
    feed_forward: int
    queries: int
    """Width of all attention heads together."""
    keys: int
    """Width of all key heads together; the values' is the same."""
    vocabulary: int
    tied: bool
    """One matrix serves the embeddings and the scores."""

    @property
    def embedding_parameters(self) -> int:
        """Of the matrices that are never quantised."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def projections(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of the seven projections of a layer."""
        h, f, q, k = self.hidden, self.feed_forward, self.queries, self.keys
        return (h, q), (h, k), (h, k), (q, h), (h, f), (h, f), (f, h)

    def adapter_parameters(self, rank: int) -> int:
        """Numbers of an adapter on all projections."""
        return rank * self.layers * sum(inputs + outputs for inputs, outputs in self.projections)


def shape_of_gguf(path: Path) -> Shape:
    """From the header of a GGUF file; WeightsInvalid when it lacks a size."""
    header = read_header(path)
    kind = str(header.metadata.get("general.architecture"))

    def number(key: str, default: int = 0) -> int:
        value = header.metadata.get(f"{kind}.{key}")
        value = max(value) if isinstance(value, tuple) and value else value
        return value if isinstance(value, int) and 0 < value < 1 << 32 else default

    hidden, layers, heads = number("embedding_length"), number("block_count"), number("attention.head_count")
    if not (hidden and layers and heads):
        raise WeightsInvalid(f"{path} does not say how large the model is", "Give another GGUF file.")
    width = number("attention.key_length", hidden // heads)
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    vocabulary = tokens.length if isinstance(tokens, Counted) else len(tokens) if isinstance(tokens, tuple) else 0
    experts = number("expert_count", 1)
    keys = number("attention.head_count_kv", heads) * width
    feed_forward = number("feed_forward_length", 4 * hidden) if experts == 1 else number("expert_feed_forward_length", 4 * hidden)
    tied = _tied(header, layers, hidden, feed_forward, heads * width, keys, vocabulary)
    return Shape(header.parameters, layers, hidden, feed_forward, heads * width, keys, vocabulary, tied)


def shape_of_folder(folder: Path) -> Shape:
    """From a folder's config.json and the headers of its safetensors files."""
    config: dict[str, Any] = msgspec.json.decode((folder / "config.json").read_bytes(), type=dict[str, Any])
    config = config | (config["text_config"] if isinstance(config.get("text_config"), dict) else {})

    def number(key: str, default: int = 0) -> int:
        value = config.get(key)
        return value if isinstance(value, int) and 0 < value < 1 << 32 else default

    hidden, layers, heads = number("hidden_size"), number("num_hidden_layers"), number("num_attention_heads")
    if not (hidden and layers and heads):
        raise WeightsInvalid(f"{folder / 'config.json'} does not say how large the model is", "Give another folder.")
    width = number("head_dim", hidden // heads)
    return Shape(
        parameters=sum(_elements(file) for file in folder.glob("*.safetensors")),
        layers=layers,
        hidden=hidden,
        feed_forward=number("intermediate_size", 4 * hidden),
        queries=heads * width,
        keys=number("num_key_value_heads", heads) * width,
        vocabulary=number("vocab_size"),
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def _tied(header: Header, layers: int, hidden: int, feed_forward: int, queries: int, keys: int, vocabulary: int) -> bool:
    """Whether the parameters leave no room for a second matrix over the vocabulary; the header's records of tensors have no names here."""
    rest = layers * (hidden * (2 * queries + 2 * keys) + 3 * hidden * feed_forward)
    return header.parameters - rest < 1.5 * vocabulary * hidden


def _elements(file: Path) -> int:
    """Numbers in a safetensors file, by its header."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if length > min(HEADER_LIMIT, file.stat().st_size):
                raise WeightsInvalid(f"{file} is damaged", "Copy or download it again.")
            header = msgspec.json.decode(opened.read(length), type=dict[str, Any])
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (OSError, msgspec.DecodeError, TypeError, KeyError) as error:
        raise WeightsInvalid(f"{file} cannot be read", "Copy or download it again.") from error
