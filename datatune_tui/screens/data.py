"""Data: every example and failure of the open run, one line each; the one the cursor is on is shown whole and can be reviewed."""

from __future__ import annotations

from typing import Any, Literal, cast

import msgspec
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Input, Select, Static

from datatune_tui.engine_process import Refused
from datatune_tui.modals.line_input import LineInput
from datatune_tui.screens.place import Place
from datatune_tui.sheet import Sheet
from datatune_tui.widgets.long_list import Column, LongList
from datatune_tui.widgets.states import SIGNS
from engine.plain_text import clean, one_line
from engine.records import Example
from engine.store.browse import Order, find_units, read_units
from engine.store.browse import Place as Unit
from engine.store.database import translated
from engine.store.items import Item, ItemState
from engine.store.reviews import Review, put_reviews, reviews_of

COLUMNS = (Column("", 2), Column("OUTPUT OR REASON", 28), Column("INPUT", 0))
WHOLE = ("STATE", "REVIEW", "NOTE", "OUTPUT", "INPUT", "REASON", "TRACE", "DATA SET", "CONFIG", "SPLIT", "ROW", "LICENCE", "UNIT")
"""Columns as they are copied and saved."""
SHOWN = 20_000
"""Characters of a text that the detail pane shows."""
STATES = (("all units", ""), ("examples", "accepted"), ("rejected", "rejected"), ("failed", "failed"), ("skipped", "skipped"))
ORDERS = (("as they came", "entered"), ("longest first", "longest"), ("by output", "output"), ("by reason", "reason"))


class DataScreen(Place):
    """The units of a run's execute steps."""

    MODE = "data"
    CSS_PATH = "data.tcss"
    HELP = """\
# Data

All units of the open run: what became examples, and what did not, with the reason.

- **/** goes to the search; enter or **escape** comes back. What is looked for may stand in input, output or reason
- **a** accepts, **r** rejects an example, **u** takes that back; **e** puts its output right, **n** notes something
- **o** shows the row an example was made of, as it stands in the data set
- **l** lists all that are like the one the cursor is on: the same output, or the same reason


An export leaves out what was rejected and has the outputs that were put right.
"""
    BINDINGS = [
        Binding("slash", "search", "Search", id="data.search", tooltip="Look for words in input, output or reason"),
        Binding("a", "review('accepted')", "Accept", id="data.accept", tooltip="Keep the example in exports"),
        Binding("r", "review('rejected')", "Reject", id="data.reject", tooltip="Leave the example out of exports"),
        Binding("u", "review('')", "Take back", id="data.undo", tooltip="Forget what was said of the example"),
        Binding("e", "edit", "Edit", id="data.edit", tooltip="Put the example's output right"),
        Binding("n", "note", "Note", id="data.note", tooltip="Write down something about it"),
        Binding("l", "like", "Like this", id="data.like", tooltip="All with the same output, or the same reason"),
        Binding("o", "source", "Source row", id="data.source", tooltip="The row it was made of, as it stands in the data set"),
        Binding("escape", "back", "Back", show=False, id="data.back", tooltip="From the search to the list"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]

    def content(self) -> ComposeResult:
        with Horizontal(id="bar"):
            yield Input(placeholder="search (/)", id="search", compact=True)
            yield Select(STATES, value="", allow_blank=False, id="state", compact=True)
            yield Select(ORDERS, value="entered", allow_blank=False, id="order", compact=True)
        yield Static("", id="told", markup=False)
        with Container(id="both"):
            yield LongList(COLUMNS, id="units")
            with VerticalScroll(id="detail"):
                yield Static("", id="detail-text")

    def on_mount(self) -> None:
        self._units: list[Unit] = []
        self._asked: tuple[object, ...] = ()
        self._reviews: dict[str, dict[str, Review]] = {}
        self.query_one(LongList).focus()

    def look(self) -> None:
        """Show the open run's units as they are now."""
        if wanted := self.here.units_wanted:
            self.here.units_wanted = None
            self.query_one("#state", Select).value, self.query_one("#search", Input).value = wanted
        view = self.here.reader.view(self.here.run_id) if self.here.run_id else None
        steps = [step.fingerprint for step in view.steps if step.stage == "execute"] if view else []
        total = sum(view.counts.values()) if view else 0
        text = self.query_one("#search", Input).value.strip()
        state = cast("ItemState | Literal['']", self.query_one("#state", Select).value)
        order = cast(Order, self.query_one("#order", Select).value)
        asked = (tuple(steps), total, text, state, order)
        units = self.query_one(LongList)
        if asked != self._asked:
            same = bool(self._asked) and (asked[0], *asked[2:]) == (self._asked[0], *self._asked[2:])
            self._asked = asked
            connection = self.here.reader.connection()
            self._units = find_units(connection, steps, state, text, order) if connection and steps else []
            self._read_reviews(steps)
            units.fill(len(self._units), self._rows, keep=same)
            units.whole = self._sheet(self._units)
        self._tell(view is not None, total)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("review", "edit", "note", "source", "like") and self.ready:
            item = self._current()
            if action == "like":
                return item is not None or None
            return (item is not None and item.state == "accepted") or None
        return True

    def _tell(self, is_open: bool, total: int) -> None:
        if not is_open:
            told = "No run is open: 1 goes home, enter opens one."
        elif not total:
            told = f"Run {self.here.run_id} has executed no rows yet."
        else:
            reviewed = [review for reviews in self._reviews.values() for review in reviews.values()]
            rejected = sum(review.verdict == "rejected" for review in reviewed)
            told = f"run {self.here.run_id}: {len(self._units):,} of {total:,} units"
            told += f"; {len(reviewed):,} reviewed, {rejected:,} rejected" if reviewed else ""
        self.query_one("#told", Static).update(told)

    def _read_reviews(self, steps: list[str]) -> None:
        connection = self.here.reader.connection()
        self._reviews = {step: reviews_of(connection, step) for step in steps} if connection else {}

    def _rows(self, start: int, end: int) -> list[tuple[Text, ...]]:
        connection = self.here.reader.connection()
        if connection is None:
            return []
        places = self._units[start:end]
        return [_cells(item, self._review(place)) for place, item in zip(places, read_units(connection, places), strict=True)]

    def _sheet(self, places: list[Unit]) -> Sheet:
        """These units with all that is known of them, as they are copied and saved."""

        def read(start: int, end: int) -> list[tuple[str, ...]]:
            connection = self.here.reader.connection()
            some = places[start:end]
            with translated(self.here.reader.locations.database):
                items = read_units(connection, some) if connection else []
            return [_row(item, self._review(place)) for place, item in zip(some, items, strict=False)]

        return Sheet(WHOLE, len(places), read)

    def _review(self, place: Unit) -> Review | None:
        return self._reviews.get(place[0], {}).get(place[2])

    def _current(self) -> Item | None:
        row, connection = self.query_one(LongList).cursor, self.here.reader.connection()
        return read_units(connection, [self._units[row]])[0] if connection and row < len(self._units) else None

    @on(LongList.Moved)
    def _moved(self) -> None:
        self._show_detail()
        self.refresh_bindings()

    def _show_detail(self) -> None:
        item, row = self._current(), self.query_one(LongList).cursor
        text = _detail(item, self._review(self._units[row])) if item else Text("Nothing to show.", style="dim")
        self.query_one("#detail-text", Static).update(text)
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)

    @on(Input.Changed, "#search")
    @on(Select.Changed)
    def _asked_anew(self) -> None:
        if self.ready:
            self.here.look_at(self)

    @on(Input.Submitted)
    def action_back(self) -> None:
        """Back from the search to the list."""
        self.query_one(LongList).focus()

    def action_search(self) -> None:
        """Go to the search."""
        self.query_one("#search", Input).focus()

    def action_review(self, verdict: Literal["", "accepted", "rejected"]) -> None:
        """Accept or reject the example, or take that back; then go to the next."""
        if verdict:
            self._put(verdict=verdict)
            self.query_one(LongList).action_move(1)
        else:
            self._put(verdict="", note="", output=None)

    @work
    async def action_edit(self) -> None:
        """Put the example's output right."""
        item = self._current()
        if item is None or item.state != "accepted":
            return
        review = self._review(self._units[self.query_one(LongList).cursor])
        example = msgspec.json.decode(item.result, type=Example)
        before = review.output if review and review.output is not None else example.output
        text = await self.app.push_screen_wait(LineInput("The right output", before))
        if text is None or not text.strip():
            return
        self._put(output=None if text == example.output else text, verdict="accepted")

    @work
    async def action_note(self) -> None:
        """Write down something about the example."""
        item = self._current()
        if item is None or item.state != "accepted":
            return
        review = self._review(self._units[self.query_one(LongList).cursor])
        text = await self.app.push_screen_wait(LineInput("Note", review.note if review else ""))
        if text is not None:
            self._put(note=text.strip())

    def action_like(self) -> None:
        """List those with the same output, or the same reason."""
        item = self._current()
        if item is None:
            return
        search = self.query_one("#search", Input)
        if item.state == "accepted":
            search.value = f"output={msgspec.json.decode(item.result, type=Example).output}"
        else:
            search.value = f"reason={item.reason}"
        self.query_one("#state", Select).value = item.state

    @work
    async def action_source(self) -> None:
        """Show the row the example was made of."""
        item, at = self._current(), self.query_one(LongList).cursor
        if item is None or item.state != "accepted":
            return
        source = msgspec.json.decode(item.result, type=Example).source
        view = self.here.reader.view(self.here.run_id)
        # A run over a folder that is in no catalog knows where that folder is.
        dataset = (view.run.settings.dataset if view else "") or source.dataset
        try:
            answer = await self.here.catalog.ask("row", show=dataset, config=source.config, split=source.split, row=source.row)
        except Refused as error:
            self.stop(error)
            return
        if answer and self.query_one(LongList).cursor == at:
            text = _detail(item, self._review(self._units[at]))
            text.append(f"\n\nRow {source.row}\n", "bold")
            for name, value in answer["row"].items():
                text.append(f"{clean(name)}: ", "cyan")
                text.append(f"{clean(value)}\n")
            self.query_one("#detail-text", Static).update(text)

    def _put(self, **said: Any) -> None:
        row = self.query_one(LongList).cursor
        step, _, key = self._units[row]
        review = msgspec.structs.replace(self._review(self._units[row]) or Review(key), **said)
        self.here.write(lambda connection: put_reviews(connection, step, [review]))
        self._read_reviews(list(self._reviews))
        self.query_one(LongList).read_again()
        self._show_detail()
        self._tell(True, int(str(self._asked[1])))


def _row(item: Item | None, review: Review | None) -> tuple[str, ...]:
    """A unit whole: what it is, and where it came from."""
    if item is None:
        return ("gone",)
    said = (review.verdict, review.note) if review else ("", "")
    if item.state != "accepted":
        return (item.state, *said, "", "", item.reason, item.result, "", "", "", "", "", item.key)
    example = msgspec.json.decode(item.result, type=Example)
    output = review.output if review and review.output is not None else example.output
    source = example.source
    place = (source.dataset, source.config, source.split, str(source.row), source.licence)
    return (item.state, *said, output, example.input, "", "", *place, item.key)


def _cells(item: Item | None, review: Review | None) -> tuple[Text, ...]:
    if item is None:
        return (Text("?"), Text("gone"), Text(""))
    state = review.verdict if review and review.verdict else item.state
    sign, style = SIGNS.get(state, ("?", ""))
    sign = "✎" if review and review.output is not None else "●" if review and review.verdict == "accepted" else sign
    if item.state != "accepted":
        return (Text(sign, style), Text(one_line(item.reason, 60), style), Text(one_line(item.result, 400), "dim"))
    example = msgspec.json.decode(item.result, type=Example)
    output = review.output if review and review.output is not None else example.output
    return (Text(sign, style), Text(one_line(output, 60)), Text(one_line(example.input, 400), "dim" if state == "rejected" else ""))


def _detail(item: Item, review: Review | None) -> Text:
    text = Text()
    if item.state != "accepted":
        text.append(f"{item.state}: ", SIGNS.get(item.state, ("", ""))[1])
        text.append(f"{clean(item.reason)}\n", "bold")
        text.append(f"unit {clean(item.key)}\n\n", "dim")
        text.append(clean(item.result[:SHOWN]))
        return text
    example = msgspec.json.decode(item.result, type=Example)
    if review and review.verdict:
        text.append(f"{review.verdict} by you", SIGNS[review.verdict][1])
        text.append(f": {clean(review.note)}\n" if review.note else "\n")
    elif review and review.note:
        text.append(f"note: {clean(review.note)}\n", "bold")
    text.append(f"{clean(example.input[:SHOWN])}\n")
    if review and review.output is not None:
        text.append(f"→ {clean(review.output[:SHOWN])}\n", "bold green")
        text.append(f"  was: {clean(example.output[:SHOWN])}\n\n", "dim strike")
    else:
        text.append(f"→ {clean(example.output[:SHOWN])}\n\n", "bold green")
    source = example.source
    text.append(f"{clean(source.dataset)}, {clean(source.config)}, {clean(source.split)}, row {source.row}", "dim")
    text.append(f" piece {'.'.join(map(str, source.part))}" if source.part else "", "dim")
    text.append(f"\noutput {example.output_origin}; licence {clean(source.licence) or 'not stated'}; plan {example.plan[:12]}", "dim")
    return text
