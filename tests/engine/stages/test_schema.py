"""Schema says what each column is for, from the config that serves the task best; test splits stay out and the user's word is final."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import BadInput, NothingSuitable, Unavailable
from engine.records import Task
from engine.stages.schema import Given
from tests.engine.stages.house import WEATHER, House, notes, task

OPAQUE = {"sun": "S", "rain": "R", "snow": "W"}
TWO_CONFIGS = """---
configs:
- config_name: prices
  data_files:
  - split: train
    path: prices.jsonl
- config_name: notes
  data_files:
  - split: train
    path: notes.jsonl
  - split: test
    path: held_out.jsonl
---
# Two tables
"""


def given(dataset: str, for_task: Task = WEATHER, plan: str = "") -> Given:
    return Given(for_task, dataset, "r1", plan)


def two_configs(house: House) -> str:
    rows: dict[str, Any] = {"prices": [{"price": n, "shop": f"shop {n}"} for n in range(30)], "notes": notes(30), "held_out": notes(9)}
    return house.add("tables", rows, TWO_CONFIGS)


# ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_roles_are_read_off_the_columns_without_a_model(tmp_path: Path) -> None:
    house = House(tmp_path)
    record = house.run("schema", given(house.add("notes", notes(30))))
    assert record.roles == {"number": "irrelevant", "note": "input", "weather": "output"}
    assert (record.origin, record.dataset, record.splits) == ("structure", "local/notes", ("train",))
    assert record.reason and not house.roles.asked


def test_options_are_shown_and_the_label_that_chooses_among_them_is_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    rows = [
        {
            "premise": f"Neighbour {n} opened the window.",
            "choice1": f"The air grew cool {n}.",
            "choice2": f"A ship sank {n}.",
            "label": n % 2,
        }
        for n in range(40)
    ]
    choosing = task("option_text", description="Given a premise and two choices, give the choice that is its effect.")
    roles = house.run("schema", given(house.add("effects", rows), choosing)).roles
    assert roles == {"premise": "input", "choice1": "input", "choice2": "input", "label": "output"}


def test_nothing_that_gives_the_output_away_is_an_input(tmp_path: Path) -> None:
    house = House(tmp_path)
    rows = [row | {"weather_again": row["weather"], "letter": row["weather"][0]} for row in notes(30)]
    roles = house.run("schema", given(house.add("notes", rows))).roles
    assert roles["note"] == "input"
    assert "input" not in (roles["weather"], roles["weather_again"], roles["letter"])


# ── splits and configs ────────────────────────────────────────────────────────────────────────────────────


def test_test_splits_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    house = House(tmp_path)
    dataset = house.add("notes", {"test": notes(9), "validation": notes(9, start=50), "train": notes(30, start=100)})
    assert house.run("schema", given(dataset)).splits == ("train", "validation")
    assert set(house.run("schema", given(dataset), include_test=True).splits) == {"train", "validation", "test"}
    assert house.run("schema", given(dataset), splits=["test"]).splits == ("test",)


def test_a_data_set_of_test_splits_alone_is_refused_with_the_way_out(tmp_path: Path) -> None:
    house = House(tmp_path)
    dataset = house.add("notes", {"test": notes(30)})
    with pytest.raises(NothingSuitable, match="only test splits") as refused:
        house.run("schema", given(dataset))
    assert "schema.include_test=true" in refused.value.hint
    assert house.run("schema", given(dataset), include_test=True).splits == ("test",)


@pytest.mark.parametrize("splits", [["trian"], ["train", "trian"]])
def test_a_split_that_is_not_there_is_bad_input_with_the_nearest_named(tmp_path: Path, splits: list[str]) -> None:
    house = House(tmp_path)
    dataset = house.add("notes", {"train": notes(30), "validation": notes(9)})
    with pytest.raises(BadInput, match="no split 'trian'") as refused:
        house.run("schema", given(dataset), splits=splits)
    assert "train" in refused.value.hint


def test_the_config_that_serves_the_task_is_chosen(tmp_path: Path) -> None:
    house = House(tmp_path)
    record = house.run("schema", given(two_configs(house)))
    assert (record.config, record.splits) == ("notes", ("train",))
    assert record.roles["weather"] == "output"


def test_a_config_asked_for_is_used_and_an_unknown_one_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    dataset = two_configs(house)
    assert house.run("schema", given(dataset), config="prices").config == "prices"
    with pytest.raises(BadInput, match="no config 'note'") as refused:
        house.run("schema", given(dataset), config="note")
    assert "notes" in refused.value.hint


def test_at_most_so_many_configs_are_looked_at(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.run("schema", given(two_configs(house)), configs_tried=1).config == "prices"


def test_a_data_set_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cards({"someone/notes": "# Notes"})
    with pytest.raises(Unavailable):
        house.run("schema", given("someone/notes"))


# ── the user's word ───────────────────────────────────────────────────────────────────────────────────────


def test_a_role_the_user_sets_is_final(tmp_path: Path) -> None:
    house = House(tmp_path)
    record = house.run("schema", given(house.add("notes", notes(30))), roles={"number": "input", "note": "irrelevant"})
    assert record.roles == {"number": "input", "note": "irrelevant", "weather": "output"}
    assert record.origin == "user"


def test_a_role_for_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    dataset = house.add("notes", notes(30))
    with pytest.raises(BadInput, match="no column 'notte'") as refused:
        house.run("schema", given(dataset), roles={"notte": "input"})
    assert "'note'" in refused.value.hint


def test_a_role_for_a_column_of_one_config_does_not_shut_out_the_others(tmp_path: Path) -> None:
    house = House(tmp_path)
    record = house.run("schema", given(two_configs(house)), roles={"number": "irrelevant"})
    assert record.config == "notes" and "price" not in record.roles


def test_a_plan_of_the_user_decides_config_and_roles(tmp_path: Path) -> None:
    house = House(tmp_path)
    steps = '[[steps]]\ndo = "template"\ninto = "t"\ntemplate = "{{ weather }}"'
    plan = f'name = "mine"\n{steps}\n[emit]\ninput = "{{{{ note }}}}"\noutput = "{{{{ t }}}}"'
    record = house.run("schema", given(two_configs(house), plan=plan))
    assert (record.config, record.origin) == ("notes", "user")
    assert record.roles == {"number": "irrelevant", "note": "input", "weather": "output"}
    assert not house.roles.asked


def test_a_prose_plan_says_nothing_of_the_output(tmp_path: Path) -> None:
    house = House(tmp_path)
    plan = 'name = "mine"\nprose = ["Read the note.", "Say the weather."]\ncolumns = ["note"]'
    record = house.run("schema", given(house.add("notes", notes(30)), plan=plan))
    assert record.roles == {"number": "irrelevant", "note": "input", "weather": "irrelevant"}


# ── no plan ───────────────────────────────────────────────────────────────────────────────────────────────


def test_where_structure_finds_no_plan_natural_text_may_be_shown_and_nobody_is_asked(tmp_path: Path) -> None:
    house = House(tmp_path)
    record = house.run("schema", given(house.add("notes", notes(30, "kind", OPAQUE))))
    assert record.roles == {"number": "irrelevant", "note": "input", "kind": "irrelevant"}
    assert record.origin == "structure" and "no column holds any of the labels" in record.reason
    assert not house.roles.asked
