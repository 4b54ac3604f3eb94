"""Progress on stderr: one redrawn line with rate and time left on a terminal, plain lines far apart when piped, and lines of JSON for a
program that follows."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time

import click

PIPED_SECONDS = 20.0
DRAWN_SECONDS = 0.1
BAR_WIDTH = 20
FOLLOWED = "DATATUNE_PROGRESS"
"""The environment variable that asks for progress as JSON when it is "json": {"doing", "done", "of", "rate", "unit"} a line, by second."""


class Meter:
    """How far one thing is."""

    def __init__(self, label: str, terminal: bool) -> None:
        self._label = label
        self._followed = os.environ.get(FOLLOWED) == "json"
        self._terminal = terminal and not self._followed
        self._begun = time.monotonic()
        self._first: int | None = None
        self._last = 0.0
        self._over = False

    def show(self, done: int, total: int | None, unit: str) -> None:
        """Report; the rate is this meter's own, from its first report on."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._begun = done, now
        finished = total is not None and done >= total
        if self._over and finished:
            return
        self._over = finished
        if now - self._last < (DRAWN_SECONDS if self._terminal or self._followed else PIPED_SECONDS) and not (finished and self._last):
            return
        self._last = now
        rate = (done - self._first) / max(now - self._begun, 1e-6)
        self.draw(done, total, rate, unit)
        if finished:
            self.end()

    def draw(self, done: int, total: int | None, rate: float, unit: str) -> None:
        """One line with these figures."""
        if self._followed:
            click.echo(json.dumps({"doing": self._label, "done": done, "of": total, "rate": rate, "unit": unit}), err=True)
            return
        text = line(self._label, done, total, rate, unit, self._terminal)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + text[:width])
            sys.stderr.flush()
        else:
            click.echo(text, err=True)

    def end(self) -> None:
        """Clear the line for what comes next."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def line(label: str, done: int, total: int | None, rate: float, unit: str, drawn: bool) -> str:
    """The words of a progress report."""
    parts = [label]
    if total:
        share = min(1.0, done / total)
        if drawn:
            full = int(share * BAR_WIDTH)
            parts.append("█" * full + "░" * (BAR_WIDTH - full))
        parts.append(f"{done:,} of {total:,} {unit}")
    elif done:
        parts.append(f"{done:,} {unit}")
    if rate > 0:
        parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2f}/s")
        if total and done < total:
            parts.append(f"{time_left((total - done) / rate)} left")
    return "  ".join(parts)


def time_left(seconds: float) -> str:
    """A duration in the two largest units that matter."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
