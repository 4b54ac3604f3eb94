"""Models in a report: losses, figures with their intervals and arms, in drawings and in tables beside them, only where a run has them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from engine.curve import Point
from engine.interval_bars import BarRow, Bars
from engine.report.content import read_report
from engine.report.model_charts import BARS_WIDTH, LOSS_HEIGHT, LOSS_WIDTH, bars_drawn, losses_drawn
from engine.report.page import page
from engine.store.runs import read_run
from tests.datatune_tui.experiments import evaluated_run, experiment_run
from tests.datatune_tui.stored import Home
from tests.engine.cli.test_report import Page
from tests.engine.evaluate.found import COMPARED, HOSTILE, estimate


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def text_of(home: Home, run_id: str) -> str:
    run = read_run(home.connection, run_id)
    assert run is not None
    return page(read_report(home.connection, run), None, [])


def sections(text: str) -> set[str]:
    return {str(names["id"]) for tag, names in Page(text).elements if tag == "section"}


def test_a_section_is_there_only_where_the_run_has_what_it_tells(home: Home) -> None:
    plain, evaluated, compared = home.finished(), evaluated_run(home), experiment_run(home)
    models = {"training", "evaluation", "comparison"}
    assert not sections(text_of(home, plain)) & models
    assert sections(text_of(home, evaluated)) & models == {"training", "evaluation"}
    assert sections(text_of(home, compared)) & models == models
    running = experiment_run(home, stop_at="synthetic")
    assert sections(text_of(home, running)) & models == {"training", "evaluation"}
    assert "The training is running." in Page(text_of(home, running)).text


def test_every_bar_says_its_figure_and_the_table_beside_it_says_it_too(home: Home) -> None:
    shown = Page(text_of(home, experiment_run(home)))
    bars = [names for tag, names in shown.elements if tag == "svg" and names.get("role") == "img"]
    labels = [str(names["aria-label"]) for names in bars]
    assert "mix: 46.0 (37.7 to 54.2)" in labels
    assert all("viewbox" in {name.lower() for name in names} and label for names, label in zip(bars, labels, strict=True))
    for words in ("46.0 (37.7 to 54.2)", "+33.0 (+23.5 to +42.5)", "139% (109% to 183%)", "0.640 (0.58 to 0.70)", "2.913 → 0.704"):
        assert words in shown.text
    for words in (
        "descriptive: 210 independent items",
        "12 items were found",
        "the base is tiny.gguf in all arms",
        "Mix of the arm transformed",
    ):
        assert words in shown.text
    assert {str(names["href"])[1:] for tag, names in shown.elements if tag == "a"} <= {str(names.get("id")) for _, names in shown.elements}


def test_an_evaluation_tells_labels_ways_to_ask_and_wrong_answers_as_plain_text(home: Home) -> None:
    text = text_of(home, evaluated_run(home))
    shown = Page(text)
    for words in (
        "finetuned less base: +0.150",
        "Finetuned, 0-shot, as trained",
        "rain 31",
        "4 ways to ask",
        "8 wrong answers",
        "2-shot, chat",
    ):
        assert words in shown.text
    assert HOSTILE[:12] in shown.text and "\x1b" not in text and "\u202e" not in text
    assert {tag for tag, _ in shown.elements} & {"script"} == {"script"} and "img" not in {tag for tag, _ in shown.elements}


def test_the_losses_of_a_training_are_drawn_and_its_measurements_listed(home: Home) -> None:
    text = text_of(home, evaluated_run(home))
    assert text.count('class="training" d="M') == 2, "the curve, and its sign in the legend"
    assert len(re.findall(r'<circle class="validation" cx="[\d.]+" cy="[\d.]+" r="3.5">', text)) == 3
    shown = Page(text).text
    assert "3 measurements" in shown and "Validation loss 3.100 before, 0.900 at its best" in shown


def test_a_curve_lies_within_its_drawing_and_goes_down_where_the_loss_does() -> None:
    points = [Point(step, step / 10, 3.0 / step) for step in range(1, 41)]
    points += [Point(20, 2.0, None, 0.9), Point(40, 4.0, None, 0.8)]
    drawn = losses_drawn(points)
    assert drawn is not None
    places = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", drawn.path)]
    assert len(places) == 40 and all(0 <= x <= LOSS_WIDTH and 0 <= y <= LOSS_HEIGHT for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted(y for _, y in places), "further down on the screen"
    assert [(dot.step, dot.loss) for dot in drawn.dots] == [(20, 0.9), (40, 0.8)] and drawn.dots[0].y < drawn.dots[1].y
    assert [tick.words for tick in drawn.across] == ["0", "10", "20", "30", "40"]


def test_a_training_of_one_step_is_no_curve() -> None:
    assert losses_drawn([Point(1, 0.1, 2.0)]) is None and losses_drawn([]) is None


def test_bars_have_one_scale_with_chance_on_it() -> None:
    rows = (BarRow("one", "", "", estimate(40, 30, 50)), BarRow("other", "", "", estimate(10, -20, 30), True))
    drawn = bars_drawn(Bars("points", rows, 0.0, "chance"))
    one, other = drawn.rows
    assert 0 <= other.low < other.value < other.high == one.low < one.value < one.high <= BARS_WIDTH
    assert drawn.zero is not None and other.low < drawn.zero < other.value
    assert one.value - one.low == pytest.approx(one.high - one.value, abs=0.2)


def test_a_record_of_another_version_is_passed_over(home: Home) -> None:
    run = evaluated_run(home)
    home.connection.execute("UPDATE steps SET record = '{\"new\": 1}' WHERE fingerprint = ?", (f"{run} evaluate",))
    assert "evaluation" not in sections(text_of(home, run)) and "training" in sections(text_of(home, run))


def test_the_arms_of_several_seeds_have_their_trainings_and_one_mix_each(home: Home) -> None:
    compared = msgspec.structs.replace(COMPARED, seeds=2)
    shown = Page(text_of(home, experiment_run(home, arms=("few-shot", "mix"), seeds=2, compared=compared))).text
    assert "mix, seed 0" in shown and "mix, seed 1" in shown and shown.count("Every example offered is in training") == 1
