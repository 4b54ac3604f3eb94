"""Model calls: kept once, found again, counted to the step that used them, and the measure of this machine."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.store import items
from engine.store.database import open_writer
from models.language import Completion


@pytest.fixture
def writer(tmp_path: Path) -> sqlite3.Connection:
    return open_writer(tmp_path / "datatune.db")


def keep(writer: sqlite3.Connection, call: str, prompt: int = 10, written: int = 5, seconds: float = 1.0, step: str = "s") -> None:
    completion = Completion("unit 1#0", f"text of {call}", "stop", prompt, written, seconds)
    items.store_call(writer, call, "execute", "model", f"prompt of {call}", completion, step)


def test_an_answer_is_found_again_under_its_call(writer: sqlite3.Connection) -> None:
    keep(writer, "c1", 12, 7, 0.5)
    assert items.stored_call(writer, "c1") == Completion("c1", "text of c1", "stop", 12, 7, 0.5)
    assert items.stored_call(writer, "c2") is None


def test_a_call_is_kept_once_and_its_first_answer_stays(writer: sqlite3.Connection) -> None:
    keep(writer, "c1")
    other = Completion("unit 2#0", "another text", "length", 1, 1, 9.0)
    items.store_call(writer, "c1", "plan", "model", "prompt", other, "t")
    stored = items.stored_call(writer, "c1")
    assert stored and stored.text == "text of c1"
    assert items.calls_of_step(writer, "s") == items.calls_of_step(writer, "t") == items.Cost(1, 10, 5, 1.0)


def test_a_step_counts_each_call_it_used_once_with_what_it_cost_when_made(writer: sqlite3.Connection) -> None:
    keep(writer, "c1", 10, 5, 1.0)
    keep(writer, "c2", 20, 6, 2.0)
    keep(writer, "c3", 99, 9, 9.0, step="other")
    for call in ("c1", "c2", "c2"):
        items.link_call(writer, "later", call)
    assert items.calls_of_step(writer, "later") == items.Cost(2, 30, 11, 3.0)
    assert items.calls_of_step(writer, "none") == items.Cost(0, 0, 0, 0.0)


def test_rates_are_those_the_calls_were_made_at(writer: sqlite3.Connection) -> None:
    for number, (prompt, written) in enumerate([(100, 10), (400, 20), (50, 80), (900, 5)]):
        keep(writer, f"c{number}", prompt, written, prompt * 0.002 + written * 0.05)
    rates = items.measured_rates(writer, "model")
    assert rates.calls == 4
    assert rates.per_prompt_token == pytest.approx(0.002) and rates.per_completion_token == pytest.approx(0.05)


def test_rates_survive_noise(writer: sqlite3.Connection) -> None:
    for number in range(40):
        prompt, written = 100 + 37 * number % 500, 5 + 11 * number % 60
        keep(writer, f"c{number}", prompt, written, (prompt * 0.002 + written * 0.05) * (1.1 if number % 2 else 0.9))
    rates = items.measured_rates(writer, "model")
    assert rates.per_prompt_token == pytest.approx(0.002, rel=0.3) and rates.per_completion_token == pytest.approx(0.05, rel=0.3)


@pytest.mark.parametrize("calls", [1, 5])
def test_calls_all_alike_still_foretell_their_own_time(writer: sqlite3.Connection, calls: int) -> None:
    for number in range(calls):
        keep(writer, f"c{number}", 200, 20, 3.0)
    rates = items.measured_rates(writer, "model")
    assert rates.calls == calls and rates.per_prompt_token > 0 and rates.per_completion_token > 0
    assert 200 * rates.per_prompt_token + 20 * rates.per_completion_token == pytest.approx(3.0)


def test_rates_are_never_negative(writer: sqlite3.Connection) -> None:
    for number, (prompt, written, seconds) in enumerate([(100, 10, 5.0), (200, 10, 3.0), (300, 10, 1.0)]):
        keep(writer, f"c{number}", prompt, written, seconds)
    rates = items.measured_rates(writer, "model")
    assert rates.per_prompt_token >= 0 and rates.per_completion_token >= 0
    assert items.measured_rates(writer, "another model") == items.Rates(0, 0.0, 0.0)


def test_the_digest_of_prompts_is_over_the_calls_used_whoever_used_them_and_when(writer: sqlite3.Connection) -> None:
    keep(writer, "c1", step="s")
    keep(writer, "c2", step="t")
    items.link_call(writer, "u", "c2")
    items.link_call(writer, "u", "c1")
    both = items.prompts_digest(writer, ["s", "t"])
    assert both == items.prompts_digest(writer, ["t", "s"]) == items.prompts_digest(writer, ["u"])
    assert len({both, items.prompts_digest(writer, ["s"]), items.prompts_digest(writer, ["t"]), items.prompts_digest(writer, [])}) == 4
