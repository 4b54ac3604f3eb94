"""What the value steps do: each is compiled once to a function that gives one more name of a unit its value."""

from __future__ import annotations

import ast
import bisect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.errors import BadInput
from engine.plan.paths import follow, split_path
from engine.plan.patterns import compile_pattern
from engine.plan.steps import Bin, Case, Each, Fit, Get, Map, Match, Names, Parse, Slice, Spans, Template
from engine.plan.template import TemplateFailed, compile_template
from engine.plan.values import Values, as_text, fail, is_empty, items_of, number_of, plain, short, skip

Run = Callable[[Values, str], None]
"""Changes the values of the unit with this key in place. Raises values.Stop to end the unit."""

CountTokens = Callable[[str], int]
MAX_PARSED_CHARS = 1_000_000
MAX_REPLACED = 10_000_000

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|(?<=[。！？।])[」』”’]*\s*|\n+")
_WORD = re.compile(r"\S+")
_REPLACEMENT = re.compile(r"([^\\]+)|\\(\d)|\\(.?)", re.DOTALL)


class Context(msgspec.Struct, frozen=True):
    """What compiling a step needs to know beyond the step."""

    class_names: Mapping[str, tuple[str, ...]]
    """Of the columns that have some."""
    known: frozenset[str]
    """Names that exist before the step, as far as they can be known."""
    seed: int
    count_tokens: CountTokens


def characters_by_four(text: str) -> int:
    """A rough count of tokens for when no model is at hand."""
    return (len(text) + 3) // 4


def text_value(values: Values, name: str, step: str) -> str:
    """The text of a named value; a unit without one is skipped."""
    value = value_of(values, name, step)
    if type(value) is str:
        text = value
    else:
        try:
            text = plain(value)
        except (ValueError, RecursionError) as error:
            raise fail(f"{step}: {name} {error}") from error
    if not text.strip():
        raise skip(f"{step}: {name} is empty")
    return text


def value_of(values: Values, name: str, step: str) -> Any:
    """A named value. Raises Stop when the name is missing, which only a ragged or joined table can cause."""
    try:
        return values[name]
    except KeyError as error:
        raise fail(f"{step}: there is no {name}") from error


def list_value(values: Values, name: str, step: str) -> list[Any]:
    """The items of a named value; a unit without any is skipped, one with something else failed."""
    value = value_of(values, name, step)
    items = items_of(value)
    if items is None:
        raise skip(f"{step}: {name} is empty") if is_empty(value) else fail(f"{step}: {name} is not a list")
    if not items:
        raise skip(f"{step}: {name} is empty")
    return items


def render(template: str, where: str) -> Callable[[Values], str]:
    """A compiled template whose failures end the unit."""
    compiled = compile_template(template)

    def text(values: Values) -> str:
        try:
            return compiled.render(values)
        except TemplateFailed as error:
            raise fail(str(error).replace("template:", f"{where}:", 1)) from error

    return text


# ── one value from another ────────────────────────────────────────────────────────────────────────────────


def get(step: Get, context: Context) -> Run:
    """Follows the path; a path that leads nowhere skips the unit."""
    root, path = split_path(step.path, context.known.__contains__)
    into = step.into

    def run(values: Values, key: str) -> None:
        value = value_of(values, root, "get")
        try:
            values[into] = follow(value, path)
        except LookupError as error:
            raise skip(f"get: {step.path} leads nowhere at {error.args[0]}") from error

    return run


def parse(step: Parse, context: Context) -> Run:
    """Reads JSON, a Python literal or the first number; a text that is none fails the unit."""
    name, into = step.value, step.into
    readers: dict[str, Callable[[str], Any]] = {"json": json.loads, "literal": ast.literal_eval}

    def run(values: Values, key: str) -> None:
        if step.form == "number":
            number = number_of(value_of(values, name, "parse"))
            if number is None:
                raise skip(f"parse: {name} holds no number")
            values[into] = number
            return
        text = text_value(values, name, "parse").strip()
        if len(text) > MAX_PARSED_CHARS:
            raise fail(f"parse: {name} is longer than {MAX_PARSED_CHARS} characters")
        try:
            values[into] = readers[step.form](text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise fail(f"parse: {name} is not {'JSON' if step.form == 'json' else 'a literal'}") from error

    return run


def names(step: Names, context: Context) -> Run:
    """The class name at an integer's place; a value that is already one of the names stays."""
    name, into = step.value, step.into
    table = step.names or context.class_names.get(name, ())
    if not table:
        raise BadInput(f"`{name}` has no class names", 'Write them: names = ["…", "…"].')
    by_text = {**{text: text for text in table}, **{str(place): text for place, text in enumerate(table)}}

    def run(values: Values, key: str) -> None:
        text = as_text(value_of(values, name, "names"))
        if text not in by_text:
            raise skip(f"names: no class {short(text)}")
        values[into] = by_text[text]

    return run


def map_(step: Map, context: Context) -> Run:
    """What the table says of the value's text."""
    name, into = step.value, step.into
    table = {as_text(key): value for key, value in step.table.items()}
    stop = skip if step.unknown == "skip" else fail

    def run(values: Values, key: str) -> None:
        value = value_of(values, name, "map")
        try:
            values[into] = table[as_text(value)]
        except KeyError as error:
            raise stop(f"map: no entry for {short(value)}") from error
        except ValueError as error:
            raise fail(f"map: {name} {error}") from error

    return run


def bin_(step: Bin, context: Context) -> Run:
    """The label of the interval the number lies in."""
    name, into, thresholds, labels = step.value, step.into, step.thresholds, step.labels
    if len(labels) != len(thresholds) + 1:
        raise BadInput("there must be one label more than thresholds", "labels[i] holds below thresholds[i], the last from the last on.")

    def run(values: Values, key: str) -> None:
        number = number_of(value_of(values, name, "bin"))
        if number is None:
            raise skip(f"bin: {name} is not a number")
        values[into] = labels[bisect.bisect_right(thresholds, number)]

    return run


def match(step: Match, context: Context) -> Run:
    """Extracts a group, replaces every match, or splits at every match; the last two leave a text without a match as it is."""
    name, into, group = step.value, step.into, step.group
    pattern = compile_pattern(step.pattern)
    if step.mode == "extract" and not 0 <= group <= pattern.groups:
        raise BadInput(f"the pattern has no group {group}", f"It has groups 0 to {pattern.groups}.")
    replacement = _replacement(step.replacement, pattern.groups)

    def extract(values: Values, key: str) -> None:
        found = None
        text = text_value(values, name, "match")
        if step.which == "first":
            found = pattern.search(text)
        else:
            for found in pattern.finditer(text):  # noqa: B007 - the last one is what is wanted
                pass
        if found is not None and found.group(group) is not None:
            values[into] = found.group(group).strip()
        elif step.unmatched == "empty":
            values[into] = ""
        else:
            raise (skip if step.unmatched == "skip" else fail)(f"match: nothing in {name} like {short(step.pattern)}")

    def replace(values: Values, key: str) -> None:
        text = text_value(values, name, "match")
        if len(text) * (1 + len(step.replacement)) > MAX_REPLACED:
            raise fail(f"match: {name} is too long to replace in")
        values[into] = pattern.sub(replacement, text).strip()

    def split(values: Values, key: str) -> None:
        text = text_value(values, name, "match")
        parts, start = [], 0
        for one in pattern.finditer(text):
            parts.append(text[start : one.start()])
            start = one.end()
        parts.append(text[start:])
        values[into] = [part.strip() for part in parts if part.strip()]

    return {"extract": extract, "replace": replace, "split": split}[step.mode]


def _replacement(text: str, groups: int) -> Callable[[Any], str]:
    """What stands for a match: RE2's own expansion garbles letters outside ASCII."""
    escapes = {"n": "\n", "t": "\t", "\\": "\\"}
    parts: list[str | int] = []
    for literal, number, sign in _REPLACEMENT.findall(text):
        if number and int(number) > groups:
            raise BadInput(
                f"the replacement names group {number}, the pattern has {groups}", "Groups are \\1, \\2, …; \\0 is the whole match."
            )
        parts.append(int(number) if number else escapes.get(sign, "\\" + sign) if sign else literal)
    return lambda found: "".join(part if isinstance(part, str) else found.group(part) or "" for part in parts)


def slice_(step: Slice, context: Context) -> Run:
    """Part of a text or list; units are cut where they begin and end, what lies between stays as it was."""
    name, into, start, stop, unit = step.value, step.into, step.start, step.stop, step.unit

    def run(values: Values, key: str) -> None:
        if unit == "items":
            values[into] = list_value(values, name, "slice")[start:stop]
            return
        text = text_value(values, name, "slice").strip()
        if unit == "chars":
            values[into] = text[start:stop].strip()
            return
        spans = ([found.span() for found in _WORD.finditer(text)] if unit == "words" else sentence_spans(text))[start:stop]
        values[into] = text[spans[0][0] : spans[-1][1]] if spans else ""

    return run


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, by end marks of Latin, Cyrillic, Chinese, Japanese and Devanagari writing and line ends."""
    spans, start = [], 0
    for found in _SENTENCE_END.finditer(text):
        end = found.start() + len(found.group().rstrip())
        if text[start:end].strip():
            spans.append((start, end))
        start = found.end()
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans


# ── several values into one ───────────────────────────────────────────────────────────────────────────────


def spans(step: Spans, context: Context) -> Run:
    """Texts of one entity type; reads BIO and BIOES, and an inside tag without a beginning begins a span."""
    table = step.tag_names or context.class_names.get(step.tags, ())
    by_text = {str(place): tag for place, tag in enumerate(table)}
    inside = {f"I-{step.type}", f"E-{step.type}", f"M-{step.type}", f"L-{step.type}"}
    begins = {f"B-{step.type}", f"S-{step.type}", f"U-{step.type}"}

    def run(values: Values, key: str) -> None:
        tokens = list_value(values, step.tokens, "spans")
        tags = list_value(values, step.tags, "spans")
        if len(tokens) != len(tags):
            raise fail("spans: not as many tags as tokens")
        found: list[list[str]] = []
        before = False
        for token, tag in zip(tokens, tags, strict=True):
            text = as_text(tag)
            if text.isdigit():
                if text not in by_text:
                    raise fail(f"spans: no name for tag {text}")
                text = by_text[text]
            if text in begins or (text in inside and not before):
                found.append([plain(token)])
            elif text in inside:
                found[-1].append(plain(token))
            before = text in begins or text in inside
        values[step.into] = step.separator.join(step.joiner.join(span) for span in found) or step.none

    return run


def each(step: Each, context: Context) -> Run:
    """The template for each item, joined."""
    text = render(step.template, "each")

    def run(values: Values, key: str) -> None:
        items = list_value(values, step.value, "each")
        if len(items) > 10_000:
            raise fail(f"each: {step.value} has more than 10000 items")
        inner = dict(values)
        texts = []
        for index, item in enumerate(items, 1):
            inner["item"], inner["index"] = item, index
            texts.append(text(inner))
        values[step.into] = step.separator.join(texts)

    return run


def case(step: Case, context: Context) -> Run:
    """The text of the first condition that holds."""
    branches = [(branch.value, frozenset(map(as_text, branch.one_of)), render(branch.then, "case")) for branch in step.when]
    otherwise = render(step.otherwise, "case") if step.otherwise is not None else None

    def run(values: Values, key: str) -> None:
        for name, accepted, text in branches:
            if as_text(value_of(values, name, "case")) in accepted:
                values[step.into] = text(values)
                return
        if otherwise is None:
            shown = ", ".join(dict.fromkeys(short(value_of(values, name, "case")) for name, _, _ in branches))
            raise skip(f"case: no condition for {shown}")
        values[step.into] = otherwise(values)

    return run


def fit(step: Fit, context: Context) -> Run:
    """The longest beginning that ends with a whole word (or character, where there are no blanks) and has few enough tokens."""
    name, limit, count = step.value, step.tokens, context.count_tokens

    def run(values: Values, key: str) -> None:
        value = value_of(values, name, "fit")
        text = plain(value) if not isinstance(value, str) else value
        if len(text.encode("utf-8", "replace")) <= limit or count(text) <= limit:  # a token is at least one byte
            values[step.into] = text
            return
        if step.over == "skip":
            raise skip(f"fit: {name} has more than {limit} tokens")
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if count(text[:middle]) <= limit else (low, middle - 1)
        cut = text[:low]
        if low < len(text) and not text[low].isspace():
            words = cut.rsplit(None, 1)
            cut = words[0] if len(words) == 2 and len(words[0]) * 2 > len(cut) else cut
        if not cut.strip():
            raise skip(f"fit: nothing of {name} fits in {limit} tokens")
        values[step.into] = cut.rstrip()

    return run


def template(step: Template, context: Context) -> Run:
    """The template's text."""
    text = render(step.template, "template")

    def run(values: Values, key: str) -> None:
        values[step.into] = text(values)

    return run
