"""Schema: which columns hold the input, the output, and what goes with them."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from datatune_tui.panels.panel import Panel, record_of, standing
from datatune_tui.runs_read import View
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.plain_text import clean
from engine.records import SchemaSelection
from engine.store.steps import Step

STYLES = {"output": "bold green", "input": "bold cyan", "context": "cyan", "irrelevant": "dim"}


class ColumnsPanel(Panel):
    """Columns with their roles."""

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield KeyedTable((("COLUMN", 32), ("ROLE", 12)), id="columns")

    def show(self, view: View, step: Step | None) -> None:
        schema = record_of(step, SchemaSelection)
        text = Text()
        if schema is None:
            text.append(standing(view, step), "dim")
        else:
            text.append(f"config {clean(schema.config)}, splits {clean(', '.join(schema.splits))}")
            text.append(f"\nchosen by {schema.origin}" + (f": {clean(schema.reason)}" if schema.reason else ""), "dim")
        self.query_one("#words", Static).update(text)
        roles = schema.roles if schema else {}
        table = self.query_one(KeyedTable)
        table.display = bool(roles)
        table.show([(name, (name, Text(role, style=STYLES.get(role, ""), end=""))) for name, role in roles.items()])
