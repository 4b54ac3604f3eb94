"""All keys of the screens by what they do, and what becomes of the keys a person gives instead: taken, or one line that says why not."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import NamedTuple

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import KEY_DISPLAY_ALIASES, Keys, _character_to_key, format_key, key_to_character

from engine.config import nearest

EVERYWHERE = ("app", "copy", "list")
"""Places whose keys work in all others that ask no question."""
FOLDERS = ("modals", "panels", "screens", "settings", "widgets")
MODIFIERS = ("ctrl", "alt", "shift", "super", "meta", "hyper")
KEPT = {"ctrl+q": "quits", "ctrl+c": "copies", "tab": "goes to the next part", "shift+tab": "goes to the part before"}
"""Keys that always do the same."""
NAMED = {str(key.value) for key in Keys if not key.value.startswith("<")} | set(KEY_DISPLAY_ALIASES)


class Command(NamedTuple):
    """What a key does."""

    id: str
    place: str
    """Where it works: "home", "run", "run/plan" for a part of a place, "app" everywhere, "?trouble" in a question."""
    keys: tuple[str, ...]
    """What they are when nobody gives others."""
    name: str
    tooltip: str
    action: str
    priority: bool
    """Works while somebody types."""


def commands() -> dict[str, Command]:
    """All of them by id, place by place."""
    for folder in FOLDERS:
        package = import_module(f"datatune_tui.{folder}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    found: dict[str, Command] = {}
    for owner in _owners(DOMNode):
        for binding in Binding.make_bindings(vars(owner)["BINDINGS"]):
            if binding.id:
                before = found.get(binding.id)
                keys = (*(before.keys if before else ()), binding.key)
                made = (_place(owner, binding.id), keys, binding.description, binding.tooltip, binding.action, binding.priority)
                found[binding.id] = Command(binding.id, *made)
    return dict(sorted(found.items(), key=lambda pair: _order(pair[1])))


def owners() -> tuple[type[DOMNode], ...]:
    """All classes of the screens that bind keys."""
    commands()
    return tuple(_owners(DOMNode))


def checked(wanted: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Of the keys a person wants, by id, those that can be had; and a line for each that cannot."""
    known = commands()
    good: dict[str, str] = {}
    wrong = []
    for name, keys in wanted.items():
        problem = _problem(known, name, keys)
        if problem:
            wrong.append(problem)
        else:
            good[name] = ",".join(_normal(key) for key in keys.split(","))
    while clash := _clash(known, good):
        name, key, other = clash
        wrong.append(f"keys.{name}: {shown(key)} is already “{other.name}” ({other.id}); {shown(*known[name].keys)} stays")
        del good[name]
    return good, tuple(wrong)


def shown(*keys: str) -> str:
    """Keys as people read them."""
    return " or ".join("+".join(format_key(part) for part in _normal(key).split("+")) for key in keys)


def place_name(place: str) -> str:
    """A place as people read it."""
    words = {"app": "everywhere", "copy": "everywhere", "list": "long lists"}
    return words.get(place, f"question: {place[1:]}" if place.startswith("?") else place.replace("/", ", "))


def _owners(root: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for owner in root.__subclasses__():
        if owner.__module__.startswith("datatune_tui.") and "BINDINGS" in vars(owner):
            yield owner
        yield from _owners(owner)


def _place(owner: type[DOMNode], name: str) -> str:
    from textual.app import App
    from textual.screen import ModalScreen

    from datatune_tui.panels.panel import Panel
    from datatune_tui.screens.place import Place

    if issubclass(owner, App):
        return "app"
    if issubclass(owner, Place):
        return owner.MODE
    prefix = name.partition(".")[0]
    if issubclass(owner, ModalScreen):
        return f"?{prefix}"
    return f"run/{prefix}" if issubclass(owner, Panel) else prefix


def _order(command: Command) -> tuple[int, str]:
    from datatune_tui.widgets.places import PLACES

    places = ["app", *(mode for mode, _ in PLACES)]
    first = command.place.partition("/")[0]
    return (places.index(first) if first in places else len(places) + command.place.startswith("?"), command.place)


def _normal(key: str) -> str:
    *modifiers, last = key.strip().split("+") if len(key.strip()) > 1 else [key.strip()]
    return "+".join([*(modifier.lower() for modifier in modifiers), _character_to_key(last) if len(last) == 1 else last.lower()])


def _problem(known: Mapping[str, Command], name: str, keys: str) -> str:
    command = known.get(name)
    if command is None:
        return f"keys.{name}: nothing is called so{nearest(name, known)}"
    for key in keys.split(","):
        last = _normal(key).rpartition("+")[2]
        modifiers = _normal(key).split("+")[:-1]
        if not last or set(modifiers) - set(MODIFIERS) or not (last in NAMED or key_to_character(last)):
            return f"keys.{name}: no key {key.strip()!r}; write a letter, ctrl+r, f5, space, …"
        if _normal(key) in KEPT:
            return f"keys.{name}: {shown(key)} always {KEPT[_normal(key)]}"
        if command.priority and key_to_character(_normal(key)) is not None:
            return f"keys.{name}: “{command.name}” also works while you type, so it needs ctrl or a function key, not {shown(key)}"
    return ""


def _clash(known: Mapping[str, Command], good: Mapping[str, str]) -> tuple[str, str, Command] | None:
    """(id, key, who has it) of the last given key that another has too; None for none. What shares a key by default may."""
    for name in reversed(list(good)):
        mine = known[name]
        for other in known.values():
            if other.id == name or not _meet(mine.place, other.place):
                continue
            theirs = good[other.id].split(",") if other.id in good else other.keys
            for key in good[name].split(","):
                if key in theirs and not (key in mine.keys and key in other.keys):
                    return name, key, other
    return None


def _meet(one: str, other: str) -> bool:
    """Whether keys of two places can be pressed at the same moment."""
    if one == other:
        return True
    if one.startswith("?") or other.startswith("?"):
        return False
    if one in EVERYWHERE or other in EVERYWHERE:
        return True
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def taken(name: str, keys: str, wanted: Mapping[str, str]) -> str:
    """Why what is called `name` cannot have these keys beside all that is wanted; "" where it can."""
    _, wrong = checked({**{other: key for other, key in wanted.items() if other != name}, name: keys})
    return next((line for line in wrong if line.startswith(f"keys.{name}:")), "")
