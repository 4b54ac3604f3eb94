"""Keys: every one has a name and says what it does, and what people want instead is taken or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from datatune_tui.app import DataTune
from datatune_tui.keymap import checked, commands, owners, shown, taken
from engine.settings import change_settings
from tests.datatune_tui.stored import Home, screen_text, until, with_app


def test_every_binding_has_an_id_a_name_and_a_tooltip() -> None:
    lacking = [
        f"{owner.__name__}: {binding.key}"
        for owner in owners()
        for binding in Binding.make_bindings(vars(owner)["BINDINGS"])
        if not (binding.id and binding.description and binding.tooltip)
    ]
    assert len(owners()) > 10 and not lacking


def test_an_id_belongs_to_one_action() -> None:
    seen: dict[str, tuple[str, str]] = {}
    for owner in owners():
        for binding in Binding.make_bindings(vars(owner)["BINDINGS"]):
            assert seen.setdefault(binding.id or "", (owner.__name__, binding.action)) == (owner.__name__, binding.action)


def test_no_two_keys_of_one_place_are_the_same_by_default() -> None:
    found = list(commands().values())
    same = [
        (one.id, other.id)
        for place, one in enumerate(found)
        for other in found[:place]
        if one.place == other.place and set(one.keys) & set(other.keys)
    ]
    assert not same


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"run.resum": "f5"}, "nothing is called so; did you mean 'run.resume'?"),
        ({"run.resume": "hyperspace"}, "no key 'hyperspace'"),
        ({"run.resume": "ctrl+"}, "no key"),
        ({"run.resume": "f5,,"}, "no key ''"),
        ({"run.resume": "strg+r"}, "no key 'strg+r'"),
        ({"run.resume": "c"}, "c is already “Cancel” (run.cancel); r stays"),
        ({"run.resume": "3"}, "3 is already “Data” (go.data)"),
        ({"go.data": "c"}, "c is already"),
        ({"run.resume": "p"}, "p is already “Put first” (candidates.prefer)"),
        ({"run.resume": "f5", "run.cancel": "f5"}, "keys.run.cancel: f5 is already “Resume” (run.resume); c stays"),
        ({"run.resume": "ctrl+q"}, "always quits"),
        ({"task.save": "s"}, "also works while you type"),
        ({"home.new": "?"}, "? is already “Help”"),
    ],
)
def test_what_cannot_be_is_one_line(wanted: dict[str, str], said: str) -> None:
    good, wrong = checked(wanted)
    assert len(wrong) == 1 and said in wrong[0] and wrong[0].startswith("keys.") and "\n" not in wrong[0]
    assert len(good) == len(wanted) - 1


def test_keys_may_be_swapped_and_shared_between_places() -> None:
    wanted = {"run.resume": "c", "run.cancel": "r", "home.demo": "x", "question.yes": "1", "home.new": "shift+f3, N"}
    good, wrong = checked(wanted)
    assert not wrong and good == wanted | {"home.new": "shift+f3,N"}
    assert not taken("run.export", "f", {"run.story": "f9"}) and "already “Story”" in taken("run.export", "f", {})


def test_one_that_is_put_back_by_a_refusal_is_looked_at_again() -> None:
    good, wrong = checked({"run.cancel": "f", "run.resume": "c", "run.story": "nonsense"})
    assert good == {} and len(wrong) == 3


def test_keys_are_shown_as_people_read_them() -> None:
    assert shown("question_mark") == "?" and shown("ctrl+r", "f5") == "ctrl+r or f5" and shown("?") == "?"


def test_a_key_of_the_settings_works_is_in_the_footer_and_the_old_one_is_gone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.failed()
    change_settings(home.locations.settings, {"home.demo": None, "keys.home.delete": "f8", "keys.go.models": "f9"})

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "f8 Delete" in screen_text(app) and "del Delete" not in screen_text(app))
        await pilot.press("delete")
        assert len(app.screen_stack) == 1
        await pilot.press("f8")
        await until(pilot, lambda: app.screen.query("#question"))
        await pilot.press("escape", "6")
        assert app.current_mode == "home"
        await pilot.press("f9")
        await until(pilot, lambda: app.current_mode == "models")

    with_app(home, story)


def test_keys_that_cannot_be_are_told_and_everything_else_works(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.failed()
    home.locations.settings.write_text(
        '[keys]\nhome.delete = "f8"\nhome.nwe = "a"\nhome.demo = "u"\ntask.save = "blue"\n[screens]\ntheme = "mauve"\n', encoding="utf-8"
    )

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "keys.home.nwe" in told(app))
        wrong = " ".join(app.wrong_settings)
        assert len(app.wrong_settings) == 4 and "did you mean 'home.new'?" in wrong
        assert "settings.toml, line 7" in wrong and "u is already “Again”" in wrong and "no key 'blue'" in wrong
        assert app.theme == "dark"
        await pilot.press("f8")
        await until(pilot, lambda: app.screen.query("#question"))

    with_app(home, story, (120, 40))


def told(app: DataTune) -> str:
    """All toasts, unwrapped."""
    return " ".join(note.message for note in app._notifications)


def test_a_file_that_is_no_toml_opens_the_screens_with_defaults_and_a_toast(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.locations.settings.write_text("[keys\n", encoding="utf-8")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "line 1: not valid TOML" in told(app))
        app.theme = "light"
        await until(pilot, lambda: "the theme is not kept" in told(app))

    with_app(home, story, (140, 40))
    assert home.locations.settings.read_text(encoding="utf-8") == "[keys\n"
