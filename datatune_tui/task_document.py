"""A task file rewritten with other values: what stays the same keeps its place, its form and its comments."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

USUAL = {"language": "en", "output": {"kind": "text"}, "examples": []}
"""What a file need not say of its task."""


def rewritten(source: str, wanted: Mapping[str, Any]) -> str:
    """The text of `source` with what `wanted` says instead; without comments where they cannot be kept."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    before = tomllib.loads(source)
    task = {name: value for name, value in wanted["task"].items() if name in before.get("task", {}) or USUAL.get(name) != value}
    given = before.get("task", {})
    if "output" in task and "kind" not in given.get("output", {}) and task["output"].get("kind") == "text":
        task["output"] = {name: value for name, value in task["output"].items() if name != "kind"}
    wanted = {**wanted, "task": task}
    if isinstance(text := given.get("description"), str) and text.strip() == task["description"]:
        task["description"] = text
    try:
        document = tomlkit.parse(source)
        _change(document, before, wanted)
        text = tomlkit.dumps(document)
        if tomllib.loads(text) == wanted:
            return text
    except (TOMLKitError, tomllib.TOMLDecodeError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        pass  # a file written in a way the library cannot change in place
    return dumped(wanted)


def dumped(document: Mapping[str, Any]) -> str:
    """A document as TOML, texts of several lines as such."""
    # In a text of several lines a carriage return is part of the end of a line, and lost.
    text = tomli_w.dumps(document, multiline_strings=True)
    return text if tomllib.loads(text) == document else tomli_w.dumps(document)


def _change(table: Any, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name in before:
        if name not in wanted:
            del table[name]
    for name, value in wanted.items():
        was = before.get(name)
        if name in before and was == value and type(was) is type(value):
            continue
        if isinstance(value, Mapping) and isinstance(was, Mapping):
            _change(table[name], was, value)
        elif value and isinstance(value, list) and isinstance(value[0], Mapping):
            table[name] = _tables(table[name] if isinstance(was, list) else [], was if isinstance(was, list) else [], value)
        else:
            table[name] = _item(value)


def _tables(there: Any, before: Sequence[Any], wanted: Sequence[Mapping[str, Any]]) -> Any:
    """An array of tables; those that were there keep their comments wherever they are now."""
    import tomlkit

    found = tomlkit.aot()
    left = list(enumerate(before))
    for value in wanted:
        known = next((entry for entry in left if entry[1] == value), None)
        if known:
            left.remove(known)
            found.append(there[known[0]])
        else:
            table = tomlkit.table()
            for name, text in value.items():
                table[name] = _item(text)
            found.append(table)
    return found


def _item(value: Any) -> Any:
    import tomlkit

    if isinstance(value, str) and "\n" in value and "\r" not in value:
        return tomlkit.string(value, multiline=True)
    if isinstance(value, Mapping):
        table = tomlkit.table()
        for name, one in value.items():
            table[name] = _item(one)
        return table
    return tomlkit.item(value)
