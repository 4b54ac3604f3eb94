"""Catalog: results while one types, the data set under the cursor, and a process that ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input

from datatune_tui.answering_process import AnsweringProcess
from datatune_tui.app import DataTune
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.catalog.catalog import Catalog
from models.hashing import HashingEmbedder
from tests.datatune_tui.stored import Home, screen_text, until, with_app
from tests.end_to_end.workbench import Workbench


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path)
    monkeypatch.setenv("DATATUNE_HOME", str(home.locations.home))
    return home


def catalogued(home: Home, folder: Path) -> None:
    bench = Workbench(folder / "bench")
    catalog = Catalog(home.locations.catalog, HashingEmbedder)
    catalog.add_folder(bench.data)
    cards = folder / "cards.jsonl"
    hostile = "# Rivers [@click=app.quit]x[/]\n\nLevels of rivers in spring. \x1b[2J"
    cards.write_text(json.dumps({"id": "owner/rivers", "card_markdown": hostile, "downloads": 7}))
    catalog.import_cards(cards)


async def opened(app: DataTune, pilot: Pilot[None]) -> KeyedTable:
    app.catalog = AnsweringProcess("catalog serve --embedder hashing")
    await pilot.press("4")
    await until(pilot, lambda: app.screen.query("#hits") and getattr(app.screen, "ready", False))
    return app.screen.query_one("#hits", KeyedTable)


def test_results_come_while_one_types_and_the_first_is_shown_with_its_rows(home: Home, tmp_path: Path) -> None:
    catalogued(home, tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        hits = await opened(app, pilot)
        await pilot.press(*"notes about rivers")
        await until(pilot, lambda: hits.row_count == 2)
        app.screen.query_one("#here", Checkbox).value = True
        await until(pilot, lambda: hits.row_count == 1 and "said neighbour number 0" in screen_text(app))
        assert "1 of 2 cards" in screen_text(app)
        app.screen.query_one("#here", Checkbox).value = False
        app.screen.query_one("#search", Input).value = "levels of rivers in spring"
        await until(pilot, lambda: hits.row_count and hits.current == "owner/rivers" and "Rivers [@click=app.quit]x[/]" in screen_text(app))
        assert "\x1b" not in screen_text(app)

    with_app(home, story, (140, 40))


def test_an_empty_catalog_says_what_to_do(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("x")
        await until(pilot, lambda: "s adds the starter data" in screen_text(app))

    with_app(home, story)


def test_a_process_that_dies_is_told_and_the_next_search_starts_another(home: Home, tmp_path: Path) -> None:
    catalogued(home, tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        hits = await opened(app, pilot)
        await pilot.press("r", "i")
        await until(pilot, lambda: hits.row_count)
        process = app.catalog._process
        assert process
        process.kill()
        await process.wait()
        app.screen.query_one("#search", Input).value = "levels of rivers"
        await until(pilot, lambda: hits.current == "owner/rivers" and app.catalog._process is not process)

    with_app(home, story)


def test_what_was_typed_before_gets_no_answer_once_more_was_typed(home: Home, tmp_path: Path) -> None:
    import asyncio

    catalogued(home, tmp_path)

    async def told() -> list[object]:
        process = AnsweringProcess("catalog serve --embedder hashing")
        try:
            return await asyncio.gather(
                *(process.ask("search", search=text) for text in ("r", "ri", "riv")), process.ask("show", show="owner/rivers")
            )
        finally:
            await process.close()

    first, second, third, shown = asyncio.run(told())
    assert second is None, "it waited while another came"
    assert first and third and shown
