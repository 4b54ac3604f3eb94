"""Words that travelled between alphabets: "синтаксис" and "syntax" sound alike, so they may name the same thing."""

from __future__ import annotations

import difflib
import functools
import re

from engine.plan.profile import script_of

_SHORTEST = 4
_ALIKE = 0.8
_SPELLINGS = (
    (r"(ts|t|c|z|s)(iya|ija|ia|ion|ione|ione?s|sjon|ja)$", "si"),
    (r"^(kh|h)", "g"),
    ("x", "ks"),
    ("ph", "f"),
    ("th", "t"),
    ("sch|sh|ts|tz", "s"),
    ("kh|ch|ck|q", "k"),
    ("c(?=[eiy])", "s"),
    ("c", "k"),
    ("w", "v"),
    ("[yj]", "i"),
    ("z", "s"),
    (r"(?<!^)h", ""),
    (r"(.)\1+", r"\1"),
)
"""Letters that languages write one sound with, in the order they are replaced."""


def sound_alike(one: str, other: str) -> float:
    """0, or from 0.8 to 1 for words of two alphabets that sound alike; words of one alphabet are compared by their spelling elsewhere."""
    if script_of([one]) == script_of([other]):
        return 0.0
    heard, said = _sound(one), _sound(other)
    if min(len(heard), len(said)) < _SHORTEST or heard[0] != said[0]:
        return 0.0
    short, long = sorted((heard, said), key=len)
    if len(short) >= 5 and long.startswith(short):
        return _ALIKE  # one of the words has an ending more
    likeness = difflib.SequenceMatcher(None, heard, said, autojunk=False).ratio()
    return likeness if likeness >= _ALIKE else 0.0


@functools.lru_cache(maxsize=4096)
def _sound(word: str) -> str:
    from anyascii import anyascii  # needed for few tasks

    text = re.sub(r"[^a-z]", "", str(anyascii(word)).casefold())
    for pattern, sound in _SPELLINGS:
        text = re.sub(pattern, sound, text)
    return text
