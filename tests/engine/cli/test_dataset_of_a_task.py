"""The data set a task file names: an id, or a folder whose path counts from the file's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.run import run_settings
from engine.config import parse_task
from engine.errors import BadInput
from engine.store.runs import RunSettings


def dataset(named: str, base: Path, flag: str = "") -> str:
    file = parse_task(f"[task]\nname = 't'\ndescription = 'd'\ndataset = {named!r}\n", "t.toml")
    return run_settings(file, base, flag, (), "", (), (), 0, "", None).dataset


def test_an_id_stays_and_a_folder_becomes_absolute(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    assert dataset("starter/notes", tmp_path) == "starter/notes"
    assert dataset("notes", tmp_path) == str(tmp_path / "notes") == dataset("./notes", tmp_path)


def test_the_command_line_comes_first(tmp_path: Path) -> None:
    assert dataset("starter/notes", tmp_path, "owner/other") == "owner/other"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder"):
        dataset("./nowhere", tmp_path)


PLAN = 'name = "mine"\n[emit]\ninput = "{{ a }}"\noutput = "{{ b }}"\n'


def made(*plans: str, dataset: str = "", prefer: str = "") -> RunSettings:
    file = parse_task(f"[task]\nname = 't'\ndescription = 'd'\n[retrieve]\nprefer = [{prefer}]\n", "t.toml")
    return run_settings(file, Path("/nowhere"), dataset, plans, "", (), (), 0, "", None)


def test_plans_are_for_data_sets_by_id_which_come_first(tmp_path: Path) -> None:
    (tmp_path / "plan=one.toml").write_text(PLAN)
    file = str(tmp_path / "plan=one.toml")
    several = made(f"owner/a={file}", f"owner/b={file}", prefer="'owner/c', 'owner/b'")
    assert several.plans == {"owner/a": PLAN, "owner/b": PLAN} and several.plan == "" == several.dataset
    assert several.options["retrieve"]["prefer"] == ["owner/a", "owner/b", "owner/c"]
    alone = made(file, dataset="owner/a")
    assert (alone.plan, alone.plans) == (PLAN, {})
    for given, said in (
        ((file,), "needs --dataset"),
        ((f"{tmp_path}={file}",), "a folder has no id"),
        ((f"owner/a={tmp_path}/none.toml",), "cannot be read"),
    ):
        with pytest.raises(BadInput, match=said):
            made(*given)
    with pytest.raises(BadInput, match="two plans for one"):
        made(file, file, dataset="owner/a")
    with pytest.raises(BadInput, match="goes with data sets that are found"):
        made(f"owner/b={file}", dataset="owner/a")
