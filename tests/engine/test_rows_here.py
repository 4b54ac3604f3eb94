"""Data sets by id or by folder, scanned once, and what is said when they are not there any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.catalog.catalog import Catalog
from engine.errors import BadInput, Unavailable
from engine.rows_here import RowsHere
from engine.store.origins import DataSeen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "weather notes"
    made.mkdir()
    for split, count in (("train", 6), ("test", 2)):
        lines = [json.dumps({"note": f"{split} note {number}", "kind": number % 3}) for number in range(count)]
        (made / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


@pytest.fixture
def here(tmp_path: Path) -> RowsHere:
    return RowsHere(Catalog(tmp_path / "catalog", None), tmp_path / "cache")


def test_a_folder_needs_no_catalog(here: RowsHere, folder: Path) -> None:
    assert here.name(str(folder)) == "local/weather-notes"
    assert {split for splits in here.splits(str(folder)).values() for split in splits} == {"train", "test"}
    (config,) = here.splits(str(folder))
    rows = here.rows(str(folder), config, "train")
    assert len(rows) == 6 and rows.take([4])[0].values == {"note": "train note 4", "kind": 1}


def test_an_id_of_the_catalog_is_the_same_data(tmp_path: Path, folder: Path) -> None:
    catalog = Catalog(tmp_path / "catalog", None)
    (dataset,) = catalog.add_folder(folder, embed=False).datasets
    here = RowsHere(catalog, tmp_path / "cache")
    assert here.name(dataset) == dataset
    (config,) = here.splits(dataset)
    assert [row.values["note"] for row in here.rows(dataset, config, "test")] == ["test note 0", "test note 1"]
    assert here.revision(dataset) == here.revision(str(folder))


def test_the_revision_follows_the_bytes_of_any_file(tmp_path: Path, here: RowsHere, folder: Path) -> None:
    before = here.revision(str(folder))
    assert here.revision(str(folder)) == before
    with (folder / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"note": "one more", "kind": 0}\n')
    assert RowsHere(Catalog(tmp_path / "catalog", None), tmp_path / "cache").revision(str(folder)) != before


def test_what_nobody_knows_is_refused_by_name(here: RowsHere, tmp_path: Path) -> None:
    with pytest.raises((Unavailable, BadInput), match="no/such"):
        here.name("no/such")
    with pytest.raises((Unavailable, BadInput), match="gone"):
        here.splits(str(tmp_path / "gone"))


def test_a_file_that_vanished_since_the_scan_is_named(here: RowsHere, folder: Path) -> None:
    (config,) = here.splits(str(folder))
    (folder / "train.jsonl").unlink()
    with pytest.raises(BadInput, match=r"train\.jsonl"):
        here.revision(str(folder))
    with pytest.raises(BadInput, match=r"train\.jsonl"):
        here.rows(str(folder), config, "train")


def test_what_is_not_here_counts_as_what_it_was_where_the_run_comes_from(tmp_path: Path, folder: Path) -> None:
    seen = {
        "/theirs/notes": DataSeen("local/notes", "their revision"),
        str(folder): DataSeen("theirs", "another"),
        "a/b": DataSeen("a/b", "c"),
    }
    here = RowsHere(Catalog(tmp_path / "catalog", None), tmp_path / "cache", seen)
    assert (here.name("/theirs/notes"), here.revision("/theirs/notes")) == ("local/notes", "their revision")
    assert (here.name("a/b"), here.revision("a/b")) == ("a/b", "c")
    assert here.name(str(folder)) == "local/weather-notes" and here.revision(str(folder)) != "another", "what is here is what it is"
    with pytest.raises(BadInput, match="There is no folder /theirs/notes"):
        here.splits("/theirs/notes")
    with pytest.raises(BadInput, match="There is no folder /nobody"):
        here.revision("/nobody")
