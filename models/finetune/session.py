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


class Work(msgspec.Struct, frozen=True):
    """What is trained, and how."""

    base: Base
    out: str
    """Its folder."""
    rows: Sequence[Row]
    held: Sequence[Row]
    options: TrainingOptions
    started: Started
    device: Device
    precision: Precision
    checkpointing: bool
    left_out: int
    cache: str


class Session:
    """One call of train: from the last checkpoint, or the beginning, to the end or a stop.

    Where several processes do it together each has a session, and the first alone writes what is kept.
    """

    def __init__(
        self,
        work: Work,
        progress: Callable[[TrainingProgress], None],
        should_stop: Callable[[], bool],
        memory: Memory,
        processes: int = 1,
        first: bool = True,
    ) -> None:
        self._work = work
        self._folder = Folder(Path(work.out))
        self._progress = progress
        self._should_stop = should_stop
        self._memory = memory
        self._processes = processes
        self._first = first
        self._pace = Pace()
        self._steps = steps_of(len(work.rows), work.options)[1]
        self._last = TrainingProgress(0, self._steps, 0.0, 0.0)
        self._first_validation_loss: float | None = None
        self._began = time.perf_counter()

    def train(self) -> Any:
        """Train; the loop as it ended."""
        work, folder = self._work, self._folder
        model = load_model(Path(work.base.folder), work.options, work.device, work.precision)
        loop = make_loop(
            model,
            load_tokenizer(Path(work.base.folder)),
            work.rows,
            work.held,
            folder.checkpoints,
            work.options,
            work.device,
            work.precision,
            work.checkpointing,
            make_callback(self._after_step, self._after_evaluation),
            self._processes,
        )
        checkpoint = last_checkpoint(folder.checkpoints)
        self._first_validation_loss = work.started.first_validation_loss
        if work.held and checkpoint is None and self._first_validation_loss is None:
            loop.evaluate()
            if self._first:
                folder.write(TRAINING, msgspec.structs.replace(work.started, first_validation_loss=self._first_validation_loss))
        self._pace = Pace()
        if checkpoint and step_of(checkpoint) >= self._steps:
            # Killed after the last step: the library would do one more.
            restore(loop, checkpoint)
        else:
            loop.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        loop.accelerator.wait_for_everyone()
        return loop

    def result(self, loop: Any) -> TrainingResult:
        """What came of it; kept, if it is finished."""
        work, base, folder = self._work, self._work.base, self._folder
        finished = loop.state.global_step >= self._steps
        if self._pace.steps >= STEPS_FOR_RATE and self._pace.tokens_per_second:
            each = work_per_token(shape_of_folder(Path(base.folder)), work.rows, work.checkpointing)
            remember_rate(Path(work.cache), base.digest, work.device, work.precision, self._processes, each * self._pace.tokens_per_second)
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
            examples=len(work.rows),
            left_out=work.left_out,
            tokens=self._pace.tokens,
            seconds=time.perf_counter() - self._began,
            device=work.device,
            precision=work.precision,
            memory=self._memory.gpu or self._memory.most * self._processes,
            validation=len(work.held),
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
            memory=self._memory.now * self._processes,
            gpu_memory=self._memory.gpu,
        )
        self._progress(self._last)
        return self._should_stop()

    def _after_evaluation(self, model: Any, step: int, epoch: float, validation_loss: float) -> None:
        if step == 0:
            self._first_validation_loss = validation_loss
        elif self._first:
            best = self._folder.best()
            if best is None or best.validation_loss is None or validation_loss < best.validation_loss:
                self._folder.keep(model, step, validation_loss, self._work.base.name)
        self._last = msgspec.structs.replace(self._last, validation_loss=None)
        self._progress(msgspec.structs.replace(self._last, validation_loss=validation_loss))
