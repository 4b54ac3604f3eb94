"""Runs one step: fingerprint, lease, context, record. A finished step is handed back; an unfinished one goes on.

The context here is what `engine.stage.Context` promises: stored units are skipped, answers are stored as they come, progress,
cancel and budget take effect between units, and units in flight are marked so that a native crash can be laid at the right door.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from engine.errors import Busy, Cancelled, EngineError, StageFailed, StoreUnusable
from engine.fingerprint import call_hash, step_fingerprint
from engine.locations import Locations
from engine.records import RowSource, Value
from engine.roles import Roles, translated
from engine.rows_here import RowsHere
from engine.stage import Counts, Outcome, Stage
from engine.store import events, items, runs, steps
from engine.store.database import Connection, DatabaseError, unusable
from engine.store.lease import Owner
from models.embedding import Embedder
from models.language import Completion, LanguageModel, Request

if TYPE_CHECKING:
    from engine.catalog.catalog import Catalog

T = TypeVar("T")

COMMIT_SECONDS = 0.5
COMMIT_SIZE = 500
BEAT_SECONDS = 2.0
IN_FLIGHT = 512
IN_FLIGHT_NATIVE = 16


class BudgetSpent(EngineError):
    """The time the user gave is over; what was made so far is used."""


class Session:
    """What all steps of one engine process share: database, models, catalog, time limit."""

    def __init__(self, connection: Connection, run: str, owner: Owner, locations: Locations, roles: Roles, budget_seconds: float) -> None:
        self.connection = connection
        self.run = run
        self.owner = owner
        self.locations = locations
        self.roles = roles
        self.deadline = time.monotonic() + budget_seconds if budget_seconds else None
        self.step = ""
        self.spent = False
        """No time limit any more: the budget ended a step early with what it had, or only the export is left."""
        self.budget_ended = False
        self.terminated = False
        self.parent = 0
        """The watcher; when it is gone, so are we."""
        self._catalog: Catalog | None = None
        self._data: RowsHere | None = None

    @property
    def catalog(self) -> Catalog:
        """The catalog, opened on first use."""
        if self._catalog is None:
            from engine.catalog.catalog import Catalog

            self._catalog = Catalog(self.locations.catalog, self.roles.embedder)
        return self._catalog

    @property
    def data(self) -> RowsHere:
        """The data sets on this machine."""
        if self._data is None:
            self._data = RowsHere(self.catalog, self.locations.cache)
        return self._data

    def event(self, kind: str, text: str, stage: str = "", candidate: str = "", **data: Any) -> None:
        """Append to the run's story."""
        events.add_event(self.connection, self.run, kind, text, stage=stage, candidate=candidate, **data)

    def check(self) -> None:
        """Let a cancel or the end of the budget take effect."""
        if self.terminated or (self.parent and os.getppid() != self.parent):
            raise Cancelled("ended from outside", f"go on with: datatune resume {self.run}")
        if runs.take_command(self.connection, self.run) == "cancel":
            raise Cancelled("cancelled", f"go on with: datatune resume {self.run}")
        if self.deadline and not self.spent and time.monotonic() > self.deadline:
            raise BudgetSpent("the time budget is spent")


class Pulse(threading.Thread):
    """Says every two seconds that this engine is alive, over a connection of its own."""

    def __init__(self, database: Path, session: Session) -> None:
        super().__init__(name="pulse", daemon=True)
        self._database = database
        self._session = session
        self._over = threading.Event()

    def run(self) -> None:
        from engine.store.database import open_small_writer

        connection = open_small_writer(self._database)
        while not self._over.wait(BEAT_SECONDS):
            try:
                steps.beat(connection, self._session.run, self._session.step)
            except DatabaseError:
                continue  # the main thread meets the same trouble and reports it
        connection.close()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self.join()


def run_step(session: Session, stage: Stage, given: Value, options: Value, candidate: str = "", seed: int = 0) -> tuple[str, Any]:
    """Do a step, or take what an earlier run made of it. Returns its fingerprint and record.

    Raises whatever the stage raises; the step is then stored as failed, stopped or interrupted, and what it finished stays.
    """
    models = {role: session.roles.identity(role) for role in stage.roles}
    fingerprint = step_fingerprint(stage.name, stage.version, given, options, seed, models)
    done = steps.read_step(session.connection, fingerprint)
    if done and done.state == "done":
        steps.link_step(session.connection, session.run, fingerprint, stage.name, candidate, reused=True)
        session.event("step-reused", f"{stage.name}: done before, taken as it is", stage.name, candidate)
        return fingerprint, msgspec.json.decode(done.record, type=stage.record)
    holder = steps.claim_step(
        session.connection,
        fingerprint,
        stage.name,
        candidate,
        stage.version,
        msgspec.json.encode(options).decode(),
        seed,
        session.owner,
    )
    if holder:
        raise Busy(f"{stage.name}: another engine (process {holder.pid}) is at it", "wait for it, or cancel its run: datatune runs")
    items.clear_in_flight(session.connection, fingerprint)  # what a killed engine of another run left marked is not to blame for ours
    steps.link_step(session.connection, session.run, fingerprint, stage.name, candidate, reused=False)
    session.step = fingerprint
    session.event("step-started", stage.title, stage.name, candidate)
    context = StepContext(session, stage, fingerprint, candidate, seed)
    begun = time.monotonic()

    def finish(state: steps.StepState, reason: str = "", record: str = "") -> None:
        items.clear_in_flight(session.connection, fingerprint)
        steps.finish_step(session.connection, fingerprint, state, reason, record, time.monotonic() - begun)

    try:
        record = stage.run(given, options, context)
    except BudgetSpent as spent:
        finish("stopped", spent.title)
        raise
    except Cancelled as cancelled:
        finish("interrupted", cancelled.title)
        raise
    except DatabaseError as error:
        raise unusable(session.locations.database, error) from error
    except StoreUnusable:
        raise
    except EngineError as error:
        finish("failed", error.title)
        session.event("step-failed", f"{stage.name}: {error.title}", stage.name, candidate, hint=error.hint)
        raise
    except Exception as error:
        finish("failed", f"{type(error).__name__}: {error}")
        raise
    stopped = context.stopped
    finish("stopped" if stopped else "done", stopped, msgspec.json.encode(record).decode())
    session.event("step-finished", f"{stage.name}: done in {time.monotonic() - begun:.1f} s", stage.name, candidate)
    return fingerprint, record


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
        self._last_progress = 0.0

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

    def event(self, kind: str, text: str, **data: Any) -> None:
        self._session.event(kind, text, self._stage.name, self._candidate, **data)

    def progress(self, done: int, total: int | None, unit: str) -> None:
        now = time.monotonic()
        if self._done_before is None:
            self._done_before, self._begun = done, now
        if now - self._last_progress >= COMMIT_SECONDS or done == total:
            self._last_progress = now
            rate = (done - self._done_before) / max(now - self._begun, 1e-6)
            connection = self._session.connection
            events.set_progress(connection, self._session.run, self.step, self._stage.name, self._candidate, done, total, rate, unit)
        self._session.check()

    def items(self, state: items.ItemState, limit: int = -1, step: str = "") -> Iterator[items.Item]:
        return items.items_in_order(self._session.connection, step or self.step, state, limit)

    def expect_calls(self, role: str, calls: int, prompt_tokens: int, completion_tokens: int) -> None:
        identity = self._session.roles.identity(role)
        rates = items.measured_rates(self._session.connection, identity.digest)
        text = f"about {calls:,} calls of {identity.name}, {prompt_tokens + completion_tokens:,} tokens"
        data: dict[str, Any] = {"role": role, "calls": calls, "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        if rates.calls >= 3:
            seconds = prompt_tokens * rates.per_prompt_token + completion_tokens * rates.per_completion_token
            text += f", about {_duration(seconds)} at the rate measured on this machine"
            data["seconds"] = round(seconds, 1)
        else:
            text += "; this machine's rate for it is not measured yet"
        self.event("cost", text, **data)

    # ── asking models ─────────────────────────────────────────────────────────────────────────────────────

    def complete(self, role: str, requests: Iterable[Request]) -> Iterator[Completion]:
        model = self.model(role)
        queue = iter(requests)
        while True:
            first: tuple[Request, str, str] | None = None
            for request in queue:
                call, prompt, stored = self._known(model, request)
                if stored is None:
                    first = (request, call, prompt)
                    break
                yield stored
            if first is None:
                return
            with translated(f"role {role}"):
                yield from self._ask(model, role, first, queue)

    def _ask(self, model: LanguageModel, role: str, first: tuple[Request, str, str], queue: Iterator[Request]) -> Iterator[Completion]:
        """One stream through the model; answers known before are slipped in between, never more than a few at a time."""
        ready: deque[Completion] = deque()
        request, call, prompt = first
        prompts = {call: prompt}
        calls = {request.key: call}
        same: dict[str, list[str]] = {}

        def missing() -> Iterator[Request]:
            yield request
            for following in queue:
                call, prompt, stored = self._known(model, following)
                if stored is not None:
                    ready.append(stored)
                    if len(ready) >= IN_FLIGHT:
                        return
                elif call in prompts:
                    same.setdefault(call, []).append(following.key)
                else:
                    prompts[call] = prompt
                    calls[following.key] = call
                    yield following

        for completion in model.complete_many(missing()):
            call = calls.pop(completion.key)
            prompt = prompts.pop(call)
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
        prompt = model.render(request.messages)
        call = call_hash(prompt, request, model.identity)
        stored = items.stored_call(self._session.connection, call)
        if stored is None:
            return call, prompt, None
        items.link_call(self._session.connection, self.step, call)
        return call, prompt, msgspec.structs.replace(stored, key=request.key)

    def _must_have(self, role: str) -> None:
        if role not in self._stage.roles:
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
        loop = _Loop(self._session.connection, self.step, IN_FLIGHT_NATIVE if native else IN_FLIGHT)

        def tell() -> None:
            self.progress(loop.accepted if unit == "examples" else loop.finished, total, unit)

        tell()
        try:
            for _ in loop.drive(items_, key, through, enough):
                tell()
        except BudgetSpent as spent:
            self.stopped = spent.title
            self._session.spent = self._session.budget_ended = True
        finally:
            loop.commit()
        tell()
        return loop.counts()


class _Loop:
    """The state of one pass of `each`.

    Units enter in order and those stored are passed over; pulling ends once enough units *before* the next one were accepted,
    so that the first N accepted in order are the same however often the pass was interrupted.
    """

    def __init__(self, connection: Connection, step: str, ahead: int) -> None:
        self._connection = connection
        self._step = step
        self._ahead = ahead
        self._stored = items.stored_keys(connection, step)
        self._suspects = items.suspects(connection, step)
        self._place: dict[str, tuple[int, int]] = {}
        self._seen: set[str] = set()
        self._buffer: list[items.Item] = []
        self._last_commit = time.monotonic()
        self._accepted_now = 0
        self.finished = len(self._stored)
        self.accepted = sum(state == "accepted" for state in self._stored.values())

    def drive(
        self,
        source: Iterable[T],
        key: Callable[[T], str],
        through: Callable[[Iterator[T]], Iterator[tuple[str, Outcome]]],
        enough: Callable[[int], bool],
    ) -> Iterator[None]:
        """Bring everything pending through; yields after each finished unit."""
        pending = self._pending(source, key)
        held: T | None = None
        while True:
            queue = _Queue(self, pending, key, enough, held)
            held = None
            if not queue.fill():
                return
            if queue.alone:
                self.commit()
                items.clear_in_flight(self._connection, self._step)
                alone = queue.batch.popleft()
                if enough(self.accepted_before(key(alone))):
                    return
                self.mark([key(alone)])
                yield from self._take(through(iter([alone])))
                self.commit()
            else:
                yield from self._take(through(queue.hand_over()))
            if queue.over:
                return
            held = queue.held

    def _take(self, results: Iterator[tuple[str, Outcome]]) -> Iterator[None]:
        for name, outcome in results:
            seq, _ = self._place.pop(name)
            self._buffer.append(items.Item(name, seq, outcome.state, outcome.reason, outcome.result))
            self._accepted_now += outcome.state == "accepted"
            self.accepted += outcome.state == "accepted"
            self.finished += 1
            if len(self._buffer) >= COMMIT_SIZE or time.monotonic() - self._last_commit >= COMMIT_SECONDS:
                self.commit()
            yield

    def _pending(self, source: Iterable[T], key: Callable[[T], str]) -> Iterator[T]:
        before = 0
        for seq, item in enumerate(source):
            name = key(item)
            if name in self._seen:
                raise StageFailed(f"two units have the key {name!r}", "this is a mistake in DataTune; report it")
            self._seen.add(name)
            if name in self._stored:
                before += self._stored[name] == "accepted"
                continue
            self._place[name] = (seq, before)
            yield item

    def accepted_before(self, name: str) -> int:
        """Accepted units that entered before this one, of those known so far."""
        return self._place[name][1] + self._accepted_now

    def suspect(self, name: str) -> bool:
        """Whether this unit must run alone."""
        return name in self._suspects

    def mark(self, names: list[str]) -> None:
        """Note that these are being worked on from now."""
        items.mark_in_flight(self._connection, self._step, names)

    @property
    def ahead(self) -> int:
        """How many units are marked at a time."""
        return self._ahead

    def commit(self) -> None:
        """Store what is finished."""
        if self._buffer and not self._connection.in_transaction:
            items.store_items(self._connection, self._step, self._buffer)
            self._buffer.clear()
        self._last_commit = time.monotonic()

    def counts(self) -> Counts:
        """How all units of the step ended."""
        return Counts(**items.item_counts(self._connection, self._step))


class _Queue(Generic[T]):
    """Pending units on their way to `through`: marked in batches before they are handed over, a suspect in a batch of its own."""

    def __init__(self, loop: _Loop, pending: Iterator[T], key: Callable[[T], str], enough: Callable[[int], bool], held: T | None) -> None:
        self.batch: deque[T] = deque()
        self.alone = False
        self.over = False
        self.held = held
        self._loop = loop
        self._pending = pending
        self._key = key
        self._enough = enough

    def fill(self) -> bool:
        """Gather and mark the next batch, or set one suspect aside; False when nothing is left."""
        while len(self.batch) < self._loop.ahead:
            item = self.held if self.held is not None else next(self._pending, None)
            self.held = None
            if item is None:
                break
            if self._loop.suspect(self._key(item)):
                if self.batch:
                    self.held = item
                else:
                    self.batch.append(item)
                    self.alone = True
                break
            self.batch.append(item)
        if self.batch and not self.alone:
            self._loop.mark([self._key(item) for item in self.batch])
        return bool(self.batch)

    def hand_over(self) -> Iterator[T]:
        """Unit after unit until enough are accepted, nothing is left, or a suspect is next."""
        while self.batch:
            if self._enough(self._loop.accepted_before(self._key(self.batch[0]))):
                self.over = True
                return
            yield self.batch.popleft()
            if not self.batch and self.held is None:
                self.fill()
                if self.alone:
                    self.held, self.alone = self.batch.popleft(), False
                    return


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
