"""How commands speak: data on stdout, as text for people or JSON for programs; diagnostics on stderr, in a line or two."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from engine.errors import ExitCode
from engine.plain_text import clean

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json` for a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of text.")(command)


def put(value: Any, as_json: bool, text: Callable[[], str]) -> None:
    """A command's result: `value` as one JSON document, or what `text` makes of it."""
    click.echo(to_json(value) if as_json else clean(text()))


def to_json(value: Any) -> str:
    """One line of JSON; Structs with all their fields, also those at their default."""
    return json.dumps(plain(value), ensure_ascii=False, default=str)


def plain(value: Any) -> Any:
    """Structs as dictionaries with every field, all the way down."""
    import msgspec

    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag_field
        fields = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        return {tag: value.__struct_config__.tag, **fields} if tag else fields
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


SEED = click.IntRange(0, 2**32 - 1)
"""What the libraries that draw take."""


def complain(title: str, hint: str) -> None:
    """One line of what is wrong, at most two of what to do."""
    click.echo(f"datatune: {clean(title).replace(chr(10), ' ')}", err=True)
    for line in clean(hint).splitlines()[:2]:
        click.echo(f"  {line}", err=True)


def note(text: str) -> None:
    """A line of progress on stderr."""
    click.echo(clean(text), err=True)


def fail_as_json(given: Sequence[str], title: str, hint: str, code: int) -> int:
    """Report an error on stderr, and on stdout as well where JSON was asked for."""
    complain(title, hint)
    if "--json" in given:
        document: dict[str, Any] = {"error": title, "hint": hint, "exit_code": int(code)}
        if given and given[0] in ("run", "demo", "resume", "compare"):
            document = {"run": None, "state": "refused", "examples": 0, "reason": title, "hint": hint, "exit_code": int(code)}
        click.echo(to_json(document))
    return ExitCode(code)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], widest: int = 60) -> str:
    """Columns padded to their widest cell; cells cut at `widest`."""
    from rich.cells import cell_len

    cells = [[_cut(" ".join(clean(str(cell)).split()), widest) for cell in row] for row in rows]
    widths = [max(cell_len(row[i]) for row in [list(head), *cells]) for i in range(len(head))]
    lines = []
    for row in [list(head), *cells]:
        lines.append("  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip())
    return "\n".join(lines)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
