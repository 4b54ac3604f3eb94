"""A home with a real database, catalog and session in this process; models answer as a test tells them to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.catalog.catalog import Catalog
from engine.config import stage_options
from engine.locations import Locations
from engine.pipeline import Ending, run_pipeline
from engine.records import Base, Output, OutputKind, Task, TaskExample
from engine.roles import Roles
from engine.runner import run_step
from engine.session import Session
from engine.stages import stage
from engine.store import events, runs, steps
from engine.store.database import open_writer
from engine.store.lease import this_process
from models.dry_run import DryRunTrainer
from models.embedding import Embedder
from models.hashing import HashingEmbedder
from models.language import LanguageModel, Request
from models.scripted import Script, ScriptedModel
from models.training import Trainer

Answer = Callable[[str, str, Request], str | None]
"""Gets the role, the rendered prompt and the request; None leaves the answer to the schema."""

Rows = Sequence[dict[str, Any]] | Mapping[str, Iterable[dict[str, Any]]]

WEATHER = Task(
    name="weather-notes",
    description="Say in one word what kind of weather a note speaks of: sun, rain or snow.",
    output=Output("label", ("sun", "rain", "snow")),
    examples=(TaskExample("We ate ice cream on the balcony.", "sun"), TaskExample("Everyone came in with wet shoes.", "rain")),
)
NOTES = {
    "sun": ("The sand was too hot to walk on", "We looked for shade all day", "The laundry dried within the hour"),
    "rain": ("The gutter ran over again", "We could not see through the windscreen", "The picnic was moved into the barn"),
    "snow": ("The hens would not leave their hut", "We dug out the car before breakfast", "The lake can be walked on now"),
}
LABELS = tuple(NOTES)


def task(kind: OutputKind = "text", labels: tuple[str, ...] = (), description: str = "Write a title for a short note.") -> Task:
    """A task without examples."""
    return Task(name="made-up", description=description, output=Output(kind, labels))


def notes(count: int, key: str = "weather", names: dict[str, str] | None = None, start: int = 0) -> list[dict[str, Any]]:
    """`count` different notes sorted by weather, which stands in column `key`, renamed by `names`."""
    kinds = sorted(LABELS[number % 3] for number in range(count))
    return [
        {
            "number": start + number,
            "note": f"{NOTES[kind][number % 3]}, said neighbour number {start + number}.",
            key: (names or {}).get(kind, kind),
        }
        for number, kind in enumerate(kinds)
    ]


class ToldRoles(Roles):
    """Roles whose models ask the house; `asked` holds (role, prompt) of every call that reached a model to write, `weighed` to weigh."""

    def __init__(self, locations: Locations, answer: Answer, context_length: int) -> None:
        super().__init__({}, locations)
        self.asked: list[tuple[str, str]] = []
        self.weighed: list[tuple[str, str]] = []
        self.special: dict[str, LanguageModel] = {}
        self._answer = answer
        self._context_length = context_length
        self._hashing = HashingEmbedder()
        self.trains: Trainer = DryRunTrainer()

    def model(self, role: str) -> LanguageModel:
        if role in self.special:
            return self.special[role]

        def answer(prompt: str, request: Request) -> str | None:
            (self.weighed if request.choices else self.asked).append((role, prompt))
            return self._answer(role, prompt, request)

        return ScriptedModel(Script(name=role, context_length=self._context_length), answer=answer)

    def embedder(self) -> Embedder:
        return self._hashing

    def base(self) -> Base:
        return Base("dry-run", "")

    def trainer(self) -> Trainer:
        return self.trains


class House:
    """One home under a folder. `answer` speaks for every model; a session belongs to the latest run begun."""

    def __init__(self, folder: Path, answer: Answer = lambda role, prompt, request: None, *, context_length: int = 4096) -> None:
        self.folder = folder
        self.locations = Locations(folder / "home").ensure()
        self.connection = open_writer(self.locations.database)
        self.roles = ToldRoles(self.locations, answer, context_length)
        self.catalog = Catalog(self.locations.catalog, self.roles.embedder)
        self.session = self.begin()

    def begin(self, for_task: Task = WEATHER, settings: runs.RunSettings | None = None, budget: float = 0) -> Session:
        """A new run with its session."""
        run = runs.create_run(self.connection, for_task, settings or runs.RunSettings())
        self.session = Session(self.connection, run, this_process(), self.locations, self.roles, budget)
        return self.session

    def add(self, name: str, rows: Rows, card: str = "") -> str:
        """A data set of JSON Lines, by split where `rows` is a dictionary; returns its id."""
        folder = self.write(name, rows, card)
        (dataset,) = self.catalog.add_folder(folder).datasets
        return dataset

    def write(self, name: str, rows: Rows, card: str = "") -> Path:
        """The same without the catalog; returns its folder."""
        folder = self.folder / "data" / name
        folder.mkdir(parents=True)
        for split, its_rows in (rows if isinstance(rows, Mapping) else {"train": rows}).items():
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in its_rows), encoding="utf-8")
        if card:
            (folder / "README.md").write_text(card, encoding="utf-8")
        return folder

    def cards(self, cards: dict[str, str]) -> None:
        """Cards whose rows are not on this machine."""
        file = self.folder / "cards.jsonl"
        file.write_text("".join(json.dumps({"id": name, "card_markdown": text}) + "\n" for name, text in cards.items()), encoding="utf-8")
        self.catalog.import_cards(file)

    def run(self, name: str, given: Any, candidate: str = "", seed: int = 0, **options: Any) -> Any:
        """The record of a stage."""
        return self.step(name, given, candidate, seed, **options)[1]

    def step(self, name: str, given: Any, candidate: str = "", seed: int = 0, **options: Any) -> tuple[str, Any]:
        """Fingerprint and record of a stage."""
        return run_step(self.session, stage(name), given, stage_options(name, options), candidate, seed)

    def pipeline(self, for_task: Task = WEATHER, *, budget: float = 0, **settings: Any) -> Ending:
        """A whole run; nobody is asked about task or ranking, and notes that are alike stay, unless its options say so."""
        quiet: dict[str, dict[str, object]] = {
            "expand": {"use_model": False},
            "rerank": {"use_model": False},
            "mix": {"near_duplicates": 0},
        }
        options = settings.pop("options", {})
        merged = {name: quiet.get(name, {}) | options.get(name, {}) for name in {**quiet, **options}}
        made = runs.RunSettings(options=merged, **settings)
        self.begin(for_task, made, budget)
        return run_pipeline(self.session, for_task, made)

    def story(self, kind: str = "") -> list[events.Event]:
        """Events of the latest run."""
        return [event for event in events.events_after(self.connection, self.session.run, 0) if kind in ("", event.kind)]

    def steps(self) -> list[steps.Step]:
        """Steps of the latest run."""
        return steps.steps_of_run(self.connection, self.session.run)

    def asked(self, role: str) -> list[str]:
        """Prompts that reached the model of a role."""
        return [prompt for one, prompt in self.roles.asked if one == role]


def only(found: Sequence[Any]) -> Any:
    """The one thing there is."""
    assert len(found) == 1, found
    return found[0]
