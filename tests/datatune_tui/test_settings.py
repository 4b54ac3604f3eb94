"""Settings: fields of every option, kept when they are right; theme, keys and folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Select, Static

from datatune_tui.app import DataTune
from datatune_tui.screens.settings import SECTIONS
from datatune_tui.settings.field import SettingField
from datatune_tui.settings.folders import measure
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.options import options_of
from engine.settings import change_settings, examine
from engine.stages import STAGE_NAMES
from tests.datatune_tui.stored import Home, screen_text, until, with_app


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(app: DataTune, pilot: Pilot[None], section: str) -> None:
    """Go to a section of the settings."""
    await pilot.press("7")
    await until(pilot, lambda: app.current_mode == "settings" and app.screen.query("#sections"))
    app.screen.query_one("#sections", OptionList).highlighted = SECTIONS.index(section)
    await until(pilot, lambda: app.screen.query(f"#section-{section}") and app.screen.query_one("#panels").current == f"section-{section}")  # type: ignore[attr-defined]
    await pilot.pause()


def field(app: DataTune, name: str) -> SettingField:
    return app.screen.query_one(f"#field-{name.replace('.', '-')}", SettingField)


def state(app: DataTune, name: str) -> str:
    return str(field(app, name).query_one(".state", Static).render())


def kept(home: Home) -> dict[str, dict[str, object]]:
    return examine(home.locations.settings).settings.options


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_every_option_of_a_stage_has_a_field_with_its_description_and_default(home: Home, stage: str) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, stage)
        fields = {one.setting.name: one for one in app.screen.query(SettingField) if one.setting.name.startswith(f"{stage}.")}
        assert list(fields) == [option.key for option in options_of(stage)]
        for option in options_of(stage):
            assert option.help[:30] in str(fields[option.key].query_one(".help", Static).render())
            assert state(app, option.key) == "default"

    with_app(home, story)


def test_a_value_is_checked_while_it_is_typed_and_kept_when_the_field_is_left(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "execute")
        field(app, "execute.examples").query_one(Input).focus()
        await pilot.press("0")
        await until(pilot, lambda: "it takes 1 to 10,000,000" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "not kept: it takes" in screen_text(app))
        assert not home.locations.settings.exists()
        await pilot.press("backspace", "7", "5")
        await until(pilot, lambda: "it takes 1" not in screen_text(app))
        assert not home.locations.settings.exists()
        await pilot.press("tab")
        await until(pilot, lambda: kept(home) == {"execute": {"examples": 75}})
        await until(pilot, lambda: state(app, "execute.examples") == "yours; default 3000")
        await until(pilot, lambda: "execute   1 yours" in screen_text(app))

    with_app(home, story)


def test_the_default_is_put_back_by_its_key_and_by_writing_it(home: Home) -> None:
    change_settings(home.locations.settings, {"execute.examples": 75, "execute.max_tokens": 64, "plan.mode": "prose"})

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "execute")
        assert field(app, "execute.examples").query_one(Input).value == "75"
        field(app, "execute.examples").query_one(Input).focus()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "examples" not in kept(home)["execute"] and state(app, "execute.examples") == "default")
        assert field(app, "execute.examples").query_one(Input).value == "3000"
        field(app, "execute.max_tokens").query_one(Input).focus()
        await pilot.press("5", "1", "2", "enter")
        await until(pilot, lambda: kept(home) == {"plan": {"mode": "prose"}} and state(app, "execute.max_tokens") == "default")
        await pilot.press("escape")
        await opened(app, pilot, "plan")
        choice = field(app, "plan.mode").query_one(Select)
        assert choice.value == "prose"
        choice.value = "structure"
        await until(pilot, lambda: kept(home) == {"plan": {"mode": "structure"}})
        choice.focus()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: kept(home) == {} and choice.value == "auto")

    with_app(home, story)


def test_an_empty_text_none_lists_and_switches_are_kept_as_what_they_are(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "export")
        field(app, "export.system").query_one(Input).focus()
        await pilot.press('"', '"', "enter")
        await until(pilot, lambda: kept(home) == {"export": {"system": ""}})
        await pilot.press("escape")
        await opened(app, pilot, "retrieve")
        field(app, "retrieve.exclude").query_one(Input).focus()
        await pilot.press(*"a/b,c/d", "enter")
        await until(pilot, lambda: kept(home).get("retrieve") == {"exclude": ["a/b", "c/d"]})
        field(app, "retrieve.name_task").query_one(Select).value = "true"
        await until(pilot, lambda: kept(home)["retrieve"].get("name_task") is True)

    with_app(home, story)


def test_a_model_is_checked_and_kept_for_its_role(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "models")
        field(app, "models.plan").query_one(Input).focus()
        await pilot.press(*"smol", "enter")
        await until(pilot, lambda: "not kept: role plan: 'smol' is no model" in screen_text(app))
        await pilot.press(*"lm2", "enter")
        await until(pilot, lambda: examine(home.locations.settings).settings.models == {"plan": "smollm2"})

    with_app(home, story, (120, 40))


def test_what_is_being_typed_stays_while_the_database_changes(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "execute")
        examples = field(app, "execute.examples").query_one(Input)
        examples.focus()
        await pilot.press("7", "5")
        home.failed()
        app.look_at(app.screen)  # type: ignore[arg-type]
        await pilot.pause()
        assert examples.value == "75"
        change_settings(home.locations.settings, {"execute.max_tokens": 99})
        app.look_at(app.screen)  # type: ignore[arg-type]
        await until(pilot, lambda: state(app, "execute.max_tokens").startswith("yours"))
        assert examples.value == "75" and not kept(home)["execute"].get("examples")
        await pilot.press("enter")
        await until(pilot, lambda: kept(home) == {"execute": {"examples": 75, "max_tokens": 99}})

    with_app(home, story)


def test_what_is_wrong_in_the_file_is_said_and_only_that_is_not_used(home: Home) -> None:
    home.locations.settings.write_text('[execute]\nexamples = "many"\nmax_tokens = 64\n', encoding="utf-8")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "execute")
        assert "line 2: execute.examples" in " ".join(screen_text(app).split())
        assert state(app, "execute.examples") == "default" and state(app, "execute.max_tokens") == "yours; default 512"
        field(app, "execute.max_tokens").query_one(Input).focus()
        await pilot.press("9", "9", "enter")
        await until(pilot, lambda: kept(home) == {"execute": {"max_tokens": 99}})
        assert 'examples = "many"' in home.locations.settings.read_text(encoding="utf-8")

    with_app(home, story, (200, 40))


def test_a_file_that_is_no_toml_is_not_written_over(home: Home) -> None:
    home.locations.settings.write_text("[execute\n", encoding="utf-8")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "execute")
        field(app, "execute.examples").query_one(Input).focus()
        await pilot.press("5", "enter")
        await until(pilot, lambda: app.screen.query("#trouble-title"))
        assert "line 1: not valid TOML" in str(app.screen.query_one("#trouble-title", Static).render())

    with_app(home, story)
    assert home.locations.settings.read_text(encoding="utf-8") == "[execute\n"


def test_what_somebody_else_wrote_meanwhile_is_there_when_the_place_is_entered_again(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "execute")
        await pilot.press("1")
        change_settings(home.locations.settings, {"execute.examples": 12})
        await pilot.press("7")
        await until(pilot, lambda: field(app, "execute.examples").query_one(Input).value == "12")

    with_app(home, story)


def test_a_theme_is_taken_and_put_back(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "theme")
        await pilot.press("tab", "down", "enter")
        await until(pilot, lambda: app.theme == "light" and "● light" in screen_text(app))
        assert examine(home.locations.settings).settings.theme == "light"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.theme == "dark" and not examine(home.locations.settings).settings.theme)

    with_app(home, story)


def test_a_key_is_changed_by_pressing_another_and_put_back(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "keys")
        table = app.screen.query_one("#keys", KeyedTable)
        table.focus()
        table.move_cursor(row=table.keys_shown.index("home.demo"))
        await until(pilot, lambda: table.current == "home.demo" and "home.demo: Try everything" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query("#press-key"))
        await pilot.press("u")
        await until(pilot, lambda: "already “Again” (home.duplicate)" in " ".join(screen_text(app).split()))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "ctrl+p is already" in screen_text(app))
        await pilot.press("f7")
        await until(pilot, lambda: examine(home.locations.settings).settings.keys == {"home.demo": "f7"})
        await until(pilot, lambda: "keys      1 yours" in screen_text(app))
        await pilot.press("1")
        await until(pilot, lambda: "f7 Demo" in screen_text(app))
        await pilot.press("7")
        await until(pilot, lambda: app.current_mode == "settings")
        table.focus()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: not examine(home.locations.settings).settings.keys)
        await pilot.press("1")
        await until(pilot, lambda: "d Demo" in screen_text(app))

    with_app(home, story)


def test_escape_leaves_the_key_as_it_is(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "keys")
        app.screen.query_one("#keys", KeyedTable).focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query("#press-key"))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen.query("#keys"))
        assert not home.locations.settings.exists()

    with_app(home, story)


def test_folders_are_named_with_what_they_take(home: Home) -> None:
    (home.locations.weights / "big.gguf").write_bytes(b"x" * 2_500_000)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "folders")
        table = app.screen.query_one("#folders", KeyedTable)
        await until(pilot, lambda: "2.5 MB" in screen_text(app) and "not there" in screen_text(app))
        table.focus()
        await until(pilot, lambda: str(home.locations.settings) in screen_text(app).replace("\n", "") or "are free" in screen_text(app))

    with_app(home, story, (160, 40))


def test_a_folder_is_measured_without_following_links_and_ends_when_it_should(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"x" * 10)
    (tmp_path / "two").write_bytes(b"x" * 5)
    (tmp_path / "a" / "all").symlink_to("/")
    found = measure(tmp_path, lambda: False)
    assert found and found.files == 2 and found.bytes == 15
    assert measure(tmp_path / "none", lambda: False) is None
    stopped = measure(tmp_path, lambda: True)
    assert stopped and stopped.files == 0
