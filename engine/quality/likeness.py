"""How alike two answers in free text are, by words and by characters."""

from __future__ import annotations

from collections import Counter

from engine.quality.near_duplicates import rouge_l
from engine.quality.words import normalised, tokens

_ORDER = 6
_BETA = 2


def token_f1(one: str, other: str) -> float:
    """Harmonic mean of precision and recall of tokens, in any order (as in SQuAD, Rajpurkar et al. 2016); 1 for two without tokens."""
    ours, theirs = Counter(tokens(one)), Counter(tokens(other))
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())


def chrf(answer: str, reference: str) -> float:
    """Character n-gram F-score, 0 to 1: n from 1 to 6, as far as both are that long; recall counts twice, white space is left out.

    chrF2 (Popović 2015).
    """
    ours, theirs = "".join(answer.split()), "".join(reference.split())
    if not ours or not theirs:
        return float(ours == theirs)
    precision = recall = 0.0
    orders = 0
    for size in range(1, _ORDER + 1):
        mine, wanted = _ngrams(ours, size), _ngrams(theirs, size)
        if not mine or not wanted:
            break
        same = (mine & wanted).total()
        precision += same / mine.total()
        recall += same / wanted.total()
        orders += 1
    precision, recall = precision / orders, recall / orders
    together = _BETA**2 * precision + recall
    return (1 + _BETA**2) * precision * recall / together if together else 0.0


def likeness(answer: str, reference: str) -> float:
    """Mean of token F1, ROUGE-L and chrF; 1 for the same tokens in the same order."""
    if normalised(answer) == normalised(reference):
        return 1.0
    return (token_f1(answer, reference) + rouge_l(answer, reference) + chrf(answer, reference)) / 3


def _ngrams(text: str, size: int) -> Counter[str]:
    return Counter(text[place : place + size] for place in range(len(text) - size + 1))
