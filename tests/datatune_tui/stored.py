"""A home with runs in every state, written as engines write them; and an app over it that tests can look at and press keys of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from textual.pilot import Pilot
from textual.widgets import Label

from datatune_tui.app import DataTune
from engine.curve import key_of, point_of
from engine.locations import Locations
from engine.mix.offered import WORDS, Reason
from engine.plan.file import plan_digest, read_plan
from engine.records import (
    Candidate,
    Candidates,
    Example,
    ExpandedTask,
    Finetuned,
    Generated,
    Made,
    MixCounts,
    Mixed,
    MixSource,
    MixUnit,
    Output,
    PlanChoice,
    Ranking,
    RunnerUp,
    SamplePair,
    SchemaSelection,
    Source,
    Task,
    TaskExample,
    written_by,
)
from engine.store import events, items, runs, steps, tallies
from engine.store.database import Connection, open_writer
from engine.store.lease import Owner, this_process
from models.training import TrainingProgress
from tests.end_to_end.workbench import MAPPING_PLAN

T = TypeVar("T")

TASK = Task(
    "weather-notes",
    "Say in one word what kind of weather a note speaks of: sun, rain or snow.",
    output=Output("label", ("sun", "rain", "snow")),
    examples=(TaskExample("We ate ice cream on the balcony.", "sun"),),
)
PLAN = msgspec.structs.replace(read_plan(MAPPING_PLAN), origin="structure", reasons=("kind holds the labels", "S → sun: the first letter"))
OTHER = msgspec.structs.replace(PLAN, name="kinds-turned", reasons=("kind holds the labels, the other way round",))
NOTES = ("The gutter ran over again.", "We looked for shade all day.", "We dug out the car before breakfast.")
OUTPUTS = ("rain", "sun", "snow")
CHOICE = PlanChoice(
    dataset="owner/notes",
    config="default",
    splits=("train",),
    plan=PLAN,
    digest=plan_digest(PLAN),
    score=0.91,
    reasons=("60 of 60 rows become examples",),
    samples=(SamplePair(3, NOTES[0], "rain"), SamplePair(5, NOTES[1], "sun")),
    runners_up=(
        RunnerUp(OTHER, 0.44, ("the most frequent in 90 %",), (SamplePair(3, NOTES[0], "snow"),), "beaten", "the model agrees less"),
    ),
    output_origin="derived",
    verdict="verified",
    evidence="the model agrees with 41 of 60 outputs, with 20 of others",
)


PLACEHOLDER = "rejected: a placeholder stands for the text"

PREVIEW = {
    "units": [
        {
            "key": "4",
            "row": 4,
            "state": "accepted",
            "input": "A note.",
            "output": "rain",
            "steps": [{"place": 0, "do": "map", "before": {"kind": "R"}, "after": {"label": "rain"}}],
        },
        {
            "key": "9",
            "row": 9,
            "state": "skipped",
            "reason": "map: [@click=app.quit]Z[/] is not in the table",
            "steps": [{"place": 0, "do": "map", "before": {"kind": "[b]Z"}, "after": {}}],
        },
    ],
    "counts": {"accepted": 1, "skipped": 1},
    "reasons": {"skipped: map: Z is not in the table": 1},
    "warnings": [],
    "cost": {"examples": 3000, "calls": 3000, "seconds": 125.0},
}
"""What `plan serve` says of a plan: one example, one row that gives none, text that must not be taken for markup."""


class Home:
    """A DATATUNE_HOME with a database."""

    def __init__(self, folder: Path) -> None:
        self.locations = Locations(folder / "home").ensure()
        self.connection: Connection = open_writer(self.locations.database)

    def new_run(self, task: Task = TASK, **settings: Any) -> str:
        """A run nobody has begun."""
        return runs.create_run(self.connection, task, runs.RunSettings(**settings))

    def running(self, owner: Owner | None = None, done: int = 40, total: int | None = 100) -> str:
        """A run whose engine is this process, or another."""
        run = self.new_run()
        runs.claim_run(self.connection, run, owner or this_process())
        self.step(run, "expand", ExpandedTask("In more words.", "model"), seconds=2)
        self.step(run, "execute", None, "owner/notes", state="running", owner=owner)
        step = f"{run} execute owner/notes"
        for number in range(6):
            self.units(step, done * number // 5 - done * max(0, number - 1) // 5, done * max(0, number - 1) // 5)
            tallies.add_trend_point(self.connection, step, 2.0 * number, 1000 * number)
        events.set_progress(self.connection, run, f"{run} execute owner/notes", "execute", "owner/notes", done, total, 4.0, "examples")
        return run

    def finished(self, examples: int = 9, task: Task = TASK) -> str:
        """A run that went through all stages."""
        run = self.new_run(task)
        self.step(run, "expand", ExpandedTask("Say which weather is meant, in one of three words.", "model"), seconds=2)
        candidates = (
            Candidate("owner/notes", 1, 0.812, ("matches: weather, note", "meaning 0.61"), 0.61),
            Candidate("owner/other", 2, 0.5, ("meaning 0.33",), 0.33),
        )
        self.step(run, "retrieve", Candidates(candidates, 71), seconds=1.5)
        self.step(run, "rerank", Ranking(candidates, reason="3 votes, 2 of 2 controls found"), seconds=4)
        roles = {"note": "input", "kind": "output", "number": "irrelevant"}
        schema = msgspec.convert(
            {"dataset": "owner/notes", "config": "default", "splits": ("train",), "roles": roles, "reason": "kind holds the labels"},
            SchemaSelection,
        )
        self.step(run, "schema", schema, "owner/notes")
        self.step(run, "plan", CHOICE, "owner/notes", seconds=71)
        made = Made(
            "owner/notes", "default", CHOICE.digest, examples + 3, examples, 2, 1, reasons={"rejected: too short": 2, "failed: no": 1}
        )
        self.step(run, "execute", made, "owner/notes", seconds=3)
        step = f"{run} execute owner/notes"
        self.units(step, examples)
        odd = [items.Item(f"odd {n}", examples + n, "rejected", "too short", '{"note": "x"}') for n in range(2)]
        items.store_items(self.connection, step, [*odd, items.Item("odd 2", examples + 2, "failed", "no", "")])
        self.mix(run, examples)
        events.add_event(self.connection, run, "exported", f"{examples} examples in /tmp/notes", stage="export")
        runs.claim_run(self.connection, run, this_process())
        runs.finish_run(self.connection, run, "done", f"{examples} examples from 1 data set", 0, examples)
        return run

    def synthetic(self, examples: int = 6, task: Task = TASK) -> str:
        """A run without a data set, whose examples a model wrote."""
        run = self.new_run(task, dataset="none", options={"generate": {"examples": examples}})
        self.step(run, "expand", ExpandedTask("In more words.", "model"))
        made = Generated(
            "tiny.gguf", examples + 2, examples, 2, reasons={"rejected: a placeholder stands for the text": 2}, topics=("fog", "ice")
        )
        self.step(run, "generate", made)
        stored = []
        for number in range(examples):
            example = Example(f"{NOTES[number % 3]} ({number})", OUTPUTS[number % 3], "written", written_by("tiny.gguf"), "")
            stored.append(items.Item(f"{number:07d}", number, "accepted", "", msgspec.json.encode(example).decode()))
        odd = [items.Item(f"{examples + n:07d}", examples + n, "rejected", "a placeholder stands for the text") for n in range(2)]
        items.store_items(self.connection, f"{run} generate", [*stored, *odd])
        runs.claim_run(self.connection, run, this_process())
        runs.finish_run(self.connection, run, "done", f"{examples} examples from the task alone", 0, examples)
        return run

    def training(self, run: str, points: int, made: Finetuned | None) -> str:
        """A finetune step of a run with so many training steps and a measurement after every fourth; its record where it has ended."""
        step = f"{run} finetune"
        self.step(run, "finetune", made, seconds=70, state="done" if made else "running")
        stored = []
        for number in range(1, points + 1):
            loss = 0.5 + 2.5 / number
            stored.append(point_of(TrainingProgress(number, points, number / 10, loss, tokens_per_second=900.0, memory=2 * 10**9)))
            if number % 4 == 0:
                stored.append(point_of(TrainingProgress(number, points, number / 10, loss, validation_loss=loss + 0.1)))
        units = [items.Item(name, seq, "accepted", "", msgspec.json.encode(one).decode()) for one in stored for seq, name in [key_of(one)]]
        items.store_items(self.connection, step, units)
        return step

    def mix(self, run: str, examples: int, left_out: Mapping[int, tuple[Reason, str]] | None = None) -> None:
        """The mix of a run with so many examples; some, by number, are left out for a reason with its details."""
        made, step = f"{run} execute owner/notes", f"{run} mix"
        out = left_out or {}
        why: Counter[str] = Counter(reason for reason, _ in out.values())
        counts = MixCounts(examples, examples - len(out) - 1, 1, **why)
        leaked = counts.leaked
        mixed = Mixed((MixSource(made, "owner/notes", "default", "", counts),), {"rain": 3}, 0, 40, leaked, 0, examples - len(out) - 1, 2)
        self.step(run, "mix", mixed, seconds=1)
        for table in ("items", "tallies"):
            self.connection.execute(f"DELETE FROM {table} WHERE step = ?", (step,))
        stored = []
        for number in range(examples):
            reason, detail = out.get(number, (None, ""))
            split: Any = "" if reason else "validation" if number == examples - 1 else "train"
            unit = msgspec.json.encode(MixUnit(made, number, f"train:{number}", split, None, detail)).decode()
            state: Any = "rejected" if reason else "accepted"
            stored.append(items.Item(f"0:train:{number}", number, state, WORDS[reason] if reason else "", unit))
        items.store_items(self.connection, step, stored)

    def failed(self, reason: str = "no data set serves this task") -> str:
        """A run that made nothing."""
        run = self.new_run()
        self.step(run, "expand", None, state="failed", reason=reason)
        runs.finish_run(self.connection, run, "failed", reason, 3)
        return run

    def step(
        self,
        run: str,
        stage: str,
        record: Any,
        candidate: str = "",
        *,
        state: Any = "done",
        reason: str = "",
        seconds: float = 0.2,
        owner: Owner | None = None,
    ) -> None:
        """A step of a run as its engine leaves it."""
        fingerprint = f"{run} {stage} {candidate}".strip()
        steps.claim_step(self.connection, fingerprint, stage, candidate, 1, "{}", 0, owner or this_process())
        if state != "running":
            text = msgspec.json.encode(record).decode() if record is not None else ""
            steps.finish_step(self.connection, fingerprint, state, reason, text, seconds)
        steps.link_step(self.connection, run, fingerprint, stage, candidate, False)

    def units(self, step: str, count: int, start: int = 0) -> None:
        """Accepted units of a step."""
        stored = []
        for number in range(start, start + count):
            source = Source("owner/notes", "default", "train", number, licence="cc0-1.0")
            example = Example(f"{NOTES[number % 3]} ({number})", OUTPUTS[number % 3], "derived", source, CHOICE.digest)
            stored.append(items.Item(f"train:{number}", number, "accepted", "", msgspec.json.encode(example).decode()))
        items.store_items(self.connection, step, stored)


def with_app(home: Home, story: Callable[[DataTune, Pilot[None]], Coroutine[Any, Any, T]], size: tuple[int, int] = (100, 30)) -> T:
    """Open the app over a home and let `story` use it."""

    async def told() -> T:
        app = DataTune(home.locations)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            return await story(app, pilot)

    return asyncio.run(told())


async def until(pilot: Pilot[None], condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true value of `condition`, asked while the app goes on; what came with it is drawn as well by then."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        if value := condition():
            await pilot.pause()
            return value
        await pilot.pause(0.02)
    raise AssertionError(f"waited {seconds} s in vain; on the screen:\n{screen_text(pilot.app)}")


def screen_text(app: Any) -> str:
    """What is on the screen, line by line, without trailing blanks."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def told(app: DataTune) -> str:
    """What was said in passing and is still shown; on the screen it is broken into lines amid other text."""
    return "\n".join(one.message for one in app._notifications)


def question(app: DataTune) -> str:
    """The question that is asked, before it is broken into lines; "" where none is."""
    return "".join(str(label.content) for label in app.screen.query("#question Label").results(Label))
