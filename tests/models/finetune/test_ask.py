"""A trained adapter is asked with transformers and peft as it was trained, and what does not fit is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from models.errors import MemoryShort, WeightsInvalid, WeightsMissing
from models.finetune import ask
from models.finetune.ask import ask_adapter
from models.language import Message, Request, Sampling
from models.peft_lora import PeftLoraTrainer
from models.training import TrainingExample
from tests.models.finetune.tiny import OPTIONS, examples, tiny_folder

QUESTION = Request("q", (Message("user", "item 4 and more"),), sampling=Sampling(max_tokens=8))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base's folder and that of an adapter which learnt to say “no”."""
    root = tmp_path_factory.mktemp("tiny")
    base = tiny_folder(root / "base")
    options = msgspec.structs.replace(OPTIONS, epochs=12, learning_rate=3e-2)
    said = [TrainingExample(one.prompt, "no") for one in examples(24)]
    return base, Path(PeftLoraTrainer(base, root / "cache").train(said, (), root / "out", options).adapter)


def test_it_is_asked_as_it_was_trained_and_ends_where_it_learnt_to(trained: tuple[Path, Path]) -> None:
    assert ask_adapter(*trained, QUESTION, "fp32") == "no"


def test_what_does_not_fit_and_what_is_gone_is_told(trained: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = trained
    with pytest.raises(WeightsInvalid, match="cannot be tried"):
        ask_adapter(tiny_folder(tmp_path / "wide", hidden_size=64), adapter, QUESTION, "fp32")
    shutil.copytree(adapter, tmp_path / "damaged")
    (tmp_path / "damaged" / "adapter_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsInvalid, match="cannot be tried"):
        ask_adapter(base, tmp_path / "damaged", QUESTION, "fp32")
    with pytest.raises(WeightsMissing):
        ask_adapter(tmp_path, adapter, QUESTION, "fp32")


def test_want_of_memory_is_told_before_it_ends_the_process(
    trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base, adapter = trained
    asked = [QUESTION.messages]
    assert list(ask.answers(base, adapter, tmp_path, asked, 8)) == ["no"]
    monkeypatch.setattr(ask, "free_bytes", lambda device, mine: 1000)
    with pytest.raises(MemoryShort, match="and 0\\.0 GB are free"):
        list(ask.answers(base, adapter, tmp_path, asked, 8))
    assert list(ask.answers(base, adapter, tmp_path, asked, 8, "fp32")) == ["no"], "as it was trained it fitted before"

    def short(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr("transformers.generation.utils.GenerationMixin.generate", short)
    with pytest.raises(MemoryShort, match="ran out while the adapter was asked"):
        list(ask.answers(base, adapter, tmp_path, asked, 8, "fp32"))
