"""The catalog: what goes in, what a search finds, and that it survives crashes, rivals and damage."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.catalog import Catalog, starter_folders, starter_tasks
from engine.catalog.pace import Progress
from engine.errors import BadInput, Busy, StoreUnusable, Unavailable
from models.hashing import HashingEmbedder

if TYPE_CHECKING:
    import numpy as np

CARDS = {
    "someone/river_levels": "---\nlicense: mit\nlanguage: en\n---\n# River levels\n\nWater levels of small rivers with flood alarms.",
    "someone/film_reviews": "# Film reviews\n\nShort opinions on films, each marked as kind or unkind.",
    "zwei/kochrezepte": "---\nlanguage: de\n---\n# Kochrezepte\n\nRezepte mit Zutaten und Schritten.",
    "zh/qa": "---\nlanguage: zh\n---\n# 中文阅读理解\n\n中文维基百科的段落和问题。",
    "bare_id_only": "",
}


class Counting(HashingEmbedder):
    """Counts the texts it embeds."""

    def __init__(self, name: str = "counting", dimensions: int = 64) -> None:
        super().__init__(dimensions)
        self.name = name
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += len(texts)
        return super().embed(texts)


def _cards_file(path: Path, cards: dict[str, str]) -> Path:
    path.write_text("".join(json.dumps({"id": name, "card_markdown": text}) + "\n" for name, text in cards.items()), "utf-8")
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(tmp_path / "catalog", HashingEmbedder)
    made.import_cards(_cards_file(tmp_path / "cards.jsonl", CARDS))
    return made


def _ids(catalog: Catalog, query: str, k: int = 10) -> list[str]:
    return [hit.id for hit in catalog.search(query, k)]


def test_every_card_goes_in_or_is_listed_with_its_reason(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "a/good", "card_markdown": "# Good", "downloads": 12}),
        json.dumps({"id": "a/empty", "card_markdown": ""}),
        json.dumps({"id": "a/nothing", "card_markdown": None}),
        "",
        "{broken",
        json.dumps({"card_markdown": "no id"}),
        json.dumps({"id": "../up", "card_markdown": ""}),
        json.dumps({"id": "local/mine", "card_markdown": ""}),
        json.dumps({"id": "a/number", "card_markdown": 5}),
        json.dumps({"id": "a/good", "card_markdown": "# Again"}),
        json.dumps(["a"]),
    ]
    with gzip.open(tmp_path / "cards.jsonl.gz", "wt") as file:
        file.write("\n".join(lines))
    catalog = Catalog(tmp_path / "c", None)
    report = catalog.import_cards(tmp_path / "cards.jsonl.gz")
    assert (report.added, report.updated, report.unchanged) == (3, 0, 0)
    assert [refusal.what for refusal in report.refused] == ["line 5", "line 6", "../up", "local/mine", "a/number", "a/good", "line 11"]
    assert all(refusal.reason for refusal in report.refused)
    assert catalog.get("a/good").card.downloads == 12
    assert catalog.info().cards == 3


def test_importing_again_changes_only_what_changed(tmp_path: Path) -> None:
    embedder = Counting()
    catalog = Catalog(tmp_path / "c", lambda: embedder)
    catalog.import_cards(_cards_file(tmp_path / "1.jsonl", CARDS))
    before = catalog.state_digest()
    assert embedder.texts == len(CARDS)
    again = catalog.import_cards(tmp_path / "1.jsonl")
    assert (again.unchanged, again.added, again.updated) == (len(CARDS), 0, 0)
    assert catalog.state_digest() == before
    changed = catalog.import_cards(_cards_file(tmp_path / "2.jsonl", CARDS | {"zh/qa": "# Other words", "new/one": "# New"}))
    assert (changed.unchanged, changed.added, changed.updated) == (len(CARDS) - 1, 1, 1)
    assert embedder.texts == len(CARDS) + 2
    assert catalog.state_digest() != before
    assert _ids(catalog, "中文阅读")[:1] != ["zh/qa"]


def test_search_finds_by_words_and_says_why(catalog: Catalog) -> None:
    hit = catalog.search("water levels of rivers", 1)[0]
    assert hit.id == "someone/river_levels"
    assert hit.reasons[0] == "matches: water, levels, rivers"
    assert hit.reasons[1].startswith("meaning 0.")
    assert hit.title == "River levels"
    assert not hit.available


def test_search_finds_in_scripts_without_spaces(catalog: Catalog) -> None:
    assert _ids(Catalog(catalog_folder(catalog), None), "阅读理解")[0] == "zh/qa"


def catalog_folder(catalog: Catalog) -> Path:
    return Path(catalog.info().path).parent


@pytest.mark.parametrize(
    "query", ['"; DROP TABLE cards; --', "NEAR(a b, 2) AND OR NOT *", "title:x ^y (", "'", "", "   ", "\x00", "?!", "a" * 100_000, "\ud800"]
)
def test_any_text_is_a_safe_query(catalog: Catalog, query: str) -> None:
    catalog.search(query, 3)
    assert catalog.info().cards == len(CARDS)


def test_asking_for_more_than_there_is_gives_what_there_is(catalog: Catalog) -> None:
    assert len(_ids(catalog, "films and rivers", 1000)) <= len(CARDS)
    assert _ids(catalog, "films", 0) == []
    assert _ids(Catalog(catalog_folder(catalog) / "absent", HashingEmbedder), "films") == []


def test_many_queries_give_one_list_each_in_order(catalog: Catalog) -> None:
    queries = ["films opinions", "Rezepte Zutaten", "water rivers"]
    assert [hits[0].id for hits in catalog.search_many(queries, 2)] == ["someone/film_reviews", "zwei/kochrezepte", "someone/river_levels"]
    assert catalog.search_many([], 2) == []


def test_a_language_puts_cards_of_other_languages_after(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c", None)
    same = {f"x/{language}": f"---\nlanguage: {language}\n---\n# Tales\n\nShort tales." for language in ("de", "en", "fr")}
    catalog.import_cards(_cards_file(tmp_path / "1.jsonl", same | {"x/unsaid": "# Tales\n\nShort tales."}))
    hits = catalog.search("short tales", 4, language="fr")
    assert [hit.id for hit in hits[:2]] == ["x/fr", "x/unsaid"]
    assert "language: fr" in hits[0].reasons
    assert len(hits) == 4


def test_machine_made_cards_come_last_and_are_not_embedded(tmp_path: Path) -> None:
    embedder = Counting()
    catalog = Catalog(tmp_path / "c", lambda: embedder)
    text = "# Tales\n\nShort tales of the sea."
    catalog.import_cards(_cards_file(tmp_path / "1.jsonl", {"a/autotrain-data-tales": text, "b/tales": text}))
    assert _ids(catalog, "tales of the sea") == ["b/tales", "a/autotrain-data-tales"]
    assert catalog.info().generated == 1
    assert embedder.texts == 2  # one card, one query


def test_folders_are_added_opened_and_refused_with_reasons(catalog: Catalog, tmp_path: Path) -> None:
    for name, file, text in (
        ("one", "data.csv", "word,n\na,1\n"),
        ("two", "data.jsonl", '{"sentence": "a"}\n'),
        ("bad", "x.parquet", "no"),
    ):
        (tmp_path / "sets" / name).mkdir(parents=True)
        (tmp_path / "sets" / name / file).write_text(text)
    report = catalog.add_folder(tmp_path / "sets")
    assert report.datasets == ("local/one", "local/two")
    assert [Path(refusal.what).name for refusal in report.refused] == ["bad"]
    hit = catalog.search("sentence two", 1)[0]
    assert (hit.id, hit.available) == ("local/two", True)
    data = catalog.data("local/one")
    assert data.split().files[0].path == "data.csv"
    assert catalog.add_folder(tmp_path / "sets" / "one").unchanged == 1
    (tmp_path / "elsewhere" / "one").mkdir(parents=True)
    (tmp_path / "elsewhere" / "one" / "data.csv").write_text("word,n\na,1\n")
    assert catalog.add_folder(tmp_path / "elsewhere" / "one").datasets == ("local/one-2",)
    with pytest.raises(BadInput, match="no parquet"):
        catalog.add_folder(tmp_path / "sets" / "bad")
    with pytest.raises(BadInput):
        catalog.add_folder(tmp_path / "nowhere")


def test_a_folder_is_linked_to_a_card_only_when_asked(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "film_reviews"
    folder.mkdir()
    (folder / "data.csv").write_text("text,kind\ngood,1\n")
    (folder / "README.md").write_text("# Mine\n\n- Card id: someone/film_reviews\n")
    assert catalog.add_folder(folder).datasets == ("local/film_reviews",)
    with pytest.raises(Unavailable, match="not on this machine"):
        catalog.data("someone/film_reviews")
    assert catalog.add_folder(folder, card_id="someone/film_reviews").datasets == ("someone/film_reviews",)
    assert catalog.get("someone/film_reviews").card.title == "Film reviews"
    assert catalog.data("someone/film_reviews").dataset == "someone/film_reviews"
    catalog.import_cards(_cards_file(tmp_path / "1.jsonl", {"someone/film_reviews": "# Film reviews, second edition"}))
    assert catalog.get("someone/film_reviews").folder == str(folder.resolve())
    with pytest.raises(BadInput, match="no card"):
        catalog.add_folder(folder, card_id="someone/else")


def test_a_folder_that_is_gone_is_said(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "data.csv").write_text("a,b\n1,2\n")
    catalog.add_folder(folder)
    (folder / "data.csv").unlink()
    folder.rmdir()
    with pytest.raises(Unavailable, match="gone"):
        catalog.data("local/one")
    assert not next(hit for hit in catalog.search("one a b", 10) if hit.id == "local/one").available


def test_removed_entries_are_never_found_again_by_any_process(catalog: Catalog) -> None:
    other = Catalog(catalog_folder(catalog), HashingEmbedder)
    assert "someone/film_reviews" in _ids(other, "films")
    assert catalog.remove("someone/film_reviews")
    assert not catalog.remove("someone/film_reviews")
    assert "someone/film_reviews" not in _ids(other, "films", 100)
    assert "someone/film_reviews" not in _ids(Catalog(catalog_folder(catalog), HashingEmbedder), "films", 100)


def test_another_embedder_makes_the_index_anew(catalog: Catalog) -> None:
    folder = catalog_folder(catalog)
    first = _ids(catalog, "water rivers", 1)
    other = Counting("other", 32)
    changed = Catalog(folder, lambda: other)
    assert _ids(changed, "water rivers", 1) == first
    assert other.texts == len(CARDS) + 1
    assert changed.info().embedder == "other"
    again = Counting("other", 32)
    assert _ids(Catalog(folder, lambda: again), "water rivers", 1) == first
    assert again.texts == 1  # the query alone: nothing is embedded twice


@pytest.mark.parametrize("damage", ["cut", "rubbish", "gone", "other"])
def test_a_damaged_index_file_is_made_anew_without_embedding(catalog: Catalog, damage: str) -> None:
    folder = catalog_folder(catalog)
    expected = catalog.search("Rezepte mit Schritten", 5)
    (path,) = folder.glob("vectors-*.hnsw")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "rubbish":
        path.write_bytes(b"\xff" * path.stat().st_size)
    elif damage == "gone":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(bytes(data))
    embedder = HashingEmbedder()
    assert Catalog(folder, lambda: embedder).search("Rezepte mit Schritten", 5) == expected


def test_a_damaged_database_is_said_in_one_line(catalog: Catalog) -> None:
    Path(catalog.info().path).write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnusable, match="damaged"):
        Catalog(catalog_folder(catalog), HashingEmbedder).search("films")


def test_more_queries_than_reachable_entries_fall_back_to_exact_search(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c", HashingEmbedder)
    many = {f"x/set-{number}": f"# Set {number}\n\nwords about topic {number % 7}" for number in range(120)}
    catalog.import_cards(_cards_file(tmp_path / "1.jsonl", many))
    for number in range(0, 120, 2):
        catalog.remove(f"x/set-{number}")
    found = _ids(catalog, "words about topic 3", 120)
    assert len(found) == 60
    assert all(int(name.rsplit("-", 1)[1]) % 2 for name in found)


def test_progress_counts_up_with_rate_and_time_left(tmp_path: Path) -> None:
    seen: list[Progress] = []
    many = {f"x/{number}": f"# {number}" for number in range(600)}
    Catalog(tmp_path / "c", HashingEmbedder).import_cards(_cards_file(tmp_path / "1.jsonl", many), progress=seen.append)
    reading = [step for step in seen if step.activity == "reading cards"]
    embedding = [step for step in seen if step.activity != "reading cards"]
    assert [step.done for step in reading] == [500, 600]
    assert [step.done for step in embedding] == [256, 512, 600]
    assert embedding[-1].total == 600
    assert embedding[-1].seconds_left == 0
    assert all(step.per_second > 0 for step in seen)


def _die_while_embedding(folder: Path, cards: Path) -> None:
    class Dying(Counting):
        def embed(self, texts: Sequence[str]) -> np.ndarray:
            if self.texts:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().embed(texts)

    Catalog(folder, Dying).import_cards(cards)


def test_a_kill_while_embedding_loses_at_most_one_batch(tmp_path: Path) -> None:
    cards = _cards_file(tmp_path / "1.jsonl", {f"x/{number}": f"# Title {number}" for number in range(600)})
    process = multiprocessing.get_context("spawn").Process(target=_die_while_embedding, args=(tmp_path / "c", cards))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    embedder = Counting()
    catalog = Catalog(tmp_path / "c", lambda: embedder)
    assert catalog.info().cards == 600
    assert catalog.info().embedded == 256
    assert _ids(catalog, "Title 17", 1) == ["x/17"]
    assert embedder.texts == 600 - 256 + 1


def test_a_second_writer_is_refused_with_the_first_named(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.catalog.catalog.LOCK_SECONDS", 0.0)
    rival = Catalog(catalog_folder(catalog), HashingEmbedder)
    with catalog._writing(), pytest.raises(Busy, match=str(os.getpid())):
        rival.remove("zh/qa")
    with catalog._writing():
        assert _ids(rival, "films")[0] == "someone/film_reviews"  # readers go on


def test_an_unknown_id_is_answered_plainly(catalog: Catalog) -> None:
    with pytest.raises(BadInput, match="no data set 'x/y'"):
        catalog.get("x/y")


def test_the_starter_data_goes_in_whole(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c", HashingEmbedder)
    folders = starter_folders()
    assert folders
    assert starter_tasks()
    for folder in folders:
        assert catalog.add_folder(folder, prefix="starter", embed=False).datasets == (f"starter/{folder.name}",)
        assert catalog.get(f"starter/{folder.name}").card.notes == ()


@pytest.mark.parametrize("names", [("id", "card_markdown"), ("datasetId", "card")])
def test_a_dump_in_parquet_is_imported_under_either_name(tmp_path: Path, names: tuple[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {names[0]: ["a/tales", "a/tales", "", "b/none"], names[1]: ["# Tales", "# Again", "# Nobody's", None], "downloads": [5, 6, 7, 8]}
    pq.write_table(pa.table(rows), tmp_path / "cards.parquet")
    catalog = Catalog(tmp_path / "c", None)
    report = catalog.import_cards(tmp_path / "cards.parquet")
    assert (report.added, [refusal.what for refusal in report.refused]) == (2, ["a/tales", "row 3"])
    assert (catalog.get("a/tales").card.title, catalog.get("a/tales").card.downloads) == ("Tales", 5)


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "rows.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    catalog = Catalog(tmp_path / "c", None)
    with pytest.raises(BadInput, match="no columns for ids and cards"):
        catalog.import_cards(tmp_path / "rows.parquet")
    with pytest.raises(BadInput, match="cannot be read"):
        catalog.import_cards(tmp_path / "broken.parquet")
