"""A whole evaluation: one model or two on one test, each asked in the way that was best for it off the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from engine.errors import BadInput
from engine.evaluate.asking import EVERYTHING, Answer, Answers, Asker, Setting, Style, demonstrations, longest_answer
from engine.evaluate.choosing import PAPER, Choice, calls_of_choosing, choose, settings_of
from engine.evaluate.intervals import DESCRIPTIVE_BELOW, Difference, Estimate, difference, ratio
from engine.evaluate.items import Item, Test
from engine.evaluate.scores import Figure, figures, item_scores, parsed, predicted, primary_name, primary_parts
from engine.plain_text import one_line
from engine.quality.leakage import find_leakage
from engine.quality.words import normalised
from engine.records import Task, TaskExample, Value

Draws = list[list[Answer]]
"""Answers to all items, for each draw of demonstrations."""
MOST_WRONG = 5
LENGTHS_APART = 2.0
"""Longest option over shortest; a sum of log-probabilities is told to prefer short ones from here."""
_SHOWN = 300


class Given(Value):
    """What is to be evaluated, and how."""

    task: Task
    test: Test
    pool: tuple[Item, ...]
    """Examples of the task that are not in the test: demonstrations, and what settings are chosen on."""
    shots: tuple[int, ...] = (0, 2, 8)
    styles: tuple[Style, ...] = ("chat", "plain", "export")
    way: str = "sum"
    """How options are scored: fixed beforehand."""
    draws: int = 1
    """Draws of demonstrations that figures are averaged over."""
    every: bool = False
    """Whether all settings are asked on the test, to be seen; the choice stays the same."""
    seed: int = 0


class LabelRow(Value):
    """What became of the items of one label."""

    label: str
    n: int
    right: float
    """Items, a tie counted in parts; the mean over draws."""
    taken_for: tuple[tuple[str, int], ...]
    """Other labels that were taken instead, in the first draw, most often first."""


class Wrong(Value):
    """An item that was answered wrongly."""

    item: str
    input: str
    right: str
    taken: str
    """The option of the highest score; of a task with free answers, what was written."""
    written: str
    error: str = ""


class Result(Value):
    """One setting on the test."""

    setting: Setting
    draws: int
    figures: tuple[Figure, ...]
    unanswered: int
    """Answers that did not come, over all draws, such as for a prompt longer than the context; they count as wrong."""
    labels: tuple[LabelRow, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    wrong_of: int = 0
    """Items answered wrongly in the first draw."""


class Judged(Value):
    """One model on the test."""

    model: str
    digest: str
    runtime: str
    choice: Choice
    results: tuple[Result, ...]
    """The chosen setting first."""
    notes: tuple[str, ...] = ()


class Comparison(Value):
    """The first model's chosen setting against the second's."""

    figure: str
    difference: Difference
    share: Estimate | None
    """How much of the second's figure, of an accuracy above chance, the first has; None where that is not clear of zero."""
    reason: str = ""
    """Why there is no share."""

    @property
    def above_chance(self) -> str:
        """What the share is of, to be said after it: nothing is taken off a macro-F1 or the figure of a text."""
        return " above chance" if self.figure.startswith("accuracy") else ""


class Evaluation(Value):
    """What evaluate found."""

    task: str
    test: str
    items: int
    clusters: int
    metric: str
    examples: int
    """Of the task, that are not in the test."""
    models: tuple[Judged, ...]
    comparison: Comparison | None = None
    notes: tuple[str, ...] = ()


class Cost(NamedTuple):
    """What asking a model takes at most."""

    calls: int
    prompt_tokens: int
    """Of all calls together."""
    completion_tokens: int
    shared: int
    """Tokens of each prompt that are the same in all."""


def off_the_test(pool: Sequence[Item], test: Test) -> tuple[Item, ...]:
    """The examples that hold no item of the test: neither its input, nor one that is found in it as a leak in training data would be."""
    asked = {normalised(item.input) for item in test.items if item.input.strip()}
    leaks = find_leakage(_pairs(pool), _pairs(test.items))
    return tuple(item for place, item in enumerate(pool) if place not in leaks.removed and normalised(item.input) not in asked)


def _pairs(items: Sequence[Item]) -> list[TaskExample]:
    return [TaskExample(item.input, item.answer) for item in items]


def asker_of(given: Given, answers: Answers) -> Asker:
    """A model with the bounds that right answers of this task set."""
    items = [*given.test.items, *given.pool]
    one_line = not any("\n" in text.strip() for item in items for text in (*item.references, *item.options))
    return Asker(answers, given.task, longest=longest_answer(items, answers.model.count_tokens), one_line=one_line)


def settings_for(given: Given, asker: Asker) -> tuple[Setting, ...]:
    """The ways this model can be asked."""
    if asker.only:
        return asker.only
    styles = tuple(style for style in given.styles if style != "plain" or asker.plain)
    return settings_of(given.shots, styles or ("chat",), len(given.pool))


def expected_cost(given: Given, asker: Asker) -> Cost:
    """What a model's part takes at most."""
    settings = settings_for(given, asker)
    choosing = calls_of_choosing(asker, given.pool, settings, given.seed)
    on_test = settings if given.every else sorted(settings, key=lambda one: one.shots)[-2:]
    each = asker.calls(given.test.items)
    calls, read, shared_least = choosing, 0, 0
    for setting in on_test:
        usual, shared = asker.prompt_tokens(given.test, given.test.items, setting, demonstrations(given.pool, setting.shots, given.seed))
        times = given.draws if setting.shots else 1
        calls += times * each
        read += times * each * usual
        shared_least = max(shared_least, shared)
    read += choosing * shared_least
    written = calls * 3 + len(on_test) * given.draws * len(given.test.items) * asker.tokens // 2
    return Cost(calls, read, written, shared_least)


def evaluate(given: Given, askers: Sequence[Asker]) -> Evaluation:
    """Ask each model, score what it said, and compare the first with the second, if there is one."""
    for asker in askers:
        _must_be_measurable(given, asker)
    judged, chosen = zip(*(judge(given, asker) for asker in askers), strict=True)
    return evaluation_of(given, judged, chosen)


def evaluation_of(given: Given, judged: Sequence[Judged], chosen: Sequence[Draws]) -> Evaluation:
    """What there is to say of models that were asked, each with its answers in its chosen setting; the first against the second."""
    test = given.test
    return Evaluation(
        given.task.name,
        test.name,
        len(test.items),
        test.clusters,
        primary_name(test, given.way),
        len(given.pool),
        tuple(judged),
        _compared(given, *chosen) if len(chosen) == 2 else None,
        tuple(notes_on(test)),
    )


def notes_on(test: Test) -> list[str]:
    """What there is to know of a test, whoever is asked."""
    few = f"descriptive: {test.clusters:,} independent items, under {DESCRIPTIVE_BELOW}, say little about others"
    return [*test.notes, *([few] if test.clusters < DESCRIPTIVE_BELOW else [])]


def note_on_lengths(test: Test, way: str) -> str:
    """What a sum of log-probabilities does where options differ in length; "" where they do not, or another score decides."""
    apart = test.options_apart
    if way != "sum" or apart < LENGTHS_APART:
        return ""
    told = f"the longest option of an item has {apart:.1f} times the characters of its shortest, median of {len(test.items):,}"
    way_out = "fix another score beforehand: --by per_token, in a run --set evaluate.by=per_token"
    return f"{told}: a sum of log-probabilities prefers short ones; {way_out}"


def judge(given: Given, asker: Asker) -> tuple[Judged, Draws]:
    """Choose how to ask a model, ask it, and say what came of it; the answers are those in the chosen setting, draw after draw."""
    _must_be_measurable(given, asker)
    settings = settings_for(given, asker)
    choice = choose(asker, given.test, given.pool, settings, given.way, given.seed)
    paper = [one for one in settings if one == Setting(min(PAPER, len(given.pool)), "chat")]
    wanted = dict.fromkeys((choice.setting, *(settings if given.every else paper)))
    results: list[Result] = []
    chosen: Draws = []
    for setting in wanted:
        draws = [
            asker.ask(given.test, given.test.items, setting, demonstrations(given.pool, setting.shots, seed), EVERYTHING, given.seed)
            for seed in range(given.seed, given.seed + (given.draws if setting.shots else 1))
        ]
        results.append(_result(given, setting, draws))
        chosen = chosen or draws
    menu = "asked over a server: in chats alone, options by a lettered menu, so only their order tells"
    note = note_on_lengths(given.test, given.way) if asker.plain else menu
    identity = asker.answers.model.identity
    return Judged(identity.name, identity.digest, identity.runtime, choice, tuple(results), (note,) if note else ()), chosen


def must_be_measurable(test: Test, way: str) -> None:
    """Refuse to decide by scores that a test cannot give. Raises BadInput."""
    empty = sum(not item.input.strip() for item in test.items)
    if test.closed and way == "prior_corrected" and empty:
        title = f"{empty:,} of {len(test.items):,} items have no input, so there is no score without it to take away"
        raise BadInput(title, "decide by another: --by sum, in a run --set evaluate.by=sum")


def _must_be_measurable(given: Given, asker: Asker) -> None:
    must_be_measurable(given.test, given.way)
    if given.test.closed and given.way != "sum" and not asker.plain:
        name = asker.answers.model.identity.name
        title = f"{name} is asked over a server, by the letters of a menu: there is no {given.way.replace('_', ' ')} score"
        raise BadInput(title, "decide by the sum: --by sum, in a run --set evaluate.by=sum")


def _result(given: Given, setting: Setting, draws: list[list[Answer]]) -> Result:
    test = given.test
    wrong = wrong_answers(test, draws[0], given.way)
    return Result(
        setting,
        len(draws),
        figures(test, draws, given.way, given.seed),
        sum(bool(answer.error) for answers in draws for answer in answers),
        _label_rows(test, draws, given.way),
        tuple(wrong[:MOST_WRONG]),
        len(wrong),
    )


def wrong_answers(test: Test, answers: Sequence[Answer], way: str, shown: int = _SHOWN) -> list[Wrong]:
    """The items that were not answered wholly right, the worst first; so many characters of each text."""
    scores = item_scores(test, answers, way)
    # A text that is half right is told where none of its words are.
    missed = sorted((place for place, score in enumerate(scores) if score < 1), key=lambda place: scores[place])
    return [_wrong(test.items[place], answers[place], way, test.closed, shown) for place in missed]


def _label_rows(test: Test, draws: list[list[Answer]], way: str) -> tuple[LabelRow, ...]:
    rows = []
    scores = [item_scores(test, answers, way) for answers in draws]
    for label in test.labels:
        places = [place for place, item in enumerate(test.items) if item.answer == label]
        right = sum(of[place] for of in scores for place in places) / len(draws)
        taken = Counter(test.items[place].options[option] for place in places for option in predicted(draws[0][place], way)[:1])
        taken.pop(label, None)
        rows.append(LabelRow(label, len(places), right, tuple(taken.most_common(3))))
    return tuple(rows)


def _wrong(item: Item, answer: Answer, way: str, closed: bool, shown: int) -> Wrong:
    taken = ", ".join(item.options[place] for place in predicted(answer, way)) if closed else answer.text
    written = answer.text or "nothing"
    if closed and answer.written and not parsed(item, answer.text):
        written += " (names no option)"
    return Wrong(item.key, item.input[:shown], item.answer[:shown], taken[:shown], one_line(written, shown), answer.error)


def _compared(given: Given, ours: Draws, theirs: Draws) -> Comparison:
    test = given.test
    clusters = [item.cluster for item in test.items]
    one, other = (primary_parts(test, draws, given.way) for draws in (ours, theirs))
    name = primary_name(test, given.way)
    chance = sum(item.chance for item in test.items) / len(test.items) if name.startswith("accuracy") else 0.0
    share = ratio(one, other, clusters, chance, given.seed)
    zero = "chance" if name.startswith("accuracy") else "0"
    reason = "" if share else f"the second model's figure is not clear of {zero}, so a share of it would say nothing"
    return Comparison(name, difference(one, other, clusters, given.seed), share, reason)
