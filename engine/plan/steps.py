"""The plan language: one frozen type per step, and the plan that lists them.

A plan is a TOML file: a name, `[[steps]]` each with `do = "…"`, and `[emit]`. Row steps decide which units there are;
value steps give a name (`into`) a value; model steps ask a model for one. A name is a column or what an
earlier step put `into`. docs: README "The plan language"; semantics: compile.py; what is refused and why: check.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, dataclass_transform

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1)]
Scalar = str | int | float | bool


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", kw_only=True):
    """Base of all steps."""

    note: str = ""
    """Why the step is there, for the reader."""


# ── row steps ─────────────────────────────────────────────────────────────────────────────────────────────


class Keep(Step, tag="keep"):
    """Keep units whose value meets every condition given; the others are skipped with this step as reason."""

    value: Name
    one_of: tuple[Scalar, ...] | None = None
    not_one_of: tuple[Scalar, ...] | None = None
    at_least: float | None = None
    at_most: float | None = None
    min_chars: int | None = None
    max_chars: int | None = None
    matches: str | None = None
    """A linear-time regular expression that must be found in the text."""
    language: str | None = None
    """BCP 47 code the text must be in."""


class Explode(Step, tag="explode"):
    """One unit for each item of a list. With `window`, earlier items (at most that many) go into `window_into`."""

    value: Name
    into: Name
    index_into: str = ""
    window: int = 0
    window_into: str = ""
    first: int = 0
    """Items before this one make no unit (a first turn has nothing before it)."""


class Group(Step, tag="group"):
    """One unit for all rows that agree in `by`; other columns take the first row's value unless named here."""

    by: tuple[Name, ...]
    majority: tuple[Name, ...] = ()
    """Columns that take the most frequent value; a tie skips the unit."""
    collect: tuple[Name, ...] = ()
    """Columns that become lists, one item a row."""


class Join(Step, tag="join"):
    """Add the columns of the first row elsewhere whose `right` equals this row's `left`, named with `prefix`."""

    left: Name
    right: Name
    prefix: str = "joined_"
    config: str = ""
    """Config of the same data set to join with; "" is this one."""
    split: str = ""
    unmatched: Literal["skip", "fail"] = "skip"


class Sample(Step, tag="sample"):
    """At most `size` units, or at most `per_value` for each value of `balance`, in seeded order."""

    size: int = 0
    balance: str = ""
    per_value: int = 0


# ── value steps ───────────────────────────────────────────────────────────────────────────────────────────


class Get(Step, tag="get"):
    """Follow a path such as `answers.text[0]` into nested values."""

    path: Name
    into: Name


class Parse(Step, tag="parse"):
    """Read JSON, a Python literal or a number out of text."""

    value: Name
    into: Name
    form: Literal["json", "literal", "number"]


class Names(Step, tag="names"):
    """The class name of an integer label; `names` default to the column's own class names."""

    value: Name
    into: Name
    names: tuple[str, ...] = ()


class Map(Step, tag="map"):
    """Replace a value by what the table says; keys are compared as text: True and "true" are one, 1 and 1.0 too, true and 1 are not."""

    value: Name
    into: Name
    table: dict[str, str]
    unknown: Literal["skip", "fail"] = "skip"


class Bin(Step, tag="bin"):
    """A number to a label: labels[i] holds below thresholds[i], the last label from the last threshold on."""

    value: Name
    into: Name
    thresholds: tuple[float, ...]
    labels: tuple[str, ...]


class Match(Step, tag="match"):
    """A linear-time (RE2) regular expression: extract a group, replace, or split into a list. Only extract minds a text without a match."""

    value: Name
    into: Name
    pattern: Name
    mode: Literal["extract", "replace", "split"] = "extract"
    group: int = 0
    replacement: str = ""
    which: Literal["first", "last"] = "first"
    unmatched: Literal["skip", "fail", "empty"] = "skip"


class Slice(Step, tag="slice"):
    """Part of a text (by characters, words, sentences) or of a list (by items)."""

    value: Name
    into: Name
    start: int = 0
    stop: int | None = None
    unit: Literal["chars", "words", "sentences", "items"] = "items"


class Options(Step, tag="options"):
    """A list of options from exactly one of: several columns, one list, parallel arrays (texts and keys), a dictionary of key → text."""

    into: Name
    columns: tuple[Name, ...] = ()
    list: str = ""
    texts: str = ""
    keys: str = ""
    dictionary: str = ""
    drop_empty: bool = True


class Pick(Step, tag="pick"):
    """The right one of some options, by exactly one of the ways below. In templates it has .text, .letter, .index."""

    options: Name
    into: Name
    by: Literal["index", "letter", "key", "text", "position", "flags", "best"]
    """"index": `value` counts from `base`; "letter": A, B, …; "key": the options' own keys; "text": the option equal to
    `value`; "position": always option number `base` (the right one has its own column); "flags": `flags` names one truth value
    per option; "best": `flags` names one score per option, the highest wins."""
    value: str = ""
    flags: tuple[Name, ...] = ()
    """Names of as many values as there are options, or of one list."""
    base: int = 0
    none: str | None = None
    """What to answer when no flag is set; None skips the unit."""


class Shuffle(Step, tag="shuffle"):
    """Reorder options, seeded by the row; every pick already made from them follows; "none of these" and the like stay last."""

    options: Name


class Spans(Step, tag="spans"):
    """Texts of the spans of one type in BIO tags (names, or integers with class names)."""

    tokens: Name
    tags: Name
    type: Name
    into: Name
    tag_names: tuple[str, ...] = ()
    separator: str = "; "
    none: str = "none"
    """What a row without such a span gives."""
    joiner: str = " "
    """Between the tokens of one span; "" for languages written without blanks."""


class Each(Step, tag="each"):
    """A template for each item of a list, joined; the item is `item`, its place, counted from 1, is `index`."""

    value: Name
    into: Name
    template: str
    separator: str = "\n"


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """If `value` is one of `one_of` (compared as text, case kept), the result is `then`, a template."""

    value: Name
    one_of: tuple[Scalar, ...]
    then: str


class Case(Step, tag="case"):
    """The first condition that holds decides; `otherwise` None skips the unit."""

    into: Name
    when: tuple[When, ...]
    otherwise: str | None = None


class Borrow(Step, tag="borrow"):
    """A value from another row, chosen by seed: a negative. `different` names what must differ from this row's."""

    value: Name
    into: Name
    different: tuple[Name, ...] = ()


class Fit(Step, tag="fit"):
    """Cut a text to a number of tokens of the base model's tokenizer, or skip the unit."""

    value: Name
    into: Name
    tokens: int
    over: Literal["cut", "skip"] = "cut"


class Template(Step, tag="template"):
    """A sandboxed Jinja template over everything named so far."""

    into: Name
    template: str


# ── model steps ───────────────────────────────────────────────────────────────────────────────────────────


class Write(Step, tag="write"):
    """Ask the model to write, given named values; what comes back obeys a JSON schema of named text fields."""

    instruction: Name
    given: tuple[Name, ...]
    into: tuple[Name, ...]
    """One text field each; a single name is also the name of the value."""
    max_chars: int = 2000


class Check(Step, tag="check"):
    """Ask the model yes or no; a unit that gets `no` is rejected with `question` as the reason."""

    question: Name
    given: tuple[Name, ...]


# fmt: off
AnyStep = (
    Keep | Explode | Group | Join | Sample | Get | Parse | Names | Map | Bin | Match | Slice | Options | Pick | Shuffle
    | Spans | Each | Case | Borrow | Fit | Template | Write | Check
)
# fmt: on


class Emit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Templates for the example."""

    input: str
    output: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A typed program from rows to examples, or prose that a model follows row by row."""

    name: str
    steps: tuple[AnyStep, ...] = ()
    emit: Emit | None = None
    """None only for prose."""
    prose: tuple[str, ...] = ()
    """Numbered steps a model follows on every row; then `steps` and `emit` are empty."""
    columns: tuple[str, ...] = ()
    """For prose: the columns shown to the model; () is all."""
    origin: Literal["structure", "model", "user", "prose"] = "user"
    """Who wrote it."""
    reasons: tuple[str, ...] = ()
    """Lines a person can check: why these columns, why these values."""
    data: dict[str, Any] = {}
    """Optional: config and split it was made for."""
