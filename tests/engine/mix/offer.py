"""Offered examples for tests of what a mix decides."""

from __future__ import annotations

from engine.mix.offered import Decisions, Offered
from engine.records import Source


def offered(
    text: str,
    output: str = "x",
    *,
    part: int = 0,
    row: int | tuple[int, ...] = -1,
    dataset: str = "owner/notes",
    config: str = "default",
    split: str = "train",
    licence: str = "mit",
    model: str = "",
    seq: int = 0,
) -> Offered:
    """One example; what a model wrote has no row."""
    source = Source("", "", "", -1, model=model) if model else Source(dataset, config, split, -1, "r1", licence)
    rows = () if model else row if isinstance(row, tuple) else (row,)
    return Offered(part, seq, f"{split}:{seq}", text, output, False, source, rows, ())


def of_rows(*texts: str) -> list[Offered]:
    """Examples of as many rows."""
    return [offered(text, row=number, seq=number) for number, text in enumerate(texts)]


def decisions(*examples: Offered) -> Decisions:
    """Nothing decided yet."""
    return Decisions(examples)


def watch(done: int) -> None:
    """Nobody watches."""
