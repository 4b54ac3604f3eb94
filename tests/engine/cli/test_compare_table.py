"""What an experiment and an evaluation say in a terminal: every arm on one scale, what was fixed beforehand first, nothing too wide."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.cli.compare_table import WIDTH, compared_table, evaluated_table
from engine.cli.output import plain
from engine.evaluate.evaluated import Compared, Evaluated
from tests.datatune_tui.experiments import evaluated_run, experiment_run
from tests.datatune_tui.stored import Home
from tests.engine.cli.conftest import Datatune
from tests.engine.evaluate.found import ALONE, COMPARED, EVALUATED, FREE


def test_every_arm_is_a_bar_on_one_scale_with_chance_marked() -> None:
    lines = compared_table(COMPARED).splitlines()
    rows = [line for line in lines if "●" in line and line.startswith(("few-shot", "existing", "synthetic", "transformed", "mix"))]
    assert [row.split()[0] for row in rows] == ["few-shot", "existing", "synthetic", "transformed", "mix"]
    assert {row.index("┆") for row in rows} == {rows[0].index("┆")}
    places = [row.index("●") for row in rows]
    assert places == sorted(places) and len(set(places)) == 5
    assert rows[0].split("┆")[0].split() == ["few-shot", "13.0", "(4.8", "to", "21.2)"]


def test_contrasts_that_were_fixed_beforehand_come_first() -> None:
    shown = compared_table(COMPARED)
    rows = [line.strip().split("  ")[0] for line in shown.splitlines() if "−" in line and "●" in line]
    assert rows == ["★ mix − few-shot", "★ mix − synthetic", "mix − transformed", "mix − existing"]
    assert "+33.0 (+23.5 to +42.5)  p 0.0004" in shown
    assert "mix has 139% (109% to 183%) of what few-shot has above chance" in shown
    assert "no share for mix − existing: the other's figure is not clear of chance" in shown


def test_differences_keep_their_intervals_where_names_leave_no_room_for_bars_beside_them() -> None:
    contrasts = tuple(msgspec.structs.replace(one, arm="transformed", other="synthetic") for one in COMPARED.contrasts)
    lines = compared_table(msgspec.structs.replace(COMPARED, contrasts=contrasts)).splitlines()
    place = next(number for number, line in enumerate(lines) if "+33.0 (+23.5 to +42.5)" in line)
    assert "●" in lines[place] or "●" in lines[place + 1]
    assert all(len(line) <= WIDTH for line in lines[place : place + 8])


def test_what_limits_the_figures_is_said_and_the_numbers_of_each_arm_stand_below() -> None:
    shown = compared_table(COMPARED)
    for words in (
        "300 items in 210 groups that share a stem, 3 seeds",
        "descriptive: 210 independent items, under 250",
        "12 items were found",
        "2.913 → 0.704",
        "0.640 (0.58 to 0.70)",
        "WITHOUT FOUND ITEMS",
        "the base is tiny.gguf in all arms",
        "mix: 300 transformed and 300 synthetic examples",
    ):
        assert words in shown
    assert shown.count("descriptive") == 1
    large = compared_table(msgspec.structs.replace(COMPARED, clusters=300))
    assert "descriptive" not in large and "in 300 groups" not in large


def test_bars_and_tables_fit_a_terminal_of_eighty_columns() -> None:
    for shown in (compared_table(COMPARED), compared_table(FREE)):
        assert all(len(line) <= WIDTH for line in shown.splitlines() if "●" in line or "┴" in line or ("0." in line and "(" in line))


def test_free_answers_have_no_chance_and_no_points() -> None:
    shown = compared_table(FREE)
    bars = next(line for line in shown.splitlines() if line.startswith("few-shot  31.0"))
    assert "★ chrf, times 100" in shown and "chance" not in shown and "┆" not in bars
    assert "not clear of 0" in shown and "one arm less another in figure times 100" in shown


def test_a_finetuned_model_stands_beside_its_base() -> None:
    shown = evaluated_table(EVALUATED)
    for words in (
        "finetuned  0.620 (0.56 to 0.68)",
        "base       0.470 (0.41 to 0.53)",
        "finetuned less base: +0.150 (+0.080 to +0.220); the interval does not hold 0; p 0.0002",
        "finetuned has 210% (138% to 402%) of what base has above chance",
        "model 1 0-shot, as trained",
    ):
        assert words in shown
    chance = {line.index("┆") for line in shown.splitlines() if "●" in line and "┆" in line and "chance" not in line}
    assert len(chance) == 1
    comparison = EVALUATED.evaluation.comparison
    assert comparison is not None
    by_f1 = msgspec.structs.replace(EVALUATED.evaluation, comparison=msgspec.structs.replace(comparison, figure="macro_f1, sum"))
    assert "of what base has\n" in evaluated_table(msgspec.structs.replace(EVALUATED, evaluation=by_f1)) + "\n"
    alone = evaluated_table(ALONE)
    assert "less" not in alone.splitlines()[3] and "base " not in alone


def test_a_run_shows_its_evaluation_and_its_comparison_as_text_and_as_json(datatune: Datatune, tmp_path: Path) -> None:
    home = Home(tmp_path)
    evaluated, compared = evaluated_run(home), experiment_run(home)
    shown = datatune("show", evaluated, "evaluate")
    assert shown.code == 0 and "finetuned less base" in shown.out and "\x1b" not in shown.out and "\u202e" not in shown.out
    assert msgspec.convert(datatune("show", evaluated, "evaluate", "--json").json[0]["record"], Evaluated) == EVALUATED
    shown = datatune("show", compared, "compare")
    assert shown.code == 0 and "★ mix − few-shot" in shown.out
    (step,) = datatune("show", compared, "compare", "--json").json
    assert step["record"] == plain(COMPARED) and msgspec.convert(step["record"], Compared) == COMPARED
    assert len(datatune("show", compared, "mix", "--json").json) == 4
