"""Examples that say the same as an earlier one: the same after normalising, nearly the same by ROUGE-L, or, where embeddings are
given, by meaning. The first one is kept. The same input with another output is a conflict, not a duplicate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from engine.errors import BadInput
from engine.quality.minhash import Buckets, bands_of
from engine.quality.option_order import ordered
from engine.quality.pairs import Pair, Verdict, Watch, unwatched
from engine.quality.template import templates
from engine.quality.words import as_characters, normalised, ranks_of, tokens
from engine.records import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 512
_AT_MOST = 64
"""Texts of one bucket that a new one is compared with."""
LONGEST = 16_384
"""Tokens of a text that are compared; comparing takes time with their square."""
_OFTEN = 0.05
"""A token in more texts than this share says little and is not hashed alone, where five others are left."""
_BANDS_OF_WORDS = 48
_BANDS_OF_NEIGHBOURS = 40
"""Two words running are hashed too: where a great part of all texts are copies of one, each of its words stands in many texts."""


class Conflict(Value):
    """Two examples of the same input with different outputs; both stay."""

    index: int
    first: int


class Duplicates(Value):
    """Which examples repeat an earlier one."""

    examples: int
    kept: int
    exact: int
    near: int
    meaning: int
    threshold: float
    conflicts: tuple[Conflict, ...]
    verdicts: tuple[Verdict, ...]
    """One for each example, in order."""
    cut: int = 0
    """Examples that met so many kept ones in one bucket that only the first 64 of it were compared: some repeats may be missed."""

    def clusters(self) -> dict[int, list[int]]:
        """Kept examples that others repeat → those others, in order; what is the same as a repeat repeats what that repeats."""
        found: dict[int, list[int]] = {}
        for verdict in self.verdicts:
            last = verdict
            while not last.kept and last.against is not None:
                last = self.verdicts[last.against]
            if last is not verdict:
                found.setdefault(last.index, []).append(verdict.index)
        return found


def rouge_l(one: str, other: str) -> float:
    """ROUGE-L F1 of two texts over our tokens (Lin 2004): 2·LCS / (m + n), 0 to 1; 1 for two texts without tokens."""
    from rapidfuzz.distance import Indel

    return float(Indel.normalized_similarity(tokens(one), tokens(other)))


def find_duplicates(
    pairs: Sequence[Pair],
    *,
    threshold: float = 0.7,
    outputs: Literal["alike", "ignored"] = "alike",
    least_tokens: int = 5,
    use_templates: bool = True,
    embeddings: NDArray[np.float32] | None = None,
    cosine: float = 0.95,
    watch: Watch = unwatched,
) -> Duplicates:
    """Every example held against those kept before it, in order; deterministic.

    `threshold` is the ROUGE-L F of inputs from which they are near-duplicates (arXiv 2404.14361 uses 0.7 and more), `outputs` whether
    outputs must be alike too or do not count. Inputs are compared without the template of their source, and those of fewer than
    `least_tokens` tokens without it only exactly: one word in a long question may be all that differs. Inputs that list options are
    compared once more with these in one order, and outputs by the option they stand for. So where four of five texts of a
    source are copies of one, what they share passes for its template; `Diversity.template_share` tells. `embeddings` (n × d, rows of
    unit length) of inputs add repeats by `cosine`.
    Raises BadInput for a threshold that is none or embeddings of another number of examples.
    """
    if not 0.5 <= threshold <= 1:
        raise BadInput(f"a ROUGE-L threshold of {threshold:g} finds no near-duplicates", "Give one from 0.5 to 1, such as 0.7.")
    if embeddings is not None and len(embeddings) != len(pairs):
        raise BadInput(f"{len(embeddings)} embeddings came for {len(pairs)} examples", "Give one row for each example.")
    verdicts, conflicts = _exact(pairs, outputs == "ignored")
    left = [place for place, verdict in enumerate(verdicts) if verdict.kept]
    alike = _same_outputs(pairs, threshold) if outputs == "alike" else None
    cut = _near(pairs, left, verdicts, threshold, least_tokens, use_templates, alike, watch)
    in_order = {place: one for place in left if verdicts[place].kept and (one := ordered(pairs[place])) is not None}
    if len(in_order) > 1:
        same = [in_order.get(place, pair) for place, pair in enumerate(pairs)]
        by_option = _same_outputs(same, threshold) if outputs == "alike" else None
        cut += _near(same, [*in_order], verdicts, threshold, least_tokens, use_templates, by_option, watch)
    if embeddings is not None:
        left = [place for place in left if verdicts[place].kept]
        _by_meaning(embeddings, left, verdicts, cosine, alike)
    counts = {kind: sum(not one.kept and one.kind == kind for one in verdicts) for kind in ("exact", "near", "meaning")}
    kept = len(pairs) - sum(counts.values())
    return Duplicates(len(pairs), kept, **counts, threshold=threshold, conflicts=conflicts, verdicts=tuple(verdicts), cut=cut)


def _exact(pairs: Sequence[Pair], input_alone: bool) -> tuple[list[Verdict], tuple[Conflict, ...]]:
    firsts: dict[bytes, dict[bytes, int]] = {}
    verdicts: list[Verdict] = []
    conflicts = []
    for place, pair in enumerate(pairs):
        known = firsts.setdefault(_key(pair.input), {})
        output = _key(pair.output)
        first = next(iter(known.values()), None)
        same = known.setdefault(output, place)
        if same == place and first is not None:
            conflicts.append(Conflict(place, first))
        if same != place or (input_alone and first is not None):
            against = same if same != place else first
            verdicts.append(Verdict(place, False, "exact", f"the same as example {against}", against, 1.0))
        elif first is not None:
            verdicts.append(Verdict(place, True, "conflict", f"the same input as example {first} with another output", first))
        else:
            verdicts.append(Verdict(place, True))
    return verdicts, tuple(conflicts)


def _key(text: str) -> bytes:
    """Stands for a normalised text, however long."""
    return blake2b(normalised(text).encode(errors="surrogatepass"), digest_size=16).digest()


Alike = Callable[[int, int], bool]


def _same_outputs(pairs: Sequence[Pair], threshold: float) -> Alike:
    """Whether two outputs are the same after normalising or, where long enough, alike by ROUGE-L."""
    from rapidfuzz.distance import Indel

    kept: dict[int, list[str]] = {}

    def words(place: int) -> list[str]:
        if place not in kept:
            kept[place] = tokens(pairs[place].output)[:LONGEST] or [pairs[place].output.strip()]
        return kept[place]

    def alike(one: int, other: int) -> bool:
        first, second = words(one), words(other)
        return first == second or (min(len(first), len(second)) >= 5 and Indel.normalized_similarity(first, second) >= threshold)

    return alike


def _near(
    pairs: Sequence[Pair],
    left: list[int],
    verdicts: list[Verdict],
    threshold: float,
    least_tokens: int,
    use_templates: bool,
    alike: Alike | None,
    watch: Watch,
) -> int:
    """Puts the verdicts of near-duplicates among `left` into `verdicts`; how many examples were compared with a part only."""
    import numpy as np

    if use_templates:
        shared = templates([pairs[place] for place in left])
        contents: Iterable[list[str]] = (one.content(pairs[place].input)[:LONGEST] for place, one in zip(left, shared, strict=True))
    else:
        contents = (tokens(pairs[place].input)[:LONGEST] for place in left)
    ranks, starts = ranks_of(contents)
    sizes = np.diff(starts)
    # Texts are numbered anew: only those long enough take part.
    long = np.flatnonzero(sizes >= max(1, least_tokens))
    texts = [as_characters(ranks[starts[place] : starts[place + 1]]) for place in long]
    places = np.array(left, np.int64)[long]
    lengths = sizes[long]
    keys = np.concatenate(
        [bands_of(*_telling(ranks, starts, long), _BANDS_OF_WORDS), bands_of(*_neighbours(ranks, starts, long), _BANDS_OF_NEIGHBOURS)],
        axis=1,
    )
    del ranks, starts
    buckets = Buckets(keys.shape[1])
    cut = 0
    first, size = 0, 32
    while first < len(texts):
        watch(int(places[first]))
        block = np.arange(first, min(first + size, len(texts)))
        met = buckets.meet(block, keys[block], _AT_MOST)
        cut += met.cut
        repeats = _alike_pairs(met.pairs, texts, lengths, threshold)
        _settle(repeats, places, verdicts, alike, threshold)
        new = block[[verdicts[places[text]].kept for text in block]]
        repeats = _alike_pairs(_meet_each_other(new, keys), texts, lengths, threshold)
        _settle(repeats, places, verdicts, alike, threshold)
        new = new[[verdicts[places[text]].kept for text in new]]
        buckets.add(new, keys[new])
        first, size = first + size, min(_BLOCK, 2 * size)
    return cut


def _telling(ranks: NDArray[np.uint32], starts: NDArray[np.int64], long: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Tokens of the long texts without those that stand in many texts, except in texts that would keep fewer than five."""
    import numpy as np

    if not len(long):
        return ranks[:0], np.zeros(1, np.int64)
    owners: NDArray[np.int64] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    once = np.unique(owners * (int(ranks.max()) + 1) + ranks)
    counts = np.bincount(once % (int(ranks.max()) + 1))
    often = counts > max(_OFTEN * len(long), 10)
    rare = ~often[ranks]
    enough = np.bincount(owners[rare], minlength=len(starts) - 1) >= 5
    taken = rare | ~enough[owners]
    wanted: NDArray[np.bool_] = np.zeros(len(starts) - 1, bool)
    wanted[long] = True
    taken &= wanted[owners]
    kept = np.bincount(owners[taken], minlength=len(starts) - 1)[long]
    return ranks[taken], np.concatenate([[0], np.cumsum(kept)])


def _neighbours(
    ranks: NDArray[np.uint32], starts: NDArray[np.int64], long: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Every token of the long texts with the one before it, the first with none, as one number."""
    import numpy as np

    wanted: NDArray[np.bool_] = np.zeros(len(starts) - 1, bool)
    wanted[long] = True
    sizes = np.diff(starts)
    before: NDArray[np.uint64] = np.zeros(len(ranks), np.uint64)
    before[1:] = ranks[:-1].astype(np.uint64) + np.uint64(1)
    before[starts[:-1][sizes > 0]] = 0
    both = (before << np.uint64(32)) | ranks.astype(np.uint64)
    return both[np.repeat(wanted, sizes)], np.concatenate([[0], np.cumsum(sizes[long])])


def _meet_each_other(new: NDArray[np.int64], keys: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Pairs (later, earlier) among these texts that share a band."""
    import numpy as np

    shared: NDArray[np.bool_] = np.zeros((len(new), len(new)), bool)
    for band in range(keys.shape[1]):
        column = keys[new, band]
        shared |= column[:, None] == column[None, :]
    later, earlier = np.nonzero(np.tril(shared, -1))
    return np.stack([new[later], new[earlier]])


def _alike_pairs(
    met: NDArray[np.int64], texts: Sequence[str], lengths: NDArray[np.int64], threshold: float
) -> list[tuple[int, int, float]]:
    """(later, earlier, ROUGE-L F) of the pairs that reach the threshold."""
    import numpy as np
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cpdist

    later, earlier = met
    shorter, longer = np.minimum(lengths[later], lengths[earlier]), np.maximum(lengths[later], lengths[earlier])
    possible = 2 * shorter >= (threshold - 1e-9) * (shorter + longer)
    later, earlier = later[possible], earlier[possible]
    if not len(later):
        return []
    scores = cpdist(
        [texts[one] for one in later],
        [texts[one] for one in earlier],
        scorer=Indel.normalized_similarity,
        score_cutoff=threshold - 1e-9,
        dtype=np.float64,
        workers=-1 if len(later) > 2000 else 1,
    )
    return [(int(later[hit]), int(earlier[hit]), float(scores[hit])) for hit in np.flatnonzero(scores)]


def _settle(
    repeats: list[tuple[int, int, float]], places: NDArray[np.int64], verdicts: list[Verdict], alike: Alike | None, threshold: float
) -> None:
    """In order: a text that is like one still kept is out, against the one it is most like."""
    best: dict[int, tuple[float, int]] = {}
    for later, earlier, score in sorted(repeats, key=lambda one: (one[0], -one[2], one[1])):
        place, against = int(places[later]), int(places[earlier])
        if place in best or not verdicts[against].kept or not verdicts[place].kept:
            continue
        if alike is None or alike(place, against):
            best[place] = (score, against)
            reason = f"nearly the same as example {against}: ROUGE-L {score:.2f}, at least {threshold:g}"
            verdicts[place] = Verdict(place, False, "near", reason, against, round(score, 4))


def _by_meaning(embeddings: NDArray[np.float32], left: list[int], verdicts: list[Verdict], cosine: float, alike: Alike | None) -> None:
    import numpy as np

    kept: list[int] = []
    for first in range(0, len(left), _BLOCK):
        block = left[first : first + _BLOCK]
        rows = embeddings[block]
        among = np.tril(rows @ rows.T, -1)
        for start in range(0, len(kept), 16 * _BLOCK):
            known = kept[start : start + 16 * _BLOCK]
            close = rows @ embeddings[known].T
            for one, other in np.argwhere(close >= cosine):
                _same_meaning(verdicts, block[one], known[other], float(close[one, other]), alike)
        for one, other in np.argwhere(among >= cosine):
            _same_meaning(verdicts, block[one], block[other], float(among[one, other]), alike)
        kept += [place for place in block if verdicts[place].kept]


def _same_meaning(verdicts: list[Verdict], place: int, against: int, score: float, alike: Alike | None) -> None:
    if verdicts[place].kept and verdicts[against].kept and (alike is None or alike(place, against)):
        reason = f"means the same as example {against}: cosine {score:.3f}"
        verdicts[place] = Verdict(place, False, "meaning", reason, against, round(score, 4))
