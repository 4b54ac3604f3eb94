"""Which columns of a user's test hold inputs and right answers: decided once for a file, and alike for all who read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import BadInput
from engine.table_file import rows_in

LOOKED_AT = 200
"""Rows that decide."""
OWN_NAMES = ("input", "output", "references", "cluster")
NUMBERED = ("", "#", "id", "idx", "index", "key", "no", "no.", "nr", "nr.", "number", "row", "uid", "unnamed: 0")
"""Names of columns that only say which row it is."""


class Columns(NamedTuple):
    """Of a file with two columns, none of which is called input."""

    input: str
    output: str
    """"" where there is no column of answers."""


def answer_rows(path: Path, labels: Sequence[str] = ()) -> tuple[Columns | None, Iterator[dict[str, Any]]]:
    """The columns that were chosen, None where their names say it, and the rows with names in small letters, input and output among them.

    Raises BadInput for what cannot be read, and for a file whose first line is an item.
    """
    rows = rows_in(path)
    first = list(islice(rows, LOOKED_AT))
    chosen = _chosen(first, labels, path.name)
    return chosen, (_named(row, chosen) for row in chain(first, rows))


def _chosen(rows: Sequence[Mapping[str, Any]], labels: Sequence[str], name: str) -> Columns | None:
    """The first column is the input, unless it is called output, only numbers rows, or alone holds the task's labels."""
    columns = list(rows[0]) if rows else []
    names = [str(column).strip().lower() for column in columns]
    values = [[str(row.get(column)).strip() for row in rows] for column in columns]
    of_labels = [bool(labels) and set(some) <= {*labels} for some in values]
    for column, all_labels in zip(columns, of_labels, strict=True):
        label = str(column).strip()
        if all_labels and label in labels and label.lower() not in OWN_NAMES:
            title = f"{name}: the label {label!r} stands where a name of its column should: the file has no first line with names"
            raise BadInput(title, "put a line above all others: input,output")
    if len(columns) != 2 or "input" in names:
        return None
    one, other = map(str, columns)
    if names[0] == "output" or (names[1] != "output" and of_labels == [True, False]):
        return Columns(other, one)
    return Columns(other, "") if names[0] in NUMBERED and names[1] != "output" else Columns(one, other)


def _named(row: Mapping[str, Any], chosen: Columns | None) -> dict[str, Any]:
    found = {str(column).strip().lower(): value for column, value in row.items()}
    if chosen is None or chosen.input not in row:
        return found
    return {"input": row[chosen.input], **({"output": row.get(chosen.output)} if chosen.output else {})}
