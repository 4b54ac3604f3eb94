"""Labels that answer a question (yes or no, how much) read off values that answer it in their own way, or off the description."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.plan.labels.cases import condition, says, speaks
from engine.plan.labels.matching import SURE, Match, affirming, denies, likeness, turns_around
from engine.plan.labels.relevance import concerns, near_in_meaning, telling_words
from engine.plan.labels.words import ORDER, folded, loose_meanings, meanings, words_for
from engine.plan.profile import ColumnProfile
from engine.records import Task

if TYPE_CHECKING:
    from models.embedding import Embedder


def truth(profile: ColumnProfile, shown: dict[str, str], labels: Sequence[str], task: Task) -> dict[str, Match]:
    """Truth values to a pair of labels of which one says that something holds; numbers in order to labels on a scale.

    Numbers that have class names are no truth values: the names say what they mean.
    """
    plain = {name.casefold(): value for value, name in shown.items()}
    pair = affirming(labels)
    if profile.distinct != len(shown) or len(plain) != len(shown):
        return {}
    for true, false in (("true", "false"), ("1", "0"), ("yes", "no"), ("y", "n"), ("t", "f"), ("1", "-1")):
        if set(plain) != {true, false}:
            continue
        if pair is None and len(labels) == 2:
            pair = _named_by_column(profile, labels)
        if pair is None:
            break
        return {
            plain[true]: Match(pair[0], 0.8, f"{plain[true]} says that it holds"),
            plain[false]: Match(pair[1], 0.8, f"{plain[false]} says that it does not"),
        }
    return _scale(profile, list(shown), labels, task) if all(value == name for value, name in shown.items()) else {}


_RATING = re.compile(
    r"star(s|\b|_)|rating|rated|\bscore|_score|grade|sentiment|polarity|valence|mood|\btone"
    r"|satisf|likert|bewertung|stern|stimmung"
    r"|étoile|évaluation|estrella|puntuaci|calific|valutazion|stelle|оцен|звезд|рейтинг|тональн|ocen|betyg|puan|nilai|ukadiriaji"
    r"|评分|星级|评级|評価|星|별점|평점|रेटिंग|تقييم",
    re.IGNORECASE,
)
"""What a column of ratings is called."""


def _named_by_column(profile: ColumnProfile, labels: Sequence[str]) -> tuple[str, str] | None:
    """The label the column is named after holds where the column is true."""
    alike = [label for label in labels if likeness(profile.name, label).score >= SURE]
    return (alike[0], next(label for label in labels if label != alike[0])) if len(alike) == 1 else None


def _scale(profile: ColumnProfile, values: Sequence[str], labels: Sequence[str], task: Task) -> dict[str, Match]:
    """Small numbers in order (stars, grades) to labels whose meanings lie on a scale; other numbers (counts, seasons) are no scale."""
    if not profile.numeric or profile.whole < 1 or not 2 <= len(values) <= 11:
        return {}
    if not _RATING.search(profile.name) and not _RATING.search(profile.description):
        return {}
    order = _ordered(labels)
    if not order:
        return {}
    if not meanings(order[0]) & {"negative"} and not concerns(profile.name, task.description):
        return {}  # stars are a tone; low or high of what, the column's name has to say
    numbers = sorted(values, key=float)
    low, high = float(numbers[0]), float(numbers[-1])
    if len(numbers) < 3 and not (low < 0 < high):
        return {}
    found = {}
    for number in numbers:
        share = (float(number) - low) / (high - low)
        place = min(len(order) - 1, int(share * len(order)))
        if len(order) == 2 and share == 0.5:
            continue
        if len(order) == 3:
            place = 1 if 0.4 <= share <= 0.6 else (0 if share < 0.5 else 2)
        found[number] = Match(order[place], 0.66, f"{number} on a scale from {numbers[0]} to {numbers[-1]}")
    return found


def _ordered(labels: Sequence[str]) -> tuple[str, ...]:
    for order in ORDER:
        if len(order) != len(labels):
            continue
        placed = tuple(next((label for label in labels if meaning in meanings(label)), "") for meaning in order)
        if all(placed) and len(set(placed)) == len(placed):
            return placed
    return ()


def named_in_description(profile: ColumnProfile, shown: dict[str, str], task: Task) -> dict[str, Match]:
    """ "yes when the emotion is joy, otherwise no": the values named stand for one label, all others for the other one."""
    pair = affirming(task.output.labels)
    if pair is None or profile.distinct > len(profile.counts) or not 2 <= len(shown) <= 60:
        return {}
    yes, no = pair
    clause, against = condition(task.description, yes, no), condition(task.description, no, yes)
    if not clause:
        clause, against, yes, no = against, clause, no, yes
    if not clause:
        return {}
    if against:
        return _named_for_each(shown, {yes: folded(clause), no: folded(against)})
    text = folded(clause)
    named = [value for value in shown if len(folded(shown[value])) > 1 and not shown[value].isdigit() and says(text, folded(shown[value]))]
    named = [value for value in named if folded(shown[value]) not in (folded(yes), folded(no)) and _worth_naming(shown[value], task)]
    if not named or len(named) == len(shown):
        return {}
    by_name = any(says(text, word) or says(text, word.rstrip("s")) for word in folded(profile.name).split() if len(word) > 2)
    score = 0.9 if by_name else 0.72
    words = ", ".join(f"“{shown[value]}”" for value in named)
    yes_matches = {value: Match(yes, score, "the description names it as the case for this label") for value in named}
    return yes_matches | {
        value: Match(no, score, f"the description names only {words} for “{yes}”") for value in shown if value not in named
    }


def _worth_naming(name: str, task: Task) -> bool:
    """Two letters are a word by chance ("it", "no") unless the description writes them as the column does, in capitals."""
    return len(folded(name)) > 2 or not name.isascii() or (name.isupper() and name in task.description.split())


def _named_for_each(shown: dict[str, str], clauses: dict[str, str]) -> dict[str, Match]:
    """The description has a case for either label: only values that one of the two names, and the other does not, map.

    Of two values, the one no case names is the other case.
    """
    found: dict[str, Match] = {}
    for value, name in shown.items():
        named = [label for label, text in clauses.items() if len(folded(name)) > 1 and not name.isdigit() and says(text, folded(name))]
        if len(named) == 1:
            found[value] = Match(named[0], 0.8, "the description names it as the case for this label")
    if len(found) == 1 and len(shown) == 2 and len(clauses) == 2:
        value = next(value for value in shown if value not in found)
        label = next(label for label in clauses if label != next(iter(found.values())).label)
        found[value] = Match(label, 0.66, "the other value is the case for this label")
    return found if len({match.label for match in found.values()}) == len(clauses) else {}


def poles(profile: ColumnProfile, shown: dict[str, str], task: Task) -> dict[str, Match]:
    """Two values that are each other's opposite ("pro-war", "anti-war"), for a question that asks about the plain one."""
    pair, values = affirming(task.output.labels), list(shown)
    if pair is None or len(values) != 2 or profile.distinct != 2:
        return {}
    for plain, turned in (values, values[::-1]):
        if not turns_around(shown[turned], shown[plain]):
            continue
        words = concerns(shown[plain], task.description)
        if not words or _TURNED_QUESTION.search(task.description):
            return {}
        reason = f"the question asks about “{words[0]}”"
        return {
            plain: Match(pair[0], 0.74, reason),
            turned: Match(pair[1], 0.74, f"{reason}, and this is the opposite of “{shown[plain]}”"),
        }
    return {}


_TURNED_QUESTION = re.compile(
    r"\b(against|free of|contradict\w*|oppos\w*|violat\w*|break\w*|contrary|unusual|un\w+typical|anti\w*|non|isn't"
    r"|doesn't|fails?|lacks?|missing|without"
    r"|gegen|widerspr\w*|verst[oö]ß\w*|kein\w*|contre|contredi\w*|contra|против\w*|наруша\w*)\b|(?<!or )\bnot\b|(?<!oder )\bnicht\b|反|违",
    re.IGNORECASE,
)
"""A question that may ask for the turned value; which of the two is then nobody's guess."""


_MANY = 24
"""With more values than these only a value the question names to the letter is taken for the one it asks about."""
_MOST_VALUES = 60


def asked_about(profile: ColumnProfile, shown: dict[str, str], task: Task) -> dict[str, Match]:
    """Of a few values, the one the question speaks of is the case for yes ("Is the word positive?", "Does it ask for the weather?")."""
    pair = affirming(task.output.labels)
    if pair is None or not 2 <= len(shown) <= _MOST_VALUES or profile.distinct > len(profile.counts):
        return {}
    if set(task.output.labels) != {"1", "0"} and "yes" not in meanings(pair[0]):
        return {}
    said = folded(task.description)
    for label in task.output.labels:
        apart = not re.search(r"[\u3040-\u9fff\uac00-\ud7af]", label)
        said = re.sub(rf"(?<!\w){re.escape(folded(label))}(?!\w)" if apart else re.escape(folded(label)), " ", said)
    if _TURNED_QUESTION.search(said) or not all(_is_name(name) for name in shown.values()):
        return {}
    known = {value: loose_meanings(name) for value, name in shown.items()}
    spoken = {
        value: next(
            (word for meaning in sorted(means) if any(speaks(said, word) for word in words_for(meaning)) for word in (meaning,)), ""
        )
        for value, means in known.items()
    }
    if sum(bool(means) for means in known.values()) * 2 < len(known) or sum(map(bool, spoken.values())) != 1:
        spoken = {value: "" if denies(name) else _spoken_of(name, said) for value, name in shown.items()}
    named = [value for value, word in spoken.items() if word and (len(shown) <= _MANY or folded(shown[value]) in said.split())]
    if len(named) != 1:
        return {}
    word = spoken[named[0]]
    others = {value: Match(pair[1], 0.66, f"the question is about {word}") for value in shown if value != named[0]}
    return {named[0]: Match(pair[0], 0.66, f"it means {word}, which the question is about"), **others}


def _spoken_of(name: str, said: str) -> str:
    """What of the question a value's name has to do with: all its words, or one of them to the letter ("GetWeather")."""
    words = concerns(name, said)
    if len(words) == len(telling_words(name)) or any(word in folded(name).split() for word in words):
        return " ".join(words)
    return ""


def _is_name(text: str) -> bool:
    """A word or several, or a sign that there is none."""
    return len(re.findall(r"[^\W\d]", text)) >= 2 or text in ("0", "-", "") or denies(text)


def decision(profile: ColumnProfile, shown: dict[str, str], task: Task, embedder: Embedder | None) -> dict[str, Match]:
    """Values of which exactly one says "not", where the others, or the column, are named as what the question asks about."""
    labels = task.output.labels
    pair, values = affirming(labels), list(shown)
    denying = [value for value in values if denies(shown[value])]
    if pair is None or len(denying) != 1 or not 2 <= len(values) <= 8 or profile.distinct != len(values) or profile.steps:
        return {}
    others = [value for value in values if value != denying[0]]
    if any(len(re.findall(r"[^\W\d]", shown[value])) < 3 for value in others):
        return {}
    if "negative" in meanings(pair[1]):
        return {}  # a tone, not a yes or no: what is nothing of the kind is not therefore negative
    asked = f"{task.description} {' '.join(labels)}"
    why = {value: _asked_for(shown[value], asked, task, embedder) or _asked_for(profile.name, asked, task, embedder) for value in others}
    if not all(why.values()):
        return {}
    score = 0.68 if len(values) == 2 else 0.57
    yes = {value: Match(pair[0], score, f"it stands against “{shown[denying[0]]}”, and {why[value]}") for value in others}
    return {denying[0]: Match(pair[1], score, "it says that nothing of the kind is there"), **yes}


def _asked_for(name: str, asked: str, task: Task, embedder: Embedder | None) -> str:
    """In words, how a name is what the task asks about; "" when it is not."""
    words = concerns(name, asked)
    if words:
        return f"the task asks about “{words[0]}”"
    return f"“{folded(name)}” is near to the task in meaning" if near_in_meaning(name, task.description, task.language, embedder) else ""
