"""Quality: measured by a process beside, shown source by source, kept until the run's examples are others, written as a report."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from datatune_tui.app import DataTune
from datatune_tui.measured import Examples, changed
from datatune_tui.modals.quality import Quality
from datatune_tui.screens.run import RunScreen
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.source_plots import SIGNS, Histogram, bin_name, draw_lengths, draw_map, marks_of
from engine.quality.lengths import LENGTH_BINS
from engine.settings import change_settings
from engine.store.reviews import Review, put_reviews
from tests.datatune_tui.compared import NOTES_SOURCE, StandIn, answer, comparison, measured, run_of_both
from tests.datatune_tui.stored import Home, question, screen_text, told, until, with_app


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn(tmp_path, monkeypatch)


async def opened(app: DataTune, pilot: Pilot[None]) -> None:
    """The first run's quality, measured or being measured."""
    if app.current_mode != "run":
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.ready and app.screen.check_action("quality", ()))
    await pilot.press("u")
    await until(pilot, lambda: isinstance(app.screen, Quality))


async def shown(app: DataTune, pilot: Pilot[None]) -> KeyedTable:
    """The figures, once they are there."""
    await until(pilot, lambda: app.screen.query(KeyedTable) and app.screen.query_one(KeyedTable).row_count)
    return app.screen.query_one(KeyedTable)


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_is_measured_by_a_process_whose_progress_is_told_and_everything_is_shown(home: Home, stand_in: StandIn) -> None:
    run = run_of_both(home)
    stand_in.hold()
    stand_in.says(answer(("not held against the test: \x1b[31mno file",)))

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await until(pilot, lambda: "embedding  ███" in screen_text(app) and "64 of 400 examples  16/s  21 s left" in screen_text(app))
        stand_in.let_go()
        table = await shown(app, pilot)
        whole = screen_text(app)
        for text in (
            "2 sources, compared at 9 examples each",
            "near-duplicates, ROUGE-L 0.7",
            "66.7%",
            "self-ROUGE-L",
            "effective number",
            "6.4 of 9",
            "o notes",
            "x synthetic: [b]generate[/b], 9",
            "different regions",
            "AUC 0.81",
            "not held against the test: [31mno file",
            "6–7  ████",
            "cc0-1.0 9",
            "9 derived",
        ):
            assert text in whole, (text, whole)
        n_of = {row[0]: row[-1] for row in table.sheet().read(0, 100)}
        assert n_of["near-duplicates, ROUGE-L 0.9"] == "9 each" and n_of["distinct-1"] == "63 tokens" and n_of["licences"] == ""
        (call,) = stand_in.calls
        assert call["arguments"] == ["compare-data", run, "--json"] and call["progress"] == "json"

    with_app(home, story, (160, 50))


def test_it_is_kept_until_the_examples_are_others_and_measured_again_when_asked(home: Home, stand_in: StandIn) -> None:
    run = run_of_both(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await shown(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await opened(app, pilot)
        await shown(app, pilot)
        assert "measured just now" in screen_text(app) and len(stand_in.calls) == 1
        home.units(f"{run} execute owner/notes", 2, 9)
        await until(pilot, lambda: "2 examples newer, r measures again" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: len(stand_in.calls) == 2)

    with_app(home, story)


def test_what_people_say_of_examples_makes_it_old_as_well(home: Home, stand_in: StandIn) -> None:
    run = run_of_both(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        app.measured[run] = measured(run, time.time())
        await opened(app, pilot)
        await shown(app, pilot)
        put_reviews(home.connection, f"{run} generate", [Review("train:3", "rejected")])
        await until(pilot, lambda: "examples were reviewed since, r measures again" in screen_text(app))
        assert not stand_in.calls

    with_app(home, story)


def test_other_steps_or_fewer_examples_are_a_changed_run() -> None:
    then = Examples(("a", "b"), 10, "")
    assert changed(then, Examples(("a", "c"), 30, "")) == changed(then, Examples(("a", "b"), 9, "")) == "the run was changed since"
    assert changed(then, Examples(("a", "b", "c"), 11, "")) == "1 example newer" and not changed(then, then)


@pytest.mark.parametrize("key", ["escape", "ctrl+q"])
def test_leaving_ends_the_measurement(home: Home, stand_in: StandIn, key: str) -> None:
    run_of_both(home)
    stand_in.hold()

    async def story(app: DataTune, pilot: Pilot[None]) -> int:
        await opened(app, pilot)
        await until(pilot, lambda: stand_in.calls and "embedding" in screen_text(app))
        pid = int(stand_in.calls[0]["pid"])
        assert not ended(pid)
        await pilot.press(key)
        if key == "escape":
            await until(pilot, lambda: ended(pid))
            assert isinstance(app.screen, RunScreen) and not app.measured
        return pid

    assert ended(with_app(home, story))


def test_a_run_without_examples_starts_nothing_and_says_so(home: Home, stand_in: StandIn) -> None:
    home.failed()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await until(pilot, lambda: "No examples yet: wait until the run has made some" in screen_text(app))
        await pilot.press("r")
        await pilot.pause()
        assert not stand_in.calls

    with_app(home, story, (80, 24))


def test_what_the_command_cannot_do_is_one_line_and_can_be_tried_again(home: Home, stand_in: StandIn) -> None:
    run_of_both(home)
    stand_in.says({"error": "synthetic has 1 examples", "hint": "a source needs two or more", "exit_code": 2}, 2)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await until(pilot, lambda: "synthetic has 1 examples; a source needs two or more" in screen_text(app))
        stand_in.says(answer())
        await pilot.press("r")
        await shown(app, pilot)
        assert "two or more" not in screen_text(app)

    with_app(home, story)


def test_a_process_that_dies_is_told_by_what_it_said_last_not_by_its_progress(home: Home, stand_in: StandIn) -> None:
    run_of_both(home)
    stand_in.says(None, 134)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await until(pilot, lambda: "a warning of a library" in screen_text(app))
        assert '"doing"' not in screen_text(app)

    with_app(home, story)


def test_a_judge_is_asked_where_one_is_named_and_again_with_the_next_measurement(home: Home, stand_in: StandIn) -> None:
    run = run_of_both(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        app.measured[run] = measured(run, time.time())
        await opened(app, pilot)
        await shown(app, pilot)
        await pilot.press("j")
        await until(pilot, lambda: app.screen.query("#line-text"))
        app.screen.query_one("#line-text", TextArea).text = " openai:http://localhost:1/v1 "
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Quality) and app.measured[run].judge)
        await pilot.press("r")
        await until(pilot, lambda: len(stand_in.calls) == 2)
        for call in stand_in.calls:
            assert call["arguments"] == ["compare-data", run, "--judge", "openai:http://localhost:1/v1", "--json"]

    with_app(home, story)


def test_every_part_is_a_tab_away_and_can_be_copied_and_saved(home: Home, stand_in: StandIn, tmp_path: Path) -> None:
    run = run_of_both(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        app.measured[run] = measured(run, time.time())
        await opened(app, pilot)
        table = await shown(app, pilot)
        await pilot.press("down", "down", "y")
        await until(pilot, lambda: app.clipboard.startswith("figure: near-duplicates, ROUGE-L 0.7\no notes: 66.7%"))
        await pilot.press("w")
        await until(pilot, lambda: app.screen.query("#path"))
        assert app.screen.query_one("#path", Input).value.endswith(f"quality-{run}.csv")
        app.screen.query_one("#path", Input).value = str(tmp_path / "q.csv")
        await pilot.press("enter")
        await until(pilot, (tmp_path / "q.csv").exists)
        assert len(list(csv.reader((tmp_path / "q.csv").open(encoding="utf-8")))) == table.row_count + 1
        assert "9 each" not in screen_text(app)
        await pilot.press(*["right"] * 12)
        await until(pilot, lambda: "9 each" in screen_text(app) and "self-ROUGE-L" in screen_text(app))
        for part, text in (("map", "x synthetic"), ("words", "AUC 0.81"), ("quality-lengths", "Outputs\n")):
            await pilot.press("tab", "y")
            await until(pilot, lambda: text in app.clipboard)  # noqa: B023
            assert app.focused and app.focused.id == part
            assert app.focused.region.y == 2 and app.focused.region.height == 21, "it fills the small screen"

    with_app(home, story, (80, 24))


def test_a_source_without_embeddings_has_no_map_and_a_reason(home: Home, stand_in: StandIn) -> None:
    run = run_of_both(home)
    said = answer(("no embeddings: minilm is not here",))
    said["comparison"] |= {"map": None, "embedder": "", "regions": [], "sources": said["comparison"]["sources"][:1]}
    stand_in.says(said)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await shown(app, pilot)
        for text in ("No map: there are no embeddings", "no embeddings: minilm is not here", "There is one source"):
            assert text in screen_text(app)
        assert run in app.measured

    with_app(home, story, (160, 50))


def test_the_report_is_written_where_one_says_and_never_over_another_file_unasked(home: Home, stand_in: StandIn, tmp_path: Path) -> None:
    run = run_of_both(home)
    there = tmp_path / "there.html"
    there.write_text("mine")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        app.measured[run] = measured(run, time.time())
        await opened(app, pilot)
        await shown(app, pilot)
        await pilot.press("h")
        await until(pilot, lambda: app.screen.query("#path"))
        field = app.screen.query_one("#path", Input)
        wanted = str(home.locations.exports / f"weather-notes-{run}.html")
        assert field.value == wanted
        field.value = str(tmp_path / "report.txt")
        await until(pilot, lambda: "end the name in .html or .htm" in screen_text(app))
        field.value = wanted
        stand_in.says({"file": wanted})
        await pilot.press("enter")
        await until(pilot, lambda: f"report: {wanted}" in told(app))
        assert stand_in.calls[0]["arguments"] == ["report", run, "--to", wanted, "--json"] and stand_in.calls[0]["progress"] is None
        await pilot.press("h")
        await until(pilot, lambda: app.screen.query("#path"))
        app.screen.query_one("#path", Input).value = str(there)
        await pilot.press("enter")
        await until(pilot, lambda: "is there already" in question(app))
        stand_in.says({"error": "[b]no[/b] space left", "hint": "free some"}, 5)
        await pilot.press("y")
        await until(pilot, lambda: "[b]no[/b] space left; free some" in told(app))

    with_app(home, story)


def test_its_key_can_be_another(home: Home, stand_in: StandIn) -> None:
    run = run_of_both(home)
    change_settings(home.locations.settings, {"keys.run.quality": "f6", "keys.quality.close": "f7"})

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        app.measured[run] = measured(run, time.time())
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "f6 Quality" in screen_text(app))
        await pilot.press("f6")
        await until(pilot, lambda: "f7 Close" in screen_text(app))
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))

    with_app(home, story)


def test_showing_it_brings_none_of_the_heavy_libraries_into_the_screens() -> None:
    code = (
        "import sys, datatune_tui.modals.quality, engine.compare_data, engine.comparison_table\n"
        "print([name for name in ('numpy', 'sklearn', 'scipy', 'torch', 'pyarrow', 'llama_cpp') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


# ── drawings ──────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-90, 90), st.floats(-1e-3, 1e9)), min_size=1, max_size=60))
def test_a_map_fills_its_field_and_shows_no_sign_without_a_point(points: list[tuple[str, float, float]]) -> None:
    names, x, y = zip(*points, strict=True)
    marks = marks_of("abc")
    lines = draw_map(names, x, y, marks, 30, 8).plain.split("\n")
    assert len(lines) == 8 and {len(line) for line in lines} == {30}
    seen = Counter("".join(lines).replace(" ", ""))
    assert all(seen[marks[name].sign] <= names.count(name) for name in "abc") and 1 <= sum(seen.values()) <= len(points)
    assert (lines[0].strip() and lines[-1].strip()) or min(y) == max(y), "it reaches from the lowest point to the highest"


def test_where_sources_meet_the_one_with_most_is_drawn_and_among_equals_the_rarer() -> None:
    marks = marks_of(["few", "many"])
    sources = ["few", "many", "many", "few", "many", "many"]
    x = [0.0, 0.0, 0.0, 9.0, 9.0, 5.0]
    assert draw_map(sources, x, [0.0] * 6, marks, 3, 1).plain == "xxo"


def test_each_of_many_sources_has_a_look_of_its_own_and_a_safe_name() -> None:
    marks = marks_of([f"{n}\x1b[31m\n{'x' * 90}" for n in range(50)])
    assert len({mark.sign for mark in marks.values()}) == 50 and len(set(SIGNS)) == len(SIGNS)
    assert all(mark.name.isprintable() and len(mark.name) <= 40 for mark in marks.values())


def test_bins_are_named_by_the_lengths_in_them() -> None:
    names = [bin_name(place) for place in range(len(LENGTH_BINS))]
    assert names[:7] == ["0", "1", "2", "3", "4–5", "6–7", "8–11"] and names[-2:] == ["12,288–16,383", "16,384+"]


def test_bars_of_all_sources_have_one_scale_and_fit_the_room() -> None:
    first, second = marks_of(["one", "other"]).values()
    counts = [0] * len(LENGTH_BINS)
    half = [*counts[:4], 5, 0, 5, *counts[7:]]
    whole = [*counts[:4], 0, 1000, *counts[6:]]
    text = draw_lengths("Inputs", [Histogram(first, half), Histogram(second, whole)], 70).plain.splitlines()
    assert text[0] == "Inputs" and "o one, 10" in text[1] and "x other, 1,000" in text[1]
    assert [line.split()[0] for line in text[2:]] == ["4–5", "6–7", "8–11"] and all(len(line) <= 70 for line in text)
    assert text[2].count("█") * 2 == pytest.approx(text[3].count("█"), abs=1) and "50%" in text[2] and "100%" in text[3]


def test_sources_that_do_not_fit_beside_each_other_go_below() -> None:
    one = [*[0] * 5, 3, *[0] * (len(LENGTH_BINS) - 6)]
    marks = marks_of([f"source {n}" for n in range(5)])
    text = draw_lengths("Inputs", [Histogram(mark, one) for mark in marks.values()], 60).plain
    assert text.count("6–7") == 3 and all(f"source {n}, 3" in text for n in range(5))


def test_lengths_of_nothing_are_told() -> None:
    (mark,) = marks_of(["one"]).values()
    assert "Nothing to show" in draw_lengths("Inputs", [Histogram(mark, [0] * len(LENGTH_BINS))], 60).plain


def test_what_the_command_prints_is_read_whole() -> None:
    assert measured("x", 1.0).found == comparison() and comparison().sources[0].name == NOTES_SOURCE
