"""Runs that evaluate what they trained, and experiments, as engines leave them in a home."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from engine.curve import key_of, point_of
from engine.evaluate.evaluated import Evaluated
from engine.mix.held_out import digest_of_test
from engine.records import Base, ExpandedTask, Exported, Finetuned, Generated, Made, MixCounts, Mixed, MixSource, ModelFile, Task
from engine.stages.evaluate import Given
from engine.store import events, items, runs
from engine.store.lease import this_process
from models.language import Request
from models.training import TrainingProgress
from tests.datatune_tui.stored import CHOICE, TASK, Home
from tests.engine.evaluate.found import COMPARED, EVALUATED
from tests.engine.evaluate.made import lines
from tests.engine.stages.house import House

TRAINED = Finetuned(Base("tiny.gguf", "d"), "abc/adapter", 90, 10, 2, 12, 8, 0.7, 3.1, 0.9, "cpu", "nf4")
ARMS = ("few-shot", "existing", "synthetic", "transformed", "mix")


def evaluated_run(home: Home, found: Evaluated = EVALUATED, task: Task = TASK) -> str:
    """A run that went through all stages, finetune and evaluate included."""
    run = home.finished(task=task)
    runs.change_settings(home.connection, run, runs.RunSettings(options={"finetune": {"train": True}}))
    home.training(run, 12, TRAINED)
    home.step(run, "evaluate", found, seconds=95)
    runs.claim_run(home.connection, run, this_process())
    runs.finish_run(home.connection, run, "done", "9 examples from 1 data set", 0, 9)
    return run


def evaluating_run(home: Home, done: int = 120, total: int = 400) -> str:
    """A run that asks its models at the moment."""
    run = home.new_run(options={"finetune": {"train": True}})
    runs.claim_run(home.connection, run, this_process())
    home.training(run, 6, TRAINED)
    home.step(run, "evaluate", None, state="running")
    events.add_event(home.connection, run, "cost", "about 400 calls of tiny.gguf, 90,000 tokens, about 2 min", stage="evaluate")
    events.set_progress(home.connection, run, f"{run} evaluate", "evaluate", "", done, total, 4.0, "answers of tiny.gguf")
    return run


def asked_run(folder: Path, right: int, wrong: int) -> str:
    """A run whose base model was asked a test on disk, by the stage itself: it knows so many items, and not the others."""
    labels = TASK.output.labels
    rows = [{"input": f"note number {number}.", "output": labels[number % 3]} for number in range(right + wrong)]
    file = lines(folder / "test.jsonl", rows)
    task = msgspec.structs.replace(TASK, test=str(file))

    def answer(role: str, prompt: str, request: Request) -> str:
        number = int(re.findall(r"note number (\d+)", prompt)[-1]) if "note number" in prompt else 0
        liked = labels[(number + (number >= right)) % 3]
        if not request.choices:
            return f"{liked}, I think"
        return json.dumps([-0.1 if choice.strip() == liked else -4.0 - place for place, choice in enumerate(request.choices)])

    house = House(folder, answer)
    house.begin(task)
    house.step("evaluate", Given(task, digest_of_test(task.test), Base("tiny.gguf", "d")))
    runs.claim_run(house.connection, house.session.run, this_process())
    runs.finish_run(house.connection, house.session.run, "done", "asked", 0, 0)
    return house.session.run


def experiment_run(home: Home, *, arms: tuple[str, ...] = ARMS, seeds: int = 1, compared: Any = COMPARED, stop_at: str = "") -> str:
    """An experiment; `stop_at` is the arm it finetunes at the moment."""
    given = {"compare": {"arms": list(arms), "seeds": seeds}}
    run = home.new_run(options=given, experiment=True, dataset="owner/notes")
    runs.claim_run(home.connection, run, this_process())
    home.step(run, "expand", ExpandedTask("In more words.", "model"))
    home.step(run, "plan", CHOICE, "owner/notes", seconds=71)
    for label in ("owner/notes", "owner/notes, existing"):
        home.step(run, "execute", Made("owner/notes", "default", CHOICE.digest, 750, 750), label, seconds=12)
    home.step(run, "generate", Generated("tiny.gguf", 780, 750, 30), seconds=300)
    labels = [arm if seeds == 1 or arm == "few-shot" else f"{arm}, seed {seed}" for arm in arms for seed in range(seeds)]
    labels = list(dict.fromkeys(labels))
    for label in labels:
        if label != "few-shot":
            counts = MixCounts(700, 540, 60, leaked=4, over_quota=96)
            home.step(run, "mix", Mixed((MixSource("made", "owner/notes", "default", "", counts),), groups=600), label, seconds=1)
    for place, label in enumerate(labels):
        if label != "few-shot":
            running = label == stop_at
            training(home, run, label, 8, 0.7 - place / 20, None if running else TRAINED)
            if running:
                events.set_progress(home.connection, run, f"{run} finetune {label}", "finetune", label, 8, 100, 0.5, "steps")
                return run
        alone = msgspec.structs.replace(EVALUATED.evaluation, models=EVALUATED.evaluation.models[:1], comparison=None)
        home.step(run, "evaluate", Evaluated(alone, label != "few-shot"), label, seconds=20)
    home.step(run, "compare", compared, seconds=3)
    runs.finish_run(home.connection, run, "done", "accuracy, sum: few-shot 0.420, mix 0.640; n 300", 0, 600)
    return run


def training(home: Home, run: str, arm: str, points: int, best: float, made: Finetuned | None) -> None:
    """The finetune step of an arm with a measurement after every second step."""
    home.step(run, "finetune", made, arm, seconds=70, state="done" if made else "running")
    stored = []
    for number in range(1, points + 1):
        loss = best + 2.5 / number
        stored.append(point_of(TrainingProgress(number, points, number / 10, loss, tokens_per_second=900.0, memory=2 * 10**9)))
        if number % 2 == 0:
            stored.append(point_of(TrainingProgress(number, points, number / 10, loss, validation_loss=loss + 0.1)))
    units = [items.Item(name, seq, "accepted", "", msgspec.json.encode(one).decode()) for one in stored for seq, name in [key_of(one)]]
    items.store_items(home.connection, f"{run} finetune {arm}", units)


def exported_run(home: Home) -> str:
    """A finished run whose export lies on the disk, with a model beside it."""
    run, folder = home.finished(), home.locations.exports / "notes"
    for name, text in (
        ("examples.jsonl", "x" * 2_500_000),
        ("README.md", "# Notes"),
        ("chat/train.jsonl", "{}"),
        ("model/README.md", "# A model"),
        ("model/tuned-[b]Q8_0.gguf", "GGUF"),
        ("manifest.json", "{}"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    model = (ModelFile("model/tuned-[b]Q8_0.gguf", "base and adapter merged, Q8_0", 4, "d", "[i]rain[/i]"),)
    exported = Exported(str(folder), 9, 8, 1, "d", model, ("model/tuned-F16.gguf: no room on the disk",))
    told = "9 examples in /exports/notes, and a model"
    events.add_event(home.connection, run, "exported", told, stage="export", **msgspec.to_builtins(exported))
    return run
