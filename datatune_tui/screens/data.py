"""Data: every example and failure of the open run, one line each; the one the cursor is on is shown whole and can be reviewed."""

from __future__ import annotations

import time
from typing import Any, Literal, cast

import msgspec
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Input, Select, Static

from datatune_tui.engine_process import command
from datatune_tui.mixed_unit import MixedUnit, made_unit
from datatune_tui.modals.line_input import LineInput
from datatune_tui.modals.question import Question
from datatune_tui.panels.panel import record_of
from datatune_tui.panels.preview import steps_text
from datatune_tui.runs_read import LEFT_OUT, MAKING
from datatune_tui.screens.place import Place
from datatune_tui.sheet import Sheet
from datatune_tui.unit_text import WHOLE, few_shot, unit_cells, unit_row, unit_text
from datatune_tui.widgets.long_list import Column, LongList
from engine.plain_text import clean, one_line
from engine.plan.file import write_plan
from engine.records import Example, PlanChoice, TaskExample
from engine.store.browse import Order, find_units, read_units
from engine.store.browse import Place as Unit
from engine.store.database import translated
from engine.store.items import Item
from engine.store.reviews import Review, put_reviews, reviews_of
from engine.store.runs import create_run
from engine.store.tallies import ItemState

COLUMNS = (Column("", 2), Column("OUTPUT OR REASON", 28), Column("INPUT", 0))
RARELY = 30
"""Times as long as a search for the units took, until those that a run adds meanwhile are looked for: 100,000 take 70 ms."""
STATES = (
    ("all units", ""),
    ("examples", "accepted"),
    ("rejected", "rejected"),
    ("failed", "failed"),
    ("skipped", "skipped"),
    ("left out of the mix", LEFT_OUT),
)
ORDERS = (("as they came", "entered"), ("longest first", "longest"), ("by output", "output"), ("by reason", "reason"))


class DataScreen(Place):
    """The units of a run's execute and generate steps."""

    MODE = "data"
    CSS_PATH = "data.tcss"
    HELP = """\
# Data

All units of the open run: what became examples, and what did not, with the reason; and examples that the mix left out.

- **/** goes to the search; enter or **escape** comes back. What is looked for may stand in input, output or reason
- **a** accepts, **r** rejects an example, **u** takes that back; **e** puts its output right, **n** notes something
- **o** shows the row a unit was made of, as it stands in the data set; **s** the steps of the plan on it, and what a model was asked
- **l** lists all that are like the one the cursor is on: the same output, or the same reason
- **f** starts the next run with the examples you accepted as its own: plans are judged by them, prompts show them


The next export mixes anew: it leaves out what was rejected and has the outputs that were put right.
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
        Binding("s", "steps", "Steps", id="data.steps", tooltip="What every step of the plan read and gave, and what a model was asked"),
        Binding("f", "few_shot", "Next run", id="data.few-shot", tooltip="Start a run that has the accepted examples as its own"),
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
        self._next_find = 0.0
        self._behind = False
        """Whether units came that are not listed yet."""
        self.query_one(LongList).focus()

    def look(self) -> None:
        """Show the open run's units as they are now."""
        if wanted := self.here.units_wanted:
            self.here.units_wanted = None
            self.query_one("#state", Select).value, self.query_one("#search", Input).value = wanted
        view = self.here.reader.view(self.here.run_id) if self.here.run_id else None
        text = self.query_one("#search", Input).value.strip()
        state = cast("ItemState | Literal['']", self.query_one("#state", Select).value)
        stages: tuple[str, ...] = MAKING
        if self.query_one("#state", Select).value == LEFT_OUT:
            # Examples stand in the mix a second time, by name alone: shown where somebody asks what was left out.
            stages, state = ("mix",), "rejected"
        steps = [step.fingerprint for step in view.steps if step.stage in stages] if view else []
        total = sum(sum(view.units[step].counts.values()) for step in steps) if view else 0
        order = cast(Order, self.query_one("#order", Select).value)
        asked = (tuple(steps), total, text, state, order)
        units = self.query_one(LongList)
        same = bool(self._asked) and (asked[0], *asked[2:]) == (self._asked[0], *self._asked[2:])
        self._behind = same and asked != self._asked and time.monotonic() < self._next_find
        if asked != self._asked and not self._behind:
            self._asked = asked
            connection, begun = self.here.reader.connection(), time.monotonic()
            self._units = find_units(connection, steps, state, text, order) if connection and steps else []
            self._next_find = time.monotonic() + RARELY * (time.monotonic() - begun)
            self._read_reviews(steps)
            units.fill(len(self._units), self._rows, keep=same)
            units.whole = self._sheet(self._units)
        elif self._read_reviews(steps):
            units.read_again()  # somebody else looks at this run too
            self._show_detail()
        self._tell(view is not None, total)
        self.refresh_bindings()

    @property
    def live(self) -> bool:
        return self._behind

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("review", "edit", "note", "source", "steps", "like") and self.ready:
            item = self._current()
            if action in ("like", "source", "steps"):
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

    def _read_reviews(self, steps: list[str]) -> bool:
        """Read what people said; whether anything is new."""
        connection, before = self.here.reader.connection(), self._reviews
        self._reviews = {step: reviews_of(connection, step) for step in steps} if connection else {}
        return self._reviews != before

    def _rows(self, start: int, end: int) -> list[tuple[Text, ...]]:
        connection = self.here.reader.connection()
        if connection is None:
            return []
        places = self._units[start:end]
        items = [made_unit(connection, item) for item in read_units(connection, places)]
        return [unit_cells(item, self._review(place)) for place, item in zip(places, items, strict=True)]

    def _sheet(self, places: list[Unit]) -> Sheet:
        """These units with all that is known of them, as they are copied and saved."""

        def read(start: int, end: int) -> list[tuple[str, ...]]:
            connection = self.here.reader.connection()
            some = places[start:end]
            with translated(self.here.reader.locations.database):
                items = [made_unit(connection, item) for item in read_units(connection, some)] if connection else []
            return [unit_row(item, self._review(place)) for place, item in zip(some, items, strict=False)]

        return Sheet(WHOLE, len(places), read)

    def _review(self, place: Unit) -> Review | None:
        return self._reviews.get(place[0], {}).get(place[2])

    def _current(self) -> Item | None:
        row, connection = self.query_one(LongList).cursor, self.here.reader.connection()
        if connection is None or row >= len(self._units):
            return None
        return made_unit(connection, read_units(connection, [self._units[row]])[0])

    @on(LongList.Moved)
    def _moved(self) -> None:
        self._show_detail()
        self.refresh_bindings()

    def _show_detail(self) -> None:
        item, row = self._current(), self.query_one(LongList).cursor
        text = unit_text(item, self._review(self._units[row])) if item else Text("Nothing to show.", style="dim")
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
        self.query_one("#state", Select).value = LEFT_OUT if isinstance(item, MixedUnit) else item.state

    @work
    async def action_source(self) -> None:
        """Show the row the unit was made of."""
        item, at = self._current(), self.query_one(LongList).cursor
        origin = self._origin()
        if item is None or origin is None:
            self.notify(_rowless(item), markup=False)
            return
        choice, split, row = origin
        answer = await self.asked(self.here.catalog.ask("row", show=choice.dataset, config=choice.config, split=split, row=row))
        if answer and self.query_one(LongList).cursor == at:
            text = unit_text(item, self._review(self._units[at]))
            text.append(f"\n\nRow {row}\n", "bold")
            for name, value in answer["row"].items():
                text.append(f"{clean(name)}: ", "cyan")
                text.append(f"{clean(value)}\n")
            self.query_one("#detail-text", Static).update(text)

    @work
    async def action_steps(self) -> None:
        """Show what every step of the plan read and gave."""
        item, at = self._current(), self.query_one(LongList).cursor
        origin = self._origin()
        if item is None or origin is None:
            self.notify(_rowless(item), markup=False)
            return
        choice, split, row = origin
        asked = {"run": self.here.run_id, "dataset": choice.dataset, "config": choice.config, "split": split, "row": row}
        answer = await self.asked(self.here.previews.ask("trace", preview={**asked, "plan": write_plan(choice.plan), "units": 200}))
        units = answer["preview"]["units"] if answer else []
        unit = next((unit for unit in units if f"{split}:{unit['key']}" == item.key), None)
        if unit and self.query_one(LongList).cursor == at:
            text = unit_text(item, self._review(self._units[at]))
            text.append("\n\n")
            text.append_text(steps_text(unit))
            self.query_one("#detail-text", Static).update(text)

    def _origin(self) -> tuple[PlanChoice, str, int] | None:
        """Plan, split and row of the unit under the cursor: its key says which row, its step which plan."""
        item, view = self._current(), self.here.reader.view(self.here.run_id)
        if item is None or view is None:
            return None
        step = item.unit.step if isinstance(item, MixedUnit) else self._units[self.query_one(LongList).cursor][0]
        candidate = next((one.candidate for one in view.steps if one.fingerprint == step), "")
        choice = next((record_of(one, PlanChoice) for one in view.steps if one.stage == "plan" and one.candidate == candidate), None)
        split, _, unit = item.key.partition(":")
        row = unit.partition("/")[0]
        return (choice, split, int(row)) if choice and row.isdecimal() else None

    @work
    async def action_few_shot(self) -> None:
        """Start a run that has the accepted examples as its own."""
        view = self.here.reader.view(self.here.run_id)
        connection = self.here.reader.connection()
        if view is None or connection is None:
            return
        kept = [place for place in find_units(connection, list(self._reviews), "accepted") if self._accepted(place)]
        found = [(place, item) for place, item in zip(kept, read_units(connection, kept), strict=True) if item]
        chosen = few_shot([_as_example(item, self._review(place)) for place, item in found])
        new = [example for example in chosen if example not in view.run.task.examples]
        if not new:
            self.notify("accept some examples first (a): those go into the next run", markup=False)
            return
        shown = "\n".join(one_line(f"{example.input} → {example.output}", 70) for example in new)
        if not await self.app.push_screen_wait(Question(f"Start a run with {len(new)} more examples of its own?\n{shown}", "Start")):
            return
        task = msgspec.structs.replace(view.run.task, examples=(*view.run.task.examples, *new))
        made = self.here.write(lambda connection: create_run(connection, task, view.run.settings))
        if made and await self.asked(command("resume", made, "--detach")):
            self.here.open_run(made)

    def _accepted(self, place: Unit) -> bool:
        review = self._review(place)
        return review is not None and review.verdict == "accepted"

    def _put(self, **said: Any) -> None:
        row = self.query_one(LongList).cursor
        step, _, key = self._units[row]
        review = msgspec.structs.replace(self._review(self._units[row]) or Review(key), **said)
        self.here.write(lambda connection: put_reviews(connection, step, [review]))
        self._read_reviews(list(self._reviews))
        self.query_one(LongList).read_again()
        self._show_detail()
        self._tell(True, int(str(self._asked[1])))


def _as_example(item: Item, review: Review | None) -> TaskExample:
    example = msgspec.json.decode(item.result, type=Example)
    return TaskExample(example.input, review.output if review and review.output is not None else example.output)


def _rowless(item: Item | None) -> str:
    """Why there is no row to show."""
    if item and item.state == "accepted" and msgspec.json.decode(item.result, type=Example).source.synthetic:
        return "no row stands behind a synthetic example"
    return "the row of this unit is not known"
