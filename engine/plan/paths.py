"""Paths into nested values, such as `answers.text[0]` or `choices["label"]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.errors import BadInput
from engine.plan.values import Choice, OptionSet, items_of

Path = tuple[str | int, ...]

_PART = re.compile(r"""\.([^.\[\]"]+)|\[(-?\d+)\]|\["([^"]*)"\]|\['([^']*)'\]""")


def split_path(path: str, exists: Callable[[str], bool]) -> tuple[str, Path]:
    """The name a path starts with (the longest that exists, since names may hold dots) and the steps into it.

    Raises BadInput when no name fits or the rest is no path.
    """
    for end in range(len(path), 0, -1):
        if (end == len(path) or path[end] in ".[") and exists(path[:end]):
            return path[:end], _parts(path, path[end:])
    root = re.split(r"[.\[]", path, maxsplit=1)[0]
    raise BadInput(f"there is no `{root}` at the start of the path `{path}`", "A path starts with a column or an earlier step's name.")


def _parts(path: str, rest: str) -> Path:
    parts: list[str | int] = []
    position = 0
    while position < len(rest):
        found = _PART.match(rest, position)
        if found is None:
            raise BadInput(f"the path `{path}` cannot be read at `{rest[position:]}`", 'Write name.key, name[0] or name["any key"].')
        parts.append(int(found[2]) if found[2] is not None else found[1] or found[3] or found[4] or "")
        position = found.end()
    return tuple(parts)


def follow(value: Any, path: Path) -> Any:
    """What lies at the path; a key into a list gives the list of that key's values. Raises LookupError naming where it ends."""
    for depth, key in enumerate(path):
        if isinstance(key, int):
            items = items_of(value)
            if items is None or not -len(items) <= key < len(items):
                raise LookupError(f"[{key}]")
            value = items[key]
        elif isinstance(value, dict):
            if key not in value:
                raise LookupError(key)
            value = value[key]
        elif isinstance(value, Choice | OptionSet):
            raise LookupError(key)
        elif isinstance(value, list | tuple):
            return [follow(item, path[depth:]) for item in value]
        else:
            raise LookupError(key)
    return value
