"""How long calls will take: as measured many at a time, as stored calls took, or unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.call_time import FEW_MEASURED, MANY_CALLS, expected_seconds
from engine.store.database import open_writer
from engine.store.items import store_call
from models.language import Completion, Speed
from tests.engine.bench import CountingModel


def test_many_calls_take_what_was_measured_with_what_they_share_read_once(tmp_path: Path) -> None:
    connection, model = open_writer(tmp_path / "d.db"), CountingModel()
    assert expected_seconds(connection, model, MANY_CALLS, 6400, 640) is None
    model.measured = Speed(read=100.0, written=10.0)
    assert expected_seconds(connection, model, MANY_CALLS, 6400, 640) == pytest.approx(64 + 64)
    assert expected_seconds(connection, model, MANY_CALLS, 6400, 640, shared=90) == pytest.approx((6400 - 63 * 90) / 100 + 64)


def test_a_few_calls_take_what_stored_ones_took(tmp_path: Path) -> None:
    connection, model = open_writer(tmp_path / "d.db"), CountingModel()
    model.measured = Speed(read=100.0, written=10.0)
    for number in range(FEW_MEASURED):
        assert expected_seconds(connection, model, 5, 500, 50) is None, "too few to tell a rate from"
        answer = Completion(f"{number}", "text", "stop", 100 + number, 10 * number, 1.0 + number)
        store_call(connection, f"{number}", "execute", model.identity.digest, "prompt", answer)
    # One second for each 100 tokens read, and one for each ten written, but for rounding.
    assert expected_seconds(connection, model, 5, 500, 50) == pytest.approx(10, rel=0.05)
