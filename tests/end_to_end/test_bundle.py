"""A run moves to another home through the real command line, and its engine goes on there without data, model or catalog."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.workbench import Workbench


def test_a_run_is_resumed_where_neither_its_data_nor_its_model_are(tmp_path: Path) -> None:
    there, here = Workbench(tmp_path / "there"), Workbench(tmp_path / "here", rows=3)
    made = there.run(there.writing_task, there.writing_plan, "--model", there.script())
    assert made.code == 0, made.err
    run = made.last["run"]
    assert there.datatune("bundle", run, "--to", tmp_path / "run.datatune").code == 0
    exported = there.exported(run)
    there.folder.rename(tmp_path / "lost")
    taken = here.datatune("unbundle", tmp_path / "run.datatune")
    assert taken.code == 0 and "not here: the rows of" in taken.out and "not here: the model for default" in taken.out
    assert here.exported(run) == exported
    resumed = here.datatune("resume", run, "--json")
    assert resumed.code == 0 and resumed.last["examples"] == 60, resumed.err
    assert (here.home / "exports").is_dir()
