"""Asks for a text: a note, an output put right."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, TextArea


class LineInput(ModalScreen[str | None]):
    """One text; None where it was left."""

    CSS_PATH = "line_input.tcss"
    BINDINGS = [
        Binding("escape", "leave", "Leave", id="text.leave", tooltip="Keep nothing of it"),
        Binding("ctrl+s", "take", "Take it", id="text.take", priority=True, tooltip="Keep the text"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical(id="line-input"):
            yield Label(f"{self._title}  (ctrl+s takes it, esc leaves it)", markup=False)
            yield TextArea(self._text, id="line-text")

    def on_mount(self) -> None:
        area = self.query_one(TextArea)
        area.focus()
        area.move_cursor(area.document.end)

    def action_take(self) -> None:
        self.dismiss(self.query_one(TextArea).text)

    def action_leave(self) -> None:
        self.dismiss(None)
