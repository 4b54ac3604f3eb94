"""Catalog: search as you type among all data sets, with the card, the columns and the first rows of the one the cursor is on."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, VerticalScroll
from textual.widgets import Checkbox, DataTable, Input, Static

from datatune_tui.engine_process import Refused, command
from datatune_tui.marks import Mark, with_marks
from datatune_tui.modals.question import Question
from datatune_tui.panels.card import card_text, head_text
from datatune_tui.screens.place import Place
from datatune_tui.screens.run import BUSY
from datatune_tui.widgets.facet_bar import FacetBar
from datatune_tui.widgets.keyed_table import Cell, KeyedTable
from datatune_tui.widgets.states import state_text
from engine.plain_text import clean, one_line
from engine.store.runs import change_settings

HITS = 50
ASK = "Say what the data should be about: tweets with their tone, questions about a text …"


class CatalogScreen(Place):
    """The data sets this home knows."""

    MODE = "catalog"
    CSS_PATH = "catalog.tcss"
    HELP = """\
# Catalog

Type what the data should be about; results come as you type. **enter** or **escape** goes to the list, **/** back to the search.

- **n** narrows: language and licence as cards state them (en, mit), rows and downloads (5k, 1.5M); **here** to those whose rows are on
  this machine, **open** to those anybody may have
- **p** puts a data set first for your next task, **e** leaves it out, **u** or **enter** uses it and no other; the same key takes it
  back. Place 5, Task, writes them into the task file; **a** applies them to the run that is open
- **f** fetches the rows of a data set from the Hub, after saying how large it is: nothing else here uses the network
- **s** adds the small data sets that come with DataTune
"""
    BINDINGS = [
        Binding("slash", "search", "Search", id="catalog.search", tooltip="Go to the search"),
        Binding("n", "narrow", "Narrow", id="catalog.narrow", tooltip="By language, licence, rows, downloads"),
        Binding("p", "mark('preferred')", "Put first", id="catalog.prefer", tooltip="Try it before all others for your next task"),
        Binding("e", "mark('excluded')", "Leave out", id="catalog.exclude", tooltip="Never use it for your next task"),
        Binding("u", "mark('used')", "Use", id="catalog.use", tooltip="Use it for your next task instead of finding one"),
        Binding("a", "apply", "Apply to run", id="catalog.apply", tooltip="Give the marks to the run that is open"),
        Binding("f", "fetch", "Fetch", id="catalog.fetch", tooltip="Download the rows, after saying how large they are"),
        Binding("s", "starter", "Starter data", id="catalog.starter", tooltip="Add the data sets that come with DataTune"),
        Binding("escape", "back", "Back", show=False, id="catalog.back", tooltip="To the list"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]

    def content(self) -> ComposeResult:
        yield Input(placeholder="what the data should be about", id="search", compact=True)
        yield FacetBar(id="facets")
        yield Static("", id="told", markup=False)
        with Container(id="both"):
            yield KeyedTable((("SCORE", 6), ("ROWS", 4), ("MARK", 11), ("DATA SET", 30), ("WHY", None)), id="hits")
            with VerticalScroll(id="card"):
                yield Static("", id="card-text", markup=False)

    def on_mount(self) -> None:
        self._hits: dict[str, dict[str, Any]] = {}
        self._said = ASK
        """What is told beside marks and what the search is narrowed to."""
        self._cards = -1
        """In the catalog; -1 before it was asked."""
        self._shown: dict[str, Any] = {}
        self.query_one("#search", Input).focus()

    def look(self) -> None:
        """The catalog does not change by itself, marks may have been changed elsewhere."""
        self._show_hits()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.ready:
            return True
        hit = self._hits.get(self.query_one("#hits", KeyedTable).current)
        if action == "fetch":
            return (hit is not None and not hit["available"]) or None
        if action == "mark":
            return hit is not None or None
        if action == "apply":
            return bool(self.here.run_id and self.here.marks.all())
        return self._cards <= 0 if action == "starter" else True

    # ── searching ─────────────────────────────────────────────────────────────────────────────────────────

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _asked(self) -> None:
        if self.ready:
            self._search()

    @property
    def _question(self) -> dict[str, Any]:
        return {"search": self.query_one("#search", Input).value.strip(), "k": HITS, **self.query_one(FacetBar).facets}

    @work(group="search")
    async def _search(self) -> None:
        question = self._question
        wrong = self.query_one(FacetBar).wrong
        if wrong or not question["search"]:
            self._found({}, wrong or ASK)
            return
        self._tell("searching …" if self._cards >= 0 else "searching … the first time takes some seconds")
        try:
            answer = await self.here.catalog.ask("search", **question)
        except Refused as error:
            if question == self._question:
                self._found({}, one_line(f"{error.title}. {error.hint}", 300))
            return
        # What was typed since has a question of its own, and an answer to an older one would look like its.
        if answer is None or question != self._question:
            return
        hits, self._cards = answer["hits"], answer["cards"]
        if hits:
            said = f"{len(hits)} of {self._cards:,} cards"
        else:
            said = f"nothing found among {self._cards:,} cards" if self._cards else "the catalog is empty: s adds the starter data"
        said += "; their meaning is still being read, so what is new is found by words" if answer.get("reading") else ""
        self._found({hit["id"]: hit for hit in hits}, said)

    def _found(self, hits: dict[str, dict[str, Any]], said: str) -> None:
        self._hits = hits
        self._show_hits(keep=False)
        self._tell(said)
        self._show_card()

    def _show_hits(self, keep: bool = True) -> None:
        self.query_one("#hits", KeyedTable).show([(name, self._cells(hit)) for name, hit in self._hits.items()], keep=keep)
        self._tell(self._said)
        self.refresh_bindings()

    def _cells(self, hit: dict[str, Any]) -> tuple[Cell, ...]:
        copies = f"also {', '.join(hit['aliases'][:3])}; " if hit.get("aliases") else ""
        mark = self.here.marks.of(hit["id"])
        here = Text("here", "green") if hit["available"] else Text("-", "dim")
        return (f"{hit['score']:.3f}", here, state_text(mark) if mark else "", hit["id"], copies + "; ".join(hit["reasons"]))

    def _tell(self, said: str) -> None:
        self._said = said
        only, marks = self.query_one(FacetBar).told(), str(self.here.marks)
        told = "; ".join(filter(None, (said, f"only {only}" if only else "", f"next task: {marks}" if marks else "")))
        self.query_one("#told", Static).update(one_line(told, 400))

    # ── the data set under the cursor ─────────────────────────────────────────────────────────────────────

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._show_card()
        self.refresh_bindings()

    @work(group="card")
    async def _show_card(self) -> None:
        hits = self.query_one("#hits", KeyedTable)
        dataset = hits.current
        pane = self.query_one("#card-text", Static)
        if not dataset:
            pane.update("")
            return
        if self._shown.get("dataset") != dataset:
            hit = self._hits.get(dataset, {})
            pane.update(head_text(clean(hit.get("title", "")), clean(dataset), hit, *self._standing(dataset)).append("\nreading …", "dim"))
            try:
                answer = await self.here.catalog.ask("show", show=dataset)
            except Refused as error:
                if dataset == hits.current:
                    pane.update(Text(clean(f"{error.title}\n{error.hint}"), "dim"))
                return
            if answer is None or dataset != hits.current:
                return
            self._shown = answer["shown"]
            self.query_one("#card", VerticalScroll).scroll_home(animate=False)
        pane.update(card_text(self._shown, self._hits.get(dataset, {}), *self._standing(dataset)))

    def _standing(self, dataset: str) -> tuple[int, int, str]:
        """Its rank, of how many, and its mark."""
        names = list(self._hits)
        mark = self.here.marks.of(dataset)
        return (names.index(dataset) + 1 if dataset in names else 0, len(names), state_text(mark).plain if mark else "")

    # ── keys ──────────────────────────────────────────────────────────────────────────────────────────────

    def action_search(self) -> None:
        """Go to the search."""
        self.query_one("#search", Input).focus()

    def action_narrow(self) -> None:
        """Show the facets and go there; hide them where there is no room for both."""
        bar = self.query_one(FacetBar)
        bar.toggle_class("-open")
        if bar.has_class("-open") or self.has_class("-wide"):
            bar.query_one("#language", Input).focus()

    @on(Input.Submitted)
    def action_back(self) -> None:
        """Back to the list."""
        self.query_one("#hits", KeyedTable).focus()

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        self.action_mark("used")

    def action_mark(self, mark: Mark) -> None:
        """Say this of the data set for the next task, or take it back."""
        if dataset := self.query_one("#hits", KeyedTable).current:
            self.here.marks = self.here.marks.toggled(dataset, mark)
            self._show_hits()
            self._show_card()

    @work
    async def action_apply(self) -> None:
        """Give the marks to the run that is open, after saying what that makes stale."""
        view = self.here.reader.view(self.here.run_id)
        if view is None:
            return
        run = view.run
        settings = with_marks(run.settings, self.here.marks)
        if run.state in BUSY:
            self.notify(f"run {run.id} is at work; cancel it first (2, c)", severity="warning", markup=False)
        elif settings == run.settings:
            self.notify(f"run {run.id} has these marks already", markup=False)
        else:
            searched = "" if settings.dataset else "retrieve, rerank, "
            text = f"Give run {run.id} ({clean(run.task.name)}) the marks: {clean(str(self.here.marks))}?\n"
            text += f"{searched}schema, plan, execute, mix, export are done anew; {sum(view.counts.values()):,} rows were executed. "
            text += "Answers of models to prompts that stay the same are not asked again."
            if not await self.app.push_screen_wait(Question(text, "Do it")):
                return
            if self.here.write(lambda connection: change_settings(connection, run.id, settings)):
                await self.asked(command("resume", run.id, "--detach"))
                self.here.open_run(run.id)

    @work
    async def action_fetch(self) -> None:
        """Download the rows, after a question."""
        dataset = self.query_one("#hits", KeyedTable).current
        quoted = await self.asked(command("catalog", "quote", dataset))
        if not quoted:
            return
        size = f"{quoted['files']:,} files, {quoted['bytes'] / 1e6:,.1f} MB"
        if await self.app.push_screen_wait(Question(f"Fetch {clean(dataset)} from the Hub?\n{size}", "Fetch")):
            self.notify(f"fetching {dataset}", markup=False)
            if await self.asked(command("catalog", "fetch", dataset, "--yes")):
                self.notify(f"{dataset} is here", markup=False)
                self._shown = {}
                self._search()

    @work
    async def action_starter(self) -> None:
        """Add the starter data."""
        self.notify("cataloguing the starter data")
        if await self.asked(command("catalog", "add", "--starter")):
            self.notify("the starter data is catalogued")
            self._search()
