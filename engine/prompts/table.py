"""A table as prompts show it: its columns with the values of a few rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.prompts import quoted
from engine.records import Column, Row

CELL_CHARS = 120
SHOWN_ROWS = 3


def table(columns: Sequence[Column], rows: Sequence[Row], cell_chars: int = CELL_CHARS) -> str:
    """The columns with the values of a few rows."""
    lines = []
    for column in columns[:40]:
        values = " | ".join(_cell(row.values.get(column.name), cell_chars) for row in rows[:SHOWN_ROWS])
        about = f" ({column.description[:100]})" if column.description else ""
        lines.append(f"- {column.name}{about}: {values}")
    return quoted("\n".join(lines), 6000)


def _cell(value: Any, limit: int) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
