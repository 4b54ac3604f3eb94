"""Plans whose label several columns give together: a column for each label that is true or false, or counts its votes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from engine.plan.labels.mapping import match_names
from engine.plan.labels.relevance import concerns
from engine.plan.labels.vocabularies import place_in_a_row
from engine.plan.labels.words import NEGATIONS, folded
from engine.plan.profile import ColumnProfile, Sample, as_number, as_text
from engine.plan.steps import AnyStep, Keep, Map, Template
from engine.plan.structure.draft import Draft
from engine.plan.structure.option_sets import siblings
from engine.plan.template import printed
from engine.records import Task, Value

_PAIRS = (("true", "false"), ("1", "0"), ("yes", "no"), ("t", "f"), ("y", "n"))
_BOTH = frozenset("both beide beides deux ambos ambas entrambi оба обе 两者 两个 両方 둘다 كلاهما दोनों ikisi keduanya".split()) | {
    "les deux"
}
_MOST_FLAGS = 40


class _Group(Value):
    """Columns of which each, when true, says a label."""

    labels: dict[str, str]
    """Column → label."""
    rest: str
    """The label of rows with none true; "" when there is none."""
    both: str
    """The label of rows with all of two true."""
    reason: str


def flag_drafts(sample: Sample, task: Task) -> list[Draft]:
    """A draft for each set of truth columns, and for each set of columns of votes, that have the task's labels among them."""
    labels = task.output.labels
    if len(labels) < 2:
        return []
    flags = {name: pair for profile in sample.profiles if (name := profile.name) and (pair := _truth_of(profile))}
    drafts = [_flagged(group, flags, sample, task) for group in _groups(flags, sample, task)]
    drafts.append(_voted(sample, task, set(flags)))
    return [draft for draft in drafts if draft is not None]


def _truth_of(profile: ColumnProfile) -> tuple[str, str] | None:
    """How a column writes true and false; a column that is false throughout may be the flag of a rare label."""
    plain = {value.casefold(): value for value in profile.counts}
    for true, false in _PAIRS:
        if plain and set(plain) <= {true, false} and len(plain) == len(profile.counts) and false in plain:
            written = plain[false]
            return plain.get(true, true.upper() if written.isupper() else true.title() if written.istitle() else true), written
    return None


def _groups(flags: dict[str, tuple[str, str]], sample: Sample, task: Task) -> Iterator[_Group]:
    labels = task.output.labels
    named = match_names(list(flags), labels, task.language)
    missing = [label for label in labels if label not in named.values()]
    if len(named) >= 2 and len(set(named.values())) == len(named) and (not missing or (len(missing) == 1 and _says_none(missing[0]))):
        reason = "; ".join(f"{column} says {label}" for column, label in named.items())
        yield _Group(named, missing[0] if missing else "", "", reason)
    for signs, names in siblings([profile.name for profile in sample.profiles]):
        if not set(names) <= set(flags):
            continue
        group = _numbered(signs, names, labels)
        if group is not None:
            yield group


def _numbered(signs: Sequence[str], names: Sequence[str], labels: Sequence[str]) -> _Group | None:
    """Labels that count sibling columns ("1", "second", "A"), with one for none of them and one for both."""
    both = next((label for label in labels if folded(label) in _BOTH), "") if len(names) == 2 else ""
    left = [label for label in labels if label != both]
    by_sign = {name: label for sign, name in zip(signs, names, strict=True) for label in left if label.casefold() == sign.casefold()}
    places = {label: place for label in left if (place := place_in_a_row(label)) is not None}
    if len(by_sign) == len(names) and not set(signs) & set("0"):
        found = by_sign
    else:
        base = 1 if set(range(1, len(names) + 1)) <= set(places.values()) else 0
        found = {names[place - base]: label for label, place in places.items() if 0 <= place - base < len(names)}
    rest = [label for label in left if label not in found.values()]
    if len(found) != len(names) or len(rest) > 1 or (rest and not _says_none(rest[0])):
        return None
    reason = "; ".join(f"{column} true is {label}" for column, label in found.items())
    return _Group(found, rest[0] if rest else "", both, reason)


def _says_none(label: str) -> bool:
    return place_in_a_row(label) == 0 or folded(label) in NEGATIONS or folded(label).split()[:1] in (["none"], ["no"], ["not"], ["neutral"])


def _flagged(group: _Group, flags: dict[str, tuple[str, str]], sample: Sample, task: Task) -> Draft | None:
    columns = list(group.labels)
    if len(columns) > _MOST_FLAGS:
        return None

    def pattern(*true: str) -> str:
        return " ".join(flags[column][0 if column in true else 1] for column in columns)

    table = {pattern(column): label for column, label in group.labels.items()}
    if group.rest:
        table[pattern()] = group.rest
    if group.both:
        table[pattern(*columns)] = group.both
    rows = [" ".join(as_text(sample.values[column][row]) for column in columns) for row in range(sample.rows)]
    outputs = tuple(table.get(row, "") for row in rows)
    several = sum(row not in table and row != pattern() for row in rows) / max(1, len(rows))
    if len(set(filter(None, outputs))) < 2:
        return None
    together, word = sample.unused("flags"), sample.unused("label_word")
    steps = _steps_of(columns, sample)
    steps += (
        Template(into=together, template=" ".join(map(printed, columns)), note=", ".join(columns)),
        Map(value=together, into=word, table=table),
    )
    known = any(concerns(column, f"{task.description} {' '.join(task.output.labels)}") for column in columns)
    reasons = [group.reason]
    if group.rest:
        reasons.append(f"none of them true is {group.rest}")
    if several:
        reasons.append(f"{100 * several:.0f} % of the rows have several of them true and are left out")
    return Draft(
        family="label",
        output=printed(word),
        reads=tuple(dict.fromkeys(sample.by_name[column].column for column in columns)),
        outputs=outputs,
        prior=(0.92 if known else 0.85) * (1 - several / 2),
        reasons=tuple(reasons),
        steps=steps,
    )


def _voted(sample: Sample, task: Task, flags: set[str]) -> Draft | None:
    """The label whose column has the highest number, rows with a tie left out."""
    counted = [
        profile.name
        for profile in sample.profiles
        if profile.numeric and profile.low is not None and profile.low >= 0 and not profile.id_like and profile.name not in flags
    ]
    named = match_names(counted, task.output.labels, task.language)
    if len(named) < 2 or set(named.values()) != set(task.output.labels) or len(named) != len(task.output.labels):
        return None
    columns = list(named)
    outputs = []
    for row in range(sample.rows):
        votes = [as_number(sample.values[column][row]) or 0.0 for column in columns]
        outputs.append("" if votes.count(max(votes)) > 1 else named[columns[votes.index(max(votes))]])
    told = sum(map(bool, outputs)) / max(1, len(outputs))
    if told < 0.5 or len(set(filter(None, outputs))) < 2:
        return None
    word = sample.unused("label_word")
    numbers = {column: f"({printed(column)[3:-3]} | float)" for column in columns}
    branches = [
        "{% "
        + ("if " if place == 0 else "elif ")
        + " and ".join(f"{numbers[column]} > {numbers[other]}" for other in columns if other != column)
        + " %}"
        + "{{ "
        + json.dumps(named[column], ensure_ascii=False)
        + " }}"
        for place, column in enumerate(columns)
    ]
    steps: tuple[AnyStep, ...] = (
        *_steps_of(columns, sample),
        Template(into=word, template="".join(branches) + "{% endif %}", note="the label with the highest number"),
        Keep(value=word, one_of=tuple(task.output.labels), note="rows without a tie"),
    )
    return Draft(
        family="label",
        output=printed(word),
        reads=tuple(dict.fromkeys(sample.by_name[column].column for column in columns)),
        outputs=tuple(outputs),
        prior=0.8 * told,
        reasons=("; ".join(f"{column} counts for {label}" for column, label in named.items()), "the highest of them gives the label"),
        steps=steps,
    )


def _steps_of(columns: Sequence[str], sample: Sample) -> tuple[AnyStep, ...]:
    """Steps that read nested columns out, each once."""
    found: list[AnyStep] = []
    for column in columns:
        found += [step for step in sample.by_name[column].steps if step not in found]
    return tuple(found)
