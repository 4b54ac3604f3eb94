"""Options that stand in an input, found again, so that their order can be changed and each be weighed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from engine.plan.options import stays_last
from engine.records import OutputKind, Value

_MARK = re.compile(r"(?:^|(?<=\s))(?P<open>[(\[])?(?P<sign>[A-Za-z]|\d{1,2})(?:\.\)|[.)\]:])(?(open)[ \t]*|[ \t]+)(?=\S)", re.MULTILINE)
"""In brackets a mark may stand close to its option: (A)doctor."""
_HEADED = re.compile(r"^[^\S\n]*[^\W\d][^\n:：]{0,40}[:：][ \t]*(?P<list>\S[^\n]*)$", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*(?:[-*•][ \t]+|(?:choice|option)[ \t]*:[ \t]*)(?=\S)", re.MULTILINE | re.IGNORECASE)
"""“choice:” is how BIG-bench lists options."""
_JOINS = ("; ", " | ", " / ", "、", "；", "，", ", ", ";", "|", "/")
MOST = 26


class Listed(Value):
    """Options in a text."""

    text: str
    spans: tuple[tuple[int, int], ...]
    """Where each begins and ends."""
    signs: tuple[str, ...] = ()
    """Their letters or numbers; () where they have none."""

    @property
    def options(self) -> tuple[str, ...]:
        """The options themselves."""
        return tuple(self.text[start:end] for start, end in self.spans)

    def rotated(self, shift: int) -> tuple[str, tuple[int, ...]]:
        """The text with every option moved on by `shift` places, and which option then stands in each place.

        What speaks of the others, such as "none of these", stays where it is.
        """
        moving = [place for place, option in enumerate(self.options) if not stays_last(option)]
        order = list(range(len(self.spans)))
        for number, place in enumerate(moving):
            order[place] = moving[(number - shift) % len(moving)]
        return self.ordered(order), tuple(order)

    def ordered(self, order: Sequence[int]) -> str:
        """The text with the options in this order: which of them is to stand in each place."""
        parts, end = [], 0
        for place, (start, stop) in enumerate(self.spans):
            parts += [self.text[end:start], self.options[order[place]]]
            end = stop
        return "".join(parts) + self.text[end:]


def options_in(text: str, output: str, kind: OutputKind) -> Listed | None:
    """The options an input lists, where the output is one of them (or one's sign); None where that cannot be seen."""
    if kind == "option_letter":
        return next((one for one in _marked(text) if output.strip() in one.signs), None)
    return next((one for one in listed_in(text, output) if output.strip() in one.options), None)


def listed_in(text: str, output: str) -> list[Listed]:
    """Every list of different options in an input, the likeliest first; of those in one line only lists that hold the output."""
    return [one for one in (*_marked(text), *_bulleted(text), *_joined(text, output)) if len(set(one.options)) == len(one.options)]


def _marked(text: str) -> list[Listed]:
    """Runs of marks that count on from A, a or 1; the last first."""
    marks = [*_MARK.finditer(text)]
    runs: list[list[re.Match[str]]] = []
    for place, mark in enumerate(marks):
        if mark["sign"] in ("A", "a", "1"):
            run = [mark]
            for one in marks[place + 1 :]:
                if _follows(run[-1]["sign"], one["sign"]):
                    run.append(one)
            if 2 <= len(run) <= MOST:
                runs.append(run)
    return [_spanned(text, run, tuple(mark["sign"] for mark in run)) for run in reversed(runs)]


def _follows(before: str, after: str) -> bool:
    if before.isdigit():
        return after.isdigit() and int(after) == int(before) + 1
    return len(after) == 1 and ord(after) == ord(before) + 1


def _bulleted(text: str) -> list[Listed]:
    marks = [*_BULLET.finditer(text)]
    return [_spanned(text, marks, ())] if 2 <= len(marks) <= MOST else []


def _spanned(text: str, marks: list[re.Match[str]], signs: tuple[str, ...]) -> Listed:
    ends = [after.start() for _, after in pairwise(marks)]
    line = text.find("\n", marks[-1].end())
    ends.append(len(text) if line < 0 else line)
    spans = []
    for mark, end in zip(marks, ends, strict=True):
        kept = text[mark.end() : end].rstrip(" \t\n;,")
        spans.append((mark.end(), mark.end() + len(kept)))
    return Listed(text, tuple(spans), signs)


def _joined(text: str, output: str) -> list[Listed]:
    found = []
    for line in reversed([*_HEADED.finditer(text)]):
        for join in _JOINS:
            parts = line["list"].split(join)
            if not 2 <= len(parts) <= MOST or output.strip() not in [part.strip() for part in parts]:
                continue
            spans, at = [], line.start("list")
            for part in parts:
                start = at + len(part) - len(part.lstrip())
                spans.append((start, start + len(part.strip())))
                at += len(part) + len(join)
            found.append(Listed(text, tuple(spans)))
    return found
