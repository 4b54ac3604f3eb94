"""A deterministic language model without weights, for tests and dry runs: answers from rules, or the smallest that obeys the schema."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from models.errors import ModelError, RequestInvalid, WeightsInvalid, WeightsMissing
from models.language import Completion, Identity, Message, Request, Speed, unhindered
from models.scripted_answer import answer_for

TOKEN = re.compile(r"\s*(?:\w{1,6}|[^\w\s]|\s+$)")

LIKELY, UNLIKELY = -0.05, -10.0
"""Log-likelihood of the choice a rule names, and of the others."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer: the first rule whose pattern is found in the rendered prompt decides."""

    match: str
    """A regular expression, searched in the rendered prompt; "" fits every prompt."""
    text: str = ""
    """The answer; \\1 stands for what the pattern's first group found. Schemas are not enforced on it.

    To a request with choices: one of them, or a JSON list with a log-likelihood for each."""
    finish: Literal["stop", "length", "error"] = "stop"
    """With "error", `text` is the reason."""


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a script file (TOML or JSON) may say."""

    name: str = "scripted"
    context_length: int = 4096
    rules: tuple[Rule, ...] = ()
    log: str = ""
    """A file that gets one JSON line a call, before it is answered: {key, prompt}. Relative to the script's folder."""
    abort_on: str = ""
    """A prompt containing this ends the process the way a native crash does (SIGABRT)."""
    delay: float = 0.0
    """Seconds each call takes."""


Answerer = Callable[[str, Request], str | None]
"""Gets the rendered prompt and the request; None leaves the answer to the rules."""


class ScriptedModel:
    """A LanguageModel whose answers depend on the request alone."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        answer: Answerer | None = None,
        folder: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Answers come from `answer`, then the script's rules, then the request's schema. `folder` is where its log lies."""
        self.script = script or Script()
        self.context_length = self.script.context_length
        self.identity = Identity(self.script.name, hashlib.sha256(msgspec.json.encode(self.script)).hexdigest(), "scripted 1")
        try:
            self._rules = [(re.compile(rule.match, re.DOTALL), rule) for rule in self.script.rules]
        except re.error as error:
            raise WeightsInvalid(f"A script's pattern cannot be read: {error}", "Check the regular expressions under `match`.") from error
        self._log = (folder or Path()) / self.script.log if self.script.log else None
        self._answer = answer
        self._sleep = sleep

    @classmethod
    def from_file(cls, path: Path) -> ScriptedModel:
        """The script in a .toml or .json file; WeightsMissing or WeightsInvalid when it cannot be read."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise WeightsMissing(f"No script at {path}", "Give the path of a TOML or JSON file.") from error
        try:
            raw = json.loads(data) if path.suffix == ".json" else tomllib.loads(data.decode("utf-8"))
            return cls(msgspec.convert(raw, Script), folder=path.parent)
        except (ValueError, msgspec.ValidationError) as error:
            raise WeightsInvalid(f"The script {path} cannot be used: {error}", "Its fields are those of models.scripted.Script.") from error

    def render(self, messages: tuple[Message, ...]) -> str:
        """Role and content of each message, a blank line between; a text as it is."""
        if [message.role for message in messages] == ["text"]:
            return messages[0].content
        return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)

    def count_tokens(self, text: str) -> int:
        """Words cut into pieces of six letters, and single signs."""
        return len(TOKEN.findall(text))

    @property
    def batched(self) -> bool:
        """Answers follow a script."""
        return False

    def prepare(self, calls: int, between: Callable[[], None] = unhindered) -> str:
        """A script is as fast as it is."""
        return ""

    @property
    def shortage(self) -> str:
        """Of nothing that is known."""
        return ""

    @property
    def speed(self) -> Speed | None:
        """Not measured."""
        return None

    def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
        """One after the other."""
        for request in requests:
            if request is None:
                return
            between()
            yield self._complete(request)

    def close(self) -> None:
        """Nothing to release."""

    def _complete(self, request: Request) -> Completion:
        prompt = self.render(request.messages)
        self._note(request.key, prompt)
        if self.script.abort_on and self.script.abort_on in prompt:
            os.abort()
        if self.script.delay > 0:
            self._sleep(self.script.delay)
        tokens = self.count_tokens(prompt)
        room = self.context_length - tokens
        if room < 1:
            reason = f"The prompt has {tokens} tokens, the context holds {self.context_length} for prompt and answer"
            return Completion(request.key, "", "error", tokens, error=reason)
        try:
            self._must_fit(request.choices, tokens)
            text, finish = self._text(prompt, request)
            if request.choices and finish != "error":
                text = json.dumps(self._weighed(text, request.choices))
        except ModelError as error:
            return Completion(request.key, "", "error", tokens, seconds=self.script.delay, error=error.title)
        if finish == "error":
            return Completion(request.key, "", "error", tokens, seconds=self.script.delay, error=text)
        if request.choices:
            written = sum(map(self.count_tokens, request.choices))
            return Completion(request.key, text, finish, tokens, written, self.script.delay)
        pieces = TOKEN.findall(text)
        limit = min(room, request.sampling.max_tokens)
        if len(pieces) > limit:
            pieces, finish = pieces[:limit], "length"
            text = "".join(pieces)
        return Completion(request.key, text, finish, tokens, len(pieces), self.script.delay)

    def _text(self, prompt: str, request: Request) -> tuple[str, Literal["stop", "length", "error"]]:
        if self._answer is not None:
            text = self._answer(prompt, request)
            if text is not None:
                return text, "stop"
        for pattern, rule in self._rules:
            found = pattern.search(prompt)
            if found:
                return (found.expand(rule.text) if found.re.groups else rule.text), rule.finish
        if request.choices:
            return json.dumps([_likelihood(prompt, choice) for choice in request.choices]), "stop"
        seed = hashlib.sha256(
            f"{prompt}\0{json.dumps(request.schema)}\0{request.sampling.seed}".encode("utf-8", "surrogatepass")
        ).hexdigest()
        if request.schema is None:
            return f"Answer {seed[:8]}.", "stop"
        return json.dumps(answer_for(request.schema, seed), ensure_ascii=False), "stop"

    def _must_fit(self, choices: tuple[str, ...], tokens: int) -> None:
        longest = max(map(self.count_tokens, choices), default=0)
        if tokens + longest > self.context_length:
            title = f"The prompt has {tokens} tokens and an answer {longest}, the context holds {self.context_length} for both"
            raise RequestInvalid(title, "Shorten the prompt or ask for a longer context.")

    def _weighed(self, text: str, choices: tuple[str, ...]) -> list[float]:
        """What a script's answer says of each choice: the numbers themselves, or which choice it is."""
        try:
            numbers = msgspec.json.decode(text, type=list[float])
        except (msgspec.DecodeError, UnicodeEncodeError):
            numbers = []
        if len(numbers) == len(choices):
            return numbers
        if text not in choices:
            title = f"The script's answer to {len(choices)} choices is neither one of them nor a number for each"
            raise RequestInvalid(title, "Give its rule one of the choices as text, or a JSON list.")
        return [LIKELY if choice == text else UNLIKELY for choice in choices]

    def _note(self, key: str, prompt: str) -> None:
        if self._log is None:
            return
        line = json.dumps({"key": key, "prompt": prompt}, ensure_ascii=True) + "\n"
        try:
            # One write in append mode: lines of several processes do not mix, and a crash right after keeps it.
            descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, line.encode("ascii"))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ModelError(f"Cannot write the call log {self._log}: {error.strerror}", "Check `log` in the script.") from error


def _likelihood(prompt: str, choice: str) -> float:
    """A log-likelihood between -20 and 0 that depends on prompt and choice alone."""
    drawn = hashlib.sha256(f"{prompt}\0{choice}".encode("utf-8", "surrogatepass")).digest()
    return -round(int.from_bytes(drawn[:4], "big") / 2**32 * 20, 5)


def scripted(rules: Sequence[tuple[str, str]] = (), **fields: Any) -> ScriptedModel:
    """A model from (pattern, answer) pairs and other fields of Script, for tests."""
    return ScriptedModel(Script(rules=tuple(Rule(match, text) for match, text in rules), **fields))
