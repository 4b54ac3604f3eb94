"""Evaluate: the finetuned model on the task's own test, as it will be used, against its base in the way that is best for it.

The model that is asked is the base's GGUF file with the adapter, in llama.cpp. It is asked as it was trained; how the base is asked is
chosen on the task's own examples, never on the test. Every answer is kept beside the record, so that other models can be compared with
it item by item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.evaluate.asking import Style
from engine.evaluate.evaluated import Agreement, Evaluated
from engine.evaluate.evaluation import Draws, Judged, asker_of, evaluation_of, expected_cost, judge, off_the_test
from engine.evaluate.evaluation import Given as Question
from engine.evaluate.items import Item, example_items
from engine.evaluate.kept import keep_answers, test_of
from engine.finetuned_model import trial
from engine.prompts.evaluate import chat_messages
from engine.records import Base, Finetuned, Task, Value
from engine.stage import Context, Stage
from models.errors import ModelError
from models.language import Completion, LanguageModel, Request, Sampling

TORCH_TOKENS = 16
"""Longest answer that is held against PyTorch's."""


class Given(Value):
    """What it starts from."""

    task: Task
    test: str
    """SHA-256 of the task's test."""
    base: Base
    finetuned: Finetuned | None = None
    """None asks the base alone."""
    alone: bool = False
    """Ask the finetuned model alone."""


class Options(Value):
    """Settings of evaluate."""

    finetuned: Annotated[bool, Meta(description="Evaluate what finetune trained, where the task has a test.")] = True
    items: Annotated[int, Meta(description="Ask at most so many items of the test, drawn by seed; 0 asks all.", ge=0, le=100_000)] = 1000
    shots: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=64)], ...],
        Meta(description="Numbers of demonstrations the base is tried with; the best off the test is taken.", min_length=1, max_length=8),
    ] = (0, 2, 8)
    styles: Annotated[
        tuple[Style, ...],
        Meta(description="How the base is asked: chat, plain text, export (as a finetuned model is); the best is taken.", min_length=1),
    ] = ("chat", "plain", "export")
    by: Annotated[
        Literal["sum", "per_token", "prior_corrected"],
        Meta(description="How options are scored in the figure that decides; the others stand beside it."),
    ] = "sum"
    draws: Annotated[int, Meta(description="Draws of demonstrations that the base's figures are averaged over.", ge=1, le=20)] = 1
    torch_items: Annotated[
        int,
        Meta(
            description="Items the adapter answers in PyTorch as well, where it was trained, to tell how often llama.cpp says the same; "
            "0 leaves that out.",
            ge=0,
            le=10_000,
        ),
    ] = 25
    shuffle: Annotated[
        bool, Meta(description="Put each item's options in an order of its own; in published tests the right often is first.")
    ] = True


def run(given: Given, options: Options, ctx: Context) -> Evaluated:
    """Ask one model or two. Raises BadInput for a test that cannot be read, Unavailable where a model cannot be loaded."""
    test = test_of(given.task, options.items, options.shuffle, ctx.seed)
    if test.closed and given.task.output.kind == "text":
        ctx.event("options", "the test has options though the task's outputs are free text: they are weighed")
    pool = off_the_test(example_items(given.task.examples, given.task, shuffle=options.shuffle, seed=ctx.seed), test)
    if len(pool) < len(given.task.examples):
        ctx.event("left-out", f"{len(given.task.examples) - len(pool)} of the task's examples are items of the test: they are not shown")
    question = Question(given.task, test, pool, way=options.by, seed=ctx.seed)
    plans: list[tuple[str, Question]] = []
    if given.finetuned:
        plans.append(("finetuned", msgspec.structs.replace(question, shots=(0,), styles=("export",))))
        folder = ctx.finetuned(given.finetuned, trial(given.task, test.items[0].input))
    if not given.alone:
        plans.append(("base", msgspec.structs.replace(question, shots=options.shots, styles=options.styles, draws=options.draws)))
    judged: list[Judged] = []
    chosen: list[Draws] = []
    asked = test.items[: options.torch_items] if given.finetuned and not given.alone else ()
    said: list[str] = []
    for place, (role, wanted) in enumerate(plans):
        answers = _Asked(ctx, role)
        asker = asker_of(wanted, answers)
        cost = expected_cost(wanted, asker)
        ctx.expect_calls(role, *cost)
        answers.total = cost.calls
        one, draws = judge(wanted, asker)
        judged.append(one)
        chosen.append(draws)
        keep_answers(place, test, draws, ctx)
        if asked and role == "finetuned":
            said = _written(given.task, asked, ctx)
            # It and the base side by side are two whole models, where a GPU may have room for one.
            ctx.release_models()
    agreement = None
    if asked:
        ctx.release_models()
        agreement = _agreement(given.task, asked, said, folder, ctx)
    found = Evaluated(evaluation_of(question, judged, chosen), given.finetuned is not None, agreement)
    ctx.event("evaluated", _came_to(found))
    return found


def _written(task: Task, items: Sequence[Item], ctx: Context) -> list[str]:
    """What the finetuned model writes in llama.cpp; "" where no answer came."""
    prompts = [chat_messages(task, (), item.input, bare=True) for item in items]
    requests = [Request(str(place), prompt, sampling=Sampling(max_tokens=TORCH_TOKENS)) for place, prompt in enumerate(prompts)]
    said = {int(completion.key): completion.text for completion in ctx.complete("finetuned", requests)}
    return [said.get(place, "") for place in range(len(prompts))]


def _agreement(task: Task, items: Sequence[Item], said: Sequence[str], adapter: Path, ctx: Context) -> Agreement | None:
    """How often PyTorch answers what llama.cpp said; None, with the reason told, where PyTorch cannot."""
    prompts = [chat_messages(task, (), item.input, bare=True) for item in items]
    same = 0
    try:
        for place, text in enumerate(ctx.trainer().answers(adapter, prompts, TORCH_TOKENS)):
            same += text.strip() == said[place].strip()
            ctx.progress(place + 1, len(prompts), "answers in PyTorch")
    except ModelError as error:
        ctx.event("not-compared", f"the adapter was not asked in PyTorch: {error.title}", hint=error.hint)
        return None
    ctx.event("agreement", f"llama.cpp says the same as PyTorch on {same} of {len(prompts)} items", same=same, items=len(prompts))
    return Agreement(len(prompts), same, TORCH_TOKENS)


class _Asked:
    """A role's model over the step's stored answers, with progress."""

    def __init__(self, ctx: Context, role: str) -> None:
        self.model: LanguageModel = ctx.model(role)
        self.total = 0
        self._ctx = ctx
        self._role = role
        self._done = 0

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """See Answers.complete."""
        for completion in self._ctx.complete(self._role, requests):
            self._done += 1
            self._ctx.progress(self._done, max(self.total, self._done), f"answers of {self.model.identity.name}")
            yield completion


def _came_to(found: Evaluated) -> str:
    parts = []
    for one in found.evaluation.models:
        figure = one.results[0].figures[0]
        value = figure.estimate
        parts.append(f"{one.model} {value.value:.3f} ({value.low:.3f} to {value.high:.3f})")
    text = f"{found.evaluation.metric} over {found.evaluation.items:,} items: {' against '.join(parts)}"
    if found.evaluation.comparison:
        told = found.evaluation.comparison.difference
        text += f"; difference {told.estimate.value:+.3f} ({told.estimate.low:+.3f} to {told.estimate.high:+.3f}), p {told.p:.3g}"
    return text


STAGE = Stage("evaluate", "asking it the items of your test", 3, Given, Options, Evaluated, run, roles=("base",), trained=("finetuned",))
