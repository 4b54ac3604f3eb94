"""The app: places as modes, one look at the database a quarter of a second, and the way from one place to another."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import TypeVar

from rich.text import Text
from textual import on
from textual.app import App
from textual.binding import Binding

from datatune_tui.catalog_process import CatalogProcess
from datatune_tui.marks import Marks
from datatune_tui.modals.trouble import Trouble
from datatune_tui.runs_read import Reader
from datatune_tui.screens.catalog import CatalogScreen
from datatune_tui.screens.data import DataScreen
from datatune_tui.screens.home import HomeScreen
from datatune_tui.screens.models import ModelsScreen
from datatune_tui.screens.place import Place
from datatune_tui.screens.run import RunScreen
from datatune_tui.screens.task import TaskScreen
from datatune_tui.widgets.places import PLACES, Places
from engine.errors import EngineError
from engine.locations import Locations, locate
from engine.plain_text import clean
from engine.store.database import Connection, open_writer

T = TypeVar("T")

LOOK_SECONDS = 0.25
ANYWAY_SECONDS = 1.0
"""While something runs its age and time left change, and its engine may be gone without a word."""
QUIET_SECONDS = 15.0
"""The same where nothing runs: how long ago something was changes slowly."""


class DataTune(App[None]):
    """The terminal UI."""

    TITLE = "DataTune"
    CSS_PATH = "app.tcss"
    MODES = {"home": HomeScreen, "run": RunScreen, "data": DataScreen, "catalog": CatalogScreen, "task": TaskScreen, "models": ModelsScreen}
    BINDINGS = [
        *(Binding(str(number), f"go('{mode}')", name, show=False, id=f"go.{mode}") for number, (mode, name) in enumerate(PLACES, 1)),
        Binding("question_mark", "help", "Help", id="app.help", tooltip="Keys and what this place is for"),
        Binding("q", "quit", "Quit", id="app.quit", tooltip="Close; runs go on"),
    ]

    def __init__(self, locations: Locations | None = None) -> None:
        super().__init__()
        self.reader = Reader(locations or locate())
        self.run_id = ""
        """The run that is open; "" for none."""
        self.units_wanted: tuple[str, str] | None = None
        """State and search that the place of the data takes up when it is next entered."""
        self.marks = Marks()
        """What was said of data sets for the next task."""
        self.catalog = CatalogProcess()
        self._looked = 0.0
        self._told = ""
        """The trouble with the database that was shown last."""

    def on_mount(self) -> None:
        """Bring the database up to date and begin to look at it."""
        try:
            if self.reader.locations.database.exists():
                open_writer(self.reader.locations.database).close()
            self.reader.locations.ensure()
        except EngineError as error:
            self.push_screen(Trouble(error.title, error.hint))
            return
        self.switch_mode("home")
        self.set_interval(LOOK_SECONDS, self._look)

    async def on_unmount(self) -> None:
        """Let go of the database; engines go on."""
        self.reader.close()
        await self.catalog.close()

    def _look(self) -> None:
        if not self.is_running:
            return  # being closed: parts of the screen are gone already
        screen = self.screen
        now = time.monotonic()
        anyway = ANYWAY_SECONDS if isinstance(screen, Place) and screen.ready and screen.live else QUIET_SECONDS
        try:
            due = self.reader.changed() or now - self._looked >= anyway
        except EngineError as error:
            self._tell(error)
            return
        if due and isinstance(screen, Place) and screen.ready:
            self._looked = now
            self.look_at(screen)

    def look_at(self, place: Place) -> None:
        """Let a place show what there is now; what is wrong with the database is shown."""
        try:
            place.look()
            self._told = ""
        except EngineError as error:
            self._tell(error)

    def _tell(self, error: EngineError) -> None:
        """Show it, once, not at every look."""
        if error.title != self._told:
            self._told = error.title
            self.push_screen(Trouble(error.title, error.hint))

    def write(self, change: Callable[[Connection], T]) -> T | None:
        """What one small write gives; None where it went wrong, which is shown."""
        try:
            connection = self.reader.writer()
            try:
                return change(connection)
            finally:
                connection.close()
        except EngineError as error:
            self.push_screen(Trouble(error.title, error.hint))
            return None

    def open_run(self, run_id: str) -> None:
        """Go to a run's place."""
        self.run_id = run_id
        self.switch_mode("run")

    def action_go(self, mode: str) -> None:
        """Go to a place."""
        self.switch_mode(mode)

    def action_help(self) -> None:
        """Show or hide the keys and the place's own help."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def _fatal_error(self) -> None:
        """What nobody foresaw: the traceback goes to a file, one line to the terminal. Called by Textual while the error is at hand."""
        file = self.reader.locations.logs / "last-error.txt"
        try:
            file.write_text(traceback.format_exc(), encoding="utf-8")
            hint = f"details: {file}; runs go on, and `datatune` opens the screens again"
        except OSError:
            hint = "its details could not be written either"
        error = sys.exc_info()[1]
        self._exit_renderables.append(Text(clean(f"datatune: unexpected {type(error).__name__}: {error}\n  {hint}")))
        self._close_messages_no_wait()

    @on(Places.Chosen)
    def _chosen(self, event: Places.Chosen) -> None:
        self.switch_mode(event.mode)


def start() -> int:
    """Open the app; its exit code."""
    app = DataTune()
    app.run()
    return app.return_code or 0
