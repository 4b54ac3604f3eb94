"""What tests of the runner work with: a session over a database of its own, a stage made of one function, a model that keeps count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from engine.context import StepContext
from engine.locations import Locations
from engine.records import Task, Value
from engine.roles import Roles
from engine.runner import run_step
from engine.session import Session
from engine.stage import Context, Outcome, Stage
from engine.store import items, runs
from engine.store.database import open_writer
from engine.store.lease import this_process
from models.intake import Intake
from models.language import Completion, Identity, LanguageModel, Message, Request, Speed, unhindered

TASK = Task("weather-notes", "Say what kind of weather a note speaks of.")


class Given(Value):
    """What the test's stage starts from."""

    text: str = ""


class Options(Value):
    """Settings of the test's stage."""

    size: int = 1


class Made(Value):
    """What the test's stage makes."""

    units: int = 0


class CountingModel:
    """Answers every prompt with itself in capitals, `batch` requests at a time, last one first; keeps what it was asked."""

    context_length = 4096
    batched = False

    def __init__(self, batch: int = 1, errors: Iterable[str] = ()) -> None:
        self.identity = Identity("counting", "digest of counting", "test 1")
        self.asked: list[str] = []
        self.measured: Speed | None = None
        self.shortage = ""
        self.errors = set(errors)
        """Prompts that get no answer."""
        self._batch = batch

    def render(self, messages: tuple[Message, ...]) -> str:
        return "|".join(message.content for message in messages)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def prepare(self, calls: int, between: Callable[[], None] = unhindered) -> str:
        return ""

    @property
    def speed(self) -> Speed | None:
        """As the test says."""
        return self.measured

    def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
        intake = Intake(requests)
        while True:
            batch: list[Request] = []
            while len(batch) < self._batch and (request := intake.take()):
                self.asked.append(self.render(request.messages))
                batch.append(request)
            if not batch:
                return
            between()
            intake.go_on()
            yield from map(self._answer, reversed(batch))

    def close(self) -> None:
        return None

    def _answer(self, request: Request) -> Completion:
        prompt = self.render(request.messages)
        if prompt in self.errors:
            return Completion(request.key, "", "error", error="no answer today")
        return Completion(request.key, prompt.upper(), "stop", len(prompt), 2, 0.5)


class OneModel(Roles):
    """The same model for every role."""

    def __init__(self, model: LanguageModel, locations: Locations) -> None:
        super().__init__({}, locations)
        self.only = model

    def model(self, role: str) -> LanguageModel:
        return self.only


class Bench:
    """A run at work, in this process."""

    def __init__(self, folder: Path, model: LanguageModel | None = None, budget_seconds: float = 0) -> None:
        self.locations = Locations(folder / "home").ensure()
        self.connection = open_writer(self.locations.database)
        self.run = runs.create_run(self.connection, TASK, runs.RunSettings())
        runs.claim_run(self.connection, self.run, this_process())
        self.model = model or CountingModel()
        self.session = self.another_session(budget_seconds)

    def another_session(self, budget_seconds: float = 0) -> Session:
        """As a new engine of the same run would have."""
        roles = OneModel(self.model, self.locations)
        return Session(self.connection, self.run, this_process(), self.locations, roles, budget_seconds)

    def context(self, step: str = "step") -> StepContext:
        """The context of a step that nobody claims."""
        return StepContext(self.session, stage_of(lambda given, options, ctx: Made()), step, "", 0)

    def step(self, work: Callable[[Any, Any, Context], Any], given: Given | None = None, seed: int = 0) -> tuple[str, Any]:
        """Run `work` as a stage."""
        return run_step(self.session, stage_of(work), given or Given(), Options(), "", seed)


def stage_of(work: Callable[[Any, Any, Context], Any], name: str = "count", version: int = 1) -> Stage:
    """A stage whose `run` is `work`, with one role."""
    return Stage(name, "counting", version, Given, Options, Made, work, roles=("execute",))


def accept(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
    for name in pending:
        yield name, Outcome("accepted", "", f'"{name}"')


def names(count: int) -> list[str]:
    return [f"unit {number}" for number in range(count)]


def same(name: str) -> str:
    return name


def in_flight(bench: Bench, step: str = "step") -> list[str]:
    return items.in_flight(bench.connection, step)
