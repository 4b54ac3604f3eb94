"""Any server that speaks the OpenAI chat protocol (llama-server, vLLM, Ollama, a Ray Serve cluster), at the URL the user gave.

Nothing but that URL is ever contacted: no proxies from the environment, no redirects. A key, where the server wants one,
comes from the environment variable DATATUNE_API_KEY.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

import msgspec

from models.errors import ModelError, RequestInvalid, ServerUnavailable
from models.intake import Intake
from models.language import Completion, Identity, Message, Request, Sampling, Speed, unhindered
from models.lettered_menu import TOP, menu_messages, menu_schema, menu_scores
from models.openai_answers import ServedModel, ServedModels, read, reason

ATTEMPTS = 5
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
BODY_LIMIT = 16 << 20
"""Bytes of an answer; more than that is no answer to any request made here."""
DEFAULT_CONTEXT = 4096
BYTES_PER_TOKEN = 3
MENU_TOKENS = 24
"""Room for {"answer": "A"}, however a server spaces it."""

PATIENCE = 0.5
"""Seconds between two looks at whether to go on."""

BUSY = frozenset({429, 502, 503, 504, 529})
REFUSED = frozenset({401, 403, 404, 405})
NOT_UNDERSTOOD = frozenset({400, 422})
SCHEMA_FIELDS = (b"response_format", b"json_schema")
NEWER_FIELDS = (*SCHEMA_FIELDS, b"logprobs")
"""Some servers (llama-cpp-python's) answer 500 to a field they do not know, and name it."""


def address(url: str) -> str:
    """Where the protocol's paths begin: the URL as given, or with /v1 where it has no path."""
    return url.rstrip("/") if urlsplit(url).path.strip("/") else url.rstrip("/") + "/v1"


def runtime_at(url: str) -> str:
    """What stands as runtime in the identity of a model behind this URL."""
    return f"OpenAI-compatible server at {address(url)}"


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
        self._url = address(url)
        self._concurrency = max(1, concurrency)
        self._connection = Connection(self._url, self._concurrency, timeout, sleep)
        try:
            served = self._served(model)
        except BaseException:
            self.close()
            raise
        self._model = served.id
        self._older_schema = False
        """Whether the server wants schemas where older versions of the protocol had them."""
        meta = served.meta or {}
        told = served.max_model_len or served.context_length or meta.get("n_ctx")
        self.context_length = min(told, context_length or told) if isinstance(told, int) and told > 0 else context_length or DEFAULT_CONTEXT
        # The server tells no checksum of its weights; what it says about the model stands for it.
        digest = hashlib.sha256(msgspec.json.encode([served.id, {k: v for k, v in sorted(meta.items()) if k.startswith("n_")}]))
        self.identity = Identity(served.id, digest.hexdigest(), runtime_at(url))

    def render(self, messages: tuple[Message, ...]) -> str:
        """Role and content of each message: the server applies the chat template, unseen."""
        if any(message.role == "text" for message in messages):
            raise RequestInvalid(
                "A server is asked in chats: it goes on with no plain text", "Load the GGUF file itself, or ask in a chat."
            )
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

    @property
    def shortage(self) -> str:
        """Of nothing that is known."""
        return ""

    @property
    def speed(self) -> Speed | None:
        """Not measured."""
        return None

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
        try:
            self.render(request.messages)
        except RequestInvalid as error:
            return Completion(request.key, "", "error", error=error.title)
        if request.choices:
            return self._weigh(request, ended)
        started = time.perf_counter()
        status, data = self._ask(self._body(request), ended)
        completion, _ = read(request, status, data, time.perf_counter() - started)
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
        status, data = self._ask({**body, "logprobs": True, "top_logprobs": TOP}, ended)
        if _not_understood(status, data):
            status, data = self._ask(body, ended)
        completion, scores = read(msgspec.structs.replace(asked, schema=None), status, data, time.perf_counter() - started)
        if completion.finish == "error":
            return completion
        try:
            weighed = menu_scores(completion.text, scores, len(request.choices))
        except RequestInvalid as error:
            return msgspec.structs.replace(completion, finish="error", error=error.title)
        return msgspec.structs.replace(completion, text=json.dumps(weighed), finish="stop")

    def _ask(self, body: dict[str, Any], ended: threading.Event) -> tuple[int, bytes]:
        """Status and body of the answer; a schema that is not understood is written as older servers want it."""
        older = _with_older_schema(body)
        if self._older_schema:
            return self._connection.fetch("POST", "/chat/completions", older, ended)
        status, data = self._connection.fetch("POST", "/chat/completions", body, ended)
        if older != body and _not_understood(status, data) and any(field in data for field in SCHEMA_FIELDS):
            again, answer = self._connection.fetch("POST", "/chat/completions", older, ended)
            if again == 200:
                self._older_schema = True
                return again, answer
        return status, data

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


class Connection:
    """A few connections to one URL, for use from as many threads."""

    def __init__(self, url: str, most: int, timeout: float, sleep: Callable[[float], None] | None) -> None:
        """`timeout` in seconds for each attempt; `sleep` waits between two, None for a wait that hanging up ends."""
        import httpx

        self.url = url
        self._sleep = sleep
        key = os.environ.get("DATATUNE_API_KEY", "")
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=10.0),
            limits=httpx.Limits(max_connections=most),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=False,
            follow_redirects=False,
        )
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()

    def fetch(self, method: str, path: str, body: dict[str, Any] | None, ended: threading.Event) -> tuple[int, bytes]:
        """Status and body, after bounded tries; ServerUnavailable when the server is gone, overloaded for good or shut to us, or
        when `ended` is set, after which nothing is asked or waited for."""
        import httpx

        status, data, problem = 0, b"", ""
        for attempt in range(ATTEMPTS):
            if ended.is_set():
                raise ServerUnavailable(f"{self.url} was not asked: nobody waits for the answer any more")
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * random.uniform(0.8, 1.2)
            try:
                with self._client.stream(
                    method, self.url + path, json=body, extensions={"trace": functools.partial(self._note, ended)}
                ) as response:
                    data = _bounded(response.iter_bytes())
                    status = response.status_code
                    pause = _asked_pause(response.headers.get("retry-after", ""), pause)
                problem = f"it answered {status}: {reason(data)}"
            except httpx.HTTPError as error:
                status, problem = 0, str(error) or type(error).__name__
            except httpx.InvalidURL as error:
                raise ServerUnavailable(f"{self.url} is no usable URL: {error}", "Write it as http://host:port/v1.") from error
            if status in REFUSED:
                hint = "Set DATATUNE_API_KEY." if status in (401, 403) else "Check the URL; it usually ends in /v1."
                raise ServerUnavailable(f"{self.url} refused: {problem}", hint)
            if status and status not in BUSY and (status < 500 or _not_understood(status, data)):
                return status, data
            if attempt + 1 < ATTEMPTS and not ended.is_set():
                if self._sleep:
                    self._sleep(pause)
                else:
                    ended.wait(pause)
        if status and status not in BUSY:
            return status, data
        raise ServerUnavailable(f"{self.url} does not answer after {ATTEMPTS} tries: {problem}", "Start the server, then resume the run.")

    def hang_up(self) -> None:
        """Break off what is under way, from any thread; what is asked later connects anew."""
        import socket

        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            try:
                # Closing the socket would not wake the thread that reads from it.
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            except (OSError, AttributeError):
                continue

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _note(self, ended: threading.Event, event: str, info: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._streams.add(info["return_value"])
            if ended.is_set():
                self.hang_up()


def _with_older_schema(body: dict[str, Any]) -> dict[str, Any]:
    form = body.get("response_format")
    return body if form is None else {**body, "response_format": {"type": "json_object", "schema": form["json_schema"]["schema"]}}


def _not_understood(status: int, data: bytes) -> bool:
    return status in NOT_UNDERSTOOD or (status == 500 and any(field in data for field in NEWER_FIELDS))


def _bounded(chunks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > BODY_LIMIT:
            raise ServerUnavailable(f"The server sent more than {BODY_LIMIT >> 20} MiB for one answer", "Check that it is a model server.")
    return bytes(data)


def _asked_pause(header: str, default: float) -> float:
    try:
        return min(LONGEST_PAUSE, max(0.0, float(header)))
    except ValueError:
        return default
