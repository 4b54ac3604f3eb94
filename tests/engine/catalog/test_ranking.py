"""What puts one find before another, and copies that are shown as one."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from engine.catalog.catalog import Catalog
from engine.catalog.facets import Facets
from engine.catalog.index import Found
from engine.catalog.ranking import LEARNT, Weighed, Weights, popularity, without_copies
from engine.catalog.search import Query
from models.hashing import HashingEmbedder


def _found(number: int, **more: object) -> Found:
    usual = {
        "dataset": f"x/{number}",
        "title": "",
        "folder": "",
        "languages": (),
        "generated": False,
        "downloads": 0,
        "copy": "",
    }
    return msgspec.convert({"number": number, **usual, **more}, Found)


def _order(
    *found: Found, likeness: dict[int, float] | None = None, words: list[tuple[int, float]] | None = None, most: int = 0
) -> list[int]:
    near = dict.fromkeys((one.number for one in found), 0.5) if likeness is None else likeness
    return [one.number for _, one in Weighed({one.number: one for one in found}, near, tuple(words or ()), most).ranked("de")]


def test_nearer_cards_go_first_and_more_words_in_common_before_fewer() -> None:
    assert _order(_found(1), _found(2), likeness={1: 0.4, 2: 0.6}) == [2, 1]
    assert _order(_found(1), _found(2), words=[(2, 9.0), (1, 3.0)]) == [2, 1]


def test_what_many_use_goes_before_what_nobody_uses_unless_that_is_far_nearer() -> None:
    used, new = _found(1, downloads=1_000_000), _found(2)
    assert _order(new, used, most=1_000_000) == [1, 2]
    assert _order(new, used, most=1_000_000, likeness={1: 0.1, 2: 0.6}) == [2, 1]


def test_without_meaning_words_outweigh_popularity() -> None:
    used, apt = _found(1, downloads=1_000_000), _found(2)
    assert _order(used, apt, likeness={}, words=[(2, 9.0), (1, 3.0)], most=1_000_000) == [2, 1]


def test_downloads_count_by_their_logarithm_and_own_folders_are_not_drowned() -> None:
    assert popularity(_found(1, downloads=999), 999_999) == pytest.approx(0.5, abs=0.001)
    assert popularity(_found(1), 0) == 0.0
    assert popularity(_found(1, folder="/mine"), 999_999) == LEARNT.own
    assert popularity(_found(1, folder="/mine", downloads=999_999), 999_999) == 1.0


def test_cards_of_other_languages_and_machine_made_ones_go_last() -> None:
    assert _order(_found(1, languages=("fr",)), _found(2), _found(3, languages=("de-AT",)), _found(4, generated=True)) == [3, 2, 1, 4]


def test_of_copies_the_one_that_is_here_stands_for_all_then_the_most_downloaded() -> None:
    ranked = [
        (0.9, _found(1, copy="a", downloads=3)),
        (0.8, _found(2)),
        (0.7, _found(3, copy="a", downloads=9)),
        (0.6, _found(4, copy="b")),
        (0.5, _found(5, copy="b")),
        (0.4, _found(6)),
    ]
    shown = without_copies(ranked, 3, {5: True})
    assert [(score, one.number) for score, one in shown] == [(0.9, 3), (0.8, 2), (0.6, 5)]


def test_folders_of_ones_own_with_one_card_stay_apart() -> None:
    mine = [(0.9, _found(1, copy="a", folder="/one")), (0.8, _found(2, copy="a", folder="/two")), (0.7, _found(3, copy="a"))]
    assert [one.number for _, one in without_copies(mine, 9, {1: True, 2: True})] == [1, 2, 3]


COPY = "# Tales\n\nShort tales of the sea, told by sailors and written down in their harbour."


def _catalog(folder: Path, cards: dict[str, str]) -> Catalog:
    lines = [{"id": name, "card_markdown": text, "downloads": len(name)} for name, text in cards.items()]
    folder.mkdir(exist_ok=True)
    (folder / "cards.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    made = Catalog(folder / "c", HashingEmbedder)
    made.import_cards(folder / "cards.jsonl")
    return made


def test_copies_are_one_hit_that_names_the_others(tmp_path: Path) -> None:
    german = f"---\nlanguage: de\nlicense: mit\n---\n{COPY}"
    catalog = _catalog(
        tmp_path, {"tales": COPY, "someone/tales-again": COPY.replace("# ", "#  "), "x/de": german, "x/other": "# Rivers\n\nLevels."}
    )
    hits = catalog.search("tales of the sea", 10)
    # The most downloaded stands for its copies; a card of another language is none.
    assert [(hit.id, hit.aliases) for hit in hits][:2] == [("someone/tales-again", ("tales",)), ("x/de", ())]
    assert [(hit.id, hit.aliases) for hit in catalog.search("tales", 10, facets=Facets(only=("tales",)))] == [("tales", ())]
    catalog.remove("someone/tales-again")
    assert [(hit.id, hit.aliases) for hit in catalog.search("tales", 1)] == [("tales", ())]


def test_rows_that_are_here_are_seen_below_however_many_copies(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path, {f"x/copy-{number}": COPY for number in range(60)})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "data.csv").write_text("word,n\na,1\n")
    catalog.add_folder(tmp_path / "mine")
    hits = catalog.search("tales of the sea told by sailors, mine", 2)
    assert {hit.id: hit.available for hit in hits}["local/mine"]


def test_empty_templates_are_no_copies_of_each_other(tmp_path: Path) -> None:
    template = "# Dataset Card for [Dataset Name]\n\n## Dataset Description\n\n[More Information Needed]\n"
    catalog = _catalog(tmp_path, {"x/one": template, "x/two": template})
    assert {hit.id for hit in catalog.search("one two", 10)} == {"x/one", "x/two"}
    assert not any(hit.aliases for hit in catalog.search("one two", 10))


def test_a_query_in_two_wordings_finds_what_either_says(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path, {"x/boats": "# Boats\n\nSailing boats and ships.", "x/bread": "# Bread\n\nLoaves and rolls."})
    assert catalog.search(Query("sailing boats", ("loaves and rolls",)), 2)[0].score > 0
    assert {hit.id for hit in catalog.search(Query("sailing", ("loaves",)), 2)} == {"x/boats", "x/bread"}
    assert catalog.search(Query("", ("loaves",)), 1)[0].id == "x/bread"


def test_nothing_is_found_for_nothing_however_popular(tmp_path: Path) -> None:
    assert _catalog(tmp_path, {"x/boats": "# Boats"}).search("") == []


def test_parts_can_be_left_out(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path, {"x/boats": "# Boats", "x/a-far-more-popular-set": "# Boats and more boats"})
    alone = Weights(words=0.0, popularity=0.0)
    assert catalog.search("Boats boats", 1, weights=alone)[0].id == "x/boats"


def test_a_catalog_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path, {"tales": COPY, "x/other": "---\nlicense: mit\n---\n# Rivers\n\nLevels of rivers."})
    before = [hit.id for hit in catalog.search("levels of rivers", 5)]
    with sqlite3.connect(tmp_path / "c" / "catalog.db") as db:
        db.executescript("""
            ALTER TABLE vectors RENAME TO newer; DROP INDEX vectors_by_card;
            CREATE TABLE vectors (card INTEGER PRIMARY KEY, place INTEGER NOT NULL, embedder TEXT NOT NULL, vector BLOB NOT NULL);
            CREATE INDEX vectors_by_place ON vectors (embedder, place);
            INSERT INTO vectors SELECT card, place, embedder, vector FROM newer; DROP TABLE newer; DROP TABLE facets;
            PRAGMA user_version = 1""")
    again = Catalog(tmp_path / "c", HashingEmbedder)
    assert [hit.id for hit in again.search("levels of rivers", 5)] == before
    assert [hit.id for hit in again.search("rivers", 5, facets=Facets(licences=("mit",)))] == ["x/other"]
    assert again.info().embedded == 2


def test_the_parts_of_a_score_add_up_to_it(tmp_path: Path) -> None:
    texts = {"x/boats": "# Boats\n\nSailing boats.", "x/rivers": "---\nlanguage: de\n---\n# Rivers\n\nBoats on rivers."}
    catalog = _catalog(tmp_path, texts)
    for language in (None, "en"):
        hits = catalog.search("sailing boats", 5, language)
        assert len(hits) == 2
        for hit in hits:
            assert hit.parts and hit.parts.score == pytest.approx(hit.score, abs=1e-6)
    assert hits[0].parts and hits[0].parts.words == pytest.approx(LEARNT.words)
    assert hits[1].parts and hits[1].parts.language == LEARNT.other_language
