"""What all places have in common: the line on top, the footer, and being told when something has changed."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.widgets import Footer

from datatune_tui.engine_process import Refused
from datatune_tui.modals.trouble import Trouble
from datatune_tui.widgets.copying import Copying
from datatune_tui.widgets.places import Places
from engine.errors import EngineError

if TYPE_CHECKING:
    from textual.command import Provider

    from datatune_tui.app import DataTune

EVERYWHERE = """
**y** copies the row or the text in focus, **Y** the whole table, **w** writes it to a file.
"""


def _provider(name: str) -> type[Provider]:
    """What the palette offers, imported when it is first opened."""
    found: type[Provider] = getattr(import_module("datatune_tui.commands"), name)
    return found


class Place(Copying[None]):
    """A peer among peers; one mode of the app."""

    MODE = ""
    HELP = ""
    COMMANDS = {partial(_provider, name) for name in ("ActionOffers", "PlaceOffers", "RunOffers")}
    ready = False
    """Whether all parts are mounted."""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        if "HELP" in cls.__dict__:
            cls.HELP += EVERYWHERE

    def compose(self) -> ComposeResult:
        yield Places(self.MODE)
        yield from self.content()
        yield Footer()

    def content(self) -> ComposeResult:
        """What stands between the line on top and the footer."""
        raise NotImplementedError

    def look(self) -> None:
        """Show what there is now; called when the database has changed and when the place is entered."""
        raise NotImplementedError

    @property
    def live(self) -> bool:
        """Whether what is shown changes though nobody writes it."""
        return False

    @property
    def here(self) -> DataTune:
        """The app."""
        return cast("DataTune", self.app)

    def on_mount(self) -> None:
        """All parts are there: from now on they can be told what to show. Runs after the `on_mount` of subclasses."""
        self.ready = True
        self.here.look_at(self)

    def on_screen_resume(self) -> None:
        if self.ready:
            self.here.look_at(self)

    def stop(self, error: EngineError | Refused) -> None:
        """Show what stops the work."""
        self.app.push_screen(Trouble(error.title, error.hint))

    async def asked(self, command: Awaitable[Any]) -> Any:
        """The answer of a command, or None after showing why there is none."""
        try:
            return await command
        except Refused as error:
            self.stop(error)
            return None
