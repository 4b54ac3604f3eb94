"""What the task's examples look like: the headings of their inputs, how options are listed, the form of their outputs."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from engine.plan.profile import as_number, script_of
from engine.records import Task, TaskExample, Value

OptionStyle = Literal["", "marked", "joined"]
_MARK = re.compile(r"^\s*(?P<open>[(\[]?)(?P<sign>[A-Ha-h]|\d{1,2})(?P<close>[.)\]]|\.\))\s+(?P<text>\S.*)$")
_BULLET = re.compile(r"^\s*[-*•]\s+(?P<text>\S.*)$")
_INLINE = re.compile(r"(?:(?<=^)|(?<=\s))[(\[]?([A-Ha-h]|[1-9])[.)\]]\s*(?=\S)")
_HEADING = re.compile(
    r"(?:^|(?<=[\s。．.!?？！;；]))(?P<name>(?:[^\W\d_][\w'’\-]*(?: [\w'’\-]+){0,2}(?: ?\([^()\n]{1,12}\))?)|(?:(?<=\n)|^)\d{1,2})"
    r"(?P<colon>[ \u00a0]?[:：])(?!//|\d)[ \t]*"
)
_SYMBOLS = frozenset("[]{}()<>=|;#_*+^~\\/&%$@")
_CODE = re.compile(
    r"^[ \t]{2,}\w|^\s*(def|return|import|from|class|public|private|static|const|let|var|int|void|if|for|while|function)\b.*[=(:{;]"
    r"|[;{]\s*$|^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b.+\b(FROM|INTO|SET|AS)\b|^\s*return\b",
    re.MULTILINE,
)
_JOINS = ("; ", " / ", "/ ", " | ", "、", "；", "，", ", ", "\n", "/", "|", ";")


class Slot(Value):
    """One piece of an input."""

    heading: str = ""
    colon: str = ""
    """Colon and blanks as the examples write them."""
    before: str = ""
    """What stands between the piece before and this one: a line end, a blank or nothing."""
    options: bool = False
    content: str = ""
    """The example's own."""


class Shape(Value):
    """The input's pieces and the way options are listed."""

    slots: tuple[Slot, ...] = (Slot(),)
    style: OptionStyle = ""
    mark: str = ""
    """With "marked": an option's beginning, where A, a or 1 stands for its sign, such as "A. " or "1) " or "- "."""
    join: str = "\n"
    """Between options."""
    count: int = 0
    """Options in the example; 0 when it shows none."""


class Form(Value):
    """Measures of a set of texts."""

    chars: float
    words: float
    numeric: float
    """Share that are numbers."""
    asks: float
    """Share ending in a question mark."""
    questions: float
    """Share holding a question mark anywhere."""
    ends: float
    """Share ending like a sentence."""
    capital: float
    """Share starting with a capital, of those that start with a letter that has one."""
    lines: float
    sentences: float
    symbols: float
    """Share of brackets, signs and bars among the characters."""
    code: float
    """Share that read like a program."""
    script: str


def shape_of(task: Task) -> Shape:
    """The shape the examples share; one bare piece when they share none."""
    shapes = [_shape(example) for example in task.examples if example.input.strip()]
    if not shapes:
        return Shape()
    first = shapes[0]
    if len(shapes) > 1 and any([slot.heading for slot in shape.slots] != [slot.heading for slot in first.slots] for shape in shapes[1:]):
        return next((shape for shape in shapes if len(shape.slots) == 1), Shape())
    return first


def form_of(texts: Sequence[str]) -> Form:
    """Measures of the texts that are not empty."""
    kept = [text.strip() for text in texts if text.strip()] or [""]
    cased = [text[0].isupper() for text in kept if text and text[0].isalpha() and text[0].lower() != text[0].upper()]
    return Form(
        chars=float(statistics.median(map(len, kept))),
        words=float(statistics.median(len(re.findall(r"\w+", text)) for text in kept)),
        numeric=sum(as_number(text) is not None for text in kept) / len(kept),
        asks=sum(text.endswith(("?", "？", "؟")) for text in kept) / len(kept),
        questions=sum(any(mark in text for mark in "?？؟") for text in kept) / len(kept),
        ends=sum(text.endswith((".", "!", "?", "。", "！", "？", "।", "؟", "…")) for text in kept) / len(kept),
        capital=sum(cased) / len(cased) if cased else 0.5,
        lines=float(statistics.median(text.count("\n") + 1 for text in kept)),
        sentences=float(statistics.median(sentence_count(text) for text in kept)),
        symbols=sum(sum(letter in _SYMBOLS for letter in text) for text in kept) / max(1, sum(map(len, kept))),
        code=sum(bool(_CODE.search(text)) for text in texts) / max(1, len(texts)),
        script=script_of(kept),
    )


def contents_of(task: Task) -> list[str]:
    """The examples' inputs without their headings."""
    found = []
    for example in task.examples:
        text = example.input
        for slot in _shape(example).slots:
            if slot.heading:
                text = text.replace(slot.heading + slot.colon.strip(), " ", 1)
        found.append(text.strip())
    return found


def sentence_count(text: str) -> int:
    """Sentences of a text, by their end marks and by lines."""
    return len([part for part in re.split(r"(?<=[.!?])\s+|(?<=[。！？।])|\n", text.strip()) if part.strip()])


def _shape(example: TaskExample) -> Shape:
    text = example.input.strip("\n")
    marked = _marked_lines(text)
    if marked:
        before, mark, count, after = marked
        slots = (*_slots(before), Slot(before="\n" if before else "", options=True), *(_slots(after, "\n") if after else ()))
        if len(slots) > 1 and not slots[-1].heading and not slots[-2].content and slots[-2].heading:
            heading = slots[-2]
            slots = (
                *slots[:-2],
                Slot(heading=heading.heading, colon=heading.colon.rstrip(" ") + "\n", before=heading.before, options=True),
            )
        return Shape(slots=slots, style="marked", mark=mark, join="\n", count=count)
    slots = _slots(text)
    for place, slot in enumerate(slots):
        found = _joined(slot.content, example.output) if slot.heading else None
        if found is None:
            continue
        style, mark, join, count = found
        changed = Slot(heading=slot.heading, colon=slot.colon, before=slot.before, options=True)
        return Shape(slots=(*slots[:place], changed, *slots[place + 1 :]), style=style, mark=mark, join=join, count=count)
    if len(slots) == 1 and not slots[0].heading:
        inline = _inline(text)
        if inline:
            before, mark, join, count = inline
            return Shape(
                slots=(*((Slot(content=before),) if before else ()), Slot(before=join if before else "", options=True)),
                style="marked",
                mark=mark,
                join=join,
                count=count,
            )
    return Shape(slots=slots)


def _marked_lines(text: str) -> tuple[str, str, int, str] | None:
    """Text before, an option's beginning, number of options and text after, where options stand on lines of their own."""
    lines = text.split("\n")
    marks = [_MARK.match(line) or _BULLET.match(line) for line in lines]
    start = next((place for place, mark in enumerate(marks) if mark), None)
    if start is None:
        return None
    stop = start
    while stop < len(lines) and marks[stop]:
        stop += 1
    if stop - start < 2:
        return None
    first = lines[start]
    match = marks[start]
    assert match is not None
    begin = first[: match.start("text")].lstrip()
    if "sign" in match.re.groupindex and match.group("sign") not in "Aa1":
        return None
    return "\n".join(lines[:start]), begin, stop - start, "\n".join(lines[stop:])


def _inline(text: str) -> tuple[str, str, str, int] | None:
    """Options marked within one line: text before, an option's beginning, what joins them, how many."""
    found = list(_INLINE.finditer(text))
    signs = [match.group(1) for match in found]
    if len(signs) < 2 or signs[0] not in "Aa1" or any(ord(after) - ord(before) != 1 for before, after in pairwise(signs)):
        return None
    return text[: found[0].start()].rstrip(), found[0].group(0), " ", len(found)


def _slots(text: str, before: str = "") -> tuple[Slot, ...]:
    """The text cut at its headings; a heading of one letter is a speaker, not a heading, and a program has none."""
    if _CODE.search(text):
        return (Slot(content=text.strip(), before=before),) if text.strip() else ()
    heads = [head for head in _HEADING.finditer(text) if len(head["name"]) > 1 or not head["name"].isascii() or head["name"].isdigit()]
    numbers = [head["name"] for head in heads if head["name"].isdigit()]
    if numbers != [str(number) for number in range(1, len(numbers) + 1)] or len(numbers) == 1:
        heads = [head for head in heads if not head["name"].isdigit()]
    if not heads:
        return (Slot(content=text.strip(), before=before),) if text.strip() else ()
    slots = []
    if text[: heads[0].start()].strip():
        slots.append(Slot(content=text[: heads[0].start()].strip(), before=before))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        raw = text[head.end() : following.start() if following else len(text)]
        left = text[: head.start()]
        glue = next((blank for blank in ("\n\n", "\n", " ") if left.endswith(blank)), "")
        slots.append(
            Slot(heading=head["name"], colon=text[head.end("name") : head.end()], before=glue if slots else before, content=raw.strip())
        )
    return tuple(slots)


def _joined(content: str, output: str) -> tuple[OptionStyle, str, str, int] | None:
    """How a heading's content lists options of which the output is one."""
    inline = _inline(content)
    if inline and not inline[0]:
        return "marked", inline[1], inline[2], inline[3]
    for join in _JOINS:
        parts = [part.strip() for part in content.split(join)]
        if len(parts) >= 2 and all(parts) and output.strip() in parts:
            return "joined", "", join, len(parts)
    return None


def drop_headings(shape: Shape, names: Sequence[str]) -> Shape:
    """The shape without headings that the data's own texts carry: what stands there is one piece of text."""
    if not any(slot.heading in names for slot in shape.slots):
        return shape
    kept: list[Slot] = []
    for slot in shape.slots:
        if slot.options or slot.heading not in names:
            kept.append(slot)
        elif not kept or kept[-1].heading or kept[-1].options:
            kept.append(Slot(before=slot.before, content=slot.content))
    return Shape(slots=tuple(kept), style=shape.style, mark=shape.mark, join=shape.join, count=shape.count)
