"""Which names a step reads and which it gives: what checking, dataflow and compiling all start from."""

from __future__ import annotations

from engine.plan.paths import split_path
from engine.plan.steps import (
    AnyStep,
    Bin,
    Borrow,
    Case,
    Check,
    Each,
    Explode,
    Fit,
    Get,
    Group,
    Join,
    Keep,
    Map,
    Match,
    Names,
    Options,
    Parse,
    Pick,
    Sample,
    Shuffle,
    Slice,
    Spans,
    Template,
    Write,
)
from engine.plan.template import names_in


def gives(step: AnyStep) -> tuple[str, ...]:
    """The names a step adds; a join's are not known before it runs."""
    if isinstance(step, Explode):
        return tuple(name for name in (step.into, step.index_into, step.window_into) if name)
    if isinstance(step, Write):
        return step.into
    into = getattr(step, "into", "")
    return (into,) if into else ()


def reads(step: AnyStep, exists: frozenset[str]) -> tuple[str, ...]:
    """The names a step needs, in order. Raises BadInput for a template or path that cannot be read."""
    names: list[str] = []
    match step:
        case Get():
            names = [split_path(step.path, exists.__contains__)[0]]
        case Group():
            names = [*step.by, *step.majority, *step.collect]
        case Join():
            names = [step.left]
        case Sample():
            names = [step.balance]
        case Options():
            names = [*step.columns, step.list, step.texts, step.keys, step.dictionary]
        case Pick():
            names = [step.options, step.value, *step.flags]
        case Shuffle():
            names = [step.options]
        case Spans():
            names = [step.tokens, step.tags]
        case Each():
            names = [step.value, *sorted(names_in(step.template) - {"item", "index"})]
        case Case():
            names = [name for when in step.when for name in (when.value, *sorted(names_in(when.then)))]
            names += sorted(names_in(step.otherwise)) if step.otherwise is not None else []
        case Borrow():
            names = [step.value, *step.different]
        case Template():
            names = sorted(names_in(step.template))
        case Write() | Check():
            names = list(step.given)
        case Keep() | Explode() | Parse() | Names() | Map() | Bin() | Match() | Slice() | Fit():
            names = [step.value]
    return tuple(dict.fromkeys(name for name in names if name))
