"""Takes several examples at once, in the forms people have them in, and says while one pastes what was read."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static, TextArea

from engine.errors import BadInput
from engine.plain_text import one_line
from engine.records import TaskExample
from engine.task_examples import pasted

HOW = """\
Paste examples: input → output with an empty line between, or the output on the last line of each; two columns
of a spreadsheet; or lines of JSON.  (ctrl+s takes them, esc leaves them)"""


class ExamplesPasted(ModalScreen[tuple[TaskExample, ...]]):
    """Examples; none where they were left."""

    CSS_PATH = "example_input.tcss"
    BINDINGS = [
        Binding("escape", "leave", "Leave", id="pasted.leave", tooltip="Add none"),
        Binding("ctrl+s", "take", "Take them", priority=True, id="pasted.take", tooltip="Put them among the examples"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(id="pasted"):
            yield Label(" ".join(HOW.split("\n")), markup=False)
            yield TextArea("", id="pasted-text")
            yield Static("", id="pasted-told", markup=False)

    def on_mount(self) -> None:
        self.query_one(TextArea).focus()

    @on(TextArea.Changed)
    def _changed(self) -> tuple[TaskExample, ...]:
        """Say what was read, or what is wrong; the examples."""
        told = self.query_one("#pasted-told", Static)
        found: tuple[TaskExample, ...] = ()
        text = self.query_one(TextArea).text
        try:
            found = pasted(text) if text.strip() else ()
            last = f"{one_line(found[-1].input, 60)} → {one_line(found[-1].output, 40)}" if found else ""
            told.update(f"{len(found)} example{'' if len(found) == 1 else 's'}; the last: {last}" if found else "")
        except BadInput as error:
            told.update(one_line(f"{error.title}; {error.hint}", 300))
        told.set_class(bool(found), "-right")
        return found

    def action_take(self) -> None:
        """Take them, where they can be read."""
        if found := self._changed():
            self.dismiss(found)

    def action_leave(self) -> None:
        """Add none."""
        self.dismiss(())
