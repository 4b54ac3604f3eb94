"""The data set a task file names: an id, or a folder whose path counts from the file's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.run import run_settings
from engine.config import parse_task
from engine.errors import BadInput


def dataset(named: str, base: Path, flag: str = "") -> str:
    file = parse_task(f"[task]\nname = 't'\ndescription = 'd'\ndataset = {named!r}\n", "t.toml")
    return run_settings(file, base, flag, None, "", (), (), 0, "", None).dataset


def test_an_id_stays_and_a_folder_becomes_absolute(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    assert dataset("starter/notes", tmp_path) == "starter/notes"
    assert dataset("notes", tmp_path) == str(tmp_path / "notes") == dataset("./notes", tmp_path)


def test_the_command_line_comes_first(tmp_path: Path) -> None:
    assert dataset("starter/notes", tmp_path, "owner/other") == "owner/other"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder"):
        dataset("./nowhere", tmp_path)
