"""What a running stage may use, as engine.stage.Context promises it: stored answers, progress, cancel and budget between units."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from engine.call_time import duration, expected_seconds
from engine.errors import StageFailed
from engine.finetuned_model import adapter_folder, base_of, spec_of
from engine.fingerprint import call_hash
from engine.locations import ADAPTER_DIGITS
from engine.loop import Loop
from engine.records import Finetuned, RowSource
from engine.roles import translated
from engine.session import BudgetSpent, Session
from engine.stage import Counts, Outcome, Stage
from engine.store import events, items, tallies
from engine.store.reviews import Review, reviews_of
from engine.store.tallies import ItemState
from models.embedding import Embedder
from models.language import Completion, LanguageModel, Request
from models.training import Trainer

if TYPE_CHECKING:
    from engine.catalog.catalog import Catalog

T = TypeVar("T")

PROGRESS_SECONDS = 0.5
TREND_SECONDS = 2.0
TREND_SHARE = 0.01
"""A point of the trend every two seconds, later every hundredth of the time worked: a few hundred points however long a step takes."""
KNOWN_AT_ONCE = 512
"""Answers known before that wait while the model is asked something new."""


class StepContext:
    """One running step's view of the session; see engine.stage.Context."""

    def __init__(self, session: Session, stage: Stage, step: str, candidate: str, seed: int) -> None:
        self.seed = seed
        self.step = step
        self.stopped = ""
        """Why the step ended before its end, when it did so with a usable record."""
        self._session = session
        self._stage = stage
        self._candidate = candidate
        self._begun = time.monotonic()
        self._done_before: int | None = None
        self._unit = ""
        self._last_progress = 0.0
        self._tokens = 0
        """Of answers that were not known before."""
        self._next_trend = 0.0

    @property
    def catalog(self) -> Catalog:
        return self._session.catalog

    def model(self, role: str) -> LanguageModel:
        self._must_have(role)
        return self._session.roles.model(role)

    def embedder(self) -> Embedder:
        return self._session.roles.embedder()

    def splits(self, dataset: str) -> dict[str, tuple[str, ...]]:
        return self._session.data.splits(dataset)

    def rows(self, dataset: str, config: str, split: str) -> RowSource:
        return self._session.data.rows(dataset, config, split)

    def trainer(self) -> Trainer:
        return self._session.roles.trainer()

    def release_models(self) -> None:
        self._session.roles.close()

    def finetuned(self, finetuned: Finetuned, question: Request) -> Path:
        roles = self._session.roles
        roles.give("finetuned", spec_of(finetuned, roles, self._session.locations, question))
        return self._session.locations.adapters / finetuned.adapter

    def adapter_folder(self, finetuned: Finetuned) -> Path:
        return adapter_folder(finetuned, self._session.locations)

    def base_of(self, finetuned: Finetuned) -> Path:
        return base_of(finetuned, self._session.roles)

    def folder(self) -> Path:
        return self._session.locations.adapters / self.step[:ADAPTER_DIGITS]

    def keep(self, seq: int, key: str, outcome: Outcome) -> None:
        items.store_items(self._session.connection, self.step, [items.Item(key, seq, outcome.state, outcome.reason, outcome.result)])

    def event(self, kind: str, text: str, **data: Any) -> None:
        self._session.event(kind, text, self._stage.name, self._candidate, **data)

    def progress(self, done: int, total: int | None, unit: str) -> None:
        now = time.monotonic()
        if self._done_before is None or unit != self._unit:
            self._done_before, self._begun, self._unit = done, now, unit
        if now - self._last_progress >= PROGRESS_SECONDS or done == total:
            self._last_progress = now
            rate = (done - self._done_before) / max(now - self._begun, 1e-6)
            connection = self._session.connection
            events.set_progress(connection, self._session.run, self.step, self._stage.name, self._candidate, done, total, rate, unit)
            if self._session.watch:
                self._session.watch(self._stage.name, done, total, unit)
        self._session.check()

    def items(self, state: ItemState, limit: int = -1, step: str = "") -> Iterator[items.Item]:
        return items.items_in_order(self._session.connection, step or self.step, state, limit)

    def reviews(self, step: str) -> dict[str, Review]:
        return reviews_of(self._session.connection, step)

    def reasons(self) -> dict[str, int]:
        return tallies.reason_counts(self._session.connection, self.step)

    def expect_calls(self, role: str, calls: int, prompt_tokens: int, completion_tokens: int, shared: int = 0) -> None:
        model = self.model(role)
        identity = model.identity
        if model.shortage:
            self.event("shortage", f"{identity.name}: {model.shortage}")
        with translated(f"role {role}"):
            if found := model.prepare(calls, self._session.check):
                self.event("calibrated", f"{identity.name}: fastest here with {found}")
        text = f"about {calls:,} calls of {identity.name}, {prompt_tokens + completion_tokens:,} tokens"
        data: dict[str, Any] = {"role": role, "calls": calls, "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        seconds = expected_seconds(self._session.connection, model, calls, prompt_tokens, completion_tokens, shared)
        if seconds is not None:
            text += f", about {duration(seconds)} at the rate measured on this machine"
            data["seconds"] = round(seconds, 1)
        else:
            text += "; this machine's rate for it is not measured yet"
        self.event("cost", text, **data)

    # ── asking models ─────────────────────────────────────────────────────────────────────────────────────

    def complete(self, role: str, requests: Iterable[Request | None]) -> Iterator[Completion]:
        model = self.model(role)
        queue = iter(requests)
        while True:
            first: tuple[Request, str, str] | None = None
            for request in queue:
                if request is None:
                    continue  # nothing is under way that could be waited for
                call, prompt, stored = self._known(model, request)
                if stored is None:
                    first = (request, call, prompt)
                    break
                yield stored
            if first is None:
                return
            with translated(f"role {role}"):
                yield from self._ask(model, role, first, queue)

    def _ask(
        self, model: LanguageModel, role: str, first: tuple[Request, str, str], queue: Iterator[Request | None]
    ) -> Iterator[Completion]:
        """One stream through the model; answers known before are slipped in between, never more than a few at a time."""
        ready: deque[Completion] = deque()
        request, call, prompt = first
        prompts = {call: prompt}
        calls = {request.key: call}
        same: dict[str, list[str]] = {}

        def missing() -> Iterator[Request | None]:
            yield request
            for following in queue:
                if following is None:
                    yield None
                    continue
                call, prompt, stored = self._known(model, following)
                if stored is not None:
                    ready.append(stored)
                    if len(ready) >= KNOWN_AT_ONCE:
                        return
                elif call in prompts:
                    same.setdefault(call, []).append(following.key)
                else:
                    prompts[call] = prompt
                    calls[following.key] = call
                    yield following

        for completion in model.complete_many(missing(), self._session.check):
            call = calls.pop(completion.key)
            prompt = prompts.pop(call)
            self._tokens += completion.prompt_tokens + completion.completion_tokens
            if completion.finish != "error":
                items.store_call(self._session.connection, call, role, model.identity.digest, prompt, completion, self.step)
            while ready:
                yield ready.popleft()
            yield completion
            for key in same.pop(call, ()):
                yield msgspec.structs.replace(completion, key=key)
            self._session.check()
        while ready:
            yield ready.popleft()

    def _known(self, model: LanguageModel, request: Request) -> tuple[str, str, Completion | None]:
        with translated("a prompt"):
            prompt = model.render(request.messages)
        call = call_hash(prompt, request, model.identity)
        stored = items.stored_call(self._session.connection, call)
        if stored is None:
            return call, prompt, None
        items.link_call(self._session.connection, self.step, call)
        return call, prompt, msgspec.structs.replace(stored, key=request.key)

    def _must_have(self, role: str) -> None:
        if role not in (*self._stage.roles, *self._stage.trained):
            raise StageFailed(
                f"{self._stage.name} asks for role {role}, which it does not declare", "this is a mistake in DataTune; report it"
            )

    # ── looping ───────────────────────────────────────────────────────────────────────────────────────────

    def each(
        self,
        items_: Iterable[T],
        *,
        key: Callable[[T], str],
        through: Callable[[Iterator[T]], Iterator[tuple[str, Outcome]]],
        enough: Callable[[int], bool] = lambda accepted: False,
        total: int | None = None,
        unit: str = "units",
        native: bool = False,
    ) -> Counts:
        connection = self._session.connection
        loop = Loop(connection, self.step, native)
        (worked, tokens), begun, self._tokens = tallies.work_before(connection, self.step), time.monotonic(), 0

        def tell() -> None:
            self.progress(loop.accepted if unit == "examples" else loop.finished, total, unit)
            if (now := worked + time.monotonic() - begun) >= self._next_trend and not connection.in_transaction:
                tallies.add_trend_point(connection, self.step, now, tokens + self._tokens)
                self._next_trend = now + max(TREND_SECONDS, TREND_SHARE * now)

        tell()
        try:
            for _ in loop.drive(items_, key, through, enough):
                tell()
        except BudgetSpent as spent:
            self.stopped = spent.title
            self._session.spent = self._session.budget_ended = True
        finally:
            loop.commit()
            self._next_trend = 0.0
        tell()
        return loop.counts()
