"""What is wrong with a plan before any row is read: names, types, patterns, templates, labels, leaks, needless model calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from engine.errors import EngineError
from engine.plan.builders import build, is_value_step
from engine.plan.file import nearest
from engine.plan.flow import Fact, Flow
from engine.plan.leaks import leaks
from engine.plan.names import gives, reads
from engine.plan.steps import (
    AnyStep,
    Bin,
    Borrow,
    Check,
    Explode,
    Fit,
    Group,
    Join,
    Keep,
    Map,
    Options,
    Pick,
    Plan,
    Sample,
    Shuffle,
    Slice,
    Spans,
    Write,
)
from engine.plan.template import compile_template, printed
from engine.plan.value_steps import Context, characters_by_four
from engine.plan.values import as_text
from engine.records import Column, Task

ROW_STEPS = (Explode, Group, Join, Sample, Borrow)
"""Steps that need more than the unit they stand at; they run before any model is asked."""


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a plan. An "error" keeps it from running, a "warning" is for the reader."""

    step: int
    """Counted from 1; 0 for emit and the plan as a whole."""
    title: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def place(self, plan: Plan) -> str:
        """Such as "step 3, pick"."""
        return f"step {self.step}, {step_word(plan.steps[self.step - 1])}" if self.step else "emit" if plan.emit else "plan"


Found = Iterator[tuple[str, str]]


def check_plan(plan: Plan, columns: Sequence[Column], task: Task) -> list[Problem]:
    """All problems, in the order of the steps; a plan without errors compiles and runs on any rows with these columns."""
    try:
        msgspec.json.encode(plan)
    except UnicodeEncodeError:
        return [Problem(0, "a text in it holds half a character", "Write it anew: a lone surrogate is no text.")]
    if plan.prose or plan.emit is None:
        return list(_check_prose(plan, columns))
    flow = Flow(columns)
    problems: list[Problem] = []
    for number, step in enumerate(plan.steps, 1):
        found = list(_check_step(number, step, plan, flow, columns))
        problems += [Problem(number, title, hint) for title, hint in found]
        try:
            flow.add(step)
        except EngineError:
            for name in gives(step):
                flow.facts.setdefault(name, Fact())
    return problems + list(_check_emit(plan, flow, task, bool(problems))) + list(_check_models(plan, flow, task))


def step_word(step: AnyStep) -> str:
    """The word after `do`."""
    return str(step.__struct_config__.tag)


# ── prose ─────────────────────────────────────────────────────────────────────────────────────────────────


def _check_prose(plan: Plan, columns: Sequence[Column]) -> Iterator[Problem]:
    if not plan.prose:
        yield Problem(0, "the plan has neither [emit] nor prose", "Add [emit] with input and output.")
        return
    if plan.steps or plan.emit is not None:
        yield Problem(0, "a prose plan has no steps and no [emit]", "Keep either the prose or the steps.")
    if not all(line.strip() for line in plan.prose):
        yield Problem(0, "a line of the prose is empty", "Write one instruction a line.")
    names = [column.name for column in columns]
    for name in plan.columns:
        if name not in names:
            yield Problem(0, f"there is no column `{name}`{nearest(name, names)}", f"Columns: {', '.join(names[:20])}.")


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────


def _check_step(number: int, step: AnyStep, plan: Plan, flow: Flow, columns: Sequence[Column]) -> Found:
    try:
        needed = reads(step, flow.known)
    except EngineError as error:
        yield error.title, error.hint
        return
    missing = [name for name in needed if not flow.exists(name)]
    for name in missing:
        yield f"there is no `{name}`{nearest(name, flow.facts)}", f"Names so far: {', '.join(list(flow.facts)[:20])}."
    yield from _check_given(step, flow)
    if isinstance(step, ROW_STEPS):
        yield from _check_row_step(number, step, plan, flow, columns)
    if missing:
        return
    test = _TESTS.get(type(step))
    faults = list(test(step, flow)) if test is not None else []
    yield from faults
    if is_value_step(step) and not faults:
        class_names = {column.name: column.class_names for column in columns if column.class_names}
        try:
            build(step, Context(class_names, flow.known, 0, characters_by_four))
        except EngineError as error:
            yield error.title, error.hint


def _check_given(step: AnyStep, flow: Flow) -> Found:
    for name in gives(step):
        if name in flow.facts:
            yield f"`{name}` exists already", "Give the value another name."
    if len(set(gives(step))) < len(gives(step)):
        yield "one name is given twice", "Give each value its own name."


def _check_row_step(number: int, step: AnyStep, plan: Plan, flow: Flow, columns: Sequence[Column]) -> Found:
    earlier = plan.steps[: number - 1]
    if any(isinstance(before, Write | Check) for before in earlier):
        yield "stands after a step that asks a model", "Put it first: which units there are is settled before any call."
    if isinstance(step, Group) and any(isinstance(before, ROW_STEPS) for before in earlier):
        yield "stands after another step that changes the units", "Group the rows first, once."
    if isinstance(step, Join):
        names = [column.name for column in columns]
        if not step.config and not step.split and step.right not in names:
            yield f"there is no column `{step.right}` to join with{nearest(step.right, names)}", "`right` is a column of the other table."
        clash = [name for name in flow.facts if step.prefix and name.startswith(step.prefix)]
        if not step.prefix or clash:
            yield f"the prefix {step.prefix!r} does not set the joined columns apart", "Give it a prefix no name begins with."
    if isinstance(step, Borrow):
        own = {name for before in earlier if isinstance(before, Explode | Join | Group | Borrow) for name in gives(before)}
        own |= {name for before in earlier if isinstance(before, Group) for name in (*before.collect, *before.majority)}
        prefixes = tuple(before.prefix for before in earlier if isinstance(before, Join))
        for name in (step.value, *step.different):
            if _needs(name, earlier, flow) & own or (prefixes and name.startswith(prefixes)):
                yield f"`{name}` is not a value every row has by itself", "Borrow a column, or what value steps made of columns."


def _needs(name: str, earlier: Sequence[AnyStep], flow: Flow) -> set[str]:
    needed = {name}
    for before in reversed(earlier):
        if needed & set(gives(before)):
            needed |= set(reads(before, flow.known))
    return needed


def _list_kind(name: str, flow: Flow) -> Found:
    kind = flow.fact(name).kind
    if kind == "text":
        yield f"`{name}` is text, not a list", "Split it (match) or parse it first."
    elif kind in ("integer", "number", "boolean"):
        yield f"`{name}` is a {kind}, not a list", "Name a list."


def _test_keep(step: Keep, flow: Flow) -> Found:
    conditions = (step.one_of, step.not_one_of, step.at_least, step.at_most, step.min_chars, step.max_chars, step.matches, step.language)
    if all(condition is None for condition in conditions):
        yield "no condition is given", "One of: one_of, not_one_of, at_least, at_most, min_chars, max_chars, matches, language."
    for low, high in ((step.at_least, step.at_most), (step.min_chars, step.max_chars)):
        if low is not None and high is not None and low > high:
            yield f"nothing lies between {low} and {high}", "Swap them."
    if step.one_of == ():
        yield "one_of is empty, so nothing is kept", "List the values to keep."


def _test_explode(step: Explode, flow: Flow) -> Found:
    yield from _list_kind(step.value, flow)
    if bool(step.window) != bool(step.window_into) or step.window < 0 or step.first < 0:
        yield "window and window_into go together and count from 0 up", "Give both, or neither."


def _test_group(step: Group, flow: Flow) -> Found:
    if not step.by:
        yield "`by` names nothing", "Name the columns in which the rows of a group agree."
    if set(step.majority) & set(step.collect):
        yield "a column is in both majority and collect", "Choose one."


def _test_sample(step: Sample, flow: Flow) -> Found:
    if step.size < 0 or step.per_value < 0 or not (step.size or step.per_value):
        yield "no number is given", "Give size, or balance with per_value."
    if bool(step.balance) != bool(step.per_value):
        yield "balance and per_value go together", "Give both, or neither."


def _test_map(step: Map, flow: Flow) -> Found:
    if not step.table:
        yield "the table is empty", "Write one line for each value."
    seen: dict[str, str] = {}
    for key, value in step.table.items():
        if seen.setdefault(as_text(key), value) != value:
            yield f"the table says two things of `{as_text(key)}`", "Keys that read the same, as 1 and 1.0, are one."


def _test_bin(step: Bin, flow: Flow) -> Found:
    if not step.thresholds:
        yield "there is no threshold", "Give at least one."
    if list(step.thresholds) != sorted(set(step.thresholds)):
        yield "the thresholds do not rise", "Write them from low to high."


def _test_slice(step: Slice, flow: Flow) -> Found:
    kind = flow.fact(step.value).kind
    if step.unit == "items":
        yield from _list_kind(step.value, flow)
    elif kind in ("list", "dict"):
        yield f"`{step.value}` is a {kind}, not text", 'Use unit = "items".'


def _test_spans(step: Spans, flow: Flow) -> Found:
    yield from _list_kind(step.tokens, flow)
    yield from _list_kind(step.tags, flow)


def _test_fit(step: Fit, flow: Flow) -> Found:
    if step.tokens < 1:
        yield "no token is left", "Give a number above 0."


def _test_options(step: Options, flow: Flow) -> Found:
    if sum(map(bool, (step.columns, step.list, step.texts, step.dictionary))) != 1:
        yield "the options need exactly one source", "One of: columns, list, texts (with keys), dictionary."
        return
    if step.keys and not step.texts:
        yield "`keys` goes with `texts`", "Give both."
    if step.columns and (len(step.columns) < 2 or len(set(step.columns)) < len(step.columns)):
        yield "there must be at least two different columns", "Name one column for each option."
    for name in (step.list, step.texts, step.keys):
        yield from _list_kind(name, flow) if name else ()
    if step.dictionary and flow.fact(step.dictionary).kind not in ("dict", "any"):
        yield f"`{step.dictionary}` is not a dictionary", "Parse it first, or use list or columns."


def _test_pick(step: Pick, flow: Flow) -> Found:
    facts = flow.options.get(step.options)
    if facts is None:
        yield f"`{step.options}` is no set of options", "Put an options step before the pick."
        return
    if step.by in ("index", "letter", "key", "text") and (not step.value or step.flags):
        yield f'by = "{step.by}" needs `value` and no flags', "Name what says which option is right."
    if step.by in ("flags", "best") and (not step.flags or step.value):
        yield f'by = "{step.by}" needs `flags` and no value', "Name one value for each option, or one list."
    if step.by == "position" and (step.value or step.flags):
        yield 'by = "position" takes neither value nor flags', "Give base: the place of the right one, from 0."
    if step.by == "position" and (step.base < 0 or (facts.columns and step.base >= len(facts.members))):
        yield f"there is no option number {step.base}", "base counts from 0."
    if step.by == "key" and not facts.keyed:
        yield "these options have no keys", "Give keys, or pick by index, letter or text."
    if step.none is not None and step.by != "flags":
        yield "`none` goes with flags", "Leave it out."
    if step.flags and facts.columns and len(step.flags) not in (1, len(facts.members)):
        yield f"{len(step.flags)} flags for {len(facts.members)} options", "Name one flag for each option, in their order."
    if len(step.flags) == 1 and step.by in ("flags", "best"):
        yield from _list_kind(step.flags[0], flow)


def _test_shuffle(step: Shuffle, flow: Flow) -> Found:
    if step.options not in flow.options:
        yield f"`{step.options}` is no set of options", "Put an options step before the shuffle."


def _test_write(step: Write, flow: Flow) -> Found:
    if not step.into:
        yield "`into` names nothing", "Name what the model is to write."
    if not step.given:
        yield "`given` names nothing", "Name what the model is to be shown."
    if step.max_chars < 1:
        yield "max_chars is below 1", "Give a number above 0."


def _test_check(step: Check, flow: Flow) -> Found:
    if not step.given:
        yield "`given` names nothing", "Name what the model is to be shown."


_TESTS: dict[type[Any], Callable[[Any, Flow], Found]] = {
    Keep: _test_keep,
    Explode: _test_explode,
    Group: _test_group,
    Sample: _test_sample,
    Map: _test_map,
    Bin: _test_bin,
    Slice: _test_slice,
    Spans: _test_spans,
    Fit: _test_fit,
    Options: _test_options,
    Pick: _test_pick,
    Shuffle: _test_shuffle,
    Write: _test_write,
    Check: _test_check,
}


# ── emit ──────────────────────────────────────────────────────────────────────────────────────────────────


def _check_emit(plan: Plan, flow: Flow, task: Task, broken: bool) -> Iterator[Problem]:
    assert plan.emit is not None
    facts: dict[str, Fact] = {}
    for field, template in (("input", plan.emit.input), ("output", plan.emit.output)):
        try:
            compiled = compile_template(template)
        except EngineError as error:
            yield Problem(0, f"{field}: {error.title}", error.hint)
            continue
        missing = sorted(name for name in compiled.names if not flow.exists(name))
        for name in missing:
            yield Problem(0, f"{field}: there is no `{name}`{nearest(name, flow.facts)}", f"Names: {', '.join(list(flow.facts)[:20])}.")
        for name in sorted(compiled.names - set(missing)):
            if flow.fact(name).kind == "binary":
                yield Problem(0, f"{field}: `{name}` holds bytes, not text", "Leave it out.")
        if not compiled.uses:
            yield Problem(0, f"{field}: the same for every row", f"Name a value, as in {printed('name')}.")
        elif not missing:
            facts[field] = flow.text(template)
    if len(facts) < 2 or broken:
        return
    yield from _check_output(facts["output"], facts["input"], flow, task)
    for leak in leaks(facts["input"], facts["output"], flow):
        yield Problem(0, leak.title, leak.hint, "error" if leak.certain else "warning")


def _check_output(output: Fact, given: Fact, flow: Flow, task: Task) -> Iterator[Problem]:
    if output.texts is not None:
        if len(output.texts) < 2:
            yield Problem(0, "output: the same for every row", "An output has to depend on the row.")
        outside = sorted(output.texts - set(task.output.labels)) if task.output.kind == "label" else []
        if outside:
            shown = ", ".join(f"`{text}`" for text in outside[:5])
            yield Problem(0, f"output: {shown} not among the task's labels", f"Labels: {', '.join(task.output.labels)}.")
    if task.output.kind in ("option_text", "option_letter"):
        columnwise = any(all(any(part in given.parts for part in member) for member in facts.members) for facts in flow.options.values())
        if flow.options and not given.shows and not columnwise:
            yield Problem(0, "input: the options are not shown", "Show them, as in {{ options }} or {{ options.lettered }}.")
        if not flow.options:
            yield Problem(0, "no step makes options, so that outputs can hardly be checked", "Add an options step.", "warning")


def _check_models(plan: Plan, flow: Flow, task: Task) -> Iterator[Problem]:
    writes = [(number, step) for number, step in enumerate(plan.steps, 1) if isinstance(step, Write)]
    if not writes or plan.emit is None:
        return
    used: set[str] = set()
    for text in (plan.emit.input, plan.emit.output):
        try:
            used |= compile_template(text).names
        except EngineError:
            return
    for number, step in reversed(list(enumerate(plan.steps, 1))):
        try:
            if isinstance(step, Check | Keep) or used & set(gives(step)) or (isinstance(step, Shuffle) and step.options in used):
                used |= set(reads(step, flow.known))
            elif isinstance(step, Write):
                yield Problem(number, "asks a model for what nothing uses", "Leave the step out.", "warning")
        except EngineError:
            return
    written = {name for _, step in writes for name in step.into}
    if task.output.kind != "text" and compile_template(plan.emit.output).names & written:
        yield Problem(0, "the model chooses the output itself", "Take it from a column where one tells it.", "warning")
