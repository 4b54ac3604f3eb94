"""What experiments and evaluations found, as text for a terminal of 80 columns: bars with intervals, then the figures beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine import compared_table as compared_rows
from engine import evaluated_table as evaluated_rows
from engine.cli.output import table
from engine.compared_table import Table
from engine.interval_bars import Bars, drawn

if TYPE_CHECKING:
    from engine.evaluate.evaluated import Compared, Evaluated

WIDTH = 80
"""Columns of a terminal that all lines but long names and notes keep to."""
_WIDEST = 60


def compared_table(compared: Compared) -> str:
    """All that is told of an experiment."""
    parts = ["\n".join((compared_rows.headline(compared), *compared_rows.caveats(compared)))]
    parts.append("\n".join(_barred(compared_rows.arm_bars(compared))))
    if compared.contrasts:
        contrasts = [*_barred(compared_rows.contrast_bars(compared)), *compared_rows.contrast_sentences(compared)]
        parts.append("\n".join(contrasts))
    heads, rows = compared_rows.arm_table(compared)
    parts.append("\n".join((table(tuple(head.upper() for head in heads), rows), *compared_rows.arm_sentences(compared))))
    parts.append("\n\n".join(_blocks(compared_rows.figure_table(compared))))
    parts.append("\n".join(compared_rows.other_notes(compared.notes)))
    return "\n\n".join(part for part in parts if part)


def evaluated_table(evaluated: Evaluated) -> str:
    """All that is told of an evaluation that a run made."""
    from engine.cli.evaluation_table import evaluation_table

    return f"{evaluated_summary(evaluated)}\n\n{evaluation_table(evaluated.evaluation)}"


def evaluated_summary(evaluated: Evaluated) -> str:
    """The figure that decides and the difference, in a few lines."""
    told = (evaluated_rows.difference_words(evaluated), evaluated_rows.share_words(evaluated), evaluated_rows.agreement_words(evaluated))
    head = [evaluated_rows.headline(evaluated), *evaluated_rows.caveats(evaluated)]
    return "\n".join([*head, *_barred(evaluated_rows.model_bars(evaluated)), *filter(None, told)])


def _barred(bars: Bars) -> Iterator[str]:
    if bars.rows:
        yield bars.title
        yield bars.key
        yield from drawn(bars, WIDTH)


def _blocks(found: Table) -> Iterator[str]:
    """A wide table cut into as many narrow ones as keep to the width; each begins with the first column."""
    heads, rows = found
    cells = [tuple(head.upper() for head in heads), *rows]
    widths = [min(_WIDEST, max(len(row[place]) for row in cells)) for place in range(len(heads))]
    start = 1
    while start < len(heads):
        end, width = start + 1, widths[0] + 2 + widths[start]
        while end < len(heads) and width + 2 + widths[end] <= WIDTH:
            width += 2 + widths[end]
            end += 1
        yield table((cells[0][0], *cells[0][start:end]), [(row[0], *row[start:end]) for row in rows], widest=_WIDEST)
        start = end
