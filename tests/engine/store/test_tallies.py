"""Tallies: they say what counting the units says, whatever was stored how; trends grow with the work."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store import items, tallies
from engine.store.database import open_writer
from engine.store.items import Item
from engine.store.tallies import TrendPoint

ENDED = st.tuples(
    st.integers(0, 30), st.sampled_from([("accepted", ""), ("failed", "no answer"), ("rejected", "too short"), ("skipped", "too short")])
)


@pytest.fixture
def writer(tmp_path: Path) -> sqlite3.Connection:
    return open_writer(tmp_path / "datatune.db")


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(st.lists(ENDED, max_size=12), max_size=8))
def test_tallies_are_what_counting_all_units_gives(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, tuple[str, str]]]]
) -> None:
    writer = open_writer(tmp_path_factory.mktemp("home") / "datatune.db")
    for batch in batches:
        items.store_items(writer, "s", [Item(str(number), number, state, reason) for number, (state, reason) in batch])  # type: ignore[arg-type]
    rows = writer.execute("SELECT state, reason FROM items WHERE step = 's'").fetchall()
    assert tallies.item_counts(writer, "s") == Counter(row["state"] for row in rows)
    assert tallies.reason_counts(writer, "s") == Counter(f"{row['state']}: {row['reason']}" for row in rows if row["state"] != "accepted")
    writer.close()


def test_a_unit_that_killed_the_engine_is_counted(writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO runs (id, task_name, task, settings, created) VALUES ('r', '', '{}', '{}', 0)")
    writer.execute("INSERT INTO steps (fingerprint, stage, version, options, seed) VALUES ('s', 'execute', 1, '{}', 0)")
    writer.execute("INSERT INTO run_steps (run, step, stage, position) VALUES ('r', 's', 'execute', 1)")
    items.store_items(writer, "s", [Item("a", 0, "accepted")])
    items.mark_in_flight(writer, "s", ["b"])
    assert items.blame(writer, "r", "SIGSEGV") == ["b"]
    assert tallies.item_counts(writer, "s") == {"accepted": 1, "failed": 1}


def test_a_trend_has_the_counts_of_each_moment(writer: sqlite3.Connection) -> None:
    assert tallies.work_before(writer, "s") == (0, 0) and tallies.trend(writer, "s") == []
    tallies.add_trend_point(writer, "s", 0.0, 0)
    items.store_items(writer, "s", [Item("a", 0, "accepted"), Item("b", 1, "failed", "no")])
    tallies.add_trend_point(writer, "s", 2.5, 70)
    assert tallies.trend(writer, "s") == [TrendPoint(0.0, 0, 0, 0, 0, 0), TrendPoint(2.5, 1, 0, 1, 0, 70)]
    assert tallies.work_before(writer, "s") == (2.5, 70)
