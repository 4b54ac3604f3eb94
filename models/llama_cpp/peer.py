"""The same workload through a llama-server program, for comparison."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from models.errors import ServerUnavailable
from models.llama_cpp.workload import ANSWER

SLOTS = 8
SLOT_TOKENS = 1024
START_SECONDS = 120.0


def serve_rows(
    program: Path, weights: Path, prompts: Sequence[Sequence[int]], schema: dict[str, Any] | None, threads: int
) -> tuple[float, int]:
    """Seconds and answer tokens of all `prompts` with `SLOTS` requests under way; the server runs for this alone.

    ServerUnavailable when it cannot be started or gives no answer.
    """
    import httpx

    try:
        return _served(program, weights, prompts, schema, threads)
    except httpx.HTTPError as error:
        raise ServerUnavailable(
            f"{program} did not answer: {str(error) or type(error).__name__}", "Start it by hand to see why."
        ) from error
    except OSError as error:
        raise ServerUnavailable(f"{program} cannot be started: {error.strerror or error}", "Start it by hand to see why.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ServerUnavailable(f"{program} gave an answer that cannot be read", "Try another version of it.") from error


def _served(
    program: Path, weights: Path, prompts: Sequence[Sequence[int]], schema: dict[str, Any] | None, threads: int
) -> tuple[float, int]:
    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "-m", weights, "-np", SLOTS, "-c", SLOTS * SLOT_TOKENS, "-t", threads, "--host", "127.0.0.1", "--port", port]
    running = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600, trust_env=False) as client:
            _wait(client, running)

            def ask(prompt: Sequence[int]) -> int:
                body = {"prompt": [*prompt], "n_predict": ANSWER, "temperature": 0, "cache_prompt": True}
                reply = client.post("/completion", json=body | ({"json_schema": schema} if schema else {}))
                if reply.status_code != 200:
                    raise ServerUnavailable(f"{program} answered {reply.status_code}: {reply.text[:200]}", "Try another version of it.")
                return int(reply.json()["tokens_predicted"])

            with ThreadPoolExecutor(SLOTS) as pool:
                # Every slot reads the shared beginning once before the clock starts.
                list(pool.map(ask, [prompts[-1]] * SLOTS))
                began = time.perf_counter()
                tokens = sum(pool.map(ask, prompts))
                return time.perf_counter() - began, tokens
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _wait(client: Any, running: subprocess.Popen[bytes]) -> None:
    import httpx

    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if running.poll() is not None:
            raise ServerUnavailable(f"The server ended with code {running.returncode} before it answered", "Start it by hand to see why.")
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise ServerUnavailable(f"The server did not answer within {START_SECONDS:.0f} seconds", "Start it by hand to see why.")
