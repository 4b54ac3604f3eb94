"""Whether examples are in the task's language. Code, numbers, labels and names have none: of those nothing is told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from engine.plan.profile import script_of
from engine.plan.text_language import SCRIPTS, likelihoods, primary_code
from engine.quality.pairs import Verdict, Watch, unwatched
from engine.records import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SCRIPT_OF = {code: script for script, codes in SCRIPTS.items() for code in codes.split()}
_ALSO = {"ja": ("CJK",), "ko": ("CJK",), "sr": ("LATIN",), "mn": (), "kk": ("LATIN",)}
"""Other scripts a language is written in."""
_LEAST_LETTERS = 6
_HALVES_FROM = 80
"""Letters from which both halves of a text are looked at."""
_SHARPER = 3
_DOUBT = 0.4
"""As likely as this, the expected language is not ruled out."""
_CODE = re.compile(
    r"[{};]\s*$|^\s*(?:def|class|import|from|return|for|if|while|print)\b.*[:(]|[=!<>]=|\w\(.*\)\s*[:;{]|\w+/\w+/\w+|<\w+[^>]*>", re.M
)
_LINK = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\w+|[@#]\w+")
_EXPECTED_AT_LEAST = 0.3
_EVERY_LANGUAGE_AT_LEAST = 1e-4


class Languages(Value):
    """What languages texts are in, held against one expected."""

    expected: str
    examples: int
    in_language: int
    other: int
    mixed: int
    not_told: int
    found: dict[str, int]
    """Language (or script, for letters of none expected) → texts it was told of, most first."""
    verdicts: tuple[Verdict, ...]


def check_languages(
    texts: Sequence[str],
    expected: str = "en",
    *,
    labels: Collection[str] = (),
    keep_mixed: bool = True,
    halves: bool = True,
    watch: Watch = unwatched,
) -> Languages:
    """The language of every text, held against the expected one; texts in another are out.

    Texts are judged together: how frequent each language is among them is estimated first (as in Saerens et al. 2002, Adjusting the
    outputs of a classifier to new a priori probabilities, with at least 0.3 for the expected one), which is what tells "No, no!" in a
    set of English from one in a set of Spanish. `labels` are words that count as no language. Without `halves` no text is found to be
    mixed, which takes half the time. Raises BadInput for a language that cannot be recognised.
    """
    expected = primary_code(expected)
    known = {label.strip().casefold() for label in labels}
    bare = [_LINK.sub(" ", text[:4000]).strip() for text in texts]
    untold = [_untold(text, expected, known) for text in bare]
    foreign = ["" if untold[place] else _foreign_script(text, expected) for place, text in enumerate(bare)]
    asked = [place for place in range(len(texts)) if not untold[place] and not foreign[place]]
    long = [place for place in asked if halves and sum(map(str.isalpha, bare[place])) >= _HALVES_FROM]
    parts = [bare[place] for place in asked] + [part for place in long for part in _halves(bare[place])]
    told = _told(likelihoods(parts, expected, watch), len(asked), expected)
    whole = dict(zip(asked, told, strict=False))
    twos = {place: (told[len(asked) + 2 * at], told[len(asked) + 2 * at + 1]) for at, place in enumerate(long)}
    verdicts = []
    found: Counter[str] = Counter()
    for place in range(len(texts)):
        if untold[place]:
            verdicts.append(Verdict(place, True, "not told", untold[place]))
        elif foreign[place]:
            found[foreign[place]] += 1
            verdicts.append(Verdict(place, False, "other", f"{foreign[place]} letters, in which {expected} is not written", score=1.0))
        else:
            verdict = _verdict(place, expected, *whole[place], twos.get(place), keep_mixed)
            if verdict.kind != "not told":
                found[whole[place][0]] += 1
            verdicts.append(verdict)
    kinds = Counter(one.kind for one in verdicts)
    return Languages(
        expected=expected,
        examples=len(texts),
        in_language=kinds[""],
        other=kinds["other"],
        mixed=kinds["mixed"],
        not_told=kinds["not told"],
        found=dict(found.most_common()),
        verdicts=tuple(verdicts),
    )


def _untold(text: str, expected: str, labels: set[str]) -> str:
    """Why nothing can be told of a text; "" where something can."""
    letters = sum(map(str.isalpha, text))
    others = sum(not letter.isspace() for letter in text) - letters
    if not letters:
        return "no letters"
    if text.casefold() in labels:
        return "a label"
    own = _SCRIPT_OF.get(expected, "LATIN")
    if script_of([text]) != own and own != "JAPANESE":
        return "" if letters >= 2 and others <= 3 * letters else "too few letters"
    if own not in ("LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI"):
        return ""
    if letters < _LEAST_LETTERS:
        return "too few letters"
    if others > letters:
        return "mostly numbers and signs"
    if _CODE.search(text):
        return "looks like code or a path"
    words = list(re.findall(r"[^\W\d_]+", text))
    if len(words) < 2:
        return "a single word"
    if len(words) <= 4 and all(word[0].isupper() for word in words) and not text.rstrip().endswith(("?", "!", ".")):
        return "looks like a name"
    return ""


def _foreign_script(text: str, expected: str) -> str:
    """The script of most letters where the expected language is not written in it; "" else."""
    script = script_of([text])
    own = (_SCRIPT_OF.get(expected, "LATIN"), *_ALSO.get(expected, ()))
    return "" if script in own else ("Chinese" if script == "CJK" else script.capitalize())


def _halves(text: str) -> tuple[str, str]:
    middle = max(text.find(" ", len(text) // 2), len(text) // 2)
    return text[:middle], text[middle:]


def _told(likely: list[dict[str, float]], wholes: int, expected: str) -> list[tuple[str, float, float]]:
    """For each text the likeliest language, how likely it is, and how likely the expected one, frequencies of the first `wholes`
    texts taken into account."""
    import numpy as np

    codes = sorted({expected, *(code for one in likely for code in one)})
    own = codes.index(expected)
    table = np.array([[one.get(code, 0.0) for code in codes] for one in likely]).reshape(len(likely), len(codes))
    # lingua's figures for short texts are flatter than its answers are wrong: squared, they are about right.
    table = np.maximum(table, _EVERY_LANGUAGE_AT_LEAST) ** _SHARPER
    often = _frequencies(table[:wholes], own)
    posterior = table * often
    posterior /= posterior.sum(axis=1, keepdims=True)
    best = posterior.argmax(axis=1)
    return [
        (codes[at], float(row[at]), float(row[own])) if likely[place] else ("", 0.0, 0.0)
        for place, (row, at) in enumerate(zip(posterior, best, strict=True))
    ]


def _frequencies(table: NDArray[np.float64], own: int) -> NDArray[np.float64]:
    import numpy as np

    languages = table.shape[1]
    often = np.full(languages, 1 / languages)
    for _ in range(20):
        shares = table * often
        shares /= shares.sum(axis=1, keepdims=True)
        often = (shares.sum(axis=0) + 0.5) / (len(table) + 0.5 * languages)
        often[own] = max(often[own], _EXPECTED_AT_LEAST)
        often /= often.sum()
    return often


def _verdict(
    place: int,
    expected: str,
    code: str,
    sure: float,
    own: float,
    twos: tuple[tuple[str, float, float], tuple[str, float, float]] | None,
    keep_mixed: bool,
) -> Verdict:
    if not code:
        return Verdict(place, True, "not told", "no language stands out")
    if twos is not None:
        (first, surely, _), (second, also, _) = twos
        if first != second and expected in (first, second) and min(surely, also) >= 0.95:
            return Verdict(place, keep_mixed, "mixed", f"one half is in {first}, the other in {second}", score=round(own, 3))
    if code == expected:
        return Verdict(place, True, score=round(own, 3))
    if own >= _DOUBT:
        return Verdict(place, True, "not told", f"{code} or {expected}: neither stands out", score=round(own, 3))
    return Verdict(place, False, "other", f"in {code}, not in {expected}", score=round(sure, 3))
