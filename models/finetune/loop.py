"""The training loop: trl's SFTTrainer over rows that are tokens already, with checkpoints that are whole or not there.

SFTTrainer brings what a loop of ours would have to: losses summed over completion tokens only and divided once for all batches of a step,
logits computed in tiles so that a large vocabulary takes no memory, AdamW in 8 bits, checkpoints with the state of every random number
generator. Its own preparation of examples is not used: theirs is not the runtime's chat template.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.finetune.batches import Order
from models.finetune.load import computing
from models.finetune.tokens import Row
from models.training import Device, Precision, TrainingOptions

WHOLE = "whole"
"""A file put into a checkpoint when everything else is in it."""
KEPT = 2


def steps_of(rows: int, options: TrainingOptions) -> tuple[int, int]:
    """Steps of one epoch, and of the training."""
    epoch = math.ceil(math.ceil(rows / options.batch) / options.accumulation)
    return epoch, options.steps or epoch * options.epochs


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was saved; -1 for what is none."""
    number = checkpoint.name.removeprefix("checkpoint-")
    return int(number) if number.isdigit() else -1


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; those that a kill left unfinished are removed."""
    for path in sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True):
        if (path / WHOLE).is_file():
            return path
        shutil.rmtree(path, ignore_errors=True)
    return None


def restore(loop: Any, checkpoint: Path) -> None:
    """Put adapter and state of a checkpoint into a loop that has no step left to do."""
    from transformers import TrainerState

    loop._load_from_checkpoint(str(checkpoint))
    loop.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))


def make_loop(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Row],
    validation: Sequence[Row],
    folder: Path,
    options: TrainingOptions,
    device: Device,
    precision: Precision,
    checkpointing: bool,
    callback: Any,
    processes: int = 1,
) -> Any:
    """An SFTTrainer whose `train(resume_from_checkpoint=…)` does it all; `callback` is a TrainerCallback.

    It is one of `processes` that train together.
    """
    import torch
    from datasets import Dataset
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer
    from trl.trainer import utils as trl_utils

    if device == "cpu" and hasattr(trl_utils, "_use_triton"):
        # There it decides only whether prompts are scored too, which is done where shapes must not change. A CPU does not mind, and
        # over a large vocabulary it would take a quarter of the time and much memory.
        trl_utils._use_triton = lambda _: True
    epoch, steps = steps_of(len(rows), options)
    # Several processes cut a batch between them: what is missing in the last one would be filled up with other examples.
    fillers = -len(rows) % options.batch if processes > 1 else 0
    order = Order([len(row.tokens) for row in rows], options.batch, options.seed, fillers)
    kind = computing(device, precision)

    class Loop(SFTTrainer):  # type: ignore[misc]
        """Says nothing to anybody, orders batches by seed, and measures the validation loss per token."""

        control: Any

        def _send_telemetry(self) -> None:
            return

        def create_model_card(self, *_: Any, **__: Any) -> None:
            return

        def _get_train_sampler(self, train_dataset: Any = None) -> Order:
            return order

        def _run_epoch(self, model: Any, epoch: int, *rest: Any, **named: Any) -> Any:
            # Where several processes go on within an epoch, the library does not reach the sampler below its wrappers.
            order.set_epoch(epoch)
            return super()._run_epoch(model, epoch, *rest, **named)

        def _whole_validation(self) -> Any:
            return DataLoader(self.eval_dataset, batch_size=options.batch // processes, collate_fn=self.data_collator)

        def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
            # The library's mean of batches' means would depend on how examples fall into batches.
            self.model.eval()
            total, count = 0.0, 0
            # Where several processes train, each measures all: cut among them, some examples would count twice.
            for batch in self.get_eval_dataloader() if processes == 1 else self._whole_validation():
                inputs = self._prepare_inputs(batch)
                # Before the first step the library has not put the model into the precision of its steps yet.
                with torch.no_grad(), self.compute_loss_context_manager(), self.accelerator.autocast():
                    total += float(self.compute_loss(self.model, inputs, num_items_in_batch=1))
                count += int((inputs["labels"][:, 1:] != -100).sum())
            # The library makes a process's loss as many times larger as there are processes, since gradients are averaged over them.
            metrics = {"eval_loss": total / processes / max(1, count)}
            self.log(dict(metrics))
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            self.model.train()
            return metrics

    settings = SFTConfig(
        output_dir=str(folder),
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        seed=options.seed,
        learning_rate=options.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=math.ceil(steps * options.warm_up),
        weight_decay=options.weight_decay,
        num_train_epochs=options.epochs,
        max_steps=options.steps or -1,
        per_device_train_batch_size=options.batch // processes,
        per_device_eval_batch_size=options.batch // processes,
        gradient_accumulation_steps=options.accumulation,
        gradient_checkpointing=checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if checkpointing else None,
        optim="paged_adamw_8bit" if device == "cuda" and precision == "nf4" else "adamw_torch",
        bf16=device == "cuda" and kind is torch.bfloat16,
        fp16=device == "cuda" and kind is torch.float16,
        use_cpu=device == "cpu",
        ddp_backend=(None if processes == 1 else "nccl" if device == "cuda" else "gloo"),
        ddp_find_unused_parameters=False if processes > 1 else None,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if validation else "no",
        eval_steps=max(1, round(epoch / options.evaluations)),
        save_strategy="steps",
        save_steps=max(1, round(epoch / options.checkpoints)),
        save_total_limit=KEPT,
        report_to="none",
        push_to_hub=False,
        disable_tqdm=True,
        dataloader_pin_memory=device == "cuda",
        trust_remote_code=False,
        router_aux_loss_coef=0.0,
    )
    if device == "cuda":
        # One GPU is this process's: the library would copy the model to all, which adapters of quantised models do not stand.
        settings._n_gpu = 1
    loop = Loop(
        model=model,
        args=settings,
        train_dataset=_dataset(Dataset, rows, fillers),
        # The longest first: should memory be short, it shows at once; and neighbours pad each other least.
        eval_dataset=_dataset(Dataset, sorted(validation, key=lambda row: -len(row.tokens))) if validation else None,
        processing_class=tokenizer,
        callbacks=[callback],
    )
    loop.remove_callback(PrinterCallback)
    for parameter in loop.model.parameters():
        if parameter.requires_grad:
            # SFTTrainer puts an adapter of a quantised model into 16 bits, where steps of 5e-5 are mostly rounded away.
            parameter.data = parameter.data.float()
    return loop


def make_callback(after_step: Callable[..., bool], after_evaluation: Callable[..., None]) -> Any:
    """A TrainerCallback that reports, stops when `after_step` says so, and marks checkpoints as whole.

    `after_step` gets step, epoch, loss, learning rate and tokens trained so far by this process; `after_evaluation` the model,
    step, epoch and validation loss.
    """
    import torch
    from transformers import TrainerCallback

    class Reports(TrainerCallback):  # type: ignore[misc]
        """Between the loop and the one who asked for it."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if args.world_size > 1:
                # Else dropout would leave out the same in every process's share; a checkpoint's own numbers are loaded after this.
                torch.manual_seed(args.seed + args.process_index)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps and args.eval_strategy != "no":
                control.should_evaluate = True

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
            if not logs or "loss" not in logs:
                return
            if not math.isfinite(logs["loss"]):
                raise ModelError(f"The loss is no number any more at step {state.global_step}", "Lower the learning rate, or use bf16.")
            if after_step(state.global_step, state.epoch or 0.0, logs["loss"], logs["learning_rate"], int(logs.get("num_tokens", 0))):
                # Asked after the loop set what is due at this step, and before it does it.
                control.should_save = control.should_training_stop = True

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any = None, **_: Any) -> None:
            after_evaluation(model, state.global_step, state.epoch or 0.0, metrics["eval_loss"])

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if torch.distributed.is_initialized():
                torch.distributed.barrier()
            if state.is_world_process_zero:
                mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    return Reports()


def mark_whole(folder: Path) -> None:
    """Say that a folder has everything it should, once that is on the disk."""
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    (folder / WHOLE).touch()


def _dataset(kind: Any, rows: Sequence[Row], fillers: int = 0) -> Any:
    """Of rows, and of one token from which nothing is learnt for each filler."""
    tokens = [list(row.tokens) for row in rows] + fillers * [[rows[0].tokens[0]]] if rows else []
    return kind.from_dict({"input_ids": tokens, "labels": [row.labels for row in rows] + fillers * [[-100]]})
