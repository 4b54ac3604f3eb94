"""Export: the examples of the mix as one folder that training programs read, with its card, plans and replay manifest.

The same examples give the same bytes: no time, no run, no path of this machine is in any file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from engine.errors import NothingSuitable
from engine.export.card import card
from engine.export.facts import PROGRESS_EVERY, Facts, count, mixed_examples
from engine.export.folder import MANIFEST, check_target, file_digest, whole_folder
from engine.export.formats import EXAMPLES, PATHS, Files, Format, Wording, data_files
from engine.export.manifest import manifest
from engine.export.model_card import model_card
from engine.export.model_files import FOLDER, Model, Quantisation, write_model
from engine.mix.offered import AnyPart
from engine.plan.file import write_plan
from engine.records import Example, Exported, Mixed, Part, Split, SyntheticPart, Task, Value
from engine.stage import Context, Stage
from engine.trained import Trained
from models.language import Identity


class Given(Value):
    """What it starts from."""

    task: Task
    parts: tuple[Part, ...]
    mix: str
    """Fingerprint of the mix step: its accepted units say which examples are in, and in which split."""
    mixed: Mixed
    folder: str
    """Absolute path of the folder to write."""
    models: dict[str, Identity]
    """Models that took part, by role."""
    options_used: dict[str, Any]
    """Options of every stage, by stage."""
    seed: int
    prompts_digest: str
    """SHA-256 over the hashes of all model calls."""
    batched: bool
    """Model answers were decoded several at a time."""
    synthetic: tuple[SyntheticPart, ...] = ()
    """What a model wrote from the task alone; follows the parts."""
    trained: Trained | None = None
    """The model that was finetuned, if any."""

    @property
    def all_parts(self) -> tuple[AnyPart, ...]:
        """In the order of the examples."""
        return (*self.parts, *self.synthetic)


class Options(Value):
    """Settings of export."""

    formats: Annotated[
        tuple[Format, ...], Meta(description="Layouts to write beside examples.jsonl; load_dataset reads the first.", max_length=4)
    ] = ("parquet", "chat", "alpaca", "completion")
    system: Annotated[
        str | None, Meta(description="System message of chat examples; unset is the task's description, empty leaves it out.")
    ] = None
    instruction: Annotated[str | None, Meta(description="Instruction of Alpaca entries; unset is the task's description.")] = None
    merged: Annotated[
        tuple[Quantisation, ...],
        Meta(
            description="Where a model was finetuned: GGUF files of base and adapter merged, quantised so; none: the adapter only.",
            max_length=8,
        ),
    ] = ("Q8_0",)


SHOWN = 5
"""Examples in the card."""
TRIED_CHARS = 2000
"""Longest input that the files of a model are asked, where there is a shorter one: it must fit a small context."""

LAYOUTS: dict[Format, str] = {
    "parquet": "examples with their sources as columns",
    "chat": "chat messages",
    "alpaca": "instruction, input and output",
    "completion": "prompt and completion",
}


def run(given: Given, options: Options, ctx: Context) -> Exported:
    """Count, then write everything in one pass. Raises BadInput for a folder with other content, StoreUnusable when the disk is full."""
    target = Path(given.folder)
    check_target(target)
    facts = count(given.all_parts, given.mix, given.mixed, ctx, given.task, splits=bool(options.formats))
    if not facts.examples:
        raise NothingSuitable("there is no example to export", "see why units did not become examples: datatune show RUN execute")
    with whole_folder(target) as folder:
        shown, tried = _write_examples(folder, given, options, facts, ctx)
        plan_files = (*_write_plans(folder, given.parts), *("" for _ in given.synthetic))
        model = _write_model(folder, given, options, facts, tried, ctx) if given.trained else Model()
        readme = card(
            given.task,
            given.all_parts,
            plan_files,
            given.mixed,
            facts,
            shown,
            models=given.models,
            seed=given.seed,
            batched=given.batched,
            data_files=data_files(options.formats, facts.splits),
            layouts=_layouts(options, facts, bool(given.parts), bool(model.files)),
        )
        (folder / "README.md").write_bytes(readme.encode())
        known = {file.path: file.digest for file in model.files}
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        files = {name: known.get(name) or file_digest(folder / name) for name in names}
        content = manifest(
            given.task,
            given.all_parts,
            plan_files,
            given.mixed,
            facts,
            models=given.models,
            options={**given.options_used, "export": options},
            seed=given.seed,
            prompts_digest=given.prompts_digest,
            batched=given.batched,
            files=files,
            trained=given.trained if model.files else None,
        )
        (folder / MANIFEST).write_bytes(content)
    if facts.contested_inputs:
        text = f"{facts.contested_inputs:,} inputs occur with different outputs; all are kept"
        ctx.event("contested", text, inputs=facts.contested_inputs, examples=facts.contested_examples)
    return Exported(str(target), facts.examples, facts.train, facts.validation, files[EXAMPLES], model.files, model.left_out)


def _write_examples(
    folder: Path, given: Given, options: Options, facts: Facts, ctx: Context
) -> tuple[list[Example], tuple[Example, Split]]:
    """Write them all; returns the few the card shows, spread evenly over the whole, and the one that a model's files are asked."""
    description = given.task.description
    wording = Wording(
        system=description if options.system is None else options.system,
        instruction=description if options.instruction is None else options.instruction,
    )
    show = {number * facts.examples // SHOWN for number in range(SHOWN)}
    shown: list[Example] = []
    tried: tuple[tuple[bool, int], Example, Split] | None = None
    with Files(folder, options.formats, facts.splits, wording) as files:
        for number, (_, example, split) in enumerate(mixed_examples(given.all_parts, given.mix, given.mixed, ctx)):
            files.add(example, split if facts.validation else "train")
            if number in show:
                shown.append(example)
            # The first one held out, the first of all where none is; of long ones the shortest.
            rank = (split != "validation", max(0, len(example.input) - TRIED_CHARS))
            if tried is None or rank < tried[0]:
                tried = (rank, example, split)
            if number % PROGRESS_EVERY == 0:
                ctx.progress(number, facts.examples, "examples")
    ctx.progress(facts.examples, facts.examples, "examples")
    assert tried is not None  # an export without examples ended before
    return shown, tried[1:]


def _write_model(folder: Path, given: Given, options: Options, facts: Facts, tried: tuple[Example, Split], ctx: Context) -> Model:
    """The folder model with its card, where there is anything to be put into it."""
    trained = given.trained
    assert trained is not None
    finetuned = trained.finetuned
    model = write_model(folder, finetuned, options.merged, given.task, tried[0].input, ctx)
    if model.files:
        text = model_card(
            given.task,
            given.mixed,
            facts,
            finetuned,
            trained.settings,
            model,
            trained.evaluated,
            tried,
            mixed_anew=finetuned.mix not in ("", given.mix),
            seed=given.seed,
        )
        (folder / FOLDER / "README.md").write_bytes(text.encode())
    return model


def _write_plans(folder: Path, parts: tuple[Part, ...]) -> tuple[str, ...]:
    """One file for each different plan, named after it; returns each part's file."""
    if parts:
        (folder / "plans").mkdir()
    names: dict[str, str] = {}
    for part in parts:
        text = write_plan(part.choice.plan)
        if text in names:
            continue
        # The name may come from a model: it names a file here, never a path.
        stem = re.sub(r"[^a-z0-9]+", "-", part.choice.plan.name.lower()).strip("-")[:60] or "plan"
        taken, number, name = set(names.values()), 1, f"plans/{stem}.toml"
        while name in taken:
            number += 1
            name = f"plans/{stem}-{number}.toml"
        names[text] = name
        (folder / name).write_bytes(text.encode())
    return tuple(names[write_plan(part.choice.plan)] for part in parts)


def _layouts(options: Options, facts: Facts, plans: bool, model: bool) -> dict[str, str]:
    every = {EXAMPLES: "every example with its source"}
    every |= {PATHS[name].format(split): f"{LAYOUTS[name]}, {split}" for name in dict.fromkeys(options.formats) for split in facts.splits}
    every |= {"plans/": "the plans that made them"} if plans else {}
    every |= {f"{FOLDER}/": "a model finetuned on them, with a card of its own"} if model else {}
    return {**every, MANIFEST: "what a replay needs"}


STAGE = Stage("export", "writing the training set", 3, Given, Options, Exported, run)
