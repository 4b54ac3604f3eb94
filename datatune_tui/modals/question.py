"""Asks before something is done that cannot be taken back."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label


class Question(ModalScreen[bool]):
    """A question with two answers; Escape is no."""

    CSS_PATH = "question.tcss"
    BINDINGS = [
        Binding("escape,n", "answer(False)", "No", id="question.no", tooltip="Leave it"),
        Binding("y", "answer(True)", "Yes", id="question.yes", tooltip="Do it"),
    ]

    def __init__(self, text: str, yes: str, no: str = "Leave it") -> None:
        super().__init__()
        self._text = text
        self._yes = yes
        self._no = no

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label(self._text, markup=False)
            with Horizontal():
                yield Button(f"{self._yes} (y)", variant="error", id="yes")
                yield Button(f"{self._no} (n)", id="no")

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
