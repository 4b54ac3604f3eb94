"""The quality of a run's examples, source by source: figures, a map, lengths and what tells sources apart; measured by a process beside."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Footer, Static

from datatune_tui.engine_process import Doing, Refused, command, measurement
from datatune_tui.measured import Examples, Measured, changed, examples_of, read_answer
from datatune_tui.modals.file_path import FilePath
from datatune_tui.modals.line_input import LineInput
from datatune_tui.modals.question import Question
from datatune_tui.runs_read import View, ago
from datatune_tui.sheet import writable
from datatune_tui.widgets.copying import Copying
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.source_plots import Drawn, Histogram, Mark, draw_lengths, draw_map, marks_of
from engine.cli.progress import time_left
from engine.errors import EngineError
from engine.plain_text import clean, one_line
from engine.roles import absolute_spec

if TYPE_CHECKING:
    from datatune_tui.app import DataTune
    from engine.compare_data import DataComparison

LOOK_SECONDS = 1.0
REPORT_ENDINGS = (".html", ".htm")
NO_EXAMPLES = "No examples yet: wait until the run has made some; r measures them then."
FEW = "n: so many of each source, as many as the smallest has; without n: all that were drawn, or what the cell says. Intervals are 95 %."
ON_MAP = (
    "Near points are alike; sizes and distances of groups say nothing. Where sources lie together, the one with most points there is drawn."
)
NAMES, SOURCE, WIDEST = 29, 22, 44
"""Cells of a column of names at least, of one of a source at least and at most."""


class Quality(ModalScreen[None], Copying[None]):
    """What `datatune compare-data` says of one run."""

    CSS_PATH = "quality.tcss"
    BINDINGS = [
        Binding("escape,q", "dismiss", "Close", id="quality.close", tooltip="Back to the run; a measurement under way ends"),
        Binding("r", "measure", "Measure again", id="quality.measure", tooltip="Compare the examples there are now"),
        Binding("j", "judge", "Ask a judge", id="quality.judge", tooltip="Have a model say which outputs are right and how hard they are"),
        Binding("h", "report", "Report", id="quality.report", tooltip="Write everything about the run to an HTML file"),
        Binding("y", "copy_here", "Copy", id="quality.copy", tooltip="Copy the row the cursor is on, or the text"),
        Binding("w", "save_copy", "Save", id="quality.save", tooltip="Write the whole table or text to a file"),
    ]
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run
        self._doing: Doing | None = None
        self._begun = 0.0
        """When the measurement under way began; 0 while there is none."""
        self._wrong = ""

    def compose(self) -> ComposeResult:
        yield Static("", id="quality-head")
        yield Static("", id="quality-told", markup=False)
        with VerticalScroll(id="quality-parts", can_focus=False):
            yield _titled(Vertical(id="figures", classes="part"), "Figures")
            with _titled(VerticalScroll(id="map", classes="part"), "Map of the inputs"):
                yield Drawn("map-plot")
                yield Static("", id="map-legend", markup=False)
            with _titled(VerticalScroll(id="words", classes="part"), "What tells sources apart"):
                yield Static("", markup=False)
            with _titled(VerticalScroll(id="quality-lengths", classes="part"), "Lengths in words"):
                yield Drawn("lengths-plot")
        yield Footer()

    def on_mount(self) -> None:
        self.set_interval(LOOK_SECONDS, self._tell)
        if self._measured:
            self._show(self._measured)
        elif self._now() is not None:
            self.action_measure()
        self._tell()

    @property
    def here(self) -> DataTune:
        """The app."""
        return cast("DataTune", self.app)

    @property
    def _measured(self) -> Measured | None:
        return self.here.measured.get(self._run)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("measure", "judge"):
            return not self._begun or None
        return True

    # ── measuring ─────────────────────────────────────────────────────────────────────────────────────────

    def action_measure(self) -> None:
        """Compare the examples there are now, with the judge of before."""
        self._measure(self._measured.judge if self._measured else "")

    @work
    async def action_judge(self) -> None:
        """Measure with a model that does the task itself."""
        before = self._measured.judge if self._measured else ""
        asked = "Model that says which outputs are right: a GGUF file, its name, or openai:URL; empty asks none"
        spec = await self.app.push_screen_wait(LineInput(asked, before))
        if spec is not None:
            self._measure(absolute_spec(spec.strip(), Path.cwd()) if spec.strip() else "")

    @work(exclusive=True, group="measure")
    async def _measure(self, judge: str) -> None:
        """Start the process and wait for it; leaving this screen ends both."""
        now = self._now()
        if now is None:
            return
        self._wrong, self._doing, self._begun = "", None, time.monotonic()
        self._tell()
        try:
            answer = await measurement("compare-data", self._run, *(("--judge", judge) if judge else ()), tell=self._hear)
            self.here.measured[self._run] = await asyncio.to_thread(read_answer, answer, now, time.time(), judge)
        except Refused as error:
            self._wrong = one_line("; ".join(filter(None, (error.title, error.hint))), 400)
        else:
            self._show(self.here.measured[self._run])
        finally:
            self._begun = 0.0
        self._tell()

    def _hear(self, doing: Doing) -> None:
        self._doing = doing
        self._tell()

    def _now(self) -> Examples | None:
        """The examples the run has; None for none."""
        try:
            view = self._view()
            now = examples_of(view, self.here.reader.connection()) if view else None
        except EngineError as error:
            self._wrong = error.title
            return None
        return now if now and now.made else None

    def _view(self) -> View | None:
        return self.here.reader.view(self._run)

    # ── showing ───────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self) -> None:
        """Say how far it is, what is wrong, or how old what is shown is."""
        text, kind = self._told()
        told = self.query_one("#quality-told", Static)
        told.update(text)
        told.set_class(kind == "news", "-news")
        told.set_class(kind == "wrong", "-wrong")
        head = Text("Quality ", style="bold")
        head.append(self._run, "not bold")
        if measured := self._measured:
            found = measured.found
            sources = f"{len(found.sources)} source{'' if len(found.sources) == 1 else 's'}"
            head.append(f"  {one_line(found.task, 40)}  {sources}, compared at {found.equal_examples:,} examples each", "not bold")
        self.query_one("#quality-head", Static).update(head)
        self.refresh_bindings()

    def _told(self) -> tuple[str, str]:
        if self._begun:
            passed = time_left(time.monotonic() - self._begun)
            return f"{self._doing or 'starting …'}  ({passed} so far; esc ends it)", ""
        if self._wrong:
            return self._wrong, "wrong"
        now = self._now()
        if self._measured is None:
            if self._wrong:
                return self._wrong, "wrong"
            return (f"{now.made:,} examples; r measures them" if now else NO_EXAMPLES), "news"
        news = changed(self._measured.of, now) if now else "the run was changed since"
        measured = f"measured {ago(self._measured.at)}".replace("now", "just now")
        return (
            (f"{measured}; {news}, r measures again", "news")
            if news
            else (f"{measured}; tab goes from part to part, → shows more columns", "")
        )

    def _show(self, measured: Measured) -> None:
        from engine.comparison_table import comparison_sentences

        found = measured.found
        self.query_one("#quality-parts").add_class("-shown")
        marks = marks_of([one.name for one in found.sources])
        self._show_figures(found, marks)
        self._show_map(found, marks)
        sentences = [sentence for sentence in comparison_sentences(found) if not sentence.startswith("¹")]
        alone = ["There is one source, so nothing to tell it from."] if len(found.sources) == 1 else []
        by = [f"embedded by {found.embedder}"] if found.embedder else []
        words = [*alone, *sentences, *measured.notes, *by, FEW]
        self.query_one("#words Static", Static).update("\n".join(f"· {clean(one)}" for one in words))
        self.query_one("#lengths-plot", Drawn).show(partial(_lengths, found, marks))

    def _show_figures(self, found: DataComparison, marks: dict[str, Mark]) -> None:
        rows = figure_rows(found)
        titles = ("FIGURE", *(f"{mark.sign} {mark.name}" for mark in marks.values()), "N")
        wanted = [max(cell_len(row[place]) for row in rows) for place in range(len(titles))]
        # Two sources are side by side in 80 columns.
        least, most = (
            (NAMES, *[SOURCE] * len(marks), 1),
            (7 * self.size.width // 30 if self.size.width >= 110 else NAMES, *[WIDEST] * len(marks), 20),
        )
        columns = [(title, min(top, max(low, want))) for title, low, want, top in zip(titles, least, wanted, most, strict=True)]
        table = KeyedTable(columns, fixed_columns=1)
        figures = self.query_one("#figures", Vertical)
        figures.remove_children()
        figures.mount(table)
        shown = [(row[0], [Text(cell, no_wrap=True, overflow="ellipsis", end="") for cell in row]) for row in rows]
        begins = self.focused is None or figures in self.focused.ancestors
        self.call_after_refresh(self._fill, table, shown, begins)

    def _fill(self, table: KeyedTable, rows: Sequence[tuple[str, Sequence[Text]]], begins: bool) -> None:
        """Fill the table, which is laid out by now; whoever was not in another part already begins here."""
        table.show(rows)
        if begins:
            table.focus(scroll_visible=False)
            self.query_one("#quality-parts").scroll_home(animate=False)

    def _show_map(self, found: DataComparison, marks: dict[str, Mark]) -> None:
        legend = Text()
        placed = found.map
        if placed is None:
            self.query_one("#map-plot", Drawn).show(lambda width, height: Text())
            why = "too few examples, or all alike" if found.embedder else "there are no embeddings, and the notes say why"
            self.query_one("#map-legend", Static).update(Text(f"No map: {why}.", style="dim"))
            return
        self.query_one("#map-plot", Drawn).show(partial(draw_map, placed.sources, placed.map.x, placed.map.y, marks))
        for name, mark in marks.items():
            legend.append("   " if legend else "").append_text(mark.titled(f", {placed.sources.count(name):,}"))
        legend.append(f"\nt-SNE of embeddings, template left out. {ON_MAP}", "dim")
        self.query_one("#map-legend", Static).update(legend)

    # ── the report ────────────────────────────────────────────────────────────────────────────────────────

    @work
    async def action_report(self) -> None:
        """Ask for a file and have the report written to it."""
        view = self._view()
        if view is None:
            return
        name = re.sub(r"[^\w-]+", "-", f"{view.run.task.name}-{self._run}")
        wanted = str(self.here.reader.locations.exports / f"{name}.html")
        path = await self.app.push_screen_wait(FilePath("Write the report", wanted, partial(writable, endings=REPORT_ENDINGS)))
        if path is None:
            return
        if path.exists() and not await self.app.push_screen_wait(Question(f"{path} is there already. Replace it?", "Replace")):
            return
        # The app's own: it goes on when this screen is left.
        self.app.run_worker(_reported(self.here, self._run, path), group="reporting")


def figure_rows(found: DataComparison) -> list[tuple[str, ...]]:
    """A row for each figure: its name, what it is for each source, and of how many examples or tokens of each."""
    from engine.comparison_table import comparison_rows

    of = {"¹": f"{found.equal_examples:,} each", "²": f"{found.equal_tokens:,} tokens"}
    return [tuple(map(clean, (name.rstrip(" ¹²"), *cells, of.get(name[-1], "")))) for name, *cells in comparison_rows(found)]


def _lengths(found: DataComparison, marks: dict[str, Mark], width: int, height: int) -> Text:
    inputs = [Histogram(marks[one.name], one.input_lengths.histogram) for one in found.sources]
    outputs = [Histogram(marks[one.name], one.output_lengths.histogram) for one in found.sources]
    return Text("\n\n").join((draw_lengths("Inputs", inputs, width), draw_lengths("Outputs", outputs, width)))


async def _reported(app: DataTune, run: str, path: Path) -> None:
    """Write the report and say where it is, or in one line why it is not."""
    app.notify("writing the report …", markup=False)
    try:
        await command("report", run, "--to", str(path))
    except Refused as error:
        app.notify(clean("; ".join(filter(None, (error.title, error.hint)))), severity="error", markup=False)
        return
    app.notify(f"report: {path}", markup=False)


def _titled(part: Widget, title: str) -> Widget:
    part.border_title = title
    return part
