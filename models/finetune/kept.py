"""What a training keeps in its folder: which training it is, the best adapter so far, the result."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from models.errors import ModelError, RequestInvalid
from models.finetune.loop import mark_whole
from models.finetune.tokens import Row
from models.training import Device, Precision, TrainingOptions, TrainingResult

VERSION = 2
"""Of what a training with the same options and examples comes to."""
TRAINING, RESULT, BEST = "training.json", "result.json", "best.json"
ADAPTER = "adapter"
CHECKPOINTS = "checkpoints"
FILES = ("adapter_config.json", "adapter_model.safetensors")
T = TypeVar("T")


class Started(msgspec.Struct, frozen=True):
    """Which training a folder holds."""

    fingerprint: str
    first_validation_loss: float | None = None
    device: Device | None = None
    precision: Precision | None = None


class Best(msgspec.Struct, frozen=True):
    """Where an adapter comes from."""

    step: int
    validation_loss: float | None


def fingerprint(
    base_digest: str, options: TrainingOptions, device: Device, precision: Precision, rows: Sequence[Row], validation: Sequence[Row]
) -> str:
    """Tells trainings apart: what changes the numbers by more than rounding, and nothing that only changes memory or saving."""
    same = msgspec.structs.replace(options, gradient_checkpointing="auto", processes=0, checkpoints=1, device="auto", precision="auto")
    told = msgspec.json.encode([VERSION, base_digest, same, device, precision])
    sums = hashlib.sha256(told)
    for group in (rows, validation):
        for row in group:
            sums.update(msgspec.json.encode(row))
        sums.update(b"|")
    return sums.hexdigest()


class Folder:
    """The folder of one training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / CHECKPOINTS

    def started(self) -> Started | None:
        """What was started here earlier, None for nothing."""
        return self._read(TRAINING, Started)

    def begin(self, mark: str, device: Device, precision: Precision) -> Started | None:
        """What was started here earlier, None for nothing; RequestInvalid when it was another training."""
        started = self.started()
        if started is None:
            if self.path.is_dir() and any(self.path.iterdir()):
                raise RequestInvalid(f"{self.path} is not empty and holds no training", "Give an empty folder.")
            self.path.mkdir(parents=True, exist_ok=True)
            self.write(TRAINING, Started(mark, None, device, precision))
            return None
        if started.fingerprint != mark:
            raise RequestInvalid(
                f"{self.path} holds a training with other examples, options or another base", "Give another folder, or delete that one."
            )
        return started

    def result(self) -> TrainingResult | None:
        """Of a training that is finished."""
        return self._read(RESULT, TrainingResult)

    def write(self, name: str, value: msgspec.Struct) -> None:
        """Write one of the folder's files, whole or not at all."""
        part = self.path / f"{name}.part"
        part.write_bytes(msgspec.json.format(msgspec.json.encode(value)))
        part.replace(self.path / name)

    def keep(self, model: Any, step: int, validation_loss: float | None, base_name: str) -> None:
        """Keep the adapter as it is now, as the best so far, under a name of its own until it is whole."""
        place = self.path / f"best-{step}"
        shutil.rmtree(place, ignore_errors=True)
        # Asked to decide by itself whether embeddings changed, peft would look for the base on the Hub.
        model.save_pretrained(str(place), save_embedding_layers=False)
        (place / "README.md").unlink(missing_ok=True)
        config = place / FILES[0]
        said: dict[str, Any] = msgspec.json.decode(config.read_bytes())
        # peft lists every layer's projections, in an order of its own each time. And a path of this machine is of no use elsewhere.
        modules = sorted({str(module).rpartition(".")[2] for module in said["target_modules"]})
        said |= {"base_model_name_or_path": base_name, "target_modules": modules}
        config.write_bytes(msgspec.json.format(msgspec.json.encode(said)))
        (place / BEST).write_bytes(msgspec.json.encode(Best(step, validation_loss)))
        mark_whole(place)
        for other in self.path.glob("best-*"):
            if other != place:
                shutil.rmtree(other, ignore_errors=True)

    def best(self) -> Best | None:
        """What is kept as the best so far."""
        found = [best for place in self.path.glob("best-*") if (best := self._read(f"{place.name}/{BEST}", Best))]
        return min(found, key=lambda best: (best.validation_loss if best.validation_loss is not None else 0.0, -best.step), default=None)

    def finish(self, best: Best) -> Path:
        """Make what was kept the adapter, and remove the checkpoints."""
        adapter = self.path / ADAPTER
        shutil.rmtree(adapter, ignore_errors=True)
        adapter.mkdir()
        for name in FILES:
            shutil.copyfile(self.path / f"best-{best.step}" / name, adapter / name)
        return adapter

    def tidy(self) -> None:
        """Remove what only going on would need."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        for place in self.path.glob("best-*"):
            shutil.rmtree(place, ignore_errors=True)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise RequestInvalid(f"{self.path} is no folder", "Give a folder.") from error
        except (OSError, msgspec.DecodeError) as error:
            raise ModelError(f"{self.path / name} cannot be read", "Delete the training's folder and start anew.") from error
