"""What a training keeps: the adapter of the lowest validation loss, whichever came last; and what makes it another training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.finetune.kept import Best, Folder, Started, fingerprint
from models.finetune.session import Session, Work
from models.finetune.tokens import Row
from models.finetune.watch import Memory
from models.training import TrainingOptions, TrainingProgress
from tests.models.finetune.tiny import OPTIONS

ROWS = (Row((5, 6, 7, 2), 2), Row((5, 8, 2), 1))


class Adapter:
    """Saves the number it is at."""

    def __init__(self) -> None:
        self.number = 0

    def save_pretrained(self, place: str, save_embedding_layers: bool) -> None:
        folder = Path(place)
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text(json.dumps({"target_modules": ["model.layers.1.q_proj", "model.layers.0.q_proj"]}))
        (folder / "adapter_model.safetensors").write_text(f"{self.number}")


def session(folder: Path, seen: list[TrainingProgress]) -> Session:
    class Base(msgspec.Struct):
        name: str = "base"

    work = Work(Base(), str(folder), ROWS, ROWS, OPTIONS, Started("m"), "cpu", "fp32", False, 0, str(folder))  # type: ignore[arg-type]
    return Session(work, seen.append, lambda: False, Memory(False))


def test_the_lowest_validation_loss_is_kept_and_not_the_last(tmp_path: Path) -> None:
    adapter, seen = Adapter(), list[TrainingProgress]()
    one = session(tmp_path, seen)
    for step, loss in ((0, 0.1), (3, 0.9), (6, 0.5), (9, 0.7), (12, 0.6)):
        adapter.number = step
        one._after_evaluation(adapter, step, step / 6, loss)
    folder = Folder(tmp_path)
    best = folder.best()
    assert best == Best(6, 0.5), "before the first step there is no adapter that could be kept"
    assert [path.name for path in tmp_path.glob("best-*")] == ["best-6"] and one._first_validation_loss == 0.1
    adapter_folder = folder.finish(best)
    assert (adapter_folder / "adapter_model.safetensors").read_text() == "6"
    assert json.loads((adapter_folder / "adapter_config.json").read_text())["target_modules"] == ["q_proj"]
    assert [report.validation_loss for report in seen] == [0.1, 0.9, 0.5, 0.7, 0.6]


def test_of_two_that_a_kill_left_the_better_is_the_best_and_is_what_ends_up(tmp_path: Path) -> None:
    adapter, folder = Adapter(), Folder(tmp_path)
    for step, loss in ((4, 0.3), (8, 0.4)):
        adapter.number = step
        place = tmp_path / f"best-{step}"
        adapter.save_pretrained(str(place), False)
        (place / "best.json").write_bytes(msgspec.json.encode(Best(step, loss)))
    best = folder.best()
    assert best == Best(4, 0.3) and (folder.finish(best) / "adapter_model.safetensors").read_text() == "4"


def mark(options: TrainingOptions = OPTIONS, **given: Any) -> str:
    known: dict[str, Any] = {"base_digest": "ab", "device": "cpu", "precision": "fp32", "rows": ROWS, "validation": ROWS[:1], **given}
    return fingerprint(known.pop("base_digest"), options, **known)


@pytest.mark.parametrize(
    "given",
    [
        {"base_digest": "cd"},
        {"device": "cuda"},
        {"precision": "nf4"},
        {"rows": ROWS[:1]},
        {"rows": ROWS[::-1]},
        {"validation": ()},
        {"validation": ROWS[1:]},
        {"rows": (*ROWS, ROWS[0]), "validation": ()},
        {"rows": (Row((5, 6, 7, 2), 1), ROWS[1])},
    ],
)
def test_another_base_place_precision_or_example_is_another_training(given: dict[str, Any]) -> None:
    assert mark(**given) != mark() == mark()


ANOTHER: dict[str, Any] = {
    "rank": 9, "alpha": 9, "dropout": 0.3, "learning_rate": 0.1, "epochs": 9, "steps": 9, "batch": 9, "accumulation": 9, "max_length": 99,
    "warm_up": 0.5, "weight_decay": 0.5, "evaluations": 9, "seed": 9,
}  # fmt: skip
SAME: dict[str, Any] = {"checkpoints": 9, "precision": "bf16", "device": "auto", "processes": 2, "gradient_checkpointing": "on"}


def test_every_option_is_another_training_or_changes_memory_and_saving_alone() -> None:
    """`precision` and `device` stand as what they came to, beside the options."""
    assert {*ANOTHER, *SAME} == {*TrainingOptions.__struct_fields__}
    for name, value in ANOTHER.items():
        assert mark(msgspec.structs.replace(OPTIONS, **{name: value})) != mark(), name
    for name, value in SAME.items():
        assert mark(msgspec.structs.replace(OPTIONS, **{name: value})) == mark(), name
