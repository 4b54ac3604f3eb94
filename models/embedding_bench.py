"""Measures how fast texts are embedded here: the library's defaults and every backend of ours, side by side on the same texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from models.embedding_backend import Backend, calibration_texts
from models.errors import RequestInvalid
from models.sentence_transformer import SentenceTransformerEmbedder, load

if TYPE_CHECKING:
    import numpy as np

PARTS = 2
"""Every arm takes the first part of the texts, then in opposite order the second, so that other programs disturb all alike."""

Tell = Callable[[str], None]


class Arm(msgspec.Struct, frozen=True):
    """One way through the texts."""

    name: str
    texts_per_second: float
    times: float
    """So many times as fast as the library's defaults."""
    cosine: float
    """Mean cosine to float32 with the same limit of tokens."""


class EmbedRates(msgspec.Struct, frozen=True):
    """Rates of every arm, the library's defaults first."""

    embedder: str
    texts: int
    arms: tuple[Arm, ...]
    chosen: str
    """The backend that calibration took just before."""


def bench_embed(embedder: SentenceTransformerEmbedder, count: int, tell: Tell = lambda line: None) -> EmbedRates:
    """Calibrate, then embed `count` made-up texts with each backend that was promising and with the library as its model is set.

    RequestInvalid where the embedder leaves everything to the library, as it does on a GPU.
    """
    tell("calibrating")
    choice = embedder.calibrate()
    if choice is None:
        raise RequestInvalid("There is nothing to compare", "This model, or this device, is left to sentence-transformers.")
    tell(f"chosen: {choice.backend}")
    library = load(embedder.folder)

    def defaults(texts: Sequence[str]) -> np.ndarray:
        made: np.ndarray = library.encode(list(texts), show_progress_bar=False, normalize_embeddings=True)
        return made

    ways: dict[str, Callable[[Sequence[str]], np.ndarray]] = {"sentence-transformers": defaults}
    for tried in choice.tried:
        if tried.texts_per_second:
            ways[str(tried.backend)] = _through(embedder, tried.backend)
    seconds, vectors = _in_turn(ways, calibration_texts(count), tell)
    reference = vectors[str(Backend())]
    arms = [
        Arm(
            name,
            texts_per_second=round(count / seconds[name], 1),
            times=round(seconds["sentence-transformers"] / seconds[name], 2),
            cosine=round(float((vectors[name] * reference).sum(axis=1).mean()), 5),
        )
        for name in ways
    ]
    return EmbedRates(embedder.name, count, tuple(arms), str(choice.backend))


def _through(embedder: SentenceTransformerEmbedder, backend: Backend) -> Callable[[Sequence[str]], np.ndarray]:
    return lambda texts: embedder.encode(backend, texts)


def _in_turn(
    ways: dict[str, Callable[[Sequence[str]], np.ndarray]], texts: Sequence[str], tell: Tell
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Seconds and vectors of every way; what it does once, when it is first used, is done before."""
    import numpy as np

    seconds = dict.fromkeys(ways, 0.0)
    vectors: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for embed in ways.values():
        embed(texts[:4])
    half = -(-len(texts) // PARTS)
    for part in range(PARTS):
        for name in list(ways) if part % 2 == 0 else [*reversed(ways)]:
            given = texts[part * half : (part + 1) * half]
            began = time.perf_counter()
            vectors[name].append(ways[name](given))
            seconds[name] += max(time.perf_counter() - began, 1e-9)
            tell(f"{name}: {sum(map(len, vectors[name]))} texts in {seconds[name]:.1f} s")
    return seconds, {name: np.concatenate(parts) for name, parts in vectors.items()}
