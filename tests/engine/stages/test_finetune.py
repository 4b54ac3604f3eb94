"""What a training is given: the mix's examples in the words they are exported in, its validation apart, and the seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.evaluate.evaluated import Evaluated
from engine.mix.held_out import digest_of_test
from engine.pipeline import Ending
from engine.records import Base, Output, Task, TaskExample
from engine.stages.evaluate import Given
from models.dry_run import DryRunTrainer
from models.language import Message, Request
from models.training import TrainingExample, TrainingOptions
from tests.engine.stages.house import WEATHER, House, notes

CARD = "# Weather notes\n\nSay in one word what kind of weather a note speaks of: sun, rain or snow."
Pairs = list[tuple[str, str]]


class Kept(DryRunTrainer):
    """Remembers what it was given, and answers in PyTorch's place."""

    def __init__(self, says: tuple[str, ...] = ()) -> None:
        self.trained: list[TrainingExample] = []
        self.held: list[TrainingExample] = []
        self.options = TrainingOptions()
        self._says = says

    def train(self, train: Any, validation: Any, out: Any, options: Any, *more: Any) -> Any:
        """Trains nothing."""
        self.trained, self.held, self.options = [*train], [*validation], options
        return super().train(train, validation, out, options, *more)

    def answers(self, adapter: Path, prompts: Any, tokens: int) -> Iterator[str]:
        """What it was told to say, again and again."""
        for place, _ in enumerate(prompts):
            yield self._says[place % len(self._says)]


def answer(role: str, prompt: str, request: Request) -> str | None:
    """Of options the first; in writing "sun"."""
    if request.choices:
        return json.dumps([-1.0 - number for number in range(len(request.choices))])
    return "sun" if role in ("finetuned", "base") else None


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path, answer)
    made.add("notes", notes(90), CARD)
    made.roles.trains = Kept(("sun", "rain"))
    return made


def with_test(house: House, *, rows: int = 9, task: Task = WEATHER) -> Task:
    file = house.folder / "test.jsonl"
    items = [{"input": f"Heat and sand on day {number}.", "output": ("sun", "rain", "snow")[number % 3]} for number in range(rows)]
    file.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return msgspec.structs.replace(task, test=str(file))


def finetuned(house: House, task: Task = WEATHER, seed: int = 0, **evaluate: Any) -> Ending:
    return house.pipeline(
        task, seed=seed, options={"execute": {"examples": 60}, "finetune": {"train": True, "epochs": 1}, "evaluate": evaluate}
    )


def exported(ending: Ending, split: str) -> list[list[dict[str, str]]]:
    assert ending.exported is not None
    text = (Path(ending.exported.folder) / "chat" / f"{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line)["messages"] for line in text.splitlines()]


def as_chat(examples: list[TrainingExample]) -> list[list[dict[str, str]]]:
    told: list[list[dict[str, str]]] = []
    for one in examples:
        assert isinstance(one.prompt, tuple)
        turns = [*one.prompt, Message("assistant", one.completion)]
        told.append([{"role": turn.role, "content": turn.content} for turn in turns])
    return told


def test_it_trains_on_what_is_exported_and_validates_on_what_it_never_trained_on(house: House) -> None:
    ending = finetuned(house)
    trainer = house.roles.trains
    assert isinstance(trainer, Kept)
    assert as_chat(trainer.trained) == exported(ending, "train") and as_chat(trainer.held) == exported(ending, "validation")
    assert len(trainer.trained) == 54 and len(trainer.held) == 6
    assert not {repr(one) for one in trainer.trained} & {repr(one) for one in trainer.held}
    assert {len(turns) for turns in as_chat(trainer.trained)} == {3}, "no demonstrations"


def test_the_runs_seed_is_the_trainings(house: House) -> None:
    finetuned(house, seed=11)
    assert isinstance(house.roles.trains, Kept) and house.roles.trains.options.seed == 11


# ── asked afterwards ──────────────────────────────────────────────────────────────────────────────────────


def evaluated(ending: Ending) -> Evaluated:
    assert ending.evaluated is not None
    return ending.evaluated


def test_how_often_pytorch_says_the_same_is_counted(house: House) -> None:
    agreement = evaluated(finetuned(house, with_test(house), torch_items=5)).agreement
    assert agreement is not None and (agreement.items, agreement.same) == (5, 3), "sun, rain, sun, rain, sun"


def test_options_of_the_stage_reach_the_evaluation(house: House) -> None:
    found = evaluated(finetuned(house, with_test(house), items=4, by="per_token", torch_items=0))
    assert found.evaluation.items == 4 and found.evaluation.metric == "accuracy, per_token" and found.agreement is None


def test_the_tasks_examples_that_are_in_the_test_are_none_to_show(house: House) -> None:
    known = TaskExample("Heat and sand on day 1.", "rain")
    task = msgspec.structs.replace(WEATHER, examples=(*WEATHER.examples, known))
    found = evaluated(finetuned(house, with_test(house, task=task), torch_items=0))
    assert found.evaluation.examples == 2
    assert "1 of the task's examples are items of the test" in " ".join(event.text for event in house.story("left-out"))


@pytest.mark.parametrize("shuffle", [True, False])
def test_options_are_put_in_an_order_of_their_own_unless_they_are_to_stay(house: House, shuffle: bool) -> None:
    """The right one stands first in the file, and the base takes the first."""
    file = house.folder / "options.jsonl"
    rows = [{"input": f"Case {n}: what?\n- yes {n}\n- no {n}\n- maybe {n}", "output": f"yes {n}"} for n in range(30)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task = Task("which", "Choose what is said.", output=Output("option_text"), test=str(file))
    given = Given(task, digest_of_test(task.test), Base("dry-run", ""), None)
    found: Evaluated = house.run("evaluate", given, shuffle=shuffle)
    assert (found.evaluation.models[0].results[0].figures[0].estimate.value == 1) != shuffle
