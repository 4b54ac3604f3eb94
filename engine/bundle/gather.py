"""What goes into a run's bundle, counted before a byte is written: its rows, its test, the adapters it trained, and weights if asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from engine.bundle.contents import (
    ADAPTER_FILES,
    MOST_TEST,
    AdapterFile,
    File,
    Name,
    Seen,
    TestFile,
    Weights,
    WeightsFile,
    file_entry,
)
from engine.bundle.seen import seen
from engine.errors import Busy, EngineError
from engine.evaluate.bigbench import test_files
from engine.locations import ADAPTER_DIGITS, Locations
from engine.plain_text import one_line
from engine.roles import Roles, translated
from engine.store.copying import Held, held
from engine.store.database import Connection
from engine.store.items import roles_of_step
from engine.store.runs import Run
from engine.store.steps import Step, steps_of_run


class FileHere(NamedTuple):
    """A file that goes along."""

    path: Path
    size: int
    file: File


class Going(NamedTuple):
    """All that goes along."""

    run: Run
    rows: dict[str, Held]
    files: tuple[FileHere, ...]
    weights: tuple[Weights, ...]
    seen: Seen
    left_out: tuple[str, ...]
    """What a reader might miss, each with why it stays, for people."""

    def bytes_of(self, kind: type[File]) -> int:
        """Size of the files of one kind."""
        return sum(one.size for one in self.files if isinstance(one.file, kind))

    @property
    def characters(self) -> int:
        """Of all rows, before they are packed."""
        return sum(one.characters for one in self.rows.values())


def gather(connection: Connection, run: Run, locations: Locations, with_weights: bool) -> Going:
    """Everything of a run that is to go along. Raises Busy for one that is at work."""
    if run.owner and run.owner.alive():
        raise Busy(f"run {run.id} is at work in process {run.owner.pid}", f"wait for it, or stop it first: datatune cancel {run.id}")
    steps = steps_of_run(connection, run.id)
    left_out: list[str] = []
    files: list[FileHere] = []

    def entry() -> str:
        return file_entry(len(files) + 1)

    for step in steps:
        if step.stage != "finetune":
            continue
        if step.state != "done":
            left_out.append("checkpoints of the training, which has not ended: it begins anew elsewhere")
            continue
        folder = locations.adapters / step.fingerprint[:ADAPTER_DIGITS]
        found = [name for name in ADAPTER_FILES if (folder / name).is_file()]
        if "adapter/adapter_model.safetensors" not in found:
            left_out.append(f"the adapter, which is gone: {folder}")
            continue
        for name in found:
            path = folder / name
            files.append(FileHere(path, path.stat().st_size, AdapterFile(entry(), step.fingerprint, name)))  # type: ignore[arg-type]
    if run.task.test:
        test = Path(run.task.test)
        parts = test_files(test)
        if not all(part.is_file() for part in parts):
            left_out.append(f"the task's test, which is gone: {test}")
        elif any(_name(part.parent) != part.parent.name for part in parts[1:]):
            left_out.append(f"the task's test, whose folders have names that not every system allows: {test}")
        elif sum(part.stat().st_size for part in parts) > MOST_TEST:
            left_out.append(f"the task's test, which has over {MOST_TEST >> 20} MB: {test}")
        else:
            for part in parts:
                subtask = "" if part.parent == parts[0].parent else part.parent.name
                files.append(FileHere(part, part.stat().st_size, TestFile(entry(), _name(part), subtask)))
    weights: list[Weights] = []
    taken: set[str] = set()
    for about, path in _weights(connection, run, steps, locations, with_weights, left_out):
        weights.append(about)
        if with_weights and about.sha256 not in taken:
            taken.add(about.sha256)
            files.append(FileHere(path, about.bytes, WeightsFile(entry(), about.name)))
    return Going(run, held(connection, run.id), tuple(files), tuple(weights), seen(connection, run, steps, locations), tuple(left_out))


def _weights(
    connection: Connection, run: Run, steps: Sequence[Step], locations: Locations, with_weights: bool, left_out: list[str]
) -> Iterator[tuple[Weights, Path]]:
    """Every GGUF file that the run's settings name or that it used; the one that comes with an install only to go along."""
    from models.llama_cpp.options import parse_options
    from models.registry import DRY_RUN, resolve

    roles = Roles(run.settings.models, locations)
    named = [role for role in run.settings.models if role != "embed"]
    used = [role for step in steps for role in roles_of_step(connection, step.fingerprint)]
    used += ["base"] if any(step.stage == "finetune" for step in steps) else []
    for spec in dict.fromkeys(roles.spec(role) for role in (*named, *used)):
        if spec == DRY_RUN or (spec == "smollm2" and not with_weights):
            continue
        if Path(spec).expanduser().is_dir():
            left_out.append(f"the model in the folder {spec}")
            continue
        try:
            with translated(f"model {spec}"):
                resolved = resolve(spec, locations.weight_folders)
                if resolved.kind == "scripted":
                    left_out.append(f"the script {resolved.target}: a script may name files to write")
                if resolved.kind != "llama_cpp":
                    continue
                yield _about(spec, "model", Path(resolved.target), locations)
                if adapter := parse_options(resolved.settings).adapter:
                    yield _about(spec, "adapter", Path(adapter).expanduser(), locations)
        except EngineError as error:
            left_out.append(f"the model {spec}: {one_line(error.title, 120)}")


def _about(spec: str, part: Literal["model", "adapter"], path: Path, locations: Locations) -> tuple[Weights, Path]:
    from models.weights import digest

    return Weights(spec, part, _name(path), path.stat().st_size, digest(path, locations.cache)), path


def _name(path: Path) -> str:
    """The file's own name where every system allows it, else one that says what it is."""
    try:
        return msgspec.convert(path.name, Name)
    except msgspec.ValidationError:
        return f"file{path.suffix if path.suffix.isascii() and path.suffix[1:].isalnum() else ''}"
