"""The story of a run and how far it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.store.database import open_reader, open_writer
from engine.store.events import add_event, events_after, read_progress, set_progress


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "datatune.db"


@pytest.fixture
def writer(path: Path) -> sqlite3.Connection:
    return open_writer(path)


def test_a_story_is_read_in_order_from_where_one_left_off(path: Path, writer: sqlite3.Connection) -> None:
    reader = open_reader(path)
    add_event(writer, "a", "started", "run a")
    add_event(writer, "b", "started", "run b")
    add_event(writer, "a", "cost", "about 3 calls", stage="execute", candidate="cards", calls=3, models=["x"])
    story = events_after(reader, "a", 0)
    assert [event.text for event in story] == ["run a", "about 3 calls"]
    assert (story[1].kind, story[1].stage, story[1].candidate, story[1].data) == (
        "cost",
        "execute",
        "cards",
        {"calls": 3, "models": ["x"]},
    )
    add_event(writer, "a", "finished", "3 examples")
    assert [event.kind for event in events_after(reader, "a", story[-1].id)] == ["finished"]
    assert events_after(reader, "a", 10**6) == [] and events_after(reader, "nobody", 0) == []


def test_text_of_any_kind_comes_back_as_it_was(writer: sqlite3.Connection) -> None:
    text = "quote ' \" ; DROP TABLE events; -- \x1b[31m\n данные 👩‍🔬"
    add_event(writer, "a", "note", text, reason=text)
    (event,) = events_after(writer, "a", 0)
    assert event.text == text and event.data == {"reason": text}


def test_progress_is_the_latest_of_the_run(writer: sqlite3.Connection) -> None:
    assert read_progress(writer, "a") is None
    set_progress(writer, "a", "s1", "execute", "cards", 3, 10, 1.5, "examples")
    set_progress(writer, "b", "s9", "plan", "", 1, None, 0.0, "units")
    set_progress(writer, "a", "s2", "execute", "dice", 4, None, 2.5, "units")
    now = read_progress(writer, "a")
    assert now and (now.stage, now.candidate, now.done, now.total, now.rate, now.unit) == ("execute", "dice", 4, None, 2.5, "units")
    other = read_progress(writer, "b")
    assert other and other.done == 1
