"""The app: places as modes, one look at the database a quarter of a second, and the way from one place to another."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import TypeVar

from rich.terminal_theme import TerminalTheme
from rich.text import Text
from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from datatune_tui.answering_process import AnsweringProcess
from datatune_tui.keymap import checked, shown
from datatune_tui.marks import Marks
from datatune_tui.measured import Measured
from datatune_tui.modals.question import Question
from datatune_tui.modals.trouble import Trouble
from datatune_tui.runs_read import Reader
from datatune_tui.screens.catalog import CatalogScreen
from datatune_tui.screens.data import DataScreen
from datatune_tui.screens.home import HomeScreen
from datatune_tui.screens.models import ModelsScreen
from datatune_tui.screens.place import Place
from datatune_tui.screens.run import RunScreen
from datatune_tui.screens.settings import SettingsScreen
from datatune_tui.screens.task import TaskScreen
from datatune_tui.settings.keys import PressKey
from datatune_tui.themes import DEFAULT, THEMES, named_colours
from datatune_tui.widgets.places import PLACES, Places
from engine.errors import EngineError
from engine.locations import Locations, locate
from engine.plain_text import clean, one_line
from engine.settings import change_settings, examine
from engine.store.database import Connection, open_writer

T = TypeVar("T")

LOOK_SECONDS = 0.25
TOAST_SECONDS = 12.0
ANYWAY_SECONDS = 1.0
"""While something runs its age and time left change, and its engine may be gone without a word."""
QUIET_SECONDS = 15.0
"""The same where nothing runs: how long ago something was changes slowly."""


class DataTune(App[None]):
    """The terminal UI."""

    TITLE = "DataTune"
    CSS_PATH = "app.tcss"
    MODES = {
        "home": HomeScreen,
        "run": RunScreen,
        "data": DataScreen,
        "catalog": CatalogScreen,
        "task": TaskScreen,
        "models": ModelsScreen,
        "settings": SettingsScreen,
    }
    BINDINGS = [
        *(
            Binding(str(number), f"go('{mode}')", name, show=False, id=f"go.{mode}", tooltip=f"Go to {name}")
            for number, (mode, name) in enumerate(PLACES, 1)
        ),
        Binding("ctrl+p", "command_palette", "palette", show=False, priority=True, id="app.palette", tooltip="Every command by its words"),
        Binding("question_mark", "help", "Help", id="app.help", tooltip="Keys and what this place is for"),
        Binding("q", "quit", "Quit", id="app.quit", tooltip="Close; runs go on"),
    ]

    def __init__(self, locations: Locations | None = None) -> None:
        super().__init__()
        self.reader = Reader(locations or locate())
        self.wrong_settings: tuple[str, ...] = ()
        """Lines about theme and keys in the settings that cannot be used."""
        self._theme_kept = ""
        self._begin_looks()
        self.run_id = ""
        """The run that is open; "" for none."""
        self.units_wanted: tuple[str, str] | None = None
        """State and search that the place of the data takes up when it is next entered."""
        self.marks = Marks()
        """What was said of data sets for the next task."""
        self._asks_to_close: Question | None = None
        """Asks whether to close, once it was asked for."""
        self.unsaved = False
        """Whether the task in the form was changed since it was opened or saved."""
        self.measured: dict[str, Measured] = {}
        """The last comparison of sources, by run."""
        self.catalog = AnsweringProcess("catalog serve")
        self.previews = AnsweringProcess("plan serve")
        self._looked = 0.0
        self._clashes: set[str] = set()
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
        self.take_settings()

    def _begin_looks(self) -> None:
        """Only our themes, and the one that was chosen before anything is drawn."""
        for name in list(self.available_themes):
            self.unregister_theme(name)
        for theme in THEMES.values():
            self.register_theme(theme)
        self._theme_kept = examine(self.reader.locations.settings, screens_only=True).settings.theme or DEFAULT
        self.set_reactive(App.theme, self._theme_kept)
        dark = self.current_theme.dark
        self.set_class(dark, "-dark-mode", update=False)
        self.set_class(not dark, "-light-mode", update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet.set_variables(self.get_css_variables())

    @property
    def ansi_theme(self) -> TerminalTheme:
        """What colours named in texts look like."""
        return named_colours(self.current_theme)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Everything but the palette where a question wants to have every key."""
        return None if action == "command_palette" and isinstance(self.screen, PressKey) else True

    def take_settings(self) -> None:
        """Follow what the settings say of theme and keys; what is wrong with them is told once."""
        examined = examine(self.reader.locations.settings, screens_only=True)
        keys, wrong = checked(examined.settings.keys) if examined.settings.keys else ({}, ())
        self.set_keymap(keys)
        lines = (*examined.wrong, *wrong)
        for line in lines:
            if line not in self.wrong_settings:
                self.notify(clean(line), title="Settings", severity="warning", markup=False, timeout=TOAST_SECONDS)
        self.wrong_settings = lines
        self._theme_kept = examined.settings.theme or DEFAULT
        if self.theme != self._theme_kept and not examined.wrong:
            self.theme = self._theme_kept

    def keys_of(self, name: str, *keys: str) -> tuple[str, ...]:
        """The keys something has: those given in the settings, else these."""
        return tuple(self._keymap[name].split(",")) if name in self._keymap else keys

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Textual took a key from one that has no other: told once. What the settings ask for was checked for clashes before."""
        for binding in clashed_bindings:
            line = f"{shown(binding.key)} was “{binding.description or binding.action}” and is something else now"
            if binding.id not in self._keymap and line not in self._clashes:
                self._clashes.add(line)
                self.notify(line, title="Keys", severity="warning", markup=False)

    def watch_theme(self, theme: str) -> None:
        """Keep the theme that was chosen, wherever it was."""
        if not self.is_running or theme == self._theme_kept:
            return
        self._theme_kept = theme
        try:
            change_settings(self.reader.locations.settings, {"screens.theme": None if theme == DEFAULT else theme})
        except EngineError as error:
            self.notify(clean(f"the theme is not kept: {error.title}"), severity="warning", markup=False)
        if isinstance(self.screen, Place) and self.screen.ready:
            self.look_at(self.screen)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual's own, in our words."""
        for command in super().get_system_commands(screen):
            if command.title == "Theme":
                yield command._replace(title="Change theme", help=f"{', '.join(THEMES)}; kept in the settings")
            elif command.title not in ("Quit", "Keys"):
                yield command

    async def on_unmount(self) -> None:
        """Let go of the database; engines go on."""
        self.reader.close()
        await self.catalog.close()
        await self.previews.close()

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

    async def action_quit(self) -> None:
        """Close the app; asked again while it asks whether what is not saved may go, it may."""
        if not self.unsaved or self.screen is self._asks_to_close:
            self.exit()
            return
        self._asks_to_close = Question("What you changed in Task is not saved. Close, and forget it?", "Forget it", "Go back")
        self.push_screen(self._asks_to_close, lambda forget: self.exit() if forget else None)

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
    for line in going_on(app.reader):
        sys.stdout.write(f"{clean(line)}\n")
    return app.return_code or 0


def going_on(reader: Reader) -> list[str]:
    """What to say of the runs that closing the screens leaves at work."""
    try:
        at_work = [row.run for row in reader.rows() if row.run.state == "running"]
    except EngineError:
        return []  # it was shown while the screens were open
    finally:
        reader.close()
    return [f"run {run.id} ({one_line(run.task.name, 40)}) goes on; follow it: datatune, or: datatune show {run.id}" for run in at_work]
