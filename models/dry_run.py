"""A trainer and a model without weights: the whole path on any machine in no time, for tests and dry runs.

What it trains is two numbers of an adapter of no model; what it writes has the form of the real thing. The model's answers are drawn by
hash from what it is asked and the name of its adapter, and mean nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from models.errors import RequestInvalid
from models.language import Message, Request
from models.scripted import Script, ScriptedModel
from models.training import (
    TrainingEstimate,
    TrainingExample,
    TrainingOptions,
    TrainingPart,
    TrainingProgress,
    TrainingResult,
    never,
    unwatched,
)

STATE, ADAPTER = "state.json", "adapter"
TOKENS_PER_CHARACTER = 0.25


class State(msgspec.Struct, frozen=True):
    """How far a dry run is, and which it is."""

    fingerprint: str
    step: int = 0
    best_step: int = 0
    best_validation_loss: float | None = None


class DryRunTrainer:
    """A Trainer whose losses are a formula: they fall, validation turns up in the last quarter, and the same input gives the same."""

    def estimate(
        self,
        train: Sequence[TrainingExample],
        validation: Sequence[TrainingExample],
        options: TrainingOptions,
        out: Path | None = None,
    ) -> TrainingEstimate:
        """A few bytes and no time."""
        options = options.checked()
        steps = _steps(train, options)[1]
        tokens = sum(map(_tokens, (*train, *validation)))
        parts = (TrainingPart("adapter", 8),)
        said = ("Nothing is trained: this is a dry run.",)
        return TrainingEstimate("cpu", "fp32", False, parts, 1 << 20, 0, 1 << 20, steps, tokens, 0.0, said)

    def train(
        self,
        train: Sequence[TrainingExample],
        validation: Sequence[TrainingExample],
        out: Path,
        options: TrainingOptions,
        progress: Callable[[TrainingProgress], None] = unwatched,
        should_stop: Callable[[], bool] = never,
    ) -> TrainingResult:
        """See Trainer.train: stops, goes on and refuses as the real one does."""
        options = options.checked()
        if not train:
            raise RequestInvalid("There is no example to train on: there are none", "Give examples.")
        mark = hashlib.sha256(msgspec.json.encode([list(train), list(validation), options])).hexdigest()
        out.mkdir(parents=True, exist_ok=True)
        state = msgspec.json.decode((out / STATE).read_bytes(), type=State) if (out / STATE).is_file() else State(mark)
        if state.fingerprint != mark:
            raise RequestInvalid(f"{out} holds a training with other examples or options", "Give another folder, or delete that one.")
        epoch, steps = _steps(train, options)
        every = max(1, round(epoch / options.evaluations))
        first = _loss(0, steps, mark)
        if validation and state.step == 0:
            progress(TrainingProgress(0, steps, 0.0, 0.0, validation_loss=first))
        while state.step < steps:
            step = state.step + 1
            loss = _loss(step, steps, mark)
            rate = options.learning_rate * (1 - step / steps)
            report = TrainingProgress(step, steps, step / epoch, loss, learning_rate=rate, seconds_left=0.0)
            progress(report)
            state = msgspec.structs.replace(state, step=step)
            if validation and (step % every == 0 or step == steps):
                measured = loss + 0.1 + max(0.0, step / steps - 0.75)
                progress(msgspec.structs.replace(report, validation_loss=measured))
                if state.best_validation_loss is None or measured < state.best_validation_loss:
                    state = msgspec.structs.replace(state, best_step=step, best_validation_loss=measured)
            (out / STATE).write_bytes(msgspec.json.encode(state))
            if should_stop():
                break
        finished = state.step >= steps
        best = state.best_step or state.step
        return TrainingResult(
            finished=finished,
            adapter=str(_write(out / ADAPTER, best, options)) if finished else "",
            base="",
            base_digest=hashlib.sha256(b"dry run").hexdigest(),
            step=state.step,
            steps=steps,
            best_step=best,
            best_validation_loss=state.best_validation_loss,
            first_validation_loss=first if validation else None,
            loss=_loss(state.step, steps, mark),
            examples=len(train),
            left_out=0,
            tokens=sum(map(_tokens, train)),
            seconds=0.0,
            device="cpu",
            precision="fp32",
            memory=0,
            validation=len(validation),
        )

    def answers(self, adapter: Path, prompts: Sequence[tuple[Message, ...]], tokens: int) -> Iterator[str]:
        """Those of the model that answers nothing."""
        return (completion.text for completion in dry_run_model().complete_many(Request("", prompt) for prompt in prompts))


def dry_run_model(adapter: str = "") -> ScriptedModel:
    """A model whose answers mean nothing; with another adapter they are others."""

    def answer(prompt: str, request: Request) -> str | None:
        if not request.choices:
            return None
        return json.dumps([-(1 + hashlib.sha256(f"{adapter}\0{prompt}\0{choice}".encode()).digest()[0]) / 32 for choice in request.choices])

    return ScriptedModel(Script(name=f"dry-run {adapter}".strip()), answer=answer)


def _steps(train: Sequence[TrainingExample], options: TrainingOptions) -> tuple[int, int]:
    epoch = max(1, math.ceil(math.ceil(len(train) / options.batch) / options.accumulation))
    return epoch, options.steps or epoch * options.epochs


def _tokens(example: TrainingExample) -> int:
    prompt = example.prompt if isinstance(example.prompt, str) else "".join(message.content for message in example.prompt)
    return 1 + int((len(prompt) + len(example.completion)) * TOKENS_PER_CHARACTER)


def _loss(step: int, steps: int, mark: str) -> float:
    """Falls from about 3 to about 0.5, with a little noise decided by step and training."""
    noise = hashlib.sha256(f"{mark} {step}".encode()).digest()[0] / 255 - 0.5
    return 0.5 + 2.5 * math.exp(-3 * step / steps) + 0.02 * noise


def _write(folder: Path, step: int, options: TrainingOptions) -> Path:
    """A safetensors file of two numbers and a config, as peft writes them."""
    folder.mkdir(exist_ok=True)
    config = {"peft_type": "LORA", "r": options.rank, "lora_alpha": options.alpha, "target_modules": [], "base_model_name_or_path": ""}
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    header = json.dumps({"dry_run.weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", step, options.rank))
    return folder
