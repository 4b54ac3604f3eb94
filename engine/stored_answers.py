"""A model asked outside of a stage: its answers are stored as a stage would store them, and stored ones are never asked for again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from engine.call_time import expected_seconds
from engine.fingerprint import call_hash
from engine.roles import translated
from engine.store import items
from engine.store.database import Connection
from models.language import Completion, LanguageModel, Request


class StoredAnswers:
    """One model in one role, over the database's calls."""

    def __init__(self, model: LanguageModel, role: str, connection: Connection) -> None:
        self.model = model
        self.role = role
        self.done = 0
        """Answers so far, stored ones among them."""
        self.fresh = 0
        """Of these, asked of the model now."""
        self.wall = 0.0
        """Seconds from asking to the last answer, over all streams that asked the model anything."""
        self.tell: Callable[[int], None] = lambda done: None
        """Gets how many answers there are so far."""
        self._connection = connection

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answers to the requests, in any order. Raises BadInput or Unavailable where the model cannot go on."""
        stored: list[Completion] = []
        asked: dict[str, tuple[str, str]] = {}
        first: dict[str, str] = {}
        same: dict[str, list[str]] = {}
        begun, fresh = time.monotonic(), self.fresh

        def missing() -> Iterator[Request]:
            for request in requests:
                prompt = self.model.render(request.messages)
                call = call_hash(prompt, request, self.model.identity)
                known = items.stored_call(self._connection, call)
                if known is not None:
                    stored.append(msgspec.structs.replace(known, key=request.key))
                elif call in first:
                    same.setdefault(first[call], []).append(request.key)
                else:
                    first[call] = request.key
                    asked[request.key] = (call, prompt)
                    yield request

        with translated(f"role {self.role}"):
            for completion in self.model.complete_many(missing()):
                call, prompt = asked.pop(completion.key)
                self.fresh += 1
                if completion.finish != "error":
                    items.store_call(self._connection, call, self.role, self.model.identity.digest, prompt, completion)
                answers = [completion, *(msgspec.structs.replace(completion, key=key) for key in same.pop(completion.key, ()))]
                yield from self._counted(answers)
                waiting, stored[:] = stored[:], []
                yield from self._counted(waiting)
        if self.fresh > fresh:
            self.wall += time.monotonic() - begun
        yield from self._counted(stored)

    def expected_seconds(self, calls: int, prompt_tokens: int, completion_tokens: int, shared: int) -> float | None:
        """About how long so many new calls take here; None where nothing was measured yet. May measure for a while first.

        Tokens are those of all calls together; `shared` of each prompt are the same in all.
        """
        with translated(f"role {self.role}"):
            self.model.prepare(calls)
        return expected_seconds(self._connection, self.model, calls, prompt_tokens, completion_tokens, shared)

    def _counted(self, completions: Iterable[Completion]) -> Iterator[Completion]:
        for completion in completions:
            self.done += 1
            self.tell(self.done)
            yield completion
