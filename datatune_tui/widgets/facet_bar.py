"""What a search is narrowed to: languages, licences, rows, downloads, what is here; numbers may be written 5k or 1.5M."""

from __future__ import annotations

import re
from typing import Any

from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Checkbox, Input

NUMBERS = {"min_rows": "rows from", "max_rows": "rows to", "min_downloads": "downloads from"}
"""Facets that are numbers, with their names on the screen."""


class Tick(Checkbox):
    """A box that is empty where it is off: without colours a cross would look the same in both."""

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]
        """What stands in the box."""
        return "X" if self.value else " "


class FacetBar(Container):
    """Fields for facets; what is not filled in lets everything through."""

    DEFAULT_CSS = """
    FacetBar { height: 1; layout: horizontal; }
    FacetBar Input { width: 1fr; }
    FacetBar Input.-wrong { color: $text-error; }
    FacetBar Checkbox { width: auto; margin-right: 1; }
    """

    def compose(self) -> ComposeResult:
        yield Input(placeholder="language: en", id="language", compact=True)
        yield Input(placeholder="licence: mit", id="licence", compact=True)
        for name, title in NUMBERS.items():
            yield Input(placeholder=title, id=name.replace("_", "-"), compact=True)
        yield Tick("here", id="here", compact=True)
        yield Tick("open", id="open", compact=True)

    @property
    def facets(self) -> dict[str, Any]:
        """What is asked for, as `catalog serve` takes it; numbers that are none count as not given."""
        found: dict[str, Any] = {name: self._text(name) for name in ("language", "licence")}
        found |= {name: number(self._text(name)) or 0 for name in NUMBERS}
        found |= {name: self.query_one(f"#{name}", Checkbox).value for name in ("here", "open")}
        return {name: value for name, value in found.items() if value}

    @property
    def wrong(self) -> str:
        """What is wrong with a field, in one line; "" where nothing is. Marks the field."""
        told = ""
        for name, title in NUMBERS.items():
            text = self._text(name)
            bad = bool(text) and number(text) is None
            self.query_one(f"#{name.replace('_', '-')}").set_class(bad, "-wrong")
            told = told or (f"{title}: {text} is no number; write 5000, 5k or 1.5M" if bad else "")
        facets = self.facets
        if not told and facets.get("max_rows") and facets.get("min_rows", 0) > facets["max_rows"]:
            told = "rows from is more than rows to"
        return told

    def told(self) -> str:
        """What is asked for, in words; "" where nothing is."""
        names = {"here": "rows here", "open": "free for all"}
        said = []
        for name, value in self.facets.items():
            said.append(f"{NUMBERS[name]} {value:,}" if name in NUMBERS else names.get(name, str(value)))
        return ", ".join(said)

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name.replace('_', '-')}", Input).value.strip()


def number(text: str) -> int | None:
    """A count as people write it: 5000, 5,000, 5k, 1.5M; None for what is none."""
    from engine.catalog.facets import UNITS  # deferred: brings the card parser, and start-up counts

    found = re.fullmatch(r"(\d{1,15}(?:[.,]\d{1,15}){0,4})\s*([kmbt]?)", text.strip(), re.IGNORECASE)
    if not found:
        return None
    digits, unit = found[1], found[2].lower()
    if not unit:
        return int(re.sub(r"[.,]", "", digits)) if len(digits) < 20 else None
    if len(re.findall(r"[.,]", digits)) > 1:
        return None
    return int(float(digits.replace(",", ".")) * UNITS[unit])
