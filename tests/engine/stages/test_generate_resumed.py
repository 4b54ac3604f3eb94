"""Generate goes on after any stop: the same prompts and examples whatever order answers come in, alone or beside data sets."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Cancelled
from engine.generate import waves
from engine.session import Session
from engine.store import items, runs
from engine.store.tallies import count_anew
from models.language import Completion, Request
from tests.engine.stages.house import House, Rows
from tests.engine.stages.test_generate import HINTS, Shuffling, adds_up, bench, examples, given, stored, write


@pytest.mark.parametrize("seed", range(4))
def test_prompts_and_examples_are_the_same_in_whatever_order_answers_come(tmp_path: Path, seed: int) -> None:
    plain = bench(tmp_path / "plain", half_bad)
    expected, orderly = plain.step("generate", given(), examples=80)
    house = bench(tmp_path / "shuffled")
    house.roles.special["generate"] = model = Shuffling(seed, half_bad)
    step, made = house.step("generate", given(), examples=80)
    assert made == orderly and made.rejected > 20
    assert stored(house, step) == stored(plain, expected)
    # Some more may have been under way when there were enough.
    assert {prompt for _, prompt in model.asked} >= set(plain.asked("generate"))
    keys = [key for key, _ in model.asked if key.isdigit()]
    assert keys != sorted(keys) and len(model.asked) == len(set(model.asked))


def half_bad(role: str, prompt: str, request: Request) -> str | None:
    """Every third example is a placeholder and every seventh repeats one."""
    if not request.key.isdigit():
        return write(role, prompt, request)
    number = int(request.key)
    label = (request.schema or {})["properties"]["output"]["const"]
    if number % 3 == 0:
        return json.dumps({"output": label, "input": "..."})
    return (
        json.dumps({"output": label, "input": f"{HINTS[label]} over hill {number - number % 7}."})
        if number % 7 < 2
        else write(role, prompt, request)
    )


def test_a_batching_model_is_kept_fed(tmp_path: Path) -> None:
    house = bench(tmp_path)
    house.roles.special["generate"] = model = Shuffling(1)
    house.step("generate", given(), examples=200, topics=0)
    assert sum(count == 9 for count in model.at_hand) > 0.95 * len(model.at_hand)


@pytest.mark.parametrize("moment", [1, 15, 33, 60, 101, 140])
def test_going_on_after_a_cancel_asks_and_makes_the_same(tmp_path: Path, moment: int) -> None:
    whole = bench(tmp_path / "whole", half_bad)
    expected, orderly = whole.step("generate", given(), examples=60)
    house = bench(tmp_path / "torn")

    class Cancelling(Shuffling):
        def _any(self, waiting: list[Request]) -> Completion:
            if len(self.asked) == moment:
                runs.send_command(house.connection, house.session.run, "cancel")
            return super()._any(waiting)

    house.roles.special["generate"] = first = Cancelling(3, half_bad)
    with pytest.raises(Cancelled):
        house.step("generate", given(), examples=60)
    house.begin()
    house.roles.special["generate"] = second = Shuffling(4, half_bad)
    step, made = house.step("generate", given(), examples=60)
    assert made == orderly
    assert stored(house, step) == stored(whole, expected)
    assert {prompt for _, prompt in (*first.asked, *second.asked)} >= set(whole.asked("generate"))
    again = Counter(first.asked) & Counter(second.asked)
    assert sum(again.values()) <= 1, "only the answer that was cut off by the cancel is asked for again"


def test_what_is_stored_in_the_middle_of_a_wave_is_taken_up(tmp_path: Path) -> None:
    """As a kill leaves it: some units of a wave are stored, all of their answers are."""
    whole = bench(tmp_path, half_bad)
    step, made = whole.step("generate", given(), examples=60)
    expected = stored(whole, step)
    for kept in (0, 3, 11, 12, 29, len(expected) - 1):
        whole.connection.execute("DELETE FROM items WHERE step = ? AND key >= ?", (step, f"{kept:07d}"))
        count_anew(whole.connection, step)
        whole.connection.execute("UPDATE steps SET state = 'interrupted', record = '' WHERE fingerprint = ?", (step,))
        whole.roles.asked.clear()
        whole.begin()
        assert whole.step("generate", given(), examples=60) == (step, made)
        assert stored(whole, step) == expected and not whole.asked("generate")


def test_the_end_of_the_budget_keeps_what_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = bench(tmp_path)
    house.begin(budget=1000)
    before = Session.check

    def spent(session: Session) -> None:
        if len(house.asked("generate")) >= 70:
            session.deadline = 1e-9
        before(session)

    monkeypatch.setattr(Session, "check", spent)
    step, made = house.step("generate", given(), examples=100)
    assert 10 <= made.examples <= 70 and adds_up(made)
    assert house.steps()[-1].state == "stopped" and house.session.budget_ended
    monkeypatch.setattr(Session, "check", before)
    house.begin()
    again, whole = house.step("generate", given(), examples=100)
    assert again == step and whole.examples == 100 and adds_up(whole)


@pytest.mark.parametrize("batch", [1, 3])
def test_units_that_killed_an_engine_are_passed_over_and_suspects_run_alone(tmp_path: Path, batch: int) -> None:
    house = bench(tmp_path)
    options: dict[str, Any] = {"examples": 30, "topics": 0, "batch": batch}
    house.roles.special["generate"] = Cancelling20(house)
    with pytest.raises(Cancelled):
        house.step("generate", given(), **options)
    step = house.steps()[-1].fingerprint
    next_unit = len(stored(house, step))
    items.mark_in_flight(house.connection, step, [waves.unit_key(next_unit + place) for place in range(6)])
    items.blame(house.connection, house.session.run, "SIGSEGV")  # six together: all are suspects
    house.connection.execute("DELETE FROM suspects WHERE key = ?", (waves.unit_key(next_unit + 2),))
    items.mark_in_flight(house.connection, step, [waves.unit_key(next_unit + 2)])
    items.blame(house.connection, house.session.run, "SIGSEGV")  # this one was alone
    house.begin()
    house.roles.special["generate"] = Shuffling(2)
    again, made = house.step("generate", given(), **options)
    assert again == step and made.examples == 30 and adds_up(made)
    dead = [item for item in stored(house, step) if item.state == "failed"]
    assert "SIGSEGV" in next(item.reason for item in dead if item.key == waves.unit_key(next_unit + 2))
    assert len(dead) <= batch and not items.suspects(house.connection, step)
    assert len({example.input for example in examples(house, step)}) == 30


class Cancelling20(Shuffling):
    """Cancels the run of a house at the twentieth question."""

    def __init__(self, house: House) -> None:
        super().__init__(1)
        self._house = house

    def _any(self, waiting: list[Request]) -> Completion:
        if len(self.asked) == 20:
            runs.send_command(self._house.connection, self._house.session.run, "cancel")
        return super()._any(waiting)


# ── in a run ──────────────────────────────────────────────────────────────────────────────────────────────


def rows() -> Rows:
    from tests.engine.stages.house import notes

    return notes(60)


def test_a_run_writes_none_unless_it_asks_for_them(tmp_path: Path) -> None:
    house = bench(tmp_path)
    house.add("notes", rows(), "# Weather notes\n\nSay in one word what kind of weather a note speaks of: sun, rain or snow.")
    assert house.pipeline(options={"execute": {"examples": 20}}).examples == 20
    assert "generate" not in [step.stage for step in house.steps()]
    assert not house.pipeline(options={"execute": {"examples": 20}, "generate": {"examples": 0}}).synthetic
    ending = house.pipeline(options={"execute": {"examples": 20}, "generate": {"examples": 12}})
    assert [step.stage for step in house.steps()][-2:] == ["generate", "mix"]
    assert ending.exported is not None and (ending.examples, ending.exported.examples) == (32, 32)
    lines = [json.loads(line) for line in (Path(ending.exported.folder) / "examples.jsonl").read_text().splitlines()]
    assert [line["source"].get("model", "") for line in lines] == [""] * 20 + ["generate"] * 12
    assert {line["output_origin"] for line in lines[20:]} == {"written"}


@pytest.mark.parametrize("settings", [{"dataset": "none"}, {}], ids=["none", "an empty catalog"])
def test_a_run_without_a_data_set_gives_the_synthetic_examples_alone(tmp_path: Path, settings: dict[str, Any]) -> None:
    house = bench(tmp_path)
    ending = house.pipeline(options={"generate": {"examples": 12}}, **settings)
    assert (len(ending.parts), ending.examples) == (0, 12)
    assert bool(house.story("fell-through")) == (not settings)
    assert ending.exported is not None
    folder = Path(ending.exported.folder)
    card = (folder / "README.md").read_text()
    assert "all of them synthetic, written by generate" in card and "Each line" in card and not (folder / "plans").exists()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["examples"]["synthetic"] == 12 and manifest["models"].keys() == {"generate"}
    (part,) = manifest["parts"]
    assert part["synthetic"] and part["model"] == "generate" and part["counts"]["examples"] == 12


def test_a_stopped_run_can_be_exported_with_what_was_written(tmp_path: Path) -> None:
    from engine.export_run import export_run

    house = bench(tmp_path)
    house.pipeline(dataset="none", options={"generate": {"examples": 12}})
    for record in ("kept", ""):
        if not record:
            house.connection.execute("UPDATE steps SET record = '', state = 'interrupted' WHERE stage = 'generate'")
        run = runs.read_run(house.connection, house.session.run)
        assert run is not None
        exported = export_run(house.connection, run, house.locations, tmp_path / f"out-{record}")
        assert exported.examples == 12
        assert "written by generate" in (tmp_path / f"out-{record}" / "README.md").read_text()
