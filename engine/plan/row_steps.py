"""Which units there are: rows in seeded order, grouped, exploded, joined, sampled, with values borrowed from other rows.

Rows are fetched in blocks, so memory is bounded by a block, one group, and for group and join a few numbers a row.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from engine.errors import BadInput
from engine.plan.order import SeededOrder, draw
from engine.plan.steps import Borrow, Explode, Group, Join, Sample
from engine.plan.value_steps import Run
from engine.plan.values import Stop, Values, as_text, fail, is_empty, items_of, skip
from engine.records import Row, RowSource

BORROW_TRIES = 20
MAX_GROUP_ROWS = 100_000


class Draft(msgspec.Struct):
    """A unit in the making."""

    key: str
    row: int
    values: Values
    rows: tuple[int, ...] = ()
    part: tuple[int, ...] = ()
    stop: Stop | None = None


Blocks = Iterator[list[Draft]]


def apply(runs: Sequence[Run], draft: Draft) -> None:
    """Run value steps on a draft that nothing has stopped yet."""
    if draft.stop is not None:
        return
    try:
        for run in runs:
            run(draft.values, draft.key)
    except Stop as stop:
        draft.stop = stop


def each_draft(blocks: Blocks, runs: Sequence[Run]) -> Blocks:
    """Value steps over a stream of drafts."""
    for block in blocks:
        for draft in block:
            apply(runs, draft)
        yield block


def rows_of(source: RowSource, columns: Values, seed: int, block: int) -> Blocks:
    """Every row once, in seeded order. `columns` gives what a ragged row lacks."""
    for indices in _chunks(SeededOrder(len(source), seed), block):
        yield [Draft(str(row.index), row.index, {**columns, **row.values}) for row in _take(source, indices)]


def grouped(source: RowSource, columns: Values, step: Group, before: Sequence[Run], seed: int, block: int) -> Blocks:
    """One draft for all rows that agree: one pass over the rows for their groups, then the groups in seeded order.

    A row that a step before the group stops is a group of its own, so that it is counted.
    """
    numbers: dict[int, int] = {}
    group_of_row = array("q")
    groups = 0
    for row in source:
        draft = Draft(str(row.index), row.index, {**columns, **row.values})
        apply(before, draft)
        key = draw(0, *(_key_text(draft.values.get(name)) for name in step.by)) if draft.stop is None else None
        number = groups if key is None else numbers.setdefault(key, groups)
        groups += number == groups
        group_of_row.append(number)
    starts, members = _members(group_of_row, groups)
    for order in _chunks(SeededOrder(groups, seed, "groups"), max(1, block // 4)):
        wanted = [members[starts[group] : min(starts[group + 1], starts[group] + MAX_GROUP_ROWS)] for group in order]
        rows = iter(_take(source, [index for indices in wanted for index in indices]))
        yield [_group(step, before, columns, list(islice(rows, len(indices)))) for indices in wanted]


def exploded(blocks: Blocks, step: Explode) -> Blocks:
    """One draft for each item; a value without items stops its draft."""
    for block in blocks:
        yield [piece for draft in block for piece in _pieces(draft, step)]


def sampled(blocks: Blocks, step: Sample) -> Blocks:
    """The first drafts of the stream, by number and by value; stopped ones pass and do not count."""
    taken, by_value = 0, Counter[str]()
    for block in blocks:
        kept = []
        for draft in block:
            if draft.stop is None:
                if step.balance:
                    value = _key_text(draft.values.get(step.balance))
                    if by_value[value] >= step.per_value > 0:
                        continue
                    by_value[value] += 1
                taken += 1
            kept.append(draft)
            if taken == step.size > 0:
                yield kept
                return
        yield kept


def joined(blocks: Blocks, step: Join, other: RowSource, itself: bool) -> Blocks:
    """Adds the columns of the first row of `other` that agrees; its keys are held as one number each."""
    index: dict[int, int] = {}
    for row in other:
        value = row.values.get(step.right)
        if not is_empty(value):
            index.setdefault(draw(0, _key_text(value)), row.index)
    stop = skip if step.unmatched == "skip" else fail
    for block in blocks:
        found: list[tuple[Draft, int]] = []
        for draft in block:
            if draft.stop is None:
                value = draft.values.get(step.left)
                place = None if is_empty(value) else index.get(draw(0, _key_text(value)))
                if place is None:
                    draft.stop = stop(f"join: no row has {step.right} as in {step.left}")
                else:
                    found.append((draft, place))
        for (draft, place), row in zip(found, _take(other, [place for _, place in found]), strict=True):
            draft.values.update({f"{step.prefix}{name}": value for name, value in row.values.items()})
            if itself and place != draft.row:
                draft.rows = (*(draft.rows or (draft.row,)), place)
        yield block


def borrowed(blocks: Blocks, step: Borrow, source: RowSource, columns: Values, before: Sequence[Run], seed: int) -> Blocks:
    """A value of another row that differs; the draw depends on the unit's key alone, a bounded number of tries each."""
    different = tuple(dict.fromkeys((step.value, *step.different)))
    size = len(source)
    for block in blocks:
        open_drafts = [draft for draft in block if draft.stop is None]
        for attempt in range(BORROW_TRIES):
            if not open_drafts or size < 2:
                break
            places = [draw(seed, "borrow", step.into, draft.key, attempt) % size for draft in open_drafts]
            rows = _take(source, places)
            open_drafts = [
                draft for draft, row in zip(open_drafts, rows, strict=True) if not _lent(draft, row, step, different, columns, before)
            ]
        for draft in open_drafts:
            draft.stop = skip(f"borrow: no other row found with another {' and '.join(different)}")
        yield block


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────


def _chunks(order: Iterable[int], size: int) -> Iterator[list[int]]:
    numbers = iter(order)
    while chunk := list(islice(numbers, size)):
        yield chunk


def _take(source: RowSource, indices: Sequence[int]) -> list[Row]:
    if not indices:
        return []
    rows = source.take(indices)
    if len(rows) != len(indices):
        raise BadInput(
            f"{source.dataset}: {len(indices)} rows asked for, {len(rows)} given", "The data changed while it was read; start again."
        )
    return rows


def _key_text(value: object) -> str:
    try:
        return as_text(value)
    except ValueError:
        return repr(value)
    except RecursionError:
        return "nested too deeply"


def _members(group_of_row: array[int], groups: int) -> tuple[array[int], array[int]]:
    """Rows sorted by group: where each group starts, and the rows, in file order within a group."""
    starts = array("q", bytes(8 * (groups + 1)))
    for group in group_of_row:
        starts[group + 1] += 1
    for group in range(groups):
        starts[group + 1] += starts[group]
    places, members = array("q", starts), array("q", bytes(8 * len(group_of_row)))
    for row, group in enumerate(group_of_row):
        members[places[group]] = row
        places[group] += 1
    return starts, members


def _group(step: Group, before: Sequence[Run], columns: Values, rows: list[Row]) -> Draft:
    drafts = [Draft(str(row.index), row.index, {**columns, **row.values}) for row in rows]
    for draft in drafts:
        apply(before, draft)
    first = drafts[0]
    if first.stop is not None:
        return first
    if len(rows) > 1:
        first.rows = tuple(row.index for row in rows)
    for name in step.majority:
        counts = Counter(_key_text(draft.values.get(name)) for draft in drafts if not is_empty(draft.values.get(name)))
        ranked = counts.most_common(2)
        if not ranked:
            first.stop = skip(f"group: {name} is empty")
        elif len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
            first.stop = skip(f"group: a tie in {name}")
        else:
            first.values[name] = next(draft.values[name] for draft in drafts if _key_text(draft.values.get(name)) == ranked[0][0])
    collected = {name: [draft.values.get(name) for draft in drafts] for name in step.collect}
    first.values.update(collected)
    return first


def _pieces(draft: Draft, step: Explode) -> Iterator[Draft]:
    if draft.stop is None:
        items = items_of(draft.values.get(step.value))
        if items:
            first = max(0, step.first)
            if len(items) <= first:
                draft.stop = skip(f"explode: {step.value} has no item after the first {first}")
            for index in range(first, len(items)):
                values = {**draft.values, step.into: items[index]}
                if step.index_into:
                    values[step.index_into] = index
                if step.window_into:
                    values[step.window_into] = items[max(0, index - step.window) : index]
                yield Draft(f"{draft.key}/{index}", draft.row, values, draft.rows, (*draft.part, index))
        elif items == [] or is_empty(draft.values.get(step.value)):
            draft.stop = skip(f"explode: {step.value} is empty")
        else:
            draft.stop = fail(f"explode: {step.value} is not a list")
    if draft.stop is not None:
        yield draft


def _lent(draft: Draft, row: Row, step: Borrow, different: Sequence[str], columns: Values, before: Sequence[Run]) -> bool:
    if row.index == draft.row or row.index in draft.rows:
        return False
    other = Draft(str(row.index), row.index, {**columns, **row.values})
    apply(before, other)
    if other.stop is not None or is_empty(other.values.get(step.value)):
        return False
    if any(_key_text(other.values.get(name)) == _key_text(draft.values.get(name)) for name in different):
        return False
    draft.values[step.into] = other.values[step.value]
    return True
