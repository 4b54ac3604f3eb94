"""The form of a task's examples: which pieces an input has, how options stand in it, and JSON for a model to fill.

A model writes the pieces, and for tasks with options the right one and the wrong ones; headings, marks and the place of the right option
are put on here, so the form is that of the user's examples and the output is right whatever the order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from engine.plan.options import stays_last
from engine.plan.order import draw, shuffled
from engine.plan.profile import identifier
from engine.plan.structure.shape import shape_of
from engine.records import Task, TaskExample, Value

_MARK = re.compile(r"(?:^|(?<=\s))(?P<open>[(\[]?)(?P<sign>[A-Za-z]|\d{1,2})(?P<close>\.\)|[.)\]:])(?P<blank>[ \t]*)(?=\S)", re.MULTILINE)
_BULLET = re.compile(
    r"^[ \t]*(?P<open>[-*•](?=[ \t])|(?:choice|option)[ \t]*:)(?P<sign>)(?P<close>)(?P<blank>[ \t]*)(?=\S)", re.MULTILINE | re.IGNORECASE
)
"""“choice:” is how BIG-bench lists options."""
_HEAD = re.compile(r"(?:^|(?<=[.?!:;。？！])[ \t]+|\s*\n)[^\W\d][^\n.?!:;]{0,30}:$")
"""A heading of its own before the options."""
_JOINS = ("\n", "; ", " / ", " | ", ", ", "、", "；", "，")
FIRST_SIGNS = "Aa1"
USUAL_OPTIONS = 4
SHORT = 16
"""Characters of an output that has hardly two right wordings, such as a number or a name."""
RESERVED = ("output", "right", "wrong")


class Piece(Value):
    """One part of an input that is written freely; an input of options alone has none."""

    name: str
    """Its key in the JSON."""
    lead: str
    """What stands before it, such as a heading."""


class Options(Value):
    """How options are listed after the pieces."""

    lead: str
    """What stands between the last piece and the first option."""
    join: str
    """Between two options."""
    counts: tuple[int, ...]
    """How many the examples have, each."""
    open: str = ""
    sign: str = ""
    """The first option's: "A", "a" or "1"; "" where options have none."""
    close: str = ""
    after: str = ""
    """What stands after the last option in every example."""

    def mark(self, place: int) -> str:
        """What the option at this place begins with."""
        return f"{self.open}{self.sign_at(place)}{self.close}"

    def sign_at(self, place: int) -> str:
        """The letter or number of an option."""
        return str(place + 1) if self.sign == "1" else chr(ord(self.sign) + place) if self.sign else ""


class Filled(Value):
    """An example in pieces."""

    pieces: tuple[str, ...]
    output: str = ""
    right: str = ""
    wrong: tuple[str, ...] = ()

    @property
    def body(self) -> tuple[str, ...]:
        """The pieces; the options where they are all there is."""
        return self.pieces or ((self.right, *self.wrong) if self.right else ())

    @property
    def text(self) -> str:
        """Everything written that makes the input, without headings, marks or an order of options."""
        return "\n".join((*self.pieces, *sorted((self.right, *self.wrong)))) if self.right else "\n".join(self.pieces)


class Form:
    """The form of one task's examples."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.options: Options | None = None
        self.pieces: tuple[Piece, ...] = (Piece("input", ""),)
        chooses = task.output.kind in ("option_text", "option_letter")
        found = [_options_in(example) for example in task.examples] if chooses else []
        if chooses:
            self.options = _shared([one for one in found if one], task) or Options("\n", "\n", (USUAL_OPTIONS,), "", "A", ") ")
            self.pieces = (Piece("question", ""),)
        before = [one.before for one in found if one] or [example.input.strip() for example in task.examples]
        pieces = _pieces(task, before)
        if found and all(one is not None and not one.before for one in found):
            self.pieces = ()  # the options are all there is: asked for a question, a small model writes the task's description
        elif pieces and (pieces != (Piece("input", ""),) or not chooses):
            self.pieces = pieces
        self.letters = task.output.kind == "option_letter"
        short = bool(task.examples) and all(len(example.output) <= SHORT for example in task.examples)
        self.closed = task.output.kind != "text" or short
        """Outputs are few or short, so that two who do the task right give the same."""
        self._pattern = _pattern(self.pieces)
        self._letter_form = _letter_form(task)

    # ── what a model is to fill ───────────────────────────────────────────────────────────────────────────

    def schema(self, outputs: Sequence[str], key: str, seed: int, count: int) -> dict[str, Any]:
        """For `count` examples whose outputs are these, in order; with none, the model chooses."""
        each = [self._schema_of(outputs[place] if outputs else "", f"{key}.{place}", seed) for place in range(count)]
        if count == 1:
            return each[0]
        several = {"type": "array", "prefixItems": each, "items": False, "minItems": count, "maxItems": count}
        return {"type": "object", "properties": {"examples": several}, "required": ["examples"], "additionalProperties": False}

    def _schema_of(self, output: str, key: str, seed: int) -> dict[str, Any]:
        text = {"type": "string", "minLength": 1}
        fields: dict[str, Any] = {"output": {"const": output}} if output else {}
        fields |= {piece.name: text for piece in self.pieces}
        if self.options:
            count = self.options.counts[draw(seed, "options", key) % len(self.options.counts)] - 1
            fields |= {"right": text, "wrong": {"type": "array", "items": text, "minItems": count, "maxItems": count}}
        elif not output:
            labels = self.task.output.labels
            fields["output"] = {"enum": list(labels)} if labels else text
        return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}

    def as_json(self, filled: Filled) -> str:
        """An example as a model would have answered."""
        values: dict[str, Any] = {"output": filled.output} if self.task.output.kind == "label" else {}
        values |= {piece.name: text for piece, text in zip(self.pieces, filled.pieces, strict=True)}
        values |= {"right": filled.right, "wrong": filled.wrong} if self.options else {"output": filled.output}
        return msgspec.json.encode(values).decode()

    def read(self, answer: str, count: int) -> list[Filled] | None:
        """The examples in an answer; None when it is not of the form asked for."""
        try:
            found = msgspec.json.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        several = [found] if count == 1 else found.get("examples") if isinstance(found, dict) else None
        if not isinstance(several, list) or len(several) != count:
            return None
        filled = [self._read_one(one) for one in several]
        return None if None in filled else [one for one in filled if one]

    def _read_one(self, values: Any) -> Filled | None:
        names = [piece.name for piece in self.pieces]
        if not isinstance(values, dict) or not all(isinstance(values.get(name), str) for name in names):
            return None
        pieces = tuple(values[name].strip() for name in names)
        if not self.options:
            output = values.get("output")
            return Filled(pieces, output.strip()) if isinstance(output, str) else None
        right, wrong = values.get("right"), values.get("wrong")
        if not isinstance(right, str) or not isinstance(wrong, list) or not all(isinstance(one, str) for one in wrong):
            return None
        return Filled(pieces, "", _bare(right), tuple(map(_bare, wrong)))

    # ── from pieces to an example and back ────────────────────────────────────────────────────────────────

    def render(self, filled: Filled, key: str, seed: int) -> tuple[str, str]:
        """Input and output; options in an order that depends on seed and key alone, so the right one is as often at each place."""
        text = "".join(piece.lead + content for piece, content in zip(self.pieces, filled.pieces, strict=True))
        if not self.options:
            return text, filled.output
        order = sorted(shuffled([filled.right, *filled.wrong], seed, "place of the right option", key), key=stays_last)
        listed = self.options.join.join(f"{self.options.mark(place)}{option}" for place, option in enumerate(order))
        place = order.index(filled.right)
        return f"{text}{self.options.lead}{listed}{self.options.after}", self._letter(place) if self.letters else filled.right

    def said_by(self, text: str, output: str) -> str:
        """What an output means, whatever the order of options: the right one's text where the output is a letter."""
        filled = self.taken_apart(TaskExample(text, output)) if self.options else None
        return filled.right if filled else output

    def holds(self, filled: Filled, text: str, output: str) -> bool:
        """Whether what was rendered comes apart as it was put together."""
        found = self.taken_apart(TaskExample(text, output))
        return found is not None and (found.pieces, found.right, sorted(found.wrong)) == (filled.pieces, filled.right, sorted(filled.wrong))

    def outputs_of(self, text: str) -> list[str]:
        """The outputs that an input with options allows, in the order they stand there."""
        found = _options_in(TaskExample(text, ""))
        if self.options is None or found is None:
            return []
        if self.letters:
            return [self._letter(place) for place in range(len(found.options))]
        return found.options

    def _letter(self, place: int) -> str:
        """The output that names the option at this place, as the examples write it."""
        assert self.options is not None
        sign = self.options.sign_at(place) or chr(ord("A") + place)
        shown = re.sub(r"\W", "", self._letter_form)
        sign = sign.upper() if shown.isupper() else sign.lower() if shown.islower() else sign
        return self._letter_form.replace(shown, sign)

    def taken_apart(self, example: TaskExample) -> Filled | None:
        """An example in its pieces; None where it has another form than the task's examples have together."""
        if not self.options:
            found = self._pattern.fullmatch(example.input.strip())
            return Filled(tuple(part.strip() for part in found.groups()), example.output) if found else None
        listed = _options_in(example)
        found = self._pattern.fullmatch(listed.before) if listed else None
        if listed is None or found is None:
            return None
        right = self._right(listed.options, example.output)
        if right is None:
            return None
        wrong = tuple(option for place, option in enumerate(listed.options) if place != right)
        return Filled(tuple(part.strip() for part in found.groups()), example.output, listed.options[right], wrong)

    def _right(self, options: Sequence[str], output: str) -> int | None:
        if not self.letters:
            return next((place for place, option in enumerate(options) if option.strip() == output.strip()), None)
        assert self.options is not None
        places = [
            place for place in range(len(options)) if re.search(rf"\b{self.options.sign_at(place) or chr(65 + place)}\b", output, re.I)
        ]
        return places[0] if len(places) == 1 else None


class _Listed(Value):
    """Options found in a text."""

    before: str
    lead: str
    join: str
    options: list[str]
    after: str
    open: str = ""
    sign: str = ""
    close: str = ""


def _options_in(example: TaskExample) -> _Listed | None:
    text = example.input.strip()
    return _marked(text) or _joined(text, example.output.strip())


def _marked(text: str) -> _Listed | None:
    """Options that begin with letters, numbers or bullets; the last such list in the text."""
    for pattern in (_MARK, _BULLET):
        found = list(pattern.finditer(text))
        starts = [place for place, mark in enumerate(found) if mark["sign"] in FIRST_SIGNS or pattern is _BULLET]
        for start in reversed(starts) if pattern is _MARK else starts[:1]:
            run = [found[start]]
            for mark in found[start + 1 :]:
                if (mark["open"], mark["close"]) == (run[0]["open"], run[0]["close"]) and _follows(run[-1]["sign"], mark["sign"]):
                    run.append(mark)
            if len(run) >= 2:
                return _cut(text, run)
    return None


def _follows(before: str, sign: str) -> bool:
    if before.isdigit() and sign.isdigit():
        return int(sign) == int(before) + 1
    return before == sign == "" or (len(before) == len(sign) == 1 and ord(sign) == ord(before) + 1)


def _cut(text: str, run: list[re.Match[str]]) -> _Listed:
    raw = [text[one.end() : other.start("open")] for one, other in pairwise(run)]
    join = raw[0][len(raw[0].rstrip()) :] or " "
    last, after = text[run[-1].end() :], ""
    if "\n" in last:
        last, _, rest = last.partition("\n")
        after = f"\n{rest}"
    before = text[: run[0].start("open")]
    kept = _without_head(before)
    mark = run[0]
    return _Listed(
        kept,
        before[len(kept) :],
        join,
        [part.strip() for part in (*raw, last)],
        after,
        mark["open"],
        mark["sign"],
        mark["close"] + mark["blank"],
    )


def _joined(text: str, output: str) -> _Listed | None:
    """Options without marks, of which the output is one, after the last heading or on the last lines."""
    head = max(text.rfind(": "), text.rfind(":\n"))
    for start in (head + 2, text.find("\n") + 1):
        if start < 2:
            continue
        for join in _JOINS:
            options = [part.strip() for part in text[start:].split(join)]
            if len(options) >= 2 and all(options) and (output in options or not output):
                kept = _without_head(text[:start])
                return _Listed(kept, text[len(kept) : start], join, options, "")
    return None


def _without_head(before: str) -> str:
    """What stands before the options' own heading and blanks, where there is anything."""
    kept = before.rstrip()
    head = _HEAD.search(kept)
    return kept[: head.start()].rstrip() if head and head.start() else kept


def _shared(found: Sequence[_Listed], task: Task) -> Options | None:
    if not found:
        return None
    first = found[0]
    counts = tuple(len(one.options) for one in found)
    after = first.after if all(one.after == first.after for one in found) else ""
    return Options(first.lead, first.join, counts, first.open, first.sign, first.close, after)


def _pieces(task: Task, texts: Sequence[str]) -> tuple[Piece, ...]:
    """The headings that all texts share as leads of pieces; one bare piece where they share none, or none is told reliably."""
    bare = (Piece("input", ""),)
    if not texts:
        return bare
    alone = msgspec.structs.replace(task, examples=tuple(TaskExample(text, "") for text in texts))
    taken: set[str] = set(RESERVED)
    pieces = []
    for slot in shape_of(alone).slots:
        name = identifier(slot.heading) if slot.heading else "text"
        while name in taken:
            name += "_text"
        taken.add(name)
        pieces.append(Piece(name, f"{slot.before}{slot.heading}{slot.colon}"))
    made = tuple(pieces)
    if len(made) < 2 and not (made and made[0].lead):
        return bare
    pattern = _pattern(made)
    return made if all(pattern.fullmatch(text) for text in texts) else bare


def _pattern(pieces: Sequence[Piece]) -> re.Pattern[str]:
    return re.compile("".join(rf"{re.escape(piece.lead)}(.+?)" for piece in pieces), re.DOTALL)


def _letter_form(task: Task) -> str:
    """How the first example with a letter as output writes it: "B", "(b)", "3."; "A" where there is none."""
    outputs = (example.output.strip() for example in task.examples)
    return next((output for output in outputs if re.fullmatch(r"[^\w]*(?:[A-Za-z]|\d{1,2})[^\w]*", output)), "A")


def _bare(option: str) -> str:
    """An option without a mark the model put before it."""
    return re.sub(r"^\s*[(\[]?[A-H1-9][.)\]:]\s+", "", option).strip() or option.strip()
