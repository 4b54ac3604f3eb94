"""Expand: the task in other words."""

from __future__ import annotations

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static

from datatune_tui.modals.line_input import LineInput
from datatune_tui.panels.panel import Panel, record_of, standing, with_options
from datatune_tui.runs_read import View
from engine.plain_text import clean
from engine.records import ExpandedTask
from engine.store.runs import RunSettings
from engine.store.steps import Step

SHOWN = 20_000
"""Characters of a text: a megabyte would take seconds to lay out."""


class ExpandPanel(Panel):
    """The task in the user's words and in the model's, which one may put better."""

    BINDINGS = [
        Binding("e", "edit", "Edit", id="expand.edit", tooltip="Put the fuller description in your own words; empty lets the model"),
    ]

    def compose(self) -> ComposeResult:
        yield Static("", id="words")

    def on_mount(self) -> None:
        self._settings = RunSettings()
        self._added = ""
        """What was added to the user's words."""

    def show(self, view: View, step: Step | None) -> None:
        expanded = record_of(step, ExpandedTask)
        self._settings = view.run.settings
        self._added = expanded.description.removeprefix(view.run.task.description).strip() if expanded else ""
        text = Text("Your words\n", style="bold")
        text.append(f"{clean(view.run.task.description[:SHOWN])}\n\n", "not bold")
        if expanded is None:
            text.append(standing(view, step), "dim not bold")
        elif not self._added:
            text.append("Not expanded. ", "bold")
            text.append(clean(expanded.reason), "dim not bold")
        else:
            text.append("As you put it more fully\n" if expanded.origin == "user" else "As the model puts it\n", "bold")
            text.append(clean(self._added[:SHOWN]), "not bold")
        for number, example in enumerate(view.run.task.examples[:5], 1):
            text.append(f"\n\nYour example {number}\n", "bold")
            text.append(f"{clean(example.input[:2000])}\n→ {clean(example.output[:500])}", "not bold")
        self.query_one("#words", Static).update(text)

    @work
    async def action_edit(self) -> None:
        """Write it in other words."""
        text = await self.app.push_screen_wait(LineInput("The task more fully; your own first words stay before it", self._added))
        if text is None:
            return
        if text.strip() == self._added:
            self.notify("nothing was changed", markup=False)
            return
        self.post_message(self.Changed("expand", with_options(self._settings, "expand", text=text.strip() or None)))
