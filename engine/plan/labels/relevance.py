"""Whether a column's or value's name has anything to do with what a description speaks of, by stems, known meanings and loanwords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.plan.labels.cases import says, speaks
from engine.plan.labels.loanwords import sound_alike
from engine.plan.labels.words import folded, meanings, words_for

if TYPE_CHECKING:
    from models.embedding import Embedder

GENERIC = frozenset(
    "label labels target class gold answer output category binary truth value final true false coarse fine majority is has are was the of "
    "and original human annotation annotated annotator rater flag one two three first second third field data type status result any all "
    # what inputs are called, of any data set
    "question questions sentence sentences text texts tweet tweets review reviews comment comments word words message document article "
    "passage story dialogue conversation utterance title headline post email input context frage satz beitrag kommentar wort artikel "
    "phrase mot oración frase pregunta comentario вопрос предложение текст слово комментарий".split()
)
"""Words in names of columns that say nothing of what the column is about."""
_NEAR = 0.5
"""Cosine of a name and a description that are about one thing; unrelated ones reach 0.4 (all-MiniLM-L6-v2, English)."""


def telling_words(name: str) -> tuple[str, ...]:
    """The words of a name that say what it is about: "is_spam" → spam, "label_2" → none."""
    return tuple(word for word in folded(name).split() if word not in GENERIC and re.search(r"[^\W\d]{3}|[^\x00-\u024f\d]", word))


def stem_likeness(word: str, other: str) -> float:
    """How much of the longer word the common beginning is, if it is a stem; else 0."""
    common = 0
    for one, two in zip(word, other, strict=False):
        if one != two:
            break
        common += 1
    least = 4 if word.isascii() else 3
    longer = max(len(word), len(other))
    return common / longer if common >= least and common >= 0.55 * longer and common >= min(len(word), len(other)) - 3 else 0.0


def _same_stem(word: str, other: str) -> bool:
    """Closer than stem_likeness: "policy" is not told of where the text says "polite"."""
    shared = next((place for place, (one, two) in enumerate(zip(word, other, strict=False)) if one != two), min(len(word), len(other)))
    return stem_likeness(word, other) > 0 and (shared >= 6 or shared >= min(len(word), len(other)) - 1)


def told_of(word: str, text: str) -> str:
    """What in the folded text one word of a name has to do with; "" when nothing has."""
    if says(text, word):
        return word
    said = text.split()
    for other in said:
        if len(other) > 3 and _same_stem(word, other):
            return other
    for meaning in meanings(word):
        for known in words_for(meaning):
            if (len(known) > 2 or not known.isascii()) and speaks(text, known):
                return known
    return next((other for other in said if len(other) > 3 and len(word) > 3 and sound_alike(word, other)), "")


def concerns(name: str, description: str) -> tuple[str, ...]:
    """The words of the description that the telling words of a name have to do with."""
    text = folded(description)
    return tuple(found for word in telling_words(name) if (found := told_of(word, text)))


def near_in_meaning(name: str, description: str, language: str, embedder: Embedder | None) -> bool:
    """As an embedder of English sees it; False without one or for other languages."""
    if embedder is None or language[:2].lower() not in ("en", "") or not telling_words(name):
        return False
    near = embedder.embed([" ".join(telling_words(name)), description])
    return bool(float(near[0] @ near[1]) >= _NEAR)
