"""Execute makes the first N examples in seeded order, whatever order answers come in, and accounts for every unit."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import Cancelled, NothingSuitable
from engine.plan.file import plan_digest, write_plan
from engine.plan.flow import origin_of_output
from engine.plan.steps import Check, Emit, Explode, Keep, Map, Plan, Write
from engine.records import Example, ExpandedTask, Made, PlanChoice, Task
from engine.session import Session
from engine.stages.execute import Given
from engine.store import items, runs
from models.intake import Intake
from models.language import Completion, Request, unhindered
from models.scripted import Script, ScriptedModel
from tests.engine.stages.house import WEATHER, House, notes, task

MAPPING = Plan(
    name="kinds",
    steps=(Map(value="weather", into="label", table={"sun": "sun", "rain": "rain", "snow": "snow"}),),
    emit=Emit(input="{{ note }}", output="{{ label }}"),
)
CHECKING = Plan(
    name="checked", steps=(Check(question="Is it right?", given=("note",)),), emit=Emit(input="{{ note }}", output="{{ weather }}")
)
TITLES = task(description="Write a title for a note.")
WRITING = Plan(
    name="titles",
    steps=(
        Write(instruction="Write a title.", given=("note",), into=("title",)),
        Check(question="Does the title fit?", given=("note", "title")),
    ),
    emit=Emit(input="{{ note }}", output="{{ title }}"),
)


def given(plan: Plan, wanted: int, for_task: Task = WEATHER, splits: tuple[str, ...] = ("train",)) -> Given:
    choice = PlanChoice(
        "local/notes", "default", splits, plan, plan_digest(plan), 1.0, output_origin=origin_of_output(plan) if plan.emit else "written"
    )
    return Given(for_task, ExpandedTask(for_task.description, "user"), choice, "r1", wanted)


def answer(role: str, prompt: str, request: Request) -> str:
    """A title for every note; yes to all titles but those of notes whose number ends in 3."""
    number = re.findall(r"number (\d+)", prompt)[-1]
    fields = request.schema["properties"] if request.schema else {}
    return json.dumps({"title": f"Note {number}"} if "title" in fields else {"answer": "no" if number.endswith("3") else "yes"})


def note(prompt: str) -> str:
    """The note a prompt shows."""
    (*_, shown) = re.findall(r"[A-Z][^\n]*, said neighbour number \d+\.", prompt)
    return str(shown)


class Shuffling(ScriptedModel):
    """Takes several requests at a time and answers them in random order, as a batching runtime does."""

    def __init__(self, seed: int, at_once: int = 7) -> None:
        super().__init__(Script(name="shuffling"), answer=lambda prompt, request: answer("execute", prompt, request))
        self.order: list[str] = []
        self._rng = random.Random(seed)
        self._at_once = at_once

    def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
        waiting: list[Request] = []
        intake = Intake(requests)
        while True:
            while len(waiting) < self._at_once and (request := intake.take()):
                waiting.append(request)
            if not waiting:
                return
            between()
            intake.go_on()
            yield self._any(waiting)

    def _any(self, waiting: list[Request]) -> Completion:
        request = waiting.pop(self._rng.randrange(len(waiting)))
        self.order.append(request.key)
        return next(super().complete_many([request]))


def examples(house: House, step: str, count: int = -1) -> list[Example]:
    stored = items.items_in_order(house.connection, step, "accepted", count)
    return [msgspec.json.decode(item.result, type=Example) for item in stored]


def adds_up(made: Made) -> bool:
    return made.units == made.examples + made.rejected + made.failed + made.skipped + made.surplus


def house_of(folder: Path, rows: Any = None) -> House:
    house = House(folder, answer)
    house.add("notes", rows if isinstance(rows, Mapping) else notes(rows or 60))
    return house


# ── enough ────────────────────────────────────────────────────────────────────────────────────────────────


def test_enough_examples_end_it_early(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    made = house.run("execute", given(MAPPING, 10))
    assert (made.units, made.examples, made.surplus) == (10, 10, 0)


def test_it_is_said_when_nearly_all_outputs_are_one_label(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.run("execute", given(MAPPING, 60))
    assert not house.story("one-label"), "three labels"
    only = House(tmp_path / "only", answer)
    only.add("notes", [note for note in notes(120) if note["weather"] == "rain"])
    made = only.run("execute", given(MAPPING, 60))
    (said,) = only.story("one-label")
    assert made.examples == 40 and said.text.startswith("40 of 40 examples have the output 'rain'")


def test_all_rows_are_used_when_there_are_not_enough(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    made = house.run("execute", given(MAPPING, 1000))
    assert (made.units, made.examples) == (60, 60)


def test_rows_are_drawn_over_the_whole_split_in_an_order_the_seed_decides(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    first, _ = house.step("execute", given(MAPPING, 12))
    again, _ = house.step("execute", given(MAPPING, 12), seed=1)
    drawn = [[example.source.row for example in examples(house, step)] for step in (first, again)]
    assert drawn[0] != drawn[1]
    assert all(min(rows) < 20 and max(rows) >= 40 for rows in drawn)


def test_more_wanted_begins_with_the_same_examples(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    few, _ = house.step("execute", given(MAPPING, 10))
    many, _ = house.step("execute", given(MAPPING, 30))
    assert examples(house, many, 10) == examples(house, few)


# ── answers in any order ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(4))
def test_the_first_examples_are_the_same_in_whatever_order_answers_come(tmp_path: Path, seed: int) -> None:
    plain = house_of(tmp_path / "plain")
    expected, orderly = plain.step("execute", given(WRITING, 20, TITLES))
    house = house_of(tmp_path / "shuffled")
    model = Shuffling(seed)
    house.roles.special["execute"] = model
    step, made = house.step("execute", given(WRITING, 20, TITLES))
    assert made.examples == orderly.examples == 20 and adds_up(made) and adds_up(orderly)
    assert examples(house, step, 20) == examples(plain, expected, 20)
    entered = [item.key for item in items.items_in_order(house.connection, step, "accepted")]
    finished = [key.partition("#")[0] for key in model.order if key.endswith("#1")]
    assert [key for key in finished if key in entered] != entered, "the answers did come in another order"


def test_a_unit_in_several_steps_is_asked_again_only_after_its_answer(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.roles.special["execute"] = model = Shuffling(5)
    made = house.run("execute", given(WRITING, 1000, TITLES))
    assert (made.units, made.examples, made.rejected) == (60, 54, 6)
    assert list(made.reasons.values()) == [6] and "Does the title fit?" in next(iter(made.reasons))
    for key in model.order:
        if key.endswith("#1"):
            assert model.order.index(key.replace("#1", "#0")) < model.order.index(key)
    assert len(model.order) == len(set(model.order)) == 120


def test_a_batching_model_is_kept_fed(tmp_path: Path) -> None:
    """Whoever takes seven at a time has seven at hand until the rows run out."""
    house = house_of(tmp_path)
    at_hand: list[int] = []

    class Watching(Shuffling):
        def _any(self, waiting: list[Request]) -> Completion:
            at_hand.append(len(waiting))
            return super()._any(waiting)

    house.roles.special["execute"] = Watching(1)
    house.run("execute", given(WRITING, 1000, TITLES))
    assert sum(count == 7 for count in at_hand) > 90


def test_the_prompt_shows_the_answer_of_the_step_before(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.run("execute", given(WRITING, 3, TITLES))
    checks = [prompt for prompt in house.asked("execute") if "Does the title fit?" in prompt]
    assert checks and all(f"Note {re.findall('number ([0-9]+)', prompt)[-1]}" in prompt for prompt in checks)


# ── what becomes of units ─────────────────────────────────────────────────────────────────────────────────


def test_every_unit_is_accounted_for_with_its_reason(tmp_path: Path) -> None:
    plan = Plan(
        name="mixed",
        steps=(
            Keep(value="number", at_most=49),
            Write(instruction="Write a title.", given=("note",), into=("title",)),
            Check(question="Does the title fit?", given=("note",)),
        ),
        emit=Emit(input="{{ note }}", output="{{ title }}"),
    )

    def sometimes(role: str, prompt: str, request: Request) -> str:
        return "no JSON" if "number 7." in prompt else answer(role, prompt, request)

    house = House(tmp_path, sometimes)
    house.add("notes", notes(60))
    step, made = house.step("execute", given(plan, 1000, TITLES))
    assert (made.units, made.skipped, made.rejected, made.failed, made.examples) == (60, 10, 5, 1, 44)
    assert adds_up(made) and sum(made.reasons.values()) == 16
    (failed,) = items.items_in_order(house.connection, step, "failed")
    assert failed.key == "train:7" and "not JSON" in failed.reason
    assert json.loads(failed.result) == {"completions": ["no JSON"]}


@pytest.mark.parametrize("finish", ["length", "error"])
def test_an_answer_that_is_not_whole_fails_its_unit_alone(tmp_path: Path, finish: Any) -> None:
    class Failing(Shuffling):
        def _any(self, waiting: list[Request]) -> Completion:
            done = super()._any(waiting)
            return msgspec.structs.replace(done, finish=finish, error="out of order") if done.key == "train:7#0" else done

    house = house_of(tmp_path)
    house.roles.special["execute"] = Failing(1)
    step, made = house.step("execute", given(WRITING, 1000, TITLES))
    assert made.failed == 1 and made.examples == 53
    (failed,) = items.items_in_order(house.connection, step, "failed")
    assert failed.key == "train:7"
    assert failed.reason == ("the answer was cut off by length" if finish == "length" else "no answer: out of order")


def test_several_splits_follow_each_other_and_keep_their_units_apart(tmp_path: Path) -> None:
    house = house_of(tmp_path, {"train": notes(20), "validation": notes(20, start=100)})
    step, made = house.step("execute", given(MAPPING, 30, splits=("train", "validation")))
    assert made.examples == 30
    sources = [example.source for example in examples(house, step)]
    assert [source.split for source in sources] == ["train"] * 20 + ["validation"] * 10
    assert {source.row for source in sources[:20]} == set(range(20))
    keys = [item.key for item in items.items_in_order(house.connection, step, "accepted")]
    assert keys[0].startswith("train:") and keys[-1].startswith("validation:")


def test_pieces_of_a_row_are_units_of_their_own(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.add("notes", [{"notes": [f"first {n}", f"second {n}"], "weather": f"fair {n}"} for n in range(10)])
    plan = Plan(name="pieces", steps=(Explode(value="notes", into="note"),), emit=Emit(input="{{ note }}", output="{{ weather }}"))
    step, made = house.step("execute", given(plan, 1000, TITLES))
    assert made.examples == 20
    assert {example.source.part for example in examples(house, step)} == {(0,), (1,)}


# ── on the way ────────────────────────────────────────────────────────────────────────────────────────────


def test_what_it_will_cost_is_told_before_a_model_is_asked(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.run("execute", given(WRITING, 5, TITLES))
    (cost,) = house.story("cost")
    assert cost.data["calls"] == 10 and "not measured yet" in cost.text
    house.begin()
    house.run("execute", given(WRITING, 6, TITLES))
    assert "seconds" in house.story("cost")[0].data


def test_a_plan_without_model_steps_asks_nobody_and_costs_nothing(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.run("execute", given(MAPPING, 5))
    assert not house.roles.asked and not house.story("cost")


def test_a_question_asked_before_is_answered_from_the_store(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.run("execute", given(CHECKING, 20))
    before = len(house.asked("execute"))
    house.begin()
    renamed = msgspec.structs.replace(CHECKING, emit=Emit(input="Note: {{ note }}", output="{{ weather }}"))
    assert house.run("execute", given(renamed, 20)).examples == 20
    assert len(house.asked("execute")) == before


def test_rows_with_one_text_ask_one_question(tmp_path: Path) -> None:
    house = house_of(tmp_path, {"train": [{"note": f"the same note, number {n % 2}", "weather": "rain"} for n in range(30)]})
    house.roles.special["execute"] = model = Shuffling(2)
    made = house.run("execute", given(CHECKING, 1000))
    assert made.examples == 30 and len(model.order) == 2


def test_the_end_of_the_budget_keeps_what_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = house_of(tmp_path)
    house.begin(budget=1000)
    before = Session.check

    def spent(session: Session) -> None:
        if len(house.asked("execute")) >= 21:
            session.deadline = 1e-9
        before(session)

    monkeypatch.setattr(Session, "check", spent)
    step, made = house.step("execute", given(CHECKING, 1000))
    assert 15 <= made.examples <= 21 and adds_up(made)
    (stored,) = house.steps()
    assert stored.state == "stopped" and "budget" in stored.reason and stored.record
    assert house.session.budget_ended
    house.begin()
    monkeypatch.setattr(Session, "check", before)
    again, whole = house.step("execute", given(CHECKING, 1000))
    assert again == step and (whole.units, whole.examples) == (60, 54)
    assert len(house.asked("execute")) == 60, "what was asked before is not asked again"


def test_a_cancel_keeps_finished_units_and_going_on_makes_the_same_examples(tmp_path: Path) -> None:
    whole = house_of(tmp_path / "whole")
    expected, _ = whole.step("execute", given(WRITING, 20, TITLES))

    house = house_of(tmp_path / "torn")

    class Cancelling(Shuffling):
        def _any(self, waiting: list[Request]) -> Completion:
            if len(self.order) == 30:
                runs.send_command(house.connection, house.session.run, "cancel")
            return super()._any(waiting)

    house.roles.special["execute"] = Cancelling(3)
    with pytest.raises(Cancelled):
        house.step("execute", given(WRITING, 20, TITLES))
    (step,) = house.steps()
    kept = examples(house, step.fingerprint)
    assert step.state == "interrupted" and 0 < len(kept) < 20
    house.begin()
    house.roles.special["execute"] = Shuffling(4)
    again, made = house.step("execute", given(WRITING, 20, TITLES))
    assert again == step.fingerprint and made.examples == 20 and adds_up(made)
    assert examples(house, again, 20) == examples(whole, expected, 20)


def test_going_on_counts_only_accepted_units_as_enough(tmp_path: Path) -> None:
    def half(role: str, prompt: str, request: Request) -> str:
        number = int(re.findall(r"number (\d+)", prompt)[-1])
        if len(house.asked("execute")) == 21:
            runs.send_command(house.connection, house.session.run, "cancel")
        return json.dumps({"answer": "yes" if number % 2 else "no"})

    house = House(tmp_path, half)
    house.add("notes", notes(60))
    with pytest.raises(Cancelled):
        house.step("execute", given(CHECKING, 20))
    house.begin()
    made = house.run("execute", given(CHECKING, 20))
    assert made.examples == 20 and made.rejected > 10 and adds_up(made)


def test_a_unit_left_behind_is_caught_up_with_before_it_is_enough(tmp_path: Path) -> None:
    """Its neighbours finished first and would be enough without it; the examples are still the first in order."""

    def yes(role: str, prompt: str, request: Request) -> str:
        return '{"answer": "yes"}'

    class LeavingBehind(ScriptedModel):
        def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
            stream = (request for request in requests if request)
            next(stream)
            for number, request in enumerate(stream, 1):
                if number == 10:
                    runs.send_command(house.connection, house.session.run, "cancel")
                yield next(super().complete_many([request]))

    whole = House(tmp_path / "whole", yes)
    whole.add("notes", notes(60))
    expected, _ = whole.step("execute", given(CHECKING, 10))
    house = House(tmp_path / "torn", yes)
    house.add("notes", notes(60))
    house.roles.special["execute"] = LeavingBehind(answer=lambda prompt, request: yes("", prompt, request))
    with pytest.raises(Cancelled):
        house.step("execute", given(CHECKING, 10))
    assert len(examples(house, house.steps()[0].fingerprint)) == 10
    house.begin()
    house.roles.special["execute"] = ScriptedModel(answer=lambda prompt, request: yes("", prompt, request))
    step, made = house.step("execute", given(CHECKING, 10))
    assert (made.examples, made.surplus) == (10, 1)
    assert examples(house, step, 10) == examples(whole, expected, 10)


# ── when a plan is hopeless ───────────────────────────────────────────────────────────────────────────────


def judging(share: int, of: int = 100) -> Any:
    """Yes to the notes of so many neighbours of a hundred."""

    def judge(role: str, prompt: str, request: Request) -> str:
        number = int(re.findall(r"number (\d+)", prompt)[-1])
        return json.dumps({"answer": "yes" if number % of < share else "no"})

    return judge


def judged(folder: Path, share: int, rows: int = 400) -> House:
    house = House(folder, judging(share))
    house.add("notes", notes(rows))
    return house


def test_a_hopeless_plan_stops_after_sixty_rows_with_its_reason(tmp_path: Path) -> None:
    house = judged(tmp_path, 0)
    with pytest.raises(NothingSuitable, match=r"local/notes: none of the first 60 rows.*Is it right\?.*\(60\)") as caught:
        house.run("execute", given(CHECKING, 30))
    assert "least_yield=0" in caught.value.hint
    assert len(house.asked("execute")) == 60
    (stored,) = house.steps()
    assert stored.state == "failed" and "none of the first 60" in stored.reason


def test_a_weak_plan_goes_on_as_long_as_luck_may_explain_it(tmp_path: Path) -> None:
    house = judged(tmp_path, 5)
    assert house.run("execute", given(CHECKING, 1000)).examples == 20
    house = judged(tmp_path / "worse", 1, 1000)
    with pytest.raises(NothingSuitable, match=r"only \d of the first (60|120|240|480)"):
        house.run("execute", given(CHECKING, 1000))


def test_zero_never_gives_up_and_a_higher_demand_gives_up_sooner(tmp_path: Path) -> None:
    house = judged(tmp_path, 0, 130)
    made = house.run("execute", given(CHECKING, 30), least_yield=0.0)
    assert (made.units, made.examples) == (130, 0)
    house = judged(tmp_path / "higher", 20)
    with pytest.raises(NothingSuitable, match=r"of the first (60|120) rows"):
        house.run("execute", given(CHECKING, 300), least_yield=0.4)


def test_rows_no_model_was_asked_about_say_nothing_of_the_models_work(tmp_path: Path) -> None:
    house = judged(tmp_path, 100, 300)
    few = msgspec.structs.replace(CHECKING, steps=(Keep(value="number", at_least=296), *CHECKING.steps))
    made = house.run("execute", given(few, 30))
    assert (made.units, made.examples, made.skipped) == (300, 4, 296)


def test_a_plan_without_a_model_is_never_given_up(tmp_path: Path) -> None:
    house = judged(tmp_path, 0, 300)
    few = msgspec.structs.replace(MAPPING, steps=(*MAPPING.steps, Keep(value="number", at_least=299)))
    assert house.run("execute", given(few, 30)).examples == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_same_rows_are_looked_at_in_whatever_order_answers_come_and_after_a_stop(tmp_path: Path, seed: int) -> None:
    """Two of the first sixty are right: enough for the first look, too few for a later one."""
    plain = judged(tmp_path / "plain", 2)
    with pytest.raises(NothingSuitable) as expected:
        plain.run("execute", given(CHECKING, 1000))

    class Torn(Shuffling):
        def _any(self, waiting: list[Request]) -> Completion:
            if len(self.order) == 57:
                runs.send_command(house.connection, house.session.run, "cancel")
            done = super()._any(waiting)
            return msgspec.structs.replace(done, text=judging(2)("", waiting_prompt[done.key], Request("", ())))

        def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
            def seen() -> Iterator[Request | None]:
                for request in requests:
                    if request:
                        waiting_prompt[request.key] = self.render(request.messages)
                    yield request

            return super().complete_many(seen(), between)

    waiting_prompt: dict[str, str] = {}
    house = judged(tmp_path / "torn", 2)
    house.roles.special["execute"] = Torn(seed)
    with pytest.raises(Cancelled):
        house.run("execute", given(CHECKING, 1000))
    house.begin()
    house.roles.special["execute"] = Torn(seed + 7)
    with pytest.raises(NothingSuitable) as caught:
        house.run("execute", given(CHECKING, 1000))
    assert caught.value.title == expected.value.title
    asked = len(waiting_prompt)
    house.begin()
    with pytest.raises(NothingSuitable, match=re.escape(caught.value.title[:60])):
        house.run("execute", given(CHECKING, 1000))
    assert len(waiting_prompt) == asked, "given up again without asking"


def test_a_run_takes_the_next_data_set_when_one_is_hopeless(tmp_path: Path) -> None:
    def judge(role: str, prompt: str, request: Request) -> str:
        return json.dumps({"answer": "yes" if int(re.findall(r"number (\d+)", prompt)[-1]) >= 1000 else "no"})

    house = House(tmp_path, judge)
    house.add("best", notes(200), f"# Weather notes\n\n{WEATHER.description}")
    house.add("good", notes(200, start=1000), f"# Notes on weather\n\n{WEATHER.description}")
    plans = dict.fromkeys(("local/best", "local/good"), write_plan(CHECKING))
    ending = house.pipeline(plans=plans, options={"execute": {"examples": 20}})
    assert [part.choice.dataset for part in ending.parts] == ["local/good"]
    assert any("none of the first 60" in refusal for refusal in ending.refusals)
    assert len(house.asked("execute")) == 80


# ── prose ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_prose_lets_the_model_make_input_and_output(tmp_path: Path) -> None:
    def follow(role: str, prompt: str, request: Request) -> str:
        number = re.findall(r"number (\d+)", prompt)[-1]
        return json.dumps({"skip": number.endswith("3"), "input": note(prompt), "output": f"Title {number}"})

    house = House(tmp_path, follow)
    house.add("notes", notes(30))
    plan = Plan(name="prose", prose=("Read the note.", "Write a title."), columns=("note",), origin="prose")
    step, made = house.step("execute", given(plan, 1000, TITLES))
    assert (made.examples, made.skipped) == (27, 3)
    assert {example.output_origin for example in examples(house, step)} == {"written"}
    assert all("1. Read the note." in prompt for prompt in house.asked("execute"))
