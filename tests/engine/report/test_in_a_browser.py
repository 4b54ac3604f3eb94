"""The page in a real browser, headless and without network: its script runs, and nobody else's. Skipped where no Chromium is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.compare_data import compare_data
from engine.data_sources import sources_of
from engine.report.content import read_report
from engine.report.page import page
from engine.store import runs
from models.hashing import HashingEmbedder
from tests.datatune_tui.experiments import experiment_run
from tests.datatune_tui.stored import Home
from tests.engine.stages.house import House, notes

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
HOSTILE = '</script><script>document.title="taken"</script><img src=x onerror="document.title=1">'
CARD = "---\nlicense: cc-by-4.0\nlanguage: en\n---\n# Weather notes\n\nSay what kind of weather a note speaks of: sun, rain or snow."

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    house = House(folder)
    house.add("notes", [row | {"note": f"{row['note']} {HOSTILE}"} for row in notes(60)], CARD)
    house.pipeline(dataset="local/notes", options={"execute": {"examples": 20}})
    run = runs.read_run(house.connection, house.session.run)
    assert run is not None
    drawn = sources_of(house.connection, [run])
    compared = compare_data(drawn, run.task, embedder=HashingEmbedder(), with_map=True)
    file = folder / "report.html"
    file.write_text(page(read_report(house.connection, run, drawn), compared, drawn))
    return file


def opened(file: Path, folder: Path, fragment: str = "") -> tuple[str, list[str]]:
    """The page as it stands once its script has run, and what the browser complained of."""
    quiet = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    done = subprocess.run(
        [CHROMIUM, *quiet.split(), f"--user-data-dir={folder}", "--enable-logging=stderr", "--dump-dom", f"{file.as_uri()}{fragment}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_a_point_with_an_address_is_read_and_what_it_says_is_plain_text(report: Path, tmp_path: Path) -> None:
    found, complaints = opened(report, tmp_path, "#point-3")
    assert not complaints
    read = re.search(r'id="read-input">(.*?)</pre>', found, re.DOTALL)
    assert read and "said neighbour number" in read[1] and "&lt;img src=x" in read[1]
    assert found.count('class="read"') == 1
    assert "<title>weather-notes" in found and "<img" not in found


def test_without_an_address_nothing_is_read_and_every_mark_is_there(report: Path, tmp_path: Path) -> None:
    found, complaints = opened(report, tmp_path)
    assert not complaints
    layer = re.search(r'<g class="layer s0">(.*?)</g>', found, re.DOTALL)
    assert layer and layer[1].count("<path") == 20
    assert "Nothing under the pointer yet" in found


def test_what_slips_in_as_markup_neither_runs_nor_asks_for_anything(report: Path, tmp_path: Path) -> None:
    file = tmp_path / "slipped.html"
    slipped = '<main><script>document.title="taken"</script><img src="http://localhost:9/x.png" onerror="document.title=1">'
    file.write_text(report.read_text().replace("<main>", slipped, 1))
    found, complaints = opened(file, tmp_path)
    assert "<title>weather-notes" in found
    assert len([line for line in complaints if "Content Security Policy" in line]) >= 2


def test_losses_and_bars_of_models_are_drawn_without_a_complaint(tmp_path: Path) -> None:
    home = Home(tmp_path)
    run = runs.read_run(home.connection, experiment_run(home, seeds=2))
    assert run is not None
    file = tmp_path / "report.html"
    file.write_text(page(read_report(home.connection, run), None, []))
    found, complaints = opened(file, tmp_path)
    assert not complaints
    assert found.count('<svg class="losses"') == 8 and found.count('class="interval"') == 5 + 4 + 9
