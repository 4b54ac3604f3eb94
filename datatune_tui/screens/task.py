"""Task: what the user wants, field by field, checked while they write; saved as the file the command line takes, and run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Label, Select, Static, TextArea

from datatune_tui.engine_process import command
from datatune_tui.marks import Marks
from datatune_tui.modals.example_input import ExampleInput
from datatune_tui.modals.examples_pasted import ExamplesPasted
from datatune_tui.modals.file_path import FilePath
from datatune_tui.modals.question import Question
from datatune_tui.screens.place import Place
from datatune_tui.task_form import FIELDS, Form, expanded, form_of, save, split_labels
from datatune_tui.what_happens import told, told_comparison
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.states import state_text
from engine.answer_file import AnswerFile, look_at
from engine.config import read_task
from engine.errors import BadInput
from engine.metrics import METRICS
from engine.plain_text import clean, one_line
from engine.records import TaskExample
from engine.settings import examine
from engine.task_examples import examples_in

KINDS = (
    ("free text", "text"),
    ("one of some labels", "label"),
    ("the text of an option in the input", "option_text"),
    ("the letter of an option in the input", "option_letter"),
)
JUDGED = (("not said", ""), *((f"{name}: {what}", name) for name, what in METRICS.items()))
NONE_MARKED = "none is marked: in 4, Catalog, u uses one, p puts one first, e leaves one out"


class TaskScreen(Place):
    """A form for a task file."""

    MODE = "task"
    CSS_PATH = "task.tcss"
    HELP = """\
# Task

Say what goes in and what comes out, in two or three sentences. Three examples of your own help more than anything else.

- **ctrl+n** adds an example, **ctrl+t** several that are pasted: `input → output` with an empty line between, two columns of a
  spreadsheet, or JSON lines; **ctrl+l** loads them from a CSV, TSV, JSONL or xlsx file
- **enter** in the list changes one, **delete** takes it out, **shift+up** and **shift+down** move it
- **ctrl+o** opens a task file, **ctrl+s** saves it, **ctrl+r** saves it and says what a run will do before it starts; **f2** begins anew
- **f3** saves it and compares ways to a model on its test: prompted, and trained on each kind of data
- **delete** in the list of data sets takes a mark back

What the form does not show stays in the file as it was, comments too.
"""
    BINDINGS = [
        Binding("ctrl+s", "save", "Save", id="task.save", priority=True, tooltip="Write the task file"),
        Binding("ctrl+r", "run", "Run", id="task.run", priority=True, tooltip="Save, and make a training set"),
        Binding("ctrl+n", "add", "Add", id="task.add", priority=True, tooltip="Add an example"),
        Binding("ctrl+t", "paste", "Paste several", id="task.paste", priority=True, tooltip="Add examples that are pasted"),
        Binding("ctrl+l", "load", "Load", id="task.load", priority=True, tooltip="Add examples from a CSV, TSV, JSONL or xlsx file"),
        Binding("ctrl+o", "open", "Open", id="task.open", priority=True, tooltip="A task file"),
        Binding("f3", "compare", "Compare", id="task.compare", show=False, tooltip="Save, and compare ways to a model for this task"),
        Binding("f2", "new", "New", id="task.new", show=False, tooltip="Begin another task"),
        Binding("delete", "remove", "Take out", id="task.remove", show=False, tooltip="The example or the mark under the cursor"),
        Binding("K,shift+up", "move(-1)", "Move up", id="task.up", show=False, tooltip="The example under the cursor"),
        Binding("J,shift+down", "move(1)", "Move down", id="task.down", show=False, tooltip="The example under the cursor"),
        Binding("escape", "leave_field", "To the list", id="task.leave", show=False, tooltip="Out of the field, so that keys go elsewhere"),
    ]

    def content(self) -> ComposeResult:
        yield Static("", id="file", markup=False)
        with VerticalScroll(id="form", can_focus=False):
            yield from _field("Name", Input(id="name", placeholder="support-mails", compact=True))
            yield from _field("Description", TextArea("", id="description", tab_behavior="focus"))
            yield from _field("Language", Input("en", id="language", compact=True))
            yield from _field("Output", Select(KINDS, value="text", allow_blank=False, id="kind", compact=True), wrong="")
            yield from _field("Labels", Input(id="labels", placeholder="refund, delivery, other", compact=True))
            yield from _field("Examples", KeyedTable((("OUTPUT", 18), ("INPUT", None)), id="examples"))
            yield from _field("Judged by", Select(JUDGED, value="", allow_blank=False, id="metric", compact=True))
            placeholder = "your own, never used for making examples; may stay empty"
            yield from _field("Test file", Input(id="test", placeholder=placeholder, compact=True))
            yield Static("", id="test-told", classes="told", markup=False)
            with Horizontal(classes="field"):
                yield Label("Data sets")
                with Vertical(id="marked"):
                    yield KeyedTable((("MARK", 11), ("DATA SET", None)), id="marks", show_header=False)
                    yield Static(NONE_MARKED, id="marks-told", classes="told", markup=False)
            yield Static("", id="wrong-marks", classes="wrong", markup=False)

    def on_mount(self) -> None:
        self._examples: tuple[TaskExample, ...] = ()
        self._rest: dict[str, object] = {}
        self._file: Path | None = None
        self._source = ""
        """Text of the file as it was opened or saved last."""
        self._kept = Form().document
        """What was opened or saved last."""
        self._written: set[str] = set()
        """Fields somebody wrote in: what is wrong with the others is said once the task is to be used."""
        self._answers: AnswerFile | None = None
        self.query_one("#name", Input).focus()

    def look(self) -> None:
        """Show the marks, which other places make; nothing else here changes by itself."""
        marks = self.here.marks.all()
        table = self.query_one("#marks", KeyedTable)
        table.display = bool(marks)
        table.show([(dataset, (state_text(mark), dataset)) for mark, dataset in marks])
        self.query_one("#marks-told", Static).update(_marks_told(self.here.marks))
        self._check()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("remove", "move") and self.ready:
            focused = self.focused
            return isinstance(focused, KeyedTable) and bool(focused.current) and (action == "remove" or focused.id == "examples")
        return True

    @property
    def form(self) -> Form:
        """What stands in the fields."""
        return Form(
            name=self.query_one("#name", Input).value,
            description=self.query_one("#description", TextArea).text,
            language=self.query_one("#language", Input).value,
            kind=str(self.query_one("#kind", Select).value),
            labels=self.query_one("#labels", Input).value,
            examples=self._examples,
            metric=str(self.query_one("#metric", Select).value),
            test=self.query_one("#test", Input).value,
            marks=self.here.marks,
            rest=self._rest,
            source=self._source,
        )

    @property
    def file(self) -> Path:
        """Where the task is saved: where it was opened, else under its name in this home."""
        if self._file:
            return self._file
        stem = re.sub(r"[^\w-]+", "-", self.query_one("#name", Input).value.strip().lower()).strip("-")[:80] or "task"
        return self.here.reader.locations.home / "tasks" / f"{stem}.toml"

    # ── checking ──────────────────────────────────────────────────────────────────────────────────────────

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    def _changed(self, event: Input.Changed | TextArea.Changed | Select.Changed) -> None:
        if not self.ready:
            return
        name = event.control.id or ""
        usual = {"language": "en", "kind": "text"}.get(name, "")
        if (event.control.text if isinstance(event.control, TextArea) else event.control.value) != usual:
            self._written.add("labels" if name == "kind" else name)
        if name == "test":
            self._look_at_test()
        self._check()

    def _check(self) -> dict[str, str]:
        """Say what is wrong beside the field it is in; all that is wrong."""
        form = self.form
        problems = form.problems(self.file.parent)
        for name in FIELDS:
            said = problems.get(name, "") if name in self._written else ""
            wrong = self.query_one(f"#wrong-{name}", Static)
            wrong.update(one_line(said, 300))
            wrong.set_class(bool(said), "-shown")
        self.here.unsaved = form.document != self._kept
        state = "changed" if self.here.unsaved else "saved" if self._file else "new"
        home = self.here.reader.locations.home
        where = self.file.relative_to(home) if self.file.is_relative_to(home) else self.file
        self.query_one("#file", Static).update(one_line(f"{state}: {where}", 300))
        self._tell_test(problems)
        return problems

    @work(group="test", exclusive=True)
    async def _look_at_test(self) -> None:
        """Say what the test file holds; reading its start takes up to half a second, so keys go on meanwhile."""
        self._answers = None
        text = self.query_one("#test", Input).value.strip()
        path = self.file.parent / expanded(text)
        said = self.query_one("#test-told", Static)
        said.update("")
        if not text or not path.is_file():
            return
        said.update("looking …")
        try:
            self._answers = await asyncio.to_thread(look_at, path)
        except BadInput as error:
            said.update(one_line(f"{error.title}; {error.hint}", 300))
            return
        self._tell_test({})

    def _tell_test(self, problems: dict[str, str]) -> None:
        if self._answers and "test" not in problems:
            form = self.form
            labels = tuple(split_labels(form.labels)) if form.kind == "label" else ()
            self.query_one("#test-told", Static).update(one_line(self._answers.told(labels), 300))

    # ── examples and marks ────────────────────────────────────────────────────────────────────────────────

    def _show_examples(self, examples: tuple[TaskExample, ...], at: int | None = None) -> None:
        self._examples = examples
        table = self.query_one("#examples", KeyedTable)
        table.show([(str(place), (one.output, one.input)) for place, one in enumerate(examples)])
        if at is not None:
            table.move_cursor(row=at)
        self._written.add("examples")
        self._check()

    @work
    async def action_add(self) -> None:
        """Add one example."""
        if found := await self.app.push_screen_wait(ExampleInput(None, self._labels)):
            self._show_examples((*self._examples, found), len(self._examples))

    @work
    async def action_paste(self) -> None:
        """Add several that are pasted."""
        if found := await self.app.push_screen_wait(ExamplesPasted()):
            self._show_examples((*self._examples, *found))

    @work
    async def action_load(self) -> None:
        """Add examples from a file."""
        path = await self.app.push_screen_wait(FilePath("Load examples: CSV, TSV, JSONL or xlsx", f"{Path.home()}/", _examples_told))
        if path:
            try:
                self._show_examples((*self._examples, *examples_in(path)))
            except BadInput as error:  # it was there a moment ago
                self.stop(error)

    @on(KeyedTable.RowSelected, "#examples")
    @work
    async def _edit(self) -> None:
        """Change the example under the cursor."""
        place = int(self.query_one("#examples", KeyedTable).current)
        if found := await self.app.push_screen_wait(ExampleInput(self._examples[place], self._labels)):
            self._show_examples((*self._examples[:place], found, *self._examples[place + 1 :]))

    @property
    def _labels(self) -> tuple[str, ...]:
        form = self.form
        return tuple(split_labels(form.labels)) if form.kind == "label" else ()

    def action_remove(self) -> None:
        """Take out the example, or take back the mark, under the cursor."""
        table = self.focused
        if not isinstance(table, KeyedTable) or not table.current:
            return
        if table.id == "marks":
            self.here.marks = self.here.marks.without(table.current)
            self.look()
            if not table.display:
                self.action_leave_field()
        else:
            place = int(table.current)
            self._show_examples((*self._examples[:place], *self._examples[place + 1 :]))

    def action_move(self, by: int) -> None:
        """Move the example under the cursor."""
        place = int(self.query_one("#examples", KeyedTable).current)
        if 0 <= place + by < len(self._examples):
            moved = list(self._examples)
            moved.insert(place + by, moved.pop(place))
            self._show_examples(tuple(moved), place + by)

    # ── files ─────────────────────────────────────────────────────────────────────────────────────────────

    @work
    async def action_open(self) -> None:
        """Show a task file in the form."""
        folder = self.here.reader.locations.home / "tasks"
        path = await self.app.push_screen_wait(FilePath("Open a task file", f"{folder}/", _task_told))
        if path and await self._may_forget():
            self.show_file(path)

    @work
    async def action_new(self) -> None:
        """Begin another task."""
        if await self._may_forget():
            self._fill(Form(), None)
            self.query_one("#name", Input).focus()

    async def _may_forget(self) -> bool:
        """Whether what was changed and not saved may go."""
        if self.form.document == self._kept:
            return True
        return await self.app.push_screen_wait(Question("What you changed in this task is not saved. Forget it?", "Forget it"))

    def show_file(self, path: Path) -> None:
        """Fill the form from a file."""
        try:
            form = form_of(path)
        except BadInput as error:
            self.stop(error)
            return
        self._fill(form, path)

    def _fill(self, form: Form, path: Path | None) -> None:
        self._file, self._rest, self._source, self._kept = path, dict(form.rest), form.source, form.document
        self.here.marks = form.marks
        for name in ("name", "language", "labels", "test"):
            self.query_one(f"#{name}", Input).value = getattr(form, name)
        self.query_one("#description", TextArea).text = form.description
        self.query_one("#kind", Select).value = form.kind
        self.query_one("#metric", Select).value = form.metric
        self._show_examples(form.examples)
        self._written = set(FIELDS) if path else set()
        self.look()

    @work
    async def action_save(self) -> None:
        """Write the task file."""
        if await self._save():
            self.notify(f"saved: {self.file}", markup=False)

    async def _save(self) -> bool:
        """Write the task file, over another only after a question; whether it is written."""
        self._written = set(FIELDS)
        if problems := self._check():
            first = next(name for name in FIELDS if name in problems)
            self.query_one(f"#{first}").focus()
            self.notify(f"not saved: see {', '.join(name for name in FIELDS if name in problems)}", severity="warning", markup=False)
            return False
        file = self.file
        try:
            before = file.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff") if file.exists() else None
            if before is not None and (file != self._file or before != self._source):
                why = "was changed elsewhere since it was opened here" if file == self._file else "is there already, with another task"
                if not await self.app.push_screen_wait(Question(f"{clean(str(file))} {why}. Replace it?", "Replace")):
                    return False
            self._source = save(self.form, file)
        except (BadInput, OSError) as error:
            self.stop(error if isinstance(error, BadInput) else BadInput(f"{file}: cannot be read: {error}", "check its permissions"))
            return False
        self._file, self._kept = file, self.form.document
        self._check()
        return True

    @work
    async def action_run(self) -> None:
        """Save the task, say what a run will do, and start it."""
        if not await self._save():
            return
        models = await self.asked(command("models", "list"))
        await self._start("run", told(self.form, self._roles(), models or []))

    @work
    async def action_compare(self) -> None:
        """Save the task, say what will be compared, and start it."""
        if not self.query_one("#test", Input).value.strip():
            self.query_one("#test", Input).focus()
            self.notify("a comparison needs a test: name its file here", severity="warning", markup=False)
        elif await self._save():
            yours = examine(self.here.reader.locations.settings).settings.options.get("compare", {})
            await self._start("compare", told_comparison(self.form, self._roles(), yours))

    async def _start(self, what: str, happens: str) -> None:
        """Start it where that is wanted after all that will happen."""
        title = what.capitalize()
        if await self.app.push_screen_wait(Question(f"{title} {one_line(self.form.name, 40)}?\n\n{happens}", title)):
            started = await self.asked(command(what, str(self.file), "--detach"))
            if started:
                self.here.open_run(str(started["run"]))

    def _roles(self) -> dict[str, str]:
        """Which model does what, after the settings and the task file."""
        kept = examine(self.here.reader.locations.settings).settings.models
        return kept | {str(role): str(spec) for role, spec in dict(self.form.rest.get("models", {})).items()}

    def action_leave_field(self) -> None:
        """Leave the field, so that the keys of places work again."""
        self.query_one("#examples", KeyedTable).focus()


def _field(title: str, widget: Widget, wrong: str | None = None) -> Iterator[Widget]:
    """A line with a title; below it, what is wrong with it, unless `wrong` is ""."""
    yield Horizontal(Label(title), widget, classes="field")
    if wrong is None:
        yield Static("", id=f"wrong-{widget.id}", classes="wrong", markup=False)


def _marks_told(marks: Marks) -> str:
    if marks.dataset:
        return "it is used; none is looked for" + (", so the others do not matter" if marks.prefer or marks.exclude else "")
    return "" if marks.all() else NONE_MARKED


def _examples_told(path: Path) -> str:
    found = examples_in(path)
    return f"{len(found)} examples; the first: {one_line(found[0].input, 60)} → {one_line(found[0].output, 40)}"


def _task_told(path: Path) -> str:
    if path.is_dir():
        raise BadInput("that is a folder; name a file in it")
    return one_line(f"{read_task(path).task.name}: {read_task(path).task.description}", 200)
