"""Asks for one example: its input and its output, held against the labels while one types."""

from __future__ import annotations

import difflib

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static, TextArea

from engine.records import TaskExample


class ExampleInput(ModalScreen[TaskExample | None]):
    """One example; None where it was left."""

    CSS_PATH = "example_input.tcss"
    BINDINGS = [
        Binding("escape", "leave", "Leave", id="example.leave", tooltip="Leave it as it was"),
        Binding("ctrl+s", "take", "Take it", priority=True, id="example.take", tooltip="Put it among the examples"),
    ]

    def __init__(self, example: TaskExample | None, labels: tuple[str, ...]) -> None:
        """`labels` are what outputs may be; none where they may be anything."""
        super().__init__()
        self._example = example or TaskExample("", "")
        self._labels = labels

    def compose(self) -> ComposeResult:
        with Vertical(id="example"):
            yield Label("Input  (tab goes on, ctrl+s takes it, esc leaves it)", markup=False)
            yield TextArea(self._example.input, id="example-input", tab_behavior="focus")
            yield Label(f"Output{': ' + ', '.join(self._labels)[:300] if self._labels else ''}", markup=False)
            yield TextArea(self._example.output, id="example-output", tab_behavior="focus")
            yield Static("", id="example-told", markup=False)

    def on_mount(self) -> None:
        self.query_one("#example-input", TextArea).focus()

    @property
    def example(self) -> TaskExample:
        """What stands there; blanks around an output are never meant."""
        given, wanted = (self.query_one(f"#example-{name}", TextArea).text for name in ("input", "output"))
        return TaskExample(given.strip("\n"), wanted.strip())

    @on(TextArea.Changed)
    def _changed(self) -> None:
        self.query_one("#example-told", Static).update(self._wrong() if any((self.example.input, self.example.output)) else "")

    def _wrong(self) -> str:
        given, wanted = self.example.input, self.example.output
        if not given.strip() or not wanted:
            return "input and output are both needed"
        if self._labels and wanted not in self._labels:
            near = difflib.get_close_matches(wanted, self._labels, n=1, cutoff=0.5)
            return f"{wanted[:60]} is not one of the labels" + (f"; did you mean {near[0]}?" if near else "")
        return ""

    def action_take(self) -> None:
        """Take it, where it is whole."""
        if not self._wrong():
            self.dismiss(self.example)
        else:
            self.query_one("#example-told", Static).update(self._wrong())

    def action_leave(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)
