"""One training from its last checkpoint, or the beginning, to the end or a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from models.finetune.base import Base, load_tokenizer
from models.finetune.estimate import remember_rate, work_per_token
from models.finetune.kept import RESULT, TRAINING, Best, Folder, Started
from models.finetune.load import load_model
from models.finetune.loop import last_checkpoint, make_callback, make_loop, restore, step_of, steps_of
from models.finetune.shape import shape_of_folder
from models.finetune.tokens import Row
from models.finetune.watch import Memory, Pace
from models.training import Device, Precision, TrainingOptions, TrainingProgress, TrainingResult

STEPS_FOR_RATE = 5
"""Steps after which a training says how fast this machine is."""


class Session:
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
