"""Catalog: results while one types, the data set under the cursor, and a process that ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, Static

from datatune_tui.answering_process import AnsweringProcess
from datatune_tui.app import DataTune
from datatune_tui.marks import Marks, marks_of, with_marks
from datatune_tui.widgets.facet_bar import number
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.catalog.catalog import Catalog
from engine.store.runs import RunSettings, read_run
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
        await until(pilot, lambda: "1 of 2 cards" in screen_text(app))
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


def test_what_is_narrowed_to_is_asked_and_a_number_that_is_none_is_said_at_once(home: Home, tmp_path: Path) -> None:
    catalogued(home, tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        hits = await opened(app, pilot)
        await pilot.press(*"notes about rivers", "enter")
        await until(pilot, lambda: hits.row_count == 2)
        await pilot.press("n", "tab", "tab", "tab", "tab", *"5x")
        await until(pilot, lambda: "downloads from: 5x is no number; write 5000, 5k or 1.5M" in screen_text(app))
        assert not hits.row_count, "nothing is shown as if it had been asked for"
        app.screen.query_one("#min-downloads", Input).value = "7"
        await until(pilot, lambda: hits.keys_shown == ("owner/rivers",))
        await until(pilot, lambda: "1 of 2 cards; only downloads from 7" in screen_text(app))
        app.screen.query_one("#min-rows", Input).value = "1k"
        await until(pilot, lambda: "nothing found among 2 cards" in screen_text(app))
        app.screen.query_one("#max-rows", Input).value = "10"
        await until(pilot, lambda: "rows from is more than rows to" in screen_text(app))
        app.screen.query_one("#search", Input).value = ""
        app.screen.query_one("#max-rows", Input).value = ""
        await until(pilot, lambda: "Say what the data should be about" in screen_text(app))

    with_app(home, story, (100, 30))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5000", 5000),
        ("5,000", 5000),
        ("5k", 5000),
        ("1.5M", 1_500_000),
        (" 2 b", 2_000_000_000),
        ("5x", None),
        ("-1", None),
        ("1.2.3k", None),
        ("9" * 30, None),
    ],
)
def test_counts_are_read_as_people_write_them(text: str, value: int | None) -> None:
    assert number(text) == value


def test_an_answer_to_an_older_text_is_not_shown(home: Home, tmp_path: Path) -> None:
    catalogued(home, tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        hits = await opened(app, pilot)
        ask, wait, asked = app.catalog.ask, asyncio.Event(), []

        async def slow(kind: str, **question: object) -> object:
            answer = await ask(kind, **question)
            if kind == "search":
                asked.append(question["search"])
                if question["search"] == "rivers":
                    await wait.wait()
            return answer

        app.catalog.ask = slow  # type: ignore[method-assign,assignment]
        search = app.screen.query_one("#search", Input)
        search.value = "rivers"
        await until(pilot, lambda: asked == ["rivers"])
        search.value = "neighbour snow"
        await until(pilot, lambda: hits.row_count)
        shown = [hits.get_row(key) for key in hits.keys_shown]
        wait.set()
        await pilot.pause(0.1)
        assert [hits.get_row(key) for key in hits.keys_shown] == shown
        search.value = "rivers"
        await pilot.pause()
        search.value = ""
        await until(pilot, lambda: not hits.row_count)
        await pilot.pause(0.1)
        assert not hits.row_count

    with_app(home, story)


def test_why_it_stands_where_it_stands_is_told_with_the_parts_of_its_score(home: Home, tmp_path: Path) -> None:
    catalogued(home, tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        app.screen.query_one("#search", Input).value = "levels of rivers"
        await until(pilot, lambda: "0.200 words: levels, rivers; none has more of them" in screen_text(app))
        shown = screen_text(app)
        assert "Number 1 of " in shown and "meaning: how near it is to your words" in shown
        assert "0.350 downloads: 7 downloads" in shown
        total = float(shown.split("score ")[1].split(":")[0])
        named = [line for line in shown.splitlines() if any(f"{part}: " in line for part in ("meaning", "words", "downloads"))]
        parts = [float(line.split("│")[-1].split()[0]) for line in named if "│" in line]
        assert len(parts) == 3 and sum(parts) == pytest.approx(total, abs=0.002)

    with_app(home, story, (140, 40))


def test_marks_are_kept_for_the_next_task_and_taken_back_by_the_same_key(home: Home, tmp_path: Path) -> None:
    catalogued(home, tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        hits = await opened(app, pilot)
        await pilot.press(*"levels of rivers", "enter")
        await until(pilot, lambda: hits.current == "owner/rivers")
        await pilot.press("p")
        await until(pilot, lambda: "▲ preferred" in screen_text(app) and "next task: 1 preferred" in screen_text(app))
        await pilot.press("e")
        assert app.marks == Marks(exclude=("owner/rivers",))
        await pilot.press("e", "enter")
        assert app.marks == Marks("owner/rivers")
        await until(pilot, lambda: "● used" in screen_text(app) and "owner/rivers is used" in screen_text(app))
        assert "a Apply to run" not in screen_text(app)
        await pilot.press("u")
        assert app.marks == Marks()

    with_app(home, story, (120, 30))


def test_marks_are_given_to_the_open_run_after_a_question(home: Home, tmp_path: Path) -> None:
    catalogued(home, tmp_path)
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "run")
        app.marks = Marks(prefer=("owner/rivers",), exclude=("owner/notes",))
        await opened(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "a Apply to run" in screen_text(app))
        await pilot.press("a")
        await until(pilot, lambda: f"Give run {run}" in screen_text(app))
        assert "retrieve, rerank, schema, plan, execute, mix, export" in " ".join(screen_text(app).replace("│", " ").split())
        await pilot.press("n")
        await pilot.pause()
        assert read_run(home.connection, run).settings.options == {}  # type: ignore[union-attr]
        commands = []

        async def command(*words: str) -> dict[str, str]:
            commands.append(words)
            return {"run": run}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("datatune_tui.screens.catalog.command", command)
            await pilot.press("a")
            await until(pilot, lambda: f"Give run {run}" in screen_text(app))
            await pilot.press("y")
            await until(pilot, lambda: app.current_mode == "run" and commands)
        assert commands == [("resume", run, "--detach")]
        wanted = {"retrieve": {"prefer": ["owner/rivers"], "exclude": ["owner/notes"]}}
        assert read_run(home.connection, run).settings.options == wanted  # type: ignore[union-attr]

    with_app(home, story, (120, 30))


def test_a_data_set_that_is_used_takes_the_place_of_searching_and_of_the_plan_before() -> None:
    settings = RunSettings(dataset="a", plan="x", options={"retrieve": {"prefer": ["b"], "depth": 5}})
    marks = Marks("c", ("d",), ("b",))
    assert with_marks(settings, marks) == RunSettings(
        dataset="c", plan="", options={"retrieve": {"prefer": ["d"], "exclude": ["b"], "depth": 5}}
    )
    assert marks_of("c", {"prefer": ["d"], "exclude": ["b"]}) == marks
    assert str(marks) == "c is used, 1 preferred, 1 excluded"


def test_a_card_of_a_megabyte_is_cut_and_what_it_holds_is_text(home: Home, tmp_path: Path) -> None:
    cards = tmp_path / "cards.jsonl"
    hostile = "# Rivers\n\n[link](http://x.invalid) [@click=app.quit]x[/] <script>\x1b]52;c;eA==\x07 ‮\n```\ncode\n```\n" + "[" * 1_000_000
    cards.write_text(json.dumps({"id": "owner/rivers", "card_markdown": hostile}))
    Catalog(home.locations.catalog, HashingEmbedder).import_cards(cards)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press(*"rivers", "enter")
        await until(pilot, lambda: "[link](http://x.invalid) [@click=app.quit]x[/] <script>]52;c;eA==" in screen_text(app))
        text = app.screen.query_one("#card-text", Static).content
        assert isinstance(text, Text) and len(text.plain) < 40_000 and "characters more" in text.plain
        assert not any(span.style and "link" in str(span.style) for span in text.spans)

    with_app(home, story, (160, 40))
