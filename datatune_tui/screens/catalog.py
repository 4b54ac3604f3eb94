"""Catalog: search as you type among all data sets, with the card, the columns and the first rows of the one the cursor is on."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Checkbox, DataTable, Input, Static

from datatune_tui.engine_process import Refused, command
from datatune_tui.modals.question import Question
from datatune_tui.screens.place import Place
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.plain_text import clean, one_line

HITS = 50
CELL = 200


class CatalogScreen(Place):
    """The data sets this home knows."""

    MODE = "catalog"
    CSS_PATH = "catalog.tcss"
    HELP = """\
# Catalog

Type what the data should be about; results come as you type. **enter** or **escape** goes to the list, **/** back to the search.

- language and licence narrow to those that state it (en, mit); **here** to those whose rows are on this machine
- **f** fetches the rows of a data set from the Hub, after saying how large it is: nothing else here uses the network
- **s** adds the small data sets that come with DataTune
"""
    BINDINGS = [
        Binding("slash", "search", "Search", id="catalog.search", tooltip="Go to the search"),
        Binding("f", "fetch", "Fetch", id="catalog.fetch", tooltip="Download the rows, after saying how large they are"),
        Binding("s", "starter", "Starter data", id="catalog.starter", tooltip="Add the data sets that come with DataTune"),
        Binding("escape", "back", "Back", show=False, id="catalog.back", tooltip="From the search to the list"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]

    def content(self) -> ComposeResult:
        with Horizontal(id="bar"):
            yield Input(placeholder="what the data should be about", id="search", compact=True)
            yield Input(placeholder="language", id="language", compact=True)
            yield Input(placeholder="licence", id="licence", compact=True)
            yield Checkbox("here", id="here", compact=True)
        yield Static("", id="told", markup=False)
        with Container(id="both"):
            yield KeyedTable((("SCORE", 6), ("ROWS", 5), ("DATA SET", 34), ("WHY", None)), id="hits")
            with VerticalScroll(id="card"):
                yield Static("", id="card-text")

    def on_mount(self) -> None:
        self._hits: dict[str, dict[str, Any]] = {}
        self._shown: dict[str, Any] = {}
        self.query_one("#search", Input).focus()

    def look(self) -> None:
        """Say what to do where nothing was asked yet; the catalog does not change by itself."""
        if not self._hits and not self.query_one("#search", Input).value:
            self.query_one("#told", Static).update("Say what the data should be about: tweets with their tone, questions about a text …")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "fetch" and self.ready:
            hit = self._hits.get(self.query_one("#hits", KeyedTable).current)
            return (hit is not None and not hit["available"]) or None
        return True

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _asked(self) -> None:
        if self.ready:
            self._search()

    @work(group="search")
    async def _search(self) -> None:
        text = self.query_one("#search", Input).value.strip()
        told = self.query_one("#told", Static)
        if not text:
            self._hits = {}
            self.query_one("#hits", KeyedTable).show([])
            self.look()
            return
        told.update("searching …")
        try:
            answer = await self.here.catalog.ask(
                "search",
                search=text,
                k=HITS,
                language=self.query_one("#language", Input).value.strip(),
                licence=self.query_one("#licence", Input).value.strip(),
                here=self.query_one("#here", Checkbox).value,
            )
        except Refused as error:
            told.update(one_line(f"{error.title}. {error.hint}", 300))
            return
        if answer is None:
            return
        hits = answer["hits"]
        self._hits = {hit["id"]: hit for hit in hits}
        empty = "the catalog is empty: s adds the starter data" if not answer["cards"] else "nothing found among"
        told.update(f"{len(hits)} of {answer['cards']:,} cards" if hits else f"{empty} {answer['cards']:,} cards".removesuffix(" 0 cards"))
        self.query_one("#hits", KeyedTable).show(
            [
                (hit["id"], (f"{hit['score']:.3f}", Text("here", "green") if hit["available"] else Text("-", "dim"), hit["id"], _why(hit)))
                for hit in hits
            ],
            keep=False,
        )
        self._show_card()

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._show_card()
        self.refresh_bindings()

    @work(group="card")
    async def _show_card(self) -> None:
        dataset = self.query_one("#hits", KeyedTable).current
        text = Text()
        if dataset and self._shown.get("dataset") != dataset:
            try:
                answer = await self.here.catalog.ask("show", show=dataset)
            except Refused as error:
                self.query_one("#card-text", Static).update(Text(clean(f"{error.title}\n{error.hint}"), "dim"))
                return
            if answer is None:
                return
            self._shown = answer["shown"]
        if dataset and self._shown:
            text = card_text(self._shown, self._hits.get(dataset, {}))
        self.query_one("#card-text", Static).update(text)
        self.query_one("#card", VerticalScroll).scroll_home(animate=False)

    def action_search(self) -> None:
        """Go to the search."""
        self.query_one("#search", Input).focus()

    @on(Input.Submitted)
    def action_back(self) -> None:
        """Back from the search to the list."""
        self.query_one("#hits", KeyedTable).focus()

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


def _why(hit: dict[str, Any]) -> str:
    copies = f"also {', '.join(hit['aliases'][:3])}; " if hit.get("aliases") else ""
    return copies + "; ".join(hit["reasons"])


def card_text(shown: dict[str, Any], hit: dict[str, Any]) -> Text:
    """A data set on a page: why it was found, its facts, columns, first rows, and the card as it is written."""
    text = Text(f"{clean(shown['title'])}\n", style="bold")
    text.append(f"{clean(shown['dataset'])}\n", "not bold dim")
    for reason in hit.get("reasons", ()):
        text.append(f"· {clean(reason)}\n", "not bold green")
    facts = [f"licence {clean(shown['licence']) or 'not stated'}", f"languages {clean(', '.join(shown['languages'][:12])) or 'not stated'}"]
    facts += [f"{shown['downloads']:,} downloads"] if shown["downloads"] else []
    facts += ["its owner decides who gets it"] if shown["gated"] else []
    text.append(f"{'; '.join(facts)}\n", "not bold")
    if shown.get("missing"):
        text.append(f"{clean(shown['missing'])}\n", "not bold yellow")
    for config, splits in list(shown["splits"].items())[:20]:
        text.append(f"config {clean(config)}: {clean(', '.join(splits))}\n", "not bold dim")
    if shown["columns"]:
        text.append("\nColumns\n", "bold")
        for name, described in list(shown["columns"].items())[:40]:
            text.append(f"  {clean(name)}", "not bold cyan")
            text.append(f"  {one_line(described, CELL)}\n", "not bold dim")
    for number, row in enumerate(shown["rows"]):
        text.append(f"\nRow {number}\n", "bold")
        for name, value in row.items():
            text.append(f"  {clean(name)}: ", "not bold cyan")
            text.append(f"{one_line(value, CELL)}\n", "not bold")
    text.append("\nCard\n", "bold")
    text.append(clean(shown["card"]), "not bold")
    return text
