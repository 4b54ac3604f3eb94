"""Nearest cards by meaning: an hnswlib index kept in a file beside the database and caught up from it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.catalog.index import CardTable

if TYPE_CHECKING:
    import numpy as np

LINKS = 24
BUILD_WIDTH = 200
SEARCH_WIDTH = 400
"""hnswlib's M, ef_construction and least ef: recall at 25 above 0.99 on tens of thousands of cards."""
FACT = "vectors of "
"""Begins the names of facts that state an embedder's index file."""
LATEST = "embedder"
"""The embedder whose index was written last."""


def written_before(table: CardTable, embedder: str) -> tuple[str, str] | None:
    """Name and spec of another embedder whose index was written last, where its spec is known."""
    name = table.fact(LATEST)
    stated = table.fact(FACT + name) if name and name != embedder else ""
    spec = str(json.loads(stated).get("spec", "")) if stated else ""
    return (name, spec) if spec else None


class VectorIndex:
    """The vectors of one embedder. The database holds them too: a file that is missing, damaged or behind is caught up or made anew."""

    def __init__(self, table: CardTable, embedder: str, dimensions: int) -> None:
        self._table = table
        self._embedder = embedder
        self._dimensions = dimensions
        self._index: Any = None
        self._place = 0
        self._revision = ""
        self._numbers: set[int] = set()
        self._exactly: _Matrix | None = None
        self._deleted: set[int] = set()

    def __len__(self) -> int:
        return len(self._numbers)

    def refresh(self) -> None:
        """Take in what the database has gained or lost."""
        revision = self._table.fact("revision")
        if self._index is not None and revision == self._revision:
            return
        if self._index is None:
            self._load()
        for numbers, place, raw in self._table.vectors_after(self._embedder, self._place):
            self._add(numbers, raw)
            self._place = place
        self._numbers = self._table.embedded_numbers(self._embedder)
        held = set(self._index.get_ids_list()) if self._index.get_current_count() else set()
        for number in held - self._numbers - self._deleted:
            self._index.mark_deleted(number)
            self._deleted.add(number)
        self._numbers &= held
        self._exactly = None
        self._revision = revision

    def save(self, spec: str = "") -> None:
        """Write the file beside the database; the caller holds the writer's lock. Readers never see half of one.

        `spec` is remembered as what opens this embedder again.
        """
        self.refresh()
        folder = self._table.path.parent
        name = f"vectors-{hashlib.sha256(self._embedder.encode()).hexdigest()[:12]}-{self._place}.hnsw"
        stated = self._stated()
        if (stated.get("file"), stated.get("spec")) == (name, spec) and (folder / name).exists():
            return
        draft = folder / f"{name}.part"
        self._index.save_index(str(draft))
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        draft.replace(folder / name)
        fact = {"file": name, "dimensions": self._dimensions, "place": self._place, "sha256": digest, "spec": spec}
        self._table.set_fact(FACT + self._embedder, json.dumps(fact))
        self._table.set_fact(LATEST, self._embedder)
        kept = {json.loads(text)["file"] for text in self._table.facts(FACT).values()}
        for old in folder.glob("vectors-*.hnsw*"):
            if old.name not in kept:
                old.unlink(missing_ok=True)

    def nearest(self, queries: np.ndarray, k: int, among: Sequence[int] | None = None) -> list[list[tuple[int, float]]]:
        """For each query vector (number, cosine), best first: k of all or of `among`, or as many as there are."""
        if among is not None:
            # A filter inside the graph search would call Python for every node, and find too few where little passes.
            return self.exact(queries, k, among)
        wanted = min(k, len(self._numbers))
        if not wanted:
            return [[] for _ in queries]
        self._index.set_ef(max(SEARCH_WIDTH, 2 * wanted))
        try:
            labels, distances = self._index.knn_query(queries, k=wanted)
        except RuntimeError:  # hnswlib raises when deleted entries leave it fewer than k within reach
            return self.exact(queries, wanted)
        return [
            [(int(number), 1.0 - float(distance)) for number, distance in zip(row, away, strict=True)]
            for row, away in zip(labels, distances, strict=True)
        ]

    def likeness(self, query: np.ndarray, numbers: Sequence[int]) -> dict[int, float]:
        """Cosine of a query vector to each of these entries that has a vector."""
        return self._matrix().likeness(query, [number for number in numbers if number in self._numbers])

    def exact(self, queries: np.ndarray, k: int, among: Sequence[int] | None = None) -> list[list[tuple[int, float]]]:
        """The same as `nearest` by looking at every vector."""
        return self._matrix().nearest(queries, k, sorted(self._numbers) if among is None else among)

    def _matrix(self) -> _Matrix:
        if self._exactly is None:
            self._exactly = _Matrix(self._table.vectors_after(self._embedder, 0), self._numbers, self._dimensions)
        return self._exactly

    def _stated(self) -> dict[str, Any]:
        text = self._table.fact(FACT + self._embedder)
        stated: dict[str, Any] = json.loads(text) if text else {}
        return stated

    def _load(self) -> None:
        """The index file if it is this embedder's and whole, else an empty index."""
        stated = self._stated()
        path = self._table.path.parent / Path(str(stated.get("file", ""))).name
        if stated.get("dimensions") == self._dimensions and path.is_file():
            try:
                with path.open("rb") as file:
                    whole = hashlib.file_digest(file, "sha256").hexdigest() == stated.get("sha256")
                if whole:
                    index = self._new()
                    index.load_index(str(path))
                    self._index, self._place, self._deleted = index, int(stated["place"]), set()
                    return
            except (OSError, RuntimeError):
                pass  # gone or unreadable: made anew from the database
        index = self._new()
        index.init_index(1024, M=LINKS, ef_construction=BUILD_WIDTH, random_seed=1)
        self._index, self._place, self._deleted = index, 0, set()

    def _new(self) -> Any:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=self._dimensions)
        index.set_num_threads(1)  # several threads would build a different graph each time
        return index

    def _add(self, numbers: Sequence[int], raw: bytes) -> None:
        import numpy as np

        vectors = np.frombuffer(raw, dtype="<f4").reshape(len(numbers), self._dimensions)
        needed = self._index.get_current_count() + len(numbers)
        if needed > self._index.get_max_elements():
            self._index.resize_index(max(needed, 2 * self._index.get_max_elements()))
        for number in self._deleted.intersection(numbers):
            self._index.unmark_deleted(number)
            self._deleted.discard(number)
        self._index.add_items(vectors, list(numbers))


class _Matrix:
    """All vectors side by side, for exact search."""

    def __init__(self, stored: Iterable[tuple[list[int], int, bytes]], numbers: set[int], dimensions: int) -> None:
        """From what the database holds: hnswlib hands out its vectors in several copies of them all."""
        import numpy as np

        self._numbers = np.fromiter(sorted(numbers), dtype=np.int64, count=len(numbers))
        self._vectors: np.ndarray = np.zeros((len(numbers), dimensions), dtype=np.float32)
        for some, _, raw in stored:
            vectors = np.frombuffer(raw, dtype="<f4").reshape(len(some), dimensions)
            known = np.asarray([number in numbers for number in some], dtype=bool)
            places = np.searchsorted(self._numbers, np.asarray(some, dtype=np.int64)[known])
            self._vectors[places] = vectors[known]

    def likeness(self, query: np.ndarray, numbers: Sequence[int]) -> dict[int, float]:
        """Cosine of a query vector to these entries, all of which have a vector."""
        import numpy as np

        found = self._vectors[np.searchsorted(self._numbers, np.asarray(numbers, dtype=np.int64))] @ query
        return dict(zip(numbers, found.tolist(), strict=True))

    def nearest(self, queries: np.ndarray, k: int, among: Sequence[int]) -> list[list[tuple[int, float]]]:
        """For each query vector (number, cosine) of the k best of `among` that there are, best first."""
        import numpy as np

        rows = np.flatnonzero(np.isin(self._numbers, np.asarray(among, dtype=np.int64)))
        # Where most pass, multiplying all is quicker than copying them out first.
        whole = 2 * len(rows) > len(self._numbers)
        likeness = (queries @ self._vectors.T)[:, rows] if whole else queries @ self._vectors[rows].T
        k = min(k, len(rows))
        if not k:
            return [[] for _ in queries]
        best = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        found = []
        for row, places in zip(likeness, best, strict=True):
            ordered = places[np.lexsort((places, -row[places]))]
            found.append([(int(self._numbers[rows[place]]), float(row[place])) for place in ordered])
        return found
