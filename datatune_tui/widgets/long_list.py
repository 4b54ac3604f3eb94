"""A list of any length: only the rows that are seen are read, so a hundred thousand open as fast as ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from datatune_tui.sheet import Sheet

PAGE = 100
"""Rows read at once."""
PAGES_KEPT = 20


class Column(NamedTuple):
    """A column's title and width in cells; 0 for what is left of the line, for one column only."""

    title: str
    width: int


class LongList(ScrollView, can_focus=True):
    """Rows by number, read page by page; one line each, the first line is the titles."""

    COMPONENT_CLASSES = {"long-list--titles", "long-list--cursor"}
    DEFAULT_CSS = """
    LongList { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    LongList .long-list--titles { text-style: bold; background: $panel; color: $foreground; }
    LongList .long-list--cursor { background: $block-cursor-blurred-background; }
    LongList:focus .long-list--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    """
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up", tooltip="The row above"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down", tooltip="The row below"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list.page-up", tooltip="As many rows up as are seen"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list.page-down", tooltip="As many rows down as are seen"),
        Binding("home,g", "end(0)", "First", show=False, id="list.first", tooltip="The first row"),
        Binding("end,G", "end(1)", "Last", show=False, id="list.last", tooltip="The last row"),
    ]

    cursor = reactive(0)

    class Moved(Message):
        """The cursor is on another row, or its row was read anew."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._count = 0
        self._read: Callable[[int, int], Sequence[Sequence[Text]]] = lambda start, end: ()
        self._pages: dict[int, Sequence[Sequence[Text]]] = {}
        self.whole: Sheet | None = None
        """All columns of the same rows, uncut, for copying and saving; None where what is shown is all there is."""

    def fill(self, count: int, read: Callable[[int, int], Sequence[Sequence[Text]]], keep: bool = False) -> None:
        """Show `count` rows; `read` gives the cells of those from a number to before another. `keep` leaves the cursor where it is."""
        self._count, self._read = count, read
        self._pages.clear()
        self.virtual_size = Size(self.size.width, count + 1)
        if not keep:
            self.scroll_to(y=0, animate=False)
            self.set_reactive(LongList.cursor, 0)
        else:
            self.set_reactive(LongList.cursor, max(0, min(self.cursor, count - 1)))
        self.refresh()
        self.post_message(self.Moved(self.cursor))

    def read_again(self) -> None:
        """Rows have changed where they are."""
        self._pages.clear()
        self.refresh()

    @property
    def cursor_row(self) -> int:
        """Number of the row the cursor is on."""
        return self.cursor

    def sheet(self) -> Sheet:
        """All rows, read when they are asked for."""
        read = self._read
        shown = Sheet(
            tuple(column.title for column in self._columns),
            self._count,
            lambda start, end: [[cell.plain for cell in row] for row in read(start, end)],
        )
        return self.whole or shown

    @property
    def count(self) -> int:
        """Rows there are."""
        return self._count

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, self._count + 1)

    def validate_cursor(self, row: int) -> int:
        return max(0, min(row, self._count - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        top, height = int(self.scroll_offset.y), max(1, self.size.height - 1)
        if now < top:
            self.scroll_to(y=now, animate=False)
        elif now >= top + height:
            self.scroll_to(y=now - height + 1, animate=False)
        self.refresh()
        if before != now:
            self.post_message(self.Moved(now))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            titles = [Text(column.title, end="") for column in self._columns]
            return self._strip(titles, width, self.get_component_rich_style("long-list--titles"))
        row = int(self.scroll_offset.y) + y - 1
        if row >= self._count:
            return Strip.blank(width, self.rich_style)
        style = self.get_component_rich_style("long-list--cursor") if row == self.cursor else self.rich_style
        return self._strip(self._row(row), width, style, row == self.cursor)

    def _row(self, row: int) -> Sequence[Text]:
        number = row // PAGE
        if number not in self._pages:
            while len(self._pages) >= PAGES_KEPT:
                del self._pages[next(iter(self._pages))]
            self._pages[number] = self._read(number * PAGE, min(self._count, (number + 1) * PAGE))
        page = self._pages[number]
        return page[row % PAGE] if row % PAGE < len(page) else ()

    def _strip(self, cells: Sequence[Text], width: int, style: Style, plain: bool = False) -> Strip:
        rest = max(0, width - sum(column.width + 1 for column in self._columns if column.width) - 1)
        segments = []
        for column, cell in zip(self._columns, cells, strict=False):
            own = style if plain or not cell.style else style + self.app.console.get_style(cell.style)
            segments.append(Segment(set_cell_size(cell.plain, column.width or rest) + " ", own))
        return Strip(segments).adjust_cell_length(width, style)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.cursor += rows

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is seen at once."""
        self.cursor += pages * max(1, self.size.height - 2)

    def action_end(self, last: int) -> None:
        """Go to the first or the last row."""
        self.cursor = self._count - 1 if last else 0

    def on_click(self, event: events.Click) -> None:
        if event.y > 0:
            self.cursor = int(self.scroll_offset.y) + event.y - 1
