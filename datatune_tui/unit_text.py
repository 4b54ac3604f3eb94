"""Units of a run as text: on a line, whole, and as examples for the next run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import msgspec
from rich.text import Text

from datatune_tui.mixed_unit import MixedUnit
from datatune_tui.widgets.states import SIGNS
from engine.plain_text import clean, one_line
from engine.records import Example, TaskExample
from engine.store.items import Item
from engine.store.reviews import Review

SHOWN = 20_000
"""Characters of a text that are shown."""
WHOLE = ("STATE", "REVIEW", "NOTE", "OUTPUT", "INPUT", "REASON", "TRACE", "DATA SET", "CONFIG", "SPLIT", "ROW", "LICENCE", "UNIT")
"""Columns of units as they are copied and saved."""
FEW = 8
"""Examples a next run takes over at most: more would fill the prompts of a small model."""


def unit_cells(item: Item | None, review: Review | None) -> tuple[Text, ...]:
    """A unit on one line: a sign, the output or the reason, the input."""
    if item is None:
        return (Text("?"), Text("gone"), Text(""))
    state = review.verdict if review and review.verdict else item.state
    sign, style = SIGNS.get(state, ("?", ""))
    sign = "✎" if review and review.output is not None else "●" if review and review.verdict == "accepted" else sign
    if item.state != "accepted":
        told = msgspec.json.decode(item.result, type=Example).input if isinstance(item, MixedUnit) else item.result
        why = item.unit.detail or item.reason if isinstance(item, MixedUnit) else item.reason
        return (Text(sign, style), Text(one_line(why, 60), style), Text(one_line(told, 400), "dim"))
    example = msgspec.json.decode(item.result, type=Example)
    output = review.output if review and review.output is not None else example.output
    return (Text(sign, style), Text(one_line(output, 60)), Text(one_line(example.input, 400), "dim" if state == "rejected" else ""))


def unit_row(item: Item | None, review: Review | None) -> tuple[str, ...]:
    """A unit under the columns of WHOLE."""
    if item is None:
        return ("gone",)
    said = (review.verdict, review.note) if review else ("", "")
    if item.state != "accepted" and not isinstance(item, MixedUnit):
        return (item.state, *said, "", "", item.reason, item.result, "", "", "", "", "", item.key)
    example = msgspec.json.decode(item.result, type=Example)
    output = review.output if review and review.output is not None else example.output
    source = example.source
    place = (source.dataset, source.config, source.split, str(source.row), source.licence)
    reason = ": ".join(filter(None, (item.reason, item.unit.detail))) if isinstance(item, MixedUnit) else ""
    return (item.state, *said, output, example.input, reason, "", *place, item.key)


def unit_text(item: Item, review: Review | None) -> Text:
    """A unit whole: what was said of it, input, output and where it is from, or why it is no example and what the model answered."""
    text = Text()
    if isinstance(item, MixedUnit):
        text.append("left out of the mix: ", SIGNS[item.state][1])
        text.append(f"{clean(item.reason)}\n", "bold")
        text.append(f"{clean(item.unit.detail)}\n\n" if item.unit.detail else "\n")
    elif item.state != "accepted":
        text.append(f"{item.state}: ", SIGNS.get(item.state, ("", ""))[1])
        text.append(f"{clean(item.reason)}\n", "bold")
        text.append(f"unit {clean(item.key)}\n", "dim")
        for number, completion in enumerate(item.answers, 1):
            text.append(f"\nAnswer {number} of the model\n", "bold")
            text.append(f"{clean(completion[:SHOWN])}\n")
        return text
    example = msgspec.json.decode(item.result, type=Example)
    if review and review.verdict:
        text.append(f"{review.verdict} by you", SIGNS[review.verdict][1])
        text.append(f": {clean(review.note)}\n" if review.note else "\n")
    elif review and review.note:
        text.append(f"note: {clean(review.note)}\n", "bold")
    text.append(f"{clean(example.input[:SHOWN])}\n")
    if review and review.output is not None:
        text.append(f"→ {clean(review.output[:SHOWN])}\n", "bold green")
        text.append(f"  was: {clean(example.output[:SHOWN])}\n\n", "dim strike")
    else:
        text.append(f"→ {clean(example.output[:SHOWN])}\n\n", "bold green")
    source = example.source
    if source.synthetic:
        text.append(f"synthetic, written by {clean(source.model)}", "dim")
        return text
    text.append(f"{clean(source.dataset)}, {clean(source.config)}, {clean(source.split)}, row {source.row}", "dim")
    text.append(f" piece {'.'.join(map(str, source.part))}" if source.part else "", "dim")
    text.append(f"\noutput {example.output_origin}; licence {clean(source.licence) or 'not stated'}; plan {example.plan[:12]}", "dim")
    return text


def few_shot(examples: Sequence[TaskExample], most: int = FEW) -> list[TaskExample]:
    """So many of them, taken in turn from each output, so that no label stands alone in a prompt."""
    by_output: dict[str, list[TaskExample]] = {}
    for example in dict.fromkeys(examples):
        by_output.setdefault(example.output, []).append(example)
    rounds = zip_longest(*by_output.values())
    return [example for turn in rounds for example in turn if example is not None][:most]
