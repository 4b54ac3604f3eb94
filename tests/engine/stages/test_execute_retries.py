"""Retries: a unit that failed after a model was asked is tried again, by the retry model where there is one, and only then."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.errors import NothingSuitable
from engine.locations import Locations
from engine.records import Made
from engine.roles import Roles
from engine.store import tallies
from models.language import Request
from tests.engine.stages.house import House, notes
from tests.engine.stages.test_execute import TITLES, WRITING, adds_up, examples, given


class Fickle:
    """Gives half of the titles only when it is asked at a higher temperature; says which requests it had."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, float, int]] = []

    def __call__(self, role: str, prompt: str, request: Request) -> str:
        number = int(re.findall(r"number (\d+)", prompt)[-1])
        fields = request.schema["properties"] if request.schema else {}
        self.asked.append((role, "title" if "title" in fields else "check", request.sampling.temperature, request.sampling.seed))
        if "title" not in fields:
            return json.dumps({"answer": "yes"})
        stubborn = number % 4 == 3
        odd = number % 2 and request.sampling.temperature == 0
        return "no JSON" if stubborn or odd else json.dumps({"title": f"Note {number}"})


def house_of(folder: Path, rows: int = 40) -> tuple[House, Fickle]:
    fickle = Fickle()
    house = House(folder, fickle)
    house.add("notes", notes(rows))
    return house, fickle


def made_with(house: House, wanted: int = 40, **options: Any) -> tuple[str, Made]:
    step, made = house.step("execute", given(WRITING, wanted, TITLES), **options)
    assert adds_up(made)
    return step, made


def test_without_retries_what_failed_has_failed(tmp_path: Path) -> None:
    house, fickle = house_of(tmp_path)
    _, made = made_with(house)
    assert (made.examples, made.failed) == (20, 20) and {temperature for _, _, temperature, _ in fickle.asked} == {0.0}


@pytest.mark.parametrize("rows", [40, 300])
def test_a_failed_unit_is_tried_again_warmer_and_with_another_seed_and_only_those_are(tmp_path: Path, rows: int) -> None:
    house, fickle = house_of(tmp_path, rows)
    _, made = made_with(house, rows, retries=2, least_yield=0)
    assert (made.examples, made.failed) == (rows * 3 // 4, rows // 4)
    titles = [(temperature, seed) for _, kind, temperature, seed in fickle.asked if kind == "title"]
    assert {one: titles.count(one) for one in set(titles)} == {(0.0, 0): rows, (0.7, 1): rows // 2, (0.7, 2): rows // 4}


def test_the_examples_are_the_same_after_an_earlier_run_without_retries_and_no_call_is_repeated(tmp_path: Path) -> None:
    house, fickle = house_of(tmp_path / "one")
    made_with(house)
    before = len(fickle.asked)
    step, _ = made_with(house, retries=1)
    assert {temperature for _, kind, temperature, _ in fickle.asked[before:] if kind == "title"} == {0.7}
    other, _ = house_of(tmp_path / "two")
    fresh, _ = made_with(other, retries=1)
    assert examples(house, step) == examples(other, fresh) and len(examples(house, step)) == 30


def test_a_hopeless_plan_is_judged_by_what_its_retries_make_of_it(tmp_path: Path) -> None:
    def cold(role: str, prompt: str, request: Request) -> str:
        title = request.schema and "title" in request.schema["properties"]
        if not request.sampling.temperature:
            return "no JSON" if title else json.dumps({"answer": "yes"})
        return json.dumps({"title": "A title"} if title else {"answer": "yes"})

    house = House(tmp_path, cold)
    house.add("notes", notes(300))
    with pytest.raises(NothingSuitable, match="none of the first 60 rows"):
        made_with(house, 150)
    _, made = made_with(house, 150, retries=1)
    assert made.examples == 150


def test_the_retry_role_answers_what_is_tried_again(tmp_path: Path) -> None:
    house, fickle = house_of(tmp_path)
    step, made = made_with(house, retries=1)
    assert made.examples == 30 and tallies.item_counts(house.connection, step) == {"accepted": 30, "failed": 10}
    assert {role for role, _, temperature, _ in fickle.asked if temperature} == {"retry"}
    assert {role for role, _, temperature, _ in fickle.asked if not temperature} == {"execute"}


def test_the_retry_role_is_the_execute_model_unless_another_is_named(tmp_path: Path) -> None:
    locations = Locations(tmp_path / "home").ensure()
    assert Roles({"execute": "a.gguf"}, locations).spec("retry") == "a.gguf"
    assert Roles({"default": "b.gguf"}, locations).spec("retry") == "b.gguf"
    assert Roles({"execute": "a.gguf", "retry": "c.gguf"}, locations).spec("retry") == "c.gguf"
