"""Copying and saving what a screen shows: one row, a whole table, the text of a panel; the same three keys everywhere.

The clipboard is reached by an escape sequence (OSC 52) that some terminals ignore without a word, so saving to a file is always offered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from rich.text import Text
from textual import work
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Footer, Static, TextArea

from datatune_tui.modals.file_path import FilePath
from datatune_tui.modals.question import Question
from datatune_tui.sheet import TABLE_ENDINGS, TEXT_ENDINGS, Sheet, SheetFile, lines, tabbed, writable
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.long_list import LongList
from datatune_tui.widgets.places import Places
from engine.errors import EngineError
from engine.plain_text import clean
from engine.whole_file import written_whole

if TYPE_CHECKING:
    from datatune_tui.app import DataTune

T = TypeVar("T")

MOST_COPIED = 1_000_000
"""Characters; terminals take 75 kB to a few MB."""
AT_ONCE = 100
"""Rows that are read before keys are looked at again: some 10 ms."""
COPIED = "copied; if your terminal does not take it, w saves it to a file"


class Copying(Screen[T]):
    """A screen of which everything can be copied and saved."""

    BINDINGS = [
        Binding("y", "copy_here", "Copy", show=False, id="copy.here", tooltip="Copy the row the cursor is on, or the text"),
        Binding("Y,ctrl+y", "copy_all", "Copy all", show=False, id="copy.all", tooltip="Copy the whole table, for a spreadsheet"),
        Binding("w", "save_copy", "Save", show=False, id="copy.save", tooltip="Write the whole table or text to a file"),
    ]

    @property
    def copied_part(self) -> Widget:
        """What the keys are about: the table or text in focus, else the panel beside it, else the whole screen."""
        for node in self.focused.ancestors_with_self if self.focused else ():
            if isinstance(node, KeyedTable | LongList | VerticalScroll | TextArea):
                return cast(Widget, node)
        for switcher in self.query(ContentSwitcher):
            if switcher.visible_content is not None:
                return switcher.visible_content
        return self

    @work(group="copy", exclusive=True)
    async def action_copy_here(self) -> None:
        """Copy the row the cursor is on, or the text."""
        part = self.copied_part
        if isinstance(part, KeyedTable | LongList):
            sheet, at = part.sheet(), part.cursor_row
            rows = sheet.read(at, at + 1) if 0 <= at < sheet.length else ()
            self._copied("\n".join(lines(sheet.columns, row) for row in rows))
        else:
            self._copied(text_of(part))

    @work(group="copy", exclusive=True)
    async def action_copy_all(self) -> None:
        """Copy the whole table, or the text."""
        part = self.copied_part
        if not isinstance(part, KeyedTable | LongList):
            self._copied(text_of(part))
            return
        sheet = part.sheet()
        rows: list[Sequence[str]] = []
        characters = 0
        while characters <= MOST_COPIED and len(rows) < sheet.length:
            some = sheet.read(len(rows), min(sheet.length, len(rows) + AT_ONCE))
            if not some:
                break
            rows += some
            characters += sum(len(cell) + 1 for row in some for cell in row)
            await asyncio.sleep(0)
        if characters > MOST_COPIED:
            self._too_much(f"{sheet.length:,} rows")
        else:
            self._copied(tabbed(sheet.columns, rows) if rows else "")

    @work(group="save", exclusive=True)
    async def action_save_copy(self) -> None:
        """Write the whole table or the text to a file."""
        part = self.copied_part
        sheet = part.sheet() if isinstance(part, KeyedTable | LongList) else None
        text = "" if sheet else text_of(part)
        if not (sheet.length if sheet else text):
            self.notify("there is nothing to save here", markup=False)
            return
        endings = TABLE_ENDINGS if sheet else TEXT_ENDINGS
        title = f"Save {_rows(sheet.length)}" if sheet else f"Save {len(text):,} characters"
        path = await self.app.push_screen_wait(FilePath(title, str(self._free_path(part, endings[0])), partial(writable, endings=endings)))
        if path is None:
            return
        if path.exists() and not await self.app.push_screen_wait(Question(f"{path} is there already. Replace it?", "Replace")):
            return
        # The app's own: it goes on when the screen is left.
        self.app.run_worker(_saved(cast("DataTune", self.app), path, sheet, text), group="saving")

    def _free_path(self, part: Widget, ending: str) -> Path:
        """A name nothing has yet, below the exports."""
        app = cast("DataTune", self.app)
        place = getattr(self, "MODE", "") or type(self).__name__.lower()
        names = [place, app.run_id if place in ("run", "data", "story", "quality") else "", (part.id or "") if part is not self else ""]
        stem = re.sub(r"[^\w-]+", "-", "-".join(filter(None, dict.fromkeys(names))))
        folder = app.reader.locations.exports / "saved"
        tried = (folder / f"{stem}{f'-{number}' if number > 1 else ''}{ending}" for number in range(1, 10_000))
        return next(path for path in tried if not path.exists())

    def _copied(self, text: str) -> None:
        if not text.strip():
            self.notify("there is nothing to copy here", markup=False)
        elif len(text) > MOST_COPIED:
            self._too_much(f"{len(text):,} characters")
        else:
            self.app.copy_to_clipboard(text)
            self.notify(COPIED, markup=False)

    def _too_much(self, what: str) -> None:
        self.notify(f"{what} are too much for a clipboard; w saves them to a file", severity="warning", markup=False)


async def _saved(app: DataTune, path: Path, sheet: Sheet | None, text: str) -> None:
    """Write it, a little at a time, and say where it is, or in one line why it is not."""
    try:
        if sheet is None:
            with written_whole(path) as written:
                written.write(clean(text) + "\n")
            app.notify(f"saved: {path}", markup=False)
            return
        if sheet.length > 20 * AT_ONCE:
            app.notify(f"saving {_rows(sheet.length)} …", markup=False)
        with SheetFile(path, sheet.columns).open() as file:
            for start in range(0, sheet.length, AT_ONCE):
                file.put(sheet.read(start, min(sheet.length, start + AT_ONCE)))
                await asyncio.sleep(0)
    except EngineError as error:
        app.notify(f"{error.title}; {error.hint}", severity="error", markup=False)
        return
    kept = "" if not file.guarded else f"; {file.guarded:,} cells that look like formulas have an apostrophe before them"
    app.notify(f"{_rows(file.written)} in {path}{kept}", markup=False)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def text_of(part: Widget) -> str:
    """All that is displayed in a part of a screen, as plain text; what scrolled out of sight is in it."""
    found = [_own_text(node) for node in _displayed(part)]
    return clean("\n\n".join(text.strip("\n") for text in found if text.strip()))


def _displayed(part: Widget) -> Iterable[Widget]:
    if part.display and not isinstance(part, Footer | Places):
        yield part
        if not isinstance(part, KeyedTable | LongList | TextArea):
            for child in part.children:
                yield from _displayed(child)


def _own_text(node: Widget) -> str:
    if isinstance(node, TextArea):
        return node.text
    if isinstance(node, KeyedTable):
        sheet = node.sheet()
        return tabbed(sheet.columns, sheet.read(0, sheet.length)) if sheet.length else ""
    if isinstance(node, Static):
        content = node.content
        return content.plain if isinstance(content, Text) else str(content)
    return ""
