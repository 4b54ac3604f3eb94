"""Task: what the user wants, field by field, checked while they write; saved as the file the command line takes, and run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Label, Select, Static, TextArea

from datatune_tui.engine_process import command
from datatune_tui.modals.line_input import LineInput
from datatune_tui.screens.place import Place
from datatune_tui.task_form import FIELDS, Form, examples_in, form_of, pasted
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.errors import BadInput
from engine.records import TaskExample

KINDS = (
    ("free text", "text"),
    ("one of some labels", "label"),
    ("the text of an option in the input", "option_text"),
    ("the letter of an option in the input", "option_letter"),
)


class TaskScreen(Place):
    """A form for a task file."""

    MODE = "task"
    CSS_PATH = "task.tcss"
    HELP = """\
# Task

Say what goes in and what comes out, in two or three sentences. Three examples of your own help more than anything else.

- **ctrl+n** adds examples: several at once, as `input → output` with an empty line between; **ctrl+l** loads them from a file
- **ctrl+o** opens a task file, **ctrl+s** saves it, **ctrl+r** saves and runs it
- **delete** in the list of examples takes one out, **enter** changes it
"""
    BINDINGS = [
        Binding("ctrl+s", "save", "Save", id="task.save", priority=True, tooltip="Write the task file"),
        Binding("ctrl+r", "run", "Run", id="task.run", priority=True, tooltip="Save, and make a training set"),
        Binding("ctrl+n", "add", "Add examples", id="task.add", priority=True, tooltip="Write one or paste several"),
        Binding("ctrl+l", "load", "Load examples", id="task.load", priority=True, tooltip="From a JSONL, CSV or TSV file"),
        Binding("ctrl+o", "open", "Open", id="task.open", priority=True, tooltip="A task file"),
        Binding("escape", "leave_field", "To the list", show=False, id="task.leave", tooltip="Leave the field"),
    ]

    def content(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False):
            with Horizontal(classes="field"):
                yield Label("Name")
                yield Input(id="name", placeholder="support-mails", compact=True)
            yield Static("", id="wrong-name", classes="wrong", markup=False)
            with Horizontal(classes="field"):
                yield Label("Description")
                yield TextArea("", id="description", tab_behavior="focus")
            yield Static("", id="wrong-description", classes="wrong", markup=False)
            with Horizontal(classes="field"):
                yield Label("Language")
                yield Input("en", id="language", compact=True)
            yield Static("", id="wrong-language", classes="wrong", markup=False)
            with Horizontal(classes="field"):
                yield Label("Output")
                yield Select(KINDS, value="text", allow_blank=False, id="kind", compact=True)
            with Horizontal(classes="field"):
                yield Label("Labels")
                yield Input(id="labels", placeholder="refund, delivery, other", compact=True)
            yield Static("", id="wrong-labels", classes="wrong", markup=False)
            with Horizontal(classes="field"):
                yield Label("Examples")
                yield KeyedTable((("OUTPUT", 18), ("INPUT", None)), id="examples")
            yield Static("", id="wrong-examples", classes="wrong", markup=False)
            with Horizontal(classes="field"):
                yield Label("Test file")
                yield Input(id="test", placeholder="never used for making examples; may stay empty", compact=True)
            yield Static("", id="wrong-test", classes="wrong", markup=False)

    def on_mount(self) -> None:
        self._examples: tuple[TaskExample, ...] = ()
        self._rest: dict[str, object] = {}
        self._file: Path | None = None
        self._touched = False
        self.query_one("#name", Input).focus()

    def look(self) -> None:
        """Nothing here changes by itself."""

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
            test=self.query_one("#test", Input).value,
            rest=self._rest,
        )

    @property
    def file(self) -> Path:
        """Where the task is saved: where it was opened, else under its name in this home."""
        if self._file:
            return self._file
        stem = re.sub(r"[^\w-]+", "-", self.form.name.strip().lower()).strip("-") or "task"
        return self.here.reader.locations.home / "tasks" / f"{stem}.toml"

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        if self.ready:
            self._touched = self._touched or self.form != Form()
            self._check()

    def _check(self) -> bool:
        """Say what is wrong beside the field it is in; whether nothing is."""
        field, told = self.form.problem(self.file.parent) if self._touched else ("", "")
        for name in FIELDS:
            wrong = self.query_one(f"#wrong-{name}", Static)
            wrong.update(told if name == field else "")
            wrong.set_class(name == field, "-shown")
        return not field

    def _show_examples(self, examples: tuple[TaskExample, ...]) -> None:
        self._examples = examples
        self.query_one("#examples", KeyedTable).show([(str(place), (one.output, one.input)) for place, one in enumerate(examples)])
        self._touched = True
        self._check()

    @work
    async def action_add(self) -> None:
        """Add one example or several."""
        if found := await self._asked_for("Examples: input → output, an empty line between", "", pasted):
            self._show_examples((*self._examples, *found))

    @work
    async def action_load(self) -> None:
        """Add examples from a file."""
        read = await self._asked_for("File with input and output: JSONL, CSV or TSV", "", lambda path: examples_in(Path(path).expanduser()))
        if read:
            self._show_examples((*self._examples, *read))

    @on(KeyedTable.RowSelected)
    @work
    async def _edit(self) -> None:
        """Change the example under the cursor."""
        place = int(self.query_one("#examples", KeyedTable).current)
        one = self._examples[place]
        if found := await self._asked_for("The example: input → output", f"{one.input} → {one.output}", pasted):
            self._show_examples((*self._examples[:place], *found, *self._examples[place + 1 :]))

    async def _asked_for(self, title: str, before: str, read: Callable[[str], tuple[TaskExample, ...]]) -> tuple[TaskExample, ...]:
        """The examples in what the person writes; none where they leave it, or where it is wrong, which is shown."""
        text = await self.app.push_screen_wait(LineInput(title, before))
        if not text or not text.strip():
            return ()
        try:
            return read(text.strip())
        except BadInput as error:
            self.stop(error)
            return ()

    def key_delete(self) -> None:
        """Take out the example under the cursor."""
        table = self.query_one("#examples", KeyedTable)
        if table.has_focus and table.current:
            place = int(table.current)
            self._show_examples((*self._examples[:place], *self._examples[place + 1 :]))

    @work
    async def action_open(self) -> None:
        """Show a task file in the form."""
        path = await self.app.push_screen_wait(LineInput("Task file", str(self.here.reader.locations.home / "tasks") + "/"))
        if path and path.strip():
            self.show_file(Path(path.strip()).expanduser())

    def show_file(self, path: Path) -> None:
        """Fill the form from a file."""
        try:
            form = form_of(path)
        except BadInput as error:
            self.stop(error)
            return
        self._file, self._rest = path, dict(form.rest)
        for name in ("name", "language", "labels", "test"):
            self.query_one(f"#{name}", Input).value = getattr(form, name)
        self.query_one("#description", TextArea).text = form.description
        self.query_one("#kind", Select).value = form.kind
        self._show_examples(form.examples)

    def action_save(self) -> None:
        """Write the task file."""
        if self._save():
            self.notify(f"saved: {self.file}", markup=False)

    def _save(self) -> bool:
        self._touched = True
        if not self._check():
            self.notify("something is still missing: see the field in red", severity="warning")
            return False
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(self.form.toml(), encoding="utf-8")
        except OSError as error:
            self.stop(BadInput(f"{self.file}: cannot be written: {error.strerror}", "open it elsewhere, or check its permissions"))
            return False
        self._file = self.file
        return True

    @work
    async def action_run(self) -> None:
        """Save the task and start a run."""
        if self._save():
            started = await self.asked(command("run", str(self.file), "--detach"))
            if started:
                self.here.open_run(str(started["run"]))

    def action_leave_field(self) -> None:
        """Leave the field, so that the keys of places work again."""
        self.query_one("#examples", KeyedTable).focus()
