"""Strangers' text inside Markdown: kept in its place, whatever it contains."""

from __future__ import annotations

import re
import unicodedata

_DIRECTION_MARKS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def one_line(text: str) -> str:
    """Text without line ends and other control characters, each run of blanks as one."""
    return " ".join(printable(text).split())


def inline(text: str, limit: int = 400) -> str:
    """Text as one run inside a line or a table cell: no markup, no link, no line end, cut at `limit` characters."""
    plain = one_line(text)
    plain = plain if len(plain) <= limit else plain[: limit - 1] + "…"
    return re.sub(r"([\\`*_\[\]<>|~&#$!@])", r"\\\1", plain).replace("://", "\\://")


def fenced(text: str, language: str = "text") -> str:
    """Text as a code block whose fence is longer than any run of backticks in it, so that it cannot end early."""
    plain = "\n".join(printable(text).splitlines())
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{plain}\n{fence}"


def printable(text: str) -> str:
    """Text without control characters and without marks that turn the direction of reading; blanks and line ends stay."""
    return "".join(
        char for char in text if char in "\n\t" or char.isspace() or not (unicodedata.category(char) == "Cc" or char in _DIRECTION_MARKS)
    )
