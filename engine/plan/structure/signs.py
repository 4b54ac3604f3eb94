"""Signs that all the examples' outputs have and what was made has not, or the reverse: "=", brackets, bars, digits, line breaks."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

_LEAST = 8
_HARDLY = 0.05
_ENDS = frozenset(".!?。！？।؟…'\"`")
"""Ends of sentences are measured with the form; quotation marks and apostrophes are a matter of who types."""
_WEAK = frozenset(",-、")
_SAME = str.maketrans({"，": ",", "：": ":", "；": ";", "–": "-", "—": "-", "−": "-", "（": "(", "）": ")", "’": "'", "‘": "'"})
_SAME |= str.maketrans(dict.fromkeys("“”„«»", '"'))
_DIGIT, _BREAK = "a digit", "a line break"
_LACKING = {_DIGIT: 0.4, **dict.fromkeys(_WEAK, 0.5)}
_COST = 0.3
_COST_OF_MORE = 0.5


def sign_gaps(outputs: Sequence[str], shown: Sequence[str]) -> list[tuple[float, str]]:
    """(factor below 1, why in words) where a sign is in every example and in hardly any output made, or in all made and no example.

    One example alone says nothing; a sign that all made ones have counts only where these are not far longer than the examples.
    """
    made = [_signs(text) for text in outputs if text.strip()]
    asked = [_signs(text) for text in shown if text.strip()]
    if len(made) < _LEAST or len(asked) < 2:
        return []
    shares = Counter(sign for signs in made for sign in signs)
    lacking = [sign for sign in frozenset.intersection(*asked) if shares[sign] < _HARDLY * len(made)]
    if lacking:
        worst = min(lacking, key=lambda sign: (_LACKING.get(sign, _COST), sign))
        return [(_LACKING.get(worst, _COST), f"all the examples' outputs have {_named(worst)}, hardly any of these has")]
    known = frozenset.union(*asked)
    more = sorted(
        sign for sign, count in shares.items() if count > (1 - _HARDLY) * len(made) and sign not in known | _WEAK and sign != _BREAK
    )
    if more and statistics.median(map(len, outputs)) <= 3 * statistics.median(map(len, shown)):
        return [(_COST_OF_MORE, f"nearly all of these outputs have {_named(more[0])}, no example has")]
    return []


def _signs(text: str) -> frozenset[str]:
    plain = text.strip().translate(_SAME)
    found = {letter for letter in plain if not (letter.isalnum() or letter.isspace()) and letter.isprintable() and not _joins(letter)}
    found -= _ENDS
    if any(letter.isdigit() for letter in plain):
        found.add(_DIGIT)
    if "\n" in plain:
        found.add(_BREAK)
    return frozenset(found)


def _joins(letter: str) -> bool:
    """A mark that belongs to a letter, as in Devanagari or Thai."""
    import unicodedata

    return unicodedata.category(letter).startswith("M")


def _named(sign: str) -> str:
    return sign if sign in (_DIGIT, _BREAK) else f"“{sign}”"
