"""The `datatune` command; also `python -m datatune_tui`."""

from __future__ import annotations

import sys


def main() -> int:
    """Hand the arguments to the command line and return its exit code."""
    from engine.cli import main as command_line

    return command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
