"""The plan that changes nothing: a data set's columns as they stand, which is how retrieved data is used without transforming it.

The columns are those a real plan shows and takes its output from, so that only the transformation is missing, not the choice of columns
(the "existing data" of arXiv 2404.14361).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import NothingSuitable
from engine.plan.column_roles import inputs_and_outputs
from engine.plan.steps import Emit, Plan
from engine.plan.template import printed
from engine.records import Column

NAME = "as-it-stands"


def as_it_stands(plan: Plan, columns: Sequence[Column]) -> Plan:
    """The inputs of `plan` one below the other, and its outputs, untouched. Raises NothingSuitable where a data set has but one column.

    Where the plan cuts a column into both, that column alone would be no task: the last column it reads is then the output, those
    before it the input, or all others where it reads no more.
    """
    inputs, outputs = inputs_and_outputs(plan, columns)
    shown = [column.name for column in columns if column.name in inputs and column.name not in outputs]
    told = [column.name for column in columns if column.name in outputs]
    if not shown or not told:
        read = [column.name for column in columns if column.name in inputs | outputs]
        told = read[-1:]
        shown = read[:-1] or [column.name for column in columns if column.name not in told]
    if not shown or not told:
        raise NothingSuitable("it has no two columns that could be input and output as they stand")
    return Plan(
        name=NAME,
        emit=Emit(input="\n".join(map(printed, shown)), output="\n".join(map(printed, told))),
        origin="structure",
        reasons=("columns as they stand: nothing is transformed",),
    )
