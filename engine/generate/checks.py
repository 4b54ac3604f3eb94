"""What is wrong with a written example, as far as its text alone can tell."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from engine.generate.form import Filled, Form
from engine.generate.repeats import same_key, words_of
from engine.plan.profile import script_of
from engine.plan.structure.languages import input_language, output_language, told_language
from engine.records import Task

_PLACEHOLDER = re.compile(
    r"\W*((an?|the|my|your|this|new|some|another|sample|example|first|second|right|wrong|correct|incorrect|possible)[ _-]*)*"
    r"(input|output|example|text|sentence|question|option|answer|choice|title|string|placeholder|topic|content|label|n/?a|none|null|todo|tbd)s?"
    r"([ _-]*(here|goes here|[a-h]|\d+|one|two|three|text))?\W*"
    r"|\W+|lorem ipsum.*|.*\b(insert|enter|type|write) (the |your |an? )?\w+ (text )?here\b.*"
    r"|.*\[(name|insert|your|company|product|date|link|city)\b[^\]]*\].*",
    re.IGNORECASE | re.DOTALL,
)
_SPEAKS = re.compile(
    r"\W*(sure\b|certainly\b|of course,? here|here (is|are|'s) (an?|the|another|your|some) |as an ai\b|i(?:'m| am) sorry,? but i"
    r"|write an? (new )?example|new example|whose output is)",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(r"(,|:|;|\(|\[|\s[-–—]|\s(and|or|the|an?|of|to|with|in|for))$", re.IGNORECASE)
LEAST_LETTERS = 80
"""Letters below which a language is not told from words."""
LIKE_INSTRUCTION = 0.8
SHORT_LABEL = 4


def is_placeholder(text: str) -> bool:
    """Whether words such as "example input" or signs alone stand where a text should."""
    return _PLACEHOLDER.fullmatch(text) is not None


class Checks:
    """Checks for one task."""

    def __init__(self, task: Task, form: Form) -> None:
        self._task = task
        self._form = form
        self._instruction = [same_key(part) for part in re.split(r"(?<=[.!?。！？])\s+|\n", task.description) if len(part) > 12]
        self._languages = (input_language(task), output_language(task))
        shown = [filled for example in task.examples if (filled := form.taken_apart(example))]
        self._scripts = (
            script_of(text for filled in shown for text in filled.body),
            script_of(example.output for example in task.examples) if task.output.kind == "text" else "",
        )
        self._input_lengths = [len(" ".join(filled.body)) for filled in shown]
        self._output_lengths = [len(example.output) for example in task.examples] if task.output.kind == "text" else []
        self._ends = len(shown) >= 2 and all(_ends(filled.body[-1]) for filled in shown)
        self._asks = len(shown) >= 2 and all(_asks(filled) for filled in shown)
        self._copies = any(same_key(example.input) == same_key(example.output) for example in task.examples)
        told = [_says(example.input, example.output) for example in task.examples]
        self._tells_label = task.output.kind == "label" and len(told) >= 2 and not any(told)

    def fault(self, filled: Filled) -> str:
        """The first thing that is wrong, in a few words; "" when nothing is."""
        output = "" if self._form.options else filled.output
        written = [*filled.pieces, *((filled.right, *filled.wrong) if self._form.options else (output,))]
        if any(not text.strip() for text in written):
            return "a part of it is empty"
        return (
            self._form_fault(filled, written)
            or self._length_fault(filled, output)
            or self._language_fault(filled, output)
            or (self._option_fault(filled) if self._form.options else self._output_fault(filled, output))
        )

    def _form_fault(self, filled: Filled, written: Sequence[str]) -> str:
        # A label or a short option may well be the word "none" or "answer".
        if any(is_placeholder(text) for text in filled.body) or (
            self._task.output.kind == "text" and is_placeholder(filled.output) and not filled.output.strip().isdigit()
        ):
            return "a placeholder stands for the text"
        if any(_SPEAKS.match(text) for text in written):
            return "it speaks to the one who asked"
        whole = same_key(" ".join(filled.body))
        if any(part in whole or _like(part, whole) for part in self._instruction):
            return "it repeats the task's description"
        last = filled.body[-1].rstrip()
        if _UNFINISHED.search(last) or (self._ends and not _ends(last) and len(words_of(last)) > 3):
            return "the input breaks off"
        if self._asks and not _asks(filled):
            return "the input asks nothing, the examples' do"
        if any(_loops(text) for text in written):
            return "it repeats itself"
        return ""

    def _length_fault(self, filled: Filled, output: str) -> str:
        length = len(" ".join(filled.body))
        if self._input_lengths and not min(self._input_lengths) / 4 - 10 <= length <= max(self._input_lengths) * 4 + 80:
            return "the input is far shorter or longer than the examples'"
        if self._output_lengths and output and not min(self._output_lengths) / 5 - 10 <= len(output) <= max(self._output_lengths) * 4 + 40:
            return "the output is far shorter or longer than the examples'"
        return ""

    def _language_fault(self, filled: Filled, output: str) -> str:
        sides = [("input", " ".join(filled.body), self._scripts[0], self._languages[0])]
        if self._task.output.kind == "text":
            sides.append(("output", output, self._scripts[1], self._languages[1]))
        for side, text, script, language in sides:
            found = script_of([text])
            if script and found and found != script and {found, script} != {"CJK", "JAPANESE"}:
                return f"the {side} is written in {found.lower()} letters"
            if language and sum(letter.isalpha() for letter in text) >= LEAST_LETTERS:
                told = told_language(text, language)
                if told not in ("", language):
                    return f"the {side} is in another language ({told})"
        return ""

    def _option_fault(self, filled: Filled) -> str:
        options = [same_key(option) for option in (filled.right, *filled.wrong)]
        if len(set(options)) < len(options):
            return "two options are the same"
        stem = same_key(" ".join(filled.pieces))
        if len(words_of(filled.right)) > 1 and same_key(filled.right) in stem:
            return "the right option stands in the question"
        if any(is_placeholder(option) and len(words_of(option)) > 1 for option in (filled.right, *filled.wrong)):
            return "an option is a placeholder"
        lengths = [len(option) for option in (filled.right, *filled.wrong)]
        if max(lengths) > 8 * statistics.median(lengths) + 40:
            return "one option is far longer than the others"
        return ""

    def _output_fault(self, filled: Filled, output: str) -> str:
        labels = self._task.output.labels
        if labels and output not in labels:
            return "the output is none of the labels"
        if not self._copies and same_key(" ".join(filled.body)) == same_key(output):
            return "the output repeats the input"
        if self._tells_label and _says(" ".join(filled.body), output):
            return "the input says its label"
        return ""


def _says(text: str, label: str) -> bool:
    return len(label) >= SHORT_LABEL and f" {same_key(label)} " in f" {same_key(text)} "


def _like(one: str, other: str) -> bool:
    near = SequenceMatcher(None, one, other, autojunk=False)
    return near.real_quick_ratio() >= LIKE_INSTRUCTION and near.quick_ratio() >= LIKE_INSTRUCTION and near.ratio() >= LIKE_INSTRUCTION


def _ends(text: str) -> bool:
    return text.rstrip(" \"'”’)»").endswith((".", "!", "?", "…", "。", "！", "？", "।", "؟"))


def _asks(filled: Filled) -> bool:
    return any(mark in piece for piece in filled.pieces for mark in "?？؟")


def _loops(text: str) -> bool:
    """The same few words over and over."""
    words = words_of(text)
    if len(words) < 12:
        return bool(re.search(r"(\b\w+\b)(\W+\1\b){3,}", text, re.IGNORECASE))
    triples = Counter(zip(words, words[1:], words[2:], strict=False))
    return sum(count - 1 for count in triples.values()) > 0.3 * (len(words) - 2)
