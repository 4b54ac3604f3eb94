"""A table in memory that plans can run over, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from engine.plan.compile import compile_plan
from engine.plan.steps import Plan
from engine.plan.units import Accepted, Outcome
from engine.records import Column, ColumnKind, Example, Output, OutputKind, Row, Task


class Table:
    """A RowSource over a list of dictionaries; `asked` remembers the places taken, to see how lazily rows are read."""

    def __init__(
        self,
        rows: Iterable[dict[str, Any]],
        *,
        config: str = "",
        split: str = "train",
        class_names: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.rows = [Row(index, dict(values)) for index, values in enumerate(rows)]
        self.dataset = "made-up"
        self.config = config
        self.split = split
        self.revision = "r1"
        self.licence = "mit"
        self.asked: list[int] = []
        names = list(dict.fromkeys(name for row in self.rows for name in row.values))
        classes = class_names or {}
        self.columns = tuple(
            Column(name, "class" if name in classes else _kind([row.values.get(name) for row in self.rows]), classes.get(name, ()))
            for name in names
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def take(self, indices: Sequence[int]) -> list[Row]:
        self.asked += indices
        return [self.rows[index] for index in indices]


def task(kind: OutputKind = "text", labels: tuple[str, ...] = (), **fields: Any) -> Task:
    """A task with outputs of this kind."""
    return Task(name="made-up", description="Do what the examples do.", output=Output(kind, labels), **fields)


def outcomes(plan: Plan, table: Table, for_task: Task | None = None, **options: Any) -> dict[str, Outcome]:
    """What becomes of every unit, by key, for a plan that asks no model."""
    program = compile_plan(plan, table.columns, task=for_task or task(), **options)
    return {unit.key: program.outcome(unit) for unit in program.units(table)}


def examples(plan: Plan, table: Table, for_task: Task | None = None, **options: Any) -> dict[str, Example]:
    """The examples a plan without model steps makes, by unit key in file order."""
    found = outcomes(plan, table, for_task, **options)
    keys = sorted(found, key=lambda key: tuple(map(int, key.split("/"))))
    return {key: made.example for key in keys if isinstance(made := found[key], Accepted)}


def _kind(values: list[Any]) -> ColumnKind:
    kinds: dict[type[Any], ColumnKind] = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "text",
        list: "list",
        dict: "dict",
        bytes: "binary",
    }
    found = {kinds.get(type(value), "mixed") for value in values if value is not None}
    return found.pop() if len(found) == 1 else "mixed" if found else "null"
