"""Models: what is found here, what is broken and what to do, what the commands say of one, and who does what."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, TextArea

from datatune_tui.app import DataTune
from datatune_tui.model_roles import DOES, served
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.config import ROLES
from engine.settings import change_settings, examine
from models import weights
from models.cache_file import CacheFile
from models.llama_cpp import calibration
from models.llama_cpp.calibration import Calibration
from models.llama_cpp.measured import calibration_key
from models.llama_cpp.options import Options
from tests.datatune_tui.stored import Home, screen_text, until, with_app
from tests.models.gguf_file import gguf


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path)
    monkeypatch.setenv("DATATUNE_HOME", str(home.locations.home))
    return home


async def opened(app: DataTune, pilot: Pilot[None], at: str = "") -> KeyedTable:
    """The table of weights, the cursor on a file."""
    await pilot.press("6")
    await until(pilot, lambda: app.screen.query("#models") and app.screen.query_one("#models", KeyedTable).row_count)
    models = app.screen.query_one("#models", KeyedTable)
    go_to(models, at)
    await pilot.pause()
    return models


def go_to(models: KeyedTable, end: str) -> None:
    models.move_cursor(row=next(place for place, key in enumerate(models.keys_shown) if key.endswith(end)))


def kept(home: Home) -> dict[str, str]:
    return examine(home.locations.settings).settings.models


def test_weights_are_listed_with_what_they_need_and_broken_files_with_what_to_do(home: Home) -> None:
    (home.locations.weights / "tiny.gguf").write_bytes(gguf())
    (home.locations.weights / "broken.gguf").write_bytes(b"not a model")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "tiny.gguf")
        await until(pilot, lambda: "Tiny [31m model" in screen_text(app) and "2 layers, a chat template" in screen_text(app))
        shown = screen_text(app)
        assert (
            "unusable" in shown and "fits" in shown and "are free" in shown and "was not measured: b does" in shown and "\x1b" not in shown
        )
        await pilot.press("v")
        await until(pilot, lambda: app.screen.query("#line-text"))
        await pilot.press("ctrl+s")
        digest = hashlib.sha256(gguf()).hexdigest()
        await until(pilot, lambda: f"SHA-256 {digest}" in screen_text(app))
        await pilot.press("v")
        await until(pilot, lambda: app.screen.query("#line-text"))
        app.screen.query_one("#line-text", TextArea).text = "0" * 64
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "so another file or damaged" in screen_text(app))
        go_to(app.screen.query_one("#models", KeyedTable), "broken.gguf")
        await until(pilot, lambda: "what to do: Copy or download the file again" in screen_text(app))
        await pilot.press("m")
        await pilot.pause()
        assert not app.screen.query(OptionList), "a broken file gets no role"

    with_app(home, story, (130, 34))


def test_rates_that_were_measured_here_are_shown(home: Home) -> None:
    file = home.locations.weights / "tiny.gguf"
    file.write_bytes(gguf())
    key = calibration_key(weights.digest(file, home.locations.cache), Options())
    found = Calibration(8, False, "on", "f16", 416.4, 95.2, (), 1.0)
    CacheFile(home.locations.cache, calibration.FILE, Calibration).put(key, found)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "tiny.gguf")
        await until(pilot, lambda: "416/95" in screen_text(app))
        await until(pilot, lambda: "reads 416 and writes 95 tokens a second, 8 answers at once: measured here" in screen_text(app))

    with_app(home, story, (130, 34))


def test_a_file_is_added_by_its_path_and_one_that_is_none_is_refused_while_it_is_typed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(gguf())
    (tmp_path / "none.gguf").write_bytes(b"x")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        models = await opened(app, pilot)
        await pilot.press("a")
        await until(pilot, lambda: app.screen.query("#path"))
        field = app.screen.query_one("#path", Input)
        field.value = str(tmp_path / "none.gguf")
        await until(pilot, lambda: "magic bytes" in screen_text(app))
        await pilot.press("enter")
        assert app.screen.query("#path")
        field.value = str(tmp_path / "min")
        await until(pilot, lambda: field._suggestion.endswith("mine.gguf"))
        await pilot.press("end", "right")
        await until(pilot, lambda: "F16" in screen_text(app) and "apache-2.0" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: any(key.endswith("mine.gguf") for key in models.keys_shown))

    with_app(home, story, (130, 30))


def test_a_model_is_given_a_role_and_the_role_its_usual_one_again(home: Home) -> None:
    (home.locations.weights / "tiny.gguf").write_bytes(gguf())

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "tiny.gguf")
        roles = app.screen.query_one("#roles", KeyedTable)
        assert roles.keys_shown == ROLES
        await pilot.press("m")
        options = (await until(pilot, lambda: app.screen.query("#choice OptionList"))).first(OptionList)
        assert options.option_count == len(ROLES) - 1, "a GGUF file is no embedder"
        options.highlighted = ROLES.index("plan")
        await pilot.press("enter")
        await until(pilot, lambda: kept(home) == {"plan": "tiny"})
        await until(pilot, lambda: roles.get_row("plan")[1].plain == "tiny" and roles.get_row("plan")[2].plain == "settings")
        roles.focus()
        roles.move_cursor(row=ROLES.index("plan"))
        await pilot.pause()
        await pilot.press("delete")
        await until(pilot, lambda: kept(home) == {} and roles.get_row("plan")[2].plain == "as default")

    with_app(home, story, (130, 34))


def test_the_model_of_a_role_is_chosen_or_written_and_refused_where_it_is_not_there(home: Home) -> None:
    (home.locations.weights / "tiny.gguf").write_bytes(gguf())

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        roles = app.screen.query_one("#roles", KeyedTable)
        roles.focus()

        async def choose(role: str, place: int) -> None:
            roles.move_cursor(row=ROLES.index(role))
            await pilot.pause()
            await pilot.press("enter")
            options = (await until(pilot, lambda: app.screen.query("#choice OptionList"))).first(OptionList)
            options.highlighted = options.option_count + place if place < 0 else place
            await pilot.press("enter")

        await choose("embed", 1)
        await until(pilot, lambda: kept(home) == {"embed": "hashing"})
        await choose("default", -1)
        area = (await until(pilot, lambda: app.screen.query("#line-text"))).first(TextArea)
        area.text = "nowhere.gguf"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen.query("#trouble-title") and "No weights at" in screen_text(app))
        await pilot.press("escape")
        await choose("default", -1)
        area = (await until(pilot, lambda: app.screen.query("#line-text"))).first(TextArea)
        area.text = "tiny#sequences=1"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: kept(home) == {"embed": "hashing", "default": "tiny#sequences=1"})
        await until(
            pilot, lambda: roles.get_row("rerank")[1].plain == "tiny#sequences=1" and roles.get_row("rerank")[2].plain == "as default"
        )
        await choose("embed", -2)
        await until(pilot, lambda: kept(home) == {"default": "tiny#sequences=1"})

    with_app(home, story, (130, 34))


def test_settings_that_cannot_be_written_are_told(home: Home) -> None:
    (home.locations.weights / "tiny.gguf").write_bytes(gguf())
    home.locations.settings.write_text("[models\n")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "tiny.gguf")
        await pilot.press("m")
        await until(pilot, lambda: app.screen.query("#choice OptionList"))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query("#trouble-title") and "not valid TOML" in screen_text(app))
        assert home.locations.settings.read_text() == "[models\n"

    with_app(home, story, (130, 34))


def test_every_role_says_what_it_does_and_where_its_model_comes_from(tmp_path: Path) -> None:
    assert set(DOES) == set(ROLES)
    by_role = {one.role: one for one in served({"default": "tiny", "plan": "/w/big.gguf"})}
    assert by_role["default"] == ("default", "tiny", "settings") and by_role["execute"] == ("execute", "tiny", "as default")
    assert by_role["plan"] == ("plan", "/w/big.gguf", "settings") and by_role["embed"] == ("embed", "minilm", "came with DataTune")
    assert served({})[0] == ("default", "smollm2", "came with DataTune")
    change_settings(tmp_path / "settings.toml", {"models.plan": "smollm2"})
    assert examine(tmp_path / "settings.toml").settings.models == {"plan": "smollm2"}
