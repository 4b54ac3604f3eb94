"""Regular expressions of plans: RE2, so that no pattern, however hostile, takes more than linear time."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

from engine.errors import BadInput

MAX_PATTERN_CHARS = 2_000


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """The compiled pattern (an RE2 object with search, sub, split, groups). Raises BadInput for what RE2 cannot do."""
    re2 = importlib.import_module("re2")
    if len(pattern) > MAX_PATTERN_CHARS:
        raise BadInput(f"a regular expression of {len(pattern)} characters is too long", f"At most {MAX_PATTERN_CHARS} characters.")
    options = re2.Options()
    options.max_mem = 8 << 20
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise BadInput(f"regular expression {pattern!r}: {reason}", "RE2 syntax: no look-around and no back-references.") from error


def group_parents(pattern: str) -> tuple[int, ...]:
    """For each capture group, counted from 1, the group it lies in (0 for none): groups that do not nest take texts that do not overlap."""
    parents: list[int] = []
    open_groups: list[int] = []
    position, in_class = 0, False
    while position < len(pattern):
        sign = pattern[position]
        if sign == "\\":
            if pattern[position + 1 : position + 2] == "Q":
                end = pattern.find("\\E", position)
                position = len(pattern) if end < 0 else end + 2
                continue
            position += 2
            continue
        if in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
            while pattern[position + 1 : position + 2] in ("^", "]"):
                position += 1
                if pattern[position] == "]":
                    break
        elif sign == "(":
            captures = pattern[position + 1 : position + 2] != "?" or pattern[position + 1 : position + 4].startswith(("?P<", "?<"))
            if captures:
                parents.append(next((group for group in reversed(open_groups) if group), 0))
            open_groups.append(len(parents) if captures else 0)
        elif sign == ")" and open_groups:
            open_groups.pop()
        position += 1
    return tuple(parents)
