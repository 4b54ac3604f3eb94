"""Plans whose output is one of several options in the row: by index, letter, key, text, flags, or a column of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from engine.plan.label_words import folded
from engine.plan.profile import ColumnProfile, Sample, as_number, as_text
from engine.plan.steps import AnyStep, Options, Pick, Shuffle, Template
from engine.plan.structure.draft import Draft
from engine.plan.structure.option_sets import (
    RIGHT,
    WRONG,
    OptionSet,
    items_of,
    listed,
    mostly,
    option_sets,
    own_columns,
    share_of,
    siblings,
)
from engine.plan.structure.roles import answer_is_shown
from engine.plan.structure.shape import Shape
from engine.plan.template import printed
from engine.records import Task, Value

_ANSWER_NAME = re.compile(
    r"label|answer|correct|gold|solution|target|right|best|key|truth|\by\b|choice|lösung|réponse|respuesta|ответ|答|정답", re.IGNORECASE
)
_OPTION_NAME = re.compile(
    r"choice|option|answer|ans|ending|candidate|alternative|solution|sol|response|hypothesis|(^|_)[a-h]$|^[A-H]$", re.IGNORECASE
)
_COUNTS = re.compile(r"^(nbr?|num|n|number|count|total|how_many|anzahl|nombre|numero|número|количество|кол)(?=[_\-. ]|[A-Z])|[_\-. ]count$")
"""Names that count things: how many answers are right says nothing of which."""
_NOT = frozenset(("not", "isn", "t", "never", "least", "nicht", "non", "less"))
_NONE_WORDS = (
    "neither",
    "none of these",
    "none of the above",
    "none",
    "no one",
    "nobody",
    "weder noch",
    "keiner",
    "keine",
    "aucun",
    "ninguno",
    "ни один",
    "никто",
    "никакой",
    "都不是",
    "どちらでもない",
    "둘 다 아님",
    "कोई नहीं",
)


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
    unseen = task.output.kind == "text" and not (shape.count and _may_choose(task))
    drafts: list[Draft | None] = []
    continued = bool(task.examples) and all(example.output.startswith(example.input.strip()) for example in task.examples)
    numbers = [as_number(example.output) is not None for example in task.examples]
    for options in [*own_columns(sample), *option_sets(sample)]:
        if (
            numbers
            and not any(numbers)
            and task.output.kind != "option_letter"
            and all(as_number(text) is not None for row in options.texts for text in row)
        ):
            continue
        asked = _reversed(options, task)
        for choice in _choices(asked, sample):
            draft = _draft(asked, choice, sample, task, shape)
            drafts.append(_continuing(draft, asked, sample) if continued and unseen and draft is not None else draft)
    found = [draft for draft in drafts if draft is not None]
    return [_unshown(draft, task) for draft in found if draft.prior >= 0.7] if unseen else found


def choosers(sample: Sample) -> set[str]:
    """Columns that by name and value say which of several sibling columns is right: as labels of their own they mean nothing."""
    found = set()
    for options in option_sets(sample):
        if options.members and _OPTION_NAME.search(options.columns[0]):
            found |= {name for choice in _choices(options, sample) if choice.prior >= 0.85 for name in choice.reads}
    return found


def optional_columns(sample: Sample) -> set[str]:
    """Columns that hold an option each, with another column that by name and value says which of them is right."""
    found = set()
    for options in option_sets(sample):
        if options.members and len(options.columns) > 1 and any(choice.prior >= 0.85 for choice in _choices(options, sample)):
            found |= set(options.columns)
    return found


def _choices(options: OptionSet, sample: Sample) -> Iterator[_Choice]:
    """The ways other columns tell the right option."""
    if options.members == ("right",):
        numbered = re.findall(r"\d+", options.columns[0])
        later = 0.02 * max(0, int(numbered[-1]) - 1) if numbered else 0.0
        yield _Choice(
            "position",
            (0,) * sample.rows,
            (options.columns[0],),
            max(0.6, 0.86 - later),
            f"{options.columns[0]}, by its name against {listed(options.columns[1:])}, is what is asked for",
        )
        return
    used = set(options.columns)
    for profile in sample.profiles:
        if profile.column in used and not (profile.steps and _is_nested_in(options, profile)):
            continue
        for choice in (
            _by_index(options, profile, sample),
            _by_key(options, profile, sample),
            _by_letter(options, profile, sample),
            _by_text(options, profile, sample),
            _by_flag_list(options, profile, sample),
        ):
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
    if _COUNTS.search(profile.name) or (
        profile.rows >= 30 and profile.high - base + 1 < min(map(len, filter(None, options.texts)), default=0)
    ):
        return None
    right = tuple(None if (number := as_number(value)) is None else int(number) - base for value in sample.values[profile.name])
    if not mostly((place is not None and place < len(row)) for place, row in zip(right, options.texts, strict=True) if row):
        return None
    prior = _named(profile.name, 0.9, 0.4)
    return _Choice(
        "index",
        right,
        (profile.column,),
        prior,
        f"{profile.name} runs from {base} to {int(profile.high)} and counts {options.what}",
        value=profile.name,
        base=base,
        steps=profile.steps,
    )


def _by_letter(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if profile.kind not in ("text", "class") or not profile.counts or not 2 <= profile.distinct <= options.most:
        return None
    letters = {value.strip("().").upper() for value in profile.counts}
    if not letters <= set("ABCDEFGHIJKL"[: options.most]) or any(value != value.strip("().") for value in profile.counts):
        return None
    right = tuple("ABCDEFGHIJKL".find(as_text(value).upper()) if as_text(value) else None for value in sample.values[profile.name])
    return _Choice(
        "letter",
        right,
        (profile.column,),
        _named(profile.name, 0.92, 0.6),
        f"{profile.name} holds the letters {', '.join(sorted(profile.counts))}",
        value=profile.name,
        steps=profile.steps,
    )


def _by_key(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if not options.keys or profile.kind not in ("text", "integer", "class") or profile.distinct < 2:
        return None
    texts = [as_text(value) for value in sample.values[profile.name]]
    held = [value in keys for value, keys in zip(texts, options.keys, strict=True) if value and keys]
    if not held or sum(held) < 0.8 * len(held):
        return None
    right = tuple(keys.index(value) if value in keys else None for value, keys in zip(texts, options.keys, strict=True))
    return _Choice(
        "key",
        right,
        (profile.column,),
        _named(profile.name, 0.95, 0.7),
        f"{profile.name} names a key of {options.what} in {share_of(held)} of rows",
        value=profile.name,
        steps=profile.steps,
    )


def _by_text(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if profile.kind not in ("text", "integer", "number") or profile.distinct < 2:
        return None
    texts = [as_text(value) for value in sample.values[profile.name]]
    held = [value in row for value, row in zip(texts, options.texts, strict=True) if value and row]
    if len(held) < 0.5 * sample.rows or sum(held) < 0.9 * len(held):
        return None
    right = tuple(row.index(value) if value in row else None for value, row in zip(texts, options.texts, strict=True))
    return _Choice(
        "text",
        right,
        (profile.column,),
        _named(profile.name, 0.95, 0.7),
        f"{profile.name} equals one of {options.what} in {share_of(held)} of rows",
        value=profile.name,
        steps=profile.steps,
    )


def _by_flag_list(options: OptionSet, profile: ColumnProfile, sample: Sample) -> _Choice | None:
    if profile.kind != "list" or profile.item_kind not in ("boolean", "integer"):
        return None
    values = [items_of(value) for value in sample.values[profile.name]]
    pairs = [(value, row) for value, row in zip(values, options.texts, strict=True) if row]
    if not mostly(len(value) == len(row) and set(value) <= {0, 1} and sum(map(bool, value)) == 1 for value, row in pairs):
        return None
    right = tuple(next((place for place, item in enumerate(value) if item in (1, True)), None) for value in values)
    return _Choice(
        "flags",
        right,
        (profile.column,),
        _named(profile.name, 0.9, 0.8),
        f"{profile.name} marks one of {options.what} as right",
        flags=(profile.name,),
        steps=profile.steps,
    )


def _by_flags(options: OptionSet, sample: Sample) -> Iterator[_Choice]:
    for members, names in siblings([profile.name for profile in sample.profiles if not profile.steps]):
        if [sign.lower() for sign in members] != [sign.lower() for sign in options.members] or set(names) & set(options.columns):
            continue
        rows = [[_truth(sample.values[name][row]) for name in names] for row in range(sample.rows)]
        if not mostly(None not in row for row in rows) or not any(any(row) for row in rows):
            continue
        if not mostly(sum(bool(flag) for flag in row) <= 1 for row in rows):
            continue
        right = tuple(next((place for place, flag in enumerate(row) if flag), -1) for row in rows)
        yield _Choice(
            "flags", right, tuple(names), 0.9, f"{listed(names)} are true for the right one of {options.what}", flags=tuple(names)
        )


def _draft(options: OptionSet, choice: _Choice, sample: Sample, task: Task, shape: Shape) -> Draft | None:
    places = Counter(place for place in choice.right if place is not None and place >= 0)
    if not places or (len(places) == 1 and choice.by != "position"):
        return None
    unset = sum(place == -1 for place in choice.right)
    none = _none_word(task) if choice.by == "flags" and unset else None
    letters = task.output.kind == "option_letter" or _letter_labels(task.output.labels)
    shown, right = sample.unused("options"), sample.unused("right")
    # With options and no place for "neither" in a letter task, unset rows are skipped.
    pick = Pick(
        options=shown,
        into=right,
        by=choice.by,
        value=choice.value,
        flags=choice.flags,
        base=choice.base,
        none=None if letters else none,
    )
    fixed = choice.by == "position" or max(places.values()) >= 0.9 * places.total()
    if choice.by == "position":
        pick = Pick(options=shown, into=right, by="position", base=0)
    steps: tuple[AnyStep, ...] = (*options.steps, *(step for step in choice.steps if step not in options.steps))
    steps += (
        msgspec.structs.replace(options.step, into=shown),
        pick,
        *((Shuffle(options=shown, note="the right one always had the same place"),) if fixed else ()),
    )
    outputs = []
    for place, row in zip(choice.right, options.texts, strict=True):
        known = place is not None and 0 <= place < len(row)
        outputs.append(row[place] if known and place is not None else (none or "" if place == -1 else ""))
    prior = choice.prior
    reasons = [f"options: {options.what}", f"the right one: {choice.reason}"]
    if (shape.count and not fixed) or (shape.count and options.members == ("right",)):
        same = sum(len(row) == shape.count for row in options.texts) >= 0.5 * len(options.texts)
        prior *= 1.0 if same else 0.65
        reasons.append(f"the examples show {shape.count} options" + ("" if same else f", these rows up to {options.most}"))
    if none:
        reasons.append(f"no option marked gives “{none}”, as the description says")
    if task.output.kind == "text":
        prior *= 0.97 if prior > 0.5 else 0.6
    hidden = tuple(profile.name for profile in sample.profiles if not profile.steps and _answers(profile.name, options, choice))
    return Draft(
        family="options",
        output=f"{{{{ {right}.letter }}}}" if letters else f"{{{{ {right} }}}}",
        reads=tuple(dict.fromkeys((*choice.reads, *options.columns))),
        outputs=tuple(outputs),
        prior=prior,
        reasons=tuple(reasons),
        steps=steps,
        options=shown,
        option_columns=options.columns,
        hidden=hidden,
        letters=letters,
    )


def _unshown(draft: Draft, task: Task) -> Draft:
    """The same right option as the answer to an input that does not list the options."""
    reasons = (*draft.reasons, "the examples' inputs list no options")
    given = 0.4 if answer_is_shown(task) else 1.0
    return msgspec.structs.replace(draft, family="text", options="", prior=draft.prior * 0.78 * given, reasons=reasons)


def _continuing(draft: Draft, options: OptionSet, sample: Sample) -> Draft | None:
    """The beginning and its right ending as one text, for examples whose outputs start with their inputs."""
    starts = [profile for profile in sample.profiles if profile.free_text and not profile.steps and profile.name not in draft.reads]
    if not options.members or options.members == ("right",) or not starts:
        return None
    start = max(starts, key=lambda profile: profile.chars)
    blank = "" if start.script in ("CJK", "JAPANESE", "THAI") else " "
    wholes = {name: sample.unused(f"whole_{number}") for number, name in enumerate(options.columns)}
    steps: list[AnyStep] = [
        Template(into=whole, template=blank.join((printed(start.name), printed(name)))) for name, whole in wholes.items()
    ]
    for step in draft.steps:
        own = isinstance(step, Options) and step.into == draft.options
        steps.append(msgspec.structs.replace(step, columns=tuple(wholes.values())) if own else step)
    texts = sample.texts(start.name)
    return msgspec.structs.replace(
        draft,
        steps=tuple(steps),
        outputs=tuple(f"{text}{blank}{output}" if output else "" for text, output in zip(texts, draft.outputs, strict=True)),
        shown=(start.name,),
        prior=min(1.0, draft.prior * 1.1),
        reasons=(*draft.reasons, f"the examples' outputs begin with their inputs: {start.name} and the right option as one text"),
    )


def _reversed(options: OptionSet, task: Task) -> OptionSet:
    """The columns of right and wrong changed over where the description asks for the wrong one and never for the right one."""
    if options.members != ("right",) or len(options.columns) != 2:
        return options
    words = folded(task.description).split()
    denied = [word in RIGHT and before in _NOT for before, word in zip(["", *words], words, strict=False)]
    right = sum(word in RIGHT and not no for word, no in zip(words, denied, strict=True))
    if right or not (any(denied) or any(word in WRONG for word in words)):
        return options
    columns = (options.columns[1], options.columns[0])
    texts = tuple((row[1], row[0]) for row in options.texts)
    return OptionSet(Options(into="options", columns=columns), texts, (), columns, options.members, f"the columns {listed(columns)}")


def _answers(name: str, options: OptionSet, choice: _Choice) -> bool:
    """Other columns of right and wrong answers say as much as the options themselves."""
    words = set(re.findall(r"[a-z]+", folded(name)))
    return (
        name not in options.columns
        and bool(words & (WRONG | RIGHT - {"pos", "best", "positive", "true", "good", "better", "answer"}))
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
            return str(text).strip()
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
