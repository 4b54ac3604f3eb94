"""The line on top: where one can go, where one is, and which run is open."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Label

PLACES = (
    ("home", "Home"),
    ("run", "Run"),
    ("data", "Data"),
    ("catalog", "Catalog"),
    ("task", "Task"),
    ("models", "Models"),
    ("settings", "Settings"),
)
"""Modes of the app with their names, in the order of their keys."""


class Places(Horizontal):
    """Names with their keys; a click goes there."""

    class Chosen(Message):
        """Somebody wants to go somewhere."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    DEFAULT_CSS = """
    Places { height: 1; background: $panel; }
    Places Label { padding: 0 1; color: $text-muted; }
    Places Label.here { color: $text; text-style: bold reverse; }
    Places #open-run { width: 1fr; text-align: right; color: $text-accent; }
    """

    def __init__(self, here: str) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        for number, (mode, name) in enumerate(PLACES, 1):
            yield Label(f"{number} {name}", id=f"place-{mode}", classes="here" if mode == self._here else "", markup=False)
        yield Label("", id="open-run", markup=False)

    def tell(self, text: str) -> None:
        """Say on the right which run is open."""
        self.query_one("#open-run", Label).update(text)

    def on_click(self, event: events.Click) -> None:
        name = event.widget.id if event.widget else None
        if name and name.startswith("place-"):
            self.post_message(self.Chosen(name.removeprefix("place-")))
