"""Where two answers to one request part, and how the comparison counts it; a server beside that does not answer."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError, ServerUnavailable
from models.language import Message, Request
from models.llama_cpp.agreement import Watching, _answers, compared
from models.llama_cpp.jobs import Failed, Writing
from models.llama_cpp.peer import serve_rows
from models.llama_cpp.sampling import choose_many

END = 2
REQUEST = Request("k", (Message("user", "hi"),))
Row = tuple[float, float, float, float]


def answer(*rows: Row, limit: int = 9) -> Writing:
    """What is written greedily when these are the scores, one row after the other; token 2 ends it."""
    job = Writing(REQUEST, [3, 3], limit, frozenset({END}), None)
    job.chooser = Watching(job)
    for row in rows:
        assert not job.finish
        (token,) = choose_many(np.array([row], dtype=np.float32), None, [job.chooser])
        assert token is not None
        job.take(token)
    return job


ONE: Row = (0.0, 4.0, 1.0, 3.0)
END_NEXT: Row = (0.0, 1.0, 5.0, 4.5)


def test_equal_answers_tell_how_far_leads_differ() -> None:
    found = compared([(answer((0.0, 4.25, 1.0, 3.0), END_NEXT), answer(ONE, END_NEXT))])
    assert (found.rows, found.equal, found.near_ties, found.unexplained, found.gaps) == (1, 1, 0, 0, ())
    assert (found.places, found.noise, found.usual_noise) == (2, 0.25, 0.125)


def test_a_tie_within_the_noise_explains_where_answers_part() -> None:
    together, alone = (ONE, (0.0, 4.0, 1.0, 4.25), END_NEXT), ((0.0, 4.5, 1.0, 3.0), (0.0, 4.5, 1.0, 4.25), END_NEXT)
    found = compared([(answer(*together), answer(*alone))])
    assert (found.equal, found.near_ties, found.unexplained, found.gaps) == (0, 1, 0, (0.25,))
    assert found.noise == 0.5 and found.places == 1, "neither the parting nor what is written after it tells anything of the noise"


def test_a_lead_beyond_the_noise_is_not_explained() -> None:
    found = compared([(answer((0.0, 4.0, 1.0, 4.25), END_NEXT), answer((0.0, 4.5, 1.0, 4.25), END_NEXT))])
    assert (found.near_ties, found.unexplained, found.gaps, found.places) == (0, 1, (0.25,), 0)


def test_an_end_is_a_token_and_the_same_tokens_with_two_ends_are_never_explained() -> None:
    stops, goes_on = answer(ONE, (0.0, 1.0, 5.0, 4.75)), answer(ONE, (0.0, 1.0, 5.0, 5.25), END_NEXT)
    assert compared([(stops, goes_on)]).gaps == (0.25,)
    assert compared([(goes_on, stops)]).gaps == (0.25,)
    cut = answer(ONE, limit=1)
    assert compared([(answer(ONE, END_NEXT), cut)]).gaps == (float("inf"),)


def test_a_row_without_an_answer_is_an_error() -> None:
    with pytest.raises(ModelError, match="k got no answer: too long"):
        _answers([answer(ONE), Failed(REQUEST, [3], "too long")])


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
