"""Home: all runs, what they are at, and what can be done with them."""

from __future__ import annotations

import time

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Static

from datatune_tui.engine_process import command
from datatune_tui.modals.question import Question
from datatune_tui.runs_read import Row, ago
from datatune_tui.screens.place import Place
from datatune_tui.widgets.keyed_table import Cell, KeyedTable
from datatune_tui.widgets.states import state_text
from engine.adapters_here import delete_run_here
from engine.cli.progress import line, time_left
from engine.plain_text import clean
from engine.store.runs import create_run, send_command

WELCOME = """\
DataTune makes a training set for your task out of data sets that exist, on this machine, with a small local model.
You describe the task in a file; it finds data that fits, plans how rows become examples, and lets you change every step.
Press d to see it work on the data and the model that came with it: a hundred examples in about a minute."""


class HomeScreen(Place):
    """The runs of this home."""

    MODE = "home"
    CSS_PATH = "home.tcss"
    HELP = """\
# Home

Every run of this home, newest first. A run goes on when you leave: closing DataTune stops none of them.

- **enter** opens the run; **r** goes on with one that stopped; **c** asks one to stop after the unit it is at
- **n** describes a new task; **d** starts the demo; **u** starts a run with the same task and settings anew
- **delete** forgets a run and what only it made, after a question; answers of models and exports stay
"""
    BINDINGS = [
        Binding("enter", "open", "Open", id="home.open", tooltip="Go to the run"),
        Binding("n", "new", "New", id="home.new", tooltip="Describe a task"),
        Binding("d", "demo", "Demo", id="home.demo", tooltip="Try everything on the data and the model that came with DataTune"),
        Binding("r", "resume", "Resume", id="home.resume", tooltip="Go on where the run stopped"),
        Binding("c", "cancel", "Cancel", id="home.cancel", tooltip="Stop after the unit it is at; what it made stays"),
        Binding("u", "duplicate", "Again", id="home.duplicate", tooltip="A new run with the same task and settings"),
        Binding("delete,backspace", "delete", "Delete", id="home.delete", tooltip="Forget the run and what only it made"),
    ]

    def content(self) -> ComposeResult:
        columns = (("RUN", 6), ("STATE", 13), ("TASK", 18), ("EXAMPLES", 8), ("LAST", 10), ("NOW", None))
        yield KeyedTable(columns, id="runs")
        yield Static("", id="about", markup=False)

    def on_mount(self) -> None:
        self._rows: dict[str, Row] = {}
        self.query_one(KeyedTable).focus()

    def look(self) -> None:
        """Show the runs as they are now."""
        rows = self.here.reader.rows()
        self._rows = {row.run.id: row for row in rows}
        table = self.query_one(KeyedTable)
        table.display = bool(rows)
        table.show([(row.run.id, _cells(row)) for row in rows])
        self._tell()
        self.refresh_bindings()

    @property
    def live(self) -> bool:
        return any(row.run.state == "running" for row in self._rows.values())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self._current()
        if action in ("open", "duplicate"):
            return row is not None or None
        if action == "cancel":
            return (row is not None and row.run.state == "running") or None
        if action in ("resume", "delete"):
            return (row is not None and row.run.state != "running") or None
        return True

    def _current(self) -> Row | None:
        return self._rows.get(self.query_one(KeyedTable).current) if self.ready else None

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._tell()
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Go to the run's own place."""
        if row := self._current():
            self.here.open_run(row.run.id)

    def _tell(self) -> None:
        row = self._current()
        self.query_one("#about", Static).update(Text(_about(row) if row else WELCOME))

    def action_new(self) -> None:
        """Go and describe a task."""
        self.app.switch_mode("task")

    @work
    async def action_demo(self) -> None:
        """Start the demo and open its run."""
        self.notify("starting the demo: the starter data is catalogued first", markup=False)
        started = await self.asked(command("demo", "--detach"))
        if started:
            self.here.open_run(str(started["run"]))

    @work
    async def action_resume(self) -> None:
        """Go on with a run that stopped."""
        if row := self._current():
            await self.asked(command("resume", row.run.id, "--detach"))
            self.here.look_at(self)

    def action_cancel(self) -> None:
        """Ask the run to stop."""
        if row := self._current():
            run = row.run.id
            self.here.write(lambda connection: send_command(connection, run, "cancel"))
            self.notify(f"run {run} stops after the unit it is at; what it made stays", markup=False)

    @work
    async def action_duplicate(self) -> None:
        """Start a run with the same task and settings."""
        if row := self._current():
            run = row.run
            made = self.here.write(lambda connection: create_run(connection, run.task, run.settings))
            if made and await self.asked(command("resume", made, "--detach")):
                self.here.open_run(made)

    @work
    async def action_delete(self) -> None:
        """Forget a run, after a question."""
        row = self._current()
        if row is None:
            return
        text = f"Delete run {row.run.id} ({clean(row.run.task.name)}) with its {row.run.examples:,} examples?\n"
        text += "Its plan, its failures and what it trained go too. What it exported stays, and answers of models stay."
        if await self.app.push_screen_wait(Question(text, "Delete")):
            run = row.run.id
            if self.here.write(lambda connection: delete_run_here(connection, run, self.here.reader.locations)) is False:
                self.notify(f"run {run} is at work; cancel it first", severity="warning", markup=False)
            self.here.look_at(self)


def _cells(row: Row) -> tuple[Cell, ...]:
    run, now = row.run, row.progress
    if now:
        doing = f"{now.stage} {now.done:,}" + (f" of {now.total:,}" if now.total else "")
        if now.total and now.rate > 0 and now.done < now.total:
            doing += f", {time_left((now.total - now.done) / now.rate)} left"
    else:
        doing = run.reason
    last = run.heartbeat if run.state == "running" else run.finished
    made = Text(f"{run.examples:,}", justify="right", end="")
    return (run.id, state_text(run.state), run.task.name, made, ago(last or run.created), doing)


def _about(row: Row) -> str:
    run, now = row.run, row.progress
    lines = [clean(run.task.description).strip().split("\n")[0]]
    if now:
        lines.append(line(now.stage, now.done, now.total, now.rate, now.unit, True))
    elif run.reason:
        lines.append(clean(run.reason))
    lines.append(f"made {time.strftime('%Y-%m-%d %H:%M', time.localtime(run.created))}, seed {run.settings.seed}")
    return "\n".join(lines)
