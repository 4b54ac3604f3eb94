"""Settings: the user's defaults for new runs on this machine, and how the screens look and listen; one TOML file people may also edit.

What stands there comes before the defaults of the stages, and after what a task file or the command line says. A file that cannot be
read is never written over; comments and the order of what stands in it stay.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.config import check_option, check_role, convert, nearest
from engine.errors import BadInput
from engine.locations import Locations
from engine.records import Value
from engine.stages import STAGE_NAMES

THEMES = ("dark", "light", "high-contrast")
SCREENS = {"theme": THEMES}
"""Keys of [screens] with what they may be."""
TABLES = ("models", "screens", "keys", *STAGE_NAMES)
MAX_BYTES = 1_000_000
LOCK_SECONDS = 10


class Settings(Value):
    """What the file says that can be used."""

    models: dict[str, str] = {}
    """role → spec; paths are absolute."""
    options: dict[str, dict[str, Any]] = {}
    """stage → option → value, of those that are set."""
    theme: str = ""
    """"" leaves it to the screens."""
    keys: dict[str, str] = {}
    """What a key does by its id → the key, or several with commas between. Which ids and keys there are the screens know."""


class Examined(Value):
    """A file's settings, and what is wrong with the others."""

    settings: Settings = Settings()
    wrong: tuple[str, ...] = ()
    """One line each, naming file and line."""


def read_settings(locations: Locations) -> Settings:
    """The settings of this home; those of an empty file where there is none. Raises BadInput for the first thing that is wrong."""
    examined = examine(locations.settings)
    if examined.wrong:
        raise BadInput(examined.wrong[0], "put it right there; `datatune settings` lists all that is set")
    return examined.settings


def examine(path: Path, *, screens_only: bool = False) -> Examined:
    """What can be used of a file, and what is wrong with the rest. `screens_only` reads theme and keys alone, which imports no stage."""
    try:
        text = _text(path)
        document = _parsed(text, path)
    except BadInput as error:
        return Examined(wrong=(f"{error.title}; {error.hint}" if error.hint else error.title,))
    good: dict[str, Any] = {}
    wrong = []
    for name, value in _entries(document):
        if screens_only and name.partition(".")[0] not in ("screens", "keys"):
            continue
        try:
            good[name] = _checked(name, value, f"{path}, line {_line_of(text, name)}")
        except BadInput as error:
            wrong.append(f"{error.title}; {error.hint}" if error.hint else error.title)
    return Examined(_settings(good, path.parent), tuple(wrong))


def change_settings(path: Path, changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Set what is named (`execute.examples`, `models.plan`, `screens.theme`, `keys.run.resume`) to a value, or take it out with None.

    Gives the names that were not there to be taken out. Everything else in the file stays as it is, what is wrong there too. Raises
    BadInput for a change that is wrong, or a file that is no TOML or cannot be read or written.
    """
    import filelock
    import tomlkit

    for name, value in changes.items():
        if value is not None:
            _checked(name, value, f"settings: {name}")
    # Where the file is kept elsewhere and linked here, the link stays.
    target = path.resolve()
    lock = target.with_name(f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(lock, timeout=LOCK_SECONDS):
            text = _text(path)
            _parsed(text, path)
            document = tomlkit.parse(text)
            missing = []
            for name, value in changes.items():
                table, _, key = name.partition(".")
                if (value is None or key not in document.get(table, {})) and not _take_out(document, table, key) and value is None:
                    missing.append(name)
                if value is not None:
                    _put(document, table, key, list(value) if isinstance(value, tuple) else value)
            if len(missing) < len(changes):
                _write(target, tomlkit.dumps(document))
            return tuple(missing)
    except filelock.Timeout:
        raise BadInput(f"{path}: another DataTune is writing it", f"try again; if none is, delete {lock}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}", "check its permissions and the space left") from error


def merged(settings: Settings, options: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Options of a run: what is given here comes before the settings."""
    stages = [stage for stage in STAGE_NAMES if stage in settings.options or stage in options]
    return {stage: {**settings.options.get(stage, {}), **options.get(stage, {})} for stage in stages}


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path}: over {MAX_BYTES // 1_000_000} MB, so no settings", "move it away")
        return path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text (byte {error.start})", "save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}", "check its permissions") from error


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column (\d+)\)$| \(at end of document\)$", str(error))
        line = place[1] if place and place[1] else text.count("\n") + 1
        said = str(error)[: place.start()] if place else str(error)
        raise BadInput(f"{path}, line {line}: not valid TOML: {said}", "put that line right") from None


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """All that is set, by its dotted name. A key may be written `"run.resume"` or `run.resume`, which TOML takes for tables."""
    for table, content in document.items():
        if not isinstance(content, dict) or table not in TABLES:
            yield table, content
        elif table == "keys":
            yield from _flat("keys", content)
        else:
            yield from ((f"{table}.{key}", value) for key, value in content.items())


def _flat(name: str, content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(f"{name}.{key}", value)
        else:
            yield f"{name}.{key}", value


def _checked(name: str, value: Any, where: str) -> Any:
    """The value as it is used. Raises BadInput."""
    table, dot, key = name.partition(".")
    if table not in TABLES:
        raise BadInput(f"{where}: unknown table [{table}]{nearest(table, TABLES)}", f"tables: {', '.join(TABLES)}")
    if not dot or not key:
        raise BadInput(f"{where}: {table} is a table; name what is in it", f"write it as [{table}]")
    if table in STAGE_NAMES:
        from engine.config import stage_options

        check_option(table, key, where)
        try:
            stage_options(table, {key: value})
        except BadInput as error:
            raise BadInput(error.title.replace("options", where, 1), "") from None
        return value
    if table == "models":
        check_role(key, where)
    elif table == "screens":
        if key not in SCREENS:
            raise BadInput(f"{where}: unknown key screens.{key}{nearest(key, SCREENS)}", f"keys: {', '.join(SCREENS)}")
        if value not in SCREENS[key]:
            raise BadInput(f"{where}: no {key} {value!r}{nearest(value, SCREENS[key])}", f"there are: {', '.join(SCREENS[key])}")
    text = convert(value, str, where, name)
    if not text.strip():
        raise BadInput(f"{where}: {name} is empty", "name something, or take the line out")
    return text


def _settings(good: Mapping[str, Any], folder: Path) -> Settings:
    from engine.roles import absolute_spec

    options: dict[str, dict[str, Any]] = {}
    models, keys, theme = {}, {}, ""
    for name, value in good.items():
        table, _, key = name.partition(".")
        if table == "models":
            models[key] = absolute_spec(value, folder)
        elif table == "keys":
            keys[key] = value
        elif table == "screens":
            theme = value
        else:
            options.setdefault(table, {})[key] = value
    return Settings(models, options, theme, keys)


def _line_of(text: str, name: str) -> int:
    """The line something is set in, else that of its table; 1 where neither is found, as in a table written on one line."""
    header, table_line = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            header = _bare(found[1])
            table_line = number if name == header or name.startswith(f"{header}.") else table_line
        elif found := re.match(r"\s*([\w\-.\"' ]+?)\s*=", line):
            path = f"{header}.{_bare(found[1])}".lstrip(".")
            if path == name:
                return number
            table_line = number if name.startswith(f"{path}.") else table_line
    return table_line


def _bare(key: str) -> str:
    return re.sub(r"[\"']|\s*(\.)\s*", r"\1", key)


def _put(document: Any, table: str, key: str, value: Any) -> None:
    import tomlkit

    if table not in document:
        document[table] = tomlkit.table()
    document[table][key] = value


def _take_out(document: Any, table: str, key: str) -> bool:
    """Forget a key, also one written with dots, and tables that are empty then and hold no comment; whether it was there."""
    if table not in document:
        return False
    content: Any = document[table]
    if not key:
        del document[table]
        return True
    if not hasattr(content, "keys"):
        return False
    if key in content:
        del content[key]
        there = True
    else:
        head, _, rest = key.partition(".")
        there = bool(rest) and _take_out(content, head, rest)
    if there and not content and "#" not in content.as_string():
        del document[table]
    return there


def _write(path: Path, text: str) -> None:
    """All of it, or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
