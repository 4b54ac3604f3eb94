"""A plan half made: where the output comes from, before its input is chosen."""

from __future__ import annotations

from typing import Literal

from engine.plan.steps import AnyStep
from engine.records import Value

Family = Literal["options", "label", "named", "text", "spans", "turns"]


class Draft(Value):
    """An output read off the columns, with what may not be shown beside it."""

    family: Family
    output: str
    """Template."""
    reads: tuple[str, ...]
    """Columns the output is read from: shown only where they are options."""
    outputs: tuple[str, ...]
    """What the sample rows would give, "" where a row gives none; for choosing inputs without leaks."""
    prior: float
    """0 to 1, from names and values alone."""
    reasons: tuple[str, ...]
    steps: tuple[AnyStep, ...] = ()
    options: str = ""
    """Name of the options the output chooses among."""
    option_columns: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    """Further columns that answer the same question."""
    shown: tuple[str, ...] = ()
    """Values the input must show, such as the tokens that tags belong to."""
    made: tuple[str, ...] = ()
    """Values its own steps make that the input must show, such as the turns before this one."""
    letters: bool = False
    """The output is an option's letter."""
