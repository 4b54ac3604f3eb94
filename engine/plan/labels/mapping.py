"""Which of the task's labels a column's values stand for, each with the reason; a value nothing points to is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.plan.labels.cases import gloss_of, leave_out, says
from engine.plan.labels.matching import Match, affirming, by_words, denies, opposed, opposites, with_name
from engine.plan.labels.questions import asked_about, decision, named_in_description, poles, truth
from engine.plan.labels.relevance import concerns, telling_words
from engine.plan.labels.vocabularies import stand_for
from engine.plan.labels.words import folded, meanings
from engine.plan.profile import ColumnProfile, as_number
from engine.records import Task, Value

if TYPE_CHECKING:
    from models.embedding import Embedder

__all__ = ["LabelMap", "affirming", "class_names_in", "map_values", "match_names"]

_TRUTHS = frozenset(("true", "false", "0", "1", "-1", "yes", "no", "y", "n", "t", "f"))


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


def map_values(profile: ColumnProfile, task: Task, *, names: Sequence[str] = (), embedder: Embedder | None = None) -> LabelMap:
    """The task's labels for the values of a column with few values.

    `names` are class names of integers 0, 1, … ; they default to the column's own. A label map with a
    score of 0 has an empty table: nothing in this column says any two of the labels.
    """
    labels = task.output.labels
    values = list(profile.counts)
    shown = _shown(profile, names or profile.class_names)
    matches = _by_initials(_by_vocabulary(by_words(values, shown, labels), shown, labels, task, profile.name), shown, labels)
    # Values that spell every label say more than a reading of the description's sentences.
    spelled = {match.label for match in matches.values()} == set(labels)
    described = {} if spelled else named_in_description(profile, shown, task)
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
            truth(profile, shown, labels, task)
            or poles(profile, shown, task)
            or asked_about(profile, shown, task)
            or decision(profile, shown, task, embedder)
        )
    return _weigh(profile, shown, labels, matches)


def match_names(names: Sequence[str], labels: Sequence[str], language: str = "") -> dict[str, str]:
    """Column names → the labels they are named after, where the wording leaves no doubt."""
    said = {name: " ".join(telling_words(name)) or name for name in names}
    found = {name: match.label for name, match in by_words(list(names), said, labels).items()}
    return {name: label for name, (label, _) in stand_for(said, labels, language).items()} | found


def class_names_in(description: str, values: Sequence[str]) -> tuple[str, ...]:
    """Class names of 0, 1, … where a column's description lists them ("0 calm, 1 angry" or "0 = calm; 1 = angry")."""
    numbers = sorted(int(value) for value in values if value.isdigit())
    if not numbers or numbers != list(range(len(numbers))) or len(numbers) < 2:
        return ()
    found = re.findall(r"(?<![\w.])(\d{1,2})\s*(?:[:=–—-]|->|→|\bis\b|\bfor\b|\bmeans\b)?\s*[\"'(]?([^\W\d][^,;.()\n]*)", description)
    names = {int(number): name.strip(" \"')") for number, name in found}
    return tuple(names[number] for number in numbers) if all(number in names for number in numbers) else ()


def _shown(profile: ColumnProfile, names: Sequence[str]) -> dict[str, str]:
    """What each value is called: its class name, else itself."""
    shown = {}
    for value in profile.counts:
        place = int(value) if value.isdigit() else -1
        shown[value] = names[place] if 0 <= place < len(names) else value
    return shown


_MONTH = re.compile(r"month|monat|mois|\bmes\b|mese|mês|месяц|月|월|ay\b|bulan|mwezi|महीना|شهر", re.IGNORECASE)


def _by_vocabulary(found: dict[str, Match], shown: dict[str, str], labels: Sequence[str], task: Task, column: str) -> dict[str, Match]:
    """Signs, codes and names of one closed vocabulary; where it knows all labels, what only looks alike is dropped."""
    standing = stand_for(shown, labels, task.language)
    if not standing or (len(standing) < len(shown) and all(as_number(name) is not None for name in shown.values())):
        return found  # some numbers of a series are no signs
    counted = all(name.isdigit() for name in shown.values())
    said = next(iter(standing.values()))[1]
    if counted and (("(months)" in said and not _MONTH.search(column)) or "(places in a row)" in said):
        return found  # what numbers count, and from where, their column has to say
    kept = {value: match for value, match in found.items() if match.score >= 0.9}
    return {value: Match(label, 0.92, reason) for value, (label, reason) in standing.items()} | kept


def _by_initials(found: dict[str, Match], shown: dict[str, str], labels: Sequence[str]) -> dict[str, Match]:
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
        return {value: Match(label, 0.85, "its first letter, and so are the others'") for value, label in fitting.items()} | {
            value: match for value, match in found.items() if match.score >= 0.9
        }
    return found


def _grouped(found: dict[str, Match], shown: dict[str, str], task: Task) -> dict[str, Match]:
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
            result[value] = with_name(Match(label, 0.86, f"the description puts “{words[0]}” under “{label}”"), value, name)
    return result


def _by_meaning(
    found: dict[str, Match], values: Sequence[str], shown: dict[str, str], labels: Sequence[str], embedder: Embedder
) -> dict[str, Match]:
    """Values wording says nothing about, by the nearest label's embedding where it is clearly the nearest."""
    open_values = [value for value in values if value not in found and re.search(r"[^\W\d]{3}", shown[value]) and not denies(shown[value])]
    if not open_values or len(labels) < 2 or not all(re.search(r"[^\W\d]{3}", label) for label in labels):
        return found
    near = embedder.embed([folded(shown[value]) for value in open_values]) @ embedder.embed([folded(label) for label in labels]).T
    result = dict(found)
    for value, row in zip(open_values, near, strict=True):
        order = sorted(range(len(labels)), key=lambda place: -float(row[place]))
        best, second = float(row[order[0]]), float(row[order[1]])
        if best >= 0.55 and best - second >= 0.12:
            result[value] = Match(labels[order[0]], min(0.8, best), f"nearest in meaning ({best:.2f}, next {second:.2f})")
    return result


def _counted(name: str, gloss: str) -> tuple[str, ...]:
    """The words of a gloss that a value's name has to do with; codes such as A1 count as words, numbers do not."""
    plain = folded(name)
    if plain and not plain.isdigit() and len(plain) > 1 and says(gloss, plain):
        return (plain,)
    return concerns(name, gloss)


def _complete(found: dict[str, Match], values: Sequence[str], labels: Sequence[str], profile: ColumnProfile, shown: dict[str, str]) -> None:
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
    if not opposed(shown[value], label):
        found[value] = with_name(Match(label, 0.62, "the only value and the only label left"), value, shown[value])


def _catch_all(found: dict[str, Match], values: Sequence[str], labels: Sequence[str], profile: ColumnProfile) -> None:
    """A label that says "other", where every other label has its value: it takes what is left."""
    rest = [label for label in labels if folded(label) in _OTHER]
    if len(rest) != 1 or len(labels) < 3 or profile.distinct != len(profile.counts):
        return
    if {match.label for match in found.values() if match.score >= 0.8} < set(labels) - set(rest):
        return
    for value in values:
        if value not in found:
            found[value] = Match(rest[0], 0.75, f"“{rest[0]}” is what no other label names")


_OTHER = frozenset(
    "other others misc miscellaneous rest else andere anderes sonstige sonstiges übrige autre autres divers otro otros otra "
    "outro outros altro altri другое прочее иное остальное 其他 其它 その他 기타 أخرى अन्य diğer lainnya nyingine inne övrigt".split()
) | {"something else"}


def _weigh(profile: ColumnProfile, shown: dict[str, str], labels: Sequence[str], matches: dict[str, Match]) -> LabelMap:
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
    says_truth = len(shown) == 2 and all(value.casefold() in _TRUTHS or meanings(value) & {"yes", "no"} for value in shown.values())
    # Labels without a value beside values without a label: they probably belong together, and the map is not whole.
    whole = rows if covered < 1 and left_out else 0.6 + 0.4 * min(1.0, rows / 0.8)
    return LabelMap(table, reasons, says_truth, left_out, sure * covered * whole, covered, rows)
