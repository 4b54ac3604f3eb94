"""Where things lie, and what is said when a folder cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import StoreUnusable
from engine.locations import Locations, locate


def test_one_variable_moves_every_folder(tmp_path: Path) -> None:
    locations = locate({"DATATUNE_HOME": str(tmp_path / "here")})
    places = [locations.database, locations.catalog, locations.cache, locations.exports, locations.weights, locations.logs]
    assert all(place.is_relative_to(tmp_path / "here") for place in places)
    assert len(set(places)) == len(places)


def test_asking_creates_nothing_and_ensure_creates_everything(tmp_path: Path) -> None:
    locations = locate({"DATATUNE_HOME": str(tmp_path / "here")})
    assert not (tmp_path / "here").exists()
    locations.ensure()
    assert all(folder.is_dir() for folder in (locations.catalog, locations.cache, locations.exports, locations.weights, locations.logs))
    assert not locations.database.exists()


def test_a_relative_home_is_made_absolute_so_that_a_child_process_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate({"DATATUNE_HOME": "here"}).home == tmp_path / "here"


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_means_the_platforms_own_folders(value: str) -> None:
    locations = locate({"DATATUNE_HOME": value})
    assert locations == locate({})
    assert "datatune" in str(locations.home)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable, match="file/home") as caught:
        Locations(tmp_path / "file" / "home").ensure()
    assert "DATATUNE_HOME" in caught.value.hint
