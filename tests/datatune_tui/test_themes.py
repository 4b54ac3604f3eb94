"""Themes: every word on every screen has contrast enough, with colours and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import OptionList

from datatune_tui.app import DataTune
from datatune_tui.modals.quality import Quality
from datatune_tui.themes import DEFAULT, THEMES
from datatune_tui.widgets.rail import Rail
from engine import settings
from engine.settings import examine
from tests.datatune_tui.compared import measured
from tests.datatune_tui.experiments import evaluated_run, evaluating_run, experiment_run, exported_run
from tests.datatune_tui.stored import Home, screen_text, until, with_app

LEAST = {"dark": 4.5, "light": 4.5, "high-contrast": 7.0}
"""WCAG 2.2, contrast of text: 1.4.3 (AA), and 1.4.6 (AAA)."""
Pair = tuple[str, str, str]
"""Colour of words, colour behind them, the words."""
Walk = Callable[[DataTune, Pilot[None]], Coroutine[Any, Any, dict[str, set[Pair]]]]
"""Goes through the screens and says what words it saw, by theme."""


def contrast(one: Color, other: Color) -> float:
    """The ratio that WCAG 2.2 defines, 1 to 21."""

    def luminance(colour: Color) -> float:
        parts = [part / 255 for part in colour.rgb]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def words_on(app: DataTune) -> set[Pair]:
    """Colours of all words that are drawn, as the terminal gets them; of a question its own, not what lies dimmed behind it."""
    found = set()
    over_all = isinstance(app.screen, Quality) or not app.screen.is_modal
    within = app.screen.region if over_all else app.screen.children[0].region
    for strip in app.screen._compositor.render_strips()[within.y : within.bottom]:
        for segment in strip.crop(within.x, within.right):
            style = segment.style
            words = segment.text.strip()
            if words == "X":
                continue  # the mark in a box that is off: not to be seen
            if style and style.color and style.bgcolor and any(sign.isalnum() for sign in words):
                front, back = (style.bgcolor, style.color) if style.reverse else (style.color, style.bgcolor)
                assert not style.dim and front.triplet and back.triplet, f"no colour of its own: {segment}"
                found.add((front.triplet.hex, back.triplet.hex, segment.text.strip()))
    return found


async def walked(app: DataTune, pilot: Pilot[None]) -> dict[str, set[Pair]]:
    """The words of all places, with questions, help, palette and toasts; lists with the focus and without; in each theme."""
    seen: dict[str, set[Pair]] = {theme: set() for theme in THEMES}

    async def look(*keys: str) -> None:
        await pilot.press(*keys)
        for theme in THEMES:
            app.theme = theme
            await pilot.pause()
            seen[theme].update(words_on(app))

    await look("delete")
    await look("escape", "question_mark")
    await pilot.press("question_mark", "enter")
    await until(pilot, lambda: app.screen.query("#rail"))
    await look("home")
    await look("down", "tab")
    await look("shift+tab", "end", "up", "up")
    await look("tab", "tab")
    await look("shift+tab", "shift+tab", "end")
    await look("f")
    await pilot.press("escape")
    app.measured[app.run_id] = measured(app.run_id, time.time())
    await look("u")
    await until(pilot, lambda: "near-duplicates" in screen_text(app))
    await look("tab")
    await look("tab")
    await look("escape", "3", "down")
    await look("slash", "q")
    await look("escape", "n")
    await look("escape", "4")
    await look("escape", "5", "tab", "tab")
    await look("ctrl+s")
    await look("escape", "7", "tab", "q")
    await look("escape", "end")
    await look("up", "tab", "down", "enter", "3")
    await look("escape", "escape", "up", "tab")
    await look("ctrl+p", "d")
    await pilot.press("escape")
    app.notify("something is still missing", severity="warning")
    app.notify("it went wrong", severity="error", title="Trouble")
    app.notify("it is done")
    await look("tab")
    return seen


async def walked_models(app: DataTune, pilot: Pilot[None]) -> dict[str, set[Pair]]:
    """The words of what was trained, asked, compared and exported; while it is at work and when it is done; in each theme."""
    seen: dict[str, set[Pair]] = {theme: set() for theme in THEMES}

    async def look(*keys: str) -> None:
        await pilot.press(*keys)
        for theme in THEMES:
            app.theme = theme
            await pilot.pause()
            seen[theme].update(words_on(app))

    for place, keys in enumerate((("up", "up"), ("end", "up"), (), (), ("end",))):
        await pilot.press("1", "home", *["down"] * place, "enter")
        rail = (await until(pilot, lambda: app.screen.query(Rail))).first()
        await until(pilot, lambda: rail.current)  # noqa: B023
        rail.focus()
        await look(*keys)
        await look("tab", "tab", "tab")
    return seen


def home_with_models(folder: Path) -> Home:
    home = Home(folder)
    exported_run(home)
    evaluating_run(home)
    experiment_run(home, seeds=2)
    evaluated_run(home)
    experiment_run(home, stop_at="transformed")
    return home


def home_with_runs(folder: Path) -> Home:
    home = Home(folder)
    home.failed()
    home.running()
    home.finished()
    return home


def as_256(colour: Color) -> Color:
    """What a terminal of 256 colours shows."""
    return Color.from_rich_color(RichColor.from_triplet(colour.rich_color.downgrade(ColorSystem.EIGHT_BIT).get_truecolor()))


SHOWN: dict[str, Callable[[Color], Color]] = {
    "all colours": lambda colour: colour,
    "256 colours": as_256,
    "NO_COLOR": lambda colour: colour.monochrome,
}


@pytest.mark.parametrize(
    ("made", "walk", "least"), [(home_with_runs, walked, 250), (home_with_models, walked_models, 150)], ids=("all places", "models")
)
def test_every_word_has_contrast_enough_also_in_256_colours_and_in_grey(
    tmp_path: Path, made: Callable[[Path], Home], walk: Walk, least: int
) -> None:
    for theme, seen in with_app(made(tmp_path), walk, (100, 40)).items():
        pairs = [(Color.parse(front), Color.parse(back), words) for front, back, words in seen]
        assert len(pairs) > least
        for name, shown in SHOWN.items():
            measured = sorted((contrast(shown(front), shown(back)), front.hex, back.hex, words) for front, back, words in pairs)
            assert measured[0][0] >= LEAST[theme], (theme, name, measured[:9])


def test_without_colours_the_terminal_gets_grey_and_every_word_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_with_runs(tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> tuple[str, set[Pair]]:
        def cursor_turned() -> bool:
            cursor = app.screen._compositor.render_strips()[2]
            return all(segment.style and segment.style.reverse for segment in cursor if segment.text.strip())

        await until(pilot, lambda: "✓ done" in screen_text(app) and cursor_turned() is app.no_color)
        return screen_text(app), words_on(app)

    monkeypatch.delenv("NO_COLOR", raising=False)
    shown, coloured = with_app(home, story)
    monkeypatch.setenv("NO_COLOR", "1")
    shown_grey, grey = with_app(home, story)
    for state in ("✓ done", "✗ failed", "▶ running"):
        assert state in shown and state in shown_grey
    assert any(len(set(Color.parse(front).rgb)) > 1 for front, _, _ in coloured)
    assert all(len(set(Color.parse(colour).rgb)) == 1 for pair in grey for colour in pair[:2])


def test_a_theme_chosen_in_the_palette_stays_and_the_default_is_no_line_in_the_file(tmp_path: Path) -> None:
    home = home_with_runs(tmp_path)

    async def choose(app: DataTune, pilot: Pilot[None], name: str) -> None:
        await pilot.press("ctrl+p", *"change theme")
        await until(pilot, lambda: "Change theme" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "high-contrast" in screen_text(app) and "nord" not in screen_text(app))
        await pilot.press(*name)
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: app.theme == name)

    async def light(app: DataTune, pilot: Pilot[None]) -> None:
        assert app.theme == DEFAULT
        await choose(app, pilot, "light")

    async def dark(app: DataTune, pilot: Pilot[None]) -> None:
        assert app.theme == "light" and not app.current_theme.dark
        await choose(app, pilot, "dark")

    with_app(home, light)
    assert examine(home.locations.settings).settings.theme == "light"
    with_app(home, dark)
    assert examine(home.locations.settings).settings.theme == ""


def test_the_themes_are_those_the_settings_know() -> None:
    assert tuple(THEMES) == settings.THEMES
