"""What commands that ask a model share: the task that is meant, the models, and how far they are."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.cli.output import note
from engine.cli.progress import Meter

if TYPE_CHECKING:
    from engine.locations import Locations
    from engine.records import Finetuned, Task
    from engine.stored_answers import StoredAnswers


_RUN = re.compile("([0-9a-f]{1,6})(?::.*)?", re.S)
"""A run's id, or the beginning of one; of a comparison with one of its arms."""


class Told(NamedTuple):
    """A task as a command line named it."""

    locations: Locations
    task: Task
    specs: dict[str, str]
    """Role → model, as named for it."""
    trained: Finetuned | None = None
    """What the run it is of has trained."""


def told_task(text: str, with_trained: bool = True) -> Told:
    """The task that a file, a folder of BIG-bench or a run holds, and what the run trained, unless that is of no use; of a comparison an
    arm is named, as in RUN:mix. Raises BadInput."""
    from engine.cli.find import find_run
    from engine.config import read_task
    from engine.evaluate.bigbench import is_bigbench, task_of_bigbench
    from engine.finetuned_model import finetuned_of
    from engine.locations import locate
    from engine.settings import read_settings
    from engine.store.database import open_reader

    locations = locate()
    defaults = dict(read_settings(locations).models)
    path = Path(text).expanduser()
    if path.is_dir() or (is_bigbench(path) and path.is_file()):
        import msgspec

        return Told(locations, msgspec.structs.replace(task_of_bigbench(path), test=str(path)), defaults)
    if path.suffix or path.exists() or "/" in text:
        from engine.roles import absolute_spec

        file = read_task(path)
        return Told(locations, file.task, {**defaults, **{role: absolute_spec(spec, path.parent) for role, spec in file.models.items()}})
    reader = open_reader(locations.database)
    name, _, arm = text.partition(":")
    run = find_run(reader, name)
    trained = finetuned_of(reader, run.id, arm.strip()) if with_trained or arm else None
    return Told(locations, run.task, {**defaults, **run.settings.models}, trained)


def trained_spec(told: Told) -> str | None:
    """The model that the run trained, ready for llama.cpp; None where it trained none. Raises Unavailable or BadInput."""
    from engine.finetuned_model import ADAPTER, spec_of, trial
    from engine.roles import Roles

    if told.trained is None:
        return None
    if not (told.locations.adapters / told.trained.adapter / ADAPTER).is_file():
        note("making the adapter ready for llama.cpp, once")
    text = told.task.examples[0].input if told.task.examples else told.task.description
    spec = spec_of(told.trained, Roles(told.specs, told.locations), told.locations, trial(told.task, text))
    note(f"the model this run trained answers, {told.trained.base.name} with its adapter; for another: --model SPEC")
    return spec


def trained_by(text: str) -> tuple[str, Task] | None:
    """The model that the run `text` trained, and for which task; None where that is no run's id. Raises BadInput for a run that trained
    none."""
    from engine.errors import BadInput
    from engine.locations import locate
    from engine.store.database import open_reader
    from engine.store.runs import read_run

    database = locate().database
    named = _RUN.fullmatch(text)
    if not named or not database.exists() or (run := read_run(open_reader(database), named[1])) is None:
        return None
    told = told_task(run.id + text[len(named[1]) :])
    spec = trained_spec(told)
    if spec is None:
        raise BadInput(f"run {run.id} trained no model", "name one that did (datatune runs), or a model: smollm2, a .gguf path")
    return spec, told.task


@contextmanager
def asked(told: Told, wanted: Sequence[str | None]) -> Iterator[list[StoredAnswers]]:
    """The models asked for, over the stored calls; None is the task's base. They are closed afterwards."""
    from engine.roles import Roles
    from engine.store.database import open_writer
    from engine.stored_answers import StoredAnswers

    connection = open_writer(told.locations.ensure().database)
    opened: list[Roles] = []
    try:
        models = []
        for spec in wanted:
            opened.append(Roles({**told.specs, "base": spec} if spec else told.specs, told.locations))
            models.append(StoredAnswers(opened[-1].model("base"), "base", connection))
        yield models
    finally:
        for roles in opened:
            roles.close()
        connection.close()


def watch(answers: StoredAnswers, label: str, calls: int) -> Meter:
    """Show on stderr how many of at most so many answers there are."""
    meter = Meter(label, sys.stderr.isatty())
    answers.tell = lambda done: meter.show(done, max(done, calls), "answers")
    return meter


def end(answers: StoredAnswers, meter: Meter) -> None:
    """Say how many answers were new."""
    meter.end()
    if answers.fresh:
        note(f"{answers.model.identity.name}: {answers.fresh:,} new answers in {answers.wall:.0f} s")
