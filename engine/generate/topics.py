"""What inputs are to be about: lists the model makes before it writes, so that inputs differ in subject and not in wording alone."""

from __future__ import annotations

from collections.abc import Sequence

from engine.generate.checks import is_placeholder
from engine.generate.repeats import Inputs, same_key, words_of
from engine.plan.order import shuffled
from engine.prompts import generate as prompt
from engine.records import Task
from engine.stage import Context
from models.language import Request, Sampling

LIST = 10
"""Topics asked for in one call; longer lists begin to repeat."""
TEMPERATURE = 0.9
MIN_P = 0.05
TOKENS = 16
"""Of one topic at most, on average."""
MOST_WORDS = 9
ALIKE = 0.6
MOST_LABELS = 12
"""With more labels than these the lists are made for all of them together."""


class Topics:
    """Topics, by label where each label has its own: a list made for all would lean to some, and contradict the others."""

    def __init__(self, by_label: dict[str, tuple[str, ...]]) -> None:
        self._by_label = by_label

    @property
    def all(self) -> tuple[str, ...]:
        """All of them, label after label."""
        return tuple(topic for topics in self._by_label.values() for topic in topics)

    def of(self, turn: int, outputs: Sequence[str], seed: int) -> str:
        """The topic of a call whose examples are to have these outputs: each once, then once more in another order; "" for none.

        `turn` counts the calls that choose from the same topics. Several examples with different labels have none in common.
        """
        label = outputs[0] if outputs and "" not in self._by_label else ""
        topics = self._by_label.get(label, ())
        if not topics or (label and len(set(outputs)) > 1):
            return ""
        round_, place = divmod(turn, len(topics))
        return shuffled(topics, seed, "topics", round_)[place]


def list_topics(task: Task, count: int, steers: bool, ctx: Context) -> Topics:
    """Ask for about `count` topics, and keep those that are told apart."""
    labels = task.output.labels if steers and 0 < len(task.output.labels) <= MOST_LABELS else ("",)
    asked = {label: _requests(task, label, place, -(-count // (LIST * len(labels))), ctx.seed) for place, label in enumerate(labels)}
    every = [request for requests in asked.values() for request in requests]
    answers = {completion.key: completion for completion in ctx.complete("generate", every)}
    by_label: dict[str, tuple[str, ...]] = {}
    for label, requests in asked.items():
        known = Inputs(ALIKE)
        kept: list[str] = []
        for answer in (answers[request.key] for request in requests):
            for topic in prompt.read_topics(answer.text) if answer.finish == "stop" else ():
                if _usable(topic, task) and not known.near(topic):
                    known.add(topic)
                    kept.append(topic)
        by_label[label] = tuple(kept[: -(-count // len(labels))])
    made = Topics(by_label)
    if every:
        ctx.event("topics", f"{len(made.all)} topics: {'; '.join(made.all)[:400]}" if made.all else "no topics came back", topics=made.all)
    return made


def _requests(task: Task, label: str, place: int, lists: int, seed: int) -> list[Request]:
    return [
        Request(
            f"topics {place}.{number}",
            prompt.topic_messages(task, LIST, label),
            prompt.topic_schema(LIST),
            Sampling(temperature=TEMPERATURE, min_p=MIN_P, seed=seed * 1000 + number, max_tokens=LIST * TOKENS),
        )
        for number in range(lists)
    ]


def _usable(topic: str, task: Task) -> bool:
    """No sentence, no placeholder, no label, and no words of the description alone."""
    words = words_of(topic)
    if not words or len(words) > MOST_WORDS or is_placeholder(topic) or topic in task.output.labels:
        return False
    return not set(words) <= set(words_of(task.description)) and same_key(topic) not in {
        same_key(shown) for shown in prompt.TOPICS_SHOWN[2]
    }
