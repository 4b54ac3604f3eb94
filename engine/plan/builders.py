"""One value step in, the function that does it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.plan import conditions, options, value_steps
from engine.plan.steps import (
    AnyStep,
    Bin,
    Case,
    Each,
    Fit,
    Get,
    Keep,
    Map,
    Match,
    Names,
    Options,
    Parse,
    Pick,
    Shuffle,
    Slice,
    Spans,
    Template,
)
from engine.plan.value_steps import Context, Run
from engine.plan.values import Values, fail

_BUILDERS: dict[type[Any], Callable[[Any, Context], Run]] = {
    Keep: conditions.keep,
    Get: value_steps.get,
    Parse: value_steps.parse,
    Names: value_steps.names,
    Map: value_steps.map_,
    Bin: value_steps.bin_,
    Match: value_steps.match,
    Slice: value_steps.slice_,
    Spans: value_steps.spans,
    Each: value_steps.each,
    Case: value_steps.case,
    Fit: value_steps.fit,
    Template: value_steps.template,
    Options: options.options,
    Pick: options.pick,
}


def is_value_step(step: AnyStep) -> bool:
    """Whether a step looks at one unit only and asks no model; keep is one, for it can run wherever it stands."""
    return type(step) in _BUILDERS or isinstance(step, Shuffle)


def build(step: AnyStep, context: Context, picks: tuple[str, ...] = ()) -> Run:
    """The step as a function; `picks` are the names a shuffle has to carry along. Raises BadInput for what cannot be compiled.

    Whatever else a hostile row makes the step raise ends its unit as failed, not the run.
    """
    run = options.shuffle(step, context, picks) if isinstance(step, Shuffle) else _BUILDERS[type(step)](step, context)
    word = step.__struct_config__.tag

    def guarded(values: Values, key: str) -> None:
        try:
            run(values, key)
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise fail(f"{word}: {type(error).__name__} on a value of an unexpected kind") from error

    return guarded
