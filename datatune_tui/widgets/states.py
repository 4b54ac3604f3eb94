"""How states look: a sign and a word, and a colour for those who see it."""

from __future__ import annotations

from rich.text import Text

SIGNS = {
    "new": ("·", "dim"),
    "running": ("▶", "bold green"),
    "done": ("✓", "green"),
    "stopped": ("■", "yellow"),
    "cancelled": ("■", "yellow"),
    "interrupted": ("!", "bold yellow"),
    "failed": ("✗", "bold red"),
    "reused": ("✓", "dim green"),
    "accepted": ("✓", "green"),
    "rejected": ("✗", "yellow"),
    "skipped": ("·", "dim"),
    "used": ("●", "bold cyan"),
    "preferred": ("▲", "green"),
    "excluded": ("✗", "red"),
}


def state_text(state: str, suffix: str = "") -> Text:
    """Sign and word; the word says all that the colour does."""
    sign, style = SIGNS.get(state, ("?", ""))
    return Text(f"{sign} {state}{suffix}", style=style, no_wrap=True, end="")
