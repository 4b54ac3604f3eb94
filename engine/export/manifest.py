"""manifest.json: everything needed to make the same export again, and to check that it is the same."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

import msgspec

from engine.export.facts import Facts, PartFacts, portable
from engine.export.folder import FORMAT
from engine.mix.offered import AnyPart
from engine.records import Finetuned, Generated, Made, MixCounts, Mixed, SyntheticPart, Task
from engine.trained import Trained
from models.language import Identity

PACKAGES = ("datatune", "datasets", "google-re2", "jinja2", "llama-cpp-python", "llguidance", "pyarrow")
"""Those whose version can change what an export holds."""
OF_TRAINING = ("accelerate", "bitsandbytes", "peft", "torch", "transformers", "trl")
"""Those that can besides, where it holds a model."""

DETERMINISTIC = (
    "Same data revisions, plan, seed and software give the same bytes: plans without model steps are deterministic, "
    "and a model that worked on one sequence at a time repeats its answers."
)
BATCHED = (
    "Plans without model steps give the same bytes again. Model answers in this export were decoded in batches, which is not stable "
    "to the last bit when batches are composed differently: a replay from nothing may word some of them differently."
)
TRAINING = "Another training on the same examples need not give the same numbers: the model's files are those of one training."


def manifest(
    task: Task,
    parts: tuple[AnyPart, ...],
    plan_files: tuple[str, ...],
    mixed: Mixed,
    facts: Facts,
    *,
    models: Mapping[str, Identity],
    options: Mapping[str, Any],
    seed: int,
    prompts_digest: str,
    batched: bool,
    files: Mapping[str, str],
    trained: Trained | None = None,
) -> bytes:
    """The manifest as indented JSON with sorted keys. `files` maps every other file of the export to its SHA-256; `trained` is the model
    among them, if there is one."""
    packages = (*PACKAGES, *(OF_TRAINING if trained else ()))
    content = {
        "format": FORMAT,
        "task": msgspec.to_builtins(msgspec.structs.replace(task, test=portable(task.test))),
        "parts": [_part(*one) for one in zip(parts, plan_files, facts.parts, strict=True)],
        "examples": {
            "all": facts.examples,
            "train": facts.train,
            "validation": facts.validation,
            "synthetic": facts.synthetic,
            "by_output_origin": facts.origins,
            "by_output": facts.outputs,
            "inputs_with_several_outputs": facts.contested_inputs,
            "examples_with_such_an_input": facts.contested_examples,
        },
        "mix": {
            **_mix(mixed.counts),
            "edited_in_review": mixed.edited,
            "test_items": mixed.test_items,
            "test_items_found": mixed.test_items_found,
            "examples_that_hold_a_test_item": mixed.leaks_kept,
            "groups": mixed.groups,
            "largest_group": mixed.largest_group,
        },
        "models": {role: {"name": portable(m.name), "digest": m.digest, "runtime": m.runtime} for role, m in models.items()},
        "llama_cpp": sorted({m.runtime for m in models.values() if m.runtime.startswith("llama.cpp")}),
        "seed": seed,
        "options": portable(msgspec.to_builtins(options)),
        "prompts_digest": prompts_digest,
        "software": {"python": platform.python_version(), **{name: _version(name) for name in packages}},
        "batched": batched,
        "reproducibility": BATCHED if batched else DETERMINISTIC,
        "files": dict(files),
    }
    if trained is not None:
        content["finetuned"] = {**_plain(trained.finetuned), "settings": trained.settings, "reproducibility": TRAINING}
    return msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2) + b"\n"


def _part(part: AnyPart, plan_file: str, facts: PartFacts) -> dict[str, Any]:
    taken = {"mix": _mix(facts.mix)}
    if isinstance(part, SyntheticPart):
        generated = part.generated
        more = {"topics": generated.topics, "ended_early": generated.saturated}
        return {"synthetic": True, "model": facts.model, "counts": _counts(generated), **more, **taken}
    made, choice = part.made, part.choice
    return {
        "dataset": facts.dataset,
        "config": facts.config,
        "sources": [msgspec.to_builtins(use) for use in facts.splits],
        "plan": {"file": plan_file, "digest": choice.digest, "origin": choice.plan.origin, "score": choice.score},
        "counts": _counts(made) | {"surplus": made.surplus},
        **taken,
    }


def _counts(made: Made | Generated) -> dict[str, Any]:
    return {
        "units": made.units,
        "examples": made.examples,
        "rejected": made.rejected,
        "failed": made.failed,
        "skipped": made.skipped,
        "reasons": made.reasons,
    }


def _mix(counts: MixCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in counts.__struct_fields__}


def _plain(finetuned: Finetuned) -> dict[str, Any]:
    """All of the record but where the adapter lies here."""
    told = {name: getattr(finetuned, name) for name in finetuned.__struct_fields__ if name != "adapter"}
    return {**told, "base": {"name": portable(finetuned.base.name), "digest": finetuned.base.digest}}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
