"""Units looked through, reviews stored, and runs deleted without what others need."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.records import Task
from engine.store import items, runs, steps
from engine.store.browse import find_units, read_units
from engine.store.database import Connection, open_reader, open_writer, version_seen
from engine.store.lease import this_process
from engine.store.reviews import Review, put_reviews, reviews_of

TASK = Task("weather-notes", "Say what kind of weather a note speaks of.")


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    return open_writer(tmp_path / "datatune.db")


def filled(connection: Connection, step: str = "s") -> None:
    stored = [
        items.Item("a", 0, "accepted", "", '{"input":"It \\"rained\\" 100% today","output":"rain"}'),
        items.Item("b", 1, "accepted", "", '{"input":"Sun, and more sun than anybody needs","output":"sun"}'),
        items.Item("c", 2, "rejected", "too_short", "{}"),
        items.Item("d", 3, "failed", "no answer", "trace"),
    ]
    items.store_items(connection, step, stored)


def keys(found: list[tuple[str, int, str]]) -> str:
    return "".join(key for _, _, key in found)


@pytest.mark.parametrize(
    ("state", "text", "order", "wanted"),
    [
        ("", "", "entered", "abcd"),
        ("accepted", "", "entered", "ab"),
        ("failed", "", "entered", "d"),
        ("", "RAINED", "entered", "a"),
        ("", '"rained"', "entered", "a"),
        ("", "100%", "entered", "a"),
        ("", "%", "entered", "a"),
        ("", "too_", "entered", "c"),
        ("", "tooxshort", "entered", ""),
        ("", "output=sun", "entered", "b"),
        ("", "output=su", "entered", ""),
        ("", "reason=no answer", "entered", "d"),
        ("", "b", "entered", "b"),
        ("", "'; DROP TABLE items; --", "entered", ""),
        ("", "", "longest", "badc"),
        ("accepted", "", "output", "ab"),
        ("", "", "reason", "abdc"),
    ],
)
def test_units_are_found_by_state_and_text_and_ordered(connection: Connection, state: str, text: str, order: str, wanted: str) -> None:
    filled(connection)
    filled(connection, "another")
    assert keys(find_units(connection, ["s"], state, text, order)) == wanted  # type: ignore[arg-type]


def test_units_are_read_by_their_place_and_one_that_is_gone_is_none(connection: Connection) -> None:
    filled(connection)
    found = read_units(connection, [("s", 3, "d"), ("s", 9, "z"), ("s", 0, "a")])
    assert [item and item.key for item in found] == ["d", None, "a"]


def test_a_review_takes_the_place_of_the_one_before_and_one_that_says_nothing_removes_it(connection: Connection) -> None:
    put_reviews(connection, "s", [Review("a", "rejected"), Review("b", note="odd")])
    put_reviews(connection, "s", [Review("a", "accepted", output="snow")])
    assert reviews_of(connection, "s") == {"a": Review("a", "accepted", output="snow"), "b": Review("b", note="odd")}
    put_reviews(connection, "s", [Review("a"), Review("b")])
    assert reviews_of(connection, "s") == {}


def test_another_connections_write_is_seen_and_nothing_else(tmp_path: Path, connection: Connection) -> None:
    reader = open_reader(tmp_path / "datatune.db")
    before = version_seen(reader)
    assert version_seen(reader) == before
    runs.create_run(connection, TASK, runs.RunSettings())
    assert version_seen(reader) != before


def test_deleting_a_run_leaves_what_another_run_shares(connection: Connection) -> None:
    first, second = (runs.create_run(connection, TASK, runs.RunSettings()) for _ in range(2))
    for step in ("shared", "own"):
        steps.claim_step(connection, step, "execute", step, 1, "{}", 0, this_process())
        steps.finish_step(connection, step, "done", "", "{}", 1.0)
        filled(connection, step)
        put_reviews(connection, step, [Review("a", "rejected")])
        steps.link_step(connection, first, step, "execute", step, False)
    steps.link_step(connection, second, "shared", "execute", "shared", True)
    assert runs.delete_run(connection, first)
    assert runs.read_run(connection, first) is None and runs.read_run(connection, second)
    assert steps.read_step(connection, "own") is None and steps.read_step(connection, "shared")
    assert find_units(connection, ["own"]) == [] and len(find_units(connection, ["shared"])) == 4
    assert reviews_of(connection, "own") == {} and reviews_of(connection, "shared")


def test_a_run_at_work_is_neither_deleted_nor_changed(connection: Connection) -> None:
    run = runs.create_run(connection, TASK, runs.RunSettings())
    runs.claim_run(connection, run, this_process())
    assert not runs.delete_run(connection, run)
    assert not runs.change_settings(connection, run, runs.RunSettings(seed=7))
    runs.finish_run(connection, run, "cancelled", "", 8)
    assert runs.change_settings(connection, run, runs.RunSettings(seed=7))
    found = runs.read_run(connection, run)
    assert found and found.settings.seed == 7
    assert not runs.delete_run(connection, "nowhere")
