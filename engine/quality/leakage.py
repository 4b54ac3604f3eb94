"""Examples that hold an item of the user's test or few-shot examples: as it stands, in another template, its options in another order, or
a few words changed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Literal

from engine.errors import BadInput
from engine.quality.overlap import overlaps
from engine.quality.pairs import Pair, Watch, unwatched
from engine.quality.template import NO_TEMPLATE, template_of, templates
from engine.quality.words import normalised
from engine.records import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.quality.template import Template

Kind = Literal["exact", "contained", "reordered", "near", "part", "meaning"]
""""exact": the same input after normalising; "contained": all of the item, in order; "reordered": all its lines or sentences, in another
order; "near": most of it; "part": the example is most of the item's text itself; "meaning": by embedding."""

LEAST_TOKENS = 5
"""Of an item's own, template left out: fewer are found only as a whole input."""
_NEAR_FROM = 8
"""Tokens from which an item is found with words changed."""
_NEAR = (0.5, 0.75)
"""Share of an item's tokens that must be found again: least and most; between, all but 4.5 tokens."""
_CLOSER = 0.25
"""Of what its nearest sibling leaves open, an example must be nearer an item than that sibling."""
_GENERIC = 0.01
"""An item too short to tell that is the whole input of more examples than this share is no secret."""
_WATCHED_EVERY = 500
_GENERIC_BELOW = 13
"""Tokens of an item below which the same goes for standing in other texts, as "is this review positive or negative" does."""
_ENUMERATOR = re.compile(r"^\s*(?:\(?(?:[A-Za-z]|\d{1,2})[.):]|[-*•–])\s+|(?<!\w)\([A-Za-z0-9]\)\s", re.MULTILINE)


class Match(Value):
    """An example that holds a test item."""

    example: int
    item: int
    """0-based among the test items, then the few-shot examples."""
    kind: Kind
    score: float
    """1 for exact, contained and reordered; share of tokens found again for near and part; cosine for meaning."""
    removed: bool = True
    reason: str = ""


class Leakage(Value):
    """What of the test was found in the examples."""

    examples: int
    items: int
    matches: tuple[Match, ...]
    """The best of each example, in order."""
    removed: tuple[int, ...]
    """Places of the examples to leave out, in order."""
    items_found: int
    """Items that are the best match of an example left out; an example that holds several counts for one."""
    too_short: tuple[int, ...]
    """Items with too few words of their own to be looked for in other texts; only the same whole input counts, and that only where
    it is rare."""
    alike: tuple[int, ...]
    """Items whose siblings in the test are so alike that one with words changed cannot be told from another item: found only whole."""
    kinds: dict[str, int]


def find_leakage(
    examples: Sequence[Pair],
    test: Sequence[Pair],
    few_shot: Sequence[Pair] = (),
    *,
    use_templates: bool = True,
    embeddings: NDArray[np.float32] | None = None,
    test_embeddings: NDArray[np.float32] | None = None,
    cosine: float = 0.95,
    watch: Watch = unwatched,
) -> Leakage:
    """Every example held against every item of the test and few-shot examples.

    Inputs are compared as runs of tokens in any order (n-gram containment, as in Brown et al. 2020, with n by the item's length), without
    their sources' templates and option letters; an item is looked for in the example's output as well. How near is near is read off the
    test: an example must be nearer an item than the test's other items are to it, so that items made from one pattern do not remove each
    other's like. Embeddings (n × d and items × d, rows of unit length) add matches by meaning. Raises BadInput where their numbers do not
    fit.
    """
    items = [*test, *few_shot]
    for name, rows, count in (("examples", embeddings, len(examples)), ("test items", test_embeddings, len(items))):
        if rows is not None and len(rows) != count:
            raise BadInput(f"{len(rows)} embeddings came for {count} {name}", "Give one row for each, few-shot examples after the test.")
    shared = templates(examples) if use_templates else [NO_TEMPLATE] * len(examples)
    own = _own_template(items, shared) if use_templates else NO_TEMPLATE
    lines = [_lines(own, item.input) for item in items]
    wanted = [[*chain.from_iterable(one)] for one in lines]
    lengths = [[*map(len, one)] for one in lines]
    best: dict[int, Match] = {}
    short = [place for place, words in enumerate(wanted) if len(words) < LEAST_TOKENS]
    for match in _whole(examples, items, set(short)):
        _keep(best, match)
    least, alike = _thresholds(wanted, lengths)
    long = [len(words) >= LEAST_TOKENS for words in wanted]

    def content(place: int) -> list[str]:
        return [*chain.from_iterable(_lines(shared[place], f"{examples[place].input}\n{examples[place].output}"))]

    def watched(place: int) -> list[str]:
        if place % _WATCHED_EVERY == 0:
            watch(place)
        return content(place)

    contents = map(watched, range(len(examples)))
    sought = [words if enough else [] for words, enough in zip(wanted, long, strict=True)]
    held: list[Match] = []
    for text, item, share, back in overlaps(contents, sought, [one if enough else [] for one, enough in zip(lengths, long, strict=True)]):
        judged = _judged(text, item, share, back, wanted[item], content, least[item])
        if judged is not None:
            held.append(judged)
    for match in _without_generic(held, wanted, len(examples)):
        _keep(best, match)
    if embeddings is not None and test_embeddings is not None:
        for match in _by_meaning(embeddings, test_embeddings, cosine):
            _keep(best, match)
    matches = tuple(best[place] for place in sorted(best))
    removed = tuple(match.example for match in matches if match.removed)
    return Leakage(
        examples=len(examples),
        items=len(items),
        matches=matches,
        removed=removed,
        items_found=len({match.item for match in matches if match.removed}),
        too_short=tuple(short),
        alike=alike,
        kinds=dict(Counter(match.kind for match in matches)),
    )


def _keep(best: dict[int, Match], match: Match) -> None:
    known = best.get(match.example)
    if known is None or (match.removed, match.score) > (known.removed, known.score):
        best[match.example] = match


def _lines(template: Template, text: str) -> list[list[str]]:
    return template.content_lines(_ENUMERATOR.sub(" ", unicodedata.normalize("NFKC", text)))


def _whole(examples: Sequence[Pair], items: Sequence[Pair], short: set[int]) -> list[Match]:
    """Examples whose input is an item's; where the item is short, only if few are."""
    sought: dict[str, int] = {}
    for place, item in enumerate(items):
        if key := normalised(item.input):
            sought.setdefault(key, place)
    found: dict[int, list[int]] = {}
    for place, example in enumerate(examples):
        item_found = sought.get(normalised(example.input))
        if item_found is not None:
            found.setdefault(item_found, []).append(place)
    matches = []
    for item_place, places in found.items():
        generic = item_place in short and len(places) > max(3, _GENERIC * len(examples))
        reason = f"the same input as item {item_place}"
        if generic:
            reason += f", too short to tell: {len(places)} examples have it"
        matches += [Match(place, item_place, "exact", 1.0, not generic, reason) for place in places]
    return matches


def _thresholds(wanted: Sequence[list[str]], lengths: Sequence[list[int]]) -> tuple[list[float], tuple[int, ...]]:
    """For each item the share of it that an example must hold, and the items found only whole."""
    firsts = {tuple(sorted(words)): place for place, words in reversed([*enumerate(wanted)])}
    distinct = sorted(firsts.values())
    nearest: dict[int, float] = {}
    sought = [wanted[place] for place in distinct]
    for text, item, share, back in overlaps(sought, sought, [lengths[place] for place in distinct], 0.2, skip_own=True):
        size, other = len(sought[item]), len(sought[text])
        nearest[item] = max(nearest.get(item, 0.0), share, back if 2 * other >= size else 0.0)
    siblings = {tuple(sorted(words)): nearest.get(at, 0.0) for at, words in enumerate(sought)}
    least = []
    alike = []
    for place, words in enumerate(wanted):
        size = len(words)
        usual = min(_NEAR[1], max(_NEAR[0], 1 - 4.5 / size)) if size >= _NEAR_FROM else 1.0
        sibling = siblings[tuple(sorted(words))]
        least.append(max(usual, sibling + _CLOSER * (1 - sibling)))
        if size >= _NEAR_FROM and least[-1] > 1 - 2 / size:
            alike.append(place)
    return least, tuple(alike)


def _judged(
    text: int, item: int, share: float, back: float, wanted: list[str], content: Callable[[int], list[str]], least: float
) -> Match | None:
    if share == 1.0 and _in_order(wanted, content(text)):
        return Match(text, item, "contained", 1.0, True, f"holds all of item {item}")
    if share == 1.0:
        return Match(text, item, "reordered", 1.0, True, f"holds all words of item {item}, in another order")
    if share >= least and _same_numbers(wanted, content(text)):
        reason = f"holds {share:.0%} of item {item}'s words, at least {least:.0%}"
        return Match(text, item, "near", round(share, 4), True, reason)
    if back >= max(least, 0.9) and len(words := content(text)) >= max(_NEAR_FROM, len(wanted) / 2):
        return Match(text, item, "part", round(back, 4), True, f"{back:.0%} of its {len(words)} words are a part of item {item}")
    return None


def _own_template(items: Sequence[Pair], shared: Sequence[Template]) -> Template:
    """The template of the items; of too few to have one, that template of the examples which covers most of them, for a plan that
    makes examples of the task gives them the test's form."""
    texts = [item.input for item in items]
    if own := template_of(texts):
        return own
    known = [*dict.fromkeys(template for template in shared if template)]
    return min(known, key=lambda one: sum(len(one.content(text)) for text in texts), default=NO_TEMPLATE)


def _without_generic(matches: list[Match], wanted: Sequence[list[str]], examples: int) -> Iterator[Match]:
    """The matches; those of a short item that stands in very many examples remove nothing."""
    counts = Counter(match.item for match in matches)
    for match in matches:
        count = counts[match.item]
        if len(wanted[match.item]) < _GENERIC_BELOW and count > max(10, _GENERIC * examples):
            reason = f"{match.reason}, too general to tell: {count} examples do"
            yield Match(match.example, match.item, match.kind, match.score, False, reason)
        else:
            yield match


def _same_numbers(wanted: list[str], content: list[str]) -> bool:
    """Whether three of four of the item's different numbers are found again: a sum with other numbers is another sum."""
    numbers = {word for word in wanted if word[0].isdigit()}
    return 4 * len(numbers & set(content)) >= 3 * len(numbers)


def _in_order(wanted: list[str], content: list[str]) -> bool:
    width = len(wanted)
    return any(content[at : at + width] == wanted for at, word in enumerate(content[: len(content) - width + 1]) if word == wanted[0])


def _by_meaning(embeddings: NDArray[np.float32], test_embeddings: NDArray[np.float32], cosine: float) -> list[Match]:
    import numpy as np

    found = []
    for first in range(0, len(embeddings), 4096):
        close = embeddings[first : first + 4096] @ test_embeddings.T
        for place, item in np.argwhere(close >= cosine):
            score = min(1.0, float(close[place, item]))
            reason = f"means the same as item {item}: cosine {score:.3f}"
            found.append(Match(first + int(place), int(item), "meaning", round(score, 4), True, reason))
    return found
