"""A LoRA adapter as peft writes it: adapter_config.json and adapter_model.safetensors. Read as data: no pickle, nothing unbounded.

Format: for each linear layer with `out` × `in` weights W, A (rank × in) and B (out × rank); the layer computes with W + scaling·B·A.
Source: Hu et al., LoRA, https://arxiv.org/abs/2106.09685; scaling alpha/rank, or alpha/√rank (rsLoRA, https://arxiv.org/abs/2312.03732).
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsInvalid, WeightsMissing
from models.gguf.base import Base
from models.gguf_header import Tensor

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
CONFIG_LIMIT = 1 << 20
HEADER_LIMIT = 16 << 20
DTYPES = {"F32": 4, "F16": 2, "BF16": 2}
"""Types a tensor may have → bytes of a number."""
NAME = re.compile(r"base_model\.model\.([A-Za-z0-9_.]{1,200})\.lora_([AB])\.weight")

UNDERSTOOD = frozenset(
    "auto_mapping base_model_name_or_path bias ensure_weight_tying exclude_modules inference_mode init_lora_weights layers_pattern "
    "layers_to_transform lora_alpha lora_dropout megatron_core peft_type peft_version qalora_group_size r rank_pattern alpha_pattern "
    "revision runtime_config target_modules task_type use_rslora".split()
)
"""Fields of a configuration that are looked at, or change nothing of what a trained adapter computes. Any other must be empty."""
PLAIN_STARTS = frozenset({"gaussian", "eva", "orthogonal"})
"""Ways to begin that leave the base's weights alone; PiSSA, OLoRA and their like change them."""


class Config(msgspec.Struct, frozen=True):
    """What of adapter_config.json decides how weights are used."""

    peft_type: str
    lora_alpha: float
    r: int = 0
    use_rslora: bool = False
    bias: str = "none"
    init_lora_weights: bool | str | None = True
    alpha_pattern: dict[str, float] = {}


class _Span(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class Delta(msgspec.Struct, frozen=True):
    """What an adapter adds to one tensor of its base."""

    tensor: Tensor
    scale: float
    a: tuple[int, _Span]
    b: tuple[int, _Span]


class Adapter:
    """An adapter that fits `base`: every matrix belongs to a layer of it and has its shape."""

    def __init__(self, folder: Path, base: Base) -> None:
        """WeightsMissing or WeightsInvalid when it is not there, or is of a kind that cannot be exported."""
        self.folder = folder
        self._base = base
        self._path = folder / WEIGHTS
        self.config = _read_config(folder / CONFIG)
        spans = self._read_spans()
        self.deltas: dict[str, Delta] = {}
        """Name of a tensor of the base → what is added to it."""
        for module in sorted({module for module, _ in spans}):
            delta = self._fitted(module, spans)
            if delta.tensor.name in self.deltas:
                raise self._invalid(f"two of its layers are {delta.tensor.name}")
            self.deltas[delta.tensor.name] = delta

    def factors(self, delta: Delta) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A (rank × in) and B (out × rank, rows as the file of the base has them) in 32-bit numbers, without the scale."""
        a, b = self._numbers(*delta.a), self._numbers(*delta.b)
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise self._invalid(f"the numbers for {delta.tensor.name} are not finite", "Its training went wrong: train again.")
        return a, self._base.ordered(delta.tensor, b)

    def _fitted(self, module: str, spans: dict[tuple[str, str], tuple[int, _Span]]) -> Delta:
        a, b = spans.get((module, "A")), spans.get((module, "B"))
        if a is None or b is None:
            raise self._invalid(f"one of the two matrices of {module} is missing")
        tensor = self._base.tensor(module)
        length, rows = tensor.shape
        rank = a[1].shape[0] if len(a[1].shape) == 2 else 0
        if rank < 1 or a[1].shape != (rank, length) or b[1].shape != (rows, rank):
            found = f"A {list(a[1].shape)} and B {list(b[1].shape)}"
            raise self._invalid(
                f"{module} has {found}, the base's layer {rows} outputs and {length} inputs", "Give the model it was made of."
            )
        alpha = self.config.lora_alpha
        for key, value in self.config.alpha_pattern.items():
            if f".{module}".endswith(f".{key}"):
                alpha = value
                break
        return Delta(tensor, alpha / (math.sqrt(rank) if self.config.use_rslora else rank), a, b)

    def _read_spans(self) -> dict[tuple[str, str], tuple[int, _Span]]:
        from safetensors import SafetensorError, safe_open

        if not self._path.is_file():
            if (self.folder / "adapter_model.bin").exists():
                raise self._invalid("its weights are a pickle, which could run code", "Save it again as safetensors.")
            raise WeightsMissing(f"No {WEIGHTS} in {self.folder}", "Give the folder that training wrote.")
        try:
            with self._path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if length > HEADER_LIMIT:
                    raise self._invalid(f"its header claims {length} bytes")
                text = file.read(length)
            # The library compares every offset, shape and type with the file's size; here they are only used.
            with safe_open(self._path, framework="numpy"):
                pass
            read = msgspec.json.decode(text, type=dict[str, Any])
            read.pop("__metadata__", None)
            spans = msgspec.convert(read, dict[str, _Span], strict=False)
        except (OSError, SafetensorError, msgspec.MsgspecError, RecursionError) as error:
            raise self._invalid(f"{WEIGHTS} cannot be read: {str(error)[:200]}", "Copy it again, or train again.") from error
        found: dict[tuple[str, str], tuple[int, _Span]] = {}
        for name, span in spans.items():
            if name.endswith(".base_layer.weight"):
                # A copy of the base's own weights, which peft writes beside an adapter of the output layer.
                continue
            match = NAME.fullmatch(name)
            if match is None:
                raise self._invalid(f"{name[:200]!r} is no LoRA matrix of a linear layer", "Only those can be exported.")
            if span.dtype not in DTYPES:
                raise self._invalid(f"{name} has the type {span.dtype[:20]!r}", f"Types that can be: {', '.join(DTYPES)}.")
            found[match[1], match[2]] = (8 + length, span)
        if not found:
            raise self._invalid("it holds no matrices")
        return found

    def _numbers(self, data: int, span: _Span) -> NDArray[np.float32]:
        start, end = span.data_offsets
        if (end - start) != math.prod(span.shape) * DTYPES[span.dtype]:
            raise self._invalid("a matrix has another size than its shape says")
        if start == end:
            return np.empty(span.shape, dtype=np.float32)
        raw = np.array(np.memmap(self._path, mode="r", dtype=np.uint8, offset=data + start, shape=(end - start,)))
        if span.dtype == "BF16":
            return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32).reshape(span.shape)
        return raw.view("<f4" if span.dtype == "F32" else "<f2").astype(np.float32).reshape(span.shape)

    def _invalid(self, what: str, hint: str = "") -> WeightsInvalid:
        return WeightsInvalid(f"The adapter in {self.folder} cannot be exported: {what}", hint)


def _read_config(path: Path) -> Config:
    """The configuration, refused when it says something this file's formula does not."""
    try:
        with path.open("rb") as file:
            text = file.read(CONFIG_LIMIT + 1)
    except OSError as error:
        raise WeightsMissing(f"No {path.name} in {path.parent}: {error.strerror}", "Give the folder that training wrote.") from error
    where = f"The adapter in {path.parent} cannot be exported"
    if len(text) > CONFIG_LIMIT:
        raise WeightsInvalid(f"{where}: its {path.name} is larger than {CONFIG_LIMIT >> 20} MiB")
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
        config = msgspec.convert(fields, Config)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WeightsInvalid(f"{where}: its {path.name} cannot be read: {str(error)[:200]}") from error
    if config.peft_type != "LORA":
        raise WeightsInvalid(f"{where}: it is {config.peft_type[:40]!r}, not LoRA", "Train with LoRA.")
    alphas = (config.lora_alpha, *config.alpha_pattern.values())
    if not all(math.isfinite(alpha) and alpha > 0 for alpha in alphas):
        raise WeightsInvalid(f"{where}: lora_alpha is not a positive number", "Train with a positive lora_alpha.")
    if any(not re.fullmatch(r"[A-Za-z0-9_.]+", key) for key in config.alpha_pattern):
        raise WeightsInvalid(f"{where}: alpha_pattern holds more than names", "Name layers in it without wildcards.")
    refused = [name[:60] for name, value in fields.items() if value and name not in UNDERSTOOD]
    if config.bias != "none":
        refused.append("bias")
    if isinstance(config.init_lora_weights, str) and config.init_lora_weights not in PLAIN_STARTS:
        refused.append("init_lora_weights")
    if refused:
        hint = "Train plain LoRA on linear layers: GGUF adapters have no room for more."
        raise WeightsInvalid(f"{where}: it uses {', '.join(repr(name) for name in sorted(refused))}", hint)
    return config
