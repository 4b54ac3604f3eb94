"""Plans whose output is one of several options in the row: by index, letter, key, text, flags, or a column of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from engine.plan.label_words import folded
from engine.plan.profile import ColumnProfile, Sample, as_number, as_text, identifier
from engine.plan.steps import AnyStep, Options, Pick, Shuffle
from engine.plan.structure.draft import Draft
from engine.plan.structure.shape import Shape
from engine.records import Task, Value

_RIGHT = frozenset(
    "correct right good best true gold chosen preferred acceptable accepted grammatical positive pos answer valid winner better".split()
)
_WRONG = frozenset(
    "incorrect wrong bad worst false rejected unacceptable ungrammatical negative neg distractor distractors distractor invalid loser worse foil".split()
)
_ANSWER_NAME = re.compile(
    r"label|answer|correct|gold|solution|target|right|best|key|truth|\by\b|choice|lösung|réponse|respuesta|ответ|答|정답", re.IGNORECASE
)
_NONE_WORDS = ("neither", "none of these", "none of the above", "none", "no one", "nobody", "weder noch", "keiner", "keine", "aucun", "ninguno",
               "ни один", "никто", "никакой", "都不是", "どちらでもない", "둘 다 아님", "कोई नहीं")  # fmt: skip


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


class _Choice(Value):
    by: Any
    right: tuple[int | None, ...]
    """Place of the right option in each sample row; None where there is none, -1 where no flag is set."""
    reads: tuple[str, ...]
    prior: float
    reason: str
    value: str = ""
    flags: tuple[str, ...] = ()
    base: int = 0
    steps: tuple[AnyStep, ...] = ()


def option_drafts(sample: Sample, task: Task, shape: Shape) -> list[Draft]:
    """Every way the columns choose among options, for tasks whose output may be one of them."""
    if task.output.kind == "label" and not _letter_labels(task.output.labels):
        return []
    if task.output.kind == "text" and not _may_choose(task):
        return []
    drafts = []
    numbers = [as_number(example.output) is not None for example in task.examples]
    for options in [*_own_columns(sample), *option_sets(sample)]:
        if (
            numbers
            and not any(numbers)
            and task.output.kind != "option_letter"
            and all(as_number(text) is not None for row in options.texts for text in row)
        ):
            continue
        for choice in _choices(options, sample):
            drafts.append(_draft(options, choice, sample, task, shape))
    return [draft for draft in drafts if draft is not None]


def option_sets(sample: Sample) -> Iterator[OptionSet]:
    """Sets of options: sibling columns, lists of texts, parallel arrays, dictionaries of key → text."""
    for members, names in siblings([profile.name for profile in sample.profiles if not profile.steps]):
        profiles = [sample.by_name[name] for name in names]
        if not all(profile.kind in ("text", "integer", "number", "mixed", "class") and not profile.id_like for profile in profiles):
            continue
        if all(profile.label_set for profile in profiles) and _same_values(profiles):
            continue
        texts = tuple(tuple(as_text(sample.values[name][row]) for name in names) for row in range(sample.rows))
        if _mostly(len(set(filter(None, row))) >= min(2, len(names)) for row in texts):
            step = Options(into="options", columns=tuple(names))
            yield OptionSet(step, texts, (), tuple(names), tuple(members), f"the columns {_list(names)}")
    for profile in sample.profiles:
        if profile.kind == "list" and profile.item_kind in ("text", "number", "integer") and not profile.tags and 2 <= profile.most <= 12:
            texts = tuple(tuple(map(as_text, value)) if isinstance(value, list | tuple) else () for value in sample.values[profile.name])
            if _mostly(len(set(row)) >= 2 for row in texts):
                yield OptionSet(
                    Options(into="options", list=profile.name), texts, (), (profile.column,), (), f"the list {profile.name}", profile.steps
                )
        if profile.kind == "dict":
            yield from _dictionary(profile, sample)
        if profile.kind == "list" and profile.item_kind == "dict":
            yield from _records(profile, sample)


def siblings(names: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Groups of names that differ in one running number or letter: (varying parts, names), each in order."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name in names:
        patterns = (r"^(?P<head>.*?)(?P<sign>\d+)$", r"^(?P<head>.*[_\-. ])?(?P<sign>[A-Ha-h])$", r"^(?P<head>.*[a-z])(?P<sign>[A-H])$",
                    r"^(?P<sign>[A-Ha-h]|\d+)(?P<tail>[_\-. ].+)$", r"^(?P<head>.*[_\-. a-z])(?P<sign>\d)(?P<tail>[_\-. ].+)$")  # fmt: skip
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
        runs = all(_follows(before, after) for before, after in zip(signs, signs[1:], strict=False))
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
    if present and scalars and short and _mostly(len(value) >= 2 for value in present):
        full = [
            {str(key): as_text(text) for key, text in value.items() if as_text(text)} if isinstance(value, dict) else {} for value in values
        ]
        step = Options(into="options", dictionary=profile.name)
        yield OptionSet(step, tuple(tuple(value.values()) for value in full), tuple(tuple(value) for value in full), (profile.column,), (),
                        f"the dictionary {profile.name}", profile.steps)  # fmt: skip
        return
    arrays = [nested for nested in sample.profiles if nested.kind == "list" and nested.steps and nested.steps[:-1] == profile.steps
              and nested.column == profile.column and any(nested.name == identifier(f"{profile.name}_{key}") for key in profile.keys)]  # fmt: skip
    texts = [array for array in arrays if array.item_kind == "text" and 2 <= array.most <= 12]
    for text in texts:
        for key in texts:
            if key is text or not _mostly(
                len(_items(a)) == len(_items(b)) for a, b in zip(sample.values[text.name], sample.values[key.name], strict=True)
            ):
                continue
            keys = tuple(tuple(map(as_text, _items(value))) for value in sample.values[key.name])
            if all(len(sign) <= 3 for row in keys for sign in row) and _mostly(len(set(row)) == len(row) for row in keys):
                step = Options(into="options", texts=text.name, keys=key.name)
                rows = tuple(tuple(map(as_text, _items(value))) for value in sample.values[text.name])
                yield OptionSet(
                    step, rows, keys, (profile.column,), (), f"the parallel lists {text.name} and {key.name}", text.steps + key.steps
                )


def _records(profile: ColumnProfile, sample: Sample) -> Iterator[OptionSet]:
    """A list of dictionaries with a text and perhaps a key each, under the names the options step knows."""
    text = next((key for key in RECORD_TEXTS if key in profile.keys), "")
    if not text or not 2 <= profile.most <= 12:
        return
    sign = next((key for key in RECORD_KEYS if key in profile.keys and key != text), "")
    records = [[item for item in _items(value) if isinstance(item, dict)] for value in sample.values[profile.name]]
    texts = tuple(tuple(as_text(item.get(text)) for item in row) for row in records)
    keys = tuple(tuple(as_text(item.get(sign)) for item in row) for row in records) if sign else ()
    if _mostly(len(set(row)) >= 2 for row in texts) and all(len(key) <= 4 for row in keys for key in row):
        yield OptionSet(
            Options(into="options", list=profile.name), texts, keys, (profile.column,), (), f"the list {profile.name}", profile.steps
        )


def _own_columns(sample: Sample) -> Iterator[OptionSet]:
    """The right one in a column of its own, wrong ones in theirs: names that differ by a word for right and one for wrong."""
    plain = [
        profile
        for profile in sample.profiles
        if not profile.steps and profile.kind in ("text", "integer", "number") and not profile.id_like
    ]
    right: dict[str, list[str]] = {}
    wrong: dict[str, list[str]] = {}
    for profile in plain:
        words = re.findall(r"[a-z]+|\d+", folded(profile.name))
        stem = " ".join(word for word in words if word not in _RIGHT and word not in _WRONG)
        if any(word in _WRONG for word in words):
            wrong.setdefault(stem, []).append(profile.name)
        elif any(word in _RIGHT for word in words):
            right.setdefault(stem, []).append(profile.name)
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
        columns = (names[0], *others)
        if len(columns) < 2 or len(columns) > 12 or any(sample.by_name[name].label_set for name in columns):
            continue
        texts = tuple(tuple(as_text(sample.values[name][row]) for name in columns) for row in range(sample.rows))
        if _mostly(all(row) and row[0] not in row[1:] for row in texts):
            yield OptionSet(Options(into="options", columns=columns), texts, (), columns, ("right",), f"the columns {_list(columns)}")


def _choices(options: OptionSet, sample: Sample) -> Iterator[_Choice]:
    """The ways other columns tell the right option."""
    if options.members == ("right",):
        numbered = re.findall(r"\d+", options.columns[0])
        later = 0.02 * max(0, int(numbered[-1]) - 1) if numbered else 0.0
        yield _Choice("position", (0,) * sample.rows, (options.columns[0],), max(0.6, 0.86 - later),
                      f"{options.columns[0]} holds the right one, by its name against {_list(options.columns[1:])}")  # fmt: skip
        return
    used = set(options.columns)
    for profile in sample.profiles:
        if profile.column in used and not (profile.steps and _is_nested_in(options, profile)):
            continue
        for choice in (_by_index(options, profile, sample), _by_key(options, profile, sample), _by_letter(options, profile, sample),
                       _by_text(options, profile, sample), _by_flag_list(options, profile, sample)):  # fmt: skip
            if choice is not None:
                yield choice
                break
    if options.members:
        yield from _by_flags(options, sample)


def _is_nested_in(options: OptionSet, profile: ColumnProfile) -> bool:
    """A sibling inside the same nested value, not the options themselves."""
    own = {options.step.list, options.step.texts, options.step.keys, options.step.dictionary}
    return profile.name not in own and not any(profile.name.startswith(f"{name}_") for name in own if name)


def _by_index(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if (
        not profile.numeric
        or profile.whole < 1
        or profile.low is None
        or profile.high is None
        or (profile.kind == "class" and not profile.numeric)
    ):
        return None
    base = 0 if profile.low == 0 else 1
    if profile.low not in (0, 1) or profile.high - base >= options.most or profile.distinct < 2:
        return None
    if options.members and profile.high - base != options.most - 1 and profile.rows >= 30:
        return None
    right = tuple(None if (number := as_number(value)) is None else int(number) - base for value in sample.values[profile.name])
    if not _mostly((place is not None and place < len(row)) for place, row in zip(right, options.texts, strict=True) if row):
        return None
    prior = _named(profile.name, 0.9, 0.5)
    return _Choice("index", right, (profile.column,), prior, f"{profile.name} runs from {base} to {int(profile.high)} and counts {options.what}",
                   value=profile.name, base=base, steps=profile.steps)  # fmt: skip


def _by_letter(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if profile.kind not in ("text", "class") or not profile.counts or not 2 <= profile.distinct <= options.most:
        return None
    letters = {value.strip("().").upper() for value in profile.counts}
    if not letters <= set("ABCDEFGHIJKL"[: options.most]) or any(value != value.strip("().") for value in profile.counts):
        return None
    right = tuple("ABCDEFGHIJKL".find(as_text(value).upper()) if as_text(value) else None for value in sample.values[profile.name])
    return _Choice("letter", right, (profile.column,), _named(profile.name, 0.92, 0.6), f"{profile.name} holds the letters {', '.join(sorted(profile.counts))}",
                   value=profile.name, steps=profile.steps)  # fmt: skip


def _by_key(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if not options.keys or profile.kind not in ("text", "integer", "class") or profile.distinct < 2:
        return None
    texts = [as_text(value) for value in sample.values[profile.name]]
    held = [value in keys for value, keys in zip(texts, options.keys, strict=True) if value and keys]
    if not held or sum(held) < 0.8 * len(held):
        return None
    right = tuple(keys.index(value) if value in keys else None for value, keys in zip(texts, options.keys, strict=True))
    return _Choice("key", right, (profile.column,), _named(profile.name, 0.95, 0.7), f"{profile.name} names a key of {options.what} in {_share(held)} of rows",
                   value=profile.name, steps=profile.steps)  # fmt: skip


def _by_text(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if profile.kind not in ("text", "integer", "number") or profile.distinct < 2:
        return None
    texts = [as_text(value) for value in sample.values[profile.name]]
    held = [value in row for value, row in zip(texts, options.texts, strict=True) if value and row]
    if len(held) < 0.5 * sample.rows or sum(held) < 0.9 * len(held):
        return None
    right = tuple(row.index(value) if value in row else None for value, row in zip(texts, options.texts, strict=True))
    return _Choice("text", right, (profile.column,), _named(profile.name, 0.95, 0.7), f"{profile.name} equals one of {options.what} in {_share(held)} of rows",
                   value=profile.name, steps=profile.steps)  # fmt: skip


def _by_flag_list(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if profile.kind != "list" or profile.item_kind not in ("boolean", "integer"):
        return None
    values = [_items(value) for value in sample.values[profile.name]]
    if not _mostly(len(value) == len(row) and sum(item in (1, True) for item in value) == 1 and all(item in (0, 1, True, False) for item in value)
                   for value, row in zip(values, options.texts, strict=True) if row):  # fmt: skip
        return None
    right = tuple(next((place for place, item in enumerate(value) if item in (1, True)), None) for value in values)
    return _Choice("flags", right, (profile.column,), _named(profile.name, 0.9, 0.8), f"{profile.name} marks one of {options.what} as right",
                   flags=(profile.name,), steps=profile.steps)  # fmt: skip


def _by_flags(options: OptionSet, sample: Sample) -> Iterator[_Choice]:
    for members, names in siblings([profile.name for profile in sample.profiles if not profile.steps]):
        if [sign.lower() for sign in members] != [sign.lower() for sign in options.members] or set(names) & set(options.columns):
            continue
        rows = [[_truth(sample.values[name][row]) for name in names] for row in range(sample.rows)]
        if not _mostly(None not in row for row in rows) or not any(any(row) for row in rows):
            continue
        if not _mostly(sum(bool(flag) for flag in row) <= 1 for row in rows):
            continue
        right = tuple(next((place for place, flag in enumerate(row) if flag), -1) for row in rows)
        yield _Choice("flags", right, tuple(names), 0.9, f"{_list(names)} are true for the right one of {options.what}", flags=tuple(names))


def _draft(options: OptionSet, choice: _Choice, sample: Sample, task: Task, shape: Shape) -> Draft | None:
    places = Counter(place for place in choice.right if place is not None and place >= 0)
    if not places or (len(places) == 1 and choice.by != "position"):
        return None
    unset = sum(place == -1 for place in choice.right)
    none = _none_word(task) if choice.by == "flags" and unset else None
    letters = task.output.kind == "option_letter" or _letter_labels(task.output.labels)
    # With options and no place for "neither" in a letter task, unset rows are skipped.
    pick = Pick(
        options="options",
        into="right",
        by=choice.by,
        value=choice.value,
        flags=choice.flags,
        base=choice.base,
        none=None if letters else none,
    )
    fixed = choice.by == "position" or max(places.values()) >= 0.9 * places.total()
    if choice.by == "position":
        pick = Pick(options="options", into="right", by="position", base=0)
    steps: tuple[AnyStep, ...] = (*options.steps, *(step for step in choice.steps if step not in options.steps))
    steps += (options.step, pick, *((Shuffle(options="options", note="the right one always had the same place"),) if fixed else ()))
    outputs = []
    for place, row in zip(choice.right, options.texts, strict=True):
        known = place is not None and 0 <= place < len(row)
        outputs.append(row[place] if known and place is not None else (none or "" if place == -1 else ""))
    prior = choice.prior
    reasons = [f"options: {options.what}", f"the right one: {choice.reason}"]
    if (shape.count and not fixed) or (shape.count and options.members == ("right",)):
        same = sum(len(row) == shape.count for row in options.texts) >= 0.5 * len(options.texts)
        prior *= 1.0 if same else 0.75
        reasons.append(f"the examples show {shape.count} options" + ("" if same else f", these rows up to {options.most}"))
    if none:
        reasons.append(f"no option marked gives “{none}”, as the description says")
    if task.output.kind == "text":
        prior *= 0.97
    hidden = tuple(profile.name for profile in sample.profiles if not profile.steps and _answers(profile.name, options, choice))
    return Draft(family="options", output="{{ right.letter }}" if letters else "{{ right }}", reads=tuple(dict.fromkeys((*choice.reads, *options.columns))),
                 outputs=tuple(outputs), prior=prior, reasons=tuple(reasons), steps=steps, options="options", option_columns=options.columns,
                 hidden=hidden, letters=letters)  # fmt: skip


def _answers(name: str, options: OptionSet, choice: _Choice) -> bool:
    """Other columns of right and wrong answers say as much as the options themselves."""
    words = set(re.findall(r"[a-z]+", folded(name)))
    return (
        name not in options.columns
        and bool(words & (_WRONG | _RIGHT - {"pos", "best", "positive", "true", "good", "better", "answer"}))
        and options.members == ("right",)
    )


def _none_word(task: Task) -> str | None:
    said = f"{task.description} {' '.join(example.output for example in task.examples)}".casefold()
    outputs = {example.output.strip().casefold(): example.output.strip() for example in task.examples}
    for word in _NONE_WORDS:
        if word in outputs:
            return outputs[word]
    quoted = re.findall(r"[\"'“„«『「]([^\"'”“»』」]{1,30})[\"'”“»』」]", task.description)
    for text in quoted:
        if text.strip().casefold() in _NONE_WORDS:
            return text.strip()
    return next((word for word in _NONE_WORDS if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said)), None)


def _may_choose(task: Task) -> bool:
    """The examples' outputs stand in their inputs, or the description speaks of choosing."""
    inside = [example.output.strip() in example.input for example in task.examples if example.output.strip()]
    return bool(inside) and sum(inside) * 2 >= len(inside)


def _letter_labels(labels: Sequence[str]) -> bool:
    return len(labels) >= 2 and sorted(labels) == list("ABCDEFGHIJKL"[: len(labels)])


def _truth(value: Any) -> bool | None:
    text = as_text(value).casefold()
    return True if text in ("true", "1", "yes", "t", "y") else False if text in ("false", "0", "no", "f", "n") else None


def _named(name: str, named: float, other: float) -> float:
    return named if _ANSWER_NAME.search(name) else other


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _mostly(held: Any) -> bool:
    found = list(held)
    return bool(found) and sum(found) >= 0.9 * len(found)


def _share(held: Sequence[bool]) -> str:
    return f"{100 * sum(held) / len(held):.0f} %"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{names[0]} … {names[-1]}"
