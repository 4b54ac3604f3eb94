"""Foreign text made safe to show: what models, cards and rows say never controls a terminal or the order of other text."""

from __future__ import annotations


def clean(text: str) -> str:
    """The text without control characters but newline and tab, without escapes, and without marks that turn its direction."""
    return "".join(ch for ch in text if ch in "\n\t" or ch.isprintable() or ch == " ")


def one_line(text: str, limit: int) -> str:
    """Safe text on one line, cut at `limit` characters; looks at no more of a long text than that takes."""
    words = " ".join(clean(text[: 4 * limit]).split())
    return words if len(words) <= limit and len(text) <= 4 * limit else f"{words[: limit - 1]}…"
