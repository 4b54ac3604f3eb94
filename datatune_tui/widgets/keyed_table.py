"""A table whose rows have keys: showing other rows keeps the cursor on the one it was on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text
from textual.widgets import DataTable

from datatune_tui.sheet import Sheet
from engine.plain_text import one_line

CELL_CHARACTERS = 400
"""Of a text that are looked at: nobody reads more of a cell, and a megabyte would take seconds to lay out."""

Cell = str | Text


class KeyedTable(DataTable[Text]):
    """Rows by key. Cells are plain text; what looks like markup in them is shown as it stands."""

    def __init__(self, columns: Sequence[tuple[str, int | None]], **given: Any) -> None:
        """`columns` are titles with widths in cells; None for as wide as the content."""
        super().__init__(cursor_type="row", zebra_stripes=True, **given)
        self._columns_wanted = tuple(columns)
        self._shown: dict[str, tuple[Text, ...]] = {}
        self._whole: tuple[tuple[str, ...], ...] = ()
        """Texts of the rows as they were given, uncut."""

    def on_mount(self) -> None:
        for title, width in self._columns_wanted:
            self.add_column(Text(title), width=width, key=title)

    def head(self, columns: Sequence[tuple[str, int | None]]) -> None:
        """Have these columns from now on; where they are others, the rows are gone until they are shown anew."""
        if tuple(columns) != self._columns_wanted:
            self._columns_wanted = tuple(columns)
            self._shown, self._whole = {}, ()
            self.clear(columns=True)
            for title, width in self._columns_wanted:
                self.add_column(Text(title), width=width, key=title)

    def show(self, rows: Sequence[tuple[str, Sequence[Cell]]], keep: bool = True) -> None:
        """Show these rows, in this order; only what changed is drawn anew. `keep` leaves the cursor on the row it is on."""
        wanted = {key: tuple(_text(cell) for cell in cells) for key, cells in rows}
        if list(wanted) == list(self._shown):
            for key, cells in wanted.items():
                for (title, width), cell, before in zip(self._columns_wanted, cells, self._shown[key], strict=True):
                    if cell != before:
                        self.update_cell(key, title, cell, update_width=width is None)
        else:
            at, place = self.current, self.cursor_row
            self.clear()
            for key, cells in wanted.items():
                self.add_row(*cells, key=key)
            keys = list(wanted)
            if keys:
                same = keys.index(at) if at in keys else min(place, len(keys) - 1)
                self.move_cursor(row=same if keep else 0)
        self._shown = wanted
        self._whole = tuple(tuple(cell.plain if isinstance(cell, Text) else cell for cell in cells) for _, cells in rows)

    def sheet(self) -> Sheet:
        """The whole table, cells uncut."""
        whole = self._whole
        return Sheet(tuple(title for title, _ in self._columns_wanted), len(whole), lambda start, end: whole[start:end])

    @property
    def keys_shown(self) -> tuple[str, ...]:
        """Keys of all rows, in their order."""
        return tuple(self._shown)

    @property
    def current(self) -> str:
        """Key of the row the cursor is on; "" where there is none."""
        keys = list(self._shown)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else ""


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(one_line(cell, CELL_CHARACTERS), no_wrap=True, end="")
