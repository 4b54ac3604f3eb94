"""Any server that speaks the OpenAI chat protocol (llama-server, vLLM, Ollama, a Ray Serve cluster), at the URL the user gave.

Nothing but that URL is ever contacted: no proxies from the environment, no redirects. A key, where the server wants one,
comes from the environment variable DATATUNE_API_KEY.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

import msgspec

from models.errors import ModelError, RequestInvalid, ServerUnavailable
from models.intake import Intake
from models.language import Completion, Identity, Message, Request, Sampling, unhindered
from models.lettered_menu import TOP, menu_messages, menu_schema, menu_scores
from models.openai_connection import Connection, reason

DEFAULT_CONTEXT = 4096
BYTES_PER_TOKEN = 3
MENU_TOKENS = 24
"""Room for {"answer": "A"}, however a server spaces it."""

PATIENCE = 0.5
"""Seconds between two looks at whether to go on."""

NOT_UNDERSTOOD = frozenset({400, 422})


class ServedModel(msgspec.Struct, frozen=True):
    """One entry of the server's list of models; servers name their limits differently."""

    id: str
    max_model_len: int | None = None
    context_length: int | None = None
    meta: dict[str, Any] | None = None


class ServedModels(msgspec.Struct, frozen=True):
    """What /models answers."""

    data: tuple[ServedModel, ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """The message of a choice; `content` is null when the model said nothing."""

    content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """The only choice asked for."""

    message: Reply
    finish_reason: str | None = None
    logprobs: Any = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the server counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Answer(msgspec.Struct, frozen=True):
    """What /chat/completions answers."""

    choices: tuple[Choice, ...]
    usage: Usage | None = None


class OpenAIServer:
    """A LanguageModel behind a URL, with several requests under way at once."""

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        context_length: int | None = None,
        concurrency: int = 4,
        timeout: float = 300.0,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        """Ask the server which models it has. `timeout` in seconds for each attempt; ServerUnavailable when it does not answer."""
        self._url = url.rstrip("/") if urlsplit(url).path.strip("/") else url.rstrip("/") + "/v1"
        self._concurrency = max(1, concurrency)
        self._connection = Connection(self._url, self._concurrency, timeout, sleep)
        try:
            served = self._served(model)
        except BaseException:
            self.close()
            raise
        self._model = served.id
        meta = served.meta or {}
        told = served.max_model_len or served.context_length or meta.get("n_ctx")
        self.context_length = min(told, context_length or told) if isinstance(told, int) and told > 0 else context_length or DEFAULT_CONTEXT
        # The server tells no checksum of its weights; what it says about the model stands for it.
        digest = hashlib.sha256(msgspec.json.encode([served.id, {k: v for k, v in sorted(meta.items()) if k.startswith("n_")}]))
        self.identity = Identity(served.id, digest.hexdigest(), f"OpenAI-compatible server at {self._url}")

    def render(self, messages: tuple[Message, ...]) -> str:
        """Role and content of each message: the server applies the chat template, unseen."""
        return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)

    def count_tokens(self, text: str) -> int:
        """A cautious estimate, one token for three bytes: the protocol has no way to ask."""
        return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)

    @property
    def batched(self) -> bool:
        """Servers batch, and some serve others too."""
        return True

    def prepare(self, calls: int, between: Callable[[], None] = unhindered) -> str:
        """The server knows best."""
        return ""

    def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
        """Keep a few requests under way, pull the next when one ends, yield each as it ends.

        `between` is called every half second while waiting. ServerUnavailable ends it when the server is gone or refuses
        altogether; what was yielded before stays valid. A stream that ends early waits for nothing that is under way.
        """
        ended = threading.Event()
        pending: set[Future[Completion]] = set()
        intake = Intake(requests)
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="openai")
        try:
            while True:
                while len(pending) < self._concurrency and (request := intake.take()):
                    pending.add(pool.submit(self._complete, request, ended))
                if not pending:
                    return
                between()
                done, pending = wait(pending, timeout=PATIENCE, return_when=FIRST_COMPLETED)
                for future in done:
                    intake.go_on()
                    yield future.result()
        finally:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if pending:
                self._connection.hang_up()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _complete(self, request: Request, ended: threading.Event) -> Completion:
        if request.choices:
            return self._weigh(request, ended)
        started = time.perf_counter()
        status, data = self._connection.fetch("POST", "/chat/completions", self._body(request), ended)
        completion, _ = _read(request, status, data, time.perf_counter() - started)
        return completion

    def _weigh(self, request: Request, ended: threading.Event) -> Completion:
        """Ask for the letter of a choice, with the probabilities of its place where the server knows how to tell them."""
        try:
            messages = menu_messages(request.messages, request.choices)
        except RequestInvalid as error:
            return Completion(request.key, "", "error", error=error.title)
        asked = Request(request.key, messages, menu_schema(len(request.choices)), Sampling(max_tokens=MENU_TOKENS))
        body = self._body(asked)
        started = time.perf_counter()
        status, data = self._connection.fetch("POST", "/chat/completions", {**body, "logprobs": True, "top_logprobs": TOP}, ended)
        if status in NOT_UNDERSTOOD:
            status, data = self._connection.fetch("POST", "/chat/completions", body, ended)
        completion, scores = _read(msgspec.structs.replace(asked, schema=None), status, data, time.perf_counter() - started)
        if completion.finish == "error":
            return completion
        try:
            weighed = menu_scores(completion.text, scores, len(request.choices))
        except RequestInvalid as error:
            return msgspec.structs.replace(completion, finish="error", error=error.title)
        return msgspec.structs.replace(completion, text=json.dumps(weighed), finish="stop")

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "max_tokens": sampling.max_tokens,
        }
        if sampling.min_p > 0:
            body["min_p"] = sampling.min_p
        if request.schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": request.schema, "strict": True}}
        return body

    def _served(self, model: str) -> ServedModel:
        status, data = self._connection.fetch("GET", "/models", None, threading.Event())
        if status != 200:
            raise ServerUnavailable(f"{self._url} answered {status} when asked for its models: {reason(data)}", "Check the URL.")
        try:
            models = msgspec.json.decode(data, type=ServedModels).data
        except msgspec.DecodeError as error:
            raise ServerUnavailable(f"{self._url} is no OpenAI-compatible server", "The URL usually ends in /v1.") from error
        names = ", ".join(served.id for served in models[:10]) or "none"
        if model:
            for served in models:
                if served.id == model:
                    return served
            raise ModelError(f"{self._url} has no model {model!r}", f"It has: {names}")
        if len(models) != 1:
            raise ModelError(f"{self._url} has {len(models)} models", f"Name one after #, as in openai:{self._url}#NAME. It has: {names}")
        return models[0]


def _read(request: Request, status: int, data: bytes, seconds: float) -> tuple[Completion, Any]:
    """The completion in a server's answer, and what the answer says of its tokens' probabilities."""
    if status != 200:
        return Completion(request.key, "", "error", seconds=seconds, error=f"The server answered {status}: {reason(data)}"), None
    try:
        answer = msgspec.json.decode(data, type=Answer)
        choice = answer.choices[0]
    except (msgspec.DecodeError, IndexError) as error:
        return Completion(request.key, "", "error", seconds=seconds, error=f"The server's answer cannot be read: {error}"), None
    usage = answer.usage or Usage()
    text = choice.message.content or ""
    counts = (usage.prompt_tokens, usage.completion_tokens, seconds)
    if choice.finish_reason == "length":
        return Completion(request.key, text, "length", *counts), choice.logprobs
    if choice.finish_reason not in ("stop", "eos", None):
        error_text = f"The server ended the answer with {choice.finish_reason!r}"
        return Completion(request.key, text, "error", *counts, error=error_text), None
    if request.schema is not None and not _is_json(text):
        return Completion(request.key, text, "error", *counts, error="The server ignored the schema: its answer is not JSON"), None
    return Completion(request.key, text, "stop", *counts), choice.logprobs


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
