"""The pipeline takes data sets in rank order until there are enough examples, and a data set that fails never costs what was made."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import pipeline, work
from engine.context import StepContext
from engine.errors import BadInput, Busy, Cancelled, ExitCode, NothingSuitable, StageFailed, Unavailable
from engine.export.folder import MANIFEST
from engine.pipeline import Ending
from engine.records import PlanChoice
from engine.session import Session
from engine.stages import STAGE_NAMES
from engine.store import runs, steps
from models.language import Request
from tests.engine.stages.house import WEATHER, House, notes

OPAQUE = {"sun": "S", "rain": "R", "snow": "W"}
BEST = "# Weather notes\n\nSay in one word what kind of weather a note speaks of: sun, rain or snow."
GOOD = "# Notes on the weather\n\nWhat kind of weather a note speaks of."
NO_DRAFT = "{}"
PLAN = 'name = "mine"\n[[steps]]\ndo = "map"\nvalue = "kind"\ninto = "label"\ntable = {S = "sun", R = "rain", W = "snow"}\n'
PLAN += '[emit]\ninput = "{{ note }}"\noutput = "{{ label }}"\n'


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, lambda role, prompt, request: NO_DRAFT)


def used(ending: Ending) -> dict[str, int]:
    return {part.choice.dataset: part.take for part in ending.parts}


def wanted(count: int) -> dict[str, Any]:
    return {"options": {"execute": {"examples": count}}}


def lines(ending: Ending) -> list[dict[str, Any]]:
    assert ending.exported is not None
    text = (Path(ending.exported.folder) / "examples.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


# ── in order, until there are enough ──────────────────────────────────────────────────────────────────────


def test_the_nearest_data_set_is_used_first_and_alone_when_it_is_enough(house: House) -> None:
    house.add("good", notes(60, start=100), GOOD)
    house.add("best", notes(60), BEST)
    ending = house.pipeline(**wanted(30))
    assert used(ending) == {"local/best": 30}
    assert not house.story("left-out"), "nothing is left out when there is enough"
    assert ending.exported is not None and (ending.exported.examples, ending.examples) == (30, 30)
    assert [step.stage for step in house.steps()] == ["expand", "retrieve", "rerank", "schema", "plan", "execute", "mix"]


def test_further_data_sets_fill_up_what_is_missing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "AKIN", 0.5)
    house.add("good", notes(60, start=100), GOOD)
    house.add("best", notes(60), BEST)
    ending = house.pipeline(**wanted(80))
    assert used(ending) == {"local/best": 60, "local/good": 20}
    assert {line["source"]["dataset"] for line in lines(ending)} == {"local/best", "local/good"}
    assert len(lines(ending)) == 80


def test_a_plan_for_one_data_set_leaves_the_others_as_they_were(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "AKIN", 0.5)
    house.add("good", notes(60, "kind", OPAQUE, start=100), GOOD)
    house.add("best", notes(60), BEST)
    before = house.pipeline(**wanted(80))
    assert used(before) == {"local/best": 60}, "of the other no plan is found"
    ending = house.pipeline(plans={"local/good": PLAN}, **wanted(80))
    assert used(ending) == {"local/best": 60, "local/good": 20}
    assert ending.parts[0].step == before.parts[0].step and ending.parts[1].choice.plan.name == "mine"
    assert {line["output"] for line in lines(ending)} == {"sun", "rain", "snow"}


def test_a_data_set_whose_plan_is_yours_is_used_however_unlike_the_task_it_is(house: House) -> None:
    house.add("best", notes(60), BEST)
    house.add("odd", notes(60, "kind", OPAQUE, start=100), "# Accounts\n\nInvoices of a bakery, by month and customer.")
    options = {"execute": {"examples": 100}, "retrieve": {"prefer": ["local/odd"]}}
    assert used(house.pipeline(options=options)) == {"local/best": 60}
    assert used(house.pipeline(plans={"local/odd": PLAN}, options=options)) == {"local/odd": 60, "local/best": 40}
    wrong = {"local/odd": PLAN.replace('value = "kind"', 'value = "nothing"')}
    with pytest.raises(BadInput, match="nothing"):
        house.pipeline(plans=wrong, options=options)


def test_at_most_so_many_data_sets_are_used(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "MOST_DATASETS", 2)
    for number in range(4):
        house.add(f"best-{number}", notes(30, start=100 * number), BEST)
    assert sum(used(house.pipeline(**wanted(1000))).values()) == 60


# ── falling through ───────────────────────────────────────────────────────────────────────────────────────


def test_a_data_set_that_cannot_serve_falls_through_to_the_next_with_its_reason(house: House) -> None:
    house.add("opaque", notes(60, "kind", OPAQUE), BEST)
    house.add("good", notes(60), GOOD)
    ending = house.pipeline(**wanted(20))
    assert used(ending) == {"local/good": 20}
    (event,) = house.story("fell-through")
    assert event.candidate == "local/opaque" and "no column holds any of the labels" in event.text
    assert ending.refusals == [event.text]


def test_what_was_made_stays_when_a_later_data_set_fails(house: House) -> None:
    house.add("best", notes(60), BEST)
    house.add("opaque", notes(60, "kind", OPAQUE), BEST)
    ending = house.pipeline(**wanted(100))
    assert used(ending) == {"local/best": 60} and len(lines(ending)) == 60
    assert house.story("fell-through")


@pytest.mark.parametrize("error", [NothingSuitable, Unavailable, BadInput, StageFailed])
def test_every_failure_of_a_data_sets_own_falls_through(house: House, monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    house.add("best", notes(60), BEST)
    house.add("also", notes(60, start=100), BEST)
    before = StepContext.rows

    def gone(context: StepContext, dataset: str, config: str, split: str) -> Any:
        if dataset == "local/best":
            raise error("its rows are gone")
        return before(context, dataset, config, split)

    monkeypatch.setattr(StepContext, "rows", gone)
    ending = house.pipeline(**wanted(20))
    assert used(ending) == {"local/also": 20}
    assert "local/best: its rows are gone" in ending.refusals


def test_a_folder_deleted_meanwhile_falls_through(house: House) -> None:
    import shutil

    house.add("best", notes(60), BEST)
    house.add("good", notes(60, start=100), GOOD)
    hits = house.catalog.search("weather", 5)
    assert len(hits) == 2
    shutil.rmtree(house.folder / "data" / "best")
    assert used(house.pipeline(**wanted(20))) == {"local/good": 20}


def test_a_data_set_whose_units_all_fail_falls_through(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.plan.steps import Keep
    from engine.stages import stage

    house.add("best", notes(60), BEST)
    house.add("also", notes(60, start=100), BEST)
    before = stage("plan").run

    def strict(given: Any, options: Any, ctx: Any) -> PlanChoice:
        choice: PlanChoice = before(given, options, ctx)
        if choice.dataset != "local/best":
            return choice
        plan = msgspec.structs.replace(choice.plan, steps=(Keep(value="number", at_most=-1), *choice.plan.steps))
        return msgspec.structs.replace(choice, plan=plan)

    changed = {name: stage(name) for name in STAGE_NAMES}
    changed["plan"] = dataclasses.replace(changed["plan"], run=strict)
    monkeypatch.setattr(pipeline, "stage", changed.__getitem__)
    ending = house.pipeline(**wanted(20))
    assert used(ending) == {"local/also": 20}
    assert "no example came of 60 units; most often skipped" in ending.refusals[0]


def test_when_none_serves_the_reasons_are_given(house: House) -> None:
    house.add("opaque", notes(60, "kind", OPAQUE), BEST)
    house.add("opaque-too", notes(60, "kind", OPAQUE, start=100), BEST)
    house.add("opaque-also", notes(60, "kind", OPAQUE, start=200), BEST)
    with pytest.raises(NothingSuitable, match=r"no data set serves this task: local/opaque.*; and 1 more") as refused:
        house.pipeline(**wanted(20))
    assert "--dataset" in refused.value.hint
    assert not list(house.locations.exports.iterdir())


@pytest.mark.parametrize("until", ["schema", "plan", "execute", "export"])
def test_when_none_serves_it_is_said_wherever_the_run_was_to_end(house: House, until: str) -> None:
    house.cards({"someone/weather": BEST})
    house.add("gone", notes(60), BEST)
    for file in (house.folder / "data" / "gone").iterdir():
        file.write_text("")
    with pytest.raises(NothingSuitable):
        house.pipeline(until=until, **wanted(20))


def test_none_fits_by_vote_ends_the_run_before_any_data_is_read(tmp_path: Path) -> None:
    def none(role: str, prompt: str, request: Request) -> str | None:
        before = prompt.partition("made for this very task")
        return json.dumps({"best": before[0].rpartition("\n[")[2].partition("]")[0] if before[1] else "none", "reason": "unlike"})

    house = House(tmp_path, none)
    house.add("best", notes(60), BEST)
    house.add("good", notes(60), GOOD)
    with pytest.raises(NothingSuitable, match="unlike"):
        house.pipeline(options={"rerank": {"use_model": True}})
    assert [step.stage for step in house.steps()] == ["expand", "retrieve", "rerank"]


# ── fewer right examples beat more ────────────────────────────────────────────────────────────────────────


def test_a_further_data_set_that_is_much_less_alike_is_left_out(house: House) -> None:
    house.add("best", notes(60), BEST)
    house.add("good", notes(60, start=100), "# Notes\n\nNotes of neighbours, kind by kind.")
    ending = house.pipeline(**wanted(100))
    assert used(ending) == {"local/best": 60}
    (event,) = house.story("left-out")
    assert "local/good" in event.text


def test_likeness_is_measured_against_those_used_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "AKIN_LABELS", 0.0)
    house.add("opaque", notes(60, "kind", OPAQUE), BEST)
    house.add("far", notes(60, start=100), "# Notes\n\nNotes of neighbours, kind by kind.")
    assert used(house.pipeline(**wanted(20))) == {"local/far": 20}


def test_a_first_data_set_far_from_the_nearest_is_not_tried(house: House) -> None:
    house.add("opaque", notes(60, "kind", OPAQUE), BEST)
    house.add("far", notes(60, start=100), "# Notes\n\nNotes of neighbours, kind by kind.")
    with pytest.raises(NothingSuitable, match="much less like the task"):
        house.pipeline(**wanted(20))


def test_a_further_data_set_with_a_weaker_plan_is_left_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("best", notes(60), BEST)
    house.add("also", [row | {"kind": row["weather"][:4] + "y"} for row in notes(60, "weather", start=100)], BEST)
    monkeypatch.setattr(pipeline, "SCORE_MARGIN", -1.0)
    ending = house.pipeline(**wanted(100))
    assert len(ending.parts) == 1
    assert "its plan scores" in house.story("fell-through")[0].text


# ── a data set of one's own ───────────────────────────────────────────────────────────────────────────────


def test_a_folder_named_needs_no_catalog(house: House) -> None:
    folder = house.write("mine", notes(60))
    ending = house.pipeline(dataset=str(folder), **wanted(20))
    assert ending.examples == 20
    assert [step.stage for step in house.steps()] == ["expand", "schema", "plan", "execute", "mix"]
    assert {step.candidate for step in house.steps()[1:-1]} == {"local/mine"}
    assert not any(str(house.folder) in json.dumps(line) for line in lines(ending))


def test_a_data_set_named_that_fails_is_the_error_itself(house: House) -> None:
    house.add("opaque", notes(60, "kind", OPAQUE), BEST)
    house.add("best", notes(60), BEST)
    with pytest.raises(NothingSuitable, match="local/opaque: no column holds any of the labels"):
        house.pipeline(dataset="local/opaque", **wanted(20))
    with pytest.raises((BadInput, Unavailable), match="local/nowhere"):
        house.pipeline(dataset="local/nowhere", **wanted(20))
    house.cards({"someone/weather": BEST})
    with pytest.raises(Unavailable):
        house.pipeline(dataset="someone/weather", **wanted(20))
    with pytest.raises(BadInput):
        house.pipeline(dataset=str(house.folder / "nowhere"), **wanted(20))


def test_a_plan_named_is_applied_without_looking_for_one(house: House) -> None:
    folder = house.write("mine", notes(60, "kind", OPAQUE))
    ending = house.pipeline(dataset=str(folder), plan=PLAN, **wanted(20))
    assert ending.parts[0].choice.plan.origin == "user"
    assert {line["output"] for line in lines(ending)} == {"sun", "rain", "snow"}
    assert not house.roles.asked


def test_the_export_goes_where_it_is_told(house: House, tmp_path: Path) -> None:
    house.add("best", notes(60), BEST)
    ending = house.pipeline(export_to=str(tmp_path / "out"), **wanted(20))
    assert ending.exported is not None and ending.exported.folder == str(tmp_path / "out")
    again = house.pipeline(**wanted(20))
    assert again.exported is not None and Path(again.exported.folder).parent == house.locations.exports
    assert (tmp_path / "out" / "examples.jsonl").read_bytes() == (Path(again.exported.folder) / "examples.jsonl").read_bytes()


# ── until ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("until", STAGE_NAMES)
def test_a_run_ends_after_the_stage_it_is_told_to(house: House, until: str) -> None:
    house.add("best", notes(60), BEST)
    ending = house.pipeline(until=until, **wanted(20))
    expected = list(STAGE_NAMES[: STAGE_NAMES.index(until) + 1])
    unasked = {"generate", "evaluate", "export", "compare"} | (set() if until in ("finetune", "evaluate") else {"finetune"})
    assert [step.stage for step in house.steps()] == [name for name in expected if name not in unasked]
    assert (ending.exported is not None) == (until in ("export", "compare"))
    assert ending.examples == (20 if until in STAGE_NAMES[STAGE_NAMES.index("execute") :] else 0)


def test_a_finetuned_model_is_asked_the_test_beside_its_base_and_neither_is_in_the_card(house: House, tmp_path: Path) -> None:
    house.add("best", notes(60), BEST)
    test = tmp_path / "test.jsonl"
    rows = [{"input": f"Heat and sand on day {number}.", "output": ("sun", "rain", "snow")[number % 3]} for number in range(9)]
    test.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = {**wanted(20)["options"], "finetune": {"train": True}}
    ending = house.pipeline(msgspec.structs.replace(WEATHER, test=str(test)), options=options)
    assert ending.evaluated is not None and ending.evaluated.finetuned and ending.exported is not None
    found = ending.evaluated.evaluation
    assert [one.model for one in found.models] == ["finetuned", "base"] and found.items == 9 and found.comparison is not None
    asked = found.models[0].choice.setting
    assert asked.style == "export" and asked.shots == 0
    manifest = json.loads((Path(ending.exported.folder) / MANIFEST).read_text())
    assert "base" not in manifest["models"] and "finetuned" not in manifest["models"]
    assert [step.stage for step in house.steps()][-2:] == ["finetune", "evaluate"]


def test_a_run_may_leave_its_finetuned_model_unasked(house: House, tmp_path: Path) -> None:
    house.add("best", notes(60), BEST)
    test = tmp_path / "test.jsonl"
    test.write_text('{"input": "Heat.", "output": "sun"}\n', encoding="utf-8")
    options = {**wanted(20)["options"], "finetune": {"train": True}, "evaluate": {"finetuned": False}}
    ending = house.pipeline(msgspec.structs.replace(WEATHER, test=str(test)), options=options)
    assert ending.finetuned is not None and ending.evaluated is None


def test_a_base_that_llama_cpp_cannot_run_is_trained_and_exported_all_the_same(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.roles, "runs_base", lambda: False)
    house.add("best", notes(60), BEST)
    test = tmp_path / "test.jsonl"
    test.write_text('{"input": "Heat.", "output": "sun"}\n', encoding="utf-8")
    options = {**wanted(20)["options"], "finetune": {"train": True}}
    ending = house.pipeline(msgspec.structs.replace(WEATHER, test=str(test)), options=options)
    assert ending.finetuned is not None and ending.evaluated is None and ending.exported is not None
    assert "trained and exported, not evaluated" in house.story("left-out")[0].text, "it is said before the training"


def test_going_further_takes_what_was_done_as_it_is(house: House) -> None:
    house.add("best", notes(60), BEST)
    house.pipeline(until="plan", **wanted(20))
    house.pipeline(**wanted(20))
    assert [step.reused for step in house.steps()] == [True] * 5 + [False, False]


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────


def spending(monkeypatch: pytest.MonkeyPatch, when: Any) -> None:
    """The budget is over as soon as `when` says so of a session."""
    before = Session.check

    def check(session: Session) -> None:
        if session.deadline and when(session):
            session.deadline = 1e-9
        before(session)

    monkeypatch.setattr(Session, "check", check)


def test_a_budget_that_ends_before_any_example_is_a_cancel_that_says_how_to_go_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("best", notes(60), BEST)
    spending(monkeypatch, lambda session: True)
    with pytest.raises(Cancelled, match="before any example") as ended:
        house.pipeline(budget=1000, **wanted(20))
    assert ended.value.exit_code == ExitCode.CANCELLED and "resume" in ended.value.hint


def test_a_budget_that_ends_between_data_sets_exports_what_there_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("best", notes(60), BEST)
    house.add("also", notes(60, start=100), BEST)

    def executed(session: Session) -> bool:
        return any(step.stage == "execute" and step.record for step in steps.steps_of_run(session.connection, session.run))

    spending(monkeypatch, executed)
    ending = house.pipeline(budget=1000, **wanted(100))
    assert sum(used(ending).values()) == 60 and len(ending.parts) == 1
    assert ending.exported is not None and ending.exported.examples == 60


def test_a_cancel_between_steps_is_heard(house: House) -> None:
    house.add("best", notes(60), BEST)
    settings = runs.RunSettings(options={"expand": {"use_model": False}, "rerank": {"use_model": False}})
    session = house.begin(WEATHER, settings)
    runs.send_command(house.connection, session.run, "cancel")
    with pytest.raises(Cancelled, match="cancelled"):
        pipeline.run_pipeline(session, WEATHER, settings)
    assert not house.steps()


def test_the_models_of_an_export_are_those_that_answered(tmp_path: Path) -> None:
    house = House(tmp_path, lambda role, prompt, request: '{"details": "The note is short and the answer is one word."}')
    house.add("best", notes(60), BEST)
    ending = house.pipeline(options={"expand": {"use_model": True}, "execute": {"examples": 20}})
    assert ending.exported is not None
    manifest = next(Path(ending.exported.folder).glob("*anifest*")).read_text(encoding="utf-8")
    assert '"expand"' in manifest and '"rerank"' not in manifest.partition('"models"')[2].partition("}")[0]


def test_a_tasks_name_names_its_folder_safely(house: House) -> None:
    places = house.locations
    assert places.export_of("Mein Wetter/../Übung 3!", "3fa9c1") == places.exports / "mein-wetter----übung-3-3fa9c1"
    for name in ("///", "/etc/passwd", "../../x", "..", "SUM/DE", "x" * 200, "\x00\n"):
        place = places.export_of(name, "3fa9c1")
        assert place.parent == places.exports and len(place.name) <= 47


# ── how a run ends ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (NothingSuitable("none serves", "add data"), "failed", ExitCode.NOTHING_SUITABLE),
        (BadInput("a wrong plan", "write another"), "failed", ExitCode.BAD_INPUT),
        (Unavailable("no such model", "run doctor"), "failed", ExitCode.UNAVAILABLE),
        (StageFailed("it broke", "try again"), "failed", ExitCode.STAGE_FAILED),
        (Busy("another engine is at it", "wait for it"), "failed", ExitCode.BUSY),
        (Cancelled("cancelled", "resume it"), "cancelled", ExitCode.CANCELLED),
        (ZeroDivisionError("nobody saw this coming"), "failed", ExitCode.CRASHED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_end_has_its_state_reason_and_exit_code(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str, code: ExitCode
) -> None:
    def ends(*arguments: Any) -> Ending:
        raise error

    monkeypatch.setattr(work, "run_pipeline", ends)
    run = runs.read_run(house.connection, house.session.run)
    assert run is not None
    assert runs.claim_run(house.connection, run.id, house.session.owner) is None
    assert work._outcome(house.session, run, house.locations) == code
    ended = runs.read_run(house.connection, run.id)
    assert ended is not None and (ended.state, ended.exit_code, ended.owner) == (state, code, None)
    assert str(error).partition(";")[0] in ended.reason
    assert house.story()[-1].kind == state


def test_a_run_that_is_done_tells_what_it_came_to(house: House) -> None:
    house.add("best", notes(60), BEST)
    quiet: dict[str, dict[str, object]] = {"expand": {"use_model": False}, "rerank": {"use_model": False}, "mix": {"near_duplicates": 0}}
    settings = runs.RunSettings(options={**quiet, "execute": {"examples": 20}})
    session = house.begin(WEATHER, settings)
    run = runs.read_run(house.connection, session.run)
    assert run is not None
    assert runs.claim_run(house.connection, run.id, session.owner) is None
    assert work._outcome(session, run, house.locations) == ExitCode.DONE
    ended = runs.read_run(house.connection, run.id)
    assert ended is not None and (ended.state, ended.examples, ended.exit_code) == ("done", 20, 0)
    assert ended.reason.startswith("20 examples from 1 data set, in ")
    assert steps.steps_of_run(house.connection, run.id)[-1].stage == "mix"


def test_a_run_exports_again_what_it_made_even_when_it_ended_early(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled in the middle of execute: what was made can be exported as it is."""
    from engine.export_run import export_run

    house.add("best", notes(60), BEST)
    before = StepContext.progress

    def cancelling(context: StepContext, done: int, total: int | None, unit: str) -> None:
        if unit == "examples" and done >= 12:
            runs.send_command(house.connection, house.session.run, "cancel")
        before(context, done, total, unit)

    monkeypatch.setattr(StepContext, "progress", cancelling)
    with pytest.raises(Cancelled):
        house.pipeline(**wanted(40))
    monkeypatch.setattr(StepContext, "progress", before)
    run = runs.read_run(house.connection, house.session.run)
    assert run is not None
    exported = export_run(house.connection, run, house.locations, tmp_path / "out")
    assert exported.examples == 12
