"""Says what stops the work, in words that can be copied."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label, TextArea


class Trouble(ModalScreen[None]):
    """An error with its cure."""

    CSS_PATH = "trouble.tcss"
    BINDINGS = [
        Binding("escape", "dismiss", "Close", id="trouble.close", tooltip="Go on"),
        Binding("c", "copy", "Copy", id="trouble.copy", tooltip="Copy the words"),
    ]

    def __init__(self, title: str, details: str) -> None:
        super().__init__()
        self._title = title
        self._details = details

    def compose(self) -> ComposeResult:
        with Vertical(id="trouble"):
            yield Label(self._title, markup=False, id="trouble-title")
            yield TextArea(self._details, read_only=True, id="trouble-details")
            with Horizontal():
                yield Button("Copy (c)", id="copy")
                yield Button("Close (esc)", id="close")

    def on_mount(self) -> None:
        self.query_one("#close", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "copy":
            self.action_copy()
        else:
            self.dismiss()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(f"{self._title}\n{self._details}")
        self.notify("copied; where the terminal does not take it, select the text instead")
