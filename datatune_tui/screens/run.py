"""Run: the pipeline as a rail, what the chosen stage made beside it, and how far the one at work is below."""

from __future__ import annotations

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import ContentSwitcher, OptionList, Static

from datatune_tui.engine_process import command
from datatune_tui.modals.question import Question
from datatune_tui.panels import PANELS
from datatune_tui.panels.panel import Panel
from datatune_tui.runs_read import View
from datatune_tui.screens.place import Place
from datatune_tui.widgets.rail import Rail, key_of
from datatune_tui.widgets.states import state_text
from engine.cli.progress import line
from engine.plain_text import clean, one_line
from engine.stages import STAGE_NAMES, generates, stages_left_out
from engine.store.runs import RunSettings, change_settings, send_command

NONE_OPEN = "No run is open. 1 goes home, where enter opens one and d starts the demo."
BUSY = ("running", "new")


class RunScreen(Place):
    """One run, stage by stage."""

    MODE = "run"
    CSS_PATH = "run.tcss"
    HELP = """\
# Run

On the left the stages with their state; **up** and **down** choose one, **tab** goes into what it made.

- **r** goes on with a run that stopped, **c** stops one after the unit it is at, **x** exports what there is
- retrieve, rerank: **x** leaves a data set out, **p** puts it first; the stages after it are done anew
- **u** compares the sources of the examples: repeats, diversity, lengths, a map, what tells them apart; there **j** asks a judge whether
  outputs are right, and **h** writes everything to an HTML report
- evaluate: **tab** goes through figures, labels and wrong answers; the one under the cursor is below the list in full
- mix, finetune, evaluate in an experiment: **left** and **right** go from arm to arm
- plan: edit the text and press **ctrl+s**; or choose a runner-up in the table and press **ctrl+s**

What a change makes stale is said before it is done. Calls whose prompts stay the same are not asked again.
"""
    BINDINGS = [
        Binding("r", "resume", "Resume", id="run.resume", tooltip="Go on where the run stopped"),
        Binding("c", "cancel", "Cancel", id="run.cancel", tooltip="Stop after the unit it is at; what it made stays"),
        Binding("x", "export", "Export", id="run.export", tooltip="Write the training set with what there is now"),
        Binding("f", "follow", "Story", id="run.story", tooltip="Everything that happened, in one text"),
        Binding("u", "quality", "Quality", id="run.quality", tooltip="How varied, clean and alike the examples are, source by source"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]

    def content(self) -> ComposeResult:
        yield Static("", id="head")
        with Horizontal():
            yield Rail()
            with ContentSwitcher(id="panels", initial="panel-none"):
                yield Static(NONE_OPEN, id="panel-none", markup=False)
                for stage, panel in PANELS.items():
                    made = panel()
                    made.id = f"panel-{stage}"
                    yield made
        yield Static("", id="now", markup=False)

    def on_mount(self) -> None:
        self._view: View | None = None
        self._of_arms = False
        self.query_one(Rail).focus()

    def look(self) -> None:
        """Show the open run as it is now."""
        before = self._view.run.id if self._view else ""
        view = self._view = self.here.reader.view(self.here.run_id) if self.here.run_id else None
        if view and view.run.id != before:
            self.query_one(Rail).follows = True
        self.query_one("#head", Static).update(_head(view) if view else Text(NONE_OPEN, style="dim"))
        self.query_one(Rail).display = view is not None
        self.query_one("#now", Static).update(_now(view) if view else "")
        if view:
            self.query_one(Rail).show(view)
            self._show_chosen()
        else:
            self.query_one(ContentSwitcher).current = "panel-none"
        self.refresh_bindings()

    @property
    def live(self) -> bool:
        return self._view is not None and self._view.run.state == "running"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        run = self._view.run if self.ready and self._view else None
        if action == "cancel":
            return (run is not None and run.state == "running") or None
        if action == "resume":
            return (run is not None and run.state not in BUSY) or None
        if action in ("export", "follow", "quality"):
            return run is not None or None
        return True

    @on(OptionList.OptionHighlighted)
    def _chosen(self) -> None:
        self._show_chosen()
        if self._of_arms != (of_arms := self.query_one(Rail).of_arms):
            # The footer is made anew, which takes as long as all else: only where other keys are to stand in it.
            self._of_arms = of_arms
            self.refresh_bindings()

    @on(Rail.ArmChosen)
    def _arm_chosen(self) -> None:
        self._show_chosen()

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        """Go into what the stage made."""
        self.focus_next()

    def _show_chosen(self) -> None:
        view, key = self._view, self.query_one(Rail).current
        if view is None or not key:
            return
        stage = key.split(" ", 1)[0]
        step = next((step for step in view.steps if key_of(step) == key), None)
        self.query_one(ContentSwitcher).current = f"panel-{stage}"
        self.query_one(f"#panel-{stage}", Panel).show(view, step)

    @on(Panel.Wanted)
    def _wanted(self, event: Panel.Wanted) -> None:
        """Show the units of one reason."""
        self.here.units_wanted = (event.state, f"reason={event.reason}")
        self.app.switch_mode("data")

    @on(Panel.Changed)
    @work
    async def _change(self, event: Panel.Changed) -> None:
        """Say what becomes stale; then change the run and go on with it."""
        view = self._view
        if view is None:
            return
        if view.run.state in BUSY:
            self.notify("the run is at work; cancel it first (c)", severity="warning", markup=False)
            return
        tested = bool(view.run.task.test)
        text = f"{', '.join(stale(event.first, event.settings, tested))} are done anew.\n{event.note or _cost(view, event)}"
        if not await self.app.push_screen_wait(Question(text, "Do it")):
            return
        # The text that was edited may be gone from the screen in a moment, and must not swallow keys then.
        self.query_one(Rail).focus()
        if self.here.write(lambda connection: change_settings(connection, view.run.id, event.settings)):
            await self.asked(command("resume", view.run.id, "--detach"))
            self.here.look_at(self)

    @work
    async def action_resume(self) -> None:
        """Go on with a run that stopped."""
        if self._view:
            await self.asked(command("resume", self._view.run.id, "--detach"))
            self.here.look_at(self)

    def action_cancel(self) -> None:
        """Ask the run to stop."""
        if self._view:
            run = self._view.run.id
            self.here.write(lambda connection: send_command(connection, run, "cancel"))
            self.notify(f"run {run} stops after the unit it is at; what it made stays", markup=False)

    @work
    async def action_export(self) -> None:
        """Write the training set."""
        if self._view:
            folder = self.here.reader.locations.export_of(self._view.run.task.name, self._view.run.id)
            done = await self.asked(command("export", self._view.run.id, "--to", str(folder)))
            if done:
                self.notify(f"{done['examples']:,} examples in {done['folder']}", markup=False)

    def action_follow(self) -> None:
        """Show the whole story."""
        from datatune_tui.modals.story import Story

        if self._view:
            self.app.push_screen(Story(self._view))

    def action_quality(self) -> None:
        """Compare the sources of the examples."""
        from datatune_tui.modals.quality import Quality

        if self._view:
            self.app.push_screen(Quality(self._view.run.id))


def stale(first: str, settings: RunSettings, tested: bool) -> tuple[str, ...]:
    """The stages a run with these settings does anew when one changes: it and what follows; `tested`: its task has a test."""
    last = settings.until or STAGE_NAMES[-1]
    names = STAGE_NAMES[STAGE_NAMES.index(first) : STAGE_NAMES.index(last) + 1]
    # Synthetic examples are written from the task alone: no other data set or plan makes them stale.
    written_anew = generates(settings) and first in ("expand", "generate")
    left = {"generate"} if not written_anew else set()
    left |= stages_left_out(settings, tested)
    return tuple(name for name in names if name not in left)


def _cost(view: View, event: Panel.Changed) -> str:
    units = sum(view.counts.values())
    if not units:
        return "No rows were executed yet."
    before, now = view.run.settings, event.settings
    again = (now.plan or now.plans) and (now.plan, now.plans) != (before.plan, before.plans)
    rows = f"{units:,} rows were executed; they run again with the new plan" if again else f"{units:,} rows were executed"
    return f"{rows}. Answers of models to prompts that stay the same are not asked for again."


def _head(view: View) -> Text:
    run = view.run
    text = Text(f"{run.id}  ", style="bold")
    text.append(f"{one_line(run.task.name, 40)}  ")
    text.append_text(state_text(run.state))
    text.append(f"  {run.examples:,} examples" if run.examples else "")
    if run.reason:
        text.append(f"\n{one_line(run.reason, 300)}", "dim")
    if run.state in ("interrupted", "cancelled", "failed"):
        units = sum(view.counts.values())
        kept = f"{units:,} finished rows and every answer of a model are kept" if units else "every answer of a model is kept"
        text.append(f"\n{kept}; r goes on from there", "bold yellow")
    return text


def _now(view: View) -> str:
    now = view.progress
    # What is stored last may be of a step that has ended.
    if now and any((step.stage, step.candidate, step.state) == (now.stage, now.candidate, "running") for step in view.steps):
        return line(f"{now.stage} {now.candidate}".strip(), now.done, now.total, now.rate, now.unit, True)
    told = [event for event in view.events if event.text]
    return clean(told[-1].text).split("\n")[0] if told else ""
