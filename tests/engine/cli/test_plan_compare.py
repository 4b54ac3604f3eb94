"""datatune plan compare: files and runs' plans on the same rows, side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ExitCode
from tests.engine.cli.conftest import Datatune
from tests.engine.cli.test_commands import task_file
from tests.engine.stages.house import House, notes

PLAN = 'name = "mine"\n[[steps]]\ndo = "map"\nvalue = "weather"\ninto = "label"\ntable = {{ {table} }}\n'
PLAN += '[emit]\ninput = "{{{{ note }}}}"\noutput = "{{{{ label }}}}"\n'
RIGHT = 'sun = "sun", rain = "rain", snow = "snow"'
TURNED = 'sun = "sun", rain = "snow", snow = "rain"'


def plan_file(folder: Path, name: str, table: str = RIGHT) -> Path:
    path = folder / name
    path.write_text(PLAN.format(table=table), encoding="utf-8")
    return path


def where(folder: Path, dataset: str = "local/notes") -> tuple[object, ...]:
    return ("--dataset", dataset, "--task", task_file(folder))


def test_two_files_are_set_side_by_side(datatune: Datatune, house: House, tmp_path: Path) -> None:
    files = plan_file(tmp_path, "a.toml"), plan_file(tmp_path, "b.toml", TURNED)
    said = datatune("plan", "compare", *files, *where(tmp_path))
    assert said.code == 0 and not said.err
    assert "60 sample rows of local/notes" in said.out
    assert "1 and 2: of 60 rows both made examples of, the same output in 33% (40 differ), the same input in 100%" in said.out
    assert said.out.count("\nrow ") == said.out.count("  1 → ") == 3
    assert "  1 → 'rain'\n  2 → 'snow'" in said.out or "  1 → 'snow'\n  2 → 'rain'" in said.out
    spoken = datatune("plan", "compare", *files, *where(tmp_path), "--json").json
    assert spoken["pairs"][0]["same_outputs"] == 20 and len(spoken["differences"]) == 3
    assert [side["trial"]["made"] for side in spoken["plans"]] == [60, 60]


def test_a_runs_plan_and_its_runner_up_are_compared_with_a_file(datatune: Datatune, finished: str, tmp_path: Path) -> None:
    file = plan_file(tmp_path, "a.toml")
    said = datatune("plan", "compare", file, finished[:6], f"{finished}#0", *where(tmp_path), "--json")
    assert said.code == 0
    assert [pair["same_outputs"] for pair in said.json["pairs"]] == [60, 60, 60]
    (choice,) = datatune("plan", "show", finished, "--json").json
    count = len(choice["runners_up"])
    if count:
        assert datatune("plan", "compare", file, f"{finished}#{count}", *where(tmp_path)).code == 0
    over = datatune("plan", "compare", file, f"{finished}#{count + 1}", *where(tmp_path))
    assert over.code == ExitCode.BAD_INPUT and f"{count} runners-up" in over.err


def test_a_run_over_a_folder_has_its_plan_under_every_name_of_the_folder(datatune: Datatune, house: House, tmp_path: Path) -> None:
    folder = house.write("loose", notes(60), "# Weather notes\n\nNotes with their weather.")
    file = plan_file(tmp_path, "a.toml")
    ending = house.pipeline(dataset=str(folder), options={"execute": {"examples": 20}})
    assert ending.parts
    for name in (str(folder), folder):
        assert datatune("plan", "compare", file, house.session.run, *where(tmp_path, str(name))).code == 0
    datatune("catalog", "add", folder)
    assert datatune("plan", "compare", file, house.session.run, *where(tmp_path, "local/loose")).code == 0


def test_the_rows_are_drawn_by_the_seed_and_as_many_as_asked_for(datatune: Datatune, house: House, tmp_path: Path) -> None:
    files = plan_file(tmp_path, "a.toml"), plan_file(tmp_path, "b.toml", TURNED)
    one, same, other = (
        datatune("plan", "compare", *files, *where(tmp_path), "--rows", 20, "--seed", seed, "--json").json for seed in (1, 1, 2)
    )
    assert one["rows"] == 20 and one == same
    assert [shown["row"] for shown in one["differences"]] != [shown["row"] for shown in other["differences"]]


def test_a_plan_that_cannot_run_says_why_beside_the_others(datatune: Datatune, house: House, tmp_path: Path) -> None:
    good, wrong, asking = plan_file(tmp_path, "a.toml"), plan_file(tmp_path, "b.toml"), tmp_path / "c.toml"
    wrong.write_text(good.read_text(encoding="utf-8").replace('"weather"', '"wether"'), encoding="utf-8")
    asking.write_text('name = "prose"\nprose = ["Read the note.", "Say what weather it is."]\n', encoding="utf-8")
    said = datatune("plan", "compare", good, wrong, *where(tmp_path))
    assert said.code == ExitCode.BAD_INPUT and "error: step 1, map" in said.out and "score" not in said.err
    said = datatune("plan", "compare", good, asking, *where(tmp_path))
    assert said.code == 0 and "asks a model" in said.out


@pytest.mark.parametrize(
    ("plans", "error", "hint"),
    [
        (("a.toml",), "nothing to compare", "RUN#1"),
        (("a.toml", "nowhere.toml"), "cannot be read", "plan save"),
        (("a.toml", "nowhere"), "no run 'nowhere'", ""),
        (("a.toml", "some/folder"), "neither a file nor a run", "RUN#1"),
        (("a.toml", "abc#best"), "neither a file nor a run", "RUN#1"),
    ],
)
def test_what_cannot_be_compared_is_said(
    datatune: Datatune,
    house: House,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plans: tuple[str, ...],
    error: str,
    hint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    plan_file(tmp_path, "a.toml")
    said = datatune("plan", "compare", *plans, *where(tmp_path))
    assert said.code == ExitCode.BAD_INPUT and not said.out
    assert error in said.err and hint in said.err


def test_a_run_over_another_data_set_is_named_with_what_it_has(datatune: Datatune, finished: str, house: House, tmp_path: Path) -> None:
    house.add("more", notes(30), "# More notes")
    said = datatune("plan", "compare", plan_file(tmp_path, "a.toml"), finished, *where(tmp_path, "local/more"))
    assert said.code == ExitCode.BAD_INPUT
    assert "no plan for local/more" in said.err and "local/notes" in said.err
