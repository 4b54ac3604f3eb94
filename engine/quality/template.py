"""What nearly all texts of one source share: instruction lines, “Premise:”, “Options:”. Taken away before texts are compared, for
else texts of one template all look alike and texts of two templates never do."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.quality.pairs import Pair, by_source
from engine.quality.words import marked_tokens, spans, tokens

_EDGE = "\n"
"""Stands twice before and after every line, so that a line's first word counts as three in a row."""
_RUN = 3
_LOOKED_AT = 1000
_LONGEST = 20_000
"""Characters of a text that are read for a template."""


class Template(NamedTuple):
    """Runs of three tokens, line edges among them, and labels with a colon that nearly all texts of a source hold."""

    runs: frozenset[tuple[str, ...]] = frozenset()
    labels: frozenset[str] = frozenset()
    share: float = 0.0
    """How much of all tokens it covers, 0 to 1; where this is nearly 1, the examples differ by few words."""

    def content(self, text: str) -> list[str]:
        """Tokens of the text that are not the template's; all of them where nothing else would be left."""
        if not self:
            return tokens(text)
        words = _lined(unicodedata.normalize("NFKC", text))
        return self._own(words) or [word.removesuffix(":") for word in words if word != _EDGE]

    def content_lines(self, text: str) -> list[list[str]]:
        """The same tokens, line by line, empty lines left out."""
        if not self:
            return [found for line in text.split("\n") if (found := tokens(line))]
        words = _lined(unicodedata.normalize("NFKC", text))
        hidden = self._hidden(words)
        if all(out or word == _EDGE for word, out in zip(words, hidden, strict=True)):
            hidden = bytearray(len(words))
        lines: list[list[str]] = [[]]
        for word, out in zip(words, hidden, strict=True):
            if word == _EDGE:
                lines.append([])
            elif not out:
                lines[-1].append(word.removesuffix(":"))
        return [line for line in lines if line]

    def remaining(self, text: str) -> str:
        """The text without the template, lines kept apart; the whole text where nothing else would be left."""
        if not self:
            return text
        plain = unicodedata.normalize("NFKC", text)
        hidden = self._hidden(_lined(plain))
        place = 0
        lines = []
        for line in plain.split("\n"):
            place += 2
            kept = []
            for _, start, end in spans(line):
                if not hidden[place]:
                    kept.append(line[start:end])
                place += 1
            lines.append(" ".join(kept))
            place += 2
        return "\n".join(filter(None, lines)) or text

    def __bool__(self) -> bool:
        return bool(self.runs or self.labels)

    def _own(self, words: list[str]) -> list[str]:
        hidden = self._hidden(words)
        return [word.removesuffix(":") for word, out in zip(words, hidden, strict=True) if not out and word != _EDGE]

    def _hidden(self, words: list[str]) -> bytearray:
        hidden = bytearray(word in self.labels for word in words)
        for place, run in enumerate(_runs(words)):
            if run in self.runs:
                hidden[place : place + _RUN] = b"\1" * _RUN
        return hidden


NO_TEMPLATE = Template()


def template_of(texts: Sequence[str], share: float = 0.8, least: int = 20) -> Template:
    """What at least `share` of the texts have in common; nothing where there are fewer than `least` of them.

    At most 1,000 texts, evenly spaced, are read. Copies of one text count once, so that copying does not make a template.
    """
    distinct = list(dict.fromkeys(texts))
    if len(distinct) < least:
        return NO_TEMPLATE
    looked_at = [_lined(unicodedata.normalize("NFKC", text[:_LONGEST])) for text in distinct[:: -(-len(distinct) // _LOOKED_AT)]]
    runs: Counter[tuple[str, ...]] = Counter()
    labels: Counter[str] = Counter()
    for words in looked_at:
        runs.update(set(_runs(words)))
        labels.update({word for word in words if word.endswith(":")})
    wanted = share * len(looked_at)
    bare = Template(
        frozenset(run for run, count in runs.items() if count >= wanted and set(run) != {_EDGE}),
        frozenset(label for label, count in labels.items() if count >= wanted),
    )
    every = sum(word != _EDGE for words in looked_at for word in words)
    own = sum(len(bare._own(words)) for words in looked_at)
    return bare._replace(share=1 - own / every if every else 0.0)


def templates(pairs: Sequence[Pair], share: float = 0.8, least: int = 20) -> list[Template]:
    """For each example the template of its source's inputs, in order."""
    found: list[Template] = [NO_TEMPLATE] * len(pairs)
    for places in by_source(pairs).values():
        one = template_of([pairs[place].input for place in places], share, least)
        for place in places:
            found[place] = one
    return found


def _lined(plain: str) -> list[str]:
    """Tokens with edges twice before and after every line."""
    words: list[str] = []
    for line in plain.split("\n"):
        words += [_EDGE, _EDGE, *marked_tokens(line), _EDGE, _EDGE]
    return words


def _runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(words, words[1:], words[2:], strict=False)
