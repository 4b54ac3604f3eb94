"""Schema: which columns hold the input, the output, and what goes with them; another role for any of them."""

from __future__ import annotations

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static

from datatune_tui.panels.panel import Panel, record_of, standing, with_options
from datatune_tui.runs_read import View
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.plain_text import clean
from engine.records import SchemaSelection
from engine.store.runs import RunSettings
from engine.store.steps import Step

STYLES = {"output": "bold green", "input": "bold cyan", "context": "cyan", "irrelevant": "dim"}
ROLES = tuple(STYLES)
PENDING = "ctrl+s plans anew with these roles; ctrl+r puts back the run's own."


class ColumnsPanel(Panel):
    """Columns with their roles. What is changed here is marked, and done only with ctrl+s."""

    BINDINGS = [
        Binding("space,enter", "turn", "Other role", id="columns.turn", tooltip="Give the column the next role", key_display="space"),
        Binding("i", "give('input')", "Input", id="columns.input", tooltip="The column is shown to whoever does the task"),
        Binding("o", "give('output')", "Output", id="columns.output", tooltip="The column holds the answer, or what it is made of"),
        Binding("minus", "give('irrelevant')", "Unused", id="columns.unused", tooltip="The column is not used", key_display="-"),
        Binding("ctrl+s", "apply", "Apply", id="columns.apply", tooltip="Plan anew with these roles"),
        Binding("ctrl+r", "restore", "Restore", id="columns.restore", tooltip="Forget what was changed here"),
    ]

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield KeyedTable((("COLUMN", 32), ("ROLE", 12), ("SET BY", None)), id="columns")

    def on_mount(self) -> None:
        self._schema: SchemaSelection | None = None
        self._settings = RunSettings()
        self._standing = ""
        self._mine: dict[str, str] = {}
        """Roles set here and not done yet."""

    def show(self, view: View, step: Step | None) -> None:
        schema = record_of(step, SchemaSelection)
        if schema != self._schema or view.run.settings != self._settings:
            self._schema, self._settings = schema, view.run.settings
            self._mine = {}
        self._standing = standing(view, step)
        self._draw()

    def action_turn(self) -> None:
        """The next role."""
        if role := self._role(self._current):
            self.action_give(ROLES[(ROLES.index(role) + 1) % len(ROLES)])

    def action_give(self, role: str) -> None:
        """This role."""
        if self._schema and (column := self._current):
            self._mine[column] = role
            if role == self._schema.roles[column]:
                del self._mine[column]
            self._draw()

    def action_apply(self) -> None:
        """Ask for a plan with these roles."""
        if self._schema is None or not self._mine:
            self.notify("no role was changed here: space gives a column the next one", markup=False)
            return
        roles = {**self._schema.roles, **self._mine}
        if "output" not in roles.values() or "input" not in roles.values():
            self.notify("one column at least must be input and one output", severity="error", markup=False)
            return
        before = self._settings.options.get("schema", {}).get("roles")
        mine = {**(before if isinstance(before, dict) else {}), **self._mine}
        changed = with_options(self._settings, "schema", roles=mine)
        # Roles name columns of one data set, and a plan that was fixed would leave them nothing to decide.
        self.post_message(self.Changed("schema", msgspec.structs.replace(changed, dataset=self._schema.dataset, plan="", plans={})))

    def action_restore(self) -> None:
        """Forget what was changed here."""
        self._mine = {}
        self._draw()

    @property
    def _current(self) -> str:
        return self.query_one(KeyedTable).current

    def _role(self, column: str) -> str:
        roles = {**self._schema.roles, **self._mine} if self._schema else {}
        return str(roles.get(column, ""))

    def _draw(self) -> None:
        schema = self._schema
        text = Text()
        if schema is None:
            text.append(self._standing, "dim")
        else:
            text.append(f"config {clean(schema.config)}, splits {clean(', '.join(schema.splits))}")
            text.append(f"\nchosen by {schema.origin}" + (f": {clean(schema.reason)}" if schema.reason else ""), "dim")
        if self._mine:
            text.append(f"\n{PENDING}", "bold yellow")
        self.query_one("#words", Static).update(text)
        set_before = self._settings.options.get("schema", {}).get("roles")
        earlier = set_before if isinstance(set_before, dict) else {}
        table = self.query_one(KeyedTable)
        table.display = schema is not None
        rows = []
        for name in schema.roles if schema else ():
            role = self._role(name)
            by = "you, just now" if name in self._mine else "you" if name in earlier else schema.origin if schema else ""
            rows.append((name, (name, Text(role, style=STYLES.get(role, ""), end=""), by)))
        table.show(rows)
