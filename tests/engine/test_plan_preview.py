"""Previews: what a plan makes of the first rows a run would take, what it would cost, and what is said where it cannot run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.locations import Locations
from engine.plan_preview import Asked, Preview, Previews, answer
from engine.records import Output, Task
from engine.rows_here import RowsHere
from engine.store import runs
from engine.store.database import open_writer
from tests.end_to_end.workbench import MAPPING_PLAN, WRITING_PLAN, Workbench

TASK = Task("weather-notes", "Say what kind of weather it is.", output=Output("label", ("sun", "rain", "snow")))
TITLES = Task("titles", "Write a title for a note.")


class Desk:
    """A run, its data, and what answers questions about plans."""

    def __init__(self, folder: Path, task: Task, **settings: Any) -> None:
        from engine.catalog_here import catalog_here
        from engine.roles import Roles

        self.bench = Workbench(folder)
        self.locations = Locations(folder / "home").ensure()
        self.connection = open_writer(self.locations.database)
        self.run = runs.create_run(self.connection, task, runs.RunSettings(models={"default": self.bench.script()}, **settings))
        catalog = catalog_here(self.locations, Roles({"embed": "hashing"}, self.locations))
        self.previews = Previews(self.locations, RowsHere(catalog, self.locations.cache))

    def asks(self, plan: str, **more: Any) -> dict[str, Any]:
        question = {"run": self.run, "dataset": str(self.bench.data), "config": "default", "split": "train", "plan": plan, **more}
        said = answer(json.dumps({"id": 7, "preview": question}), self.previews)
        assert said["id"] == 7
        return said

    def preview(self, plan: str, **more: Any) -> Preview:
        said = self.asks(plan, **more)
        assert "preview" in said, said
        found: Preview = said["preview"]
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, TASK)


def test_a_plan_is_shown_on_the_units_a_run_takes_first(desk: Desk) -> None:
    preview = desk.preview(MAPPING_PLAN, units=12)
    assert len(preview.units) == 12 and preview.counts == {"accepted": 12} and preview.reasons == {}
    assert all(unit.output in TASK.output.labels and unit.steps[0].do == "map" for unit in preview.units)
    assert preview.cost.calls == 0 and preview.cost.seconds == 0 and preview.cost.examples == 3000


def test_failures_are_among_them_with_their_reasons(desk: Desk) -> None:
    preview = desk.preview(MAPPING_PLAN.replace(', W = "snow"', ""), units=30)
    lost = [unit for unit in preview.units if unit.state != "accepted"]
    assert lost and preview.counts["accepted"] + len(lost) == 30
    assert sum(preview.reasons.values()) == len(lost) and all(unit.reason for unit in lost)


def test_a_model_is_asked_only_when_that_is_wanted_and_its_answers_are_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path, TITLES, options={"execute": {"examples": 500}})
    without = desk.preview(WRITING_PLAN, units=3)
    assert without.counts == {"asks": 3} and without.cost.calls == 500
    calls = "SELECT count(*) FROM calls"
    assert desk.connection.execute(calls).fetchone()[0] == 0
    asked = desk.preview(WRITING_PLAN, units=3, model=True)
    assert asked.counts == {"accepted": 3} and all(unit.output.startswith("Note ") for unit in asked.units)
    assert desk.connection.execute(calls).fetchone()[0] == 3
    again = desk.preview(WRITING_PLAN, units=4, model=True)
    assert again.units[:3] == asked.units and desk.connection.execute(calls).fetchone()[0] == 4
    desk.previews.close()


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("name = 3", "name"),
        (MAPPING_PLAN.replace('value = "kind"', 'value = "kinds"'), "kind"),
        (MAPPING_PLAN.replace('do = "map"', 'do = "mop"'), "mop"),
    ],
)
def test_a_plan_that_cannot_run_is_refused_with_its_fault(desk: Desk, plan: str, says: str) -> None:
    assert says in desk.asks(plan)["error"]


def test_what_makes_no_sense_is_refused_in_one_line(desk: Desk) -> None:
    assert "not a question" in answer("{", desk.previews)["error"]
    assert "no run zzz" in desk.asks(MAPPING_PLAN, run="zzz")["error"]
    assert desk.asks(MAPPING_PLAN, split="test")["error"]
    assert answer(json.dumps({"id": 3, "preview": msgspec.to_builtins(Asked("", "", "", "", ""))}), desk.previews)["error"]


def test_one_row_is_shown_alone_with_the_prompt_where_a_model_is_needed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, TITLES)
    (unit,) = desk.preview(WRITING_PLAN, row=41).units
    assert (unit.row, unit.key, unit.state) == (41, "41", "asks") and "neighbour number 41" in unit.prompt
    assert "no row 4100" in desk.asks(WRITING_PLAN, row=4100)["error"]
    grouping = WRITING_PLAN.replace("[[steps]]", '[[steps]]\ndo = "group"\nby = ["kind"]\n[[steps]]', 1)
    assert "brings several rows together" in desk.asks(grouping, row=1)["error"]
