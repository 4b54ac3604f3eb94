"""Two processes train together on the CPU as two GPUs would: the same losses, stopped and killed like one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from models.errors import ModelError
from models.finetune import load
from models.finetune.load import choose_processes
from models.peft_lora import PeftLoraTrainer
from models.training import TrainingProgress
from tests.models.finetune.tiny import OPTIONS, examples, tiny_folder

ONE = msgspec.structs.replace(OPTIONS, dropout=0.0, checkpoints=7)
TWO = msgspec.structs.replace(ONE, processes=2)
TRAIN, HELD = examples(25), examples(7, 100)
"""The last batch of an epoch is one example."""


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> PeftLoraTrainer:
    root = tmp_path_factory.mktemp("tiny")
    return PeftLoraTrainer(tiny_folder(root / "base"), root / "cache")


def curve(reports: list[TrainingProgress]) -> list[tuple[int, float]]:
    return [(one.step, one.loss if one.validation_loss is None else one.validation_loss) for one in reports]


def test_two_processes_have_the_losses_of_one_also_when_they_are_stopped(trainer: PeftLoraTrainer, tmp_path: Path) -> None:
    alone: list[TrainingProgress] = []
    together: list[TrainingProgress] = []
    one = trainer.train(TRAIN, HELD, tmp_path / "one", ONE, alone.append)
    stopped = trainer.train(TRAIN, HELD, tmp_path / "two", TWO, together.append, lambda: bool(together) and together[-1].step >= 9)
    assert not stopped.finished and 9 <= stopped.step < one.steps, "all stop after the same step, within the second epoch"
    two = trainer.train(TRAIN, HELD, tmp_path / "two", TWO, together.append)
    assert two.finished and two.steps == one.steps == 14
    assert [step for step, _ in curve(together)] == [step for step, _ in curve(alone)]
    assert all(ours == pytest.approx(theirs, rel=1e-4) for (_, ours), (_, theirs) in zip(curve(together), curve(alone), strict=True))
    assert two.best_validation_loss == pytest.approx(one.best_validation_loss, rel=1e-4)
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["adapter", "result.json", "training.json"]


@pytest.mark.slow
def test_when_one_is_killed_the_others_end_and_it_is_said(trainer: PeftLoraTrainer, tmp_path: Path) -> None:
    def kill(_: TrainingProgress) -> None:
        os.kill(psutil.Process().children()[-1].pid, signal.SIGKILL)

    with pytest.raises(ModelError, match="ended with signal SIGKILL"):
        trainer.train(TRAIN, (), tmp_path / "out", TWO, kill)
    assert not [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.parametrize(("options", "device", "gpus", "expected"), [
    ({}, "cpu", 0, 1), ({"processes": 2}, "cpu", 0, 2), ({"processes": 3}, "cpu", 0, 2), ({}, "cuda", 4, 4), ({}, "cuda", 3, 2),
    ({"processes": 1}, "cuda", 4, 1), ({"processes": 8}, "cuda", 2, 2), ({"batch": 1}, "cuda", 4, 1),
])  # fmt: skip
def test_there_are_as_many_as_a_batch_can_be_cut_for(
    options: dict[str, Any], device: Any, gpus: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "gpus", lambda: gpus)
    assert choose_processes(msgspec.structs.replace(ONE, **options), device) == expected
