"""The catalog: cards and local folders added, kept current for search, searched, and opened."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import msgspec

from engine.catalog import hub
from engine.catalog.card import parse_card
from engine.catalog.facets import EVERYTHING, Facets
from engine.catalog.hub_cards import Listed, Lost, Wish, cards_of, listed
from engine.catalog.index import CardTable, Entry
from engine.catalog.layout import DataFolder
from engine.catalog.meaning import Meaning
from engine.catalog.pace import Pace, Progress
from engine.catalog.published import Published, read_dump
from engine.catalog.ranking import LEARNT, Weighed, Weights, without_copies
from engine.catalog.scan import data_folders, folder_name, scan_folder
from engine.catalog.search import LEAST_DEPTH, Hit, Query, Reasons, by_words, words_of
from engine.catalog.vectors import LATEST, written_before
from engine.errors import BadInput, Busy, EngineError, Unavailable
from engine.records import Value
from models.embedding import Embedder

CARDS_AT_ONCE = 500
READ_AT_ONCE = 100
"""Cards a search may embed before it answers."""
READ_BESIDE = 512
"""Cards embedded beside before others may write."""
SYNCED_AT_ONCE = 100
"""Cards from the Hub that are stored together: what a stop may lose."""
LOCK_SECONDS = 10.0


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
    unread: tuple[Refusal, ...] = ()
    """What of the folders that were added is not read, such as one broken file among others."""


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

    `embedder` is called when vectors are first needed; None searches by words alone. While a new embedder has much to read, `reader`
    opens the one before by its spec and searches go on with its index, and `later` starts a process that calls `read_all`.
    """

    def __init__(
        self,
        folder: Path,
        embedder: Callable[[], Embedder] | None,
        *,
        spec: str = "",
        reader: Callable[[str], Embedder] | None = None,
        later: Callable[[], object] | None = None,
    ) -> None:
        self._folder = folder
        self._table = CardTable(folder)
        self._meaning = Meaning(self._table, embedder, spec) if embedder else None
        self._reader = reader
        self._later = later
        self._before: Meaning | None = None
        """The embedder before, while the new one has much to read."""
        self._reading = False
        """Whether a process was started that reads."""
        self.searched_elsewhere = ""
        """State of another machine's catalog, in which a run that came in a bundle has searched; its search counts as done here."""

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
        pace = Pace("reading folders", len(folders), progress)
        refused: list[Refusal] = []
        unread: list[Refusal] = []
        ids: list[str] = []
        outcomes: list[str] = []
        with self._writing():
            for folder in folders:
                try:
                    entry, left_out = self._folder_entry(folder, card_id, prefix)
                    unread += [Refusal(str(folder), one) for one in left_out]
                    outcomes += self._table.put([(entry, words_of(entry))])
                    ids.append(entry.dataset)
                except BadInput as error:
                    refused.append(Refusal(str(folder), error.title + (f" ({error.hint})" if error.hint else "")))
                pace.step(1)
            if embed:
                self._embed_missing(progress)
        if refused and not ids and len(folders) == 1:
            raise BadInput(refused[0].reason, "Expected: Parquet, CSV, TSV, JSON Lines, JSON, xlsx or save_to_disk folders.")
        return _report(outcomes, refused, ids, unread)

    def import_cards(self, path: Path, *, embed: bool = True, progress: Callable[[Progress], None] | None = None) -> Report:
        """Import cards from JSON Lines or Parquet, each {id, card_markdown, downloads?}; what does not go in is listed with its reason.

        Raises BadInput when the file cannot be read, Busy when another process writes.
        """
        refused: list[Refusal] = []
        outcomes: list[str] = []
        pace = Pace("reading cards", 0, progress)
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
        counts: dict[str, int] = {}
        pace = Pace("reading cards from the Hub", wish.limit, progress)

        def changed() -> Iterator[Listed]:
            for one in listed(wish):
                if one.revision and known.get(one.dataset) == one.revision:
                    outcomes.append("unchanged")
                    counts[one.dataset] = one.downloads
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
            if counts:
                with self._writing():
                    self._table.set_downloads(counts)
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

    def read_all(self, progress: Callable[[Progress], None] | None = None) -> None:
        """As `prepare`, a little at a time, so that others may write in between. Raises Busy when another process keeps writing."""
        while self._meaning is not None and self._meaning.lacking():
            with self._writing():
                self._meaning.catch_up(progress, READ_BESIDE)
        if self._meaning is not None:
            with self._writing():
                self._meaning.catch_up(progress)  # a kill between the last vectors and the index file leaves only that to do

    # ── what comes out ────────────────────────────────────────────────────────────────────────────────────

    def search(
        self, text: str | Query, k: int = 10, language: str | None = None, facets: Facets = EVERYTHING, weights: Weights = LEARNT
    ) -> list[Hit]:
        """The k best entries for a text, best first. `language` (BCP 47) puts those that state only others after; `facets` leave out."""
        return self.search_many([text], k, language, facets, weights)[0]

    def search_many(
        self,
        queries: Sequence[str | Query],
        k: int = 10,
        language: str | None = None,
        facets: Facets = EVERYTHING,
        weights: Weights = LEARNT,
    ) -> list[list[Hit]]:
        """One list of hits for each query, in order; the queries are embedded together. Entries that are copies are one hit."""
        asked = [query if isinstance(query, Query) else Query(query) for query in queries]
        results = []
        for query, weighed in zip(asked, self.weighed(asked, max(LEAST_DEPTH, 2 * k), facets), strict=True):
            likeness = weighed.likeness
            parts = weighed.parts(language, weights)
            ranked = weighed.in_order(parts)
            here = {one.number: _available(one.dataset, one.folder) for _, one in ranked[: k + 25 if k > 0 else 0]}
            shown = without_copies(ranked, max(0, k), here)
            copies = self._table.copies([one.copy for _, one in shown if one.copy and not one.folder], facets)
            texts = self._table.texts([one.number for _, one in shown])
            reasons = Reasons(query, language)
            results.append(
                [
                    Hit(
                        id=one.dataset,
                        score=round(score, 6),
                        title=one.title,
                        reasons=reasons.of(one, texts.get(one.number, ""), likeness.get(one.number)),
                        # Where many copies fell together, what is shown reaches further down than was looked at.
                        available=here[one.number] if one.number in here else _available(one.dataset, one.folder),
                        likeness=likeness.get(one.number),
                        aliases=() if one.folder else tuple(other for other in copies.get(one.copy, ()) if other != one.dataset),
                        parts=parts.get(one.number),
                    )
                    for score, one in shown
                ]
            )
        return results

    def weighed(self, queries: Sequence[Query], depth: int, facets: Facets = EVERYTHING) -> Iterator[Weighed]:
        """For each query what is weighed: `depth` entries by meaning and by words, with what speaks for them."""
        worded = [by_words(self._table, query.text if query.text.strip() else " ".join(query.also), depth, facets) for query in queries]
        most = self._table.most_downloads()
        for words, likeness in zip(worded, self._likeness(queries, worded, depth, facets), strict=True):
            near = {number for number, value in likeness.items() if value > 0}
            yield Weighed(self._table.found(list(near | dict(words).keys())), likeness, tuple(words), most)

    def here(self) -> tuple[str, ...]:
        """Ids of the data sets whose rows are on this machine."""
        folders = (dataset for dataset, entry in self._table.with_folders().items() if Path(entry.folder).exists())
        return tuple(dict.fromkeys([*folders, *hub.cached_ids()]))

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
        files = [*self._folder.glob("catalog.db*"), *self._folder.glob("vectors-*")] if self._folder.exists() else []
        return Info(
            cards=counts["cards"],
            local=counts["local"],
            generated=counts["generated"],
            embedded=counts["vectors"],
            embedder=self._table.fact(LATEST),
            path=str(self._table.path),
            bytes=sum(file.stat().st_size for file in files),
        )

    def state_digest(self) -> str:
        """Changes exactly when what the catalog holds changes; part of the fingerprint of a search."""
        return self.searched_elsewhere or self._table.digest()

    @property
    def reading(self) -> bool:
        """Whether the last search did without the embedder asked for, since that is still reading the cards."""
        return self._reading

    # ── within ────────────────────────────────────────────────────────────────────────────────────────────

    def _folder_entry(self, folder: Path, card_id: str, prefix: str) -> tuple[Entry, tuple[str, ...]]:
        """The entry of a folder, and what of the folder is not read."""
        resolved = str(folder.resolve())
        if card_id:
            known = self._table.get(card_id)
            if known is None:
                raise BadInput(
                    f"The catalog has no card {card_id!r} to link {folder.name} to", "Import the cards first, or leave the id out."
                )
            data = scan_folder(folder, card_id)
            return Entry(card=known.card, folder=resolved, columns=_columns(data), revision=known.revision), data.notes
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
            return Entry(card=known.card, folder=resolved, columns=_columns(data), revision=known.revision), data.notes
        return Entry(card=data.card, folder=resolved, columns=_columns(data)), data.notes

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

    def _likeness(
        self, queries: Sequence[Query], worded: Sequence[Sequence[tuple[int, float]]], depth: int, facets: Facets
    ) -> list[dict[int, float]]:
        """For each query the cosine of the nearest entries and of those its words found; empty without an embedder."""
        if self._meaning is None or not self._table:
            return [{} for _ in queries]
        among = self._table.passing(facets) if facets else None
        texts = [query.texts for query in queries]
        return self._ready(self._meaning).likeness(texts, [[number for number, _ in words] for words in worded], depth, among)

    def _ready(self, wanted: Meaning) -> Meaning:
        """The wanted embedder, caught up where that takes a moment, else the one before while a process of its own catches up."""
        lacking = wanted.lacking()
        if not lacking:
            self._before, self._reading = None, False
        elif lacking <= READ_AT_ONCE or self._later is None:
            # Another process may be embedding them: then search with what is there.
            with contextlib.suppress(Busy), self._writing(wait=0.0):
                wanted.catch_up(None)
        elif not self._reading:
            self._reading = True
            self._later()
            before = written_before(self._table, wanted.embedder.name)
            if before and self._reader:
                with contextlib.suppress(EngineError):  # its weights are gone: then with the little that is read
                    opened = self._reader(before[1])
                    self._before = Meaning(self._table, lambda: opened, before[1])
        return self._before or wanted

    def _embed_missing(self, progress: Callable[[Progress], None] | None) -> None:
        if self._meaning is not None:
            self._meaning.catch_up(progress)

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


def _report(outcomes: list[str], refused: list[Refusal], ids: list[str], unread: Sequence[Refusal] = ()) -> Report:
    counts = {name: outcomes.count(name) for name in ("added", "updated", "unchanged")}
    return msgspec.convert({**counts, "refused": tuple(refused), "datasets": tuple(ids), "unread": tuple(unread)}, Report)


def _columns(data: DataFolder) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for split in data.configs[0].splits for file in split.files for name in file.columns))[:100]


def _available(dataset: str, folder: str) -> bool:
    return Path(folder).exists() if folder else hub.is_cached(dataset)
