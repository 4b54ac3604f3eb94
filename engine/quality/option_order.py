"""Examples whose listed options stand in one order, whatever order they came in: two that differ in it alone are the same question."""

from __future__ import annotations

from typing import NamedTuple

from engine.quality.listed_options import Listed, listed_in
from engine.quality.pairs import Pair


class Ordered(NamedTuple):
    """An example with its options in alphabetical order, and as output the option it stands for."""

    input: str
    output: str
    source: object = None


def ordered(pair: Pair) -> Ordered | None:
    """The pair with its options in order; None where its input lists none that the output is one of, by sign or in words.

    Options are put in place of each other and signs stay, so the text has the same words and the same length.
    """
    output = pair.output.strip()
    for listed in listed_in(pair.input, output):
        source = getattr(pair, "source", None)
        if output in listed.signs:
            return Ordered(_sorted(listed), listed.options[listed.signs.index(output)], source)
        if output in listed.options:
            return Ordered(_sorted(listed), output, source)
    return None


def _sorted(listed: Listed) -> str:
    parts, end = [], 0
    for (start, stop), option in zip(listed.spans, sorted(listed.options), strict=True):
        parts += [listed.text[end:start], option]
        end = stop
    return "".join(parts) + listed.text[end:]
