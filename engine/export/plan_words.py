"""A plan's steps as plain sentences, for readers who will never open the plan file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from engine.plan import steps as s


def plan_in_words(plan: s.Plan) -> list[str]:
    """One sentence for each step, then what goes into the input and the output. Plain text: column names and values are data."""
    if plan.prose:
        return list(plan.prose)
    sentences = [step_in_words(step) + (f" ({_cut(step.note)})" if step.note else "") for step in plan.steps]
    if plan.emit:
        sentences.append(f"The input is {_quoted(plan.emit.input)}.")
        sentences.append(f"The output is {_quoted(plan.emit.output)}.")
    return sentences


def step_in_words(step: s.AnyStep) -> str:
    """What one step does."""
    match step:
        case s.Keep() | s.Explode() | s.Group() | s.Join() | s.Sample():
            return _row_step(step)
        case s.Options() | s.Pick() | s.Shuffle() | s.Spans():
            return _choice_step(step)
        case s.Case() | s.Each() | s.Template() | s.Borrow() | s.Fit() | s.Write() | s.Check():
            return _text_step(step)
        case _:
            return _lookup_step(step)


def _row_step(step: s.Keep | s.Explode | s.Group | s.Join | s.Sample) -> str:
    match step:
        case s.Keep():
            return f"Keep rows whose {step.value} {' and '.join(_conditions(step)) or 'is there'}."
        case s.Explode():
            window = f", with up to {step.window} items before it as {step.window_into}" if step.window else ""
            first = f", from item {step.first} (counted from 0) on" if step.first else ""
            return f"Make one example of each item of {step.value}, as {step.into}{first}{window}."
        case s.Group():
            majority = f"; the most frequent value of {_names(step.majority)} counts" if step.majority else ""
            collect = f"; {_names(step.collect)} become lists" if step.collect else ""
            return f"Put rows with the same {_names(step.by)} together{majority}{collect}."
        case s.Join():
            where = " ".join(part for part in (step.config and f"config {step.config}", step.split and f"split {step.split}") if part)
            return f"Add the columns of the row in {where or 'the same file'} whose {step.right} equals {step.left}, as {step.prefix}…."
        case s.Sample():
            balanced = f"at most {step.per_value} rows for each value of {step.balance}" if step.balance else ""
            size = f"at most {step.size} rows" if step.size else ""
            return f"Draw {' and '.join(part for part in (size, balanced) if part) or 'rows'}, in seeded order."
        case _:
            assert_never(step)


def _conditions(step: s.Keep) -> list[str]:
    bounds = ((step.at_least, "is at least {}"), (step.at_most, "is at most {}"))
    sizes = ((step.min_chars, "has at least {} characters"), (step.max_chars, "has at most {} characters"))
    found = [text.format(limit) for limit, text in (*bounds, *sizes) if limit is not None]
    if step.one_of is not None:
        found.append(f"is one of {_values(step.one_of)}")
    if step.not_one_of is not None:
        found.append(f"is none of {_values(step.not_one_of)}")
    if step.matches is not None:
        found.append(f"matches {_quoted(step.matches)}")
    if step.language is not None:
        found.append(f"is in the language {step.language}")
    return found


def _choice_step(step: s.Options | s.Pick | s.Shuffle | s.Spans) -> str:
    match step:
        case s.Options():
            keys = f" with the keys {step.keys}" if step.keys else ""
            return f"Take {_names(step.columns) or step.list or step.texts or step.dictionary}{keys} as the options {step.into}."
        case s.Pick():
            ways = {
                "index": f"number {step.value}, counted from {step.base}",
                "letter": f"the one whose letter is {step.value}",
                "key": f"the one whose key is {step.value}",
                "text": f"the one that equals {step.value}",
                "position": f"always number {step.base}, counted from 0",
                "flags": f"the one marked true in {_names(step.flags)}",
                "best": f"the one with the highest of {_names(step.flags)}",
            }
            none = f"; where there is none, {_quoted(step.none)}" if step.none is not None else ""
            return f"Of the options {step.options}, {step.into} is {ways[step.by]}{none}."
        case s.Shuffle():
            return f"Shuffle the options {step.options}, seeded by the row; the right one stays the right one."
        case s.Spans():
            return f"Collect the spans of type {step.type} in {step.tokens} by the tags {step.tags}, as {step.into}."
        case _:
            assert_never(step)


def _text_step(step: s.Case | s.Each | s.Template | s.Borrow | s.Fit | s.Write | s.Check) -> str:
    match step:
        case s.Case():
            when = "; ".join(f"{_quoted(one.then)} if {one.value} is {_values(one.one_of)}" for one in step.when)
            return f"Set {step.into} to {when}; otherwise {'skip the row' if step.otherwise is None else _quoted(step.otherwise)}."
        case s.Each():
            return f"Write {_quoted(step.template)} for each item of {step.value}, joined by {_quoted(step.separator)}, as {step.into}."
        case s.Template():
            return f"Write {_quoted(step.template)} as {step.into}."
        case s.Borrow():
            different = f" with another {_names(step.different)}" if step.different else ""
            return f"Borrow {step.value} from another row{different}, chosen by seed, as {step.into}."
        case s.Fit():
            return f"{'Cut' if step.over == 'cut' else 'Keep only'} {step.value} of at most {step.tokens} tokens, as {step.into}."
        case s.Write():
            return f"A model reads {_names(step.given)} and writes {_names(step.into)}: {_quoted(step.instruction)}."
        case s.Check():
            return f"A model reads {_names(step.given)} and is asked: {_quoted(step.question)}; rows it answers with no are left out."
        case _:
            assert_never(step)


def _lookup_step(step: s.Get | s.Parse | s.Names | s.Map | s.Bin | s.Match | s.Slice) -> str:
    match step:
        case s.Get():
            return f"Take {step.path} as {step.into}."
        case s.Parse():
            forms = {"json": "JSON", "literal": "a Python literal", "number": "a number"}
            return f"Read {step.value} as {forms[step.form]}, as {step.into}."
        case s.Names():
            return f"Turn the number {step.value} into its class name, {step.into}" + (f": {_values(step.names)}." if step.names else ".")
        case s.Map():
            table = _values(f"{key} → {value}" for key, value in step.table.items())
            return f"Look {step.value} up: {table}, as {step.into}; other values {_otherwise(step.unknown)}."
        case s.Bin():
            bounds = [f"below {limit:g}: {label}" for limit, label in zip(step.thresholds, step.labels, strict=False)]
            return f"Turn the number {step.value} into {step.into}: {'; '.join(bounds)}; else {step.labels[-1] if step.labels else ''}."
        case s.Match():
            verbs = {
                "extract": f"Take the {step.which} match of {_quoted(step.pattern)} in {step.value}",
                "replace": f"Replace {_quoted(step.pattern)} in {step.value} by {_quoted(step.replacement)}",
                "split": f"Split {step.value} at {_quoted(step.pattern)}",
            }
            return f"{verbs[step.mode]}, as {step.into}."
        case s.Slice():
            stop = "up to the end" if step.stop is None else f"up to, and without, {step.stop}"
            return f"Take the {step.unit} of {step.value} from {step.start} (counted from 0) {stop}, as {step.into}."
        case _:
            assert_never(step)


def _otherwise(unknown: str) -> str:
    return "skip the row" if unknown == "skip" else "are failures"


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


def _values(values: Iterable[s.Scalar], shown: int = 12) -> str:
    every = [str(value) for value in values]
    return ", ".join(every[:shown]) + (f" and {len(every) - shown} more" if len(every) > shown else "")


def _quoted(text: str) -> str:
    return f"“{_cut(text)}”"


def _cut(text: str, limit: int = 200) -> str:
    text = text.replace("\n", " ⏎ ")
    return text if len(text) <= limit else text[: limit - 1] + "…"
