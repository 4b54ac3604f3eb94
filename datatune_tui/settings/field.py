"""One setting as a line of a form: its name, what it is now, whether that is the default, and what is wrong while one types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, Select, Static

from engine.errors import EngineError
from engine.options import written
from engine.plain_text import clean, one_line

TOLD_CHARACTERS = 200


class Setting(NamedTuple):
    """What a line of a form is about."""

    name: str
    """As in settings.toml: execute.examples."""
    title: str
    help: str
    default: Any
    """None for nothing."""
    read: Callable[[str], Any]
    """What a text stands for; raises an EngineError."""
    takes: str
    """What can be given, in a few words."""
    choices: tuple[str, ...] = ()
    """Where only these can be."""
    empty: str = ""
    """What it is when there is none."""


class SettingField(Vertical):
    """A setting that can be changed; it is kept when its field is left, or with enter, if nothing is wrong with it."""

    class Changed(Message):
        """Somebody wants another value; None for the default."""

        def __init__(self, name: str, value: Any) -> None:
            super().__init__()
            self.name = name
            self.value = value

    DEFAULT_CSS = """
    SettingField { height: auto; margin-bottom: 1; }
    SettingField Horizontal { height: auto; }
    SettingField .title { width: 18; text-style: bold; }
    SettingField Input, SettingField Select { width: 1fr; max-width: 60; }
    SettingField .state { width: 24; padding: 0 1; color: $text-muted; }
    SettingField.-yours .state { color: $text-accent; }
    SettingField .help { height: auto; margin-left: 2; color: $text-muted; }
    SettingField .wrong { height: auto; margin-left: 18; color: $text-error; display: none; }
    SettingField.-wrong .wrong { display: block; }
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(id=f"field-{setting.name.replace('.', '-')}")
        self.setting = setting
        self._kept: tuple[str, bool] | None = None
        """What is kept, as it is written, and whether it is the user's own; None before that is known."""

    @property
    def _text(self) -> str:
        return self._kept[0] if self._kept else ""

    @property
    def _set(self) -> bool:
        return self._kept is not None and self._kept[1]

    def compose(self) -> ComposeResult:
        one = self.setting
        with Horizontal():
            yield Label(one.title, classes="title", markup=False)
            if one.choices:
                yield Select([(choice, choice) for choice in one.choices], value=written(one.default), allow_blank=False, compact=True)
            else:
                yield Input(placeholder=one.empty, compact=True)
            yield Label("default", classes="state", markup=False)
        yield Static("", classes="wrong", markup=False)
        yield Static(f"{one.help} Takes {one.takes}." if one.takes else one.help, classes="help", markup=False)

    def show(self, value: Any, is_set: bool) -> None:
        """Show what is kept. Where that is what was shown before, what somebody is typing stays."""
        kept = (self._written(value if is_set else self.setting.default), is_set)
        if kept != self._kept:
            self._kept = kept
            self._fill()

    def _fill(self) -> None:
        """Put what is kept in place of what was typed."""
        one = self.setting
        with self.prevent(Input.Changed, Select.Changed):
            if one.choices:
                self.query_one(Select).value = self._text
            else:
                self.query_one(Input).value = self._text
        default = one_line(written(one.default) or one.empty or "none", 14)
        self.query_one(".state", Label).update(f"yours; default {default}" if self._set else "default")
        self.set_class(self._set, "-yours")
        self._tell("")

    def put_back(self) -> None:
        """Ask for the default."""
        if self._set:
            self.post_message(self.Changed(self.setting.name, None))
        else:
            self._fill()

    @on(Select.Changed)
    @on(Input.Submitted)
    def _entered(self) -> None:
        self._keep()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._tell(self._problem(event.value))

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        if isinstance(event.widget, Input):
            self._keep()

    def _keep(self) -> None:
        one = self.setting
        text = str(self.query_one(Select).value) if one.choices else self.query_one(Input).value
        if self._kept is None or text == self._text:
            return
        if problem := self._problem(text):
            self._tell(f"not kept: {problem}")
            return
        value = one.read(text)
        is_default = value is None or self._written(value) == self._written(one.default)
        if (is_default and not self._set) or (self._set and self._written(value) == self._text):
            self._fill()
        else:
            self.post_message(self.Changed(one.name, None if is_default else value))

    def _written(self, value: Any) -> str:
        """An empty text is not the same as none where none is the default."""
        return '""' if value == "" and self.setting.default is None else written(value)

    def _problem(self, text: str) -> str:
        try:
            self.setting.read(text)
        except EngineError as error:
            return one_line(clean(f"{error.title}. {error.hint}" if error.hint else error.title), TOLD_CHARACTERS)
        return ""

    def _tell(self, problem: str) -> None:
        self.query_one(".wrong", Static).update(problem)
        self.set_class(bool(problem), "-wrong")
