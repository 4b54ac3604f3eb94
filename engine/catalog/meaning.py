"""Cards by meaning: the embedder, the vectors it made, and the index over them, kept up with the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from engine.catalog.index import CardTable
from engine.catalog.pace import Pace, Progress
from engine.catalog.vectors import VectorIndex
from models.embedding import Embedder

if TYPE_CHECKING:
    import numpy as np

EMBEDDED_AT_ONCE = 256


class Meaning:
    """One embedder's view of the catalog. `embedder` is called when vectors are first needed; `spec` opens it again."""

    def __init__(self, table: CardTable, embedder: Callable[[], Embedder], spec: str = "") -> None:
        self._table = table
        self._open = embedder
        self._spec = spec
        self._embedder: Embedder | None = None
        self._vectors: VectorIndex | None = None
        self._checked = ""
        """State of the catalog at which no entry lacked a vector."""

    def lacking(self) -> int:
        """How many entries have no vector yet."""
        revision = self._table.fact("revision")
        if revision == self._checked:
            return 0
        count = self._table.lacking(self.embedder.name)
        if not count:
            self._checked = revision
        return count

    def catch_up(self, progress: Callable[[Progress], None] | None, most: int | None = None) -> None:
        """Embed what has no vector yet, or the first `most`, in batches of like length that are stored one by one, so that a crash
        loses at most one, and write the index when none is left.

        The caller holds the writer's lock. Texts that several entries share are read once.
        """
        embedder = self.embedder
        missing: dict[str, list[int]] = {}
        lacking = self._table.without_vector(embedder.name)
        for number, text in lacking[:most]:
            missing.setdefault(text, []).append(number)
        pace = Pace("reading the meaning of cards", sum(map(len, missing.values())), progress, work=sum(map(len, missing)))
        left = iter(missing)
        while texts := list(islice(left, EMBEDDED_AT_ONCE)):
            vectors = embedder.embed(texts)
            owners = [(number, row) for row, text in enumerate(texts) for number in missing[text]]
            self._table.put_vectors(embedder.name, [number for number, _ in owners], vectors[[row for _, row in owners]])
            pace.step(len(owners), sum(map(len, texts)))
        if most is None or len(lacking) <= most:
            self.index.save(self._spec)

    def likeness(
        self,
        queries: Sequence[Sequence[str]],
        worded: Sequence[Sequence[int]],
        depth: int,
        among: Sequence[int] | None = None,
    ) -> list[dict[int, float]]:
        """For each query, given in one or more texts, the cosine of the `depth` nearest entries and of those its words found."""
        self.index.refresh()
        vectors = self._of(queries)
        near = self.index.nearest(vectors, depth, among)
        return [dict(nearest) | self.index.likeness(query, numbers) for query, nearest, numbers in zip(vectors, near, worded, strict=True)]

    def _of(self, queries: Sequence[Sequence[str]]) -> np.ndarray:
        """One unit vector a query: the mean direction of its texts. Shape (len(queries), dimensions)."""
        import numpy as np

        embedded = self.embedder.embed([text for texts in queries for text in texts])
        vectors: np.ndarray = np.zeros((len(queries), self.embedder.dimensions), dtype=np.float32)
        start = 0
        for row, texts in enumerate(queries):
            vectors[row] = embedded[start : start + len(texts)].sum(axis=0)
            start += len(texts)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: np.ndarray = vectors / np.where(lengths > 0, lengths, 1.0)
        return unit

    @property
    def embedder(self) -> Embedder:
        """The embedder, opened on first use."""
        if self._embedder is None:
            self._embedder = self._open()
        return self._embedder

    @property
    def index(self) -> VectorIndex:
        """The index over the embedder's vectors."""
        if self._vectors is None:
            self._vectors = VectorIndex(self._table, self.embedder.name, self.embedder.dimensions)
        return self._vectors
