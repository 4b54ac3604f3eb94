"""Export: what was written where, file by file, as the folder is now; and what the files of a finetuned model answered."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.widgets import Static

from datatune_tui.panels.panel import Panel
from datatune_tui.runs_read import View
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.export.contents import Written, contents_of
from engine.plain_text import clean, one_line
from engine.records import Exported
from engine.store.events import Event
from engine.store.steps import Step

LOOKED_SECONDS = 5.0
"""How long what a folder held is taken for what it holds."""
HINT = "x writes it anew, with what you rejected and put right by then; y copies a row, w saves the table."
FILES = (("FILE", 28), ("SIZE", 8), ("WHAT IT IS", None), ("IT ANSWERED", None))


class ExportPanel(Panel):
    """The folder, its files with sizes, and what each is."""

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield KeyedTable(FILES, id="files")
        yield Static(Text(HINT, style="dim"), id="hint")

    def on_mount(self) -> None:
        self._folder = ""
        self._looked = 0.0
        self._event = 0

    def show(self, view: View, step: Step | None) -> None:
        event = next((event for event in reversed(view.events) if event.kind == "exported"), None)
        self.query_one("#hint", Static).display = event is not None
        exported = _record(event) if event else None
        if event is None or exported is None or not exported.folder:
            self._folder = ""
            self.query_one("#words", Static).update(Text(clean(event.text)) if event else _none_yet(view))
            self.query_one(KeyedTable).display = False
        elif (exported.folder, event.id) != (self._folder, self._event) or time.monotonic() - self._looked > LOOKED_SECONDS:
            if exported.folder != self._folder:
                self.query_one("#words", Static).update(_told(event, exported, None))
                self.query_one(KeyedTable).show([])
            self._folder, self._event, self._looked = exported.folder, event.id, time.monotonic()
            self._list(event, exported)

    @work(exclusive=True, group="list")
    async def _list(self, event: Event, exported: Exported) -> None:
        """Look into the folder, which may lie on a slow disk."""
        written = await asyncio.to_thread(contents_of, Path(exported.folder))
        if event.id != self._event or exported.folder != self._folder:
            return
        self.query_one("#words", Static).update(_told(event, exported, written))
        table = self.query_one(KeyedTable)
        table.display = bool(written.files)
        table.show(_lines(exported, written))


def _record(event: Event) -> Exported | None:
    """What was written; of an export of an earlier version only where it lies."""
    bare = {"examples": 0, "train": 0, "validation": 0, "digest": "", "folder": ""}
    try:
        return msgspec.convert({**bare, **event.data}, Exported)
    except msgspec.ValidationError:
        return None


def _lines(exported: Exported, written: Written) -> list[tuple[str, tuple[str | Text, ...]]]:
    of_model = {file.path: file for file in exported.model}
    lines: list[tuple[str, tuple[str | Text, ...]]] = []
    for file in written.files:
        made = of_model.get(file.path)
        size = Text(size_words(file.size), justify="right", end="")
        answer = "" if made is None or made.answer is None else made.answer or "(nothing)"
        lines.append((file.path, (file.path, size, made.what if made else file.what, answer)))
    return lines


def _none_yet(view: View) -> Text:
    going_on = view.run.state in ("new", "running")
    return Text("Nothing was exported yet. " + ("The run does it at its end." if going_on else "x exports what there is."), style="dim")


def _told(event: Event, exported: Exported, written: Written | None) -> Text:
    text = Text()
    text.append(clean(event.text), "bold green")
    if written is not None and not written.there:
        return text.append("\nThe folder is not there any more; x writes it again.", "bold yellow")
    if written is not None and written.files:
        text.append(f"\n{len(written.files):,} files, {size_words(sum(file.size for file in written.files))}", "not bold")
    if exported.train or exported.validation:
        text.append("; " if written is not None and written.files else "\n")
        text.append(f"{exported.train:,} examples to train on, {exported.validation:,} for validation", "not bold")
    for line in exported.left_out:
        text.append(f"\nleft out: {one_line(line, 300)}", "yellow")
    if written is not None and written.more:
        text.append(f"\n{written.more:,} more files are not listed", "yellow")
    return text


def size_words(size: int) -> str:
    """Bytes as people read them."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
