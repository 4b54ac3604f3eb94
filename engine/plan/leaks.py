"""Whether an input tells its own output, read off the dataflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.plan.flow import Fact, Flow, Part, overlap, shown_part


class Leak(NamedTuple):
    """One way the input tells the output; `certain` is False where only a model could have told it."""

    title: str
    hint: str
    certain: bool = True


def leaks(given: Fact, output: Fact, flow: Flow) -> Iterator[Leak]:
    """Every leak from what the input shows (`given`) to what decides the output."""
    for part in sorted(_shared(given.parts, output.parts)):
        if str(part[0][0]).startswith("picked "):
            yield Leak("the input shows the picked option itself", "Show the options whole, as in {{ options }}, not the right one.")
        else:
            hint = "Show other columns; an output must not be readable off its input."
            yield Leak(f"`{shown_part(part)}` decides the output and is shown in the input", hint)
    for name in sorted(output.picked_from):
        yield from _option_leaks(name, given, flow)
    for name in sorted(given.shows - output.picked_from):
        facts = flow.options.get(name)
        if facts is not None and facts.columns and not facts.shuffled and _shared(facts.parts, output.parts):
            yield Leak(f"the right one always stands in the same place of `{name}`", "Add a shuffle step for these options.")
    known = _shared(given.knows, output.parts) or (given.knows_picks & output.picked_from)
    if known:
        hint = "Inputs in which the output stands are rejected; keep the output from it if you can."
        yield Leak("a model that knew the output wrote the input", hint, certain=False)


def _option_leaks(name: str, given: Fact, flow: Flow) -> Iterator[Leak]:
    facts = flow.options[name]
    shown = [bool(_shared(given.parts, member)) for member in facts.members]
    if any(shown) and not all(shown):
        yield Leak(f"the input shows some of the options `{name}` on their own", "Show all of them or none, as in {{ options }}.")
    if facts.fixed and all(shown):
        yield Leak(
            "the right one always stands in the same place", "Shuffle the options and show them as {{ options }}, not column by column."
        )
    elif facts.fixed and name in given.shows and not facts.shuffled:
        yield Leak(f"the right one always stands in the same place of `{name}`", "Add a shuffle step for these options.")


def _shared(shown: frozenset[Part], decides: frozenset[Part]) -> set[Part]:
    return {part for part in decides if any(overlap(part, other) for other in shown)}
