"""Where two answers to one request part, and how the comparison counts it; a server beside that does not answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.errors import ModelError, ServerUnavailable
from models.language import Message, Request
from models.llama_cpp.agreement import _answers, _gap, _noise, _parted
from models.llama_cpp.jobs import Failed, Writing
from models.llama_cpp.peer import serve_rows

SCORES = np.array([1.0, 4.0, 3.5, 0.0], dtype=np.float32)
END = 2
MODEL = SimpleNamespace(single=SimpleNamespace(start=lambda prefix: SCORES), start=lambda layout: SimpleNamespace(close=lambda: None))
MODEL.layout = None
REQUEST = Request("k", (Message("user", "hi"),))


def answer(tokens: Sequence[int], ended: bool = True) -> Writing:
    job = Writing(REQUEST, [3, 3], 9, frozenset({0, END}), None)
    for token in tokens:
        job.take(token)
    if ended:
        job.take(END)
    return job


def test_the_gap_is_between_the_tokens_where_answers_part_or_the_end_and_the_other_token() -> None:
    assert _gap(MODEL, answer([1, 3]), answer([1, 1])) == 4.0  # type: ignore[arg-type]
    assert _gap(MODEL, answer([1, 1]), answer([1])) == 0.5  # type: ignore[arg-type]
    assert _gap(MODEL, answer([1]), answer([1])) == float("inf")  # type: ignore[arg-type]


def test_answers_that_end_in_two_ways_differ_and_a_row_without_one_is_an_error() -> None:
    assert len(_parted({"k": answer([1])}, {"k": answer([1], ended=False)})) == 1
    assert _parted({"k": answer([1])}, {"k": answer([1])}) == []
    with pytest.raises(ModelError, match="k got no answer: too long"):
        _answers([answer([1]), Failed(REQUEST, [3], "too long")])


def test_answers_too_short_to_look_into_are_left_out() -> None:
    assert _noise(MODEL, [answer([]), answer([1])]) == []  # type: ignore[arg-type]


def test_a_server_that_cannot_be_started_or_goes_away_is_unavailable(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("")
    with pytest.raises(ServerUnavailable, match="cannot be started"):
        serve_rows(program, tmp_path, [[1]], None, 1)
    program.write_text(
        f"""#!{sys.executable}
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        self.connection.close()
HTTPServer(("127.0.0.1", int(sys.argv[-1])), Healthy).serve_forever()
"""
    )
    program.chmod(0o755)
    with pytest.raises(ServerUnavailable, match="did not answer"):
        serve_rows(program, tmp_path, [[1]], None, 1)
