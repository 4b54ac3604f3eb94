"""What a person set reaches the library's loop; rows end where the runtime stops."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from models.errors import ModelError, RequestInvalid
from models.finetune.base import base_of_folder, load_tokenizer
from models.finetune.libraries import quiet
from models.finetune.load import load_model
from models.finetune.loop import make_callback, make_loop
from models.finetune.tokens import Reader
from models.language import Message
from models.peft_lora import PeftLoraTrainer
from models.training import TrainingExample, TrainingProgress
from tests.models.finetune.tiny import OPTIONS, examples, tiny_folder

SET = msgspec.structs.replace(
    OPTIONS, learning_rate=3e-3, warm_up=0.25, weight_decay=0.2, epochs=2, accumulation=2, checkpoints=2, evaluations=3, seed=17, rank=4,
    alpha=12, dropout=0.2
)  # fmt: skip


def test_every_setting_reaches_the_loop_and_the_adapter(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "base")
    rows = base_of_folder(folder).reader().rows(examples(48), 128)[0]
    with quiet():
        callback = make_callback(lambda *_: False, lambda *_: None)
        model = load_model(folder, SET, "cpu", "fp32")
        loop = make_loop(model, load_tokenizer(folder), rows, rows[:4], tmp_path / "out", SET, "cpu", "fp32", False, callback)
    args = loop.args
    assert (args.learning_rate, str(args.lr_scheduler_type.value), args.warmup_steps, args.weight_decay) == (3e-3, "linear", 3, 0.2)
    assert (args.seed, args.per_device_train_batch_size, args.gradient_accumulation_steps, args.num_train_epochs) == (17, 4, 2, 2)
    assert (args.save_steps, args.eval_steps, args.max_grad_norm) == (3, 2, 1.0), "6 steps an epoch"
    sampler = loop._get_train_sampler()
    assert (sampler._seed, sampler._batch, len(sampler)) == (17, 4, 48)
    adapter = model.peft_config["default"]
    assert (adapter.r, adapter.lora_alpha, adapter.lora_dropout) == (4, 12, 0.2)
    trained = {name.split(".")[-4] for name, value in model.named_parameters() if value.requires_grad}
    assert trained == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_a_loss_is_measured_without_dropout_and_training_goes_on_with_it(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "base")
    options = msgspec.structs.replace(SET, dropout=0.5)
    rows = base_of_folder(folder).reader().rows(examples(8), 128)[0]
    with quiet():
        import torch

        model = load_model(folder, options, "cpu", "bf16")
        for name, value in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(value, std=0.5)
        callback = make_callback(lambda *_: False, lambda *_: None)
        loop = make_loop(model, load_tokenizer(folder), rows, rows, tmp_path / "out", options, "cpu", "bf16", False, callback)
        assert loop.evaluate() == loop.evaluate() and loop.model.training
    kinds = {value.dtype for value in loop.model.parameters() if value.requires_grad}
    assert kinds == {torch.float32}, "steps of 5e-5 are rounded away in 16 bits"


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training_with_advice(loss: float) -> None:
    callback = make_callback(lambda *_: False, lambda *_: None)
    state = type("State", (), {"global_step": 7, "epoch": 0.5})()
    with pytest.raises(ModelError, match="no number any more at step 7") as caught:
        callback.on_log(None, state, None, {"loss": loss, "learning_rate": 1e-3})
    assert "learning rate" in caught.value.hint


def test_the_last_step_is_measured_wherever_it_falls(tmp_path: Path) -> None:
    trainer = PeftLoraTrainer(tiny_folder(tmp_path / "base"), tmp_path / "cache")
    seen: list[TrainingProgress] = []
    options = msgspec.structs.replace(OPTIONS, steps=5, evaluations=2)
    assert trainer.train(examples(24), examples(4, 50), tmp_path / "out", options, seen.append).finished
    assert [one.step for one in seen if one.validation_loss is not None] == [0, 3, 5]


class Letters:
    """A vocabulary of characters with a token for each named end, and one that begins every text."""

    adds_bos = True
    bos = 1

    def tokens(self, text: str, *, markup: bool = False) -> list[int]:
        for name, sign in (("<end>", "\x02"), ("<other>", "\x03")):
            text = text.replace(name, sign) if markup else text
        return [*map(ord, text)]


class Template:
    """A chat whose turns end as told."""

    def __init__(self, end: str) -> None:
        self._end = end

    def render(self, messages: tuple[Message, ...]) -> str:
        return "".join(f"{one.role}:{one.content}{self._end}" for one in messages)

    def tokens(self, messages: tuple[Message, ...]) -> list[int]:
        return Letters().tokens(self.render(messages), markup=True)


def reader(end: str, ends: tuple[int, ...], usual: int) -> Reader:
    return Reader(Letters(), Template(end), ends, usual)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("end", "ends", "usual", "learnt"), [("<end>", (2, 9), 9, 2), ("<other>", (2, 9), 9, 9), ("\n", (9,), 9, 9), ("<end>", (2,), -1, 2)]
)
def test_what_the_template_puts_after_an_answer_is_learnt_where_the_runtime_stops_at_it(
    end: str, ends: tuple[int, ...], usual: int, learnt: int
) -> None:
    row = reader(end, ends, usual).row(TrainingExample("a", "b"))
    assert row.tokens[-1] == learnt and row.labels[-2:] == [ord("b"), learnt]


def test_a_base_without_any_end_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="no token that ends a text"):
        reader("\n", (), -1)


def test_a_text_begins_as_the_runtime_begins_it_and_only_once() -> None:
    plain = reader("<end>", (2,), 2)
    assert plain.prompt("a") == [1, ord("a")] and plain.prompt("\x01a") == [1, ord("a")]
