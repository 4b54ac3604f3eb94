"""The headless commands. stdout is data, stderr is diagnostics, exit codes are engine.errors.ExitCode.

Importing this package imports nothing heavy: every command brings in what it needs when it is called.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from engine.cli.bench import bench
from engine.cli.bundle import bundle, unbundle
from engine.cli.catalog import catalog
from engine.cli.compare import compare
from engine.cli.compare_data import compare_data
from engine.cli.doctor import doctor
from engine.cli.evaluate import evaluate, predict
from engine.cli.models import models
from engine.cli.output import complain, fail_as_json
from engine.cli.plan import plan
from engine.cli.report import report
from engine.cli.run import cancel, demo, export, resume, run
from engine.cli.settings import settings
from engine.cli.show import options, runs, show
from engine.cli.trying import try_
from engine.errors import EngineError, ExitCode

INTERRUPTED = 130
"""What a shell expects after Ctrl-C."""

EXIT_CODES = """\b
Exit codes: 0 done, 1 unexpected, 2 bad input, 3 no suitable data set or plan, 4 busy,
5 database or disk unusable, 6 model, data or package missing, 7 a stage failed,
8 cancelled or out of time, 130 interrupted at the keyboard.
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EXIT_CODES)
@click.version_option(package_name="datatune", prog_name="datatune")
def datatune() -> None:
    """Turn a task description into a training set, offline, with a local model.

    Start with `datatune demo`, then write a task file and `datatune run TASK.toml`. Data lies under the platform's own
    folders; DATATUNE_HOME moves all of it.
    """


_MAKING = (demo, run, runs, show, resume, cancel, export, bundle, unbundle, catalog, models, plan)
_JUDGING = (report, compare_data, compare, evaluate, predict, try_, options, settings, doctor, bench)
for command in (*_MAKING, *_JUDGING):
    datatune.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; never a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        result = datatune.main(given or ["--help"], prog_name="datatune", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "datatune"
        return fail_as_json(given, error.format_message(), f"see: {asked} --help", ExitCode.BAD_INPUT)
    except click.ClickException as error:
        return fail_as_json(given, error.format_message(), "", ExitCode.BAD_INPUT)
    except EngineError as error:
        return fail_as_json(given, error.title, error.hint, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        complain("stopped", "")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _unexpected(given, error)
    return result if isinstance(result, int) else ExitCode.DONE


def _unexpected(given: list[str], error: Exception) -> int:
    """A mistake of ours: the traceback goes to a file, one line to the screen."""
    from models.errors import ModelError

    if isinstance(error, ModelError):
        return fail_as_json(given, error.title, error.hint, ExitCode.UNAVAILABLE)
    import traceback

    from engine.locations import locate
    from engine.store.database import DISK_TROUBLE, DatabaseError, unusable

    if isinstance(error, DatabaseError) or (isinstance(error, OSError) and error.errno in DISK_TROUBLE):
        told = unusable(Path(getattr(error, "filename", None) or locate().database), error)
        return fail_as_json(given, told.title, told.hint, told.exit_code)
    try:
        file = locate().ensure().logs / "last-error.txt"
        file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        hint = f"details: {file}"
    except (EngineError, OSError):
        hint = "its details could not be written either"
    return fail_as_json(given, f"unexpected {type(error).__name__}: {error}", hint, ExitCode.CRASHED)
