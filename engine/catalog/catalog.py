"""The catalog: cards and local folders added, kept current for search, searched, and opened."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import msgspec

from engine.catalog import hub
from engine.catalog.card import parse_card
from engine.catalog.hub_cards import Listed, Lost, Wish, cards_of, listed
from engine.catalog.index import CardTable, Entry
from engine.catalog.layout import DataFolder
from engine.catalog.published import Published, read_dump
from engine.catalog.scan import data_folders, folder_name, scan_folder
from engine.catalog.search import LEAST_DEPTH, Hit, adjusted, by_words, fused, reasons_for, words_of
from engine.catalog.vectors import VectorIndex
from engine.errors import BadInput, Busy, Unavailable
from engine.records import Value
from models.embedding import Embedder

CARDS_AT_ONCE = 500
SYNCED_AT_ONCE = 100
"""Cards from the Hub that are stored together: what a stop may lose."""
EMBEDDED_AT_ONCE = 256
LOCK_SECONDS = 10.0


class Progress(Value, frozen=True):
    """How far a long piece of work is."""

    activity: str
    done: int
    total: int
    """0 when it is not known."""
    per_second: float
    seconds_left: float | None = None


class Refusal(Value, frozen=True):
    """Something that did not go in, and why."""

    what: str
    reason: str


class Report(Value, frozen=True):
    """What an addition changed."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: tuple[Refusal, ...] = ()
    datasets: tuple[str, ...] = ()
    """Ids of folders that were added; empty for imported cards."""


class Info(Value, frozen=True):
    """What the catalog holds."""

    cards: int
    local: int
    """Those whose rows lie in a folder of this machine."""
    generated: int
    """Made by machines for one project; found by words only."""
    embedded: int
    embedder: str
    path: str
    bytes: int


class Catalog:
    """The catalog in a folder. Any number of processes may search it; one at a time writes.

    `embedder` is called when vectors are first needed; None searches by words alone.
    """

    def __init__(self, folder: Path, embedder: Callable[[], Embedder] | None) -> None:
        self._folder = folder
        self._open_embedder = embedder
        self._embedder: Embedder | None = None
        self._table = CardTable(folder)
        self._vectors: VectorIndex | None = None

    # ── what goes in ──────────────────────────────────────────────────────────────────────────────────────

    def add_folder(
        self,
        path: Path,
        *,
        card_id: str = "",
        prefix: str = "local",
        embed: bool = True,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Add a folder of data, a data file, or a folder of such folders. A folder that cannot be read is refused with its reason.

        `card_id` links one folder to a card of the catalog: its id and its card, these rows. Raises BadInput when there is
        no data at all, Busy when another process writes.
        """
        folders = data_folders(path)
        if card_id and len(folders) != 1:
            raise BadInput(
                f"{path} holds {len(folders)} data sets, but a card id names one", "Add the one folder that belongs to the card."
            )
        pace = _Pace("reading folders", len(folders), progress)
        refused: list[Refusal] = []
        ids: list[str] = []
        outcomes: list[str] = []
        with self._writing():
            for folder in folders:
                try:
                    entry = self._folder_entry(folder, card_id, prefix)
                    outcomes += self._table.put([(entry, words_of(entry))])
                    ids.append(entry.dataset)
                except BadInput as error:
                    refused.append(Refusal(str(folder), error.title + (f" ({error.hint})" if error.hint else "")))
                pace.step(1)
            if embed:
                self._embed_missing(progress)
        if refused and not ids and len(folders) == 1:
            raise BadInput(refused[0].reason, "Expected: Parquet, CSV, TSV, JSON Lines, JSON, xlsx or save_to_disk folders.")
        return _report(outcomes, refused, ids)

    def import_cards(self, path: Path, *, embed: bool = True, progress: Callable[[Progress], None] | None = None) -> Report:
        """Import cards from JSON Lines or Parquet, each {id, card_markdown, downloads?}; what does not go in is listed with its reason.

        Raises BadInput when the file cannot be read, Busy when another process writes.
        """
        refused: list[Refusal] = []
        outcomes: list[str] = []
        pace = _Pace("reading cards", 0, progress)
        published = read_dump(path, lambda what, reason: refused.append(Refusal(what, reason)))
        with self._writing():
            while batch := list(islice(published, CARDS_AT_ONCE)):
                outcomes += self._put(batch)
                pace.step(len(batch))
            if embed:
                self._embed_missing(progress)
        return _report(outcomes, refused, [])

    def sync(
        self,
        wish: Wish,
        *,
        embed: bool = True,
        progress: Callable[[Progress], None] | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> Report:
        """Read the Hub's cards that are new or have changed since they were read. Uses the network.

        What was read is stored every so many cards, so going on after any stop reads only what is missing. The catalog is free for
        others in between. Raises Unavailable when the Hub is out of reach, Busy when another process keeps writing.
        """
        known = self._table.revisions()
        refused: list[Refusal] = []
        outcomes: list[str] = []
        pace = _Pace("reading cards from the Hub", wish.limit, progress)

        def changed() -> Iterator[Listed]:
            for one in listed(wish):
                if one.revision and known.get(one.dataset) == one.revision:
                    outcomes.append("unchanged")
                    pace.step(1)
                else:
                    yield one

        cards = cards_of(changed(), between=between)
        batch: list[Published] = []

        def store() -> None:
            if batch:
                with self._writing():
                    outcomes.extend(self._put(batch))
                batch.clear()

        try:
            for card in cards:
                pace.step(1)
                if isinstance(card, Lost):
                    refused.append(Refusal(card.dataset, card.reason))
                    continue
                batch.append(card)
                if len(batch) >= SYNCED_AT_ONCE:
                    store()
        finally:
            store()
        if embed:
            self.prepare(progress)
        return _report(outcomes, refused, [])

    def add_fetched(self, dataset: str, *, progress: Callable[[Progress], None] | None = None) -> Report:
        """Make a data set in the Hub's cache known, with its own card unless the catalog has one. Raises Unavailable or BadInput."""
        snapshot = hub.cached_snapshot(dataset)
        data = scan_folder(Path(snapshot.path), dataset, within=Path(snapshot.within), revision=snapshot.revision)
        with self._writing():
            known = self._table.get(dataset)
            entry = Entry(card=known.card if known else data.card, columns=_columns(data), revision=known.revision if known else "")
            outcomes = self._table.put([(entry, words_of(entry))])
            self._embed_missing(progress)
        return _report(outcomes, [], [dataset])

    def remove(self, dataset: str) -> bool:
        """Forget an entry, never its data; whether there was one."""
        with self._writing():
            return self._table.remove(dataset)

    def prepare(self, progress: Callable[[Progress], None] | None = None) -> None:
        """Embed what this embedder has not seen, and save the index. Search does it too; here it can be watched."""
        with self._writing():
            self._embed_missing(progress)

    # ── what comes out ────────────────────────────────────────────────────────────────────────────────────

    def search(self, text: str, k: int = 10, language: str | None = None) -> list[Hit]:
        """The k entries that fit the text best. `language` (BCP 47) puts cards that state only other languages after."""
        return self.search_many([text], k, language)[0]

    def search_many(self, queries: Sequence[str], k: int = 10, language: str | None = None) -> list[list[Hit]]:
        """One list of hits for each query, in order; the queries are embedded together."""
        depth = max(LEAST_DEPTH, 2 * k)
        worded = [by_words(self._table, query, depth) for query in queries]
        results = []
        for query, words, likeness in zip(queries, worded, self._likeness(queries, worded, depth), strict=True):
            scores = fused(likeness, words)
            found = self._table.found([number for number, score in scores.items() if score > 0])
            ranked = sorted(
                ((adjusted(scores[one.number], one, language), one) for one in found.values()), key=lambda pair: (-pair[0], pair[1].dataset)
            )
            results.append(
                [
                    Hit(
                        id=one.dataset,
                        score=round(score, 6),
                        title=one.title,
                        reasons=reasons_for(query, one, likeness.get(one.number), language),
                        available=_available(one.dataset, one.folder),
                        likeness=likeness.get(one.number),
                    )
                    for score, one in ranked[: max(0, k)]
                ]
            )
        return results

    def get(self, dataset: str) -> Entry:
        """The entry of this id. Raises BadInput when the catalog has none."""
        entry = self._table.get(dataset)
        if entry is None:
            raise BadInput(f"The catalog has no data set {dataset!r}", "See: datatune catalog search TEXT")
        return entry

    def knows(self, dataset: str) -> bool:
        """Whether there is an entry of this id."""
        return self._table.get(dataset) is not None

    def data(self, dataset: str) -> DataFolder:
        """Where the entry's rows lie: its folder, else a snapshot in the Hugging Face cache.

        Raises BadInput for an unknown id or unreadable data, Unavailable when the rows are not on this machine.
        """
        entry = self.get(dataset)
        if entry.folder:
            if not Path(entry.folder).exists():
                raise Unavailable(f"The folder of {dataset} is gone: {entry.folder}", "Put it back, or add it from where it is now.")
            return scan_folder(Path(entry.folder), dataset, card=entry.card)
        snapshot = hub.cached_snapshot(dataset)
        return scan_folder(Path(snapshot.path), dataset, within=Path(snapshot.within), revision=snapshot.revision)

    def info(self) -> Info:
        """Counts and place."""
        counts = self._table.counts()
        stated = self._table.fact("vectors")
        files = [*self._folder.glob("catalog.db*"), *self._folder.glob("vectors-*")] if self._folder.exists() else []
        return Info(
            cards=counts["cards"],
            local=counts["local"],
            generated=counts["generated"],
            embedded=counts["vectors"],
            embedder=str(json.loads(stated)["embedder"]) if stated else "",
            path=str(self._table.path),
            bytes=sum(file.stat().st_size for file in files),
        )

    def state_digest(self) -> str:
        """Changes exactly when what the catalog holds changes; part of the fingerprint of a search."""
        return self._table.digest()

    # ── within ────────────────────────────────────────────────────────────────────────────────────────────

    def _folder_entry(self, folder: Path, card_id: str, prefix: str) -> Entry:
        resolved = str(folder.resolve())
        if card_id:
            known = self._table.get(card_id)
            if known is None:
                raise BadInput(
                    f"The catalog has no card {card_id!r} to link {folder.name} to", "Import the cards first, or leave the id out."
                )
            data = scan_folder(folder, card_id)
            return Entry(card=known.card, folder=resolved, columns=_columns(data), revision=known.revision)
        dataset = self._table.by_folder(resolved)
        if not dataset:
            name = folder_name(folder).split("/", 1)[1]
            dataset, number = f"{prefix}/{name}", 2
            while self._table.get(dataset) is not None:
                dataset, number = f"{prefix}/{name}-{number}", number + 1
        known = self._table.get(dataset)
        linked = known is not None and known.card.dataset == dataset and not dataset.startswith(("local/", f"{prefix}/"))
        data = scan_folder(folder, dataset)
        if known and linked:
            return Entry(card=known.card, folder=resolved, columns=_columns(data), revision=known.revision)
        return Entry(card=data.card, folder=resolved, columns=_columns(data))

    def _put(self, published: Sequence[Published]) -> list[str]:
        """Store cards from outside; what is known of their rows on this machine stays. The caller holds the lock."""
        local = self._table.with_folders()
        entries = []
        for one in published:
            card = parse_card(one.dataset, one.markdown, downloads=one.downloads)
            linked = local.get(one.dataset)
            columns = tuple(feature.name for feature in card.features) or tuple(card.columns)[:30]
            entries.append(Entry(card, linked.folder if linked else "", linked.columns if linked else columns, one.revision))
        return self._table.put([(entry, words_of(entry)) for entry in entries])

    def _likeness(self, queries: Sequence[str], worded: Sequence[Sequence[tuple[int, float]]], depth: int) -> list[dict[int, float]]:
        """For each query the cosine of the nearest entries and of those its words found; empty without an embedder."""
        if self._open_embedder is None or not self._table.counts()["cards"]:
            return [{} for _ in queries]
        embedder = self._loaded()
        if self._table.without_vector(embedder.name):
            # Another process may be embedding them: then search with what is there.
            with contextlib.suppress(Busy), self._writing(wait=0.0):
                self._embed_missing(None)
        vectors = self._index(embedder)
        vectors.refresh()
        embedded = embedder.embed(list(queries))
        near = vectors.nearest(embedded, depth)
        return [
            dict(nearest) | vectors.likeness(query, [number for number, _ in words])
            for query, nearest, words in zip(embedded, near, worded, strict=True)
        ]

    def _embed_missing(self, progress: Callable[[Progress], None] | None) -> None:
        """Embed in batches of like length, each committed, so that a crash loses at most one; the caller holds the lock."""
        if self._open_embedder is None:
            return
        embedder = self._loaded()
        missing = self._table.without_vector(embedder.name)
        pace = _Pace("reading the meaning of cards", len(missing), progress, work=sum(len(text) for _, text in missing))
        for start in range(0, len(missing), EMBEDDED_AT_ONCE):
            batch = missing[start : start + EMBEDDED_AT_ONCE]
            vectors = embedder.embed([text for _, text in batch])
            self._table.put_vectors(embedder.name, [number for number, _ in batch], vectors)
            pace.step(len(batch), sum(len(text) for _, text in batch))
        self._index(embedder).save()

    def _loaded(self) -> Embedder:
        if self._embedder is None:
            assert self._open_embedder is not None
            self._embedder = self._open_embedder()
        return self._embedder

    def _index(self, embedder: Embedder) -> VectorIndex:
        if self._vectors is None:
            self._vectors = VectorIndex(self._table, embedder.name, embedder.dimensions)
        return self._vectors

    @contextmanager
    def _writing(self, wait: float | None = None) -> Iterator[None]:
        """Hold the writer's lock, after at most `wait` seconds; raises Busy naming the process that has it."""
        import filelock  # deferred: search needs no lock

        from engine.errors import StoreUnusable

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self._folder / "catalog.lock", timeout=LOCK_SECONDS if wait is None else wait)
            owner = self._folder / "catalog.owner"
            try:
                with lock:
                    owner.write_text(str(os.getpid()), "utf-8")
                    yield
            except filelock.Timeout as error:
                number = owner.read_text("utf-8") if owner.exists() else "unknown"
                raise Busy(f"Process {number} is writing the catalog", "Wait until it has finished.") from error
        except OSError as error:
            raise StoreUnusable(f"The catalog's folder {self._folder} cannot be written: {error.strerror or error}") from error


class _Pace:
    """Counts work and tells the callback rate and time left; `work` weighs pieces that take unequal time."""

    def __init__(self, activity: str, total: int, tell: Callable[[Progress], None] | None, work: int = 0) -> None:
        self._activity = activity
        self._total = total
        self._tell = tell
        self._work = work
        self._started = time.monotonic()
        self._done = 0
        self._worked = 0

    def step(self, count: int, work: int = 0) -> None:
        self._done += count
        self._worked += work
        if self._tell is None or not count:
            return
        seconds = max(1e-6, time.monotonic() - self._started)
        done, whole = (self._worked, self._work) if self._work else (self._done, self._total)
        left = seconds * (whole - done) / done if whole and done else None
        self._tell(
            Progress(self._activity, self._done, self._total, round(self._done / seconds, 1), left if left is None else round(left, 1))
        )


def _report(outcomes: list[str], refused: list[Refusal], ids: list[str]) -> Report:
    counts = {name: outcomes.count(name) for name in ("added", "updated", "unchanged")}
    return msgspec.convert({**counts, "refused": tuple(refused), "datasets": tuple(ids)}, Report)


def _columns(data: DataFolder) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for split in data.configs[0].splits for file in split.files for name in file.columns))[:100]


def _available(dataset: str, folder: str) -> bool:
    return Path(folder).exists() if folder else hub.is_cached(dataset)
