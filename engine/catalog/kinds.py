"""What kind of value each column of a text or JSON file holds, and its cells as that kind."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from engine.records import ColumnKind

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,18})")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_BOOLEANS = {"true": True, "false": False}
_LARGEST = 2**63


class Observed:
    """The kinds seen in one column so far."""

    def __init__(self, *, texts_only: bool) -> None:
        self._texts_only = texts_only
        self._kinds: set[ColumnKind] = set()
        self._large = False

    def see(self, value: Any) -> None:
        """Take note of one cell; None says nothing."""
        if value is None:
            return
        if self._texts_only and isinstance(value, str):
            self._kinds.add(_kind_of_text(value))
        else:
            self._kinds.add(_kind_of_json(value))
            if isinstance(value, int) and abs(value) > 2**53:
                self._large = True
                if abs(value) >= _LARGEST:
                    self._kinds.add("mixed")

    def kind(self) -> ColumnKind:
        """The one kind that holds every cell."""
        if not self._kinds:
            return "null"
        if len(self._kinds) == 1:
            return next(iter(self._kinds))
        if self._kinds == {"integer", "number"} and (self._texts_only or not self._large):
            return "number"
        return "text" if self._texts_only else "mixed"


def stored(value: Any, kind: ColumnKind, *, texts_only: bool) -> Any:
    """The cell as its Arrow column holds it: plain for plain kinds, JSON text for lists, mappings and mixtures."""
    if value is None:
        return None
    if texts_only:
        if kind == "integer":
            return int(value)
        if kind == "number":
            return float(value)
        if kind == "boolean":
            return _BOOLEANS[value.strip().lower()]
        return whole_text(value)
    if kind == "text":
        return whole_text(value)
    if kind == "number":
        return None if math.isnan(value) else float(value)
    if kind in ("integer", "boolean", "null"):
        return value
    return whole_text(json.dumps(value, ensure_ascii=False))


def whole_text(text: str) -> str:
    """The text without halves of surrogate pairs, which no file can store."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _kind_of_text(cell: str) -> ColumnKind:
    text = cell.strip()
    if _INTEGER.fullmatch(text) and text != "-0":
        return "integer" if abs(int(text)) < _LARGEST else "text"
    if _NUMBER.fullmatch(text) and not (text.isdigit() or (text.startswith("-") and text[1:].isdigit())):
        return "number" if math.isfinite(float(text)) else "text"
    return "boolean" if text.lower() in _BOOLEANS else "text"


def _kind_of_json(value: Any) -> ColumnKind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number" if math.isfinite(value) or math.isnan(value) else "mixed"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "dict"
