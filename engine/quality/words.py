"""Texts as tokens that can be compared: Unicode form, case, white space and punctuation do not count."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Scripts written without spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer, kana, and Chinese characters.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x0F00, 0x0FFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)
_LAST_CODE_POINT = 0x10FFFF


def tokens(text: str) -> list[str]:
    """Words, numbers, symbols such as emoji, and operators beside a number; characters in scripts without spaces.

    Punctuation is dropped, and case by Unicode's folding after its form NFKC.
    """
    if text.isascii():
        return _ascii_pattern().findall(text.lower())
    return _pattern().findall(unicodedata.normalize("NFKC", text).casefold())


def marked_tokens(line: str) -> list[str]:
    """Tokens of a line already in form NFKC; one with a colon at once after it keeps the colon."""
    return _pattern(":?").findall(line.casefold())


def normalised(text: str) -> str:
    """The text by which two are the same: its tokens, or where there are none ("???") the text itself without outer white space."""
    return " ".join(tokens(text)) or text.strip()


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Tokens with where they start and end in the text, which must be in form NFKC."""
    return ((found.group().casefold(), found.start(), found.end()) for found in _pattern().finditer(text))


def ranks_of(texts: Iterable[Sequence[str]]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """All tokens as numbers in order of first appearance, one after the other, and where each text starts (one more than texts)."""
    import numpy as np

    numbers: dict[str, int] = {}
    # Four bytes a token; a list of numbers would take nine times as much.
    flat = array("I")
    starts = [0]
    for text in texts:
        flat.extend([numbers.setdefault(token, len(numbers)) for token in text])
        starts.append(len(flat))
    return np.array(flat, dtype=np.uint32), np.array(starts, np.int64)


def as_characters(ranks: NDArray[np.uint32]) -> str:
    """A text in which every token is one character: C++ code compares strings much faster than lists.

    Beyond 1,114,111 different tokens two may share a character, which makes texts look a little more alike than they are.
    """
    import numpy as np

    text: str = (ranks % np.uint32(_LAST_CODE_POINT + 1)).astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    return text


_NUMBER = r"\d+(?:[.,]\d+)+"
_OPERATOR = r"[-+*/%=<>^](?=\s?\d)|(?<=\d)[-+*/%=<>^]|(?<=\d\s)[-+*/%=<>^]"


@lru_cache(maxsize=1)
def _ascii_pattern() -> re.Pattern[str]:
    """What the whole pattern finds in ASCII, in half the time."""
    return re.compile(rf"{_NUMBER}|[a-z0-9]+|{_OPERATOR}")


@lru_cache(maxsize=2)
def _pattern(after: str = "") -> re.Pattern[str]:
    word, symbol = _classes()
    bare = "".join(f"{chr(low)}-{chr(high)}" for low, high in _UNSPACED)
    return re.compile(rf"(?:{_NUMBER}|[{word}]+|[{bare}]|{_OPERATOR}|[{symbol}]){after}")


@lru_cache(maxsize=1)
def _classes() -> tuple[str, str]:
    """Characters of words in scripts with spaces, and symbols beyond ASCII, as the inside of a regular expression's class."""
    kinds = {"L": "word", "N": "word", "M": "word", "S": "symbol"}
    inside = {"word": "", "symbol": ""}

    def kind(code: int) -> str:
        if any(low <= code <= high for low, high in _UNSPACED) or 0xFE00 <= code <= 0xFE0F:
            return ""
        found = kinds.get(unicodedata.category(chr(code))[0], "")
        return "" if found == "symbol" and code < 128 else found

    for name, run in groupby(range(0x20000), kind):
        if name:
            codes = list(run)
            inside[name] += f"{chr(codes[0])}-{chr(codes[-1])}"
    return inside["word"], inside["symbol"]
