"""The catalog's SQLite file: cards, their words in FTS5, their vectors. What it holds is the truth; all else is made from it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine.catalog.card import Card
from engine.catalog.facets import EVERYTHING, Facets, condition, facets_of
from engine.errors import StoreUnusable
from engine.records import Value

if TYPE_CHECKING:
    import numpy as np

SCHEMA_VERSION = 2
PARSER_VERSION = 2
"""Part of a card's digest, so that a better reading of cards replaces the stored one."""

_SCHEMA = """
CREATE TABLE cards (
    number INTEGER PRIMARY KEY AUTOINCREMENT, dataset TEXT NOT NULL UNIQUE, folder TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL,
    title TEXT NOT NULL, languages TEXT NOT NULL, generated INTEGER NOT NULL, text TEXT NOT NULL, entry BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(title, tags, summary, body, tokenize = 'porter unicode61 remove_diacritics 2');
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO facts VALUES ('revision', '0'), ('place', '0');
"""
_VECTORS = """
CREATE TABLE vectors (
    embedder TEXT NOT NULL, place INTEGER NOT NULL, card INTEGER NOT NULL REFERENCES cards (number), vector BLOB NOT NULL,
    PRIMARY KEY (embedder, place)) WITHOUT ROWID;
CREATE UNIQUE INDEX vectors_by_card ON vectors (card, embedder);
"""
_FACETS = """
CREATE TABLE facets (
    card INTEGER PRIMARY KEY REFERENCES cards (number), copy TEXT NOT NULL, languages TEXT NOT NULL, licences TEXT NOT NULL,
    least_rows INTEGER, most_rows INTEGER, downloads INTEGER NOT NULL, gated INTEGER NOT NULL);
CREATE INDEX facets_by_copy ON facets (copy);
CREATE INDEX facets_by_downloads ON facets (downloads);
"""


class Entry(Value, frozen=True):
    """One data set the catalog knows."""

    card: Card
    folder: str = ""
    """Where its rows lie on this machine; "" for a card alone."""
    columns: tuple[str, ...] = ()
    """Columns of its rows, or those its card declares."""
    revision: str = ""
    """The Hub's commit its card was read at; "" where that is not known."""

    @property
    def dataset(self) -> str:
        return self.card.dataset


class Words(Value, frozen=True):
    """What of an entry is searched: four texts for FTS5, heaviest first, and one for the embedder."""

    title: str
    tags: str
    summary: str
    body: str
    embedded: str


class Found(Value, frozen=True):
    """The part of an entry that a search result shows."""

    number: int
    dataset: str
    title: str
    folder: str
    languages: tuple[str, ...]
    generated: bool
    downloads: int
    copy: str
    """The same for cards that are copies of each other; "" for one that says nothing."""


class CardTable:
    """Reads and writes `catalog.db` in a folder. One writer at a time (the caller holds the lock), any number of readers."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "catalog.db"
        self._kept = threading.local()
        """Each thread's read-only connection, and the file it was opened on."""
        self._revision = ""
        self._frequencies: dict[str, int] = {}
        self._passing: dict[Facets, list[int]] = {}

    def put(self, entries: Sequence[tuple[Entry, Words]]) -> list[str]:
        """Store entries in one transaction; "added", "updated" or "unchanged" for each. Only a changed text loses its vector."""
        outcomes = []
        with self._writing() as db:
            for entry, words in entries:
                blob = msgspec.json.encode(entry)
                digest = hashlib.sha256(b"%d\0" % PARSER_VERSION + blob).hexdigest()
                known = db.execute("SELECT number, digest, text FROM cards WHERE dataset = ?", (entry.dataset,)).fetchone()
                if known and known[1] == digest:
                    outcomes.append("unchanged")
                    continue
                values = (
                    entry.folder,
                    digest,
                    entry.card.title,
                    " ".join(entry.card.languages),
                    entry.card.generated,
                    words.embedded,
                    blob,
                )
                if known:
                    number = known[0]
                    db.execute(
                        "UPDATE cards SET folder=?, digest=?, title=?, languages=?, generated=?, text=?, entry=? WHERE number=?",
                        (*values, number),
                    )
                    db.execute("DELETE FROM words WHERE rowid = ?", (number,))
                    if known[2] != words.embedded:
                        db.execute("DELETE FROM vectors WHERE card = ?", (number,))
                else:
                    number = db.execute(
                        """INSERT INTO cards (folder, digest, title, languages, generated, text, entry, dataset)
                           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
                        (*values, entry.dataset),
                    ).lastrowid
                _put_facets(db, number, entry.card)
                db.execute(
                    "INSERT INTO words (rowid, title, tags, summary, body) VALUES (?, ?, ?, ?, ?)",
                    (number, words.title, words.tags, words.summary, words.body),
                )
                outcomes.append("updated" if known else "added")
            _count_revision(db, any(outcome != "unchanged" for outcome in outcomes))
        return outcomes

    def remove(self, dataset: str) -> bool:
        """Forget an entry; whether there was one."""
        with self._writing() as db:
            known = db.execute("SELECT number FROM cards WHERE dataset = ?", (dataset,)).fetchone()
            if known:
                for statement in (
                    "DELETE FROM words WHERE rowid = ?",
                    "DELETE FROM vectors WHERE card = ?",
                    "DELETE FROM facets WHERE card = ?",
                    "DELETE FROM cards WHERE number = ?",
                ):
                    db.execute(statement, known)
            _count_revision(db, bool(known))
        return bool(known)

    def get(self, dataset: str) -> Entry | None:
        """The entry of this id, None when the catalog has none."""
        row = self._one("SELECT entry FROM cards WHERE dataset = ?", dataset)
        return msgspec.json.decode(row[0], type=Entry) if row else None

    def with_folders(self) -> dict[str, Entry]:
        """Entries that have rows in a folder of this machine, by id."""
        with self._reading() as db:
            blobs = [row[0] for row in (db.execute("SELECT entry FROM cards WHERE folder != ''") if db else ())]
        entries = [msgspec.json.decode(blob, type=Entry) for blob in blobs]
        return {entry.dataset: entry for entry in entries}

    def revisions(self) -> dict[str, str]:
        """The Hub's commits at which cards were read, by id, as far as they are known."""
        with self._reading() as db:
            rows = db.execute("SELECT dataset, json_extract(CAST(entry AS TEXT), '$.revision') FROM cards") if db else ()
            return {str(dataset): str(revision) for dataset, revision in rows if revision}

    def set_downloads(self, counts: Mapping[str, int]) -> None:
        """Take up download counts, by id; they rank what search finds."""
        with self._writing() as db:
            update = "UPDATE facets SET downloads = ? WHERE card = (SELECT number FROM cards WHERE dataset = ?) AND downloads != ?"
            changed = db.executemany(update, [(count, dataset, count) for dataset, count in counts.items()]).rowcount
            _count_revision(db, changed > 0)

    def by_folder(self, folder: str) -> str:
        """The id under which a folder was added, or ""."""
        row = self._one("SELECT dataset FROM cards WHERE folder = ?", folder)
        return str(row[0]) if row else ""

    def found(self, numbers: Sequence[int]) -> dict[int, Found]:
        """What to show of these entries; those gone in the meantime are missing."""
        results: dict[int, Found] = {}
        with self._reading() as db:
            for start in range(0, len(numbers), 500):
                some = numbers[start : start + 500]
                query = f"""SELECT number, dataset, title, folder, cards.languages, generated, downloads, copy
                            FROM cards JOIN facets ON card = number WHERE number IN ({",".join("?" * len(some))})"""
                for row in db.execute(query, some) if db else ():
                    number, dataset, title, folder, languages, generated, downloads, copy = row
                    results[number] = Found(number, dataset, title, folder, tuple(languages.split()), bool(generated), downloads, copy)
        return results

    def texts(self, numbers: Sequence[int]) -> dict[int, str]:
        """What is embedded of these entries."""
        with self._reading() as db:
            query = f"SELECT number, text FROM cards WHERE number IN ({','.join('?' * len(numbers))})"
            return {int(number): str(text) for number, text in (db.execute(query, tuple(numbers)) if db else ())}

    def frequencies(self, words: Sequence[str], most: int) -> dict[str, int]:
        """In how many entries each of these words stands, counted up to `most`; remembered until the catalog changes."""
        self._forget_if_changed()
        unknown = [word for word in words if word not in self._frequencies]
        if unknown:
            query = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
            with self._reading() as db:
                for word in unknown if db else ():
                    self._frequencies[word] = int(db.execute(query, (f'"{word}"', most)).fetchone()[0]) if db else 0
        return {word: self._frequencies.get(word, 0) for word in words}

    def match(self, query: str, limit: int, weights: Sequence[float], facets: Facets = EVERYTHING) -> list[tuple[int, float]]:
        """(number, BM25 score, higher is better) of the entries that match an FTS5 query and the facets, best first."""
        ranked = f"bm25(words, {', '.join(str(float(weight)) for weight in weights)})"
        # Without the plus, each entry that passes would be looked up in the text index by itself.
        narrowed = "AND +rowid IN (SELECT value FROM json_each(?))" if facets else ""
        values = [json.dumps(self.passing(facets))] if facets else []
        with self._reading() as db:
            query_ = f"SELECT rowid, {ranked} AS score FROM words WHERE words MATCH ? {narrowed} ORDER BY score LIMIT ?"
            return [(int(number), -float(score)) for number, score in (db.execute(query_, (query, *values, limit)) if db else ())]

    def passing(self, facets: Facets) -> list[int]:
        """Numbers of the entries that the facets let through, in order; remembered until the catalog changes."""
        self._forget_if_changed()
        if facets not in self._passing:
            only, values = condition(facets)
            with self._reading() as db:
                rows = db.execute(f"SELECT card FROM facets WHERE {only} ORDER BY card", values) if db else ()
                self._passing = {facets: [int(row[0]) for row in rows]}
        return self._passing[facets]

    def copies(self, keys: Sequence[str], facets: Facets = EVERYTHING) -> dict[str, list[str]]:
        """By copy key the ids of the entries that are copies of each other and pass the facets, most downloads first."""
        found: dict[str, list[str]] = {}
        only, values = condition(facets)
        with self._reading() as db:
            query = f"""SELECT copy, dataset FROM facets JOIN cards ON number = card
                        WHERE copy IN ({",".join("?" * len(keys))}) AND folder = '' AND {only} ORDER BY downloads DESC, dataset"""
            for copy, dataset in db.execute(query, (*keys, *values)) if db else ():
                found.setdefault(str(copy), []).append(str(dataset))
        return found

    def most_downloads(self) -> int:
        """Of any entry; 0 where none says."""
        row = self._one("SELECT max(downloads) FROM facets")
        return int(row[0] or 0) if row else 0

    def without_vector(self, embedder: str) -> list[tuple[int, str]]:
        """(number, text) of entries this embedder has not seen, shortest text first, so that batches hold like lengths."""
        query = """SELECT number, text FROM cards LEFT JOIN vectors ON card = number AND embedder = ?
                   WHERE card IS NULL AND NOT generated ORDER BY length(text), number"""
        with self._reading() as db:
            return [(int(number), str(text)) for number, text in (db.execute(query, (embedder,)) if db else ())]

    def lacking(self, embedder: str) -> int:
        """How many entries this embedder has not seen."""
        query = "SELECT count(*) FROM cards LEFT JOIN vectors ON card = number AND embedder = ? WHERE card IS NULL AND NOT generated"
        row = self._one(query, embedder)
        return int(row[0]) if row else 0

    def put_vectors(self, embedder: str, numbers: Sequence[int], vectors: np.ndarray) -> None:
        """Store float32 vectors of shape (len(numbers), dimensions), in one transaction."""
        with self._writing() as db:
            place = int(_fact(db, "place") or 0)
            rows = [
                (number, place + offset, embedder, vector.astype("<f4").tobytes())
                for offset, (number, vector) in enumerate(zip(numbers, vectors, strict=True), start=1)
            ]
            db.executemany("DELETE FROM vectors WHERE card = ? AND embedder = ?", [(number, embedder) for number in numbers])
            db.executemany("INSERT INTO vectors (card, place, embedder, vector) VALUES (?, ?, ?, ?)", rows)
            _set_fact(db, "place", str(place + len(rows)))
            _count_revision(db, bool(rows))

    def vectors_after(self, embedder: str, place: int) -> Iterator[tuple[list[int], int, bytes]]:
        """(numbers, last place, vectors one after another) of this embedder's vectors stored after a place, in batches."""
        with self._reading() as db:
            if not db:
                return
            cursor = db.execute(
                "SELECT card, place, vector FROM vectors WHERE embedder = ? AND place > ? ORDER BY place", (embedder, place)
            )
            while rows := cursor.fetchmany(2000):
                yield [row[0] for row in rows], rows[-1][1], b"".join(row[2] for row in rows)

    def embedded_numbers(self, embedder: str) -> set[int]:
        """Numbers of the entries this embedder has a vector for."""
        with self._reading() as db:
            return {int(row[0]) for row in (db.execute("SELECT card FROM vectors WHERE embedder = ?", (embedder,)) if db else ())}

    def __bool__(self) -> bool:
        """Whether there is any entry."""
        return self._one("SELECT 1 FROM cards LIMIT 1") is not None

    def counts(self) -> dict[str, int]:
        """Number of cards, of those with rows on this machine, made by machines, and embedded."""
        row = self._one("SELECT count(*), coalesce(sum(folder != ''), 0), coalesce(sum(generated), 0) FROM cards") or (0, 0, 0)
        vectors = self._one(
            "SELECT count(*) FROM vectors GROUP BY embedder ORDER BY embedder = ? DESC, 1 DESC LIMIT 1", self.fact("embedder")
        ) or (0,)
        return {"cards": row[0], "local": row[1], "generated": row[2], "vectors": vectors[0]}

    def fact(self, name: str) -> str:
        """A stored fact, "" when there is none."""
        with self._reading() as db:
            return (_fact(db, name) or "") if db else ""

    def facts(self, beginning: str) -> dict[str, str]:
        """Stored facts whose names begin so."""
        with self._reading() as db:
            rows = db.execute("SELECT name, value FROM facts WHERE substr(name, 1, ?) = ?", (len(beginning), beginning)) if db else ()
            return {str(name): str(value) for name, value in rows}

    def set_fact(self, name: str, value: str) -> None:
        with self._writing() as db:
            _set_fact(db, name, value)

    def digest(self) -> str:
        """Changes exactly when an entry is added, changed or removed."""
        total = hashlib.sha256()
        with self._reading() as db:
            for row in db.execute("SELECT dataset, digest FROM cards ORDER BY dataset") if db else ():
                total.update(f"{row[0]}\0{row[1]}\n".encode())
        return total.hexdigest()

    def _forget_if_changed(self) -> None:
        revision = self.fact("revision")
        if self._revision != revision:
            self._revision, self._frequencies, self._passing = revision, {}, {}

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with self._reading() as db:
            row: tuple[Any, ...] | None = db.execute(query, values).fetchone() if db else None
            return row

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A read-only connection, or None while there is no catalog yet."""
        with self._translated():
            db = self._reader()
            if db is None:
                yield None
                return
            try:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version > SCHEMA_VERSION:
                    raise StoreUnusable(f"{self.path} was written by a newer DataTune", "Update DataTune, or move the file away.")
                if 0 < version < SCHEMA_VERSION:
                    with self._writing():
                        pass  # brought up to date
                yield db if version else None
            except (sqlite3.Error, OSError):
                self._kept.db = None  # the next one looks at the file afresh
                raise

    def _reader(self) -> sqlite3.Connection | None:
        """This thread's connection: opening one for each question took a third of a search. Opened anew where the file is another."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._kept.db = None
            return None
        file = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        db: sqlite3.Connection | None = getattr(self._kept, "db", None)
        if db is None or self._kept.file != file:
            self._kept.db = db = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
            self._kept.file = file
        return db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction, committed at the end or rolled back whole."""
        with self._translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("BEGIN IMMEDIATE")
                try:
                    version = db.execute("PRAGMA user_version").fetchone()[0]
                    if version < SCHEMA_VERSION:
                        _migrate(db, version)
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    db.rollback()
                    raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreUnusable(f"The catalog {self.path} cannot be used: {error}", "Check free space and permissions.") from error
        except sqlite3.DatabaseError as error:
            raise StoreUnusable(
                f"The catalog {self.path} is damaged: {error}", "Move the file away and add the data sets again."
            ) from error
        except OSError as error:
            raise StoreUnusable(f"The catalog's folder {self.path.parent} cannot be used: {error.strerror or error}") from error


def _migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a new or an older file up to date, within the caller's transaction."""
    if version == 0:
        _run(db, _SCHEMA + _VECTORS + _FACETS)
    else:
        db.execute("ALTER TABLE vectors RENAME TO vectors_before")
        db.execute("DROP INDEX vectors_by_place")
        _run(db, _VECTORS + _FACETS)
        db.execute("INSERT INTO vectors SELECT embedder, place, card, vector FROM vectors_before")
        db.execute("DROP TABLE vectors_before")
        db.execute("DELETE FROM facts WHERE name = 'vectors'")
        for number, blob in db.execute("SELECT number, entry FROM cards").fetchall():
            _put_facets(db, number, msgspec.json.decode(blob, type=Entry).card)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _run(db: sqlite3.Connection, script: str) -> None:
    for statement in filter(str.strip, script.split(";")):
        db.execute(statement)


def _put_facets(db: sqlite3.Connection, number: int, card: Card) -> None:
    facets = facets_of(card)
    db.execute(
        "INSERT OR REPLACE INTO facets VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            card.copy_key,
            f" {' '.join(facets.languages)} ",
            f" {' '.join(facets.licences)} ",
            facets.least_rows,
            facets.most_rows,
            min(facets.downloads, 1 << 60),
            facets.gated,
        ),
    )


def _fact(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def _set_fact(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))


def _count_revision(db: sqlite3.Connection, changed: bool) -> None:
    if changed:
        db.execute("UPDATE facts SET value = CAST(value AS INTEGER) + 1 WHERE name = 'revision'")
