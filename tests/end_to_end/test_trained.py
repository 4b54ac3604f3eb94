"""A model is really trained, killed on the way, asked its test and compared, all without a network."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from engine.curve import curve_of
from engine.store.database import open_reader
from engine.store.steps import steps_of_run
from tests.end_to_end.test_network_cut import Offline, needs_models
from tests.end_to_end.test_survival import kill
from tests.end_to_end.workbench import wait_until

pytestmark = [needs_models, pytest.mark.slow, pytest.mark.timeout(1800)]

STEPS = 8
TRAINING = ("--set", f"finetune.steps={STEPS}", "--set", "finetune.checkpoints=8", "--set", "finetune.evaluations=2")
SCRIPTED = ("--set", "expand.use_model=false", "--set", "plan.verify=false", "--json")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Offline:
    return with_test(Offline(tmp_path_factory.mktemp("trained"), rows=60))


def with_test(made: Offline) -> Offline:
    """A workbench whose task has a test."""
    words = {"sun": "sunburn", "rain": "puddles", "snow": "sledges"}
    rows = [{"input": f"On day {day} all spoke of {word}.", "output": label} for day in range(5) for label, word in words.items()]
    made.write("test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    made.write("task.toml", made.task.read_text(encoding="utf-8").replace("[task]\n", '[task]\ntest = "test.jsonl"\n', 1))
    return made


def curve(home: Path, run: str) -> list[tuple[int, float]]:
    """Step and loss of every point of a run's training; of measurements the validation loss."""
    connection = open_reader(home / "datatune.db")
    (step,) = [one for one in steps_of_run(connection, run) if one.stage == "finetune"]
    points = curve_of(connection, step.fingerprint)
    return [(point.step, point.validation_loss if point.loss is None else point.loss) for point in points]  # type: ignore[misc]


def trained_steps(home: Path) -> int:
    """Points of any training that are stored by now."""
    try:
        with sqlite3.connect(f"file:{home / 'datatune.db'}?mode=ro", uri=True) as connection:
            found = connection.execute("SELECT count(*) FROM items JOIN steps ON fingerprint = step WHERE stage = 'finetune'").fetchone()
    except sqlite3.Error:
        return 0  # the database is being made
    return int(found[0])


def test_a_training_that_was_killed_ends_as_one_that_was_not_and_is_asked_the_test(bench: Offline, tmp_path: Path) -> None:
    command = ("run", bench.task, "--dataset", bench.data, "--plan", bench.mapping_plan, "--finetune", "smollm2", *TRAINING, *SCRIPTED)
    whole = bench.datatune(*command)
    assert whole.code == 0, whole.err
    # Only its home is another: the folder of the data has a say in the order of rows.
    torn = Offline(tmp_path / "torn", rows=1)
    child = torn.start(*command)
    wait_until(lambda: trained_steps(torn.home) >= 4, 300)
    kill(torn)
    child.communicate(timeout=60)
    (run,) = (line["run"] for line in json.loads(torn.datatune("runs", "--json").out))
    resumed = torn.datatune("resume", run, "--json")
    assert resumed.code == 0, resumed.err
    expected, found = curve(bench.home, whole.last["run"]), curve(torn.home, run)
    assert [point[0] for point in found] == [point[0] for point in expected] and expected[-1][0] == STEPS
    apart = [abs(ours[1] - theirs[1]) for ours, theirs in zip(found, expected, strict=True)]
    assert max(apart) == 0 and expected[1][1] > 1, apart
    evaluations = []
    for place, one in ((bench, whole.last["run"]), (torn, run)):
        (step,) = json.loads(place.datatune("show", one, "evaluate", "--json").out)
        record = step["record"]
        evaluations.append([model["results"][0]["figures"] for model in record["evaluation"]["models"]])
        assert record["finetuned"] and record["evaluation"]["items"] == 15
        # Free texts of a model trained for eight steps soon part where the file's own quantisation rounds.
        assert record["agreement"]["items"] == 15 and record["agreement"]["same"] >= 1
    accuracy = [[model[0]["estimate"]["value"] for model in models] for models in evaluations]
    assert accuracy[0][1] == accuracy[1][1], "the base is the same"
    assert accuracy[0][0] == accuracy[1][0]


def test_arms_are_trained_and_compared(bench: Offline) -> None:
    arms = ("--arms", "few-shot,transformed,shuffled", "--examples", "40", "--base", "smollm2")
    ended = bench.datatune("compare", bench.task, "--dataset", bench.data, "--plan", bench.mapping_plan, *arms, *TRAINING, *SCRIPTED)
    assert ended.code == 0, ended.err
    (step,) = json.loads(bench.datatune("show", ended.last["run"], "compare", "--json").out)
    assert [(arm["name"], arm["examples"]) for arm in step["record"]["arms"]] == [("few-shot", 0), ("transformed", 40), ("shuffled", 40)]
    assert all(arm["figures"][0]["estimate"]["n"] == 15 for arm in step["record"]["arms"])
