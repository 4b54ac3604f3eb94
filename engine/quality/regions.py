"""Whether two sources cover different regions: how well a classifier tells them apart, and a map of all examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import BadInput
from engine.quality.diversity import Interval
from engine.quality.template import template_of
from engine.records import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST = 20
"""Examples a source needs for being told from another."""


class Regions(Value):
    """How well two sources can be told apart, beside how well two halves of one can."""

    examples: int
    """So many of each source were used."""
    auc: Interval
    """Area under the ROC curve over cross-validation folds of all repeats: 0.5 cannot be told apart, 1 always."""
    halves: Interval
    """The same for two random halves of each source: what chance gives."""
    repeats: int
    different: bool
    """Whether the interval of `auc` lies above that of `halves`."""
    reason: str


class Map(Value):
    """Examples as points in the plane."""

    places: tuple[int, ...]
    """0-based rows of the embeddings that were drawn, in order."""
    x: tuple[float, ...]
    y: tuple[float, ...]
    perplexity: float


def tell_apart(
    one: Sequence[str],
    other: Sequence[str],
    *,
    embeddings: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    at_most: int = 1000,
    folds: int = 5,
    repeats: int = 5,
    seed: int = 0,
) -> Regions:
    """A logistic regression's cross-validated AUC between two sources' texts, without each source's template, at equal numbers.

    Features are embeddings of the same texts (n × d each, of text without template, else the template is what is told apart) or hashed
    1- and 2-grams of characters' words. After the classifier two-sample test (Lopez-Paz & Oquab 2017). Raises BadInput for fewer than
    20 texts in a source.
    """
    import numpy as np

    if min(len(one), len(other)) < LEAST:
        raise BadInput(f"{min(len(one), len(other))} examples are too few to tell two sources apart", f"Give {LEAST} or more of each.")
    if embeddings is None:
        features = _hashed([*_plain(one), *_plain(other)])
    else:
        if [len(rows) for rows in embeddings] != [len(one), len(other)]:
            raise BadInput("the embeddings are not as many as the texts", "Give one row for each text.")
        features = np.concatenate(embeddings)
    size = min(len(one), len(other), at_most)
    between: list[float] = []
    within: list[float] = []
    for repeat in range(repeats):
        random = np.random.default_rng([seed, repeat])
        first = random.permutation(len(one))[:size]
        second = random.permutation(len(other))[:size] + len(one)
        between += _aucs(features, first, second, folds, seed + repeat)
        for source in (first, second):
            half = size // 2
            within += _aucs(features, source[:half], source[half : 2 * half], folds, seed + repeat)
    found, chance = _over_repeats(between, folds), _over_repeats(within, folds)
    different = found.low > chance.high
    shared = "; lower than chance, so they share texts" if found.high < min(chance.low, 0.5) else ""
    words = f"told apart with AUC {found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"
    halves = f"halves of one source with {chance.mean:.2f} ({chance.low:.2f} to {chance.high:.2f})"
    return Regions(size, found, chance, repeats, different, f"{words}, {halves}, {size} examples each{shared}")


def region_map(embeddings: NDArray[np.float32], *, at_most: int = 1500, perplexity: float = 30.0, seed: int = 0) -> Map:
    """Places in the plane by t-SNE (van der Maaten & Hinton 2008) after PCA to 50 dimensions, of at most so many rows drawn by seed.

    The same rows and seed give the same map on one machine. Near points are alike; sizes and distances of groups say nothing. Raises
    BadInput for fewer than 5 rows.
    """
    import numpy as np
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    count, width = embeddings.shape
    if count < 5:
        raise BadInput(f"{count} examples make no map", "Give 5 or more.")
    drawn = np.sort(np.random.default_rng(seed).permutation(count)[:at_most])
    rows = embeddings[drawn].astype(np.float64)
    if np.ptp(rows, axis=0).max() < 1e-9:
        raise BadInput("all embeddings are the same", "Give examples that differ.")
    rows = PCA(min(50, width, len(rows)), svd_solver="full").fit_transform(rows)
    perplexity = min(perplexity, (len(rows) - 1) / 3)
    # One thread: sums in another order would give another map, and threads that wait for each other are no faster here.
    with threadpool_limits(1):
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(rows)
    return Map(tuple(map(int, drawn)), tuple(map(float, points[:, 0])), tuple(map(float, points[:, 1])), float(perplexity))


def _plain(texts: Sequence[str]) -> list[str]:
    template = template_of(texts)
    return [" ".join(template.content(text)) for text in texts]


def _hashed(texts: Sequence[str]) -> NDArray[np.float64]:
    from sklearn.feature_extraction.text import HashingVectorizer

    # Tokens are ours, one blank between them.
    return HashingVectorizer(n_features=2**16, token_pattern=r"\S+", ngram_range=(1, 2), lowercase=False, norm="l2").transform(texts)


def _aucs(features: NDArray[np.float64], one: NDArray[np.int64], other: NDArray[np.int64], folds: int, seed: int) -> list[float]:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    rows = np.concatenate([one, other])
    truth: NDArray[np.int64] = np.repeat([0, 1], [len(one), len(other)])
    parts = StratifiedKFold(min(folds, len(one), len(other)), shuffle=True, random_state=seed)
    # liblinear takes sparse features in a fiftieth of the time.
    solver = "liblinear" if not isinstance(features, np.ndarray) else "lbfgs"
    model = LogisticRegression(max_iter=300, solver=solver, random_state=seed)
    scores = cross_val_score(model, features[rows], truth, cv=parts, scoring="roc_auc")
    return [float(score) for score in scores]


def _over_repeats(scores: list[float], folds: int) -> Interval:
    """Mean over all repeats, and 95 % by the spread between folds (its standard error over one cross-validation)."""
    import numpy as np

    means = [float(np.mean(scores[at : at + folds])) for at in range(0, len(scores), folds)]
    middle = float(np.mean(means))
    # Repeats draw from the same examples: the spread between folds, not between repeats, says how sure the figure is.
    error = 1.96 * float(np.std(scores, ddof=1)) / folds**0.5
    return Interval(middle, max(0.0, middle - error), min(1.0, middle + error))
