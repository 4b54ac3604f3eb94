"""The folder model of an export: what a run finetuned, as files that other programs load. Each is loaded and asked an example of the task
before it counts as made.

GGUF files are made once, below the adapter's own folder, and linked from there where they are still what they were: another export merges
nothing anew. What cannot be made is left out with its reason, and costs neither the training set nor the other files.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine.errors import BadInput, Unavailable
from engine.export.facts import portable
from engine.export.folder import file_digest
from engine.finetuned_model import trial
from engine.fingerprint import digest
from engine.plain_text import one_line
from engine.records import Exported, Finetuned, ModelFile, Task, Value
from engine.stage import Context
from models.errors import ModelError
from models.gguf import Exported as Made
from models.gguf import adapter_gguf, merged_gguf
from models.language import Request

Quantisation = Literal[
    "Q8_0",
    "Q6_K",
    "Q5_K_M",
    "Q5_K_S",
    "Q5_1",
    "Q5_0",
    "Q4_K_M",
    "Q4_K_S",
    "Q4_1",
    "Q4_0",
    "Q3_K_L",
    "Q3_K_M",
    "Q3_K_S",
    "Q2_K",
    "F16",
    "F32",
]
"""What merged models can be held in."""

FOLDER, MODELFILE = "model", "Modelfile"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MADE = "gguf"
"""Folder of the GGUF files made so far, below the adapter's."""
VERSION = 1
"""Of how GGUF files are made: another number makes them anew."""
_MEGABYTE = 1_000_000
_LOCK_SECONDS = 0.5


class Model(Value):
    """What was written of a finetuned model."""

    files: tuple[ModelFile, ...] = ()
    left_out: tuple[str, ...] = ()
    base_file: str = ""
    """Name of the base's GGUF file; "" where it is a folder, or not here."""
    licence: str = ""
    """Of the base, as its file states it."""
    merged: str = ""
    """Name of the first merged file; "" for none."""


class _Kept(msgspec.Struct, frozen=True):
    """What a GGUF file was made of, beside it."""

    key: str
    made: Made


class _Work:
    """One model folder being written."""

    def __init__(self, target: Path, finetuned: Finetuned, adapter: Path, question: Request, ctx: Context) -> None:
        self.target = target
        self.here: list[Path] = [adapter / MADE, adapter]
        """Folders of this machine, of which the export must not speak."""
        self.files: list[ModelFile] = []
        self.left_out: list[str] = []
        self._finetuned = finetuned
        self._adapter = adapter
        self._question = question
        self._ctx = ctx

    def adapter(self, config: dict[str, Any]) -> None:
        """The adapter as peft reads it. Its config names the base, never a path of this machine."""
        place = self.target / "adapter"
        place.mkdir(parents=True)
        shutil.copyfile(self._adapter / WEIGHTS, place / WEIGHTS)
        (place / CONFIG).write_bytes(msgspec.json.format(msgspec.json.encode(portable(config))))
        weights = place / WEIGHTS
        self._add(f"adapter/{WEIGHTS}", "LoRA adapter for transformers and peft", weights.stat().st_size, file_digest(weights), None)

    def asked(self, answer: str) -> None:
        """The adapter was loaded, by one runtime or another, and gave this answer."""
        self.files[0] = msgspec.structs.replace(self.files[0], answer=answer)

    def gguf(self, name: str, what: str, kept_as: str, make: Callable[[Path], Made]) -> Made | None:
        """A GGUF file under `name`, made or taken as it was made before; None where it cannot be made."""
        folder = self._adapter / MADE
        folder.mkdir(exist_ok=True)
        weights = file_digest(self._adapter / WEIGHTS)
        key = digest(["gguf", VERSION, self._finetuned.base.digest, weights, kept_as, self._question])
        try:
            with _alone(folder, self._ctx):
                made, new = _kept(folder / kept_as, key, make)
                _link(folder / kept_as, self.target / name)
        except ModelError as error:
            self.leave_out(name, error.title, error.hint)
            return None
        self._add(name, what, made.size, made.digest, made.answer)
        how = "loaded and asked" if new else "taken as it was made, loaded and asked before"
        told = f"{FOLDER}/{name}: {made.size / _MEGABYTE:,.1f} MB, {how}; it answered “{one_line(made.answer, 80)}”"
        self._ctx.event("model-file", told, digest=made.digest)
        return made

    def modelfile(self, merged: str, system: str) -> None:
        """Ollama's file for the merged model beside it."""
        from models.modelfile import modelfile

        place = self.target / MODELFILE
        try:
            place.write_text(modelfile(self.target / merged, system=system, greedy=True), encoding="utf-8")
        except ModelError as error:
            self.leave_out(MODELFILE, error.title, error.hint)
            return
        self._add(MODELFILE, f"for Ollama, of {merged}", place.stat().st_size, file_digest(place), None)

    def leave_out(self, name: str, why: str, hint: str = "", public: str = "") -> None:
        """Tell that a file is not made, and why; `public` is what the export says of it, where that is something else."""
        self._ctx.event("model-left-out", f"{FOLDER}/{name} is left out: {one_line(why, 400)}", hint=hint)
        for place in self.here:
            why = why.replace(f"{place}{os.sep}", "").replace(str(place), place.name)
        self.left_out.append(f"{name}: {public or one_line(why, 400)}")

    def _add(self, name: str, what: str, size: int, digest_: str, answer: str | None) -> None:
        self.files.append(ModelFile(f"{FOLDER}/{name}", what, size, digest_, answer))


def write_model(folder: Path, finetuned: Finetuned, merged: Sequence[Quantisation], task: Task, tried: str, ctx: Context) -> Model:
    """Write the folder model below `folder`: the adapter in both forms, the base with it merged in, quantised so, a Modelfile.

    `tried` is the input that all of them are asked. Raises what ctx.progress raises, and OSError where `folder` cannot be written.
    """
    try:
        adapter = ctx.adapter_folder(finetuned)
        config = _config(adapter)
    except Unavailable as error:
        ctx.event("model-left-out", f"{FOLDER} is left out: {error.title}", hint=error.hint)
        return Model((), (f"{FOLDER}: the adapter is not on this machine any more, or damaged",))
    question = trial(task, tried)
    work = _Work(folder / FOLDER, finetuned, adapter, question, ctx)
    ctx.progress(0, None, "MB")
    work.adapter(config)
    try:
        base = ctx.base_of(finetuned)
    except (BadInput, Unavailable) as error:
        work.leave_out("*.gguf", error.title, error.hint, "the base model was not at hand, so the adapter was not asked either")
        return Model(tuple(work.files), tuple(work.left_out))
    work.here.append(base.parent)
    if base.is_dir():
        _try_with_peft(base, adapter, finetuned, question, work)
        return Model(tuple(work.files), tuple(work.left_out))
    wanted = tuple(dict.fromkeys(merged))
    stem = stem_of(task)
    reported = _Reported(len(wanted), ctx)
    alone = work.gguf("adapter.gguf", "LoRA adapter for llama.cpp", "adapter.gguf", lambda out: adapter_gguf(adapter, base, out, question))
    if alone:
        work.asked(alone.answer)
    made = []
    for quantisation in wanted:
        name = f"{stem}-{quantisation}.gguf"

        def merge(out: Path, quantisation: Quantisation = quantisation) -> Made:
            return merged_gguf(adapter, base, out, question, quantisation, reported)

        if work.gguf(name, f"base with the adapter merged in, {quantisation}", f"merged-{quantisation}.gguf", merge):
            made.append(name)
        reported.next()
    if made:
        work.modelfile(made[0], task.description)
    return Model(tuple(work.files), tuple(work.left_out), base.name, _licence(base), made[0] if made else "")


def stem_of(task: Task) -> str:
    """The task's name as file names can hold it."""
    return re.sub(r"[^a-z0-9]+", "-", task.name.lower()).strip("-")[:40] or FOLDER


def told(exported: Exported) -> str:
    """What an export holds, in a line."""
    return "; ".join((f"{exported.examples:,} examples in {exported.folder}", *told_model(exported)))


def told_model(exported: Exported) -> tuple[str, ...]:
    """The files of its model, and how many could not be made; nothing where no model was finetuned."""
    names = [file.path.removeprefix(f"{FOLDER}/").removesuffix(f"/{WEIGHTS}") for file in exported.model]
    made = (f"the finetuned model in {FOLDER}: {', '.join(names)}",) if names else ()
    return (*made, *(f"left out: {line}" for line in exported.left_out))


def _try_with_peft(base: Path, adapter: Path, finetuned: Finetuned, question: Request, work: _Work) -> None:
    """The base is a safetensors folder: the adapter is asked with transformers, and nothing for llama.cpp can be made."""
    from models.finetune.ask import ask_adapter

    try:
        work.asked(ask_adapter(base, adapter, question, finetuned.precision))  # type: ignore[arg-type]
    except ModelError as error:
        work.leave_out(f"the trial of adapter/{WEIGHTS}", error.title, error.hint)
    why = f"{finetuned.base.name} was given as a safetensors folder, and adapters and merged models for llama.cpp are made of a GGUF file"
    work.leave_out("*.gguf", why, "finetune a GGUF file of the model: --finetune MODEL.gguf")


class _Reported:
    """Merging as the progress of all merged files together."""

    def __init__(self, files: int, ctx: Context) -> None:
        self._files = files
        self._done = 0
        self._ctx = ctx

    def __call__(self, written: int, whole: int) -> None:
        self._ctx.progress((self._done * whole + written) // _MEGABYTE, self._files * whole // _MEGABYTE, "MB")

    def next(self) -> None:
        """One file is done."""
        self._done += 1


def _kept(place: Path, key: str, make: Callable[[Path], Made]) -> tuple[Made, bool]:
    """The file at `place` as it was made of the same before and is still whole, else made now; and whether it was made now."""
    note = place.with_name(f"{place.name}.json")
    try:
        kept = msgspec.json.decode(note.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        kept = None
    if kept and kept.key == key and place.is_file() and file_digest(place) == kept.made.digest:
        return kept.made, False
    note.unlink(missing_ok=True)
    # An export may hold the file that stands there: it is replaced under its name, never written over.
    made = make(place)
    part = note.with_name(f"{note.name}.part")
    part.write_bytes(msgspec.json.encode(_Kept(key, made)))
    part.replace(note)
    return made, True


def _link(source: Path, target: Path) -> None:
    """The same file under another name where the file system can, so that it takes no more room; else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def _alone(folder: Path, ctx: Context) -> Iterator[None]:
    """No other export makes files in `folder` meanwhile; a cancel takes effect while one is waited for."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "files.lock")
    while True:
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
            break
        except Timeout:
            ctx.progress(0, None, "MB")
    try:
        yield
    finally:
        lock.release()


def _config(adapter: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode((adapter / CONFIG).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise Unavailable(f"{adapter / CONFIG} cannot be read", "finetune again: its examples are still stored") from error


def _licence(base: Path) -> str:
    from models.weights import describe

    return describe(base).licence
