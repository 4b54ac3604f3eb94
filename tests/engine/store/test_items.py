"""Units of a step: kept once, read back in order while others write, and blamed only when they crashed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.store import items
from engine.store.database import open_reader, open_writer
from engine.store.items import Item
from engine.store.tallies import ItemState, item_counts, reason_counts
from tests.engine.store.rows import begin


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "datatune.db"


@pytest.fixture
def writer(path: Path) -> sqlite3.Connection:
    return open_writer(path)


def test_units_come_back_in_the_order_they_entered(writer: sqlite3.Connection) -> None:
    items.store_items(writer, "s", [Item(f"k{seq}", seq, "accepted") for seq in (7, 2, 9, 0)])
    items.store_items(writer, "s", [Item("k5", 5, "accepted"), Item("k1", 1, "failed", "no answer", "{}")])
    items.store_items(writer, "other", [Item("k3", 3, "accepted")])
    assert [item.key for item in items.items_in_order(writer, "s", "accepted")] == ["k0", "k2", "k5", "k7", "k9"]
    assert list(items.items_in_order(writer, "s", "failed")) == [Item("k1", 1, "failed", "no answer", "{}")]
    assert [item.key for item in items.items_in_order(writer, "s", "accepted", 2)] == ["k0", "k2"]
    assert list(items.items_in_order(writer, "s", "accepted", 0)) == []


def test_units_of_the_same_place_all_come_back(writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "PAGE", 2)
    items.store_items(writer, "s", [Item(key, 4, "failed") for key in "edcba"])
    assert [item.key for item in items.items_in_order(writer, "s", "failed")] == list("abcde")


@pytest.mark.parametrize("limit", [-1, 1, 3, 4, 5, 6, 10, 11])
def test_a_limit_holds_at_every_page_edge(writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(items, "PAGE", 3)
    items.store_items(writer, "s", [Item(str(seq), seq, "accepted") for seq in range(10)])
    expected = 10 if limit < 0 else min(limit, 10)
    assert [item.seq for item in items.items_in_order(writer, "s", "accepted", limit)] == list(range(expected))


def test_reading_goes_on_while_the_same_and_another_connection_write(
    path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "PAGE", 4)
    other = open_writer(path)
    items.store_items(writer, "s", [Item(str(seq), seq, "accepted") for seq in range(0, 40, 2)])
    read = []
    for item in items.items_in_order(writer, "s", "accepted"):
        read.append(item.seq)
        items.store_items(writer, "t", [Item(item.key, item.seq, "accepted")])
        items.store_items(other, "u", [Item(item.key, item.seq, "accepted")])
    assert read == list(range(0, 40, 2))
    assert len(items.stored_keys(open_reader(path), "t")) == len(items.stored_keys(open_reader(path), "u")) == 20


def test_a_unit_already_there_is_left_as_it_is(writer: sqlite3.Connection) -> None:
    items.store_items(writer, "s", [Item("a", 0, "accepted", "", '"first"')])
    items.store_items(writer, "s", [Item("a", 0, "failed", "late", "{}")])
    assert list(items.items_in_order(writer, "s", "accepted")) == [Item("a", 0, "accepted", "", '"first"')]
    assert items.stored_keys(writer, "s") == {"a": "accepted"}


def test_counts_and_reasons_add_up(writer: sqlite3.Connection) -> None:
    states: list[tuple[ItemState, str]] = [
        ("accepted", ""),
        ("accepted", ""),
        ("skipped", "empty"),
        ("skipped", "empty"),
        ("failed", "cut off"),
        ("rejected", "empty"),
    ]
    items.store_items(writer, "s", [Item(str(seq), seq, state, reason) for seq, (state, reason) in enumerate(states)])
    assert item_counts(writer, "s") == {"accepted": 2, "skipped": 2, "failed": 1, "rejected": 1}
    assert list(reason_counts(writer, "s").items()) == [("skipped: empty", 2), ("failed: cut off", 1), ("rejected: empty", 1)]
    assert item_counts(writer, "nobody's") == {}


def test_all_of_a_batch_is_stored_or_none_of_it(writer: sqlite3.Connection) -> None:
    items.mark_in_flight(writer, "s", ["a", "b"])
    unstorable = Item("b", 1, "accepted", "", object())  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        items.store_items(writer, "s", [Item("a", 0, "accepted"), unstorable])
    assert items.stored_keys(writer, "s") == {} and in_flight(writer, "s") == {"a", "b"} and not writer.in_transaction


# ── who is blamed for a crash ─────────────────────────────────────────────────────────────────────────────


def in_flight(connection: sqlite3.Connection, step: str) -> set[str]:
    return set(items.in_flight(connection, step))


def test_a_stored_unit_is_no_longer_in_flight(writer: sqlite3.Connection) -> None:
    items.mark_in_flight(writer, "s", ["a", "b", "c"])
    items.mark_in_flight(writer, "s", ["c"])
    items.mark_in_flight(writer, "t", ["a"])
    items.store_items(writer, "s", [Item("a", 0, "accepted")])
    assert in_flight(writer, "s") == {"b", "c"} and in_flight(writer, "t") == {"a"}
    items.clear_in_flight(writer, "s")
    assert in_flight(writer, "s") == set() and in_flight(writer, "t") == {"a"}


def test_a_unit_that_crashed_alone_is_failed_with_the_signal_as_reason(writer: sqlite3.Connection) -> None:
    begin(writer, "run", "s")
    items.store_items(writer, "s", [Item("a", 0, "accepted")])
    items.mark_in_flight(writer, "s", ["b"])
    assert items.blame(writer, "run", "SIGSEGV") == ["b"]
    (failed,) = items.items_in_order(writer, "s", "failed")
    assert failed.key == "b" and "SIGSEGV" in failed.reason
    assert in_flight(writer, "s") == set() and items.suspects(writer, "s") == set()


def test_of_several_none_is_failed_and_all_are_suspects_until_they_are_done(writer: sqlite3.Connection) -> None:
    begin(writer, "run", "s")
    items.mark_in_flight(writer, "s", ["a", "b", "c"])
    assert items.blame(writer, "run", "SIGABRT") == []
    assert items.suspects(writer, "s") == {"a", "b", "c"} and items.stored_keys(writer, "s") == {}
    items.store_items(writer, "s", [Item("a", 0, "accepted")])
    assert items.suspects(writer, "s") == {"b", "c"}
    items.mark_in_flight(writer, "s", ["b"])
    assert items.blame(writer, "run", "SIGABRT") == ["b"]
    assert items.suspects(writer, "s") == {"c"} and items.stored_keys(writer, "s") == {"a": "accepted", "b": "failed"}


def test_a_crash_with_nothing_in_flight_blames_nobody(writer: sqlite3.Connection) -> None:
    begin(writer, "run", "s")
    assert items.blame(writer, "run", "SIGSEGV") == [] and items.suspects(writer, "s") == set()


def test_a_crash_in_one_run_leaves_the_units_of_another_alone(writer: sqlite3.Connection) -> None:
    begin(writer, "mine", "s")
    begin(writer, "theirs", "t")
    items.mark_in_flight(writer, "s", ["a", "b"])
    items.mark_in_flight(writer, "t", ["x"])
    assert items.blame(writer, "mine", "SIGSEGV") == []
    assert items.suspects(writer, "s") == {"a", "b"}
    assert items.stored_keys(writer, "t") == {} and items.suspects(writer, "t") == set() and in_flight(writer, "t") == {"x"}
