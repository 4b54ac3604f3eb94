"""A plan on sample rows: what becomes of each, and for the one under the cursor what every step read and gave."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import DataTable, Static

from datatune_tui.widgets.keyed_table import KeyedTable
from engine.cli.progress import time_left
from engine.plain_text import clean, one_line

STYLES = {"accepted": "green", "rejected": "yellow", "failed": "bold red", "skipped": "dim", "asks": "cyan"}
REASONS_SHOWN = 3


class PlanPreview(Vertical):
    """Shows the answer of `plan serve`."""

    def compose(self) -> ComposeResult:
        yield Static("", id="preview-told")
        yield KeyedTable((("ROW", 6), ("STATE", 8), ("OUTPUT, OR WHY NONE", None)), id="preview-units")
        with VerticalScroll(id="preview-scroll"):
            yield Static("", id="preview-steps")

    def on_mount(self) -> None:
        self._units: dict[str, dict[str, Any]] = {}

    def tell(self, text: str, style: str = "dim") -> None:
        """Say what keeps it from being shown."""
        self.query_one("#preview-told", Static).update(Text(clean(text), style))

    def show(self, preview: dict[str, Any]) -> None:
        """Show a preview as it came; units that are no examples stand first, for they are what one looks for."""
        units = sorted(preview["units"], key=lambda unit: unit["state"] == "accepted")
        self._units = {unit["key"]: unit for unit in units}
        self.query_one("#preview-told", Static).update(_told(preview))
        self.query_one("#preview-units", KeyedTable).show([(unit["key"], _cells(unit)) for unit in units])
        self._tell_steps()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self._tell_steps()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Go to the steps, to scroll them."""
        event.stop()
        self.query_one("#preview-scroll").focus()

    def _tell_steps(self) -> None:
        unit = self._units.get(self.query_one("#preview-units", KeyedTable).current)
        self.query_one("#preview-steps", Static).update(steps_text(unit) if unit else "")


def _cells(unit: dict[str, Any]) -> tuple[str, Text, str]:
    return (unit["key"], Text(unit["state"], STYLES.get(unit["state"], "")), unit.get("output") or unit.get("reason", ""))


def _told(preview: dict[str, Any]) -> Text:
    counts = ", ".join(f"{count} {state}" for state, count in preview["counts"].items())
    text = Text(f"first {len(preview['units'])} units: {counts or 'none'}")
    cost = preview["cost"]
    if calls := cost.get("calls", 0):
        seconds = cost.get("seconds")
        took = f", about {time_left(seconds)}" if seconds is not None else "; its rate is not measured yet"
        text.append(f"\n{cost['examples']:,} examples ask a model {calls:,} times or more{took}", "bold yellow")
    else:
        text.append("\nno model is asked", "dim")
    for reason, count in list(preview["reasons"].items())[:REASONS_SHOWN]:
        text.append(f"\n· {count} {one_line(reason, 200)}", "dim")
    for warning in preview["warnings"]:
        text.append(f"\n! {one_line(warning, 200)}", "yellow")
    return text


def steps_text(unit: dict[str, Any]) -> Text:
    """Every step with what it read and gave, and where the unit ended."""
    text = Text()
    for step in unit["steps"]:
        text.append(f"{step['place'] + 1} {step['do']}\n", "bold")
        for name, value in step["before"].items():
            text.append(f"  {clean(name)}: ", "cyan")
            text.append(f"{clean(value)}\n", "dim")
        for name, value in step["after"].items():
            text.append(f"  → {clean(name)}: ", "cyan")
            text.append(f"{clean(value)}\n")
    if unit["state"] == "accepted":
        text.append("input\n", "bold")
        text.append(f"{clean(unit['input'])}\n")
        text.append("output\n", "bold")
        text.append(clean(unit["output"]), "green")
    else:
        text.append(f"{unit['state']}: {clean(unit.get('reason', ''))}", STYLES.get(unit["state"], ""))
        if unit.get("prompt"):
            text.append("\nprompt\n", "bold")
            text.append(clean(unit["prompt"]), "dim")
    return text
