"""Plan believes no plan before it was tried on rows: structure's, the model's with repairs, the user's, prose; or it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BadInput, NothingSuitable
from engine.plan.file import plan_digest
from engine.plan.steps import Check
from engine.records import ExpandedTask, PlanChoice, SchemaSelection, Task
from engine.stages.plan import Given
from models.language import Request
from tests.engine.stages.house import NOTES, WEATHER, House, notes, task

OPAQUE = {"sun": "S", "rain": "R", "snow": "W"}
MAPPED = {"input": ["note"], "way": "map", "column": "kind", "table": {"S": "sun", "R": "rain", "W": "snow"}}
LEAKING = {"input": ["kind"], "way": "map", "column": "kind", "table": {"S": "sun", "R": "rain", "W": "snow"}}
COPIED = {"input": ["note"], "way": "copy", "column": "kind"}
USERS = """name = "mine"
[[steps]]
do = "map"
value = "kind"
into = "label"
table = {S = "sun", R = "rain", W = "snow"}
[emit]
input = "{{ note }}"
output = "{{ label }}"
"""


def given(
    dataset: str = "local/notes", for_task: Task = WEATHER, plan: str = "", roles: dict[str, Any] | None = None, origin: Any = "structure"
) -> Given:
    schema = SchemaSelection(dataset, "default", ("train",), roles or {}, origin=origin)
    return Given(for_task, ExpandedTask(for_task.description, "user"), schema, "r1", plan)


def house_with(folder: Path, *drafts: Any, opaque: bool = True) -> House:
    """A house whose planner answers with these drafts, one after the other."""
    queue = iter(drafts)

    def answer(role: str, prompt: str, request: Request) -> str | None:
        if request.choices:
            return None  # weighing: drawn from the prompt, so no witness for anything
        draft = next(queue)
        return draft if isinstance(draft, str) else json.dumps(draft)

    house = House(folder, answer)
    house.add("notes", notes(60, "kind", OPAQUE if opaque else None))
    return house


# ── structure ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_read_off_the_columns_needs_no_model(tmp_path: Path) -> None:
    house = house_with(tmp_path, opaque=False)
    choice: PlanChoice = house.run("plan", given(), verify=False)
    assert choice.plan.origin == "structure" and choice.score >= 0.55
    assert choice.digest == plan_digest(choice.plan)
    assert choice.reasons and not house.roles.asked and not house.roles.weighed
    assert all(sample.output in WEATHER.output.labels and "neighbour" in sample.input for sample in choice.samples)
    assert {sample.output for sample in choice.samples} == set(WEATHER.output.labels), "one row for each label"


def test_the_plans_that_came_after_are_kept_as_runners_up(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.add("notes", [row | {"said": row["note"].upper(), "seen": row["weather"]} for row in notes(60)])
    choice = house.run("plan", given())
    assert choice.runners_up
    assert all(other.score <= choice.score and other.plan != choice.plan for other in choice.runners_up)
    assert not house.run("plan", given(), runners_up=0).runners_up


def test_structure_alone_asks_nobody_and_says_what_is_missing(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    with pytest.raises(NothingSuitable, match="local/notes: no column holds any of the labels sun, rain, snow"):
        house.run("plan", given(), mode="structure")
    assert not house.roles.asked


def test_roles_the_user_set_bind_the_plans(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.add("notes", [row | {"seen": row["weather"]} for row in notes(60)])
    roles = {"number": "irrelevant", "note": "input", "weather": "irrelevant", "seen": "output"}
    choice = house.run("plan", given(roles=roles, origin="user"))
    assert "seen" in str(choice.plan.steps) + str(choice.plan.emit) and "weather" not in str(choice.plan.steps)
    with pytest.raises(NothingSuitable, match="against the roles you set"):
        house.run("plan", given(roles=roles | {"note": "irrelevant", "number": "input"}, origin="user"), mode="structure")


# ── the model ─────────────────────────────────────────────────────────────────────────────────────────────


def test_where_structure_finds_nothing_the_models_draft_is_tried(tmp_path: Path) -> None:
    house = house_with(tmp_path, MAPPED)
    choice = house.run("plan", given(), allow_guessing=True)
    assert (choice.plan.origin, choice.output_origin) == ("model", "derived")
    assert choice.reasons[0] == "the model chose: output mapped from kind"
    assert "60 of 60 rows become examples" in choice.reasons
    assert len(house.asked("plan")) == 1


def test_a_model_does_not_guess_labels_unless_it_may(tmp_path: Path) -> None:
    house = house_with(tmp_path, MAPPED)
    with pytest.raises(NothingSuitable, match="no column holds any of the labels"):
        house.run("plan", given())
    assert not house.asked("plan")


def test_a_draft_that_fails_goes_back_to_the_model_with_what_was_wrong(tmp_path: Path) -> None:
    house = house_with(tmp_path, LEAKING, COPIED, MAPPED)
    choice = house.run("plan", given(), allow_guessing=True)
    assert choice.plan.origin == "model"
    first, second, third = house.asked("plan")
    assert "Earlier plans failed" not in first
    assert "Earlier plans failed" in second and "Earlier plans failed" in third
    refused = [event.text for event in house.story("draft-refused")]
    assert "nothing but kind, which decides the output" in second
    assert "only 0 of 60 rows become examples" in refused[-1] and "only 0 of 60" in third


@pytest.mark.parametrize("repairs", [0, 1, 3])
def test_repairs_are_bounded_and_their_end_is_a_refusal(tmp_path: Path, repairs: int) -> None:
    house = house_with(tmp_path, *[LEAKING] * 10)
    with pytest.raises(NothingSuitable, match=f"the model's {repairs + 1} plans failed too"):
        house.run("plan", given(), repairs=repairs, allow_guessing=True)
    assert len(house.asked("plan")) == repairs + 1


@pytest.mark.parametrize(
    "draft",
    [
        "no JSON",
        "[]",
        "{}",
        {"input": ["note"], "way": "guess", "column": "kind"},
        MAPPED | {"column": "invented"},
        MAPPED | {"input": ["invented"]},
        MAPPED | {"table": {}},
        MAPPED | {"extra": 1},
        {"input": ["note"], "way": "pick", "column": "kind", "options": []},
        {"input": ["note"], "way": "pick", "column": "kind", "options": ["kind"]},
        {"input": [], "way": "copy", "column": "kind"},
        {"input": ["note"], "way": "after", "column": "kind", "marker": ""},
        {"input": ["note"], "way": "write", "column": "kind"},
        {"input": ["note"], "way": "threshold", "column": "number", "threshold": 1e308},
    ],
    ids=str,
)
def test_a_useless_draft_is_refused_and_never_a_crash(tmp_path: Path, draft: Any) -> None:
    house = house_with(tmp_path, *[draft] * 3)
    with pytest.raises(NothingSuitable, match="3 plans failed"):
        house.run("plan", given(), allow_guessing=True)


def test_a_threshold_for_a_task_without_two_labels_is_refused(tmp_path: Path) -> None:
    house = house_with(tmp_path, *[{"input": ["note"], "way": "threshold", "column": "number", "threshold": 3}] * 3)
    with pytest.raises(NothingSuitable):
        house.run("plan", given(for_task=task(description="Say how large it is.")), mode="model")


def test_mode_model_does_not_look_at_structure(tmp_path: Path) -> None:
    house = house_with(tmp_path, {"input": ["note"], "way": "copy", "column": "kind"}, opaque=False)
    choice = house.run("plan", given(), mode="model")
    assert (choice.plan.origin, choice.output_origin) == ("model", "copied")


def test_writing_is_offered_only_where_it_is_allowed(tmp_path: Path) -> None:
    titles = task(description="Write a title for the note.")
    writing = {"input": ["note"], "way": "write", "column": "note", "instruction": "Write a title for the note."}
    house = house_with(tmp_path, writing)
    choice = house.run("plan", given(for_task=titles), mode="model", allow_writing=True)
    assert choice.output_origin == "written"
    assert any("not tried" in reason for reason in choice.reasons)


def test_a_written_draft_is_refused_where_writing_is_off(tmp_path: Path) -> None:
    titles = task(description="Write a title for the note.")
    writing = {"input": ["note"], "way": "write", "column": "note", "instruction": "Write a title for the note."}
    house = house_with(tmp_path, *[writing] * 3)
    with pytest.raises(NothingSuitable):
        house.run("plan", given(for_task=titles), mode="model")


# ── the user's own ────────────────────────────────────────────────────────────────────────────────────────


def test_the_users_plan_is_taken_as_it_is_once_it_works(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    choice = house.run("plan", given(plan=USERS))
    assert (choice.plan.origin, choice.plan.name) == ("user", "mine")
    assert {sample.output for sample in choice.samples} <= set(WEATHER.output.labels)
    assert not house.roles.asked


def test_an_error_in_the_users_plan_is_bad_input(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    with pytest.raises(BadInput, match="plan 'mine'") as refused:
        house.run("plan", given(plan=USERS.replace('value = "kind"', 'value = "kinds"')))
    assert "kind" in refused.value.hint + refused.value.title


def test_a_plan_that_makes_nothing_of_the_sample_says_why(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    nothing = USERS.replace('S = "sun", R = "rain", W = "snow"', 'X = "sun", Y = "rain"')
    with pytest.raises(NothingSuitable, match="makes no example of 60 sample rows") as refused:
        house.run("plan", given(plan=nothing))
    assert "map" in refused.value.title


def test_a_plan_with_a_model_step_is_not_tried_and_says_so(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    checked = USERS.replace("[emit]", '[[steps]]\ndo = "check"\nquestion = "Is it about weather?"\ngiven = ["note"]\n[emit]')
    choice = house.run("plan", given(plan=checked))
    assert choice.score == 1.0 and "not tried" in choice.reasons[-1]
    assert not house.roles.asked


# ── prose ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_in_prose_mode_the_model_writes_the_steps(tmp_path: Path) -> None:
    house = house_with(tmp_path, {"steps": ["Take the note as input.", "Say in a word what weather it is."]})
    choice = house.run("plan", given(), mode="prose")
    assert choice.plan.prose == ("Take the note as input.", "Say in a word what weather it is.")
    assert (choice.plan.origin, choice.output_origin, choice.plan.columns) == ("prose", "written", ())


def test_prose_sees_only_the_columns_the_user_left_in(tmp_path: Path) -> None:
    house = house_with(tmp_path, {"steps": ["Take the note.", "Say the weather."]})
    roles = {"number": "irrelevant", "note": "input", "kind": "irrelevant"}
    assert house.run("plan", given(roles=roles, origin="user"), mode="prose").plan.columns == ("note",)


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"steps": []}', '{"steps": 3}', '{"steps": [3]}', "null", "[" * 600])
def test_prose_without_steps_is_refused(tmp_path: Path, text: str) -> None:
    house = house_with(tmp_path, text)
    with pytest.raises(NothingSuitable, match="no usable steps"):
        house.run("plan", given(), mode="prose")


def test_a_plan_the_user_applied_before_comes_first_while_it_still_works(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    gone = USERS.replace('value = "kind"', 'value = "column_that_went"')
    again = given()
    again = Given(again.task, again.expanded, again.schema, again.revision, "", (gone, USERS))
    choice = house.run("plan", again, verify=False)
    assert choice.plan.origin == "user" and choice.plan.name == "mine"
    assert "you applied this plan to this data set before" in choice.reasons


def test_one_in_which_a_model_has_a_part_comes_first_too_untried(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    asks = USERS.replace("[emit]", '[[steps]]\ndo = "check"\nquestion = "Is this about weather?"\ngiven = ["note"]\n\n[emit]', 1)
    assert asks != USERS
    again = given()
    choice = house.run("plan", Given(again.task, again.expanded, again.schema, again.revision, "", (asks,)), verify=False)
    assert choice.plan.origin == "user" and [step.question for step in choice.plan.steps if isinstance(step, Check)] != []
    assert not house.asked("execute")


# ── verification ──────────────────────────────────────────────────────────────────────────────────────────


def weighing(folder: Path, likes: Callable[[str, str], float]) -> House:
    """A house whose model weighs by `likes(last message, choice)`."""

    def answer(role: str, prompt: str, request: Request) -> str | None:
        return json.dumps([likes(request.messages[-1].content, choice) for choice in request.choices]) if request.choices else None

    house = House(folder, answer)
    house.add("notes", notes(120))
    return house


def knows_weather(text: str, choice: str) -> float:
    return 3.0 * any(sentence in text for sentence in NOTES.get(choice, ()))


def test_a_plan_that_the_models_own_answers_bear_out_is_verified_and_says_on_what(tmp_path: Path) -> None:
    house = weighing(tmp_path, knows_weather)
    choice = house.run("plan", given())
    assert choice.verdict == "verified" and "rows" in choice.evidence
    (event,) = house.story("verified")
    assert event.data["state"] == "verified" and event.data["calls"] > 0


def test_a_model_that_knows_nothing_leaves_the_plan_unverified_and_it_is_kept_or_refused_as_asked(tmp_path: Path) -> None:
    house = weighing(tmp_path, lambda text, choice: float(choice == "sun"))
    assert house.run("plan", given()).verdict == "unverified"
    with pytest.raises(NothingSuitable, match="not verified"):
        house.run("plan", given(), unverified="refuse")


def test_stored_answers_are_not_asked_for_again(tmp_path: Path) -> None:
    house = weighing(tmp_path, knows_weather)
    house.run("plan", given())
    asked = len(house.roles.weighed)
    house.run("plan", given(), runners_up=2)
    assert asked and len(house.roles.weighed) == asked


def test_what_opaque_values_stand_for_is_asked_of_the_model_and_held_against_the_rows(tmp_path: Path) -> None:
    named = {"sun": "Alpha", "rain": "Beta", "snow": "Gamma"}

    def likes(text: str, choice: str) -> float:
        if "stand for?" not in text:
            return knows_weather(text, choice)
        value = text.rsplit("Which label does the value <<<\n", 1)[1].split("\n>>>")[0]
        return 4.0 * (named.get(choice) == value or choice == value)

    def answer(role: str, prompt: str, request: Request) -> str | None:
        return json.dumps([likes(request.messages[-1].content, choice) for choice in request.choices]) if request.choices else None

    house = House(tmp_path, answer)
    house.add("notes", notes(120, "kind", named))
    choice = house.run("plan", given())
    assert choice.plan.origin == "model" and choice.verdict == "verified"
    assert any("Alpha → sun" in reason for reason in choice.reasons)


def test_a_guess_of_the_models_is_refused_where_its_answers_on_rows_do_not_bear_it_out(tmp_path: Path) -> None:
    named = {"sun": "Alpha", "rain": "Beta", "snow": "Gamma"}

    def likes(text: str, choice: str) -> float:
        if "stand for?" not in text:
            return 0.0
        value = text.rsplit("Which label does the value <<<\n", 1)[1].split("\n>>>")[0]
        return 0.3 * (named.get(choice) == value) + 4.0 * (choice == value)

    def answer(role: str, prompt: str, request: Request) -> str | None:
        return json.dumps([likes(request.messages[-1].content, choice) for choice in request.choices]) if request.choices else None

    house = House(tmp_path, answer)
    house.add("notes", notes(120, "kind", named))
    with pytest.raises(NothingSuitable, match="the model's guess"):
        house.run("plan", given())
