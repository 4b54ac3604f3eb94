"""Commands about the user's defaults: settings show, set, unset, path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.cli.output import complain, json_option, put, table
from engine.errors import BadInput, ExitCode


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def settings(context: click.Context, as_json: bool) -> int:
    """Show and change your defaults for new runs on this machine, and the theme and keys of the screens.

    A task file comes before the settings, and --set and --model come before both.
    """
    return _show(as_json) if context.invoked_subcommand is None else ExitCode.DONE


@settings.command("show")
@json_option
def show(as_json: bool) -> int:
    """List what is set; `datatune options` lists all that can be."""
    return _show(as_json)


@settings.command("set")
@click.argument("changes", metavar="NAME=VALUE…", nargs=-1, required=True)
@json_option
def set_(changes: tuple[str, ...], as_json: bool) -> int:
    """Set defaults: execute.examples=500, models.plan=my-model.gguf, screens.theme=light, keys.run.resume=f5."""
    from engine.locations import locate
    from engine.settings import change_settings

    path = locate().settings
    values = dict(_change(text) for text in changes)
    change_settings(path, values)
    put({"file": path, "set": values}, as_json, lambda: f"set {', '.join(values)} in {path}")
    return ExitCode.DONE


@settings.command("unset")
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@json_option
def unset(names: tuple[str, ...], as_json: bool) -> int:
    """Go back to the default; also takes out a line that is wrong."""
    from engine.locations import locate
    from engine.settings import change_settings

    path = locate().settings
    missing = change_settings(path, dict.fromkeys(names))
    if missing:
        raise BadInput(f"settings unset: {', '.join(missing)} not set in {path}", "see: datatune settings")
    put({"file": path, "unset": names}, as_json, lambda: f"{', '.join(names)} not set any more in {path}")
    return ExitCode.DONE


@settings.command("path")
@json_option
def path(as_json: bool) -> int:
    """Print where the settings lie."""
    from engine.locations import locate

    file = locate().settings
    put({"file": file, "exists": file.exists()}, as_json, lambda: str(file))
    return ExitCode.DONE


def _show(as_json: bool) -> int:
    """What can be used, on stdout; what is wrong with the rest on stderr, and in the exit code."""
    from engine.locations import locate
    from engine.options import written
    from engine.settings import examine

    file = locate().settings
    examined = examine(file)
    yours = examined.settings
    rows = [(f"models.{role}", spec) for role, spec in yours.models.items()]
    rows += [(f"{stage}.{name}", written(value)) for stage, values in yours.options.items() for name, value in values.items()]
    rows += [("screens.theme", yours.theme)] if yours.theme else []
    rows += [(f"keys.{name}", key) for name, key in yours.keys.items()]
    nothing = f"nothing is set in {file}; for example: datatune settings set execute.examples=500"
    value = {"file": file, "settings": yours, "wrong": examined.wrong}
    put(value, as_json, lambda: f"{file}\n{table(('NAME', 'VALUE'), rows, widest=100)}" if rows else nothing)
    for line in examined.wrong:
        complain(line, "")
    return ExitCode.BAD_INPUT if examined.wrong else ExitCode.DONE


def _change(text: str) -> tuple[str, Any]:
    from engine.config import parse_setting
    from engine.roles import absolute_spec
    from engine.stages import STAGE_NAMES

    name, equals, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or "." not in name:
        raise BadInput(f"settings set {text}: not of the form NAME=VALUE", "for example: datatune settings set execute.examples=500")
    if name.partition(".")[0] in STAGE_NAMES:
        stage, option, parsed = parse_setting(text, "settings set")
        return f"{stage}.{option}", parsed
    return name, absolute_spec(value, Path.cwd()) if name.startswith("models.") and value else value
