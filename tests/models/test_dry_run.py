from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from safetensors import safe_open

from models.dry_run import DryRunTrainer
from models.errors import RequestInvalid
from models.language import Message
from models.training import Trainer, TrainingExample, TrainingOptions, TrainingProgress

TRAIN = [TrainingExample((Message("user", f"item {n}"),), "yes") for n in range(40)]
HELD = [TrainingExample("item", "no")]
OPTIONS = TrainingOptions(batch=4)


def test_losses_fall_and_the_best_step_is_not_the_last(tmp_path: Path) -> None:
    trainer: Trainer = DryRunTrainer()
    seen: list[TrainingProgress] = []
    result = trainer.train(TRAIN, HELD, tmp_path / "out", OPTIONS, seen.append)
    losses = [report.loss for report in seen if report.validation_loss is None]
    assert len(losses) == result.steps == 30 == trainer.estimate(TRAIN, HELD, OPTIONS).steps
    assert losses[0] > 2 * losses[-1]
    measured = {report.step: report.validation_loss for report in seen if report.validation_loss is not None}
    assert result.first_validation_loss == measured.pop(0)
    assert result.best_validation_loss == measured[result.best_step] == min(value for value in measured.values() if value)
    assert 0 < result.best_step < 30
    with safe_open(str(Path(result.adapter) / "adapter_model.safetensors"), "np") as file:
        assert list(file.keys()) == ["dry_run.weight"] and file.get_tensor("dry_run.weight")[0] == result.best_step
    assert msgspec.json.decode((Path(result.adapter) / "adapter_config.json").read_bytes())["r"] == 8


def test_stopped_and_resumed_it_reports_the_same(tmp_path: Path) -> None:
    whole: list[TrainingProgress] = []
    parts: list[TrainingProgress] = []
    reference = DryRunTrainer().train(TRAIN, HELD, tmp_path / "one", OPTIONS, whole.append)
    stopped = DryRunTrainer().train(TRAIN, HELD, tmp_path / "two", OPTIONS, parts.append, lambda: parts[-1].step == 7)
    assert not stopped.finished and stopped.adapter == "" and stopped.step == 7
    resumed = DryRunTrainer().train(TRAIN, HELD, tmp_path / "two", OPTIONS, parts.append)
    assert parts == whole
    assert msgspec.structs.replace(resumed, adapter="") == msgspec.structs.replace(reference, adapter="")


def test_another_training_in_the_folder_and_no_examples_are_refused(tmp_path: Path) -> None:
    DryRunTrainer().train(TRAIN, HELD, tmp_path, OPTIONS)
    with pytest.raises(RequestInvalid, match="holds a training with other examples"):
        DryRunTrainer().train(TRAIN[1:], HELD, tmp_path, OPTIONS)
    with pytest.raises(RequestInvalid, match="no example to train on"):
        DryRunTrainer().train([], HELD, tmp_path / "none", OPTIONS)
