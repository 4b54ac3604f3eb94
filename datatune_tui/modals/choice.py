"""Asks for one of several things."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from engine.plain_text import one_line


class Choice(ModalScreen[str | None]):
    """The name of what was chosen; None where nothing was."""

    CSS_PATH = "choice.tcss"
    BINDINGS = [Binding("escape", "leave", "Leave", id="choice.leave", tooltip="Choose nothing")]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], at: str = "") -> None:
        """`choices` are names with the words that tell of them; the cursor begins `at` one."""
        super().__init__()
        self._title = title
        self._choices = tuple(choices)
        self._at = at

    def compose(self) -> ComposeResult:
        with Vertical(id="choice"):
            yield Label(f"{self._title}  (enter chooses, esc leaves it)", markup=False)
            # By number: what is chosen among may be called anything.
            yield OptionList(*(Option(Text(one_line(text, 200)), id=f"n{n}") for n, (_, text) in enumerate(self._choices)), markup=False)

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.focus()
        options.highlighted = next((n for n, (name, _) in enumerate(self._choices) if name == self._at), 0)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][0])

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)
