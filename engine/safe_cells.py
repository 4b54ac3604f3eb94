"""Cells that a spreadsheet does not take for formulas.

Rows come from strangers and answers from models, and a spreadsheet acts on cells that begin with = + - @ (CSV injection, OWASP). Such a
cell gets an apostrophe before it, unless it is a plain number.
"""

from __future__ import annotations

import re

from engine.plain_text import clean

_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?%?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula."""
    text = cell.lstrip(" \n")
    return text.startswith(_FORMULA) and not _NUMBER.fullmatch(text.strip())


def guarded(cell: str) -> str:
    """The cell's text without control characters, with an apostrophe before what may be a formula."""
    kept = clean(cell)
    return f"'{kept}" if is_formula(kept) else kept
