"""The trainer: QLoRA and LoRA with transformers, peft, bitsandbytes and trl, in this process, on the GPU or the CPU.

One GGUF file serves inference and training; a safetensors folder serves too. Nothing is fetched, no code of a model is run.
Source of the method: Dettmers et al., QLoRA, 2023, https://arxiv.org/abs/2305.14314.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from models import weights
from models.errors import MemoryShort, ModelError, RequestInvalid, RuntimeUnavailable, WeightsMissing
from models.finetune.base import Base, base_of, base_of_folder, bytes_of_folder, known_folder
from models.finetune.estimate import estimate, ways_out
from models.finetune.kept import Folder, Started, fingerprint
from models.finetune.libraries import quiet
from models.finetune.load import choose_device, choose_precision, choose_processes
from models.finetune.machine import give_back, gpu_trouble, let_go, mind_old_drivers
from models.finetune.session import Session, Work
from models.finetune.several import train_together
from models.finetune.shape import shape_of_folder, shape_of_gguf
from models.finetune.tokens import Reader, Row
from models.finetune.watch import Memory, memory_ran_out
from models.language import Message
from models.llama_cpp.tokenizer import open_tokenizer
from models.training import (
    Device,
    Precision,
    TrainingEstimate,
    TrainingExample,
    TrainingOptions,
    TrainingProgress,
    TrainingResult,
    never,
    unwatched,
)


class PeftLoraTrainer:
    """A Trainer for one base: a GGUF file of an architecture transformers knows, or a safetensors folder."""

    def __init__(self, base: Path, cache: Path) -> None:
        """`cache` is a folder that keeps what is made of GGUF files, digests and rates."""
        if not base.exists():
            raise WeightsMissing(f"No base model at {base}", "Give a GGUF file or a folder with safetensors.")
        self._path = base
        self._cache = cache

    def base(self) -> Base:
        """The base as a folder, made now when it is not there; ModelError when it cannot be trained."""
        return base_of(self._path, self._cache)

    def estimate(
        self,
        train: Sequence[TrainingExample],
        validation: Sequence[TrainingExample],
        options: TrainingOptions,
        out: Path | None = None,
    ) -> TrainingEstimate:
        """See Trainer.estimate; a GGUF file need not be a folder yet."""
        options = options.checked()
        asked = options.device
        if out is not None:
            device, precision = _as_begun(Folder(out), options)
            options = msgspec.structs.replace(options, device=device, precision=precision)
        if self._path.is_dir():
            base = base_of_folder(self._path, self._cache)
            rows, held = self._rows(base.reader(), train, validation, options)[:2]
            found = self._estimate(base.digest, rows, held, options)
        else:
            with open_tokenizer(self._path) as native:
                reader = Reader(native.vocabulary, native.chat, native.vocabulary.ends, native.end)
                rows, held = self._rows(reader, train, validation, options)[:2]
            found = self._estimate(weights.digest(self._path, self._cache), rows, held, options)
        if asked == "auto" and found.device == "cpu" and (trouble := gpu_trouble()):
            found = msgspec.structs.replace(found, assumed=(*found.assumed, f"It is trained on the CPU: {trouble}."))
        return found

    def answers(self, adapter: Path, prompts: Sequence[tuple[Message, ...]], tokens: int) -> Iterator[str]:
        """See Trainer.answers; the base is dequantised, never in 4 bits."""
        from models.finetune.ask import answers

        return answers(self._path, adapter, self._cache, prompts, tokens)

    def train(
        self,
        train: Sequence[TrainingExample],
        validation: Sequence[TrainingExample],
        out: Path,
        options: TrainingOptions,
        progress: Callable[[TrainingProgress], None] = unwatched,
        should_stop: Callable[[], bool] = never,
    ) -> TrainingResult:
        """See Trainer.train. The adapter lies in `out`/adapter."""
        options = options.checked()
        if not self._path.is_dir() and not known_folder(self._path, self._cache):
            # Before the minutes that making the folder takes.
            _refuse(self.estimate(train, validation, options, out))
        base = self.base()
        rows, held, left_out = self._rows(base.reader(), train, validation, options)
        folder = Folder(out)
        device, precision = _as_begun(folder, options)
        mark = fingerprint(base.digest, options, device, precision, rows, held)
        started = folder.begin(mark, device, precision)
        if done := folder.result():
            return msgspec.structs.replace(done, adapter=str(out / "adapter"), base=base.folder)
        needs = self._estimate(base.digest, rows, held, msgspec.structs.replace(options, device=device, precision=precision))
        _refuse(needs)
        checkpointing = needs.gradient_checkpointing
        try:
            begun = started or Started(mark, None, device, precision)
            work = Work(base, str(out), rows, held, options, begun, device, precision, checkpointing, left_out, str(self._cache))
            if (processes := choose_processes(options, device)) > 1:
                return train_together(work, processes, progress, should_stop)
            return _train_here(work, progress, should_stop)
        except OSError as error:
            title = f"The training in {out} cannot go on: {error.strerror or str(error)[:200]}"
            raise ModelError(title, "Is there room on the disk? Then train again: it goes on from the last checkpoint.") from error
        except (MemoryError, RuntimeError) as error:
            if not memory_ran_out(error):
                raise
            let_go(error)
            raise MemoryShort(
                f"Memory on the {device.upper()} ran out while training", ways_out(options, checkpointing, precision)
            ) from error
        finally:
            give_back()

    def _rows(
        self, reader: Reader, train: Sequence[TrainingExample], validation: Sequence[TrainingExample], options: TrainingOptions
    ) -> tuple[list[Row], list[Row], int]:
        rows, left_out = reader.rows(train, options.max_length)
        held, more = reader.rows(validation, options.max_length)
        if not rows:
            why = f"all {left_out} are longer than {options.max_length} tokens" if left_out else "there are none"
            raise RequestInvalid(f"There is no example to train on: {why}", "Raise max_length, or give more examples.")
        return rows, held, left_out + more

    def _estimate(self, digest: str, rows: Sequence[Row], held: Sequence[Row], options: TrainingOptions) -> TrainingEstimate:
        device = choose_device(options)
        folder = self._path if self._path.is_dir() else known_folder(self._path, self._cache)
        shape = shape_of_folder(folder) if folder else shape_of_gguf(self._path)
        disk = 0 if folder else bytes_of_folder(shape.parameters)
        precision = choose_precision(options, device)
        return estimate(shape, rows, held, options, device, precision, cache=self._cache, digest=digest, disk=disk)


def _as_begun(folder: Folder, options: TrainingOptions) -> tuple[Device, Precision]:
    """Where and in what numbers to train: what the options leave open stays as it was when the training in this folder was begun, whatever
    was installed since. RuntimeUnavailable where that cannot be had any more."""
    begun = folder.started()
    if begun and begun.device and options.device == "auto":
        options = msgspec.structs.replace(options, device=begun.device)
    try:
        device = choose_device(options)
        if begun and begun.precision and options.precision == "auto" and device == begun.device:
            options = msgspec.structs.replace(options, precision=begun.precision)
        return device, choose_precision(options, device)
    except RuntimeUnavailable as error:
        if not begun:
            raise
        title = f"The training in {folder.path} was begun with what is not here now: {error.title}"
        raise RuntimeUnavailable(title, "Bring that back; or delete the folder, and it begins anew with what there is.") from None


def _refuse(needs: TrainingEstimate) -> None:
    if needs.refusal:
        raise MemoryShort(needs.refusal, needs.way_out)


def _train_here(work: Work, progress: Callable[[TrainingProgress], None], should_stop: Callable[[], bool]) -> TrainingResult:
    """In this process; a function of its own, so that nothing holds the model when it is over."""
    if work.device == "cuda":
        mind_old_drivers()
    with quiet(), Memory(work.device == "cuda") as memory:
        session = Session(work, progress, should_stop, memory)
        return session.result(session.train())
