"""Plan: the steps as text that can be edited, what speaks for them, runners-up to choose instead, and the plan on sample rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import DataTable, Static, TextArea

from datatune_tui.engine_process import Refused
from datatune_tui.panels.panel import Panel, record_of, standing
from datatune_tui.panels.preview import PlanPreview
from datatune_tui.runs_read import View
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.errors import BadInput
from engine.plain_text import clean
from engine.plan.file import read_plan, write_plan
from engine.plan.steps import Plan
from engine.records import PlanChoice, SamplePair
from engine.store.runs import RunSettings
from engine.store.steps import Step

if TYPE_CHECKING:
    from datatune_tui.app import DataTune

SHOWN = 3
PREVIEWED = 40
PREVIEWED_WITH_MODEL = 5
TYPING_SECONDS = 0.4
"""Without a key before the text is previewed."""


class PlanPanel(Panel):
    """The chosen plan and its runners-up."""

    BINDINGS = [
        Binding("ctrl+s", "apply", "Apply plan", id="plan.apply", tooltip="Make the examples anew with the plan as it stands here"),
        Binding("ctrl+r", "restore", "Restore", id="plan.restore", tooltip="Put back the plan that was used"),
        Binding("ctrl+g", "preview", "Try it", id="plan.preview", tooltip="See the plan on sample rows, step by step, while you edit"),
        Binding("ctrl+t", "ask", "With model", id="plan.ask", tooltip="Try it on five rows, asking the model where the plan does"),
    ]

    def compose(self) -> ComposeResult:
        yield Static("", id="verdict")
        yield KeyedTable((("PLAN", 11), ("SCORE", 6), ("VERDICT", 11), ("WHAT IT DOES", None)), id="plans")
        with Horizontal(id="plan-both"):
            yield TextArea("", id="plan-text", soft_wrap=False, show_line_numbers=True)
            yield PlanPreview(id="preview")
        yield Static("", id="plan-error", markup=False)
        yield Static("", id="samples")

    def on_mount(self) -> None:
        self._choice: PlanChoice | None = None
        self._written = ""
        """The text as it was put there: what differs from it was edited."""
        self._run = ""
        self._settings = RunSettings()
        self._typing: Timer | None = None
        self._tried: str | None = None
        """The text that was tried last."""
        self._tries = 0

    def show(self, view: View, step: Step | None) -> None:
        choice = record_of(step, PlanChoice)
        self._run, self._settings = view.run.id, view.run.settings
        table = self.query_one("#plans", KeyedTable)
        table.display = self.query_one("#plan-both").display = choice is not None
        fresh = choice != self._choice
        self._choice = choice
        if choice is None:
            self.query_one("#verdict", Static).update(Text(standing(view, step), style="dim"))
            self.query_one("#samples", Static).update("")
            return
        if not fresh:
            return
        rows = [("0", _row("chosen", choice.plan, choice.score, choice.verdict))]
        rows += [
            (str(place), _row(f"runner-up {place}", other.plan, other.score, other.verdict))
            for place, other in enumerate(choice.runners_up, 1)
        ]
        table.show(rows)
        self._put(choice.plan)
        self._tell(0)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the plan the cursor is on, unless the text was edited."""
        place = self._place()
        if self._choice and not self.edited:
            self._put(self._plan(place))
        self._tell(place)

    def on_text_area_changed(self) -> None:
        """Say at once what is wrong with the text."""
        self.query_one("#plan-error", Static).update(self._problem())
        if self.previews:
            self._wait_no_more()
            if self.query_one(TextArea).text != self._tried:
                self._typing = self.set_timer(TYPING_SECONDS, self._preview)

    def _wait_no_more(self) -> None:
        if self._typing is not None:
            self._typing.stop()
            self._typing = None

    @property
    def previews(self) -> bool:
        """Whether the plan is shown on sample rows."""
        return self.has_class("-previews")

    def action_preview(self) -> None:
        """Show the plan on sample rows, or the text alone again."""
        self.toggle_class("-previews")
        if self.previews:
            self._preview()

    def action_ask(self) -> None:
        """Show it on a few rows with the model's answers."""
        self.add_class("-previews")
        self._preview(model=True)

    @property
    def edited(self) -> bool:
        """Whether the text differs from the plan it was made from."""
        return self.query_one(TextArea).text != self._written

    def action_restore(self) -> None:
        """Put back the plan the cursor is on."""
        if self._choice:
            self._put(self._plan(self._place()))

    def action_apply(self) -> None:
        """Ask for the examples to be made anew with this text."""
        if self._choice is None:
            return
        if problem := self._problem():
            self.notify(problem, severity="error", markup=False)
        elif not self.edited and self._place() == 0:
            self.notify("this is the plan that was used; edit it, or choose a runner-up", markup=False)
        else:
            self.post_message(self.Changed("schema", self._settings.with_plan(self._choice.dataset, self.query_one(TextArea).text)))

    @work(group="preview")
    async def _preview(self, model: bool = False) -> None:
        preview, choice = self.query_one(PlanPreview), self._choice
        if choice is None:
            return
        self._wait_no_more()
        self._tried = self.query_one(TextArea).text
        self._tries += 1
        this = self._tries
        if problem := self._problem():
            preview.tell(problem, "bold red")
            return
        preview.tell("asking the model …" if model else "trying it …")
        try:
            answer = await cast("DataTune", self.app).previews.ask(
                "preview",
                preview={
                    "run": self._run,
                    "dataset": choice.dataset,
                    "config": choice.config,
                    "split": choice.splits[0],
                    "plan": self.query_one(TextArea).text,
                    "units": PREVIEWED_WITH_MODEL if model else PREVIEWED,
                    "model": model,
                },
            )
        except Refused as error:
            if this == self._tries:
                preview.tell(f"{error.title}\n{error.hint}", "bold red")
            return
        if answer is not None and this == self._tries:
            preview.show(answer["preview"])

    def _place(self) -> int:
        return int(self.query_one("#plans", KeyedTable).current or 0)

    def _plan(self, place: int) -> Plan:
        assert self._choice
        return self._choice.runners_up[place - 1].plan if 0 < place <= len(self._choice.runners_up) else self._choice.plan

    def _put(self, plan: Plan) -> None:
        # What speaks for it stands above; in the text it would only be in the way.
        self._written = clean(write_plan(msgspec.structs.replace(plan, reasons=())))
        self.query_one(TextArea).text = self._written

    def _problem(self) -> str:
        try:
            read_plan(self.query_one(TextArea).text)
        except BadInput as error:
            return f"{error.title} {error.hint}".strip()
        return ""

    def _tell(self, place: int) -> None:
        choice = self._choice
        if choice is None:
            return
        other = choice.runners_up[place - 1] if 0 < place <= len(choice.runners_up) else None
        verdict, evidence = (other.verdict, other.evidence) if other else (choice.verdict, choice.evidence)
        reasons, samples = (other.reasons, other.samples) if other else (choice.reasons, choice.samples)
        text = Text()
        text.append(verdict or "not asked", {"verified": "bold green", "beaten": "bold red"}.get(verdict, "bold yellow"))
        text.append(f"  {clean(evidence)}", "not bold default")
        for reason in reasons[:4]:
            text.append(f"\n· {clean(reason)}", "not bold default")
        self.query_one("#verdict", Static).update(text)
        self.query_one("#samples", Static).update(_pairs(samples))


def _row(name: str, plan: Plan, score: float, verdict: str) -> tuple[str, str, str, str]:
    return (name, f"{score:.2f}", verdict or "-", "; ".join(plan.reasons[:2]) or plan.name)


def _pairs(samples: tuple[SamplePair, ...]) -> Text:
    text = Text()
    for sample in samples[:SHOWN]:
        text.append(f"row {sample.row}\n", "bold")
        text.append(f"{clean(sample.input[:600])}\n")
        text.append(f"→ {clean(sample.output[:300])}\n\n", "green")
    return text
