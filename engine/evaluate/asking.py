"""Items put to a model: options weighed, answers written greedily, with demonstrations of the task before them.

Everything goes through stored answers: what was asked once is never asked again, so a stopped evaluation goes on where it was.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, Protocol

from engine.errors import BadInput
from engine.evaluate.items import Item, Test
from engine.prompts.evaluate import CONTENT_FREE, answer_in, chat_messages, plain_prompt
from engine.records import Task, TaskExample, Value
from models.errors import RequestInvalid
from models.language import Completion, LanguageModel, Message, Request, Sampling

Style = Literal["chat", "plain", "export"]
""""chat": the task explained in a system turn; "plain": a text to go on with; "export": a chat as training sets hold it, with the bare
description, which is how a model was asked that was trained on one."""
_STYLE_WORDS: dict[Style, str] = {"chat": "chat", "plain": "plain text", "export": "as trained"}
Demonstrations = Callable[[Item], Sequence[TaskExample]]
"""Which examples are shown before an item."""
SPARE_TOKENS = 12
LEAST_TOKENS = 16
MOST_TOKENS = 512
"""Of a written answer."""


class Setting(Value):
    """One way to ask."""

    shots: int
    """Demonstrations before each item."""
    style: Style = "chat"

    def __str__(self) -> str:
        return f"{self.shots}-shot, {_STYLE_WORDS[self.style]}"


AS_TRAINED = Setting(0, "export")
"""How a model is asked that was trained on an export."""


class Answer(Value):
    """What a model said of one item."""

    sums: tuple[float, ...] = ()
    """Log-likelihood of each option, summed over its tokens; () where the item has none, or no answer came."""
    tokens: tuple[int, ...] = ()
    """Of each option, with its end where that is counted in `sums`; () where `sums` are of a menu's letters."""
    priors: tuple[float, ...] = ()
    """As `sums`, where the input says nothing; () where that is the same question, or was not asked."""
    text: str = ""
    """What it wrote."""
    written: bool = False
    error: str = ""

    def scores(self, by: str) -> tuple[float, ...]:
        """Of the options: "sum", "per_token" or "prior_corrected"; () where there are none."""
        if by == "sum":
            return self.sums
        if by == "per_token":
            return tuple(total / max(1, count) for total, count in zip(self.sums, self.tokens, strict=True)) if self.tokens else ()
        return tuple(total - prior for total, prior in zip(self.sums, self.priors, strict=True)) if self.priors else ()


class Plan(Value):
    """How much of the model is asked of each item."""

    priors: bool = True
    writes: bool = True


EVERYTHING = Plan()
CHOICE_ONLY = Plan(priors=False, writes=False)


class Answers(Protocol):
    """A model whose answers are stored: engine.stored_answers outside of a stage, the context within one."""

    model: LanguageModel

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answers to the requests, in any order; one given before is not asked for again."""
        ...


class Asker:
    """One model, asked one task's items."""

    def __init__(self, answers: Answers, task: Task, *, longest: int = 0, one_line: bool = True) -> None:
        """`longest` in tokens bounds written answers; `one_line` says that right answers have no line break."""
        self.answers = answers
        self.task = task
        self.tokens = max(LEAST_TOKENS, min(MOST_TOKENS, longest + SPARE_TOKENS))
        self.one_line = one_line
        self.only: tuple[Setting, ...] = ()
        """The ways it is asked where there is no choice, such as for a model that was trained on one; () leaves the choice."""
        self.plain = _goes_on(answers)
        """Whether it can go on with a plain text. What cannot, a server, weighs options by a lettered menu: only their order tells."""

    def ask(
        self, test: Test, items: Sequence[Item], setting: Setting, shown: Demonstrations, plan: Plan = EVERYTHING, seed: int = 0
    ) -> list[Answer]:
        """The answers, in the order of the items."""
        if setting.style == "plain" and not self.plain:
            raise BadInput(f"{self.answers.model.identity.name} goes on with no plain text", "ask in a chat: --style chat")
        said: dict[str, str] = {}
        errors: dict[str, str] = {}
        for completion in self.answers.complete(self._requests(test, items, setting, shown, plan, seed)):
            said[completion.key] = completion.text
            if completion.finish == "error":
                errors[completion.key] = completion.error
        return [self._answer(test, item, number, setting, said, errors) for number, item in enumerate(items)]

    def calls(self, items: Sequence[Item], plan: Plan = EVERYTHING) -> int:
        """At most so many calls."""
        closed = sum(bool(item.options) for item in items)
        return closed * (1 + (plan.priors and self.plain)) + (len(items) if plan.writes else len(items) - closed)

    def prompt_tokens(self, test: Test, items: Sequence[Item], setting: Setting, shown: Demonstrations) -> tuple[int, int]:
        """Tokens of a usual prompt, and how many of them all prompts share; from a few items."""
        some = items[:: max(1, len(items) // 8)][:8]
        count = self.answers.model.count_tokens
        prompts = [self._prompt(test, item, setting, shown(item), item.input)[0] for item in some]
        whole = [count("\n".join(message.content for message in messages)) for messages in prompts]
        own = [count(item.input) for item in some]
        usual = sum(whole) // max(1, len(whole))
        return usual, max(0, usual - sum(own) // max(1, len(own)))

    def _requests(
        self, test: Test, items: Sequence[Item], setting: Setting, shown: Demonstrations, plan: Plan, seed: int
    ) -> Iterator[Request]:
        sampling = Sampling(max_tokens=self.tokens, seed=seed)
        for number, item in enumerate(items):
            if item.options:
                messages, space = self._prompt(test, item, setting, shown(item), item.input)
                yield Request(f"{number} weigh", messages, choices=tuple(f"{space}{option}" for option in item.options))
        for number, item in enumerate(items):
            if plan.writes or not item.options:
                yield Request(f"{number} write", self._prompt(test, item, setting, shown(item), item.input)[0], sampling=sampling)
        for number, item in enumerate(items):
            if plan.priors and self.plain and item.options and item.input.strip():
                messages, space = self._prompt(test, item, setting, shown(item), CONTENT_FREE)
                yield Request(f"{number} prior", messages, choices=tuple(f"{space}{option}" for option in item.options))

    def _prompt(self, test: Test, item: Item, setting: Setting, shown: Sequence[TaskExample], text: str) -> tuple[tuple[Message, ...], str]:
        if setting.style != "plain":
            return chat_messages(self.task, shown, text, bare=setting.style == "export"), ""
        prompt, space = plain_prompt(self.task, test.frame(item), shown, text)
        return (Message("text", prompt),), space

    def _answer(self, test: Test, item: Item, number: int, setting: Setting, said: dict[str, str], errors: dict[str, str]) -> Answer:
        sums = _numbers(said.get(f"{number} weigh", ""), item)
        ends = int(setting.style != "plain")
        text = said.get(f"{number} write", "")
        return Answer(
            sums=sums,
            tokens=tuple(self.answers.model.count_tokens(option) + ends for option in item.options) if sums and self.plain else (),
            priors=_numbers(said.get(f"{number} prior", ""), item) if sums else (),
            text=answer_in(text, test.frame(item), self.one_line) if setting.style == "plain" else text.strip(),
            written=f"{number} write" in said and f"{number} write" not in errors,
            error=next((errors[key] for key in (f"{number} weigh", f"{number} write", f"{number} prior") if key in errors), ""),
        )


def demonstrations(pool: Sequence[Item], shots: int, seed: int) -> Demonstrations:
    """The same examples before every item, drawn by seed; an item of the pool itself is shown the others.

    An item of a subtask is shown examples of its subtask, where there are any: others would be in another form.
    """
    order = random.Random(f"demonstrations {seed}").sample(range(len(pool)), len(pool))
    parts = {item.part for item in pool}

    def shown(item: Item) -> Sequence[TaskExample]:
        drawn = (pool[place] for place in order)
        fitting = (one for one in drawn if one.cluster != item.cluster and (one.part == item.part or item.part not in parts))
        return [TaskExample(one.input, one.answer) for one in islice(fitting, shots)]

    return shown


def longest_answer(items: Sequence[Item], count: Callable[[str], int]) -> int:
    """Tokens of the longest right answer or option among the items."""
    texts = {text for item in items for text in (*item.references, *item.options)}
    longest = sorted(texts, key=len)[-20:]
    return max(map(count, longest), default=0)


def _goes_on(answers: Answers) -> bool:
    try:
        answers.model.render((Message("text", "A text"),))
    except RequestInvalid:
        return False
    return True


def _numbers(text: str, item: Item) -> tuple[float, ...]:
    """Log-likelihoods in an answer; () for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    whole = isinstance(found, list) and len(found) == len(item.options)
    return tuple(map(float, found)) if whole and all(isinstance(one, int | float) and math.isfinite(one) for one in found) else ()
