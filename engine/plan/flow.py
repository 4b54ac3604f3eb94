"""Dataflow through a plan: which parts of which columns decide a value, so that no output can be read off its input.

A part is a path: a column, then the keys, items, slices or pattern groups taken of it. Two parts overlap unless some step of
the paths takes different pieces (`qa.question` and `qa.answer`, group 1 and group 2 of one pattern, an item and those before it).
What decides a value is everything it is computed from, with three exceptions, which are the tasks themselves: a pick is decided by
its index, letter, key or flags, and drawn from options that may be shown if all are; spans are decided by the tags, and drawn
from tokens that may be shown; what a model writes is decided by the model, and only remembered as knowing what it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from engine.errors import BadInput
from engine.plan.names import gives
from engine.plan.paths import split_path
from engine.plan.patterns import group_parents
from engine.plan.steps import (
    AnyStep,
    Bin,
    Borrow,
    Case,
    Each,
    Explode,
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
    Plan,
    Shuffle,
    Slice,
    Spans,
    Template,
    Write,
)
from engine.plan.template import Path, compile_template
from engine.plan.values import as_text
from engine.records import Column, OutputOrigin

Kind = Literal["any", "text", "integer", "number", "boolean", "list", "dict", "options", "pick", "binary"]
Part = tuple[tuple[str | int, ...], ...]

_KINDS: dict[str, Kind] = {
    "text": "text",
    "integer": "integer",
    "class": "integer",
    "number": "number",
    "boolean": "boolean",
    "list": "list",
    "dict": "dict",
    "binary": "binary",
}
_PRINTED_AS_IS = ("any", "text", "integer", "pick")
_ORIGINS: tuple[OutputOrigin, ...] = ("copied", "derived", "written")


class Fact(msgspec.Struct, frozen=True):
    """What is known of a value before any row is read."""

    kind: Kind = "any"
    parts: frozenset[Part] = frozenset()
    """What decides it."""
    picked_from: frozenset[str] = frozenset()
    """Option sets it is drawn from."""
    shows: frozenset[str] = frozenset()
    """Option sets it shows whole."""
    knows: frozenset[Part] = frozenset()
    """What a model that wrote it was shown."""
    knows_picks: frozenset[str] = frozenset()
    origin: OutputOrigin = "copied"
    texts: frozenset[str] | None = None
    """All texts it can have, where they are known."""


class OptionFact(msgspec.Struct, frozen=True):
    """What is known of a set of options."""

    members: tuple[frozenset[Part], ...]
    """The parts of each option's text; one entry for all where they come from one list."""
    columns: bool
    keyed: bool
    shuffled: bool = False
    fixed: bool = False
    """The right one was picked by position: without a shuffle it always stands in the same place."""

    @property
    def parts(self) -> frozenset[Part]:
        """The parts of all options."""
        return frozenset().union(*self.members)


class Flow:
    """The facts of all names after the steps added so far; without columns every name counts as one."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.facts = {column.name: _column(column) for column in columns}
        self.options: dict[str, OptionFact] = {}
        self.picks: dict[str, str] = {}
        """Pick → the options it is from."""
        self._prefixes: list[tuple[str, bool]] = []
        self._class_names = {column.name: column.class_names for column in columns}
        self._open = not columns

    def exists(self, name: str) -> bool:
        """Whether the name can be read; any name with a join's prefix may be there."""
        return self._open or name in self.facts or any(name.startswith(prefix) and name != prefix for prefix, _ in self._prefixes)

    @property
    def known(self) -> _Known:
        """The names as a set to look into."""
        return _Known(self)

    def fact(self, name: str) -> Fact:
        """What is known of a name; of a joined one only where it comes from."""
        if name in self.facts:
            return self.facts[name]
        for prefix, same_row in self._prefixes:
            if name.startswith(prefix):
                original = name.removeprefix(prefix)
                if same_row and original in self.facts:
                    return self.facts[original]
        return Fact(parts=frozenset({((name,),)}))

    def use(self, name: str, path: Path, overlay: dict[str, Fact] | None = None) -> Fact:
        """What a template gets from a name at a path."""
        fact = (overlay or {}).get(name) or self.fact(name)
        if fact.kind == "options":
            whole = path in ((), ("lettered",))
            return Fact(shows=frozenset({name}), origin="derived") if whole else msgspec.structs.replace(fact, kind="any", origin="derived")
        if fact.kind == "pick":
            if path == ("options",):
                return Fact(shows=frozenset({self.picks[name]}), origin="derived")
            return fact if path in ((), ("text",)) else msgspec.structs.replace(fact, kind="any", origin="derived")
        return fact if not path else _deeper(fact, *(("index" if isinstance(key, int) else "key", key) for key in path))

    def text(self, template: str, overlay: dict[str, Fact] | None = None) -> Fact:
        """What is known of a rendered template. Raises BadInput for one that cannot be compiled."""
        compiled = compile_template(template)
        if compiled.sole_use is not None:
            fact = self.use(*compiled.sole_use, overlay)
            if fact.kind not in _PRINTED_AS_IS:
                fact = msgspec.structs.replace(fact, origin=max(fact.origin, "derived", key=_ORIGINS.index))
            return fact
        texts = None if compiled.uses else frozenset({template.strip()})
        return _merged([self.use(name, path, overlay) for name, path in compiled.uses], "text", "derived", texts)

    def add(self, step: AnyStep) -> None:
        """Follow one step. Raises BadInput for templates and paths that cannot be read."""
        match step:
            case Keep():
                self._keep(step)
            case Group():
                for name in step.collect:
                    self.facts[name] = msgspec.structs.replace(self.fact(name), kind="list", texts=None)
            case Join():
                same_row = step.left == step.right and not step.config and not step.split
                self._prefixes.append((step.prefix, same_row))
            case Explode():
                value = self.fact(step.value)
                if value.kind == "options":
                    value = Fact(parts=value.parts)
                self.facts[step.into] = _deeper(value, ("item",))
                if step.index_into:
                    self.facts[step.index_into] = Fact(kind="integer", parts=frozenset({((step.index_into,),)}), origin="derived")
                if step.window_into:
                    self.facts[step.window_into] = msgspec.structs.replace(_deeper(value, ("earlier",)), kind="list")
            case Options():
                self._options(step)
            case Pick():
                self._pick(step)
            case Shuffle():
                if step.options in self.options:
                    self.options[step.options] = msgspec.structs.replace(self.options[step.options], shuffled=True)
            case Write():
                given = [self.use(name, ()) for name in step.given]
                knows = frozenset().union(*(fact.parts | fact.knows for fact in given))
                picks = frozenset().union(*(fact.picked_from | fact.knows_picks for fact in given))
                for name in step.into:
                    self.facts[name] = Fact("text", frozenset({((f"written {name}",),)}), knows=knows, knows_picks=picks, origin="written")
            case _:
                for name in gives(step):
                    self.facts[name] = self._value(step)

    def _value(self, step: AnyStep) -> Fact:
        match step:
            case Get():
                root, path = split_path(step.path, self.exists)
                return self.use(root, path)
            case Parse():
                return _merged(
                    [_deeper(self.fact(step.value), ("parsed", step.form))], "number" if step.form == "number" else "any", "derived"
                )
            case Names():
                return _merged([self.fact(step.value)], "text", "derived", self._class_texts(step))
            case Map():
                value = self.fact(step.value)
                reached = (
                    step.table.items() if value.texts is None else [(k, v) for k, v in step.table.items() if as_text(k) in value.texts]
                )
                return _merged([value], "text", "derived", frozenset(text for _, text in reached))
            case Bin():
                return _merged([self.fact(step.value)], "text", "derived", frozenset(step.labels))
            case Match():
                value = self.fact(step.value)
                if step.mode == "extract":
                    value = _deeper(value, ("match", step.pattern, step.which, step.group))
                elif step.mode == "split":
                    value = _deeper(value, ("split", step.pattern))
                return _merged([value], "list" if step.mode == "split" else "text", "derived")
            case Slice():
                value = self.fact(step.value)
                end = "" if step.stop is None else step.stop
                return _merged(
                    [_deeper(value, ("slice", step.unit, step.start, end))], "list" if step.unit == "items" else "text", "derived"
                )
            case Spans():
                return _merged([self.fact(step.tags)], "text", "derived")
            case Each():
                value = self.fact(step.value)
                item = Fact(shows=frozenset({step.value})) if value.kind == "options" else _deeper(value, ("item",))
                return msgspec.structs.replace(self.text(step.template, {"item": item, "index": Fact()}), kind="text", origin="derived")
            case Case():
                branches = [self.text(when.then) for when in step.when]
                branches += [self.text(step.otherwise)] if step.otherwise is not None else []
                texts = (
                    frozenset().union(*(fact.texts or () for fact in branches))
                    if all(fact.texts is not None for fact in branches)
                    else None
                )
                return _merged([*(self.fact(when.value) for when in step.when), *branches], "text", "derived", texts)
            case Borrow():
                return Fact(self.fact(step.value).kind, frozenset({((f"borrowed {step.into}",),)}))
            case Template():
                return self.text(step.template)
        return _merged([self.fact(getattr(step, "value", ""))], "text", "derived")

    def _class_texts(self, step: Names) -> frozenset[str] | None:
        names = step.names or self._class_names.get(step.value, ())
        places = self.fact(step.value).texts
        if not names or places is None:
            return frozenset(names) or None
        return frozenset(name for place, name in enumerate(names) if {str(place), name} & places)

    def _keep(self, step: Keep) -> None:
        fact = self.fact(step.value)
        if fact.kind in ("options", "pick"):
            return
        texts = fact.texts
        if step.one_of is not None:
            allowed = frozenset(map(as_text, step.one_of))
            texts = allowed if texts is None else frozenset(text for text in texts if as_text(text) in allowed)
        if step.not_one_of is not None and texts is not None:
            texts = texts - frozenset(map(as_text, step.not_one_of))
        self.facts[step.value] = msgspec.structs.replace(fact, texts=texts)

    def _options(self, step: Options) -> None:
        if step.columns:
            members = tuple(self.fact(name).parts for name in step.columns)
        else:
            members = (self.fact(step.list or step.texts or step.dictionary).parts,)
        facts = [self.fact(name) for name in (*step.columns, step.list, step.texts, step.dictionary) if name]
        self.options[step.into] = OptionFact(members, bool(step.columns), bool(step.columns or step.keys or step.dictionary or step.list))
        self.facts[step.into] = _merged(facts, "options", "copied")

    def _pick(self, step: Pick) -> None:
        facts = [self.fact(name) for name in (step.value, *step.flags) if name]
        decided = _merged(facts, "pick", "copied")
        drawn = self.fact(step.options)
        self.picks[step.into] = step.options
        self.facts[step.into] = Fact(
            "pick",
            decided.parts | {((f"picked {step.into}",),)},
            picked_from=frozenset({step.options}),
            knows=decided.knows | drawn.knows,
            origin=drawn.origin,
        )
        if step.by == "position" and step.options in self.options:
            self.options[step.options] = msgspec.structs.replace(self.options[step.options], fixed=True)


class _Known(frozenset[str]):
    """A set of names that also holds whatever a join may add."""

    _flow: Flow

    def __new__(cls, flow: Flow) -> _Known:
        known = super().__new__(cls, flow.facts)
        known._flow = flow
        return known

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._flow.exists(name)


def origin_of_output(plan: Plan, columns: Sequence[Column] = ()) -> OutputOrigin:
    """Where outputs come from: "copied" (a column's, nested value's or option's text as it stands), "derived" from the row by
    deterministic steps, or "written" by a model. Without `columns` every column counts as text."""
    if plan.emit is None:
        return "written"
    flow = Flow(columns)
    try:
        for step in plan.steps:
            flow.add(step)
        return flow.text(plan.emit.output).origin
    except BadInput:
        return "derived"


def overlap(first: Part, second: Part) -> bool:
    """Whether two parts can share text: those of two columns never do, whatever the columns are called."""
    if first[0] != second[0]:
        return False
    for one, other in zip(first, second, strict=False):
        if one != other:
            return not _apart(one, other)
    return True


def shown_part(part: Part) -> str:
    """A part for people: `answers.text`."""
    steps = [f".{step[1]}" if step[0] == "key" else f"[{step[1]}]" if step[0] == "index" else "" for step in part[1:]]
    return str(part[0][0]) + "".join(steps)


def _apart(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
    kinds = {one[0], other[0]}
    if len(one) == 1 and len(other) == 1:
        return kinds == {"item", "earlier"} or not kinds & {"item", "earlier"}
    if kinds == {"key"}:
        return True
    if kinds == {"index"}:
        return (int(one[1]) < 0) == (int(other[1]) < 0)
    if kinds == {"match"} and one[1:3] == other[1:3]:
        parents = group_parents(str(one[1]))
        return not _nested(parents, int(one[3]), int(other[3]))
    if kinds == {"slice"} and one[1] == other[1]:
        return _slices_apart(one[2:], other[2:]) or _slices_apart(other[2:], one[2:])
    return False


def _nested(parents: tuple[int, ...], one: int, other: int) -> bool:
    def above(group: int) -> set[int]:
        found = {group}
        while group and group <= len(parents):
            group = parents[group - 1]
            found.add(group)
        return found

    return (one in above(other)) or (other in above(one))


def _slices_apart(early: tuple[str | int, ...], late: tuple[str | int, ...]) -> bool:
    """Whether the first slice ends where the second begins or earlier, counted from the same end."""
    stop, start = early[1], int(late[0])
    return stop != "" and (int(stop) < 0) == (start < 0) and int(stop) <= start and (start < 0 or int(early[0]) >= 0)


def _column(column: Column) -> Fact:
    texts = frozenset(str(place) for place in range(len(column.class_names))) if column.kind == "class" and column.class_names else None
    return Fact(_KINDS.get(column.kind, "any"), frozenset({((column.name,),)}), texts=texts)


def _deeper(fact: Fact, *steps: tuple[str | int, ...]) -> Fact:
    return msgspec.structs.replace(fact, kind="any", parts=frozenset((*part, *steps) for part in fact.parts), texts=None)


def _merged(facts: Iterable[Fact], kind: Kind, origin: OutputOrigin, texts: frozenset[str] | None = None) -> Fact:
    facts = list(facts)
    return Fact(
        kind,
        frozenset().union(*(fact.parts for fact in facts)),
        frozenset().union(*(fact.picked_from for fact in facts)),
        frozenset().union(*(fact.shows for fact in facts)),
        frozenset().union(*(fact.knows for fact in facts)),
        frozenset().union(*(fact.knows_picks for fact in facts)),
        max([origin, *(fact.origin for fact in facts)], key=_ORIGINS.index),
        texts,
    )
