"""The pulse that says an engine is alive."""

from __future__ import annotations

import time

import pytest

from engine import session as sessions
from engine.errors import Cancelled
from engine.session import Pulse
from engine.store import runs
from tests.end_to_end.workbench import wait_until
from tests.engine.bench import Bench


def test_the_pulse_beats_while_the_engine_lives_and_stops_with_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "BEAT_SECONDS", 0.01)
    bench.connection.execute("UPDATE runs SET heartbeat = 0")

    def beat() -> float:
        found = runs.read_run(bench.connection, bench.run)
        return (found and found.heartbeat) or 0.0

    pulse = Pulse(bench.locations.database, bench.session)
    pulse.start()
    first = wait_until(beat)
    wait_until(lambda: beat() > first)
    pulse.stop()
    assert not pulse.is_alive()


def test_between_two_looks_a_cancel_waits_but_a_signal_does_not(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LOOK_SECONDS", 60.0)
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    bench.session.check()
    runs.send_command(bench.connection, bench.run, "cancel")
    bench.session.check()
    now += 61.0
    with pytest.raises(Cancelled):
        bench.session.check()
    bench.session.terminated = True
    with pytest.raises(Cancelled):
        bench.session.check()
