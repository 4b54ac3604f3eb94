"""Plans as TOML files: strict reading that names what is wrong and where, readable writing, and the digest of what a plan does."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from engine.errors import BadInput
from engine.plan.steps import AnyStep, Emit, Plan, Step, When

MAX_PLAN_BYTES = 1_000_000

STEP_TYPES: dict[str, type[Step]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyStep)}
"""Every step type by the word after `do`."""

_WITHOUT_EFFECT = {"name", "origin", "reasons"}


def read_plan(source: Path | str) -> Plan:
    """The plan in a TOML file (a Path) or a TOML text (a str). Raises BadInput naming the place and the nearest known word."""
    where = ""
    if isinstance(source, Path):
        where = f"{source.name}: "
        try:
            if source.stat().st_size > MAX_PLAN_BYTES:
                raise BadInput(f"plan {source}: larger than {MAX_PLAN_BYTES} bytes", "This does not look like a plan.")
            source = source.read_text(encoding="utf-8")
        except OSError as error:
            raise BadInput(f"plan {source}: {error.strerror or error}", "Check the path.") from error
        except UnicodeDecodeError as error:
            raise BadInput(f"plan {source}: not UTF-8 text", "Save it as UTF-8.") from error
    try:
        return plan_from(tomllib.loads(source))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{where}plan is not TOML: {error}", "A plan has `name`, [[steps]] each with `do = …`, and [emit].") from error
    except RecursionError as error:
        raise BadInput(f"{where}plan is nested too deeply") from error
    except BadInput as error:
        raise BadInput(where + error.title, error.hint) from error


def plan_from(data: Mapping[str, Any]) -> Plan:
    """The plan a dictionary describes, such as a model's JSON answer; as strict as read_plan."""
    _known_keys("plan", data, Plan)
    steps = data.get("steps", [])
    if not isinstance(steps, list):
        raise BadInput("plan: `steps` is not a list", "Write [[steps]] before each step.")
    fields = {key: value for key, value in data.items() if key not in ("steps", "emit")}
    emit = None
    if data.get("emit") is not None:
        emit = _converted("emit", data["emit"], Emit)
    typed = tuple(_step(number, step) for number, step in enumerate(steps, 1))
    plan: Plan = _converted("plan", fields, Plan)
    return msgspec.structs.replace(plan, steps=typed, emit=emit)


def write_plan(plan: Plan) -> str:
    """The plan as TOML that read_plan reads back to an equal plan; texts of several lines stay readable."""
    data = msgspec.to_builtins(plan)
    head = {key: data[key] for key in ("name", "origin", "reasons", "columns", "prose") if key in data}
    rest = {key: data[key] for key in ("data", "steps", "emit") if key in data}
    return "\n".join(_blocks("", {**head, **rest}))


def plan_digest(plan: Plan) -> str:
    """SHA-256 (hex) over all that changes what the plan makes: not its name, origin, reasons or notes."""
    data = {key: value for key, value in msgspec.to_builtins(plan).items() if key not in _WITHOUT_EFFECT}
    data["steps"] = [{key: value for key, value in step.items() if key != "note"} for step in data.get("steps", [])]
    return hashlib.sha256(msgspec.json.encode(data, order="sorted")).hexdigest()


def nearest(word: str, known: Iterable[str]) -> str:
    """ "; did you mean `…`?" for the closest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────


def _step(number: int, data: Any) -> AnyStep:
    if not isinstance(data, dict):
        raise BadInput(f"step {number}: not a table", "Write [[steps]] before each step.")
    word = data.get("do")
    if not isinstance(word, str):
        raise BadInput(f"step {number}: `do` is missing", f"One of: {', '.join(STEP_TYPES)}.")
    if word not in STEP_TYPES:
        raise BadInput(f"step {number}: there is no step `{word}`{nearest(word, STEP_TYPES)}", f"One of: {', '.join(STEP_TYPES)}.")
    place = f"step {number}, {word}"
    for index, condition in enumerate(data.get("when", ()) if word == "case" and isinstance(data.get("when"), list) else (), 1):
        _converted(f"{place}, when {index}", condition, When)
    step: AnyStep = _converted(place, data, STEP_TYPES[word], "do")
    return step


def _known_keys(place: str, data: Any, kind: type[msgspec.Struct], *more: str) -> None:
    if not isinstance(data, Mapping):
        raise BadInput(f"{place}: not a table")
    known = [*kind.__struct_fields__, *more]
    for key in data:
        if key not in known:
            raise BadInput(
                f"{place}: unknown key `{key}`{nearest(str(key), known)}", f"Known: {', '.join(k for k in known if k not in more)}."
            )


def _converted(place: str, data: Any, kind: type[Any], *more: str) -> Any:
    _known_keys(place, data, kind, *more)
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise BadInput(f"{place}: {_plainly(str(error))}", f"Keys: {', '.join(kind.__struct_fields__)}.") from error


def _plainly(message: str) -> str:
    message, _, path = message.partition(" - at ")
    path = path.strip("`").removeprefix("$").removeprefix(".")
    missing = re.fullmatch(r"Object missing required field `(.+)`", message)
    if missing:
        return f"`{missing[1]}` is missing"
    words = {
        "`array`": "a list",
        "`str`": "text",
        "`int`": "a whole number",
        "`float`": "a number",
        "`object`": "a table",
        "`bool`": "true or false",
    }
    for word, meaning in words.items():
        message = message.replace(word, meaning)
    message = message[:1].lower() + message[1:]
    return f"`{path}`: {message}" if path else message


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────


def _blocks(prefix: str, table: Mapping[str, Any]) -> list[str]:
    """The lines of one table: its values, then its tables under headers of their own."""
    blocks = []
    values = "".join(_line(key, value) for key, value in table.items() if not _is_table(value) and not _is_tables(value))
    if values:
        blocks.append(values)
    for key, value in table.items():
        path = f"{prefix}{_key(key)}"
        for part in [value] if _is_table(value) else value if _is_tables(value) else []:
            header = f"[{path}]" if _is_table(value) else f"[[{path}]]"
            inner = _blocks(f"{path}.", part)
            first = inner.pop(0) if inner and not inner[0].startswith("[") else ""
            blocks.append("\n".join([f"{header}\n{first}", *inner]))
    return blocks


def _line(key: str, value: Any) -> str:
    import tomli_w

    if isinstance(value, list | tuple) and not any(isinstance(item, dict | list | tuple) for item in value):
        short = f"{_key(key)} = [{', '.join(tomli_w.dumps({'x': item})[4:-1] for item in value)}]\n"
        if len(short) <= 120:
            return short
    # inside multi-line texts tomli_w writes \r\n as \n
    return tomli_w.dumps({key: value}, multiline_strings="\\r" not in repr(value))


def _key(key: str) -> str:
    import tomli_w

    return tomli_w.dumps({key: 0}).removesuffix(" = 0\n")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, dict) for item in value)
