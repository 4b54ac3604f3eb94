"""Options of all stages as values that a list, a command or a form can show: derived from each stage's own Options."""

from __future__ import annotations

from typing import Any, Literal

import tomli_w

from engine.config import setting_value, stage_options
from engine.errors import BadInput
from engine.records import Value

Kind = Literal["yes_no", "choice", "whole", "number", "text", "list", "table"]

_KINDS: dict[str, Kind] = {
    "boolean": "yes_no",
    "integer": "whole",
    "number": "number",
    "string": "text",
    "array": "list",
    "object": "table",
}


class Option(Value):
    """One option of one stage."""

    stage: str
    name: str
    help: str
    kind: Kind
    default: Any
    """None where nothing is the default."""
    choices: tuple[str, ...] = ()
    """Of a choice all there are, of a list what may stand in it; () for anything."""
    least: float | None = None
    most: float | None = None

    @property
    def key(self) -> str:
        """What --set and settings.toml call it."""
        return f"{self.stage}.{self.name}"

    @property
    def takes(self) -> str:
        """What can be given, in a few words."""
        if self.choices:
            return f"{'any of ' if self.kind == 'list' else ''}{', '.join(self.choices)}"
        if self.least is not None and self.most is not None:
            return f"{self.least:,} to {self.most:,}"
        words = {"yes_no": "true or false", "whole": "a whole number", "number": "a number", "text": "a text", "table": "a TOML table"}
        return words.get(self.kind, "texts, with commas between")


def options_of(stage: str) -> tuple[Option, ...]:
    """A stage's options, in their order."""
    import msgspec

    from engine.stages import options_type

    schema = msgspec.json.schema(options_type(stage), ref_template="#/$defs/{name}")
    properties = next(iter(schema["$defs"].values()))["properties"]
    return tuple(_option(stage, name, found) for name, found in properties.items())


def written(value: Any) -> str:
    """A value as people write it: texts as they are, lists of them with commas between, the rest as in TOML; "" for none."""
    if value is None or value in ("", [], (), {}):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(_plain(one) for one in value):
        return ", ".join(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(tomli_w.dumps({key: one}).strip() for key, one in value.items()) + " }"
    return tomli_w.dumps({"value": list(value) if isinstance(value, tuple) else value}).strip().removeprefix("value = ")


def read_value(option: Option, text: str) -> Any:
    """What a text stands for as a value of an option, None for nothing; the opposite of `written`. Raises BadInput.

    An empty text is nothing where that is the default; two quotes are an empty text there.
    """
    text = text.strip()
    if not text and option.default is None:
        return None
    if option.kind == "list" and not text.startswith("["):
        value: Any = [part.strip() for part in text.split(",") if part.strip()]
    elif option.kind == "table" and not text:
        value = {}
    elif not text and option.kind not in ("text", "choice"):
        raise BadInput(f"empty; it takes {option.takes}")
    else:
        value = setting_value(option.stage, option.name, text)
    try:
        stage_options(option.stage, {option.name: value})
    except BadInput as error:
        if option.kind not in ("list", "table"):
            raise BadInput(f"it takes {option.takes}") from None
        told = error.title.removeprefix(f"options: {option.stage}").lstrip(".: ")
        raise BadInput(f"{told}; it takes {option.takes}") from None
    return value


def _plain(one: Any) -> bool:
    """Whether it can stand between commas as it is."""
    return isinstance(one, str) and bool(one) and one == one.strip() and not set(one) & set(",[")


def _option(stage: str, name: str, found: dict[str, Any]) -> Option:
    kinds = [one for one in found.get("anyOf", [found]) if one.get("type") != "null"]
    first = kinds[0]
    choices = tuple(first.get("enum", ()) or first.get("items", {}).get("enum", ()))
    kind: Kind = "choice" if "enum" in first else _KINDS[first["type"]]
    default = found.get("default")
    return Option(stage, name, found.get("description", ""), kind, default, choices, first.get("minimum"), first.get("maximum"))
