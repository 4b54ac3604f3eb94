"""Whether a description's words and the names in a data set are the same ones: by stem, by meaning, by the way programs shorten names."""

from __future__ import annotations

import re

from engine.plan.labels.loanwords import sound_alike
from engine.plan.labels.words import abbreviates, meanings, words_for
from engine.plan.structure.restrictions import Clause

SAYS_NOTHING = frozenset(
    (
        "true false yes no y n t f none null nan unknown other others misc train training test validation val dev na n a "
        "of the and in an to for on with by from or de la le der die das und et y en"
    ).split()
)
OF_ANY_TASK = frozenset(
    (
        "number numbers text texts word words sentence sentences question questions answer answers label labels name names "
        "output input letter letters line lines title titles option options list language english single multiple short long "
        "first second simple data value row rows item items write choice right wrong good bad one two three positive negative "
        "human user task type kind find get"
    ).split()
)
"""Words of so many descriptions that part of a value's name among them says nothing."""
COUNT_WORDS = frozenset("nbr num number count n nr anzahl nombre amount total size len length".split())


def spoken(word: str, clause: Clause) -> str:
    """The clause's word for a word of a column's name; "" when it has none."""
    found = next((other for other in clause.said.split() if alike(word, other) or sound_alike(word, other)), "")
    return found or next((other for meaning in meanings(word) for other in words_for(meaning) if speaks(clause.said, other)), "")


def alike(word: str, other: str) -> bool:
    """The same word, or two words of one stem."""
    if word == other:
        return True
    common = 0
    for one, two in zip(word, other, strict=False):
        if one != two:
            break
        common += 1
    if common >= 6 and common == min(len(word), len(other)):  # success, successfully
        return True
    return common >= (4 if word.isascii() else 3) and common >= 0.6 * max(len(word), len(other))


def speaks(text: str, word: str) -> bool:
    """A folded text holds a folded word or phrase, a long one also with an ending; anywhere where words are not set apart."""
    if len(word) < 2 or (len(word) < 3 and word.isascii()):
        return False
    if re.search(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]", word):
        return word in text
    ending = r"\w{0,3}" if len(word) >= 5 else "s?" if len(word) >= 4 else ""
    return re.search(rf"(?<!\w){re.escape(word)}{ending}(?!\w)", text) is not None


def shortens(word: str, other: str) -> bool:
    """A name as programs shorten it: ALTS for alternatives, GRT for Gerichte."""
    return 3 <= len(word) <= 5 and len(other) >= len(word) + 3 and word.isalpha() and abbreviates(word, other)
