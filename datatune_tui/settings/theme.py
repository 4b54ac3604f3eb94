"""Which theme the screens have."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from datatune_tui.themes import DEFAULT, THEMES
from engine.settings import Settings

WORDS = {
    "dark": "light words on dark; the default",
    "light": "dark words on light",
    "high-contrast": "on black, every word at least 7 to 1",
}


class ThemePanel(Vertical):
    """A list of themes; enter takes one."""

    def compose(self) -> ComposeResult:
        yield OptionList(id="themes", markup=False)
        yield Static(
            "enter takes the theme; ctrl+r takes the default again. NO_COLOR in the environment turns all of them to grey: "
            "every state is also a word.",
            id="theme-told",
            markup=False,
        )

    def show(self, settings: Settings) -> None:
        """Mark the theme that is shown."""
        found = self.query_one(OptionList)
        at = found.highlighted
        found.clear_options()
        found.add_options([Option(_line(name, name == self.app.theme), id=name) for name in THEMES])
        found.highlighted = list(THEMES).index(self.app.theme) if at is None else at

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.app.theme = event.option_id or DEFAULT

    def put_back(self) -> None:
        """Take the default."""
        self.app.theme = DEFAULT


def _line(name: str, here: bool) -> Text:
    text = Text(f"{'●' if here else '○'} {name:14}", "bold" if here else "")
    text.append(f" {'shown now; ' if here else ''}{WORDS[name]}", "not bold")
    return text
