from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

import models.finetune.estimate
import models.finetune.session
import models.peft_lora
from models.errors import MemoryShort, RequestInvalid, RuntimeUnavailable
from models.finetune.base import base_of_folder
from models.finetune.kept import Folder
from models.finetune.libraries import quiet
from models.finetune.loop import WHOLE, last_checkpoint
from models.peft_lora import PeftLoraTrainer
from models.training import TrainingOptions, TrainingProgress, TrainingResult
from tests.models.finetune.tiny import OPTIONS, examples, tiny_folder

TRAIN, HELD = examples(24), examples(7, 100)


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> PeftLoraTrainer:
    root = tmp_path_factory.mktemp("tiny")
    return PeftLoraTrainer(tiny_folder(root / "base"), root / "cache")


@pytest.fixture(scope="module")
def whole(trainer: PeftLoraTrainer, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, list[TrainingProgress]]:
    """A training without a break, and what it reported."""
    seen: list[TrainingProgress] = []
    return trainer.train(TRAIN, HELD, tmp_path_factory.mktemp("whole") / "out", OPTIONS, seen.append), seen


def curve(reports: list[TrainingProgress]) -> list[tuple[int, float, float | None]]:
    return [(report.step, report.loss, report.validation_loss) for report in reports]


def test_the_loss_falls_and_the_best_adapter_is_kept(whole: tuple[TrainingResult, list[TrainingProgress]]) -> None:
    result, seen = whole
    steps = [report for report in seen if report.validation_loss is None]
    assert [report.step for report in steps] == list(range(1, 13)) and result.steps == 12 and result.finished
    assert sum(report.loss for report in steps[-3:]) / 3 < sum(report.loss for report in steps[:3]) / 3 - 0.1
    measured = {report.step: report.validation_loss for report in seen if report.validation_loss is not None}
    assert list(measured) == [0, 3, 6, 9, 12]
    assert result.first_validation_loss == measured.pop(0)
    assert result.best_validation_loss == min(measured.values()) == measured[result.best_step]
    assert steps[-1].seconds_left == 0 and steps[0].memory > 1 << 20 and steps[0].tokens_per_second > 0
    assert sorted(path.name for path in Path(result.adapter).iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    said = msgspec.json.decode((Path(result.adapter) / "adapter_config.json").read_bytes())
    assert (said["r"], said["lora_alpha"], said["base_model_name_or_path"]) == (8, 16, "base")
    assert len(said["target_modules"]) == 7
    assert sorted(path.name for path in Path(result.adapter).parent.iterdir()) == ["adapter", "result.json", "training.json"]


def test_a_stopped_training_goes_on_as_if_it_had_not_been(
    trainer: PeftLoraTrainer, whole: tuple[TrainingResult, list[TrainingProgress]], tmp_path: Path
) -> None:
    result, reference = whole
    seen: list[TrainingProgress] = []
    stopped = trainer.train(TRAIN, HELD, tmp_path / "out", OPTIONS, seen.append, lambda: seen[-1].step == 5)
    assert (stopped.finished, stopped.adapter, stopped.step) == (False, "", 5)
    # What a kill in the middle of a checkpoint leaves.
    (tmp_path / "out" / "checkpoints" / "checkpoint-6").mkdir()
    done = trainer.train(TRAIN, HELD, tmp_path / "out", OPTIONS, seen.append)
    assert curve(seen) == curve(reference)
    name = "adapter_model.safetensors"
    assert (Path(done.adapter) / name).read_bytes() == (Path(result.adapter) / name).read_bytes()


def test_a_finished_training_is_not_repeated_and_another_is_refused(
    trainer: PeftLoraTrainer, whole: tuple[TrainingResult, list[TrainingProgress]]
) -> None:
    result, _ = whole
    out = Path(result.adapter).parent
    seen: list[TrainingProgress] = []
    assert trainer.train(TRAIN, HELD, out, OPTIONS, seen.append) == result and seen == []
    with pytest.raises(RequestInvalid, match="holds a training with other examples"):
        trainer.train(TRAIN[1:], HELD, out, OPTIONS)
    with pytest.raises(RequestInvalid, match="holds a training with other examples"):
        trainer.train(TRAIN, HELD, out, msgspec.structs.replace(OPTIONS, rank=4))


def test_a_training_killed_after_its_last_step_ends_as_the_others(
    trainer: PeftLoraTrainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    short = msgspec.structs.replace(OPTIONS, steps=2)
    first = trainer.train(TRAIN, (), tmp_path / "one", short)
    assert (first.best_step, first.best_validation_loss, first.first_validation_loss) == (2, None, None)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Folder, "finish", killed)
        trainer.train(TRAIN, (), tmp_path / "two", short)
    seen: list[TrainingProgress] = []
    again = trainer.train(TRAIN, (), tmp_path / "two", short, seen.append)
    assert again.finished and seen == []
    name = "adapter_model.safetensors"
    assert (Path(again.adapter) / name).read_bytes() == (Path(first.adapter) / name).read_bytes()


def test_the_validation_loss_is_that_of_completion_tokens_and_their_end(
    trainer: PeftLoraTrainer, whole: tuple[TrainingResult, list[TrainingProgress]]
) -> None:
    """Computed plainly, without batches and padding: the new adapter changes nothing yet."""
    base = trainer.base()
    rows = [base.reader().row(example) for example in HELD]
    with quiet():
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
        total, count = 0.0, 0
        for row in rows:
            with torch.no_grad():
                scores = torch.log_softmax(model(torch.tensor([row.tokens])).logits[0], -1)
            for place in range(row.prompt, len(row.tokens)):
                total -= float(scores[place - 1, row.tokens[place]])
                count += 1
    assert whole[0].first_validation_loss == pytest.approx(total / count, abs=1e-4)


@pytest.mark.parametrize("changes", [{"gradient_checkpointing": "on"}, {"precision": "nf4"}])
def test_it_also_trains_with_less_memory(
    trainer: PeftLoraTrainer, whole: tuple[TrainingResult, list[TrainingProgress]], tmp_path: Path, changes: dict[str, Any]
) -> None:
    seen: list[TrainingProgress] = []
    options = msgspec.structs.replace(OPTIONS, steps=3, dropout=0.0, **changes)
    result = trainer.train(TRAIN, (), tmp_path / "out", options, seen.append)
    plain = [report for report in whole[1] if report.validation_loss is None]
    assert result.precision == options.precision and all(math.isfinite(report.loss) for report in seen)
    # Nothing is learnt before the first step: 4 bits and dropout change these numbers little.
    assert seen[0].loss == pytest.approx(plain[0].loss, abs=0.05)
    assert seen[2].loss < seen[0].loss


def test_more_batches_in_a_step_are_the_same_step(trainer: PeftLoraTrainer, tmp_path: Path) -> None:
    """One step over all examples, as one batch and as three of unequal numbers of tokens."""
    losses = []
    for batch, accumulation in ((9, 1), (3, 3)):
        options = msgspec.structs.replace(OPTIONS, steps=2, warm_up=0.0, dropout=0.0, batch=batch, accumulation=accumulation)
        seen: list[TrainingProgress] = []
        trainer.train(TRAIN[:9], (), tmp_path / str(batch), options, seen.append)
        losses.append([report.loss for report in seen])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_want_of_memory_is_told_with_a_way_out(trainer: PeftLoraTrainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def short(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(models.finetune.session, "load_model", short)
    with pytest.raises(MemoryShort, match="ran out while training") as caught:
        trainer.train(TRAIN, HELD, tmp_path / "out", OPTIONS)
    assert "set batch to 2 and accumulation to 2" in caught.value.hint and "gradient_checkpointing" in caught.value.hint


def test_what_cannot_fit_is_refused_before_anything_is_loaded(
    trainer: PeftLoraTrainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = trainer.estimate(TRAIN, HELD, OPTIONS)
    assert not free.refusal and not free.gradient_checkpointing
    monkeypatch.setattr(models.finetune.estimate, "free_bytes", lambda *_: free.bytes - 1000)
    assert trainer.estimate(TRAIN, HELD, OPTIONS).gradient_checkpointing
    monkeypatch.setattr(models.finetune.estimate, "free_bytes", lambda *_: 1 << 20)
    monkeypatch.setattr(models.finetune.session, "load_model", None)
    with pytest.raises(MemoryShort, match=r"needs about 0\.6 GB on the CPU, and 0\.0 GB are free") as caught:
        trainer.train(TRAIN, HELD, tmp_path / "out", OPTIONS)
    assert "choose a smaller base" in caught.value.hint


@pytest.mark.parametrize(
    ("train", "options", "said"),
    [
        (TRAIN[:0], OPTIONS, "there are none"),
        (TRAIN, msgspec.structs.replace(OPTIONS, max_length=8), "all 24 are longer than 8 tokens"),
        (TRAIN, msgspec.structs.replace(OPTIONS, batch=0), "batch"),
        (TRAIN, msgspec.structs.replace(OPTIONS, dropout=1.5), "dropout"),
        (TRAIN, msgspec.structs.replace(OPTIONS, precision="fp16"), "A CPU cannot train in fp16"),
    ],
)
def test_what_makes_no_training_is_refused_in_one_line(
    trainer: PeftLoraTrainer, tmp_path: Path, train: list[Any], options: TrainingOptions, said: str
) -> None:
    with pytest.raises(RequestInvalid, match=said) as caught:
        trainer.train(train, HELD, tmp_path / "out", options)
    assert "\n" not in caught.value.title and caught.value.hint


def test_a_folder_with_something_else_in_it_is_left_alone(trainer: PeftLoraTrainer, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(RequestInvalid, match="is not empty and holds no training"):
        trainer.train(TRAIN, HELD, tmp_path, OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_examples_that_are_too_long_are_counted_and_left_out(trainer: PeftLoraTrainer, tmp_path: Path) -> None:
    reader = base_of_folder(Path(trainer.base().folder)).reader()
    lengths = [len(reader.row(example).tokens) for example in TRAIN]
    limit = sorted(lengths)[len(lengths) // 2]
    kept, left_out = reader.rows(TRAIN, limit)
    assert [len(row.tokens) for row in kept] == [length for length in lengths if length <= limit]
    assert left_out == len(lengths) - len(kept) > 0
    held = [len(reader.row(example).tokens) <= limit for example in HELD]
    options = msgspec.structs.replace(OPTIONS, max_length=limit, epochs=1)
    result = trainer.train(TRAIN, HELD, tmp_path / "out", options)
    assert (result.examples, result.validation, result.left_out) == (len(kept), sum(held), left_out + held.count(False))


def test_what_was_begun_in_some_numbers_goes_on_in_them_whatever_was_installed_since(
    trainer: PeftLoraTrainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = ["fp32"]

    def choose(options: TrainingOptions, device: str) -> str:
        return options.precision if options.precision != "auto" else installed[0]

    monkeypatch.setattr(models.peft_lora, "choose_precision", choose)
    options = msgspec.structs.replace(OPTIONS, precision="auto", device="auto")
    seen: list[TrainingProgress] = []
    trainer.train(TRAIN, HELD, tmp_path / "out", options, seen.append, lambda: seen[-1].step == 5)
    installed[0] = "bf16"
    assert trainer.estimate(TRAIN, HELD, options).precision == "bf16"
    assert trainer.estimate(TRAIN, HELD, options, tmp_path / "out").precision == "fp32"
    done = trainer.train(TRAIN, HELD, tmp_path / "out", options, seen.append)
    assert done.finished and done.precision == "fp32"
    Folder(tmp_path / "gpu").begin("another", "cuda", "nf4")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(RuntimeUnavailable, match="was begun with what is not here now: torch finds no CUDA GPU") as gone:
        trainer.train(TRAIN, HELD, tmp_path / "gpu", options)
    assert "begins anew" in gone.value.hint


def test_only_whole_checkpoints_count(tmp_path: Path) -> None:
    for step in (2, 10, 9):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if step != 10:
            (tmp_path / f"checkpoint-{step}" / WHOLE).touch()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-2", "checkpoint-9"]
    assert last_checkpoint(tmp_path / "none") is None
