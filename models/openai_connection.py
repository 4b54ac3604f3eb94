"""The connection to an OpenAI-compatible server: asks again while it is busy, tells its refusals apart, can be hung up."""

from __future__ import annotations

import functools
import json
import os
import random
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from models.errors import ServerUnavailable

ATTEMPTS = 5
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
BODY_LIMIT = 16 << 20
"""Bytes of an answer; more than that is no answer to any request made here."""

BUSY = frozenset({429, 502, 503, 504, 529})
REFUSED = frozenset({401, 403, 404, 405})


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
            if status and status not in BUSY and status < 500:
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


def reason(data: bytes) -> str:
    """The server's own words, one line of at most 300 characters."""
    try:
        decoded = json.loads(data)
        error = decoded.get("error", decoded) if isinstance(decoded, dict) else decoded
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except ValueError:
        text = data[:300].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text[:300]).strip()


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
