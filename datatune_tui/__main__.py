"""The `datatune` command; also `python -m datatune_tui`. Without arguments, at a terminal, it opens the screens."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Open the screens, or hand the arguments to the command line; the exit code."""
    if len(sys.argv) == 1 and sys.stdin.isatty() and sys.stdout.isatty():
        if os.environ.get("TERM") == "dumb":
            from engine.cli import main as command_line

            sys.stderr.write("datatune: this terminal (TERM=dumb) cannot place a cursor, so there are no screens; the commands:\n")
            return command_line(["--help"])
        from datatune_tui.app import start

        return start()
    from engine.cli import main as command_line

    return command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
