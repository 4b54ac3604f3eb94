"""The base model of an adapter: a GGUF file, its tensors by the names Hugging Face gives them, its weights as numbers.

Nothing is held in memory: weights are mapped from the file and read a piece at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import weights
from models.errors import WeightsInvalid
from models.gguf_header import TENSOR_TYPES, Tensor, read_header

PIECE = 1 << 23
"""Numbers turned to 32 bits at once: 32 MiB."""
MOST_LAYERS = 1024

PERMUTED = frozenset({"llama"})
"""Architectures whose query and key rows llama.cpp orders for rotary embeddings of neighbours, where Hugging Face rotates halves."""
PLAIN = frozenset({"qwen2", "qwen3", "phi3", "gemma2", "gemma3"})
"""Architectures whose linear layers llama.cpp keeps as they are."""


def is_matrix(tensor: Tensor) -> bool:
    """Whether a tensor holds the weights of a layer, which llama.cpp's conversion writes in 16 bits; vectors, norms and routers are not."""
    return len(tensor.shape) > 1 and tensor.name.endswith(".weight") and not tensor.name.endswith(("_norm.weight", "_inp.weight"))


class Base:
    """A language model whose linear layers an adapter may change."""

    def __init__(self, path: Path) -> None:
        """WeightsMissing or WeightsInvalid when `path` holds no such model."""
        from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map

        self.path = path
        described = weights.describe(path)
        self.header = read_header(path)
        self.architecture = described.architecture
        if self.architecture not in PERMUTED | PLAIN:
            hint = f"Architectures that can be: {', '.join(sorted(PERMUTED | PLAIN))}."
            raise WeightsInvalid(f"{path} has the architecture {self.architecture}, which cannot be merged or given an adapter yet", hint)
        if described.layers > MOST_LAYERS:
            raise WeightsInvalid(f"{path} claims {described.layers} layers", f"At most {MOST_LAYERS} are accepted.")
        known: dict[str, MODEL_ARCH] = {name: number for number, name in MODEL_ARCH_NAMES.items()}
        self._names = get_tensor_name_map(known[self.architecture], described.layers)
        self.tensors = {tensor.name: tensor for tensor in self.header.layout}
        self._heads = self._count("head_count", 0)
        self._key_heads = self._count("head_count_kv", self._heads)

    def tensor(self, module: str) -> Tensor:
        """The tensor of the linear layer Hugging Face calls `module`, such as model.layers.0.self_attn.q_proj."""
        name = self._names.get_name(module)
        tensor = self.tensors.get(f"{name}.weight") if name else None
        if tensor is None:
            what = f"{module} is no layer of {self.path.name}"
            if name == "output":
                what += ", which reads its output from its embeddings"
            raise WeightsInvalid(what, "Train the adapter on linear layers of this very model.")
        if len(tensor.shape) != 2 or not is_matrix(tensor) or name == "token_embd":
            raise WeightsInvalid(f"{module} is no linear layer", "Train the adapter on attention and feed-forward projections.")
        return tensor

    def ordered(self, tensor: Tensor, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows of a layer in Hugging Face's order → in the file's; shape (outputs, anything)."""
        if self.architecture not in PERMUTED or not tensor.name.endswith((".attn_q.weight", ".attn_k.weight")):
            return rows
        heads = self._heads if tensor.name.endswith(".attn_q.weight") else self._key_heads
        if heads <= 0 or rows.shape[0] % (2 * heads):
            raise WeightsInvalid(f"{self.path.name}: {rows.shape[0]} rows of {tensor.name} are not {heads} heads of an even size")
        halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, -1)
        return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows.shape))

    def pieces(self, tensor: Tensor) -> Iterator[NDArray[np.float32]]:
        """The tensor's rows as 32-bit numbers, some at a time: shape (rows, length of a row)."""
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        kind = GGMLQuantizationType(tensor.kind)
        raw = self.raw(tensor)
        step = max(1, PIECE // max(1, tensor.shape[0]))
        for start in range(0, raw.shape[0], step):
            # A copy: the library looks at the bytes as numbers, and they need not lie where numbers may.
            yield dequantize(np.array(raw[start : start + step]), kind).astype(np.float32, copy=False)

    def raw(self, tensor: Tensor) -> NDArray[np.uint8]:
        """The tensor's bytes, row by row: shape (rows, bytes of a row)."""
        if not tensor.size:
            return np.empty((0, 0), dtype=np.uint8)
        mapped = np.memmap(self.path, mode="r", dtype=np.uint8, offset=tensor.start, shape=(tensor.size,))
        _, block, size = TENSOR_TYPES[tensor.kind]
        return mapped.reshape(-1, tensor.shape[0] // block * size if tensor.shape else tensor.size)

    def must_be_read(self, tensor: Tensor) -> None:
        """Refuse a tensor of a type that cannot be turned into numbers."""
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        name, _, size = TENSOR_TYPES[tensor.kind]
        try:
            dequantize(np.zeros((1, size), dtype=np.uint8), GGMLQuantizationType(tensor.kind))
        except (NotImplementedError, ValueError) as error:
            hint = "Give the F16, Q8_0 or Q4_K_M file of the same model as base."
            raise WeightsInvalid(f"{self.path.name}: tensor {tensor.name} has the type {name}, which cannot be read", hint) from error

    def _count(self, name: str, otherwise: int) -> int:
        value = self.header.metadata.get(f"{self.architecture}.attention.{name}", otherwise)
        if not isinstance(value, int):
            raise WeightsInvalid(f"{self.path.name} has layers with different numbers of heads", "Such models cannot be merged yet.")
        return value
