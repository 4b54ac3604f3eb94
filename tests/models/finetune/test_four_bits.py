"""A base in 4 bits on the CPU: gradients pass through it whatever happened before, and a training that was stopped goes on to the digit."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.finetune.libraries import quiet
from models.finetune.load import choose_precision, load_model
from models.peft_lora import PeftLoraTrainer
from models.training import TrainingProgress
from tests.models.finetune.tiny import OPTIONS, examples, tiny_folder

pytestmark = pytest.mark.skipif(not find_spec("bitsandbytes"), reason="bitsandbytes is not installed")

NF4 = msgspec.structs.replace(OPTIONS, precision="nf4", checkpoints=12)
OPTIONS_AUTO = msgspec.structs.replace(OPTIONS, precision="auto")
SIZES = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
"""All projections have a multiple of 32 rows, as those of real models have."""


def gradients(model: Any, tokens: Any) -> dict[str, Any]:
    model.train()
    model.zero_grad()
    model(input_ids=tokens, labels=tokens).loss.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


def test_measuring_a_loss_leaves_gradients_as_they_were(tmp_path: Path) -> None:
    with quiet():
        import torch

        model = load_model(tiny_folder(tmp_path / "base", **SIZES), msgspec.structs.replace(NF4, dropout=0.0), "cpu", "nf4")
        for name, value in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(value, std=0.5, generator=torch.Generator().manual_seed(1))
        tokens = torch.arange(40).reshape(2, 20)
        before = gradients(model, tokens)
        model.eval()
        with torch.no_grad():
            model(input_ids=tokens)
        after = gradients(model, tokens)
    assert len(before) == 28 and all(float(value.norm()) > 0 for value in before.values())
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_product_without_derivative_is_an_error_not_a_wrong_gradient(tmp_path: Path) -> None:
    with quiet():
        import torch
        from bitsandbytes.functional import has_avx512bf16

        if not has_avx512bf16():
            pytest.skip("this processor has no such product")
        model = load_model(tiny_folder(tmp_path / "base", **SIZES), NF4, "cpu", "nf4")
        for module in model.modules():
            if hasattr(module, "support_avx512bf16_for_cpu"):
                module.support_avx512bf16_for_cpu = True
        tokens = torch.arange(40).reshape(2, 20)
        model.eval()
        with torch.no_grad():
            model(input_ids=tokens)
        with pytest.raises(Exception, match="autograd kernel was not registered"):
            gradients(model, tokens)


def test_a_training_stopped_within_an_epoch_goes_on_to_the_digit(tmp_path: Path) -> None:
    trainer = PeftLoraTrainer(tiny_folder(tmp_path / "base", **SIZES), tmp_path / "cache")
    train, held = examples(24), examples(7, 100)
    curves: list[list[TrainingProgress]] = [[], []]
    whole, torn = curves
    assert trainer.train(train, held, tmp_path / "whole", NF4, whole.append).finished
    assert not trainer.train(train, held, tmp_path / "torn", NF4, torn.append, lambda: torn[-1].step == 2).finished
    assert trainer.train(train, held, tmp_path / "torn", NF4, torn.append).finished
    numbers = [[(one.step, one.loss, one.validation_loss) for one in curve] for curve in curves]
    assert numbers[0] == numbers[1] and len(numbers[0]) == 17


@pytest.mark.parametrize(("capabilities", "expected"), [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": False, "avx2": True}, "nf4")])
def test_a_cpu_takes_sixteen_bits_only_where_it_multiplies_them(
    capabilities: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_precision(OPTIONS_AUTO, "cpu") == expected
    assert choose_precision(NF4, "cpu") == "nf4", "what is asked for is done"


def test_activations_computed_twice_train_the_same(tmp_path: Path) -> None:
    trainer = PeftLoraTrainer(tiny_folder(tmp_path / "base", **SIZES), tmp_path / "cache")
    curves: list[list[float]] = []
    for how in ("off", "on"):
        curve: list[TrainingProgress] = []
        options = msgspec.structs.replace(NF4, gradient_checkpointing=how)
        assert trainer.train(examples(24), (), tmp_path / how, options, curve.append).finished
        curves.append([one.loss for one in curve])
    assert curves[1] == pytest.approx(curves[0], rel=1e-5) and curves[0][-1] < 0.95 * curves[0][0]
