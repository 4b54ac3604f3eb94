"""All keys, place by place; one can be given another by pressing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rich.text import Text
from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from datatune_tui.keymap import Command, checked, commands, place_name, shown, taken
from datatune_tui.settings.field import SettingField
from datatune_tui.widgets.keyed_table import Cell, KeyedTable
from engine.plain_text import clean
from engine.settings import Settings

if TYPE_CHECKING:
    from datatune_tui.app import DataTune


class KeysPanel(Vertical):
    """A table of what keys do."""

    def compose(self) -> ComposeResult:
        yield Static("", id="keys-wrong")
        yield KeyedTable((("KEY", 12), ("WHOSE", 7), ("WHAT IT DOES", 12), ("PLACE", 16), ("ID", None)), id="keys")
        yield Static("", id="keys-told", markup=False)

    def on_mount(self) -> None:
        self._commands: dict[str, Command] = commands()
        self._wanted: dict[str, str] = {}

    def show(self, settings: Settings) -> None:
        """Show the keys as they are."""
        self._wanted = dict(settings.keys)
        good, wrong = checked(self._wanted) if self._wanted else ({}, ())
        rows = [(name, _cells(command, good.get(name))) for name, command in self._commands.items()]
        self.query_one(KeyedTable).show(rows)
        told = self.query_one("#keys-wrong", Static)
        told.update(Text("\n".join(f"not used: {clean(line)}" for line in wrong), "red"))
        told.display = bool(wrong)
        self._tell()

    def on_data_table_row_highlighted(self) -> None:
        """Say more of the one under the cursor."""
        self._tell()

    def _tell(self) -> None:
        if command := self._commands.get(self.query_one(KeyedTable).current):
            restore = shown(*cast("DataTune", self.app).keys_of("settings.restore", "ctrl+r"))
            told = f"{command.id}: {command.tooltip}\nenter: press another key for it; {restore}: the default again"
            self.query_one("#keys-told", Static).update(told)

    @on(KeyedTable.RowSelected)
    @work
    async def _rebind(self) -> None:
        """Ask for a key, and want it from now on."""
        command = self._commands[self.query_one(KeyedTable).current]
        key = await self.app.push_screen_wait(PressKey(command, self._wanted))
        if key:
            default = set(key.split(",")) == set(command.keys)
            self.post_message(SettingField.Changed(f"keys.{command.id}", None if default else key))

    def put_back(self) -> None:
        """Ask for the default of the one under the cursor."""
        name = self.query_one(KeyedTable).current
        if name in self._wanted:
            self.post_message(SettingField.Changed(f"keys.{name}", None))


class PressKey(ModalScreen[str | None]):
    """Waits for a key that can be had; None where it was left. It has no keys of its own but Escape."""

    CSS_PATH = "keys.tcss"

    def __init__(self, command: Command, wanted: dict[str, str]) -> None:
        super().__init__()
        self._command = command
        self._wanted = wanted

    def compose(self) -> ComposeResult:
        with Vertical(id="press-key"):
            yield Label(f"Press the key for “{self._command.name}” ({place_name(self._command.place)}); esc leaves it", markup=False)
            yield Static("", id="press-wrong", markup=False)

    async def on_event(self, event: events.Event) -> None:
        """Take every key before anything else does."""
        if isinstance(event, events.Key):
            event.stop()
            event.prevent_default()
            self._pressed(event.key)
            return
        await super().on_event(event)

    def _pressed(self, key: str) -> None:
        if key == "escape":
            self.dismiss(None)
        elif problem := taken(self._command.id, key, self._wanted):
            self.query_one("#press-wrong", Static).update(f"{problem.partition(': ')[2]}. Press another.")
        else:
            self.dismiss(key)


def _cells(command: Command, given: str | None) -> tuple[Cell, ...]:
    keys = given.split(",") if given else command.keys
    whose: Any = Text("yours", "bold") if given else Text("default", "dim")
    name = command.name or command.tooltip
    return (shown(*keys), whose, name, place_name(command.place), command.id)
