"""What a machine has to train with is tried, not believed: here with a GPU that is made up."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bitsandbytes.functional
import msgspec
import pytest
import torch
import transformers

import models.finetune.session
from models import peft_lora
from models.errors import MemoryShort, RuntimeUnavailable
from models.finetune import estimate, load, machine
from models.finetune.estimate import parts_of
from models.finetune.shape import shape_of_folder
from models.language import Message
from models.peft_lora import PeftLoraTrainer
from models.training import TrainingOptions
from tests.models.finetune.tiny import OPTIONS, examples, tiny_folder

NO_CODE = RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with TORCH_USE_CUDA_DSA")
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB")
CONVERSION = RuntimeError("We encountered some issues during automatic conversion of the weights. For details look at the report!")
AUTO = TrainingOptions()


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    for known in (machine.gpu_trouble, machine.four_bits_trouble):
        known.cache_clear()
    yield
    for known in (machine.gpu_trouble, machine.four_bits_trouble):
        known.cache_clear()


def a_gpu(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
    """A card that torch sees, and that computes, or does not."""
    ones = torch.ones

    def made(*size: Any, device: str = "cpu", **rest: Any) -> torch.Tensor:
        if device == "cuda" and error:
            raise error
        return ones(*size, **rest)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", made)


def a_driver(monkeypatch: pytest.MonkeyPatch, folder: Path, says: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{says}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_gpu_that_computes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    a_gpu(monkeypatch)
    assert machine.gpu_trouble() == "" and load.choose_device(AUTO) == "cuda"


def test_a_gpu_that_torch_has_no_code_for_is_left_and_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_gpu(monkeypatch, NO_CODE)
    assert load.choose_device(AUTO) == "cpu"
    with pytest.raises(RuntimeUnavailable, match=r"cannot compute on the GPU: CUDA error: no kernel image .* on the device$"):
        load.choose_device(TrainingOptions(device="cuda"))
    trainer = PeftLoraTrainer(tiny_folder(tmp_path / "base"), tmp_path / "cache")
    given = msgspec.structs.replace(OPTIONS, device="auto")
    assert "It is trained on the CPU: torch " in trainer.estimate(examples(8), (), given).assumed[-1]
    assert "It is trained on the CPU: torch " in trainer.estimate(examples(8), (), given, tmp_path / "out").assumed[-1]
    assert "trained on the CPU" not in " ".join(trainer.estimate(examples(8), (), OPTIONS).assumed), "it was asked for"


def test_a_full_gpu_is_one_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    a_gpu(monkeypatch, FULL)
    assert load.choose_device(AUTO) == "cuda"


@pytest.mark.parametrize(
    ("built", "says", "told"),
    [
        (None, "GPU 0: NVIDIA GeForce RTX 4090", "is a build without CUDA"),
        ("12.8", "GPU 0: NVIDIA GeForce RTX 4090", "older than CUDA 12.8"),
        (None, "No devices were found", ""),
    ],
)
def test_a_card_that_the_driver_sees_and_torch_does_not_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, built: str | None, says: str, told: str
) -> None:
    monkeypatch.setattr(torch.version, "cuda", built)
    a_driver(monkeypatch, tmp_path, says)
    assert told in machine.gpu_trouble() and bool(told) == bool(machine.gpu_trouble()) and load.choose_device(AUTO) == "cpu"


def test_four_bits_are_tried_before_they_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("Configured CUDA binary not found at libbitsandbytes_cuda999.so\nmore")

    monkeypatch.setattr(load, "multiplies_bf16", lambda device: device == "cuda")
    assert load.choose_precision(AUTO, "cpu") == "nf4"
    machine.four_bits_trouble.cache_clear()
    monkeypatch.setattr(bitsandbytes.functional, "quantize_4bit", broken)
    assert load.choose_precision(AUTO, "cpu") == "fp32"
    with pytest.raises(RuntimeUnavailable, match=r"does not work on the CPU: Configured CUDA binary not found at .*999\.so$"):
        load.choose_precision(TrainingOptions(precision="nf4"), "cpu")


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "fp16")])
def test_a_card_that_only_imitates_bf16_gets_fp16(monkeypatch: pytest.MonkeyPatch, native: bool, precision: str) -> None:
    monkeypatch.setattr(load, "four_bits_trouble", lambda _: "none here")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    assert load.choose_precision(AUTO, "cuda") == precision
    assert load.computing("cuda", "nf4") == (torch.bfloat16 if native else torch.float16)


@pytest.mark.parametrize(("cards", "count"), [("AA", 2), ("A", 1), ("AABA", 2), ("AB", 1), ("", 0)])
def test_only_cards_like_the_first_train_together(monkeypatch: pytest.MonkeyPatch, cards: str, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda place: f"card {cards[place]}")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda place: (8, 9))
    assert machine.gpus() == count


def test_what_torch_has_put_by_is_free_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, sizes in {"mem_get_info": [(500, 900), (400, 900)], "memory_reserved": [300, 250], "memory_allocated": [100, 250]}.items():
        monkeypatch.setattr(torch.cuda, name, lambda place, sizes=sizes: sizes[place])
    assert machine.free_bytes("cuda") == 700 and machine.free_bytes("cuda", 2) == 400


def test_a_card_that_somebody_hides_is_no_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_driver(monkeypatch, tmp_path, "GPU 0: NVIDIA GeForce RTX 4090")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.gpu_trouble() == ""


# ── a base in 4 bits ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("free", "error"), [(1 << 30, MemoryError), (1 << 40, RuntimeUnavailable)])
def test_a_base_that_could_not_be_quantised_says_what_was_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, error: type[Exception]
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise CONVERSION

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fails)
    monkeypatch.setattr(load, "free_bytes", lambda _: free)
    with pytest.raises(error, match="into 4 bits"):
        load.load_base(tmp_path, "cpu", "nf4")
    with pytest.raises(RuntimeError, match="automatic conversion"):
        load.load_base(tmp_path, "cpu", "fp32")


def test_embeddings_stay_as_small_as_they_are_and_normalisations_become_exact(tmp_path: Path) -> None:
    model = load.load_base(tiny_folder(tmp_path / "base"), "cpu", "bf16")
    load._prepare(model)
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    norms = [value for name, value in model.named_parameters() if "norm" in name]
    assert norms and all(value.dtype == torch.float32 for value in norms)
    assert not any(value.requires_grad for value in model.parameters())


def test_a_base_in_four_bits_hands_on_numbers_of_32(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    shape = shape_of_folder(tiny_folder(tmp_path / "base"))

    def kept(precision: Any, checkpointing: bool) -> int:
        return next(
            part.bytes for part in parts_of(shape, OPTIONS, "cuda", precision, checkpointing, 1000, 8) if part.name == "activations"
        )

    more = kept("nf4", True) - kept("bf16", True)
    assert more == pytest.approx(1.15 * 1000 * shape.layers * shape.hidden * 2, abs=2)
    assert kept("nf4", False) == kept("bf16", False)


def test_what_does_not_fit_is_not_tried_for_its_speed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trainer = PeftLoraTrainer(tiny_folder(tmp_path / "base"), tmp_path / "cache")
    monkeypatch.setattr(estimate, "free_bytes", lambda *_: 1000)
    monkeypatch.setattr(estimate, "_rate", None)
    found = trainer.estimate(examples(8), (), OPTIONS)
    assert found.refusal and found.seconds == 0


# ── memory is given back ──────────────────────────────────────────────────────────────────────────────────


def alive() -> int:
    gc.collect()
    return sum(isinstance(one, transformers.PreTrainedModel) for one in gc.get_objects())


def looked(monkeypatch: pytest.MonkeyPatch, place: Any) -> list[int]:
    """How many models there were each time memory was given back."""
    seen: list[int] = []
    monkeypatch.setattr(place, "give_back", lambda: seen.append(alive()))
    return seen


def test_a_training_leaves_no_model_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before, seen = alive(), looked(monkeypatch, peft_lora)
    trainer = PeftLoraTrainer(tiny_folder(tmp_path / "base"), tmp_path / "cache")
    assert trainer.train(examples(8), examples(2, 50), tmp_path / "out", OPTIONS).finished
    assert seen == [before]


def test_a_training_that_memory_ended_leaves_none_either(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded: Callable[..., Any] = load.load_model

    def too_large(*given: Any) -> Any:
        model = loaded(*given)
        try:
            raise FULL
        except RuntimeError as error:
            raise MemoryError(f"no room for {len(model.peft_config)}") from error

    before, seen = alive(), looked(monkeypatch, peft_lora)
    monkeypatch.setattr(models.finetune.session, "load_model", too_large)
    trainer = PeftLoraTrainer(tiny_folder(tmp_path / "base"), tmp_path / "cache")
    with pytest.raises(MemoryShort, match="ran out while training"):
        trainer.train(examples(8), (), tmp_path / "out", OPTIONS)
    assert seen == [before]


def test_an_adapter_that_was_asked_leaves_no_model_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "base")
    trainer = PeftLoraTrainer(folder, tmp_path / "cache")
    done = trainer.train(examples(8), (), tmp_path / "out", OPTIONS)
    from models.finetune import ask

    before, seen = alive(), looked(monkeypatch, ask)
    assert len(list(trainer.answers(Path(done.adapter), [(Message("user", "Say it."),)] * 2, 2))) == 2
    assert seen == [before]

    def full(*_: Any, **__: Any) -> Any:
        raise FULL

    monkeypatch.setattr(transformers.GenerationMixin, "generate", full)
    with pytest.raises(MemoryShort) as caught:
        list(trainer.answers(Path(done.adapter), [(Message("user", "Say it."),)], 2))
    assert seen == [before] * 2 and caught.value.__traceback__, "while the error is still held"
