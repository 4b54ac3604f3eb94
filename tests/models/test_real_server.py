"""The server runtime against a server that is none of ours: llama-server where it is on the PATH, else llama-cpp-python's."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import ServerUnavailable
from models.language import Completion, Message, Request, Sampling
from models.openai_server import OpenAIServer
from models.registry import resolve

SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "number": {"type": "integer"}},
    "required": ["colour", "number"],
    "additionalProperties": False,
}
START_SECONDS = 120.0


def command(weights: str, port: int) -> list[str]:
    if program := shutil.which("llama-server"):
        return [program, "--model", weights, "--port", str(port), "--ctx-size", "2048", "--parallel", "2"]
    if importlib.util.find_spec("fastapi") is None:
        pytest.skip("neither llama-server nor what llama_cpp.server needs is installed")
    return [sys.executable, "-m", "llama_cpp.server", "--model", weights, "--port", str(port), "--n_ctx", "1024"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = Path(tmp_path_factory.mktemp("server")) / "log"
    with log.open("wb") as out, subprocess.Popen(command(resolve("smollm2", ()).target, port), stdout=out, stderr=out) as server:
        try:
            yield connected(port, server, log)
        finally:
            server.kill()


def connected(port: int, server: subprocess.Popen[bytes], log: Path) -> OpenAIServer:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return OpenAIServer(f"http://127.0.0.1:{port}", concurrency=2, timeout=120.0)
        except ServerUnavailable:
            continue
    raise AssertionError(log.read_text(errors="replace")[-2000:])


def ask(model: OpenAIServer, *requests: Request) -> dict[str, Completion]:
    return {completion.key: completion for completion in model.complete_many(requests)}


def chat(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def test_answers_to_a_schema_follow_it_and_come_with_their_tokens(model: OpenAIServer) -> None:
    sampling = Sampling(max_tokens=60)
    done = ask(model, *(Request(f"{n}", chat(f"Name a colour and the number {n}."), SCHEMA, sampling) for n in range(3)))
    assert sorted(done) == ["0", "1", "2"]
    for completion in done.values():
        assert completion.finish == "stop", completion.error
        answer = json.loads(completion.text)
        assert answer.keys() == {"colour", "number"} and answer["colour"] in ("red", "blue") and isinstance(answer["number"], int)
        assert completion.prompt_tokens > 10 and completion.completion_tokens > 5


def test_an_answer_is_cut_where_asked_and_the_same_seed_says_the_same(model: OpenAIServer) -> None:
    request = Request("k", chat("Tell a long story."), None, Sampling(max_tokens=6, temperature=0.8, seed=3))
    first, second = (ask(model, request)["k"] for _ in range(2))
    assert first.finish == "length" and first.completion_tokens == 6
    assert first.text == second.text


def test_choices_get_weights(model: OpenAIServer) -> None:
    done = ask(model, Request("k", chat("Is grass green?"), choices=("yes", "no")))["k"]
    assert done.finish == "stop", done.error
    assert len(json.loads(done.text)) == 2 and all(weight <= 0 for weight in json.loads(done.text))
