"""Plans whose output is one of several options in the row: by index, letter, key, text, flags, or a column of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from engine.plan.labels.words import folded
from engine.plan.profile import Sample, as_number
from engine.plan.steps import AnyStep, Options, Pick, Shuffle, Template
from engine.plan.structure.draft import Draft
from engine.plan.structure.option_choices import Choice, choices_of
from engine.plan.structure.option_sets import (
    RIGHT,
    WRONG,
    OptionSet,
    listed,
    mostly,
    option_sets,
    own_columns,
)
from engine.plan.structure.roles import answer_is_shown
from engine.plan.structure.shape import Shape
from engine.plan.structure.written_options import BEFORE, sign_of
from engine.plan.template import printed
from engine.records import Task

_OPTION_NAME = re.compile(
    r"choice|option|answer|ans|ending|candidate|alternative|solution|sol|response|hypothesis|(^|_)[a-h]$|^[A-H]$", re.IGNORECASE
)
_NOT = frozenset(("not", "isn", "t", "never", "least", "nicht", "non", "less"))
_NONE_WORDS = (
    "neither",
    "none of these",
    "none of the above",
    "none",
    "no one",
    "nobody",
    "weder noch",
    "keiner",
    "keine",
    "aucun",
    "ninguno",
    "ни один",
    "никто",
    "никакой",
    "都不是",
    "どちらでもない",
    "둘 다 아님",
    "कोई नहीं",
)


def option_drafts(sample: Sample, task: Task, shape: Shape) -> list[Draft]:
    """Every way the columns choose among options, for tasks whose output may be one of them."""
    if task.output.kind == "label" and not letter_labels(task.output.labels):
        return []
    unseen = task.output.kind == "text" and not (shape.count and _may_choose(task))
    drafts: list[Draft | None] = []
    continued = bool(task.examples) and all(example.output.startswith(example.input.strip()) for example in task.examples)
    numbers = [as_number(example.output) is not None for example in task.examples]
    for options in [*own_columns(sample), *option_sets(sample)]:
        if (
            numbers
            and not any(numbers)
            and task.output.kind != "option_letter"
            and all(as_number(text) is not None for row in options.texts for text in row)
        ):
            continue
        asked = _reversed(options, task)
        for choice in choices_of(asked, sample):
            draft = _draft(asked, choice, sample, task, shape)
            copy = _copied(draft, asked, choice, sample, task, shape) if draft is not None and not unseen else None
            if copy is not None:
                drafts.append(copy)
                continue
            drafts.append(_continuing(draft, asked, sample) if continued and unseen and draft is not None else draft)
    found = [draft for draft in drafts if draft is not None]
    return [_unshown(draft, task) for draft in found if draft.prior >= 0.7] if unseen else found


def choosers(sample: Sample) -> set[str]:
    """Columns that by name and value say which of several sibling columns is right: as labels of their own they mean nothing."""
    found = set()
    for options in option_sets(sample):
        if options.members and _OPTION_NAME.search(options.columns[0]):
            found |= {name for choice in choices_of(options, sample) if choice.prior >= 0.85 for name in choice.reads}
    return found


def optional_columns(sample: Sample) -> set[str]:
    """Columns that hold an option each, with another column that by name and value says which of them is right."""
    found = set()
    for options in option_sets(sample):
        if options.members and len(options.columns) > 1 and any(choice.prior >= 0.85 for choice in choices_of(options, sample)):
            found |= set(options.columns)
    return found


def _draft(options: OptionSet, choice: Choice, sample: Sample, task: Task, shape: Shape) -> Draft | None:
    places = Counter(place for place in choice.right if place is not None and place >= 0)
    if not places or (len(places) == 1 and choice.by != "position"):
        return None
    unset = sum(place == -1 for place in choice.right)
    none = _none_word(task) if choice.by == "flags" and unset else None
    letters = task.output.kind == "option_letter" or letter_labels(task.output.labels)
    shown, right = sample.unused("options"), sample.unused("right")
    # With options and no place for "neither" in a letter task, unset rows are skipped.
    pick = Pick(
        options=shown,
        into=right,
        by=choice.by,
        value=choice.value,
        flags=choice.flags,
        base=choice.base,
        none=None if letters else none,
    )
    fixed = choice.by == "position" or max(places.values()) >= 0.9 * places.total()
    if choice.by == "position":
        pick = Pick(options=shown, into=right, by="position", base=0)
    steps: tuple[AnyStep, ...] = (*options.steps, *(step for step in choice.steps if step not in options.steps))
    steps += (
        msgspec.structs.replace(options.step, into=shown),
        pick,
        *((Shuffle(options=shown, note="the right one always had the same place"),) if fixed else ()),
    )
    outputs = []
    for place, row in zip(choice.right, options.texts, strict=True):
        known = place is not None and 0 <= place < len(row)
        outputs.append(row[place] if known and place is not None else (none or "" if place == -1 else ""))
    prior = choice.prior
    reasons = [f"options: {options.what}", f"the right one: {choice.reason}"]
    if (shape.count and not fixed) or (shape.count and options.members == ("right",)):
        same = sum(len(row) == shape.count for row in options.texts) >= 0.5 * len(options.texts)
        prior *= 1.0 if same else 0.65
        reasons.append(f"the examples show {shape.count} options" + ("" if same else f", these rows up to {options.most}"))
    if none:
        reasons.append(f"no option marked gives “{none}”, as the description says")
    if task.output.kind == "text":
        prior *= 0.97 if prior > 0.5 else 0.6
    hidden = tuple(profile.name for profile in sample.profiles if not profile.steps and _answers(profile.name, options, choice))
    return Draft(
        family="options",
        output=f"{{{{ {right}.letter }}}}" if letters else f"{{{{ {right} }}}}",
        reads=tuple(dict.fromkeys((*choice.reads, *options.columns))),
        outputs=tuple(outputs),
        prior=prior,
        reasons=tuple(reasons),
        steps=steps,
        options=shown,
        option_columns=options.columns,
        hidden=hidden,
        letters=letters,
    )


def _copied(draft: Draft, options: OptionSet, choice: Choice, sample: Sample, task: Task, shape: Shape) -> Draft | None:
    """The output as its column has it beside the text that lists the options, where the two agree and the examples list theirs so too."""
    sign = sign_of(options.steps)
    column = options.columns[0]
    if not sign or column in choice.reads or not {column, choice.value} <= set(sample.by_name) or sample.by_name[column].kind != "text":
        return None
    alone = not any(profile.column == column and profile.name.rstrip("_").endswith(BEFORE) for profile in sample.profiles)
    listed_so = shape.style == "" or (not alone and shape.mark and re.sub(r"\W", "", shape.mark)[:1] == sign)
    as_it_stands = choice.by == ("letter" if draft.letters else "text") and (sign == "A" or not draft.letters)
    texts, whole = sample.texts(choice.value), sample.texts(column)
    if not listed_so or not as_it_stands:
        return None
    if draft.letters and not mostly(_shows_letter(text, given) for text, given in zip(texts, whole, strict=True) if text and given):
        return None
    return msgspec.structs.replace(
        draft,
        output=printed(choice.value),
        reads=choice.reads,
        outputs=tuple(text if place is not None and place >= 0 else "" for text, place in zip(texts, choice.right, strict=True)),
        reasons=(f"{column} lists the options itself", *draft.reasons[1:]),
        steps=choice.steps,
        options="",
        option_columns=(),
        shown=(column,),
    )


def _shows_letter(letter: str, text: str) -> bool:
    return letter in "ABCDEFGHIJ" and re.search(rf"(?:^|[\s(\[]){letter}[.):\]]", text) is not None


def _unshown(draft: Draft, task: Task) -> Draft:
    """The same right option as the answer to an input that does not list the options."""
    reasons = (*draft.reasons, "the examples' inputs list no options")
    given = 0.4 if answer_is_shown(task) else 1.0
    return msgspec.structs.replace(draft, family="text", options="", prior=draft.prior * 0.78 * given, reasons=reasons)


def _continuing(draft: Draft, options: OptionSet, sample: Sample) -> Draft | None:
    """The beginning and its right ending as one text, for examples whose outputs start with their inputs."""
    starts = [profile for profile in sample.profiles if profile.free_text and not profile.steps and profile.name not in draft.reads]
    if not options.members or options.members == ("right",) or not starts:
        return None
    start = max(starts, key=lambda profile: profile.chars)
    blank = "" if start.script in ("CJK", "JAPANESE", "THAI") else " "
    wholes = {name: sample.unused(f"whole_{number}") for number, name in enumerate(options.columns)}
    steps: list[AnyStep] = [
        Template(into=whole, template=blank.join((printed(start.name), printed(name)))) for name, whole in wholes.items()
    ]
    for step in draft.steps:
        own = isinstance(step, Options) and step.into == draft.options
        steps.append(msgspec.structs.replace(step, columns=tuple(wholes.values())) if own else step)
    texts = sample.texts(start.name)
    return msgspec.structs.replace(
        draft,
        steps=tuple(steps),
        outputs=tuple(f"{text}{blank}{output}" if output else "" for text, output in zip(texts, draft.outputs, strict=True)),
        shown=(start.name,),
        prior=min(1.0, draft.prior * 1.1),
        reasons=(*draft.reasons, f"the examples' outputs begin with their inputs: {start.name} and the right option as one text"),
    )


def _reversed(options: OptionSet, task: Task) -> OptionSet:
    """The columns of right and wrong changed over where the description asks for the wrong one and never for the right one."""
    if options.members != ("right",) or len(options.columns) != 2:
        return options
    words = folded(task.description).split()
    denied = [word in RIGHT and before in _NOT for before, word in zip(["", *words], words, strict=False)]
    right = sum(word in RIGHT and not no for word, no in zip(words, denied, strict=True))
    if right or not (any(denied) or any(word in WRONG for word in words)):
        return options
    columns = (options.columns[1], options.columns[0])
    texts = tuple((row[1], row[0]) for row in options.texts)
    return OptionSet(Options(into="options", columns=columns), texts, (), columns, options.members, f"the columns {listed(columns)}")


def _answers(name: str, options: OptionSet, choice: Choice) -> bool:
    """Other columns of right and wrong answers say as much as the options themselves."""
    words = set(re.findall(r"[a-z]+", folded(name)))
    return (
        name not in options.columns
        and bool(words & (WRONG | RIGHT - {"pos", "best", "positive", "true", "good", "better", "answer"}))
        and options.members == ("right",)
    )


def _none_word(task: Task) -> str | None:
    said = f"{task.description} {' '.join(example.output for example in task.examples)}".casefold()
    outputs = {example.output.strip().casefold(): example.output.strip() for example in task.examples}
    for word in _NONE_WORDS:
        if word in outputs:
            return outputs[word]
    quoted = re.findall(r"[\"'“„«『「]([^\"'”“»』」]{1,30})[\"'”“»』」]", task.description)
    for text in quoted:
        if text.strip().casefold() in _NONE_WORDS:
            return str(text).strip()
    return next((word for word in _NONE_WORDS if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said)), None)


def _may_choose(task: Task) -> bool:
    """The examples' outputs stand in their inputs, or the description speaks of choosing."""
    inside = [example.output.strip() in example.input for example in task.examples if example.output.strip()]
    return bool(inside) and sum(inside) * 2 >= len(inside)


def letter_labels(labels: Sequence[str]) -> bool:
    """The labels are letters that stand for options."""
    return len(labels) >= 2 and sorted(labels) == list("ABCDEFGHIJKL"[: len(labels)])
