"""The language model protocol: a stream of requests in, completions out as they finish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Protocol

import msgspec


class Message(msgspec.Struct, frozen=True):
    """One turn of a chat; or, alone and with the role "text", a text to go on with as it stands, without any chat markup."""

    role: Literal["system", "user", "assistant", "text"]
    content: str


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the next token is chosen; temperature 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    max_tokens: int = 256


class Request(msgspec.Struct, frozen=True):
    """One prompt: an answer is to be written, or given answers are to be weighed."""

    key: str
    messages: tuple[Message, ...]
    schema: dict[str, Any] | None = None
    """A JSON schema the answer must obey; it becomes a grammar."""
    sampling: Sampling = Sampling()
    choices: tuple[str, ...] = ()
    """Answers to weigh instead of writing one. The completion's text is a JSON list with the log-likelihood of each, in this order:
    natural, finite, summed over the answer's tokens and its end, so a long answer has less than a short one; "" is an answer that ends
    at once. After a "text" the end is not counted: a text goes on. Schema and sampling are not used. A runtime that cannot weigh texts,
    such as a server, lets the model pick from a lettered menu instead: its numbers order the choices, and say little about how far apart
    they are."""


class Completion(msgspec.Struct, frozen=True):
    """What came back for the request of the same key.

    `finish` is "stop" for a whole answer, "length" for one cut off at max_tokens or the context's end,
    "error" for none at all, with the reason in `error`.
    """

    key: str
    text: str
    finish: Literal["stop", "length", "error"]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    error: str = ""


class Identity(msgspec.Struct, frozen=True):
    """Which model answered: enough to tell whether the same request would give the same text."""

    name: str
    """File or model name, for people."""
    digest: str
    """SHA-256 of the weights, or whatever stands for them."""
    runtime: str
    """Runtime and version, such as "llama.cpp 0.3.16"."""


class Speed(msgspec.Struct, frozen=True):
    """Tokens a second, all requests together, when many are under way."""

    read: float
    """Of what a prompt does not share with those before it."""
    written: float


def unhindered() -> None:
    """Nothing to look after between two steps."""


class LanguageModel(Protocol):
    """A model that completes chats."""

    identity: Identity
    context_length: int
    """Tokens that prompt and answer may have together."""

    @property
    def batched(self) -> bool:
        """Whether requests are worked on together in a way that lets a repetition word an answer differently."""
        ...

    def render(self, messages: tuple[Message, ...]) -> str:
        """The prompt as the model sees it, for hashing and for the reader of a trace.

        RequestInvalid for messages it cannot take: a model behind a chat protocol takes no "text".
        """
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` alone, without chat markup."""
        ...

    def prepare(self, calls: int, between: Callable[[], None] = unhindered) -> str:
        """Told that about so many requests are coming: may measure for a while how to be fastest, and says what it found, or "".

        `between` is called every now and then while measuring; what it raises ends it.
        """
        ...

    @property
    def shortage(self) -> str:
        """What this model has less of here than it could use, such as room on a GPU; "" for nothing."""
        ...

    @property
    def speed(self) -> Speed | None:
        """As measured by `prepare`, now or earlier on this machine; None where it was not."""
        ...

    def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
        """Pull requests lazily, yield each one's completion as it ends, in any order.

        A None among the requests says that none waits now: the next is asked for when a completion has been taken, and the stream
        ends when none is under way. `between` is called every now and then, at least between two steps of a long answer where the
        runtime takes them here; what it raises ends the stream.

        A request that cannot be served yields a completion with finish "error"; ModelError is raised only
        when the model as a whole cannot go on. Answers to a schema are whole JSON or have finish "length".
        """
        ...

    def close(self) -> None:
        """Release memory; the model is not used afterwards."""
        ...
