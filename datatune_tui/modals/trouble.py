"""Says what stops the work, in words that can be copied."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Label, TextArea

from datatune_tui.widgets.copying import Copying


class Trouble(ModalScreen[None], Copying[None]):
    """An error with its cure."""

    CSS_PATH = "trouble.tcss"
    BINDINGS = [
        Binding("escape", "dismiss", "Close", id="trouble.close", tooltip="Go on"),
        Binding("y,c", "copy_here", "Copy", id="trouble.copy", tooltip="Copy what is wrong and what to do"),
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
                yield Button("Copy (y)", id="copy")
                yield Button("Close (esc)", id="close")

    def on_mount(self) -> None:
        self.query_one("#close", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "copy":
            self.action_copy_here()
        else:
            self.dismiss()

    @property
    def copied_part(self) -> Widget:
        return self
