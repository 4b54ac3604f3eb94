"""Where a row's options are: sibling columns, lists, parallel arrays, dictionaries, or a right and wrong column each."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from engine.plan.labels.words import folded
from engine.plan.profile import ColumnProfile, Sample, as_text, identifier
from engine.plan.steps import AnyStep, Match, Options
from engine.records import Value

RIGHT = frozenset(
    "correct corrected right good best true gold chosen preferred acceptable accepted grammatical positive pos answer valid winner better "
    "fixed richtig korrekt gut correcte juste bon correcto correcta bueno верно правильно правильный correto giusto doğru benar "
    "正确 正しい 正解".split()
)
WRONG = frozenset(
    "incorrect wrong bad worst false rejected unacceptable ungrammatical negative neg distractor distractors "
    "invalid loser worse foil mistake mistakes error errors erroneous corrupted corrupt misspelled misspelt misspelling typo noisy "
    "fehler falsch fehlerhaft erreur faux incorrecte mauvais incorrecto incorrecta malo ошибка неверно неправильно неправильный errado "
    "sbagliato yanlış hata salah 错误 誤り 間違い".split()
)
_PLAIN = frozenset("original source raw input initial base before draft text sentence".split())
"""Words of the side of a pair that only the other side's name judges: the original beside the corrupted, the text beside the corrected."""
RECORD_TEXTS = ("text", "para", "content", "option", "choice", "value", "answer")
RECORD_KEYS = ("label", "key", "id", "letter")
"""Keys of a list's dictionaries that the options step reads as an option's text and key."""


class OptionSet(Value):
    """Options as the columns hold them."""

    step: Options
    texts: tuple[tuple[str, ...], ...]
    """Options of each sample row."""
    keys: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]
    """Top-level columns they are read from."""
    members: tuple[str, ...]
    """With columns: their varying parts ("0", "1" or "A", "B")."""
    what: str
    steps: tuple[AnyStep, ...] = ()

    @property
    def most(self) -> int:
        return max(map(len, self.texts), default=0)


def option_sets(sample: Sample) -> Iterator[OptionSet]:
    """Sets of options: sibling columns, lists of texts, parallel arrays, dictionaries of key → text."""
    for members, names in siblings([profile.name for profile in sample.profiles if not profile.steps]):
        profiles = [sample.by_name[name] for name in names]
        if not all(profile.kind in ("text", "integer", "number", "mixed", "class") and not profile.id_like for profile in profiles):
            continue
        if all(profile.label_set for profile in profiles) and _same_values(profiles):
            continue
        texts = tuple(tuple(as_text(sample.values[name][row]) for name in names) for row in range(sample.rows))
        if mostly(len(set(filter(None, row))) >= min(2, len(names)) for row in texts):
            step = Options(into="options", columns=tuple(names))
            yield OptionSet(step, texts, (), tuple(names), tuple(members), f"the columns {listed(names)}")
    yield from _numbered_parts(sample)
    for profile in sample.profiles:
        if profile.kind == "list" and profile.item_kind in ("text", "number", "integer") and not profile.tags and 2 <= profile.most <= 12:
            texts = tuple(tuple(map(as_text, value)) if isinstance(value, list | tuple) else () for value in sample.values[profile.name])
            if mostly(len(set(row)) >= 2 for row in texts) and not _codes(texts):
                yield OptionSet(
                    Options(into="options", list=profile.name), texts, (), (profile.column,), (), f"the list {profile.name}", profile.steps
                )
        if profile.kind == "dict":
            yield from _dictionary(profile, sample)
        if profile.kind == "list" and profile.item_kind == "dict":
            yield from _records(profile, sample)


def _numbered_parts(sample: Sample) -> Iterator[OptionSet]:
    """Numbered parts of one text, such as what stands after "sentence 1:" and "sentence 2:"."""
    for column in dict.fromkeys(profile.column for profile in sample.profiles if profile.steps):
        parts = [profile for profile in sample.profiles if profile.column == column and profile.kind == "text" and _part(profile)]
        for _, names in siblings([profile.name for profile in parts]):
            texts = tuple(tuple(as_text(sample.values[name][row]) for name in names) for row in range(sample.rows))
            if not any(sample.by_name[name].label_set for name in names) and mostly(len(set(filter(None, row))) >= 2 for row in texts):
                steps = tuple(dict.fromkeys(step for name in names for step in sample.by_name[name].steps))
                step = Options(into="options", columns=tuple(names))
                yield OptionSet(step, texts, (), (column,), (), f"the parts {listed(names)}", steps)


def _part(profile: ColumnProfile) -> bool:
    return bool(profile.steps) and isinstance(profile.steps[-1], Match) and profile.steps[-1].mode == "extract"


def _codes(texts: Sequence[Sequence[str]]) -> bool:
    """Identifiers rather than answers: digits filled up with zeros, or long runs of letters and digits in one."""
    items = [item for row in texts for item in row][:2000]
    return any(re.fullmatch(r"0\d+", item) for item in items) or (
        bool(items) and sum(bool(re.fullmatch(r"(?=\S*\d)(?=\S*[A-Za-z])[\w\-]{8,}", item)) for item in items) > 0.8 * len(items)
    )


def siblings(names: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Groups of names that differ in one running number or letter: (varying parts, names), each in order."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name in names:
        patterns = (
            r"^(?P<head>.*?)(?P<sign>\d+)$",
            r"^(?P<head>.*[_\-. ])?(?P<sign>[A-Ha-h])$",
            r"^(?P<head>.*[a-z])(?P<sign>[A-H])$",
            r"^(?P<sign>[A-Ha-h]|\d+)(?P<tail>[_\-. ].+)$",
            r"^(?P<head>.*[_\-. a-z])(?P<sign>\d)(?P<tail>[_\-. ].+)$",
        )
        for pattern in patterns:
            match = re.match(pattern, name)
            if match:
                parts = match.groupdict()
                groups.setdefault((parts.get("head") or "", parts.get("tail") or ""), []).append((parts["sign"], name))
                break
    found = []
    for members in groups.values():
        ordered = sorted(members, key=lambda pair: (len(pair[0]), pair[0].lower()))
        signs = [sign for sign, _ in ordered]
        starts = signs[0].lower() in ("0", "1", "a")
        runs = all(_follows(before, after) for before, after in pairwise(signs))
        if 2 <= len(ordered) <= 12 and starts and runs:
            found.append((signs, [name for _, name in ordered]))
    return found


def _follows(before: str, after: str) -> bool:
    if before.isdigit() and after.isdigit():
        return int(after) == int(before) + 1
    return len(before) == len(after) == 1 and ord(after) == ord(before) + 1


def _same_values(profiles: Sequence[ColumnProfile]) -> bool:
    """All columns draw on one small vocabulary: several judgements of a row, not options."""
    vocabularies = [set(profile.counts) for profile in profiles]
    union = set.union(*vocabularies)
    return len(union) <= 8 and all(len(vocabulary & vocabularies[0]) >= 2 for vocabulary in vocabularies)


def _dictionary(profile: ColumnProfile, sample: Sample) -> Iterator[OptionSet]:
    values = sample.values[profile.name]
    present = [value for value in values if isinstance(value, dict) and value]
    scalars = all(not isinstance(item, list | dict) for value in present for item in value.values())
    short = all(len(str(key)) <= 3 for value in present for key in value)
    if present and scalars and short and mostly(len(value) >= 2 for value in present):
        full = [
            {str(key): as_text(text) for key, text in value.items() if as_text(text)} if isinstance(value, dict) else {} for value in values
        ]
        step = Options(into="options", dictionary=profile.name)
        yield OptionSet(
            step,
            tuple(tuple(value.values()) for value in full),
            tuple(tuple(value) for value in full),
            (profile.column,),
            (),
            f"the dictionary {profile.name}",
            profile.steps,
        )
        return
    names = {identifier(f"{profile.name}_{key}") for key in profile.keys}
    nested = [other for other in sample.profiles if other.column == profile.column and other.steps and other.steps[:-1] == profile.steps]
    arrays = [other for other in nested if other.kind == "list" and other.name in names]
    texts = [array for array in arrays if array.item_kind == "text" and 2 <= array.most <= 12]
    for text in texts:
        for key in texts:
            if key is text or not mostly(
                len(items_of(a)) == len(items_of(b)) for a, b in zip(sample.values[text.name], sample.values[key.name], strict=True)
            ):
                continue
            keys = tuple(tuple(map(as_text, items_of(value))) for value in sample.values[key.name])
            if all(len(sign) <= 3 for row in keys for sign in row) and mostly(len(set(row)) == len(row) for row in keys):
                step = Options(into="options", texts=text.name, keys=key.name)
                rows = tuple(tuple(map(as_text, items_of(value))) for value in sample.values[text.name])
                yield OptionSet(
                    step, rows, keys, (profile.column,), (), f"the parallel lists {text.name} and {key.name}", text.steps + key.steps
                )


def _records(profile: ColumnProfile, sample: Sample) -> Iterator[OptionSet]:
    """A list of dictionaries with a text and perhaps a key each, under the names the options step knows."""
    text = next((key for key in RECORD_TEXTS if key in profile.keys), "")
    if not text or not 2 <= profile.most <= 12:
        return
    sign = next((key for key in RECORD_KEYS if key in profile.keys and key != text), "")
    records = [[item for item in items_of(value) if isinstance(item, dict)] for value in sample.values[profile.name]]
    texts = tuple(tuple(as_text(item.get(text)) for item in row) for row in records)
    keys = tuple(tuple(as_text(item.get(sign)) for item in row) for row in records) if sign else ()
    if mostly(len(set(row)) >= 2 for row in texts) and all(len(key) <= 4 for row in keys for key in row):
        yield OptionSet(
            Options(into="options", list=profile.name), texts, keys, (profile.column,), (), f"the list {profile.name}", profile.steps
        )


def own_columns(sample: Sample) -> Iterator[OptionSet]:
    """The right one in a column of its own, wrong ones in theirs: names that differ by a word for right and one for wrong."""
    plain = [
        profile
        for profile in sample.profiles
        if not profile.steps and profile.kind in ("text", "integer", "number") and not profile.id_like
    ]
    right: dict[str, list[str]] = {}
    wrong: dict[str, list[str]] = {}
    unjudged: dict[str, list[str]] = {}
    for profile in plain:
        words = re.findall(r"[^\W\d_]+|\d+", folded(profile.name))
        stem = " ".join(word for word in words if word not in RIGHT and word not in WRONG)
        if any(word in WRONG for word in words):
            wrong.setdefault(stem, []).append(profile.name)
        elif any(word in RIGHT for word in words):
            right.setdefault(stem, []).append(profile.name)
        elif profile.kind == "text":
            unjudged.setdefault(" ".join(word for word in words if word not in _PLAIN), []).append(profile.name)
            if any(word in _PLAIN for word in words):
                unjudged.setdefault(stem, []).append(profile.name)
    for stem, names in right.items():
        if len(names) != 1:
            continue
        others = wrong.get(stem, [])
        if not others and not re.search(r"\d", stem):
            loose = [
                name
                for other, several in wrong.items()
                if re.sub(r"[\d ]", "", other) in ("", re.sub(r"[\d ]", "", stem))
                for name in several
            ]
            others = loose if len(right) == 1 or not re.search(r"\d", " ".join(right)) else []
        others = others or _unjudged(names[0], unjudged.get(stem, []), sample)
        yield from _pair((names[0], *others), sample)
    for stem, names in wrong.items():
        if len(names) == 1 and not right:
            for name in _unjudged(names[0], unjudged.get(stem, []), sample):
                yield from _pair((name, names[0]), sample)


def _unjudged(judged: str, names: Sequence[str], sample: Sample) -> list[str]:
    """Of columns whose names judge nothing, the one whose texts are nearly those of the judged column."""
    near = [name for name in dict.fromkeys(names) if alike(sample.texts(name), sample.texts(judged)) >= 0.6]
    return near if len(near) == 1 else []


def _pair(columns: tuple[str, ...], sample: Sample) -> Iterator[OptionSet]:
    if len(columns) < 2 or len(columns) > 12 or any(sample.by_name[name].label_set for name in columns):
        return
    texts = tuple(tuple(as_text(sample.values[name][row]) for name in columns) for row in range(sample.rows))
    if mostly(all(row) and row[0] not in row[1:] for row in texts):
        yield OptionSet(Options(into="options", columns=columns), texts, (), columns, ("right",), f"the columns {listed(columns)}")


def alike(texts: Sequence[str], others: Sequence[str]) -> float:
    """Median share of the pairs of letters that two columns' texts of one row have in common, 0 to 1."""
    shares = []
    for text, other in [pair for pair in zip(texts, others, strict=True) if all(pair)][:80]:
        one, two = (Counter(pairwise(f" {side.casefold()} ")) for side in (text, other))
        shares.append(2 * (one & two).total() / (one.total() + two.total()))
    return statistics.median(shares) if shares else 0.0


def items_of(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def mostly(held: Any) -> bool:
    found = list(held)
    return bool(found) and sum(found) >= 0.9 * len(found)


def share_of(held: Sequence[bool]) -> str:
    return f"{100 * sum(held) / len(held):.0f} %"


def listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{names[0]} … {names[-1]}"
