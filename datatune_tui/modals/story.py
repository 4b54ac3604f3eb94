"""A run's whole story as one text that can be searched by eye and copied."""

from __future__ import annotations

import time

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Footer, TextArea

from datatune_tui.runs_read import View
from datatune_tui.widgets.copying import Copying
from engine.plain_text import clean


class Story(ModalScreen[None], Copying[None]):
    """What happened, line by line."""

    CSS_PATH = "story.tcss"
    BINDINGS = [
        Binding("escape,q", "dismiss", "Close", id="story.close", tooltip="Back to the run"),
        Binding("y,c", "copy_here", "Copy", id="story.copy", tooltip="Copy the whole story"),
        Binding("w", "save_copy", "Save", id="story.save", tooltip="Write the whole story to a file"),
    ]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._text = "\n".join(
            f"{time.strftime('%H:%M:%S', time.localtime(event.at))}  {event.stage:9} {clean(event.candidate)} {clean(event.text)}"
            for event in view.events
        )

    def compose(self) -> ComposeResult:
        yield TextArea(self._text or "Nothing happened yet.", read_only=True, id="story")
        yield Footer()
