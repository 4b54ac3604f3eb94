"""Measures how fast rows go through a model here: one after the other, many at once, and the limit that reading speed sets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from models.errors import ModelError
from models.language import Completion, Request
from models.llama_cpp import library
from models.llama_cpp.model import FILLER, LlamaCppModel
from models.llama_cpp.options import Options
from models.llama_cpp.peer import serve_rows
from models.llama_cpp.sequences import Feed, Layout
from models.llama_cpp.workload import ANSWER, SCHEMA, make_workload

READINGS = 3

Tell = Callable[[str], None]


class Arm(msgspec.Struct, frozen=True):
    """One way through the workload."""

    rows_per_second: float
    rows: int
    seconds: float
    tokens: int
    """Written in all answers."""


class Where(msgspec.Struct, frozen=True):
    """Where the time of our arm went, as shares that add up to 1."""

    decode: float
    masks: float
    choice: float
    rest: float
    """Chat templates, tokens, and everything else in Python."""
    sequences: float
    """At work in a step, on average."""


class Result(msgspec.Struct, frozen=True):
    """Rates in rows a second, and what they rest on."""

    model: str
    sequential: float
    ours: float
    limit: float
    """Reading rate at batches of 512, over the tokens a row has and gets."""
    chosen: str
    """Calibration in use."""
    shared_tokens: int
    row_tokens: int
    answer_tokens: int
    arms: dict[str, Arm]
    where: Where
    server: float | None = None
    free: float | None = None
    """Ours without a schema."""


def bench_execute(
    path: Path,
    options: Options,
    rows: int,
    sequential_rows: int,
    *,
    cache: Path | None = None,
    server: Path | None = None,
    free: bool = False,
    tell: Tell = lambda line: None,
) -> Result:
    """Run the workload through every arm, one after the other. ModelError when the model cannot."""
    model = LlamaCppModel(path, context_length=1024, options=options, cache=cache)
    try:
        tell("calibrating")
        model.prepare(1_000_000)
        chosen = str(model.calibration or "as set: " + str(model.layout))
        tell(chosen)
        work = make_workload(model.tokens, rows)
        tell(f"{work.shared} tokens shared, {work.row} a row, {ANSWER} an answer")
        limit = reading_rate(model) / (work.row + ANSWER)
        tell(f"limit {limit:.3f} rows/s")
        arms = {"ours": run_arm(model, work.requests)}
        tell(f"ours {arms['ours'].rows_per_second:.3f} rows/s")
        where = _where(model, arms["ours"])
        if free:
            arms["free"] = run_arm(model, [msgspec.structs.replace(request, schema=None) for request in work.requests])
            tell(f"without a schema {arms['free'].rows_per_second:.3f} rows/s")
        prompts = [model.tokens(request.messages) for request in work.requests]
        model.close()
        if server:
            seconds, tokens = serve_rows(server, path, prompts, SCHEMA, options.threads or library.usable_cores())
            arms["server"] = arm(rows, seconds, tokens)
            tell(f"server {arms['server'].rows_per_second:.3f} rows/s")
        model = LlamaCppModel(path, context_length=1024, options=msgspec.structs.replace(options, sequences=1), cache=cache)
        arms["sequential"] = run_arm(model, work.requests[:sequential_rows])
        tell(f"sequential {arms['sequential'].rows_per_second:.3f} rows/s")
    finally:
        model.close()
    return Result(
        model=path.name,
        sequential=arms["sequential"].rows_per_second,
        ours=arms["ours"].rows_per_second,
        limit=round(limit, 4),
        chosen=chosen,
        shared_tokens=work.shared,
        row_tokens=work.row,
        answer_tokens=ANSWER,
        arms=arms,
        where=where,
        server=arms["server"].rows_per_second if server else None,
        free=arms["free"].rows_per_second if free else None,
    )


def run_arm(model: LlamaCppModel, requests: Sequence[Request]) -> Arm:
    """All requests through a model that has seen their common beginning once."""
    done, seconds = timed(model, requests)
    return arm(len(done), seconds, sum(completion.completion_tokens for completion in done))


def timed(model: LlamaCppModel, requests: Sequence[Request]) -> tuple[list[Completion], float]:
    """The answers, in any order, and the seconds they took once the common beginning was read. ModelError when a row gets none."""
    _checked(model.complete_many([msgspec.structs.replace(requests[-1], key="warm")]))
    if steps := model.steps:
        steps.reset()
    began = time.perf_counter()
    done = _checked(model.complete_many(requests))
    return done, time.perf_counter() - began


def arm(rows: int, seconds: float, tokens: int) -> Arm:
    """An arm from its counts."""
    return Arm(round(rows / seconds, 4), rows, round(seconds, 2), tokens)


def reading_rate(model: LlamaCppModel) -> float:
    """Tokens a second of a long prompt read in batches of 512: nothing can write faster."""
    length, best = 512, 0.0
    filler = model.tokens_of(FILLER * 8)[:length]
    for flash in ("on", "off"):
        sequences = model.start(Layout(1, 2 * length, flash=flash, batch=length))
        try:
            for _ in range(READINGS):
                sequences.keep(0, 0)
                began = time.perf_counter()
                sequences.decode([Feed(0, filler, 1)])
                sequences.wait()
                best = max(best, len(filler) / (time.perf_counter() - began))
        finally:
            sequences.close()
    return best


def _checked(completions: Iterable[Completion]) -> list[Completion]:
    done = list(completions)
    for completion in done:
        if completion.finish == "error":
            raise ModelError(f"A row got no answer: {completion.error}", "")
    return done


def _where(model: LlamaCppModel, ours: Arm) -> Where:
    steps = model.steps
    assert steps
    decode, masks, choice = (round(part / ours.seconds, 4) for part in (steps.decode, steps.masks, steps.choice))
    return Where(decode, masks, choice, round(1 - decode - masks - choice, 4), round(steps.sequences / max(1, steps.number), 1))
