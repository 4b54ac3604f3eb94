"""Measures what guessing from the prompt is worth: where answers copy their row, and where they do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from models.llama_cpp.bench import timed
from models.llama_cpp.model import LlamaCppModel
from models.llama_cpp.options import Options
from models.llama_cpp.schedule import FEW_WRITING
from models.llama_cpp.workload import INSTRUCTION, SCHEMA, make_workload

COPY = "Copy the note at the end word by word, from its first word on, without changing anything. These notes came before: "
COPY_SCHEMA: dict[str, Any] = {
    "type": "object",
    # Longer than the answer may become, so that every answer has as many tokens.
    "properties": {"note": {"type": "string", "minLength": 250, "maxLength": 300}},
    "required": ["note"],
    "additionalProperties": False,
}
WORKS = {"copies its row": (COPY, COPY_SCHEMA), "writes of its own": (INSTRUCTION, SCHEMA)}


class Gain(msgspec.Struct, frozen=True):
    """One kind of answer with so many rows under way, without guesses and with them."""

    answer: str
    under_way: int
    rows: int
    plain: float
    """Rows a second."""
    guessing: float
    """Rows a second."""
    times: float
    """How many times as fast guessing is."""
    plain_steps: float
    """Steps a row took part in, on average."""
    guessing_steps: float
    equal: int
    """Rows with the same answer both ways; rounding may part some."""


class _Pass(msgspec.Struct, frozen=True):
    seconds: float
    steps: float
    answers: dict[str, str]


def bench_lookup(
    path: Path, options: Options, rows: int, *, cache: Path | None = None, tell: Callable[[str], None] = lambda line: None
) -> list[Gain]:
    """Both kinds of answer, with as many rows under way as guesses are made for, and with half of them; ModelError when one gets none."""
    gains = []
    for count in (FEW_WRITING // 2, FEW_WRITING):
        settings = msgspec.structs.replace(options, sequences=count)
        for answer in WORKS:
            plain = _pass(path, msgspec.structs.replace(settings, lookup="off"), rows, answer, cache)
            guessing = _pass(path, msgspec.structs.replace(settings, lookup="on"), rows, answer, cache)
            gains.append(
                Gain(
                    answer=answer,
                    under_way=count,
                    rows=rows,
                    plain=round(rows / plain.seconds, 4),
                    guessing=round(rows / guessing.seconds, 4),
                    times=round(plain.seconds / guessing.seconds, 3),
                    plain_steps=round(plain.steps / rows, 1),
                    guessing_steps=round(guessing.steps / rows, 1),
                    equal=sum(text == guessing.answers[key] for key, text in plain.answers.items()),
                )
            )
            tell(f"{count} under way, answer {answer}: {gains[-1].plain:.3f} rows/s without guesses, {gains[-1].guessing:.3f} with")
    return gains


def _pass(path: Path, options: Options, rows: int, answer: str, cache: Path | None) -> _Pass:
    model = LlamaCppModel(path, context_length=1024, options=options, cache=cache)
    try:
        instruction, schema = WORKS[answer]
        done, seconds = timed(model, make_workload(model.tokens, rows, schema, instruction).requests)
        assert model.steps
        return _Pass(seconds, model.steps.sequences, {completion.key: completion.text for completion in done})
    finally:
        model.close()
