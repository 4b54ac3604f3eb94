"""The trainer protocol: examples in, an adapter folder out, with reports on the way and a way to stop and go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec

from models.errors import RequestInvalid
from models.language import Message

Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Precision = Literal["nf4", "bf16", "fp16", "fp32"]
Device = Literal["cpu", "cuda"]


class TrainingOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an adapter is trained; the defaults are those of the published method: QLoRA on all projections."""

    rank: Count = 8
    """Rank of the adapter's matrices."""
    alpha: Count = 16
    """The adapter counts alpha/rank times."""
    dropout: Share = 0.05
    """Share of the adapter's inputs left out at random while training."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 5e-5
    """Highest learning rate; it falls to 0 in a straight line."""
    epochs: Count = 3
    """How often every example is seen."""
    steps: Annotated[int, msgspec.Meta(ge=0)] = 0
    """End after so many steps; 0 for all epochs."""
    batch: Count = 8
    """Examples worked on at once."""
    accumulation: Count = 1
    """Batches whose gradients make one step."""
    max_length: Annotated[int, msgspec.Meta(ge=8)] = 1024
    """Tokens of prompt and completion together; longer examples are left out, never cut."""
    warm_up: Share = 0.03
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """AdamW's weight decay."""
    evaluations: Count = 2
    """Measurements of the validation loss in an epoch."""
    checkpoints: Count = 4
    """Checkpoints in an epoch: what is lost by a kill is at most the work since the last."""
    precision: Literal["auto", "nf4", "bf16", "fp16", "fp32"] = "auto"
    """Numbers the base model is held in; auto: on a GPU nf4 (4 bits) where bitsandbytes runs, else 16; on a CPU bf16 where it multiplies
    those, else nf4, or 32 bits without bitsandbytes."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto: the GPU where there is one."""
    processes: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    """Processes that each work on their share of every batch; 0: one for each GPU, one on a CPU. The batch must be divisible by it, else
    fewer are taken."""
    gradient_checkpointing: Literal["auto", "on", "off"] = "auto"
    """Compute activations twice instead of keeping them; auto: where they would not fit."""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)] = 0
    """Decides the adapter's first numbers, the order of examples and what dropout leaves out."""

    def checked(self) -> TrainingOptions:
        """Itself; RequestInvalid when a value is out of bounds, whichever way it was made."""
        try:
            return msgspec.convert(msgspec.to_builtins(self), TrainingOptions)
        except msgspec.ValidationError as error:
            raise RequestInvalid(f"Training cannot work with these options: {error}", "Change that option.") from error


class TrainingExample(msgspec.Struct, frozen=True):
    """One thing to learn: after this prompt, write this completion."""

    prompt: tuple[Message, ...] | str
    """Messages, rendered with the base model's chat template as the runtime does it; or a text that is rendered already."""
    completion: str


class TrainingProgress(msgspec.Struct, frozen=True):
    """One report of a training run: after each step, and after each measurement of the validation loss, which alone has one."""

    step: int
    steps: int
    epoch: float
    """1.5 is the middle of the second epoch."""
    loss: float
    """Mean over the completion tokens of the last step, natural logarithm."""
    validation_loss: float | None = None
    learning_rate: float = 0.0
    tokens_per_second: float = 0.0
    """Prompt and completion tokens, averaged over the last steps."""
    seconds_left: float | None = None
    memory: int = 0
    """Bytes held in main memory; with several processes, the first one's times their number."""
    gpu_memory: int = 0
    """Most bytes allocated on the GPU so far; 0 without one."""


class TrainingPart(msgspec.Struct, frozen=True):
    """Memory one part of a training takes."""

    name: str
    bytes: int


class TrainingEstimate(msgspec.Struct, frozen=True):
    """What a training would take here."""

    device: Device
    precision: Precision
    gradient_checkpointing: bool
    parts: tuple[TrainingPart, ...]
    available: int
    """Bytes free on the device now."""
    disk: int
    """Bytes a folder made of the base would take; 0 when it is there already."""
    disk_free: int
    steps: int
    tokens: int
    """Prompt and completion tokens of all epochs, validation included."""
    seconds: float
    """0 where it is refused: what does not fit is not tried for its speed."""
    assumed: tuple[str, ...]
    """What the numbers rest on, one sentence each."""
    refusal: str = ""
    """Why it cannot be done; "" when it fits."""
    way_out: str = ""

    @property
    def bytes(self) -> int:
        """Of all parts together."""
        return sum(part.bytes for part in self.parts)


class TrainingResult(msgspec.Struct, frozen=True):
    """What a training came to; `finished` is False when it was stopped and can go on in the same folder."""

    finished: bool
    adapter: str
    """Folder with adapter_model.safetensors and adapter_config.json; "" when not finished."""
    base: str
    """Folder of the base model the adapter belongs to."""
    base_digest: str
    """SHA-256 of the GGUF file, or of the safetensors files together, that were trained on."""
    step: int
    steps: int
    best_step: int
    """The step the adapter is from: that with the best validation loss, or the last without validation."""
    best_validation_loss: float | None
    first_validation_loss: float | None
    """Before the first step."""
    loss: float
    """Of the last step."""
    examples: int
    left_out: int
    """Examples longer than max_length, validation's included."""
    tokens: int
    """Prompt and completion tokens trained on by this call."""
    seconds: float
    """Of this call."""
    device: Device
    precision: Precision
    memory: int
    """Most bytes this process held in main memory; on a GPU most bytes allocated there."""
    validation: int | None = None
    """Examples the validation loss is of; None for trainings of earlier versions, which did not say."""


def unwatched(progress: TrainingProgress) -> None:
    """Nobody looks at the reports."""


def never() -> bool:
    """Nothing stops the training."""
    return False


class Trainer(Protocol):
    """Finetunes one base model."""

    def estimate(
        self,
        train: Sequence[TrainingExample],
        validation: Sequence[TrainingExample],
        options: TrainingOptions,
        out: Path | None = None,
    ) -> TrainingEstimate:
        """Memory and time the training would take, without loading the model; of one begun in `out` as it was begun. ModelError when the
        base cannot be trained."""
        ...

    def train(
        self,
        train: Sequence[TrainingExample],
        validation: Sequence[TrainingExample],
        out: Path,
        options: TrainingOptions,
        progress: Callable[[TrainingProgress], None] = unwatched,
        should_stop: Callable[[], bool] = never,
    ) -> TrainingResult:
        """Train in this process, with everything kept under `out`; called again with the same arguments it goes on where it was.

        `should_stop` is asked between steps; when it says so, the state is saved and the result is not finished. RequestInvalid when
        `out` holds another training, MemoryShort when memory does not suffice.
        """
        ...

    def answers(self, adapter: Path, prompts: Sequence[tuple[Message, ...]], tokens: int) -> Iterator[str]:
        """What an adapter it trained (a folder) answers to each prompt, greedily, at most `tokens` long, where it was trained: to hold
        another runtime's answers against. MemoryShort or WeightsInvalid where it cannot be loaded."""
        ...
