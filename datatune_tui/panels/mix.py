"""Mix: what became of all examples, source by source, and why some are not in the training set."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.widgets import DataTable, Static

from datatune_tui.panels.panel import Panel, record_of, standing
from datatune_tui.runs_read import LEFT_OUT, Units, View
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.mix.offered import WORDS
from engine.mix.table import found_words, source_name
from engine.plain_text import clean, one_line
from engine.records import MixCounts, Mixed
from engine.store.steps import Step

SOURCES = (("SOURCE", 18), ("OFFERED", 7), ("TRAIN", 6), ("VALID.", 6), ("OUT", 5))


class MixPanel(Panel):
    """A table that adds up, what was found of the test, and the reasons."""

    def compose(self) -> ComposeResult:
        yield Static("", id="words")
        yield KeyedTable(SOURCES, id="sources")
        yield KeyedTable((("EXAMPLES", 9), ("WHY THEY ARE LEFT OUT", None)), id="reasons")
        hint = "Enter on a reason shows those examples; x exports anew, with what you rejected and put right by then."
        yield Static(Text(hint, style="dim"), id="hint")

    def show(self, view: View, step: Step | None) -> None:
        mixed = record_of(step, Mixed)
        units = view.units.get(step.fingerprint, Units()) if step else Units()
        self.query_one("#words", Static).update(_told(mixed, units) if mixed or units.counts else Text(standing(view, step), style="dim"))
        sources = self.query_one("#sources", KeyedTable)
        sources.display = mixed is not None
        sources.show(_lines(mixed) if mixed else [])
        reasons = self.query_one("#reasons", KeyedTable)
        reasons.display = bool(units.reasons)
        found = ((reason.partition(": ")[2], count) for reason, count in units.reasons.items())
        reasons.show([(reason, (_number(count), f"{reason}{_by_source(mixed, reason)}")) for reason, count in found])
        self.query_one("#hint", Static).display = bool(units.reasons)

    @on(DataTable.RowSelected, "#reasons")
    def _reason_chosen(self) -> None:
        """Go to the examples of this reason."""
        self.post_message(self.Wanted(LEFT_OUT, self.query_one("#reasons", KeyedTable).current))


def _told(mixed: Mixed | None, units: Units) -> Text:
    text = Text()
    if mixed is None:
        text.append(f"{units.counts.get('accepted', 0):,} examples", "bold green")
        return text.append(f" so far, {units.counts.get('rejected', 0):,} left out")
    counts = mixed.counts
    text.append(f"{counts.examples:,} examples", "bold green")
    text.append(f" of {counts.offered:,}: {counts.train:,} to train on, {counts.validation:,} for validation, {counts.left_out:,} left out")
    if words := found_words(mixed):
        text.append(f"\n{words}", "yellow" if mixed.leaks_kept else "")
    if mixed.edited:
        text.append(f"\n{mixed.edited:,} have an output that you put right.")
    if mixed.largest_group > 1:
        text.append(f"\n{mixed.groups:,} groups of connected examples, the largest of {mixed.largest_group:,}; each in one split.", "dim")
    if mixed.outputs:
        text.append(
            "\noutputs: " + ", ".join(f"{one_line(output, 40)} {count:,}" for output, count in list(mixed.outputs.items())[:12]), "dim"
        )
    return text


def _lines(mixed: Mixed) -> list[tuple[str, tuple[Text, ...]]]:
    lines = [(source.step, _line(clean(source_name(source)), source.counts)) for source in mixed.sources]
    return [*lines, ("", _line("all", mixed.counts))] if len(lines) > 1 else lines


def _line(name: str, counts: MixCounts) -> tuple[Text, ...]:
    numbers = (counts.offered, counts.train, counts.validation, counts.left_out)
    return (Text(one_line(name, 200), no_wrap=True, end=""), *map(_number, numbers))


def _number(count: int) -> Text:
    return Text(f"{count:,}", justify="right", end="")


def _by_source(mixed: Mixed | None, reason: str) -> str:
    """Of which sources they are, where there are several."""
    field = next((name for name, words in WORDS.items() if words == reason), "")
    if mixed is None or len(mixed.sources) < 2 or not field:
        return ""
    counts = [(source_name(source), getattr(source.counts, field)) for source in mixed.sources]
    return " (" + ", ".join(f"{one_line(name, 40)} {count:,}" for name, count in counts if count) + ")"
