"""Regular expressions of plans: RE2, so that no pattern, however hostile, takes more than linear time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from engine.errors import BadInput

MAX_PATTERN_CHARS = 2_000


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """The compiled pattern (an RE2 object: search, sub, finditer, groups); \\w and \\W mean letters of every script, which RE2's do not.

    Raises BadInput for what RE2 cannot do.
    """
    re2 = importlib.import_module("re2")
    if len(pattern) > MAX_PATTERN_CHARS:
        raise BadInput(f"a regular expression of {len(pattern)} characters is too long", f"At most {MAX_PATTERN_CHARS} characters.")
    options = re2.Options()
    options.max_mem = 8 << 20
    options.log_errors = False
    try:
        return re2.compile(_for_every_script(pattern), options)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise BadInput(f"regular expression {pattern!r}: {reason}", "RE2 syntax: no look-around and no back-references.") from error


def group_parents(pattern: str) -> tuple[int, ...]:
    """For each capture group, counted from 1, the group it lies in (0 for none): groups that do not nest take texts that do not overlap."""
    parents: list[int] = []
    open_groups: list[int] = []
    for position, token, in_class in _tokens(pattern):
        if in_class:
            continue
        if token == "(":
            captures = pattern[position + 1 : position + 2] != "?" or pattern[position + 1 : position + 4].startswith(("?P<", "?<"))
            if captures:
                parents.append(next((group for group in reversed(open_groups) if group), 0))
            open_groups.append(len(parents) if captures else 0)
        elif token == ")" and open_groups:
            open_groups.pop()
    return tuple(parents)


def _for_every_script(pattern: str) -> str:
    outside = {"\\w": r"[\pL\pM\pN_]", "\\W": r"[^\pL\pM\pN_]"}
    inside = {"\\w": r"\pL\pM\pN_"}
    return "".join((inside if in_class else outside).get(token, token) for _, token, in_class in _tokens(pattern))


def _tokens(pattern: str) -> Iterator[tuple[int, str, bool]]:
    """Each sign, escape or quoted stretch with its place, and whether it stands in a character class."""
    position, in_class, class_start = 0, False, 0
    while position < len(pattern):
        token = pattern[position]
        if token == "\\":
            token = pattern[position : position + 2]
            if token == "\\Q":
                end = pattern.find("\\E", position)
                token = pattern[position : len(pattern) if end < 0 else end + 2]
        elif in_class and token == "[" and pattern[position + 1 : position + 2] == ":":
            end = pattern.find(":]", position)
            token = token if end < 0 else pattern[position : end + 2]
        yield position, token, in_class
        if not in_class and token == "[":
            in_class, class_start = True, position + 1 + (pattern[position + 1 : position + 2] == "^")
        elif in_class and token == "]" and position > class_start:
            in_class = False
        position += len(token)
