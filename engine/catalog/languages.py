"""Languages as cards state them: codes with or without a country, or the word for many."""

from __future__ import annotations

from collections.abc import Sequence

MANY = ("multilingual", "mul")


def states(stated: Sequence[str], wanted: str) -> bool:
    """Whether one of the codes a card states is the wanted language, or many."""
    return any(code.lower() in MANY or code.lower().split("-")[0] == wanted.lower().split("-")[0] for code in stated)
