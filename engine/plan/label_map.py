"""Which of the task's labels a column's values stand for, each with the reason; a value nothing points to is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.plan.label_cases import condition, gloss_of, leave_out, says, speaks
from engine.plan.label_words import AFFIRMING, DENYING, NEGATIONS, ORDER, abbreviates, folded, loose_meanings, meanings, words_for
from engine.plan.loanwords import sound_alike
from engine.plan.profile import ColumnProfile, as_number
from engine.plan.relevance import concerns, near_in_meaning, stem_likeness, telling_words
from engine.plan.vocabularies import stand_for
from engine.records import Task, Value

if TYPE_CHECKING:
    from models.embedding import Embedder

_TRUTHS = frozenset(("true", "false", "0", "1", "-1", "yes", "no", "y", "n", "t", "f"))
_SURE = 0.55
_MARGIN = 0.08


class LabelMap(Value):
    """Values as text → labels."""

    table: dict[str, str]
    reasons: tuple[str, ...]
    """One line an entry: value → label, and why."""
    truth: bool
    """The values only say true and false: what of, the column's name has to say."""
    left_out: tuple[str, ...]
    """Values that no label fits, most frequent first."""
    score: float
    """0 to 1: how sure the weakest entries are, less what labels or rows are missing."""
    covered: float
    """Share of the task's labels that some value maps to."""
    rows: float
    """Share of filled rows whose value maps."""


class _Match(Value):
    label: str
    score: float
    reason: str


def map_values(profile: ColumnProfile, task: Task, *, names: Sequence[str] = (), embedder: Embedder | None = None) -> LabelMap:
    """The task's labels for the values of a column with few values.

    `names` are class names of integers 0, 1, … ; they default to the column's own. A label map with a
    score of 0 has an empty table: nothing in this column says any two of the labels.
    """
    labels = task.output.labels
    values = list(profile.counts)
    shown = _shown(profile, names or profile.class_names)
    matches = _by_initials(_by_vocabulary(_by_words(values, shown, labels), shown, labels, task, profile.name), shown, labels)
    # Values that spell every label say more than a reading of the description's sentences.
    spelled = {match.label for match in matches.values()} == set(labels)
    described = {} if spelled else _named_in_description(profile, shown, task)
    if described:
        return _weigh(profile, shown, labels, described)
    matches = _grouped(matches, shown, task)
    unwanted = leave_out([shown[value] for value in values if value not in matches], task.description)
    wanted = [value for value in values if value in matches or shown[value] not in unwanted]
    if embedder is not None and task.language[:2].lower() in ("", "en"):
        matches = _by_meaning(matches, wanted, shown, labels, embedder)
    _complete(matches, wanted, labels, profile, shown)
    _catch_all(matches, wanted, labels, profile)
    if len({match.label for match in matches.values()}) < min(2, len(labels)):
        matches = (
            _truth(profile, shown, labels, task)
            or _poles(profile, shown, task)
            or _asked_about(profile, shown, task)
            or _decision(profile, shown, task, embedder)
        )
    return _weigh(profile, shown, labels, matches)


def match_names(names: Sequence[str], labels: Sequence[str], language: str = "") -> dict[str, str]:
    """Column names → the labels they are named after, where the wording leaves no doubt."""
    said = {name: " ".join(telling_words(name)) or name for name in names}
    found = {name: match.label for name, match in _by_words(list(names), said, labels).items()}
    return {name: label for name, (label, _) in stand_for(said, labels, language).items()} | found


def class_names_in(description: str, values: Sequence[str]) -> tuple[str, ...]:
    """Class names of 0, 1, … where a column's description lists them ("0 calm, 1 angry" or "0 = calm; 1 = angry")."""
    numbers = sorted(int(value) for value in values if value.isdigit())
    if not numbers or numbers != list(range(len(numbers))) or len(numbers) < 2:
        return ()
    found = re.findall(r"(?<![\w.])(\d{1,2})\s*(?:[:=–—-]|->|→|\bis\b|\bfor\b|\bmeans\b)?\s*[\"'(]?([^\W\d][^,;.()\n]*)", description)
    names = {int(number): name.strip(" \"')") for number, name in found}
    return tuple(names[number] for number in numbers) if all(number in names for number in numbers) else ()


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
        if _denies(no) and not _denies(yes):
            return yes, no
        if folded(no) in (f"not {folded(yes)}", f"non {folded(yes)}", f"un{folded(yes)}", f"in{folded(yes)}", f"no {folded(yes)}"):
            return yes, no
    return None


def _shown(profile: ColumnProfile, names: Sequence[str]) -> dict[str, str]:
    """What each value is called: its class name, else itself."""
    shown = {}
    for value in profile.counts:
        place = int(value) if value.isdigit() else -1
        shown[value] = names[place] if 0 <= place < len(names) else value
    return shown


def _by_words(values: Sequence[str], shown: dict[str, str], labels: Sequence[str]) -> dict[str, _Match]:
    """Each value's label by its own wording, where one label is clearly the nearest."""
    found = {}
    for value in values:
        scored = sorted((_likeness(shown[value], label) for label in labels), key=lambda match: -match.score)
        if scored and scored[0].score >= _SURE and (len(scored) == 1 or scored[0].score - scored[1].score >= _MARGIN):
            found[value] = _with_name(scored[0], value, shown[value])
    return found


def _with_name(match: _Match, value: str, name: str) -> _Match:
    return match if name == value else _Match(match.label, match.score, f"its class name is “{name}”; {match.reason}")


def _likeness(value: str, label: str) -> _Match:
    if value == label:
        return _Match(label, 1.0, "the same")
    plain, wanted = folded(value), folded(label)
    if not plain or not wanted:
        return _Match(label, 0.0, "")
    if plain == wanted or plain.replace(" ", "") == wanted.replace(" ", ""):
        return _Match(label, 0.98, "the same but for case and separators")
    words, goal = plain.split(), wanted.split()
    if set(words) == set(goal):
        return _Match(label, 0.95, "the same words")
    if _denies(plain) != _denies(wanted) and (set(words) < set(goal) or set(goal) < set(words)):
        return _Match(label, 0.0, "")
    common = meanings(value) & meanings(label)
    if common:
        return _Match(label, 0.92, f"both mean {sorted(common)[0]}")
    if len(min(words, goal, key=len)) and (set(words) <= set(goal) or set(goal) <= set(words)) and max(len(words), len(goal)) <= 4:
        return _Match(label, 0.88, "one is part of the other")
    if _denies(plain) != _denies(wanted):
        return _Match(label, 0.0, "")
    best = max((stem_likeness(word, other) for word in words for other in goal), default=0.0)
    if best:
        return _Match(label, 0.62 + 0.2 * best, "words of one stem")
    heard = max((sound_alike(word, other) for word in words for other in goal), default=0.0)
    if heard:
        return _Match(label, 0.85 * heard, "words that sound alike")
    short, long = plain.replace(" ", ""), [wanted.replace(" ", ""), *(word for meaning in meanings(label) for word in words_for(meaning))]
    if len(short) >= 2 and short.isalpha() and any(abbreviates(short, word) for word in long):
        return _Match(label, 0.72, "an abbreviation")
    if len(goal) > 1 and short == "".join(word[0] for word in goal):
        return _Match(label, 0.7, "its initials")
    return _Match(label, 0.0, "")


_MONTH = re.compile(r"month|monat|mois|\bmes\b|mese|mês|месяц|月|월|ay\b|bulan|mwezi|महीना|شهر", re.IGNORECASE)


def _by_vocabulary(found: dict[str, _Match], shown: dict[str, str], labels: Sequence[str], task: Task, column: str) -> dict[str, _Match]:
    """Signs, codes and names of one closed vocabulary; where it knows all labels, what only looks alike is dropped."""
    standing = stand_for(shown, labels, task.language)
    if not standing or (len(standing) < len(shown) and all(as_number(name) is not None for name in shown.values())):
        return found  # some numbers of a series are no signs
    if all(name.isdigit() for name in shown.values()) and "(months)" in next(iter(standing.values()))[1] and not _MONTH.search(column):
        return found
    kept = {value: match for value, match in found.items() if match.score >= 0.9}
    return {value: _Match(label, 0.92, reason) for value, (label, reason) in standing.items()} | kept


def _by_initials(found: dict[str, _Match], shown: dict[str, str], labels: Sequence[str]) -> dict[str, _Match]:
    """Single letters that are the first letters of all labels, one each, or the other way round."""
    names = list(shown.values())
    for short, long, turned in ((names, labels, False), (labels, names, True)):
        letters = [text.casefold() for text in short]
        begins = [folded(text)[:1] for text in long]
        if len(names) != len(labels) or any(len(text) != 1 or not text.isalpha() for text in letters):
            continue
        if any(len(folded(text)) < 3 for text in long) or sorted(letters) != sorted(begins) or len(set(letters)) != len(letters):
            continue
        of_letter = dict(zip(letters, short, strict=True)) if turned else dict(zip(begins, long, strict=True))
        fitting = {value: of_letter[(folded(name)[:1] if turned else name.casefold())] for value, name in shown.items()}
        return {value: _Match(label, 0.85, "its first letter, and so are the others'") for value, label in fitting.items()} | {
            value: match for value, match in found.items() if match.score >= 0.9
        }
    return found


def _grouped(found: dict[str, _Match], shown: dict[str, str], task: Task) -> dict[str, _Match]:
    """Values that the description counts to one label ("MONEY (markets and firms)", "letters and parcels both count as MAIL")."""
    labels = task.output.labels
    glosses = {label: text for label in labels if (text := gloss_of(label, labels, task.description))}
    result = dict(found)
    for value, name in shown.items():
        if value in found and found[value].score >= 0.9:
            continue
        told = {label: words for label, text in glosses.items() if (words := _counted(name, text))}
        if len(told) == 1:
            label, words = next(iter(told.items()))
            result[value] = _with_name(_Match(label, 0.86, f"the description puts “{words[0]}” under “{label}”"), value, name)
    return result


def _by_meaning(
    found: dict[str, _Match], values: Sequence[str], shown: dict[str, str], labels: Sequence[str], embedder: Embedder
) -> dict[str, _Match]:
    """Values wording says nothing about, by the nearest label's embedding where it is clearly the nearest."""
    open_values = [value for value in values if value not in found and re.search(r"[^\W\d]{3}", shown[value]) and not _denies(shown[value])]
    if not open_values or len(labels) < 2 or not all(re.search(r"[^\W\d]{3}", label) for label in labels):
        return found
    near = embedder.embed([folded(shown[value]) for value in open_values]) @ embedder.embed([folded(label) for label in labels]).T
    result = dict(found)
    for value, row in zip(open_values, near, strict=True):
        order = sorted(range(len(labels)), key=lambda place: -float(row[place]))
        best, second = float(row[order[0]]), float(row[order[1]])
        if best >= 0.55 and best - second >= 0.12:
            result[value] = _Match(labels[order[0]], min(0.8, best), f"nearest in meaning ({best:.2f}, next {second:.2f})")
    return result


def _counted(name: str, gloss: str) -> tuple[str, ...]:
    """The words of a gloss that a value's name has to do with; codes such as A1 count as words, numbers do not."""
    plain = folded(name)
    if plain and not plain.isdigit() and len(plain) > 1 and says(gloss, plain):
        return (plain,)
    return concerns(name, gloss)


def _complete(
    found: dict[str, _Match], values: Sequence[str], labels: Sequence[str], profile: ColumnProfile, shown: dict[str, str]
) -> None:
    """With as many values as labels, all but one of them mapped one to one, the last pair is what is left.

    Of two labels only where values or labels are each other's opposite: one sure value says nothing of what the other one is.
    """
    used = [match.label for match in found.values()]
    if len(values) != len(labels) or profile.distinct != len(shown) or len(found) != len(labels) - 1 or len(set(used)) != len(used):
        return
    if min((match.score for match in found.values()), default=0.0) < 0.7:
        return
    value = next(value for value in values if value not in found)
    label = next(label for label in labels if label not in used)
    if len(labels) == 2 and not opposites(*(shown[each] for each in values)) and not opposites(*labels) and affirming(labels) is None:
        return
    if not _opposed(shown[value], label):
        found[value] = _with_name(_Match(label, 0.62, "the only value and the only label left"), value, shown[value])


def _catch_all(found: dict[str, _Match], values: Sequence[str], labels: Sequence[str], profile: ColumnProfile) -> None:
    """A label that says "other", where every other label has its value: it takes what is left."""
    rest = [label for label in labels if folded(label) in _OTHER]
    if len(rest) != 1 or len(labels) < 3 or profile.distinct != len(profile.counts):
        return
    if {match.label for match in found.values() if match.score >= 0.8} < set(labels) - set(rest):
        return
    for value in values:
        if value not in found:
            found[value] = _Match(rest[0], 0.75, f"“{rest[0]}” is what no other label names")


_OTHER = frozenset(
    "other others misc miscellaneous rest else andere anderes sonstige sonstiges übrige autre autres divers otro otros otra "
    "outro outros altro altri другое прочее иное остальное 其他 其它 その他 기타 أخرى अन्य diğer lainnya nyingine inne övrigt".split()
) | {"something else"}


def _opposed(value: str, label: str) -> bool:
    """The two have known meanings, and they differ."""
    one, other = meanings(value), meanings(label)
    return bool(one) and bool(other) and not one & other


def _truth(profile: ColumnProfile, shown: dict[str, str], labels: Sequence[str], task: Task) -> dict[str, _Match]:
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
            plain[true]: _Match(pair[0], 0.8, f"{plain[true]} says that it holds"),
            plain[false]: _Match(pair[1], 0.8, f"{plain[false]} says that it does not"),
        }
    return _scale(profile, list(shown), labels, task) if all(value == name for value, name in shown.items()) else {}


_RATING = re.compile(
    r"^(.*_)?(label|target)$|star(s|\b|_)|rating|rated|\bscore|_score|grade|sentiment|polarity|valence|mood|\btone"
    r"|satisf|likert|bewertung|stern|stimmung"
    r"|étoile|évaluation|estrella|puntuaci|calific|valutazion|stelle|оцен|звезд|рейтинг|тональн|ocen|betyg|puan|nilai|ukadiriaji"
    r"|评分|星级|评级|評価|星|별점|평점|रेटिंग|تقييم",
    re.IGNORECASE,
)
"""What a column of ratings is called."""


def _named_by_column(profile: ColumnProfile, labels: Sequence[str]) -> tuple[str, str] | None:
    """The label the column is named after holds where the column is true."""
    alike = [label for label in labels if _likeness(profile.name, label).score >= _SURE]
    return (alike[0], next(label for label in labels if label != alike[0])) if len(alike) == 1 else None


def _scale(profile: ColumnProfile, values: Sequence[str], labels: Sequence[str], task: Task) -> dict[str, _Match]:
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
        found[number] = _Match(order[place], 0.66, f"{number} on a scale from {numbers[0]} to {numbers[-1]}")
    return found


def _ordered(labels: Sequence[str]) -> tuple[str, ...]:
    for order in ORDER:
        if len(order) != len(labels):
            continue
        placed = tuple(next((label for label in labels if meaning in meanings(label)), "") for meaning in order)
        if all(placed) and len(set(placed)) == len(placed):
            return placed
    return ()


def _decision(profile: ColumnProfile, shown: dict[str, str], task: Task, embedder: Embedder | None) -> dict[str, _Match]:
    """Values of which exactly one says "not", where the others, or the column, are named as what the question asks about."""
    labels = task.output.labels
    pair, values = affirming(labels), list(shown)
    denying = [value for value in values if _denies(shown[value])]
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
    yes = {value: _Match(pair[0], score, f"it stands against “{shown[denying[0]]}”, and {why[value]}") for value in others}
    return {denying[0]: _Match(pair[1], score, "it says that nothing of the kind is there"), **yes}


def _asked_for(name: str, asked: str, task: Task, embedder: Embedder | None) -> str:
    """In words, how a name is what the task asks about; "" when it is not."""
    words = concerns(name, asked)
    if words:
        return f"the task asks about “{words[0]}”"
    return f"“{folded(name)}” is near to the task in meaning" if near_in_meaning(name, task.description, task.language, embedder) else ""


def opposites(one: str, other: str) -> bool:
    """One of two names is the other with a syllable or word before it that turns it around."""
    return _turned(one, other) or _turned(other, one)


def _turned(turned: str, plain: str) -> bool:
    long, short = folded(turned), folded(plain)
    short = re.sub(r"^(pro|for|with)[ -]?(?=\w{4})", "", short)
    found = re.fullmatch(rf"({_TURNING}) ?(.+)", long)
    return found is not None and len(short) >= 4 and found.group(2) == short


_TURNING = "un|in|im|il|ir|dis|non|not|no|anti|contra|counter|mis|a|ab|de|without|nicht|kein|keine|не|без|анти|不|非|无|未"


def _poles(profile: ColumnProfile, shown: dict[str, str], task: Task) -> dict[str, _Match]:
    """Two values that are each other's opposite ("pro-war", "anti-war"), for a question that asks about the plain one."""
    pair, values = affirming(task.output.labels), list(shown)
    if pair is None or len(values) != 2 or profile.distinct != 2:
        return {}
    for plain, turned in (values, values[::-1]):
        if not _turned(shown[turned], shown[plain]):
            continue
        words = concerns(shown[plain], task.description)
        if not words or _TURNED_QUESTION.search(task.description):
            return {}
        reason = f"the question asks about “{words[0]}”"
        return {
            plain: _Match(pair[0], 0.74, reason),
            turned: _Match(pair[1], 0.74, f"{reason}, and this is the opposite of “{shown[plain]}”"),
        }
    return {}


_TURNED_QUESTION = re.compile(
    r"\b(against|free of|contradict\w*|oppos\w*|violat\w*|break\w*|contrary|unusual|un\w+typical|anti\w*|non|isn't"
    r"|doesn't|fails?|lacks?|missing|without"
    r"|gegen|widerspr\w*|verst[oö]ß\w*|kein\w*|contre|contredi\w*|contra|против\w*|наруша\w*)\b|(?<!or )\bnot\b|(?<!oder )\bnicht\b|反|违",
    re.IGNORECASE,
)
"""A question that may ask for the turned value; which of the two is then nobody's guess."""


def _named_in_description(profile: ColumnProfile, shown: dict[str, str], task: Task) -> dict[str, _Match]:
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
    named = [value for value in named if folded(shown[value]) not in (folded(yes), folded(no))]
    if not named or len(named) == len(shown):
        return {}
    by_name = any(says(text, word) or says(text, word.rstrip("s")) for word in folded(profile.name).split() if len(word) > 2)
    score = 0.9 if by_name else 0.72
    words = ", ".join(f"“{shown[value]}”" for value in named)
    yes_matches = {value: _Match(yes, score, "the description names it as the case for this label") for value in named}
    return yes_matches | {
        value: _Match(no, score, f"the description names only {words} for “{yes}”") for value in shown if value not in named
    }


def _named_for_each(shown: dict[str, str], clauses: dict[str, str]) -> dict[str, _Match]:
    """The description has a case for either label: only values that one of the two names, and the other does not, map.

    Of two values, the one no case names is the other case.
    """
    found: dict[str, _Match] = {}
    for value, name in shown.items():
        named = [label for label, text in clauses.items() if len(folded(name)) > 1 and not name.isdigit() and says(text, folded(name))]
        if len(named) == 1:
            found[value] = _Match(named[0], 0.8, "the description names it as the case for this label")
    if len(found) == 1 and len(shown) == 2 and len(clauses) == 2:
        value = next(value for value in shown if value not in found)
        label = next(label for label in clauses if label != next(iter(found.values())).label)
        found[value] = _Match(label, 0.66, "the other value is the case for this label")
    return found if len({match.label for match in found.values()}) == len(clauses) else {}


def _asked_about(profile: ColumnProfile, shown: dict[str, str], task: Task) -> dict[str, _Match]:
    """Of a few values, the one the question speaks of is the case for yes ("Is the word positive?", "Does it ask for the weather?")."""
    pair = affirming(task.output.labels)
    if pair is None or not 2 <= len(shown) <= 24 or profile.distinct > len(profile.counts):
        return {}
    if set(task.output.labels) != {"1", "0"} and not all(map(meanings, pair)):
        return {}
    said = folded(task.description)
    for label in task.output.labels:
        said = re.sub(rf"(?<!\w){re.escape(folded(label))}(?!\w)", " ", said)
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
        spoken = {value: " ".join(concerns(name, said)[:1]) for value, name in shown.items()}
    named = [value for value, word in spoken.items() if word]
    if len(named) != 1:
        return {}
    word = spoken[named[0]]
    others = {value: _Match(pair[1], 0.66, f"the question is about {word}") for value in shown if value != named[0]}
    return {named[0]: _Match(pair[0], 0.66, f"it means {word}, which the question is about"), **others}


def _is_name(text: str) -> bool:
    """A word or several, or a sign that there is none."""
    return len(re.findall(r"[^\W\d]", text)) >= 2 or text in ("0", "-", "") or _denies(text)


def _denies(text: str) -> bool:
    words = folded(text).split()
    return bool(words) and (words[0] in NEGATIONS or text.strip() in NEGATIONS or "no" in meanings(text))


def _weigh(profile: ColumnProfile, shown: dict[str, str], labels: Sequence[str], matches: dict[str, _Match]) -> LabelMap:
    used = {match.label for match in matches.values()}
    counted = sum(profile.counts.values())
    rows = sum(profile.counts[value] for value in matches) / counted if counted else 0.0
    left_out = tuple(value for value in profile.counts if value not in matches)
    needed = min(2, len(labels))
    if len(used) < needed:
        return LabelMap({}, (), False, tuple(profile.counts), 0.0, len(used) / len(labels) if labels else 0.0, rows)
    covered = len(used) / len(labels)
    sure = sum(match.score * profile.counts[value] for value, match in matches.items()) / max(
        1, sum(profile.counts[value] for value in matches)
    )
    reasons = tuple(f"{value} → {match.label}: {match.reason}" for value, match in matches.items())
    table = {value: match.label for value, match in matches.items()}
    truth = len(shown) == 2 and all(value.casefold() in _TRUTHS or meanings(value) & {"yes", "no"} for value in shown.values())
    # Labels without a value beside values without a label: they probably belong together, and the map is not whole.
    whole = rows if covered < 1 and left_out else 0.6 + 0.4 * min(1.0, rows / 0.8)
    return LabelMap(table, reasons, truth, left_out, sure * covered * whole, covered, rows)
