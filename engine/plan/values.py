"""What values look like while a plan runs: how they print, how they compare as text, and options with the one picked from them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import msgspec

Values = dict[str, Any]
"""The names of one unit: columns, then whatever steps added."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WHOLE_FLOAT = re.compile(r"[+-]?\d+\.0+")
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:[.,]\d+)?(?:[eE][+-]?\d+)?|[+-]?\.\d+")
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_TRUE = frozenset({"true", "1", "yes", "y", "t"})
_FALSE = frozenset({"false", "0", "no", "n", "f", ""})


class Stop(Exception):
    """A step ends the unit here; `kind` says as what, `reason` is short enough to be counted."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def skip(reason: str) -> Stop:
    """The row does not serve, through no fault of the plan."""
    return Stop("skipped", reason)


def fail(reason: str) -> Stop:
    """The plan expected something else of the row."""
    return Stop("failed", reason)


def short(value: Any) -> str:
    """A value quoted for a reason, cut to 40 characters."""
    try:
        text = " ".join(plain(value).split())
    except ValueError:
        text = type(value).__name__
    return f"'{text[:40]}…'" if len(text) > 40 else f"'{text}'"


# ── options ───────────────────────────────────────────────────────────────────────────────────────────────


class Option(msgspec.Struct, frozen=True):
    """One option as the data gives it; `place` is its 0-based place there, whatever was dropped or reordered since."""

    text: str
    place: int
    key: str = ""


class OptionSet:
    """Options in the order shown. In templates: itself (a bulleted list), `.lettered`, an iteration over choices."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Option]) -> None:
        self.items = tuple(items)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Choice]:
        return (self.choice(index) for index in range(len(self.items)))

    def __getitem__(self, index: int) -> Choice:
        if not isinstance(index, int):
            raise TypeError("options are reached by number")
        return self.choice(range(len(self.items))[index])

    def __str__(self) -> str:
        return "\n".join(f"- {item.text}" for item in self.items)

    @property
    def lettered(self) -> str:
        """Lines such as "A. …"."""
        return "\n".join(f"{letter_of(index)}. {item.text}" for index, item in enumerate(self.items))

    def choice(self, index: int) -> Choice:
        """The option shown at this 0-based place."""
        return Choice(self.items[index].text, letter_of(index), index, self)

    def at_place(self, place: int) -> Choice | None:
        """The option that the data has at this 0-based place; None when it was dropped or never there."""
        return next((self.choice(index) for index, item in enumerate(self.items) if item.place == place), None)


class Choice:
    """One option of a set, as templates see it: `.text`, `.letter`, `.index` (from 0) and `.options`."""

    __slots__ = ("index", "letter", "options", "text")

    def __init__(self, text: str, letter: str, index: int, options: OptionSet) -> None:
        self.text = text
        self.letter = letter
        self.index = index
        """-1 for an answer that stands outside the options ("neither")."""
        self.options = options

    def __str__(self) -> str:
        return self.text


def letter_of(index: int) -> str:
    """A for 0, B for 1, …; beyond Z the number counted from 1."""
    return _LETTERS[index] if index < len(_LETTERS) else str(index + 1)


# ── how values print and compare ──────────────────────────────────────────────────────────────────────────


def plain(value: Any) -> str:
    """The text of a value: nothing for None and NaN, true/false, 3 for 3.0, items joined by ", ", JSON for dictionaries.

    Raises ValueError for bytes.
    """
    kind = type(value)
    if kind is str:
        return str(value)
    if value is None:
        return ""
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=plain)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value.is_finite() else ""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError("holds bytes, not text")
    return str(value)


def as_text(value: Any) -> str:
    """The form in which values are compared: as printed, without blanks around; True, "TRUE" and "true" are one, 1, 1.0 and "1.0" too."""
    text = plain(value).strip()
    folded = text.casefold()
    if folded in ("true", "false"):
        return folded
    return text[: text.index(".")] if _WHOLE_FLOAT.fullmatch(text) else text


def is_empty(value: Any) -> bool:
    """Nothing there: None, NaN, blank text, an empty list or dictionary."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, list | tuple | dict) and not value


def number_of(value: Any) -> float | int | None:
    """The number a value is or begins to tell of ("$1,234.50" is 1234.5); None when there is none."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if not isinstance(value, str) or len(value) > 10_000:
        return None
    found = _NUMBER.search(value)
    if found is None:
        return None
    text = found.group()
    head, comma, tail = text.rpartition(",")
    decimal_comma = bool(comma) and "." not in text and (len(tail) != 3 or head.lstrip("+-") in ("", "0"))
    text = text.replace(",", "." if decimal_comma else "") if text.count(",") == 1 else text.replace(",", "")
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(text) if text.lstrip("+-").isdigit() and len(text) < 400 else number


def truth_of(value: Any) -> bool | None:
    """What a flag says: true, 1, yes and false, 0, no or nothing; None for anything else."""
    text = as_text(value).casefold()
    return True if text in _TRUE else False if text in _FALSE else None


def items_of(value: Any) -> list[Any] | None:
    """The items of a list, also of one kept as a dictionary of equally long lists; None when it is neither."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, OptionSet):
        return list(value)
    if isinstance(value, dict) and value and all(isinstance(part, list) for part in value.values()):
        keys = list(value)
        if len({len(value[key]) for key in keys}) == 1:
            return [dict(zip(keys, parts, strict=True)) for parts in zip(*value.values(), strict=True)]
    return None


def clean(text: str) -> str:
    """Text as it may be stored: no control characters, no half surrogates, line ends as \\n, no blanks around."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _UNWANTED.search(text):
        text = _UNWANTED.sub("", text)
    return text.strip()
