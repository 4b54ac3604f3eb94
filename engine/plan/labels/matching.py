"""How alike a value's name and a label are by their wording, and which of two labels says that something holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.plan.labels.loanwords import sound_alike
from engine.plan.labels.relevance import stem_likeness
from engine.plan.labels.words import AFFIRMING, DENYING, NEGATIONS, abbreviates, folded, meanings, words_for
from engine.plan.profile import as_number
from engine.records import Value

SURE = 0.55
"""Likeness from which two names are taken for one."""
_MARGIN = 0.08


class Match(Value):
    """A label for a value: how sure (0 to 1), and why in words."""

    label: str
    score: float
    reason: str


def by_words(values: Sequence[str], shown: dict[str, str], labels: Sequence[str]) -> dict[str, Match]:
    """Each value's label by its own wording, where one label is clearly the nearest."""
    found = {}
    for value in values:
        scored = sorted((likeness(shown[value], label) for label in labels), key=lambda match: -match.score)
        if scored and scored[0].score >= SURE and (len(scored) == 1 or scored[0].score - scored[1].score >= _MARGIN):
            found[value] = with_name(scored[0], value, shown[value])
    return found


def with_name(match: Match, value: str, name: str) -> Match:
    """The match, saying which class name it rests on where the value is a number."""
    return match if name == value else Match(match.label, match.score, f"its class name is “{name}”; {match.reason}")


def likeness(value: str, label: str) -> Match:
    """How much a value's name is like a label, with 0 for nothing."""
    if value == label:
        return Match(label, 1.0, "the same")
    plain, wanted = folded(value), folded(label)
    if not plain or not wanted:
        return Match(label, 0.0, "")
    if plain == wanted or plain.replace(" ", "") == wanted.replace(" ", ""):
        return Match(label, 0.98, "the same but for case and separators")
    if as_number(label) is not None and not _same_number(value, label):
        return Match(label, 0.0, "")
    words, goal = plain.split(), wanted.split()
    if set(words) == set(goal):
        return Match(label, 0.95, "the same words")
    if denies(plain) != denies(wanted) and (set(words) < set(goal) or set(goal) < set(words)):
        return Match(label, 0.0, "")
    common = meanings(value) & meanings(label)
    if common:
        return Match(label, 0.92, f"both mean {sorted(common)[0]}")
    if len(min(words, goal, key=len)) and (set(words) <= set(goal) or set(goal) <= set(words)) and max(len(words), len(goal)) <= 4:
        return Match(label, 0.88, "one is part of the other")
    if denies(plain) != denies(wanted):
        return Match(label, 0.0, "")
    best = max((stem_likeness(word, other) for word in words for other in goal), default=0.0)
    if best:
        return Match(label, 0.62 + 0.2 * best, "words of one stem")
    heard = max((sound_alike(word, other) for word in words for other in goal), default=0.0)
    if heard:
        return Match(label, 0.85 * heard, "words that sound alike")
    short, long = plain.replace(" ", ""), [wanted.replace(" ", ""), *(word for meaning in meanings(label) for word in words_for(meaning))]
    if len(short) >= 2 and short.isalpha() and any(abbreviates(short, word) for word in long):
        return Match(label, 0.72, "an abbreviation")
    if len(goal) > 1 and short == "".join(word[0] for word in goal):
        return Match(label, 0.7, "its initials")
    return Match(label, 0.0, "")


def _same_number(value: str, label: str) -> bool:
    """A label that is a number: the value is it too, or begins with it and says of what ("4 stars")."""
    found = re.fullmatch(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*[^\W\d]{2,}\.?\s*", value)
    number = as_number(found.group(1) if found else value)
    return number is not None and number == as_number(label)


def affirming(labels: Sequence[str], description: str = "") -> tuple[str, str] | None:
    """The label of two that says a property holds, then the one that says it does not; None when neither is plain."""
    if len(labels) != 2:
        return None
    if set(labels) == {"1", "0"}:
        return "1", "0"
    for yes, no in (labels, tuple(reversed(labels))):
        means_yes, means_no = meanings(yes), meanings(no)
        for one, other in zip(AFFIRMING, DENYING, strict=True):
            if one in means_yes and other in means_no:
                return yes, no
    for yes, no in (labels, tuple(reversed(labels))):
        if denies(no) and not denies(yes):
            return yes, no
        if folded(no) in (f"not {folded(yes)}", f"non {folded(yes)}", f"un{folded(yes)}", f"in{folded(yes)}", f"no {folded(yes)}"):
            return yes, no
    return None


def denies(text: str) -> bool:
    """Whether a name says that something is absent: "none", "not spam", "other"."""
    words = folded(text).split()
    return bool(words) and (words[0] in NEGATIONS or text.strip() in NEGATIONS or "no" in meanings(text))


def opposites(one: str, other: str) -> bool:
    """One of two names is the other with a syllable or word before it that turns it around."""
    return turns_around(one, other) or turns_around(other, one)


def turns_around(turned: str, plain: str) -> bool:
    """Whether the first name is the second one turned around ("unclear" and "clear", "anti-war" and "pro-war")."""
    long, short = folded(turned), folded(plain)
    short = re.sub(r"^(pro|for|with)[ -]?(?=\w{4})", "", short)
    found = re.fullmatch(rf"({_TURNING}) ?(.+)", long)
    return found is not None and len(short) >= 4 and found.group(2) == short


_TURNING = "un|in|im|il|ir|dis|non|not|no|anti|contra|counter|mis|a|ab|de|without|nicht|kein|keine|не|без|анти|不|非|无|未"


def opposed(value: str, label: str) -> bool:
    """The two have known meanings, and they differ."""
    one, other = meanings(value), meanings(label)
    return bool(one) and bool(other) and not one & other
