"""What every stage must do, whichever it is; a new file in engine/stages is tested by being named in STAGE_NAMES."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import engine.stages
from engine.config import parse_setting, stage_options
from engine.context import StepContext
from engine.errors import BadInput, Cancelled, StageFailed
from engine.evaluate.evaluated import Evaluated
from engine.mix.held_out import digest_of_test
from engine.plan.file import plan_digest
from engine.plan.steps import Check
from engine.records import (
    Base,
    Candidates,
    ExpandedTask,
    Finetuned,
    Generated,
    Made,
    Mixed,
    Part,
    PlanChoice,
    Ranking,
    SchemaSelection,
    SyntheticPart,
    Value,
)
from engine.session import Session
from engine.stage import Stage
from engine.stages import STAGE_NAMES, options_type, stage
from engine.stages.compare import ArmGiven, ArmStep
from engine.store import events, runs, steps
from models.language import Identity, Request
from tests.engine.stages.house import WEATHER, House, notes, only

RELEVANT = "---\nlicense: cc-by-4.0\n---\n# Weather notes\n\nShort notes with the kind of weather each speaks of."
OPAQUE = {"sun": "S", "rain": "R", "snow": "W"}


def answer(role: str, prompt: str, request: Request) -> str | None:
    """A model that reads the weather's letters and does well."""
    if role == "expand":
        return '{"details": "The note is a sentence or two; the word is all the output holds."}'
    if role == "rerank":
        return _vote(prompt, "made for this very task" if "made for this very task" in prompt else "local/notes:")
    if role == "generate":
        return _note(prompt, request)
    if role == "plan":
        table = {letter: label for label, letter in OPAQUE.items()}
        return json.dumps({"input": ["note"], "way": "map", "column": "kind", "table": table})
    if role == "execute" and re.search(r"number \d*[1-5]\.", prompt):
        return '{"answer": "perhaps"}'
    return '{"answer": "no"}' if "number 7." in prompt else '{"answer": "yes"}'


def _note(prompt: str, request: Request) -> str | None:
    """A new note of the weather asked for, or the weather of a note; a list of topics is left to its schema."""
    wanted = request.schema or {}
    if "enum" in wanted:
        said = prompt.rpartition("[user]")[2]
        return json.dumps(next(label for label, hint in HINTS.items() if hint in said))
    if "output" not in wanted["properties"]:
        return None
    label = wanted["properties"]["output"]["const"]
    return json.dumps({"output": label, "input": f"Day {request.sampling.seed} in town {request.key}: {HINTS[label]} again."})


def _vote(prompt: str, text: str) -> str:
    """A vote for the listed card with these words in it."""
    before = prompt.partition(text)[0]
    return json.dumps({"best": before.rpartition("\n[")[2].partition("]")[0], "reason": "it fits"})


HINTS = {"sun": "heat", "rain": "puddles", "snow": "sledges"}
"""A word for each label that does not say it."""
LEAVE: dict[str, dict[str, Any]] = {
    "generate": {"examples": 30, "topics": 20, "near_duplicate": 1.1},
    "execute": {"retries": 1},
    "plan": {"allow_guessing": True},
    "retrieve": {"name_task": True},
}
"""Options under which each stage asks every role it declares."""


class World:
    """A house with three data sets, and what each stage made so far under the name the next one knows it by."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder, answer)
        self.house.add("notes", notes(60, "kind", OPAQUE), RELEVANT)
        self.house.add(
            "letters", [{"letter": f"Dear neighbour number {n}"} for n in range(12)], "# Letters\n\nLetters, notes on the weather."
        )
        self.house.add("prices", [{"price": n, "note": "its weather"} for n in range(12)], "# Prices\n\nOne word for each kind of weather.")
        test = folder / "asked.jsonl"
        test.write_text(
            "".join(json.dumps({"input": f"{HINTS[label]} of day {n}", "output": label}) + "\n" for n, label in enumerate(HINTS))
        )
        self.values: dict[str, Any] = {
            "task": msgspec.structs.replace(WEATHER, test=str(test)),
            "test": digest_of_test(str(test)),
            "items": 0,
            "shuffle": True,
            "by": "sum",
            "catalog": self.house.catalog.state_digest(),
            "dataset": "local/notes",
            "revision": "r1",
            "wanted": 20,
            "folder": str(folder / "out"),
            "models": {"plan": Identity("plan", "0", "scripted 1")},
            "options_used": {},
            "seed": 0,
            "prompts_digest": "",
            "batched": False,
            "base": Base("dry-run", ""),
        }

    def given(self, of: Stage) -> Any:
        """The stage's input: every field by its name, or its default."""
        fields = msgspec.structs.fields(of.given)
        missing = [field.name for field in fields if field.required and field.name not in self.values]
        assert not missing, f"{of.name} is given {missing}: teach tests/contracts/test_stages.py what that is"
        return of.given(**{field.name: self.values[field.name] for field in fields if field.name in self.values})

    def make_up_to(self, name: str) -> None:
        """Run every stage before this one and keep what it made."""
        for earlier in STAGE_NAMES[: STAGE_NAMES.index(name)]:
            self.keep(*self.do(earlier))

    def do(self, name: str) -> tuple[str, Any]:
        """Fingerprint and record of a stage in the run at hand."""
        return self.house.step(name, self.given(stage(name)), **LEAVE.get(name, {}))

    def keep(self, fingerprint: str, record: Any) -> None:
        match record:
            case ExpandedTask():
                self.values["expanded"] = record
            case Candidates():
                self.values["candidates"] = record
            case Ranking():
                self.values["dataset"] = record.candidates[0].dataset
            case SchemaSelection():
                self.values["schema"] = record
            case PlanChoice():
                # A question at the end, so that execute has a model to ask.
                plan = msgspec.structs.replace(record.plan, steps=(*record.plan.steps, Check(question="Does it snow?", given=("note",))))
                self.values["choice"] = msgspec.structs.replace(record, plan=plan, digest=plan_digest(plan))
            case Generated():
                self.values["synthetic"] = (SyntheticPart(fingerprint, record, record.examples),)
            case Mixed():
                self.values["mix"], self.values["mixed"] = fingerprint, record
            case Finetuned():
                self.values["finetuned"] = record
            case Evaluated():
                arms = (("few-shot", None), ("transformed", self.values["finetuned"]))
                arm = ArmStep(fingerprint, record)
                self.values["arms"] = tuple(
                    ArmGiven(name, "", (msgspec.structs.replace(arm, finetuned=finetuned),))  # type: ignore[arg-type]
                    for name, finetuned in arms
                )
            case Made():
                self.values["parts"] = (Part(fingerprint, self.values["choice"], record, record.examples),)


@pytest.fixture(params=STAGE_NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(name: str, tmp_path: Path) -> World:
    made = World(tmp_path)
    made.make_up_to(name)
    made.house.begin()
    made.house.roles.asked.clear()
    return made


def asked_roles(house: House, fingerprint: str) -> set[str]:
    rows = house.connection.execute("SELECT DISTINCT role FROM step_calls JOIN calls USING (hash) WHERE step = ?", (fingerprint,))
    return {row[0] for row in rows}


# ── the shape ─────────────────────────────────────────────────────────────────────────────────────────────


def test_every_file_is_a_stage_and_every_stage_a_file() -> None:
    assert {found.name for found in pkgutil.iter_modules(engine.stages.__path__)} == set(STAGE_NAMES)


def test_a_stage_names_its_parts(name: str) -> None:
    module = importlib.import_module(f"engine.stages.{name}")
    made: Stage = module.STAGE
    assert (made.name, made.given, made.options, made.run) == (name, module.Given, module.Options, module.run)
    assert all(issubclass(part, Value) for part in (module.Given, module.Options, made.record))
    assert made.version >= 1
    assert made.title[:1].islower()
    assert list(inspect.signature(made.run).parameters) == ["given", "options", "ctx"]


def test_a_stage_says_what_it_does(name: str) -> None:
    module = importlib.import_module(f"engine.stages.{name}")
    first = (module.__doc__ or "").strip().splitlines()[0]
    assert first.startswith(f"{name.capitalize()}: ") and len(first) > 40
    assert module.run.__doc__ and module.Given.__doc__ and module.Options.__doc__


# ── options ───────────────────────────────────────────────────────────────────────────────────────────────


def properties(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = next(iter(msgspec.json.schema(options_type(name))["$defs"].values()))["properties"]
    return found


def test_every_option_has_a_description_and_a_default(name: str) -> None:
    options = properties(name)
    assert options
    for option, described in options.items():
        assert "default" in described, f"{name}.{option} has no default"
        text = described.get("description", "")
        assert text.endswith(".") and len(text) > 20, f"{name}.{option}: {text!r}"


def another(described: dict[str, Any]) -> Any:
    """A valid value that is not the default."""
    if "anyOf" in described:
        (described,) = (one | {"default": 0} for one in described["anyOf"] if one["type"] != "null")
        if described["type"] == "string":
            return "some text"
    default = described["default"]
    choices = described.get("enum") or described.get("items", {}).get("enum")
    if described.get("type") == "array":
        if choices:
            least = described.get("minItems", 1)
            return choices[-least:] if least > 1 else [next(choice for choice in choices[::-1] if [choice] != list(default))]
        return [3 if described["items"].get("type") == "integer" else "some/text"]
    if choices:
        return next(choice for choice in choices if choice != default)
    if described["type"] == "object":
        return {"some": described["additionalProperties"]["enum"][0]}
    if described["type"] == "boolean":
        return not default
    if described["type"] == "string":
        return f"{default} another"
    step = 1 if described["type"] == "integer" else 0.125
    return default + step if default + step <= described.get("maximum", 1e9) else default - step


def test_every_option_can_be_set_from_the_command_line(name: str) -> None:
    for option, described in properties(name).items():
        value = another(described)
        toml = json.dumps(value) if not isinstance(value, dict) else "{" + ", ".join(f'{k} = "{v}"' for k, v in value.items()) + "}"
        at, key, parsed = parse_setting(f"{name}.{option}={toml}")
        set_ = getattr(stage_options(at, {key: parsed}), option)
        assert msgspec.to_builtins(set_) == (tuple(value) if isinstance(value, list) else value)
        assert set_ != getattr(options_type(name)(), option)


def test_a_number_out_of_bounds_is_refused_with_its_place(name: str) -> None:
    for option, described in properties(name).items():
        for bound, step in (("minimum", -1), ("maximum", 1)):
            if bound in described:
                with pytest.raises(BadInput, match=f"{name}.{option}"):
                    stage_options(name, {option: described[bound] + step})
        if described.get("type") == "number":
            for wrong in (float("nan"), float("inf")):
                with pytest.raises(BadInput, match=f"{name}.{option}"):
                    stage_options(name, {option: wrong})


# ── at work ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_goes_in_and_comes_out_goes_to_json_and_back_unchanged(world: World, name: str) -> None:
    made = stage(name)
    given = world.given(made)
    _, record = world.do(name)
    for value, kind in ((given, made.given), (record, made.record), (stage_options(name, {}), made.options)):
        assert type(value) is kind
        assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


def test_the_same_input_is_never_worked_on_twice(world: World, name: str) -> None:
    first = world.do(name)
    asked = len(world.house.roles.asked)
    world.house.begin()
    assert world.do(name) == first
    assert len(world.house.roles.asked) == asked
    assert [step.reused for step in world.house.steps()] == [True]
    assert [event.kind for event in world.house.story()] == ["step-reused"]


def test_another_seed_is_another_step(world: World, name: str) -> None:
    fingerprint, _ = world.do(name)
    other, _ = world.house.step(name, world.given(stage(name)), seed=1, **LEAVE.get(name, {}))
    assert other != fingerprint


def test_a_stage_asks_the_models_it_declares_and_no_others(world: World, name: str) -> None:
    fingerprint, _ = world.do(name)
    declared = {*stage(name).roles, *stage(name).trained}
    assert asked_roles(world.house, fingerprint) == declared
    assert {role for role, _ in world.house.roles.asked} == declared
    context = StepContext(world.house.session, stage(name), fingerprint, "", 0)
    with pytest.raises(StageFailed, match="does not declare"):
        next(context.complete("some role", [Request("key", ())]))


def test_a_stage_tells_its_story_under_its_own_name(world: World, name: str) -> None:
    world.do(name)
    story = world.house.story()
    assert (story[0].kind, story[-1].kind) == ("step-started", "step-finished")
    assert {event.stage for event in story} == {name}
    assert all(event.text and "\n" not in event.text for event in story)
    assert only(world.house.steps()).state == "done"


def moments(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, Any]:
    """How often a stage looks whether to stop, counted in a house of its own, and its record."""
    count = 0
    before = Session.check

    def counting(session: Session) -> None:
        nonlocal count
        count += 1
        before(session)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "check", counting)
        _, record = world.do(name)
    return count, record


def test_a_cancel_at_any_moment_interrupts_and_going_on_gives_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = World(tmp_path / "whole")
    whole.make_up_to(name)
    whole.house.roles.asked.clear()
    looks, expected = moments(whole, name, monkeypatch)
    asked = whole.house.roles.asked
    assert looks or len(asked) <= 1, "a stage that asks more than one thing reports its progress, which is when it can be stopped"
    if looks > len(asked):  # one look comes with every question
        told = events.read_progress(whole.house.connection, whole.house.session.run)
        assert told is not None and told.stage == name and told.unit
        assert told.total is None or 0 <= told.done <= told.total
    for number in sorted({0, 1, looks // 2, looks - 1} & set(range(looks))):
        torn = World(tmp_path / str(number))
        torn.make_up_to(name)
        torn.values["folder"] = whole.values["folder"]
        torn.house.roles.asked.clear()
        with pytest.raises(Cancelled), monkeypatch.context() as patch:
            patch.setattr(Session, "check", cancelling_at(number, Session.check))
            torn.do(name)
        interrupted = [step for step in torn.house.steps() if step.stage == name]
        assert only(interrupted).state == "interrupted"
        _, record = torn.do(name)
        assert same(record, expected)
        assert sorted(torn.house.roles.asked) == sorted(asked), "no question is asked twice"


def cancelling_at(moment: int, check: Callable[[Session], None]) -> Callable[[Session], None]:
    """Session.check in a world where somebody cancels just before it looks for the `moment`th time."""
    looked = 0

    def checking(session: Session) -> None:
        nonlocal looked
        if looked == moment:
            runs.send_command(session.connection, session.run, "cancel")
        looked += 1
        check(session)

    return checking


def same(record: Any, expected: Any) -> bool:
    """Equal, but for how many units were under way when there were enough."""
    if isinstance(record, Made):
        return (record.dataset, record.plan, record.examples) == (expected.dataset, expected.plan, expected.examples)
    return bool(record == expected)


def test_a_stage_that_broke_off_anywhere_starts_again(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Exception):
        pass

    def breaking(*arguments: Any, **more: Any) -> Any:
        raise Broken

    given = world.given(stage(name))
    broken = []
    touched = ("event", "progress", "items", "complete", "rows", "splits", "embedder", "expect_calls", "trainer", "keep")
    for seed, part in enumerate(touched, 1):
        with monkeypatch.context() as patch:
            patch.setattr(StepContext, part, breaking)
            try:
                world.house.step(name, given, seed=seed, **LEAVE.get(name, {}))
            except Broken:
                broken.append(seed)
                assert newest(world, name).state == "failed" and "Broken" in newest(world, name).reason
    assert broken, "a stage that touches nothing of its context would not need to be one"
    for seed in broken:
        world.house.step(name, given, seed=seed, **LEAVE.get(name, {}))
        assert newest(world, name).state == "done" and not newest(world, name).reason


def newest(world: World, name: str) -> steps.Step:
    return [step for step in world.house.steps() if step.stage == name][-1]


def test_two_engines_never_work_on_one_step(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.errors import Busy
    from engine.store.lease import Owner

    first, _ = world.do(name)
    world.house.connection.execute("UPDATE steps SET state = 'running', owner_pid = 1, owner_started = 1 WHERE fingerprint = ?", (first,))
    monkeypatch.setattr(Owner, "alive", lambda owner: owner.pid == 1)
    with pytest.raises(Busy, match="process 1"):
        world.do(name)
    held = steps.read_step(world.house.connection, first)
    assert held is not None and held.state == "running"
