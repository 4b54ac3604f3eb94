"""Asks for a file by its path, which is completed while one types; what is wrong with it is said below."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Label, Static

from engine.errors import BadInput
from engine.plain_text import one_line

ENTRIES = 5_000
"""Of a folder that are looked at to complete a name."""


class FilePath(ModalScreen[Path | None]):
    """A path; None where it was left."""

    CSS_PATH = "file_path.tcss"
    BINDINGS = [Binding("escape", "leave", "Leave", id="path.leave", tooltip="Name no file")]

    def __init__(self, title: str, path: str, check: Callable[[Path], str]) -> None:
        """`check` says what there is to know of a path, and raises BadInput where it cannot be taken."""
        super().__init__()
        self._title = title
        self._path = path
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical(id="file-path"):
            yield Label(f"{self._title}  (enter takes it, → completes, esc leaves it)", markup=False)
            yield Input(self._path, id="path", select_on_focus=False, suggester=Paths())
            yield Static("", id="path-told", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @property
    def path(self) -> Path:
        """What stands there, as an absolute path."""
        text = Path(self.query_one(Input).value.strip())
        try:
            return text.expanduser().absolute()
        except RuntimeError:  # a "~name" nobody has
            return text.absolute()

    @on(Input.Changed)
    def _changed(self) -> bool:
        """Say what is known of the path; whether it can be taken."""
        told, wrong = "", ""
        try:
            if not self.query_one(Input).value.strip():
                raise BadInput("name a file")
            told = self._check(self.path)
        except BadInput as error:
            wrong = "; ".join(filter(None, (error.title, error.hint)))
        shown = self.query_one("#path-told", Static)
        shown.set_class(bool(wrong), "-wrong")
        shown.update(one_line(wrong or told, 300))
        return not wrong

    @on(Input.Submitted)
    def _take(self) -> None:
        if self._changed():
            self.dismiss(self.path)

    def action_leave(self) -> None:
        """Name no file."""
        self.dismiss(None)


class Paths(Suggester):
    """Completes a path with the first name in its folder that goes on like it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The path completed; None where nothing goes on like it."""
        head, slash, start = value.rpartition("/")
        try:
            folder = Path(f"{head}/" if slash else ".").expanduser()
            names = []
            for entry, _ in zip(folder.iterdir(), range(ENTRIES), strict=False):
                if entry.name.startswith(start) and entry.name != start and (start or not entry.name.startswith(".")):
                    names.append(entry.name + ("/" if entry.is_dir() else ""))
        except (OSError, RuntimeError, ValueError):
            return None
        return f"{head}{slash}{min(names)}" if names else None
