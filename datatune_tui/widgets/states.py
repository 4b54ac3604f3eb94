"""How states look: a sign and a word, and a colour for those who see it."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text

SIGNS: dict[str, tuple[str, Style]] = {
    "new": ("·", Style.parse("dim")),
    "running": ("▶", Style.parse("bold green")),
    "done": ("✓", Style.parse("green")),
    "stopped": ("■", Style.parse("yellow")),
    "cancelled": ("■", Style.parse("yellow")),
    "interrupted": ("!", Style.parse("bold yellow")),
    "failed": ("✗", Style.parse("bold red")),
    "reused": ("✓", Style.parse("green")),
    "accepted": ("✓", Style.parse("green")),
    "rejected": ("✗", Style.parse("yellow")),
    "skipped": ("·", Style.parse("dim")),
    "used": ("●", Style.parse("bold cyan")),
    "preferred": ("▲", Style.parse("green")),
    "excluded": ("✗", Style.parse("red")),
}
"""Styles, not their names: a name as the style of a whole text would be CSS's colour, which no theme maps."""


def state_text(state: str, suffix: str = "") -> Text:
    """Sign and word; the word says all that the colour does."""
    sign, style = SIGNS.get(state, ("?", Style()))
    return Text(f"{sign} {state}{suffix}", style=style, no_wrap=True, end="")
