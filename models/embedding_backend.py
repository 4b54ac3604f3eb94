"""Finds how texts are embedded fastest on this processor, within a bound on accuracy. Measured once, then remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from models.errors import RuntimeUnavailable

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
"""Raised when what is measured or how it is chosen changes, so that older choices are not taken."""
BOUND = 0.985
"""Mean cosine to float32 that a precision must reach. With all-MiniLM-L6-v2 bfloat16 has 0.9999, int8 0.991 on the texts below and
0.994 on cards, where recall among the first five stays as it is; 0.982, with coarser inputs, was too near to a loss."""
HOPELESS = 3.0
"""A backend that takes so many times as long as float32 for the first texts is not measured further: bfloat16 takes five times as
long on processors without instructions for it."""
ROUNDS = 2
"""The best of these counts, taken in turn, since other programs disturb some."""
NEAR = 0.88
"""With so few texts, some workers wait for the last. Two against one, measured on two busy cores: on 24 of the texts below between 9 %
faster and 10 % slower, on 256 between 13 % faster and 5 % slower, on 252 real cards 50 % faster."""
TEXTS_A_WORKER = 12
FILE = "embedding_backends.json"
"""Remembers choices."""

Precision = Literal["float32", "bfloat16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")


class Backend(msgspec.Struct, frozen=True):
    """How texts go through the model."""

    precision: Precision = "float32"
    workers: int = 1
    """Batches computed side by side, each with its share of the cores. Threads that share one batch wait for each other at every
    layer, which costs most when another program has one of the cores."""

    def __str__(self) -> str:
        return f"{self.precision}, {self.workers} side by side" if self.workers > 1 else f"{self.precision}, one after the other"


class Tried(msgspec.Struct, frozen=True):
    """What was measured of one backend."""

    backend: Backend
    texts_per_second: float
    """0 for one that was given up after the first texts."""
    cosine: float
    """Mean cosine to the vectors of float32."""


class Choice(msgspec.Struct, frozen=True):
    """What was measured and what was chosen."""

    backend: Backend
    tried: tuple[Tried, ...]
    seconds: float
    """Time the measurement took."""


Encode = Callable[[Backend, Sequence[str]], "np.ndarray"]
"""Rows of length 1 in the order of the texts; RuntimeUnavailable for a backend that does not work here."""


def choose(encode: Encode, cores: int) -> Choice:
    """Try float32, then the precisions that promise something beside it, with one worker and with more; take the fastest within BOUND.

    Takes about as long as embedding 100 texts for each core. Raises what `encode` raises for float32; another precision that does not
    work here is left out.
    """
    began = time.perf_counter()
    measured = _Measured(encode, calibration_texts(TEXTS_A_WORKER * cores))
    # A fourth: on many cores Python itself holds up one worker for each.
    counts = sorted({1, cores, cores // 4 if cores >= 8 else 1})
    measured.measure([Backend(precision, count) for precision in PRECISIONS if measured.promises(precision) for count in counts])
    return Choice(measured.best(), tuple(measured.tried), round(time.perf_counter() - began, 1))


class _Measured:
    """Backends measured so far, float32 with one worker the reference."""

    def __init__(self, encode: Encode, texts: Sequence[str]) -> None:
        self.tried: list[Tried] = []
        self._encode, self._texts = encode, texts
        self._first: tuple[float, np.ndarray] | None = None
        """Seconds and vector of the reference for the first text."""

    def promises(self, precision: Precision) -> bool:
        """Whether it works, and not much slower than float32; the very first run, which makes weights and kernels, is not timed."""
        backend, one = Backend(precision), self._texts[:1]
        try:
            self._encode(backend, one)
        except RuntimeUnavailable:
            if self._first is None:
                raise
            return False
        seconds, vectors = min((self._timed(backend, one) for _ in range(ROUNDS)), key=lambda run: run[0])
        if self._first is None:
            self._first = seconds, vectors
        if seconds <= HOPELESS * self._first[0]:
            return True
        self.tried.append(Tried(backend, 0.0, _cosine(vectors, self._first[1])))
        return False

    def measure(self, backends: Sequence[Backend]) -> None:
        """Add what is measured of `backends`, taken in turn; the first is the reference."""
        runs = {backend: self._timed(backend, self._texts) for backend in backends}
        reference = runs[backends[0]][1]
        for _ in range(1, ROUNDS):
            for backend in backends:
                runs[backend] = min(runs[backend], self._timed(backend, self._texts), key=lambda run: run[0])
        for backend, (seconds, vectors) in runs.items():
            self.tried.append(Tried(backend, round(len(self._texts) / seconds, 1), _cosine(vectors, reference)))

    def best(self) -> Backend:
        """The fastest within BOUND; with more workers, if that is as fast within NEAR."""
        # Written so that a cosine that is no number does not pass.
        sound = [tried for tried in self.tried if tried.cosine >= BOUND]
        best = max(sound, key=lambda tried: tried.texts_per_second)
        near = [
            tried.backend
            for tried in sound
            if tried.backend.precision == best.backend.precision and tried.texts_per_second >= NEAR * best.texts_per_second
        ]
        return max(near, key=lambda backend: backend.workers)

    def _timed(self, backend: Backend, texts: Sequence[str]) -> tuple[float, np.ndarray]:
        began = time.perf_counter()
        vectors = self._encode(backend, texts)
        return max(time.perf_counter() - began, 1e-9), vectors


def _cosine(vectors: np.ndarray, reference: np.ndarray) -> float:
    """Mean cosine of rows of length 1."""
    return round(float((vectors * reference).sum(axis=1).mean()), 5)


def calibration_texts(count: int) -> list[str]:
    """So many texts, each different, that sound like cards and are as long: sayings about data sets, in several languages and forms."""
    texts = []
    for number in range(count):
        step = 1 + number // len(SAYINGS) % (len(SAYINGS) - 1)
        said = [SAYINGS[(number + i * step) % len(SAYINGS)] for i in range(LENGTHS[number % len(LENGTHS)])]
        texts.append(" ".join([said[0], str(number), *said[1:]]))
    return texts


LENGTHS = (5, 2, 4, 9, 2, 5, 3, 8)
"""Sayings of the texts in turn. Of 256 tokens at most they have 150 on average, of 128 they have 107; 6,051 cards 153 and 105."""
SAYINGS = (
    "Questions asked by children about animals, each with the answer of a zoo keeper and the page of the book it was found on.",
    "task_categories: text-classification; language: en, fr; size_categories: 10K<n<100K; licence: cc-by-4.0; columns: text, label",
    "Ein Datensatz mit Kundenbewertungen von Haushaltsgeräten, von eins bis fünf Sternen, gesammelt zwischen 2012 und 2019.",
    "Pairs of sentences in Swahili and English from radio news, aligned by hand; 4,200 pairs for training and 600 for testing.",
    "Given a premise and a hypothesis, decide whether the hypothesis follows, contradicts the premise, or is neither.",
    "Отзывы о фильмах с оценкой тональности: положительный, отрицательный или нейтральный; собраны с открытых сайтов.",
    "Each row holds a clinical note, the codes of the diagnosis and a summary for patients that avoids medical terms.",
    "Mathematical word problems for the fifth grade with a chain of calculations and a final number after four hashes.",
    "Un corpus de titulares de periódicos con su sección: deportes, economía, política, cultura, ciencia.",
    "def solve(n): return sum(i for i in range(n) if i % 3 == 0)  # functions with docstrings and unit tests in Python",
    "日本語の質問と、二つの選択肢、正しい選択肢の番号からなる常識推論のデータセット。",
    "Conversations between a traveller and a booking assistant, with intents, slots and the state after every turn.",
    "Tweets about storms and earthquakes marked as asking for help, offering help or only reporting, with time and place.",
    "Questions d'examen de droit avec quatre réponses possibles, dont une seule est juste, et une explication courte.",
    "Legal contracts in which the clauses on termination, liability and payment were marked by three lawyers.",
    "Articles of an encyclopedia split into paragraphs, each followed by questions whose answers are spans of the text.",
)
