"""How search behaves in a catalog of many cards: real ones and perturbed copies of them, in a folder that is removed afterwards."""

from __future__ import annotations

import math
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import psutil

from engine.catalog.catalog import Catalog
from engine.catalog.facets import EVERYTHING, Facets
from engine.catalog.index import CardTable, Entry
from engine.catalog.search import words_of
from engine.catalog.vectors import VectorIndex
from engine.errors import BadInput, StageFailed
from engine.records import Value
from models.embedding import Embedder

AT_ONCE = 1000
NEIGHBOURS = 25
NARROWED = Facets(languages=("en",), licences=("mit", "apache-2.0"))


class Searches(Value):
    """Searches in a warm process, one after the other."""

    p50_ms: float
    p95_ms: float
    recall: float
    """Of the NEIGHBOURS nearest by hnswlib, against exact search."""


class Scale(Value):
    """What a large catalog costs."""

    cards: int
    real: int
    queries: int
    open_seconds: float
    """Reading the index file and taking in what the database holds; the embedder is loaded before."""
    memory_bytes: int
    """Of the whole process, the embedder included."""
    all: Searches
    narrowed: Searches
    """Among English cards under two licences."""
    passing: int
    """Cards those facets let through."""


def bench_catalog(index: Path, embedder: Embedder, queries: Sequence[str], cards: int, tell: Callable[[str], None]) -> Scale:
    """Grow a copy of the catalog in `index` to `cards` entries and search it. BadInput when `index` holds no embedded cards."""
    with tempfile.TemporaryDirectory(dir=index.parent) as scratch:
        folder = Path(scratch) / "catalog"
        shutil.copytree(index, folder)
        table = CardTable(folder)
        real = table.counts()["cards"]
        if not table.embedded_numbers(embedder.name):
            raise BadInput(f"{index} holds no cards embedded with {embedder.name}", "Make it with: datatune bench retrieval --index FOLDER")
        tell(f"{real:,} cards; growing to {cards:,}")
        # In a process of its own: what growing takes would count as the catalog's memory.
        growing = multiprocessing.get_context("spawn").Process(target=_grow, args=(folder, embedder.name, embedder.dimensions, cards))
        growing.start()
        growing.join()
        if growing.exitcode:
            raise StageFailed("The catalog could not be grown", "See what is printed above.")
        opened = _opening_time(table, embedder)
        tell(f"opened in {opened:.2f} s")
        catalog = Catalog(folder, lambda: embedder)
        everything, narrowed = _timed(catalog, queries, EVERYTHING), _timed(catalog, queries, NARROWED)
        # Before recall is counted, which needs an index and exact scores of its own.
        memory = psutil.Process().memory_info().rss
        passing = table.passing(NARROWED)
        vectors, index_ = embedder.embed(list(queries)), VectorIndex(table, embedder.name, embedder.dimensions)
        index_.refresh()
        all_, few = _searches(everything, index_, vectors, None), _searches(narrowed, index_, vectors, passing)
        count = table.counts()["cards"]
    return Scale(count, real, len(queries), round(opened, 2), memory, all_, few, len(passing))


def _opening_time(table: CardTable, embedder: Embedder) -> float:
    began = time.perf_counter()
    VectorIndex(table, embedder.name, embedder.dimensions).refresh()
    return time.perf_counter() - began


def _timed(catalog: Catalog, queries: Sequence[str], facets: Facets) -> list[float]:
    """Seconds of each search, sorted; the process is warm."""
    catalog.search(queries[0], NEIGHBOURS, facets=facets)
    times = []
    for query in queries:
        began = time.perf_counter()
        catalog.search(query, NEIGHBOURS, facets=facets)
        times.append(time.perf_counter() - began)
    return sorted(times)


def _searches(times: Sequence[float], index: VectorIndex, vectors: np.ndarray, among: Sequence[int] | None) -> Searches:
    found, exact = index.nearest(vectors, NEIGHBOURS, among), index.exact(vectors, NEIGHBOURS, among)
    shared = [len(dict(one).keys() & dict(other).keys()) / max(1, len(other)) for one, other in zip(found, exact, strict=True)]
    return Searches(
        p50_ms=round(1000 * times[len(times) // 2], 1),
        p95_ms=round(1000 * times[math.ceil(0.95 * len(times)) - 1], 1),
        recall=round(sum(shared) / len(shared), 4),
    )


def _grow(folder: Path, embedder: str, dimensions: int, cards: int) -> None:
    """Add perturbed copies until there are so many, and write the index."""
    table = CardTable(folder)
    draw, noise = random.Random(5), np.random.default_rng(5)
    held: dict[int, np.ndarray] = {}
    for numbers, _, raw in table.vectors_after(embedder, 0):
        held |= zip(numbers, np.frombuffer(raw, dtype="<f4").reshape(len(numbers), dimensions), strict=True)
    known = table.found(sorted(held))
    originals = [(entry, held[one.number]) for one in known.values() if (entry := table.get(one.dataset))]
    count = table.counts()["cards"]
    while count < cards:
        some = [draw.choice(originals) for _ in range(min(AT_ONCE, cards - count))]
        entries = [_perturbed(entry, count + place, draw) for place, (entry, _) in enumerate(some)]
        table.put([(entry, words_of(entry)) for entry in entries])
        vectors = np.stack([vector for _, vector in some])
        vectors = vectors + noise.normal(0.0, 0.3 / math.sqrt(dimensions), vectors.shape).astype(np.float32)
        missing = [number for number, _ in table.without_vector(embedder)]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        table.put_vectors(embedder, missing, vectors[: len(missing)])
        count += len(some)
    VectorIndex(table, embedder, dimensions).save()


def _perturbed(entry: Entry, number: int, draw: random.Random) -> Entry:
    """The same card under another name, with a third of its words gone."""

    def fewer(text: str) -> str:
        return " ".join(word for word in text.split() if draw.random() < 2 / 3)

    card = msgspec.structs.replace(
        entry.card,
        dataset=f"copy/{entry.dataset.replace('/', '-')[:150]}-{number}",
        title=fewer(entry.card.title) or entry.card.title,
        summary=fewer(entry.card.summary),
        raw=fewer(entry.card.raw[:20_000]),
        downloads=int(entry.card.downloads * draw.random()),
        copy_key="",
    )
    return Entry(card=card, columns=entry.columns)
