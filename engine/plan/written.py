"""A second look at what a model wrote: refusals, another language, far too long, parroted, or an input without the row's text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from engine.errors import BadInput, EngineError
from engine.plan.flow import Flow
from engine.plan.steps import Plan, Write
from engine.plan.values import Stop, Values, plain
from engine.records import Column, Task

TIMES_LONGER = 4
"""A text may be this many times as long as the longest of the examples', and at least as long as the next two say."""
INPUT_CHARS = 2000
OUTPUT_CHARS = 400
LETTERS = 60
"""Letters below which nothing sure can be said of a text's language."""
PARROTED_CHARS = 40
"""Outputs from this length on are not by chance the same as an example's."""
SHARED = 0.7
"""Share of a column's words in the input, or of the input's words in a column, that counts as its text."""

_OPENING = 200
_MODEL = re.compile(
    r"\b(?:as|i am|i'm) an? (?:ai|artificial intelligence|(?:large )?language model)\b|\bals (?:eine? )?(?:ki|sprachmodell)\b"
    r"|\ben tant qu(?:e |')(?:une? )?(?:ia|intelligence artificielle|modèle de langage)\b"
    r"|\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje|modelo de linguagem)\b"
    r"|\bкак (?:ии|искусственный интеллект|языковая модель)\b|作为(?:一个|一名)?(?:ai|人工智能|语言模型)|aiとして|ai로서"
)
_SORRY = re.compile(
    r"(?:i'm|i am|we're|we are) (?:very |so |really )?sorry\b|sorry[,.!]|i apologi[sz]e\b|my apologies\b|unfortunately,? i\b"
    r"|i (?:cannot|can't|am unable|am not able)\b|i'm (?:unable|not able)\b"
    r"|es tut mir leid|entschuldigung|leider kann ich|je suis désolée?\b|désolée?\b|lo siento\b|mi dispiace\b|desculpe\b|sinto muito\b"
    r"|извините|простите|к сожалению, я|很?抱歉|对不起|申し訳|すみません|죄송"
)


class Written:
    """The checks for one plan; a plan in which no model writes passes them all."""

    def __init__(self, plan: Plan, columns: Sequence[Column], task: Task) -> None:
        self._task = task
        self._prose = bool(plan.prose)
        self._input, self._output = (True, True) if self._prose else _sides(plan, columns)
        self._columns = plan.columns or tuple(column.name for column in columns)
        self._fields = tuple(name for step in plan.steps if isinstance(step, Write) for name in step.into)
        outputs = [example.output for example in task.examples]
        self._parroted = frozenset(folded(text) for text in outputs if len(text) >= PARROTED_CHARS and task.output.kind == "text")
        self._excuses = any(_excuse(text) for example in task.examples for text in (example.input, example.output))
        self._longest_input = max((len(example.input) for example in task.examples), default=0)
        self._longest_output = max(map(len, outputs), default=0)

    def look(self, given: str, output: str, values: Values) -> None:
        """Raises values.Stop with kind "rejected" for what a model should not have written."""
        if not (self._input or self._output):
            return
        written = [given, output] if self._prose else [text for name in self._fields if isinstance(text := values.get(name), str)]
        if not self._excuses:
            for text in written:
                said = _excuse(text)
                if said and not any(said in folded(own) for own in self._row(values)):
                    raise _rejected(f"the model excuses itself ({said})")
        if self._output and folded(output) in self._parroted:
            raise _rejected("output: a copy of one of the task's examples")
        if self._prose and not self._carries(given, values):
            raise _rejected("input: it holds no column's text")
        if self._input:
            self._side("input", given, self._longest_input, INPUT_CHARS, self._languages[0])
        if self._output:
            self._side("output", output, self._longest_output, OUTPUT_CHARS, self._languages[1])

    def _side(self, side: str, text: str, longest: int, least: int, language: str) -> None:
        if longest and len(text) > max(least, TIMES_LONGER * longest):
            raise _rejected(f"{side}: more than {TIMES_LONGER} times as long as the longest of the examples'")
        other = _another_language(text, language)
        if other:
            raise _rejected(f"{side}: in {other}, not in {language}")

    @cached_property
    def _languages(self) -> tuple[str, str]:
        """Languages of input and output, "" where it cannot be told from others."""
        # Deferred: structure reads plans too.
        from engine.plan.structure.languages import input_language, output_language
        from engine.plan.text_language import primary_code

        codes = []
        for code in (input_language(self._task), output_language(self._task)):
            try:
                codes.append(primary_code(code))
            except BadInput:
                codes.append("")
        return codes[0], codes[1]

    def _carries(self, given: str, values: Values) -> bool:
        """Whether the text of a column stands in the input, at least in good part; short ones do not count beside long ones."""
        texts = [folded(text) for text in self._row(values)]
        least = min(12, max(map(len, texts), default=0) // 2)
        held, words = folded(given), _words(given)
        for text in texts:
            if len(text) < least:
                continue
            own = _words(text)
            shared = len(own & words)
            if text in held or shared >= SHARED * len(own) > 0 or (len(words) >= 5 and shared >= SHARED * len(words)):
                return True
        return not texts

    def _row(self, values: Values) -> Iterator[str]:
        """What the row itself says, column by column."""
        for name in self._columns:
            try:
                text = plain(values.get(name)).strip()
            except (ValueError, RecursionError):
                continue  # pictures and sound
            if text:
                yield text


def folded(text: str) -> str:
    """Text as it is compared: no capitals, single blanks."""
    return " ".join(text.casefold().split())


def _sides(plan: Plan, columns: Sequence[Column]) -> tuple[bool, bool]:
    """Whether a model wrote part of the input, of the output."""
    if plan.emit is None:
        return False, False
    flow = Flow(columns)
    for step in plan.steps:
        flow.add(step)
    return flow.text(plan.emit.input).origin == "written", flow.text(plan.emit.output).origin == "written"


def _excuse(text: str) -> str:
    """How a model begins that will not or cannot answer; "" when this text does not."""
    opening = folded(text[:_OPENING].replace("’", "'"))
    found = _MODEL.search(opening) or _SORRY.match(opening)
    return found.group() if found else ""


def _another_language(text: str, expected: str) -> str:
    """The language the whole text and both its halves are in, where it is not the one expected; "" for short texts, code and numbers."""
    from engine.plan.text_language import language_of

    letters = sum(letter.isalpha() for letter in text)
    if not expected or letters < LETTERS or letters < 0.75 * sum(not letter.isspace() for letter in text):
        return ""
    middle = max(text.find(" ", len(text) // 2), len(text) // 2)
    try:
        told = {language_of(part, expected) for part in (text, text[:middle], text[middle:])}
    except EngineError:
        return ""
    return told.pop() if len(told) == 1 and expected not in told else ""


def _words(text: str) -> set[str]:
    """Words; pairs of signs in scripts that do not set words apart."""
    found: set[str] = set()
    for word in re.findall(r"\w+", text.casefold()):
        if re.search(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]", word):
            found.update(word[place : place + 2] for place in range(max(1, len(word) - 1)))
        else:
            found.add(word)
    return found


def _rejected(reason: str) -> Stop:
    return Stop("rejected", reason)
