"""Which of a row's options is right, as other columns tell it: by index, letter, key, text, flags or a column of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.plan.profile import ColumnProfile, Sample, as_number, as_text
from engine.plan.steps import AnyStep, Match
from engine.plan.structure.option_sets import OptionSet, items_of, listed, mostly, share_of, siblings
from engine.records import Value

_ANSWER_NAME = re.compile(
    r"label|answer|output|target|correct|gold|solution|target|right|best|key|truth|\by\b|choice|lösung|réponse|respuesta|ответ|答|정답",
    re.IGNORECASE,
)
_COUNTS = re.compile(r"^(nbr?|num|n|number|count|total|how_many|anzahl|nombre|numero|número|количество|кол)(?=[_\-. ]|[A-Z])|[_\-. ]count$")
"""Names that count things: how many answers are right says nothing of which."""


class Choice(Value):
    """A way to tell the right option."""

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


def choices_of(options: OptionSet, sample: Sample) -> Iterator[Choice]:
    """The ways other columns tell the right option."""
    if options.members == ("right",):
        numbered = re.findall(r"\d+", options.columns[0])
        later = 0.02 * max(0, int(numbered[-1]) - 1) if numbered else 0.0
        yield Choice(
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
            _by_sign(options, profile, sample),
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


def _by_index(options: OptionSet, profile: ColumnProfile, sample: Sample) -> Choice | None:
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
    return Choice(
        "index",
        right,
        (profile.column,),
        prior,
        f"{profile.name} runs from {base} to {int(profile.high)} and counts {options.what}",
        value=profile.name,
        base=base,
        steps=profile.steps,
    )


def _by_letter(options: OptionSet, profile: ColumnProfile, sample: Sample) -> Choice | None:
    if profile.kind not in ("text", "class") or not profile.counts or not 2 <= profile.distinct <= options.most:
        return None
    bare = {value: value.strip("(). ").upper() for value in profile.counts}
    if not set(bare.values()) <= set("ABCDEFGHIJKL"[: options.most]) or len(set(bare.values())) < 2:
        return None
    right = tuple("ABCDEFGHIJKL".find(bare[text]) if (text := as_text(value)) in bare else None for value in sample.values[profile.name])
    return Choice(
        "letter",
        right,
        (profile.column,),
        _named(profile.name, 0.92, 0.6),
        f"{profile.name} holds the letters {', '.join(sorted(profile.counts))}",
        value=profile.name,
        steps=profile.steps,
    )


_SIGNED = r"^\W?([A-La-l])\s?[.):：．、]\W*(.+?)\.?$"


def _by_sign(options: OptionSet, profile: ColumnProfile, sample: Sample) -> Choice | None:
    """The letter with the option's text after it, as in "B) the sea"."""
    if profile.kind != "text" or profile.distinct < 2:
        return None
    signed = [re.match(_SIGNED, text, re.DOTALL) if text else None for text in sample.texts(profile.name)]
    if sum(map(bool, signed)) < 0.5 * sample.rows:
        return None
    right = tuple("ABCDEFGHIJKL".find(found[1].upper()) if found else None for found in signed)
    pairs = [
        (row[place].strip(" ."), found[2].strip())
        for row, place, found in zip(options.texts, right, signed, strict=True)
        if found and place is not None and place < len(row)
    ]
    if len(pairs) < 0.5 * sample.rows or not mostly(option == text for option, text in pairs):
        return None
    into = sample.unused(f"{profile.name}_letter")
    return Choice(
        "letter",
        right,
        (profile.column,),
        _named(profile.name, 0.95, 0.8),
        f"{profile.name} begins with the letter of {options.what}",
        value=into,
        steps=(*profile.steps, Match(value=profile.name, into=into, pattern=r"^\W?([A-La-l])", group=1)),
    )


def _by_key(options: OptionSet, profile: ColumnProfile, sample: Sample) -> Choice | None:
    if not options.keys or profile.kind not in ("text", "integer", "class") or profile.distinct < 2:
        return None
    texts = [as_text(value) for value in sample.values[profile.name]]
    held = [value in keys for value, keys in zip(texts, options.keys, strict=True) if value and keys]
    if not held or sum(held) < 0.8 * len(held):
        return None
    right = tuple(keys.index(value) if value in keys else None for value, keys in zip(texts, options.keys, strict=True))
    return Choice(
        "key",
        right,
        (profile.column,),
        _named(profile.name, 0.95, 0.7),
        f"{profile.name} names a key of {options.what} in {share_of(held)} of rows",
        value=profile.name,
        steps=profile.steps,
    )


def _by_text(options: OptionSet, profile: ColumnProfile, sample: Sample) -> Choice | None:
    if profile.kind not in ("text", "integer", "number") or profile.distinct < 2:
        return None
    texts = [as_text(value) for value in sample.values[profile.name]]
    held = [value in row for value, row in zip(texts, options.texts, strict=True) if value and row]
    if len(held) < 0.5 * sample.rows or sum(held) < 0.9 * len(held):
        return None
    right = tuple(row.index(value) if value in row else None for value, row in zip(texts, options.texts, strict=True))
    return Choice(
        "text",
        right,
        (profile.column,),
        _named(profile.name, 0.95, 0.7),
        f"{profile.name} equals one of {options.what} in {share_of(held)} of rows",
        value=profile.name,
        steps=profile.steps,
    )


def _by_flag_list(options: OptionSet, profile: ColumnProfile, sample: Sample) -> Choice | None:
    if profile.kind != "list" or profile.item_kind not in ("boolean", "integer"):
        return None
    values = [items_of(value) for value in sample.values[profile.name]]
    pairs = [(value, row) for value, row in zip(values, options.texts, strict=True) if row]
    if not mostly(len(value) == len(row) and set(value) <= {0, 1} and sum(map(bool, value)) == 1 for value, row in pairs):
        return None
    right = tuple(next((place for place, item in enumerate(value) if item in (1, True)), None) for value in values)
    return Choice(
        "flags",
        right,
        (profile.column,),
        _named(profile.name, 0.9, 0.8),
        f"{profile.name} marks one of {options.what} as right",
        flags=(profile.name,),
        steps=profile.steps,
    )


def _by_flags(options: OptionSet, sample: Sample) -> Iterator[Choice]:
    for members, names in siblings([profile.name for profile in sample.profiles if not profile.steps]):
        if [sign.lower() for sign in members] != [sign.lower() for sign in options.members] or set(names) & set(options.columns):
            continue
        rows = [[_truth(sample.values[name][row]) for name in names] for row in range(sample.rows)]
        if not mostly(None not in row for row in rows) or not any(any(row) for row in rows):
            continue
        if not mostly(sum(bool(flag) for flag in row) <= 1 for row in rows):
            continue
        right = tuple(next((place for place, flag in enumerate(row) if flag), -1) for row in rows)
        yield Choice("flags", right, tuple(names), 0.9, f"{listed(names)} are true for the right one of {options.what}", flags=tuple(names))


def _truth(value: Any) -> bool | None:
    text = as_text(value).casefold()
    return True if text in ("true", "1", "yes", "t", "y") else False if text in ("false", "0", "no", "f", "n") else None


def _named(name: str, named: float, other: float) -> float:
    return named if _ANSWER_NAME.search(name) else other
