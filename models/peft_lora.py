"""The trainer: QLoRA and LoRA with transformers, peft, bitsandbytes and trl, in this process, on the GPU or the CPU.

One GGUF file serves inference and training; a safetensors folder serves too. Nothing is fetched, no code of a model is run.
Source of the method: Dettmers et al., QLoRA, 2023, https://arxiv.org/abs/2305.14314.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from models import weights
from models.errors import MemoryShort, ModelError, RequestInvalid, WeightsMissing
from models.finetune.base import Base, base_of, base_of_folder, bytes_of_folder, known_folder, load_tokenizer
from models.finetune.estimate import estimate, remember_rate, ways_out, work_per_token
from models.finetune.kept import RESULT, TRAINING, Best, Folder, Started, fingerprint
from models.finetune.libraries import quiet
from models.finetune.load import choose_device, choose_precision, load_model
from models.finetune.loop import last_checkpoint, make_callback, make_loop, restore, step_of, steps_of
from models.finetune.shape import shape_of_folder, shape_of_gguf
from models.finetune.tokens import Reader, Row
from models.finetune.watch import Memory, Pace
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

STEPS_FOR_RATE = 5
"""Steps after which a training says how fast this machine is."""


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
        self, train: Sequence[TrainingExample], validation: Sequence[TrainingExample], options: TrainingOptions
    ) -> TrainingEstimate:
        """Memory and time, without loading a weight; a GGUF file need not be a folder yet."""
        options = options.checked()
        if self._path.is_dir():
            base = base_of_folder(self._path, self._cache)
            rows, held = self._rows(base.reader(), train, validation, options)[:2]
            return self._estimate(base.digest, rows, held, options)
        with open_tokenizer(self._path) as native:
            reader = Reader(native.vocabulary, native.chat, native.vocabulary.ends, native.end)
            rows, held = self._rows(reader, train, validation, options)[:2]
        return self._estimate(weights.digest(self._path, self._cache), rows, held, options)

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
            _refuse(self.estimate(train, validation, options))
        base = self.base()
        rows, held, left_out = self._rows(base.reader(), train, validation, options)
        device = choose_device(options)
        precision = choose_precision(options, device)
        folder = Folder(out)
        mark = fingerprint(base.digest, options, device, precision, rows, held)
        started = folder.begin(mark)
        if done := folder.result():
            return msgspec.structs.replace(done, adapter=str(out / "adapter"), base=base.folder)
        needs = self._estimate(base.digest, rows, held, options)
        _refuse(needs)
        checkpointing = needs.gradient_checkpointing
        try:
            with quiet(), Memory(device == "cuda") as memory:
                session = _Session(base, folder, rows, held, options, progress, should_stop, memory)
                return session.run(started or Started(mark), device, precision, checkpointing, left_out, self._cache)
        except OSError as error:
            title = f"The training in {out} cannot go on: {error.strerror or str(error)[:200]}"
            raise ModelError(title, "Is there room on the disk? Then train again: it goes on from the last checkpoint.") from error
        except (MemoryError, RuntimeError) as error:
            if not _memory_ran_out(error):
                raise
            _free(device)
            raise MemoryShort(
                f"Memory on the {device.upper()} ran out while training", ways_out(options, checkpointing, precision)
            ) from error

    def _rows(
        self, reader: Reader, train: Sequence[TrainingExample], validation: Sequence[TrainingExample], options: TrainingOptions
    ) -> tuple[list[Row], list[Row], int]:
        rows, left_out = reader.rows(train, options.max_length)
        held, _ = reader.rows(validation, options.max_length)
        if not rows:
            why = f"all {left_out} are longer than {options.max_length} tokens" if left_out else "there are none"
            raise RequestInvalid(f"There is no example to train on: {why}", "Raise max_length, or give more examples.")
        return rows, held, left_out

    def _estimate(self, digest: str, rows: Sequence[Row], held: Sequence[Row], options: TrainingOptions) -> TrainingEstimate:
        device = choose_device(options)
        folder = self._path if self._path.is_dir() else known_folder(self._path, self._cache)
        shape = shape_of_folder(folder) if folder else shape_of_gguf(self._path)
        disk = 0 if folder else bytes_of_folder(shape.parameters)
        precision = choose_precision(options, device)
        return estimate(shape, rows, held, options, device, precision, cache=self._cache, digest=digest, disk=disk)


class _Session:
    """One call of train: from the last checkpoint, or the beginning, to the end or a stop."""

    def __init__(
        self,
        base: Base,
        folder: Folder,
        rows: Sequence[Row],
        held: Sequence[Row],
        options: TrainingOptions,
        progress: Callable[[TrainingProgress], None],
        should_stop: Callable[[], bool],
        memory: Memory,
    ) -> None:
        self._base = base
        self._folder = folder
        self._rows = rows
        self._held = held
        self._options = options
        self._progress = progress
        self._should_stop = should_stop
        self._memory = memory
        self._pace = Pace()
        self._steps = steps_of(len(rows), options)[1]
        self._last = TrainingProgress(0, self._steps, 0.0, 0.0)
        self._first_validation_loss: float | None = None
        self._stopped = False

    def run(
        self, started: Started, device: Device, precision: Precision, checkpointing: bool, left_out: int, cache: Path
    ) -> TrainingResult:
        began = time.perf_counter()
        base, folder, options = self._base, self._folder, self._options
        model = load_model(Path(base.folder), options, device, precision, checkpointing)
        loop = make_loop(
            model,
            load_tokenizer(Path(base.folder)),
            self._rows,
            self._held,
            folder.checkpoints,
            options,
            device,
            precision,
            checkpointing,
            make_callback(self._after_step, self._after_evaluation),
        )
        checkpoint = last_checkpoint(folder.checkpoints)
        self._first_validation_loss = started.first_validation_loss
        if self._held and checkpoint is None and self._first_validation_loss is None:
            loop.evaluate()
            folder.write(TRAINING, msgspec.structs.replace(started, first_validation_loss=self._first_validation_loss))
        self._pace = Pace()
        if checkpoint and step_of(checkpoint) >= self._steps:
            # Killed after the last step: the library would do one more.
            restore(loop, checkpoint)
        else:
            loop.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finished = loop.state.global_step >= self._steps
        if self._pace.steps >= STEPS_FOR_RATE and self._pace.tokens_per_second:
            each = work_per_token(shape_of_folder(Path(base.folder)), self._rows, checkpointing)
            remember_rate(cache, base.digest, device, precision, each * self._pace.tokens_per_second)
        best = folder.best()
        if finished and best is None:
            folder.keep(loop.model, self._steps, None, base.name)
            best = Best(self._steps, None)
        result = TrainingResult(
            finished=finished,
            adapter=str(folder.finish(best)) if finished and best else "",
            base=base.folder,
            base_digest=base.digest,
            step=int(loop.state.global_step),
            steps=self._steps,
            best_step=best.step if best else 0,
            best_validation_loss=best.validation_loss if best else None,
            first_validation_loss=self._first_validation_loss,
            loss=next((log["loss"] for log in reversed(loop.state.log_history) if "loss" in log), 0.0),
            examples=len(self._rows),
            left_out=left_out,
            tokens=self._pace.tokens,
            seconds=time.perf_counter() - began,
            device=device,
            precision=precision,
            memory=self._memory.gpu or self._memory.most,
        )
        if finished:
            folder.write(RESULT, result)
            folder.tidy()
        return result

    def _after_step(self, step: int, epoch: float, loss: float, learning_rate: float, tokens: int) -> bool:
        self._pace.step(tokens)
        self._last = TrainingProgress(
            step=step,
            steps=self._steps,
            epoch=epoch,
            loss=loss,
            learning_rate=learning_rate,
            tokens_per_second=self._pace.tokens_per_second,
            seconds_left=self._pace.left(self._steps - step),
            memory=self._memory.now,
            gpu_memory=self._memory.gpu,
        )
        self._progress(self._last)
        return self._should_stop()

    def _after_evaluation(self, model: Any, step: int, epoch: float, validation_loss: float) -> None:
        if step == 0:
            self._first_validation_loss = validation_loss
        else:
            best = self._folder.best()
            if best is None or best.validation_loss is None or validation_loss < best.validation_loss:
                self._folder.keep(model, step, validation_loss, self._base.name)
        self._last = msgspec.structs.replace(self._last, validation_loss=None)
        self._progress(msgspec.structs.replace(self._last, validation_loss=validation_loss))


def _refuse(needs: TrainingEstimate) -> None:
    if needs.refusal:
        raise MemoryShort(needs.refusal, needs.way_out)


def _memory_ran_out(error: BaseException) -> bool:
    """Whether an error of torch means that memory did not suffice: on a CPU it has no type of its own."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in said for words in ("out of memory", "can't allocate memory", "defaultcpuallocator", "alloc_failed")
    )


def _free(device: Device) -> None:
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()
