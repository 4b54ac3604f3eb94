"""What words and popularity should count for in a search, learnt from queries with known answers, by cross-validation."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from engine.bench_retrieval import Wanted, measures
from engine.catalog.catalog import Catalog
from engine.catalog.ranking import Weighed, Weights, without_copies
from engine.catalog.search import Query
from engine.records import Value

if TYPE_CHECKING:
    import numpy as np

WORDS = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
POPULARITY = (0.0, 0.15, 0.25, 0.3, 0.35, 0.5)
SETTINGS = tuple(Weights(words=words, popularity=popularity) for words, popularity in product(WORDS, POPULARITY))
FOLDS = 5
DEPTH = 250
K = 5

Tell = Callable[[str], None]


class Fold(Value):
    """What was best on four fifths of each set of queries, and what it gave on the fifth left out."""

    words: float
    popularity: float
    recall: tuple[float, ...]
    """R@5 in per cent on what was left out, for each set of queries."""


class Learnt(Value):
    """What the cross-validation found."""

    folds: tuple[Fold, ...]
    left_out: tuple[float, ...]
    """R@5 in per cent for each set of queries, each query ranked with the weights chosen without it."""
    words: float
    popularity: float
    """Best on all queries."""
    all: tuple[float, ...]
    """R@5 in per cent with those, on the queries they were chosen on."""
    queries: tuple[int, ...]


def bench_weights(sets: Sequence[tuple[Catalog, Sequence[Wanted]]], tell: Tell) -> Learnt:
    """Five-fold cross-validation over SETTINGS; each set of queries, with its catalog, counts as much as another."""
    import numpy as np

    tables: list[np.ndarray] = []
    for catalog, wanted in sets:
        weighed = catalog.weighed([Query(one.query) for one in wanted], DEPTH)
        tables.append(np.array([recalls(one, found) for one, found in zip(wanted, weighed, strict=True)]))
        tell(f"{len(wanted)} queries weighed")
    return learn(tables)


def learn(tables: Sequence[np.ndarray]) -> Learnt:
    """From R@5 by query and setting, one table of shape (queries, len(SETTINGS)) for each set of queries, each with FOLDS or more rows."""
    import numpy as np

    draw = random.Random(1)
    fold_of = []
    for table in tables:
        folds = [number % FOLDS for number in range(len(table))]
        draw.shuffle(folds)
        fold_of.append(np.array(folds))
    chosen, outcomes = [], []
    for fold in range(FOLDS):
        best = _best([table[folds != fold] for table, folds in zip(tables, fold_of, strict=True)])
        left_out = [table[folds == fold, best] for table, folds in zip(tables, fold_of, strict=True)]
        chosen.append(Fold(SETTINGS[best].words, SETTINGS[best].popularity, tuple(_percent(part) for part in left_out)))
        outcomes.append(left_out)
    best = _best(tables)
    return Learnt(
        folds=tuple(chosen),
        left_out=tuple(_percent(np.concatenate(parts)) for parts in zip(*outcomes, strict=True)),
        words=SETTINGS[best].words,
        popularity=SETTINGS[best].popularity,
        all=tuple(_percent(table[:, best]) for table in tables),
        queries=tuple(len(table) for table in tables),
    )


def recalls(wanted: Wanted, weighed: Weighed) -> list[float]:
    """R@5 of one query with each of SETTINGS."""
    names: dict[str, list[str]] = {}
    for one in weighed.found.values():
        if one.copy and not one.folder:
            names.setdefault(one.copy, []).append(one.dataset)
    nowhere: Mapping[int, bool] = {}
    found = []
    for weights in SETTINGS:
        shown = without_copies(weighed.ranked(None, weights), K, nowhere)
        ids = [(one.dataset,) if one.folder else (one.dataset, *names.get(one.copy, ())) for _, one in shown]
        found.append(measures(wanted.gold, ids)["R@5"])
    return found


def _best(tables: Sequence[np.ndarray]) -> int:
    """The setting with the best mean over the sets; of equals the first."""
    return int(sum(table.mean(axis=0) for table in tables).argmax())


def _percent(values: np.ndarray) -> float:
    return round(100 * float(values.mean()), 1)
