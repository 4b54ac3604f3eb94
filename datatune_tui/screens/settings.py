"""Settings: defaults of every stage for new runs, models by role, theme, keys, and where everything lies."""

from __future__ import annotations

from typing import Protocol, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import ContentSwitcher, OptionList, Static
from textual.widgets.option_list import Option

from datatune_tui.screens.place import Place
from datatune_tui.settings.field import SettingField
from engine.errors import EngineError
from engine.plain_text import clean
from engine.settings import Examined, Settings, change_settings, examine
from engine.stages import STAGE_NAMES

SECTIONS = ("models", *STAGE_NAMES, "theme", "keys", "folders")
WRONG_SHOWN = 3


class Panel(Protocol):
    """What stands beside the list of sections."""

    def show(self, settings: Settings) -> None:
        """Show what is kept."""


class SettingsScreen(Place):
    """One section at a time; what is changed is kept at once."""

    MODE = "settings"
    CSS_PATH = "settings.tcss"
    HELP = """\
# Settings

Your defaults for new runs on this machine. A task file comes before them, and --set and --model come before both. Runs there are
already stay as they are.

- **up** and **down** choose a section, **tab** or **enter** goes into it, **escape** comes back
- a field is kept when you leave it or press **enter**, if nothing is wrong with it; **ctrl+r** puts the default back
- theme: **enter** takes one; keys: **enter**, then press another key

All of it stands in settings.toml, which you may also edit; `datatune settings` shows it.
"""
    BINDINGS = [
        Binding("ctrl+r", "restore", "Put back", id="settings.restore", priority=True, tooltip="The default again"),
        Binding("escape", "back", "Sections", id="settings.back", tooltip="Leave the field, back to the list of sections"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]

    def content(self) -> ComposeResult:
        yield Static("", id="told", markup=False)
        with Horizontal():
            yield OptionList(*(Option(name, id=name) for name in SECTIONS), id="sections", markup=False)
            yield ContentSwitcher(id="panels")

    def on_mount(self) -> None:
        self._examined = Examined()
        self._seen: tuple[int, ...] | None = None
        sections = self.query_one("#sections", OptionList)
        sections.focus()
        sections.highlighted = 0

    def look(self) -> None:
        """Read the settings where they have changed."""
        seen = self._stamp()
        if seen != self._seen:
            self._seen = seen
            self._examined = examine(self.here.reader.locations.settings)
        self._show()

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self.here.reader.locations.settings.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "restore" and self.ready:
            return self._restorable() is not None or None
        return True

    def _show(self) -> None:
        settings, wrong = self._examined.settings, self._examined.wrong
        told = Text("your defaults for new runs, kept in settings.toml; folders says where it lies", "dim")
        for line in wrong[:WRONG_SHOWN]:
            told.append(f"\nnot used: {clean(line)}", "not dim bold red")
        if len(wrong) > WRONG_SHOWN:
            told.append(f"\nand {len(wrong) - WRONG_SHOWN} more: datatune settings", "not dim bold red")
        self.query_one("#told", Static).update(told)
        sections = self.query_one("#sections", OptionList)
        for name in SECTIONS:
            sections.replace_option_prompt(name, _section(name, settings))
        if panel := self.query_one(ContentSwitcher).visible_content:
            cast(Panel, panel).show(settings)
        self.refresh_bindings()

    @on(OptionList.OptionHighlighted, "#sections")
    async def _chosen(self, event: OptionList.OptionHighlighted) -> None:
        """Show a section; it is made when it is first wanted."""
        name, panels = event.option_id or SECTIONS[0], self.query_one(ContentSwitcher)
        if not panels.query(f"#section-{name}"):
            panel = self._panel(name)
            panel.id = f"section-{name}"
            await panels.add_content(panel)
        panels.current = f"section-{name}"
        self._show()

    def _panel(self, name: str) -> Widget:
        if name == "theme":
            from datatune_tui.settings.theme import ThemePanel

            return ThemePanel()
        if name == "keys":
            from datatune_tui.settings.keys import KeysPanel

            return KeysPanel()
        if name == "folders":
            from datatune_tui.settings.folders import FoldersPanel

            return FoldersPanel()
        from datatune_tui.settings.forms import models_form, stage_form

        return models_form(self.here.reader.locations) if name == "models" else stage_form(name)

    @on(OptionList.OptionSelected, "#sections")
    def _entered(self) -> None:
        self.focus_next()

    @on(SettingField.Changed)
    def _changed(self, event: SettingField.Changed) -> None:
        """Keep a change, and show what there is then."""
        try:
            change_settings(self.here.reader.locations.settings, {event.name: event.value})
        except EngineError as error:
            self.stop(error)
        self.here.take_settings()
        self.look()

    def _restorable(self) -> object | None:
        """What has a default that can be put back: the field with the focus, else the panel."""
        if self.focused is None:
            return None
        field = next((one for one in self.focused.ancestors_with_self if isinstance(one, SettingField)), None)
        panel = self.query_one(ContentSwitcher).visible_content
        return field or (panel if panel is not None and panel in self.focused.ancestors and hasattr(panel, "put_back") else None)

    def action_restore(self) -> None:
        """Put the default back."""
        if (found := self._restorable()) is not None:
            found.put_back()  # type: ignore[attr-defined]

    def action_back(self) -> None:
        """Leave a field; keys of places work again."""
        self.query_one("#sections", OptionList).focus()


def _section(name: str, settings: Settings) -> Text:
    kept = {"models": settings.models, "keys": settings.keys, "theme": {"theme": settings.theme} if settings.theme else {}}
    count = len(kept.get(name, settings.options.get(name, {})))
    text = Text(f"{name:9}")
    text.append(f" {count} yours" if count else "", "bold")
    return text
