"""Plans held against a model's own answers on sample rows, a few rows at a time, until it is plain which reading is right.

Looking after every row would let luck decide, so looks are few (rows double) and each asks for more than the 0.95 wanted in the end: of a
reading, to beat chance at all; of the better of two, to beat the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Literal

from engine.plan.steps import Plan
from engine.plan.witness.belief import SURE, belief
from engine.plan.witness.readings import Shown, show
from engine.plan.witness.solver import Solver, Weigh
from engine.records import Column, Row, Task, Value

FIRST_ROWS = 12
HOPELESS = ((24, 0.6), (48, 0.85))
"""After so many rows with less belief than that, more rows would hardly decide it: such a model is too weak for the task."""
MOST_ROWS = 72
MOST_SECONDS = 240.0
SEED = 0

State = Literal["verified", "unverified", "beaten"]
Tell = Callable[[int, int], None]
"""Gets rows asked so far and at most."""


class Verdict(Value):
    """What the model's answers say of one plan."""

    state: State
    gain: float = 0.0
    """Mean gain over the same outputs dealt out to other rows, -1 to 1."""
    belief: float = 0.5
    """Probability that there is a gain."""
    rows: int = 0
    said: str = ""
    """One line a person can check."""


class Verified(Value):
    """The verdicts, plan by plan in the order given, and what they cost."""

    verdicts: tuple[Verdict, ...]
    calls: int = 0
    seconds: float = 0.0


def verify(
    plans: Sequence[Plan],
    columns: Sequence[Column],
    rows: Sequence[Row],
    task: Task,
    weigh: Weigh,
    *,
    most_rows: int = MOST_ROWS,
    most_seconds: float = MOST_SECONDS,
    tell: Tell = lambda done, of: None,
) -> Verified:
    """Ask the model to do the task on rows of each plan until decided, or `most_rows` or `most_seconds` of model time are spent.

    The first plan is the one to beat: another takes its place only where it is clearly likely to gain more on the same rows.
    """
    shown = [_in_common_order(show(plan, columns, rows, task)) for plan in plans]
    solver = Solver(task, weigh)
    live = list(range(len(plans)))
    gains: dict[int, dict[tuple[str, ...], float]] = {}
    count = min(FIRST_ROWS, most_rows)
    while True:
        for place in live:
            gains[place] = solver.gains(shown[place][:count])
            tell(min(count, most_rows), most_rows)
            if solver.seconds > most_seconds:
                break
        live = [place for place in live if not any(_beats(gains.get(other, {}), gains.get(place, {})) for other in live if other != place)]
        sure = [belief([*gains.get(place, {}).values()]) for place in live]
        # Readings that are both borne out differ in few rows: more of them would cost much and seldom tell.
        enough = len(live) == 1 or count >= 2 * FIRST_ROWS
        decided = (enough and sure[0] >= SURE) or any(count >= rows_asked and max(sure) < least for rows_asked, least in HOPELESS)
        used_up = count >= most_rows or solver.seconds > most_seconds or all(count >= len(shown[place]) for place in live)
        if decided or used_up:
            break
        count = min(2 * count, most_rows)
    verdicts = tuple(_verdict(gains.get(place, {}), place in live, solver) for place in range(len(plans)))
    return Verified(verdicts, solver.calls, round(solver.seconds, 1))


def _in_common_order(shown: Sequence[Shown]) -> list[Shown]:
    """Shuffled by key, so that two plans meet on the same rows."""
    return sorted(shown, key=lambda row: random.Random(f"{SEED} {row.key}").random())


def _beats(ours: dict[tuple[str, ...], float], theirs: dict[tuple[str, ...], float]) -> bool:
    common = ours.keys() & theirs.keys()
    if len(common) < 6:
        return False
    return belief([(ours[key] - theirs[key]) / 2 for key in sorted(common)]) >= SURE and belief([*ours.values()]) >= SURE


def _verdict(gains: dict[tuple[str, ...], float], live: bool, solver: Solver) -> Verdict:
    values = [*gains.values()]
    if not values:
        why = solver.errors.most_common(1)
        return Verdict("unverified", said=f"the model gave no answer ({why[0][0]})" if why else "not asked of the model")
    mean, sure = sum(values) / len(values), belief(values)
    pairs = all(len(key) == 2 for key in gains)
    if pairs:
        hits = sum(value > 0 for value in values)
        said = f"the model gives {hits} of {len(values)} pairs of rows their own outputs (half by chance)"
    else:
        said = f"the model's own answers agree by {mean:+.2f} more than with outputs of other rows ({len(values)} rows)"
    said += f", {'a gain' if sure >= SURE else 'which may be chance'} ({sure:.2f})"
    state: State = "beaten" if not live else "verified" if sure >= SURE else "unverified"
    return Verdict(state, round(mean, 3), round(sure, 4), len(values) * (2 if pairs else 1), said)
