"""What is remembered in the cache folder, and that its loss is no loss."""

from __future__ import annotations

from pathlib import Path

import msgspec

from models.cache_file import CacheFile, key_of


class Measured(msgspec.Struct, frozen=True):
    rate: float


def test_values_come_back_by_key_from_one_file(tmp_path: Path) -> None:
    file = CacheFile(tmp_path / "cache", "rates.json", Measured)
    assert file.get("a") is None
    file.put("a", Measured(1.0))
    file.put("b", Measured(2.0))
    assert (file.get("a"), file.get("b"), file.get("c")) == (Measured(1.0), Measured(2.0), None)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["rates.json"]


def test_a_value_may_take_the_place_of_others(tmp_path: Path) -> None:
    file = CacheFile(tmp_path, "rates.json", Measured)
    for key in ("one|1", "one|2", "two|1"):
        file.put(key, Measured(1.0))
    file.put("one|3", Measured(3.0), instead="one|")
    assert file.all() == {"two|1": Measured(1.0), "one|3": Measured(3.0)}


def test_a_spoilt_file_or_no_folder_only_costs_another_measurement(tmp_path: Path) -> None:
    (tmp_path / "rates.json").write_text('{"a": {"rate": "fast"}}')
    file = CacheFile(tmp_path, "rates.json", Measured)
    assert file.get("a") is None
    CacheFile(None, "rates.json", Measured).put("a", Measured(1.0))
    assert CacheFile(None, "rates.json", Measured).get("a") is None
    CacheFile(tmp_path / "rates.json" / "below a file", "x", Measured).put("a", Measured(1.0))
    file.put("a", Measured(2.0))
    assert file.get("a") == Measured(2.0)


def test_keys_differ_with_every_part() -> None:
    assert len({key_of(), key_of("a"), key_of("a", 1), key_of("a1"), key_of(1, "a")}) == 5
