"""Where a run trained a model, that one answers: predict, evaluate and try, and after a move to another machine."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from engine.store import runs, steps
from engine.store.lease import this_process
from tests.engine.cli.conftest import Datatune
from tests.engine.cli.trained import STEP, train
from tests.engine.evaluate.made import lines
from tests.engine.stages.house import House


@pytest.fixture
def base(house: House, finished: str) -> Path:
    return train(house, finished)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return lines(tmp_path / "in.jsonl", [{"input": "It froze."}, {"input": "We sweated."}])


def test_the_trained_model_answers_as_it_was_trained(
    datatune: Datatune, house: House, finished: str, base: Path, rows: Path, tmp_path: Path
) -> None:
    said = datatune("predict", finished, rows, "--to", tmp_path / "out.jsonl")
    assert said.code == 0 and "the model this run trained answers, tiny.gguf with its adapter" in said.err
    adapter = house.locations.adapters / STEP[:24] / "adapter" / "adapter.gguf"
    assert adapter.is_file()
    prompts = [prompt for (prompt,) in house.connection.execute("SELECT prompt FROM calls WHERE role = 'base'")]
    assert len(prompts) == 2 and all("It froze." in prompt or "We sweated." in prompt for prompt in prompts)
    assert not any("ice cream" in prompt for prompt in prompts), "no example is shown to a model that was trained"
    again = datatune("predict", finished, rows, "--to", tmp_path / "again.jsonl")
    assert "new answers" not in again.err and (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()
    spec = f"{base}#sequences=1,adapter={adapter}"
    asked = ("predict", finished, rows, "--to", tmp_path / "named.jsonl", "--model", spec, "--style", "export", "--shots", "0")
    assert "new answers" not in datatune(*asked).err, "it is the model of that spec"


def test_model_and_style_still_have_the_last_word(
    datatune: Datatune, house: House, finished: str, base: Path, rows: Path, tmp_path: Path
) -> None:
    said = datatune("predict", finished, rows, "--to", tmp_path / "base.jsonl", "--model", f"{base}#sequences=1")
    assert said.code == 0 and "this run trained" not in said.err
    assert not (house.locations.adapters / STEP[:24] / "adapter" / "adapter.gguf").exists()
    prompts = [prompt for (prompt,) in house.connection.execute("SELECT prompt FROM calls WHERE role = 'base'")]
    assert prompts and all("ice cream" in prompt for prompt in prompts), "two examples are shown, as to any model"
    chat = datatune("predict", finished, rows, "--to", tmp_path / "chat.jsonl", "--style", "chat", "--shots", "1")
    assert chat.code == 0 and "this run trained" in chat.err


def test_an_evaluation_asks_it_as_trained_and_the_base_beside_it_only_when_asked(
    datatune: Datatune, finished: str, base: Path, tmp_path: Path
) -> None:
    test = lines(tmp_path / "t.jsonl", [{"input": f"It froze {number}.", "output": "snow"} for number in range(4)])
    found = datatune("evaluate", finished, "--test", test, "--json").json["evaluation"]
    (model,) = found["models"]
    assert model["model"] == "tiny.gguf + adapter.gguf" and model["choice"]["why"] == "the only one asked for"
    assert [one["setting"] for one in model["results"]] == [{"shots": 0, "style": "export"}]
    both = datatune("evaluate", finished, "--test", test, "--compare", "base", "--json").json["evaluation"]
    assert [model["model"] for model in both["models"]] == ["tiny.gguf + adapter.gguf", "tiny.gguf"]
    assert len(both["models"][1]["choice"]["tried"]) > 1, "the base is asked at its best"
    assert both["comparison"]["difference"]["estimate"]["n"] == 4


def test_what_two_runs_trained_is_held_against_each_other(
    datatune: Datatune, house: House, finished: str, base: Path, tmp_path: Path
) -> None:
    found = runs.read_run(house.connection, finished)
    assert found is not None
    other = runs.create_run(house.connection, found.task, found.settings)
    test = lines(tmp_path / "t.jsonl", [{"input": f"It froze {number}.", "output": "snow"} for number in range(4)])
    said = datatune("evaluate", finished, "--test", test, "--compare", other)
    assert said.code == 2 and f"run {other} trained no model" in said.err
    steps.link_step(house.connection, other, STEP, "finetune", "", reused=True)
    both = datatune("evaluate", finished, "--test", test, "--compare", other, "--json").json["evaluation"]
    assert [model["results"][0]["setting"] for model in both["models"]] == [{"shots": 0, "style": "export"}] * 2
    assert both["comparison"]["difference"]["estimate"]["value"] == 0


def test_of_a_comparison_an_arm_is_named(datatune: Datatune, house: House, finished: str, base: Path, rows: Path, tmp_path: Path) -> None:
    (record,) = house.connection.execute("SELECT record FROM steps WHERE fingerprint = ?", (STEP,)).fetchone()
    for arm, digit in (("mix", "a"), ("shuffled", "b")):
        steps.claim_step(house.connection, digit * 64, "finetune", arm, 1, "{}", 0, this_process())
        steps.finish_step(house.connection, digit * 64, "done", "", record, 1.0)
    found = runs.read_run(house.connection, finished)
    assert found is not None
    compared = runs.create_run(house.connection, found.task, msgspec.structs.replace(found.settings, experiment=True))
    for arm, digit in (("mix", "a"), ("shuffled", "b")):
        steps.link_step(house.connection, compared, digit * 64, "finetune", arm, reused=False)
    said = datatune("predict", compared, rows, "--to", tmp_path / "out.jsonl")
    assert said.code == 2 and "several models" in said.err and f"“{compared}:mix”, “{compared}:shuffled”" in said.err
    said = datatune("predict", f"{compared}:mxi", rows, "--to", tmp_path / "out.jsonl")
    assert said.code == 2 and "no arm 'mxi'" in said.err
    assert datatune("predict", f"{compared}:mix", rows, "--to", tmp_path / "out.jsonl").code == 0
    assert datatune("predict", compared, rows, "--to", tmp_path / "base.jsonl", "--model", f"{base}#sequences=1").code == 0
    test = lines(tmp_path / "t.jsonl", [{"input": f"It froze {number}.", "output": "snow"} for number in range(4)])
    both = datatune("evaluate", finished, "--test", test, "--compare", f"{compared}:shuffled", "--json").json["evaluation"]
    assert len(both["models"]) == 2 and both["comparison"]["difference"]["estimate"]["value"] == 0


def test_a_run_of_another_task_is_asked_in_the_words_it_was_trained_with(
    datatune: Datatune, house: House, finished: str, base: Path, tmp_path: Path
) -> None:
    found = runs.read_run(house.connection, finished)
    assert found is not None
    reworded = msgspec.structs.replace(found.task, description="Tell the weather of a diary's line.")
    other = runs.create_run(house.connection, reworded, found.settings)
    steps.link_step(house.connection, other, STEP, "finetune", "", reused=True)
    test = lines(tmp_path / "t.jsonl", [{"input": f"It froze {number}.", "output": "snow"} for number in range(4)])
    assert datatune("evaluate", finished, "--test", test, "--compare", other).code == 0
    prompts = [prompt for (prompt,) in house.connection.execute("SELECT prompt FROM calls WHERE role = 'base'")]
    words = ["Tell the weather of a diary's line." in prompt for prompt in prompts]
    assert any(words) and not all(words)


def test_a_base_that_is_gone_or_another_is_said(datatune: Datatune, finished: str, base: Path, rows: Path, tmp_path: Path) -> None:
    base.write_bytes(base.read_bytes() + b"x")
    said = datatune("predict", finished, rows, "--to", tmp_path / "out.jsonl")
    assert said.code != 0 and "is not the model that was trained" in said.err and not (tmp_path / "out.jsonl").exists()
    base.unlink()
    assert datatune("predict", finished, rows, "--to", tmp_path / "out.jsonl").code == 6


def test_on_another_machine_it_answers_the_same(
    datatune: Datatune, finished: str, base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert datatune("predict", finished, rows, "--to", tmp_path / "there.jsonl").code == 0
    assert "weights: tiny.gguf" in datatune("bundle", finished, "--to", tmp_path / "run.datatune", "--weights").out
    base.unlink()
    (tmp_path / "home").rename(tmp_path / "lost")
    monkeypatch.setenv("DATATUNE_HOME", str(tmp_path / "other"))
    assert datatune("unbundle", tmp_path / "run.datatune").code == 0
    assert datatune("predict", finished, rows, "--to", tmp_path / "here.jsonl").code == 0
    assert (tmp_path / "here.jsonl").read_bytes() == (tmp_path / "there.jsonl").read_bytes()
    assert json.loads((tmp_path / "here.jsonl").read_text().splitlines()[0])["output"] in ("sun", "rain", "snow")
