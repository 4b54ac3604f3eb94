"""What a stage is, and what it is handed besides its input: the context.

Every stage is one module in engine/stages with `Given`, `Options`, a record type, `run(given, options, ctx)` and a
`STAGE` that names them. What loops goes through `ctx.each`; what asks a model goes through `ctx.complete`. Resume, cancel,
budget, crash and progress are the context's business, so they are the same for every stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from engine.records import Finetuned, RowSource, Value
from engine.store.items import Item
from engine.store.reviews import Review
from engine.store.tallies import ItemState
from models.embedding import Embedder
from models.language import Completion, LanguageModel, Request
from models.training import Trainer

if TYPE_CHECKING:
    from engine.catalog.catalog import Catalog

T = TypeVar("T")


class Outcome(Value):
    """What became of one unit."""

    state: ItemState
    reason: str = ""
    result: str = ""
    """As JSON: the example, or the trace of a failure."""


class Counts(Value):
    """How the units of a step ended so far."""

    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.accepted + self.rejected + self.failed + self.skipped


class Context(Protocol):
    """What a running stage may use."""

    seed: int
    step: str
    """Fingerprint of the step."""

    def each(
        self,
        items: Iterable[T],
        *,
        key: Callable[[T], str],
        through: Callable[[Iterator[T]], Iterator[tuple[str, Outcome]]],
        enough: Callable[[int], bool] = ...,
        total: int | None = None,
        unit: str = "units",
        native: bool = False,
    ) -> Counts:
        """Bring every item through `through`, which pulls pending ones lazily and yields (key, outcome) in any order.

        Stored ones are skipped. `enough(accepted so far)` true stops the pulling. `native` says that native code works on
        them, so fewer are marked in flight at a time. Progress counts accepted units where `unit` is "examples".
        """
        ...

    def items(self, state: ItemState, limit: int = -1, step: str = "") -> Iterator[Item]:
        """Stored units of this step (or another), in the order they entered."""
        ...

    def reviews(self, step: str) -> dict[str, Review]:
        """What people said of a step's examples, by key."""
        ...

    def reasons(self) -> dict[str, int]:
        """Why stored units of this step did not become examples, by count, most frequent first."""
        ...

    def complete(self, role: str, requests: Iterable[Request | None]) -> Iterator[Completion]:
        """Ask the model of a role; an answer given before is not asked for again.

        A None among the requests says that none waits until one of those under way is answered.
        """
        ...

    def model(self, role: str) -> LanguageModel:
        """The model of a role, loaded on first use."""
        ...

    def embedder(self) -> Embedder:
        """The embedder, loaded on first use."""
        ...

    @property
    def catalog(self) -> Catalog:
        """The catalog of data sets."""
        ...

    def splits(self, dataset: str) -> dict[str, tuple[str, ...]]:
        """Configs of a data set on this machine, each with its splits. Raises Unavailable."""
        ...

    def rows(self, dataset: str, config: str, split: str) -> RowSource:
        """One split's rows. Raises Unavailable."""
        ...

    def trainer(self) -> Trainer:
        """The trainer of the base model."""
        ...

    def release_models(self) -> None:
        """Give the memory of all models back, such as for a training; they are loaded again when they are asked next."""
        ...

    def finetuned(self, finetuned: Finetuned, question: Request) -> Path:
        """Let the role "finetuned" have the base with this adapter, whose folder is returned. A file llama.cpp reads is made of it first
        where there is none, and asked `question`. Raises Unavailable or BadInput."""
        ...

    def adapter_folder(self, finetuned: Finetuned) -> Path:
        """Where finetune left the adapter. Raises Unavailable where it is gone."""
        ...

    def base_of(self, finetuned: Finetuned) -> Path:
        """The GGUF file or safetensors folder an adapter belongs to. Raises BadInput where another stands in its place, Unavailable."""
        ...

    def folder(self) -> Path:
        """A folder of this step's own; it stays, and the step finds it again when it goes on."""
        ...

    def keep(self, seq: int, key: str, outcome: Outcome) -> None:
        """Store one unit of work that comes in an order of its own, such as a training step; one with this key is left as it is."""
        ...

    def event(self, kind: str, text: str, **data: Any) -> None:
        """Tell the run's story in one line, with the facts beside it."""
        ...

    def progress(self, done: int, total: int | None, unit: str) -> None:
        """Say how far this is; also the moment at which cancel and budget take effect."""
        ...

    def expect_calls(self, role: str, calls: int, prompt_tokens: int, completion_tokens: int, shared: int = 0) -> None:
        """Say what is about to be spent, at this machine's measured rate.

        Prompt tokens of all calls together; `shared` is how many of each are the same as in the others.
        """
        ...


@dataclass(frozen=True)
class Stage:
    """One stage, as the runner and the documents know it."""

    name: str
    title: str
    """What it does, in a few words."""
    version: int
    """Raised when its results would differ for the same input."""
    given: type[Value]
    options: type[Value]
    record: type[Value]
    run: Callable[[Any, Any, Context], Any]
    roles: tuple[str, ...] = ()
    """Models it may ask; their identity belongs to the step's fingerprint."""
    trained: tuple[str, ...] = ()
    """Roles it asks whose model comes with what it is given, see Context.finetuned, instead of from settings."""
    per_candidate: bool = False
