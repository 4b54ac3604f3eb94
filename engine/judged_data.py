"""What models say of sources of examples: whether outputs are right and how hard the right ones are. No model judges its own writing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.data_sources import DataSource
from engine.prompts.witness import solve_messages
from engine.quality.correctness import Correctness, Known, judge_correctness
from engine.quality.difficulty import Difficulty, base_difficulty, rate_difficulty
from engine.quality.solving import calls_each, is_closed
from engine.records import Example, Task, Value
from engine.stored_answers import StoredAnswers

ROTATIONS = 2
VOTES = 2
_LONGEST = 64
"""Tokens of an answer in free text, unless the examples' outputs are longer."""


class Asked(Value):
    """What models say of one source."""

    correctness: Correctness | None = None
    difficulty: Difficulty | None = None
    """By the judge."""
    base: Difficulty | None = None
    """By the base model."""
    unasked: tuple[str, ...] = ()
    """Why a model was not asked."""


class Models(NamedTuple):
    """Who is asked."""

    judge: StoredAnswers | None = None
    base: StoredAnswers | None = None
    known: tuple[Known, ...] = ()


NOBODY = Models()


class Cost(NamedTuple):
    """What asking a model takes at most."""

    model: str
    calls: int
    seconds: float | None
    """At the rate measured on this machine; None where it was not."""


def expected_costs(sources: Sequence[DataSource], task: Task, models: Models) -> dict[str, Cost]:
    """Role → calls of its model, those answered before among them, and their time; may measure the model's speed first."""
    costs = {}
    examples = sum(len(source.examples) for source in sources)
    each = calls_each(task, ROTATIONS)
    for role, answers, calls in (
        ("judge", models.judge, (each + VOTES) * examples + (each * len(models.known) if is_closed(task) else 3 * len(models.known))),
        ("base", models.base, (each if is_closed(task) else 1) * examples),
    ):
        if answers is not None:
            shared = answers.model.count_tokens("\n".join(message.content for message in solve_messages(task, "")))
            texts = [example.input for source in sources for example in source.examples[:10]]
            read = shared + sum(map(answers.model.count_tokens, texts)) // len(texts) + 20
            written = calls * (1 if is_closed(task) else _LONGEST // 3)
            seconds = answers.expected_seconds(calls, calls * read, written, shared)
            costs[role] = Cost(answers.model.identity.name, calls, seconds)
    return costs


def ask_models(sources: Sequence[DataSource], task: Task, models: Models, notes: list[str], seed: int) -> dict[str, Asked]:
    """By source, what the judge and the base model say of its examples; what people should know of it is added to `notes`.

    A model is not asked about a source whose outputs it wrote, and only examples the judge found right are measured for difficulty.
    """
    judge, base = models.judge, models.base
    unasked: dict[str, list[str]] = {source.name: [] for source in sources}
    judged = _allowed(sources, "judge", judge, unasked)
    based = _allowed(sources, "base", base, unasked)
    right = {name: frozenset(range(len(examples))) for name, examples in based.items()}
    correct: dict[str, Correctness] = {}
    rated: dict[str, Difficulty] = {}
    measured: dict[str, Difficulty] = {}
    if judge is not None and judged:
        longest = max(judge.model.count_tokens(one.output) for examples in judged.values() for one in examples)
        tokens = max(_LONGEST, longest + 8)
        correct = judge_correctness(task, judged, judge.complete, known=models.known, rotations=ROTATIONS, tokens=tokens, seed=seed)
        rated = rate_difficulty(task, judged, {name: one.found for name, one in correct.items()}, judge.complete, votes=VOTES, seed=seed)
    if base is not None and based:
        if judge is None:
            notes.append(
                "without --judge nobody knows which examples are right: the base model was asked about all, and wrong ones look hard"
            )
        else:
            right = {name: one.found for name, one in correct.items()}
            based = {name: examples for name, examples in based.items() if name in right}
        measured = base_difficulty(task, based, right, base.complete, base.model.count_tokens, rotations=ROTATIONS, seed=seed)
    if judge is not None and not models.known:
        notes.append("the judge's own error is not measured: give --known FILE.jsonl with right answers it has not seen")
    if judge is not None and base is not None and judge.model.identity.digest == base.model.identity.digest:
        notes.append("the base model is the judge: what it found right has a margin above 0 by that alone; take another judge")
    return {
        source.name: Asked(correct.get(source.name), rated.get(source.name), measured.get(source.name), tuple(unasked[source.name]))
        for source in sources
    }


def _allowed(
    sources: Sequence[DataSource], role: str, answers: StoredAnswers | None, unasked: dict[str, list[str]]
) -> dict[str, tuple[Example, ...]]:
    """The examples a model may be asked about; why not others is noted."""
    allowed = {}
    for source in sources if answers is not None else ():
        assert answers is not None
        if wrote(source, answers):
            unasked[source.name].append(f"the {role}, {answers.model.identity.name}, is the model that wrote outputs of it")
        else:
            allowed[source.name] = source.examples
    return allowed


def wrote(source: DataSource, answers: StoredAnswers) -> bool:
    """Whether this model wrote outputs of a source: by its digest, or by the name synthetic examples bear."""
    identity = answers.model.identity
    named = {getattr(example.source, "model", "") for example in source.examples}
    return identity.digest in source.writers or identity.name in named
