"""Asks for the name of a file to write; what is wrong with it is said below while one types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from datatune_tui.sheet import check_ending


class FilePath(ModalScreen[Path | None]):
    """A path whose name ends as it should; None where it was left."""

    CSS_PATH = "file_path.tcss"
    BINDINGS = [Binding("escape", "leave", "Leave", id="path.leave", tooltip="Write nothing")]

    def __init__(self, title: str, path: Path, endings: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._path = path
        self._endings = tuple(endings)

    def compose(self) -> ComposeResult:
        with Vertical(id="file-path"):
            yield Label(f"{self._title}  (enter writes, esc leaves it)", markup=False)
            yield Input(str(self._path), id="path", select_on_focus=False)
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
    def _check(self) -> None:
        wrong = self._wrong()
        told = self.query_one("#path-told", Static)
        told.set_class(bool(wrong), "-wrong")
        told.update(wrong or ("this file is there already; you are asked before it is replaced" if self.path.exists() else ""))

    @on(Input.Submitted)
    def _take(self) -> None:
        if not self._wrong():
            self.dismiss(self.path)

    def _wrong(self) -> str:
        if not self.query_one(Input).value.strip():
            return "name a file"
        return check_ending(self.path, self._endings)

    def action_leave(self) -> None:
        """Write nothing."""
        self.dismiss(None)
