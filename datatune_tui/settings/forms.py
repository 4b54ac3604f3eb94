"""Forms of settings: the options of a stage as the stage declares them, and which model has which role."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from datatune_tui.settings.field import Setting, SettingField
from engine.locations import Locations
from engine.settings import Settings

ROLE_WORDS = {
    "default": "Every role that names no model of its own.",
    "embed": "Reads the meaning of cards and of your words, for the search.",
}


class Form(VerticalScroll, can_focus=False):
    """Settings below each other."""

    def __init__(self, table: str, settings: tuple[Setting, ...]) -> None:
        super().__init__()
        self.table = table
        self._settings = settings

    def compose(self) -> ComposeResult:
        for setting in self._settings:
            yield SettingField(setting)

    def show(self, settings: Settings) -> None:
        """Show what is kept."""
        kept: Mapping[str, Any] = settings.models if self.table == "models" else settings.options.get(self.table, {})
        for field in self.query(SettingField):
            key = field.setting.name.partition(".")[2]
            field.show(kept.get(key), key in kept)


def stage_form(stage: str) -> Form:
    """The options of a stage."""
    from engine.options import options_of, read_value

    settings = []
    for option in options_of(stage):
        choices = ("true", "false") if option.kind == "yes_no" else option.choices if option.kind == "choice" else ()
        read = partial(read_value, option)
        takes = "" if choices else option.takes
        empty = "unset" if option.default is None else "" if option.kind == "text" else "none"
        settings.append(Setting(option.key, option.name, option.help, option.default, read, takes, choices, empty))
    return Form(stage, tuple(settings))


def models_form(locations: Locations) -> Form:
    """Roles that stages ask for, with the spec of the model that has each."""
    from engine.roles import DEFAULT_EMBEDDER, DEFAULT_LANGUAGE_MODEL, absolute_spec, check_spec
    from engine.stages import STAGE_NAMES, stage

    asked: dict[str, list[str]] = {}
    for name in STAGE_NAMES:
        for role in stage(name).roles:
            asked.setdefault(role, []).append(name)
    settings = []
    for role in ("default", *asked, "embed"):
        help = ROLE_WORDS.get(role) or f"Asked by {' and '.join(asked[role])}."
        default = {"default": DEFAULT_LANGUAGE_MODEL, "embed": DEFAULT_EMBEDDER}.get(role)
        takes = "minilm, hashing or a folder" if role == "embed" else "smollm2, a .gguf file or openai:URL" if role == "default" else ""

        def read(text: str, role: str = role) -> str | None:
            if not text.strip():
                return None
            spec = absolute_spec(text.strip(), Path.cwd())
            check_spec(role, spec, locations)
            return spec

        settings.append(Setting(f"models.{role}", role, help, default, read, takes, empty="as default"))
    return Form("models", tuple(settings))
