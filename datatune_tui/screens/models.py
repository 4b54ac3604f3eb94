"""Models: the weights on this machine with what they need, what is wrong with the others, and what the doctor says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Static

from datatune_tui.engine_process import command
from datatune_tui.modals.line_input import LineInput
from datatune_tui.screens.place import Place
from datatune_tui.widgets.keyed_table import Cell, KeyedTable
from engine.plain_text import clean

CONTEXT = 4096
"""Tokens of context the memory is told for."""
STATES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


class ModelsScreen(Place):
    """GGUF files found here, and whether they can be used."""

    MODE = "models"
    CSS_PATH = "models.tcss"
    HELP = """\
# Models

GGUF files below DATATUNE_HOME and the one that came with DataTune. A run names its models in the task file or with --model.

- **a** adds a file by its path; **v** compares its SHA-256 with what is known of it; **b** measures how fast it is here
- **d** asks the doctor, who tries every part for real and says what to do
"""
    BINDINGS = [
        Binding("a", "add", "Add", id="models.add", tooltip="Make a GGUF file known by its name"),
        Binding("v", "verify", "Verify", id="models.verify", tooltip="Read the whole file and compare its SHA-256"),
        Binding("b", "bench", "Measure", id="models.bench", tooltip="How fast it reads and writes here; takes a minute or two"),
        Binding("d", "doctor", "Doctor", id="models.doctor", tooltip="Try every part for real"),
    ]

    def content(self) -> ComposeResult:
        columns = (("NAME", 34), ("SIZE", 8), ("QUANT", 8), ("CONTEXT", 8), ("MEMORY", 9), ("LICENCE", 12), ("WHERE", None))
        yield KeyedTable(columns, id="models")
        yield Static("", id="told")

    def on_mount(self) -> None:
        self._found: dict[str, dict[str, Any]] = {}
        self._said: dict[str, Text] = {}
        """What commands said of a model, by path."""
        self.query_one(KeyedTable).focus()
        self._list()

    def look(self) -> None:
        """Weights do not change by themselves: they are listed when the place is first seen and after a change."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("verify", "bench") and self.ready:
            one = self._found.get(self.query_one(KeyedTable).current)
            return (one is not None and one["weights"] is not None) or None
        return True

    @work(exclusive=True, group="list")
    async def _list(self) -> None:
        self.query_one("#told", Static).update(Text("looking for weights …", "dim"))
        found = await self.asked(command("models", "list")) or []
        self._found = {one["path"]: one for one in found}
        self.query_one(KeyedTable).show([(one["path"], _cells(one)) for one in found])
        self._tell()
        self.refresh_bindings()

    @on(DataTable.RowHighlighted)
    def _tell(self) -> None:
        one = self._found.get(self.query_one(KeyedTable).current)
        text = _about(one) if one else Text("No weights were found; a adds a GGUF file.", "dim")
        if one and (said := self._said.get(one["path"])):
            text.append("\n")
            text.append_text(said)
        self.query_one("#told", Static).update(text)

    @work
    async def action_add(self) -> None:
        """Make a file known."""
        path = await self.app.push_screen_wait(LineInput("Path of a GGUF file", ""))
        if path and path.strip() and await self.asked(command("models", "add", path.strip())):
            self._list()

    @work
    async def action_verify(self) -> None:
        """Compare the file with what is known of it."""
        await self._command("verify", "reading the whole file …")

    @work
    async def action_bench(self) -> None:
        """Measure how fast it is."""
        await self._command("bench", "measuring; this takes a minute or two …")

    @work(exclusive=True, group="doctor")
    async def action_doctor(self) -> None:
        """Try every part."""
        self.query_one("#told", Static).update(Text("the doctor tries every part for real …", "dim"))
        findings = await self.asked(command("doctor"))
        text = Text()
        for one in findings["findings"] if isinstance(findings, dict) else findings or []:
            text.append(f"{one['state']:4} ", STATES.get(one["state"], ""))
            text.append(f"{one['name']}: {clean(one['detail'])}\n")
            if one["cure"]:
                text.append(f"     {clean(one['cure'])}\n", "dim")
        self.query_one("#told", Static).update(text)

    async def _command(self, name: str, meanwhile: str) -> None:
        path = self.query_one(KeyedTable).current
        self._said[path] = Text(meanwhile, "dim")
        self._tell()
        answer = await self.asked(command("models", name, path))
        self._said.pop(path)
        if answer:
            said = {key: value for key, value in answer.items() if isinstance(value, str | int | float) and key not in ("path", "spec")}
            self._said[path] = Text("\n".join(f"{key.replace('_', ' ')}: {clean(str(value))}" for key, value in said.items()), "green")
        self._tell()


def _cells(one: dict[str, Any]) -> tuple[Cell, ...]:
    path = Path(one["path"])
    weights = one["weights"]
    if weights is None:
        return (path.name, "", "", "", "", "", Text(f"unusable: {clean(one['problem'])}", "bold red"))
    return (
        weights["name"] or path.name,
        f"{weights['size'] / 1e9:.2f} GB",
        weights["quantisation"],
        f"{weights['context_length']:,}",
        _memory(one),
        weights["licence"] or "not stated",
        str(path),
    )


def _memory(one: dict[str, Any]) -> Text:
    import psutil

    needed, free = one["needs_bytes"], psutil.virtual_memory().available
    return Text(f"{needed / 1e9:.1f} GB", "green" if needed < free else "bold red")


def _about(one: dict[str, Any]) -> Text:
    import psutil

    text = Text(f"{clean(one['path'])}\n", "bold")
    weights = one["weights"]
    if weights is None:
        return text.append(f"unusable: {clean(one['problem'])}", "red")
    facts = f"{clean(weights['architecture'])}, {weights['parameters'] / 1e6:,.0f} million parameters, {weights['layers']} layers"
    text.append(f"{facts}, {'a' if weights['chat_template'] else 'no'} chat template\n", "not bold")
    free = psutil.virtual_memory().available
    text.append(f"needs {one['needs_bytes'] / 1e9:.1f} GB at a context of {CONTEXT:,}; {free / 1e9:.1f} GB are free", "not bold")
    return text
