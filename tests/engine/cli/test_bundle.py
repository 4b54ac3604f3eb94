"""datatune bundle and datatune unbundle, from the command line."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from engine.store import runs
from engine.store.lease import this_process
from tests.engine.cli.conftest import Datatune, Said
from tests.engine.stages.house import House


@pytest.fixture
def elsewhere(datatune: Datatune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Datatune:
    """The command line on another machine."""

    def run(*arguments: object) -> Said:
        monkeypatch.setenv("DATATUNE_HOME", str(tmp_path / "other home"))
        try:
            return datatune(*arguments)
        finally:
            monkeypatch.setenv("DATATUNE_HOME", str(tmp_path / "home"))

    return run


def test_a_run_moves_and_every_command_that_reads_works_there(
    datatune: Datatune, elsewhere: Datatune, finished: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.datatune"
    said = datatune("bundle", finished, "--to", file)
    assert said.code == 0 and f"{file}: " in said.out and "steps, " in said.out
    assert "of rows before they are packed" in said.err, "the size is said before anything is written"
    taken = elsewhere("unbundle", file)
    assert taken.code == 0 and f"run {finished}: done, 20 examples" in taken.out and "datatune show" in taken.out
    shown = [one("show", finished, "--json").json for one in (datatune, elsewhere)]
    assert shown[0] | {"settings": 0} == shown[1] | {"settings": 0}
    assert elsewhere("show", finished, "--events").out.count("\n") == datatune("show", finished, "--events").out.count("\n") + 1
    for one, folder in ((datatune, "a"), (elsewhere, "b")):
        assert one("export", finished, "--to", tmp_path / folder).code == 0
    assert (tmp_path / "a" / "examples.jsonl").read_bytes() == (tmp_path / "b" / "examples.jsonl").read_bytes()
    assert elsewhere("report", finished, "--to", tmp_path / "r.html").code == 0
    script = tmp_path / "three.json"
    script.write_text(json.dumps({"rules": [{"match": "", "text": "[-1, -0.5, -2]"}]}))
    (tmp_path / "in.csv").write_text("input\nIt froze.\n")
    asked = ("predict", finished, tmp_path / "in.csv", "--to", tmp_path / "out.csv", "--model", f"scripted:{script}")
    assert elsewhere(*asked).code == 0 and (tmp_path / "out.csv").read_text() == "input,output\nIt froze.,rain\n"
    again = elsewhere("unbundle", file)
    assert again.code == 0 and "is here already, and was left as it is" in again.out


def test_for_programs_it_is_one_document(datatune: Datatune, elsewhere: Datatune, finished: str, tmp_path: Path) -> None:
    file = tmp_path / "run.datatune"
    made = datatune("bundle", finished, "--to", file, "--json").json["bundled"]
    assert made["run"] == finished and made["bytes"] == file.stat().st_size and made["rows"]["runs"] == 1
    taken = elsewhere("unbundle", file, "--json").json["unbundled"]
    assert taken["run"] == taken["was"] == finished and not taken["already"] and taken["examples"] == 20
    assert elsewhere("unbundle", file, "--json").json["unbundled"]["already"]
    file.write_bytes(file.read_bytes()[:-9])
    broken = elsewhere("unbundle", file, "--json")
    assert broken.code == 2 and "nothing was stored" in broken.json["error"] and "copy it again" in broken.json["hint"]


def test_what_cannot_be_written_is_refused_before_anything_is_read(datatune: Datatune, finished: str, tmp_path: Path) -> None:
    assert "is a folder" in datatune("bundle", finished, "--to", tmp_path).err
    assert "no folder" in datatune("bundle", finished, "--to", tmp_path / "none" / "x").err
    (tmp_path / "mine").write_text("mine")
    assert "is there already" in datatune("bundle", finished, "--to", tmp_path / "mine").err and (tmp_path / "mine").read_text() == "mine"
    assert datatune("bundle", finished, "--to", tmp_path / "mine", "--replace").code == 0
    assert datatune("bundle", "zzzz", "--to", tmp_path / "x").code == 2
    assert datatune("unbundle", tmp_path / "nowhere").code == 2


def test_a_model_that_is_not_here_is_named_with_what_to_do(
    datatune: Datatune, elsewhere: Datatune, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = house.pipeline(options={"execute": {"examples": 5}}, models={"default": "/their/big.gguf", "judge": "openai:http://192.0.2.1"})
    run = house.session.run
    runs.finish_run(house.connection, run, "done", "5 examples", 0, ending.examples)
    left = datatune("bundle", run, "--to", tmp_path / "run.datatune").out
    assert "not in it: the model /their/big.gguf" in left
    said = elsewhere("unbundle", tmp_path / "run.datatune").out
    assert f"not here: the model for default: /their/big.gguf; name one with --model: datatune resume {run} --model default=SPEC" in said
    assert "asks a server, judge: openai:http://192.0.2.1" in said
    # The engine is not needed to see that the name was taken up.
    monkeypatch.setattr(import_module("engine.cli.run"), "_drive", lambda *given: 0)
    assert elsewhere("resume", run, "--model", "default=smollm2").code == 0
    assert elsewhere("show", run, "--json").json["settings"]["models"]["default"] == "smollm2"
    assert "unknown role" in elsewhere("resume", run, "--model", "nobody=smollm2").err


def test_models_of_a_run_at_work_are_not_changed(datatune: Datatune, house: House) -> None:
    run = house.session.run
    runs.claim_run(house.connection, run, this_process())
    said = datatune("resume", run, "--model", "default=smollm2")
    assert said.code == 4 and "is at work" in said.err
