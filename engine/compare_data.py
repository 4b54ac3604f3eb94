"""Sources of training examples side by side, at equal numbers: repeats, diversity, language, lengths, leakage, licences, origins, regions;
with models, how hard examples are and whether they are right."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.data_sources import DataSource, Kind, Line
from engine.prompts.witness import solve_messages
from engine.quality.correctness import Correctness, Known, judge_correctness
from engine.quality.difficulty import Difficulty, base_difficulty, rate_difficulty
from engine.quality.diversity import Interval, Spread, compare_diversity, measure_diversity, measure_spread
from engine.quality.language_check import Languages, check_languages
from engine.quality.leakage import find_leakage
from engine.quality.lengths import Lengths, measure_lengths
from engine.quality.licences import Licence, licence_of
from engine.quality.near_duplicates import find_duplicates
from engine.quality.provenance import count_origins
from engine.quality.regions import LEAST, Map, Regions, region_map, tell_apart
from engine.quality.solving import calls_each, is_closed
from engine.quality.template import template_of
from engine.records import Example, Task, Value
from engine.stored_answers import StoredAnswers
from models.embedding import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLDS = (0.7, 0.8, 0.9)
"""ROUGE-L from which texts are repeats, as in arXiv 2404.14361."""
ROTATIONS = 2
VOTES = 2
_AT_ONCE = 64
_LONGEST = 64
"""Tokens of an answer in free text, unless the examples' outputs are longer."""
_ON_MAP = 1500

Tell = Callable[[str, int, int], None]
"""Gets what is under way, how much of it is done, and of how much."""


class Figures(Value):
    """One source."""

    name: str
    kind: Kind
    runs: tuple[str, ...]
    stored: int
    rejected: int
    going_on: bool
    examples: int
    """Drawn and measured."""
    repeats: dict[str, float]
    """ROUGE-L threshold → share of near-duplicates among as many examples as the smallest source has."""
    template_share: float
    diversity: dict[str, Interval]
    """At equal numbers of examples: unique_1 … unique_4, self_rouge_l; of tokens: distinct_1 … distinct_4, mattr."""
    spread: Spread | None
    """Of embeddings without template, as many as the smallest source has."""
    languages: Languages
    input_lengths: Lengths
    """In words."""
    output_lengths: Lengths
    of_test: int
    """Examples that hold an item of the user's test."""
    of_examples: int
    """Examples that hold one of the user's examples."""
    licences: dict[str, int]
    """Licence as stated → examples."""
    families: dict[str, int]
    origins: dict[str, int]
    correctness: Correctness | None = None
    difficulty: Difficulty | None = None
    """By the judge."""
    base: Difficulty | None = None
    """By the base model."""
    unasked: tuple[str, ...] = ()
    """Why a model was not asked."""


class Between(Value):
    """Two sources, told apart or not."""

    one: str
    other: str
    regions: Regions


class Placed(Value):
    """The map: which example lies where."""

    sources: tuple[str, ...]
    """Of each point."""
    indices: tuple[int, ...]
    """0-based among the examples drawn of its source."""
    map: Map


class DataComparison(Value):
    """What `datatune compare-data` says."""

    task: str
    seed: int
    equal_examples: int
    equal_tokens: int
    sources: tuple[Figures, ...]
    regions: tuple[Between, ...]
    map: Placed | None
    embedder: str
    judge: str
    base: str
    notes: tuple[str, ...]


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


def expected_costs(sources: Sequence[DataSource], task: Task, models: Models) -> list[Cost]:
    """Calls of each model, those answered before among them, and their time; may measure the model's speed first."""
    costs = []
    examples = sum(len(source.examples) for source in sources)
    each = calls_each(task, ROTATIONS)
    for answers, calls in (
        (models.judge, (each + VOTES) * examples + (each * len(models.known) if is_closed(task) else 3 * len(models.known))),
        (models.base, (each if is_closed(task) else 1) * examples),
    ):
        if answers is not None and calls:
            shared = answers.model.count_tokens("\n".join(message.content for message in solve_messages(task, "")))
            texts = [example.input for source in sources for example in source.examples[:10]]
            read = shared + sum(map(answers.model.count_tokens, texts)) // len(texts) + 20
            written = calls * (1 if is_closed(task) else _LONGEST // 3)
            costs.append(Cost(answers.model.identity.name, calls, answers.expected_seconds(calls, calls * read, written, shared)))
    return costs


def compare_data(
    sources: Sequence[DataSource],
    task: Task,
    *,
    test: Sequence[Line] = (),
    embedder: Embedder | None = None,
    models: Models = NOBODY,
    judged: Sequence[DataSource] = (),
    with_map: bool = False,
    seed: int = 0,
    tell: Tell = lambda what, done, of: None,
) -> DataComparison:
    """Measure each source, as drawn. `judged` are the same sources with the examples that models are asked about."""
    named = {source.name: source.examples for source in sources}
    equal = min(map(len, named.values()))
    compared = compare_diversity(named, seed=seed)
    varied = {one.source: one.figures for one in compared.sources}
    embedded = _embedded(named, embedder, tell) if embedder is not None else {}
    notes: list[str] = []
    figures = []
    for number, source in enumerate(sources):
        tell("measuring", number, len(sources))
        rows = embedded.get(source.name)
        figures.append(_figures(source, task, test, equal, varied[source.name], rows, seed))
    tell("measuring", len(sources), len(sources))
    asked = _asked(judged, task, models, notes, seed)
    return DataComparison(
        task=task.name,
        seed=seed,
        equal_examples=compared.examples,
        equal_tokens=compared.tokens,
        sources=tuple(msgspec.structs.replace(one, **asked.get(one.name, {})) for one in figures),
        regions=tuple(_between(named, embedded, seed)),
        map=_map(embedded, seed) if with_map and embedded else None,
        embedder=embedder.name if embedder is not None else "",
        judge=models.judge.model.identity.name if models.judge else "",
        base=models.base.model.identity.name if models.base else "",
        notes=tuple(notes),
    )


# ── without models ────────────────────────────────────────────────────────────────────────────────────────


def _figures(
    source: DataSource,
    task: Task,
    test: Sequence[Line],
    equal: int,
    varied: dict[str, Interval],
    rows: NDArray[np.float32] | None,
    seed: int,
) -> Figures:
    examples = source.examples
    alike = source.drawn(equal, seed).examples
    shown = find_leakage(examples, test, task.examples) if test or task.examples else None
    removed = [match for match in shown.matches if match.removed] if shown else []
    stated = Counter(example.source.licence for example in examples)
    read: dict[str, Licence] = {licence: licence_of(licence) for licence in stated}
    families: Counter[str] = Counter()
    for licence, count in stated.items():
        families[read[licence].family] += count
    spread = None
    if rows is not None and equal > 1:
        spread = measure_spread(rows[sorted(random.Random(f"{seed} spread").sample(range(len(rows)), equal))], seed)
    read_, written = measure_lengths(examples, _words), measure_lengths(examples, _words, part="output")
    spoken = check_languages([one.input for one in examples], task.language, labels=task.output.labels)
    return Figures(
        name=source.name,
        kind=source.kind,
        runs=source.runs,
        stored=source.stored,
        rejected=source.rejected,
        going_on=source.going_on,
        examples=len(examples),
        repeats={f"{threshold}": 1 - find_duplicates(alike, threshold=threshold).kept / len(alike) for threshold in THRESHOLDS},
        template_share=measure_diversity(examples, seed=seed, sampled_pairs=1).template_share,
        diversity=varied,
        spread=spread,
        languages=msgspec.structs.replace(spoken, verdicts=()),
        input_lengths=msgspec.structs.replace(read_, verdicts=()),
        output_lengths=msgspec.structs.replace(written, verdicts=()),
        of_test=sum(match.item < len(test) for match in removed),
        of_examples=sum(match.item >= len(test) for match in removed),
        licences={read[licence].stated: count for licence, count in stated.most_common()},
        families=dict(families.most_common()),
        origins={str(origin): count for origin, count in count_origins(examples).whole.outputs.items()},
    )


def _words(text: str) -> int:
    return len(text.split())


def _embedded(named: Mapping[str, Sequence[Example]], embedder: Embedder, tell: Tell) -> dict[str, NDArray[np.float32]]:
    """Embeddings of inputs without the template of their source, else the template is what is told apart."""
    import numpy as np

    found = {}
    done, every = 0, sum(map(len, named.values()))
    for name, examples in named.items():
        template = template_of([one.input for one in examples])
        texts = [template.remaining(one.input) for one in examples]
        parts = []
        for at in range(0, len(texts), _AT_ONCE):
            tell("embedding", done, every)
            parts.append(embedder.embed(texts[at : at + _AT_ONCE]))
            done += len(parts[-1])
        found[name] = np.concatenate(parts)
    tell("embedding", done, every)
    return found


def _between(named: Mapping[str, Sequence[Example]], embedded: Mapping[str, NDArray[np.float32]], seed: int) -> list[Between]:
    names = [name for name, examples in named.items() if len(examples) >= LEAST]
    texts = {name: [one.input for one in named[name]] for name in names}
    found = []
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            rows = (embedded[one], embedded[other]) if embedded else None
            found.append(Between(one, other, tell_apart(texts[one], texts[other], embeddings=rows, seed=seed)))
    return found


def _map(embedded: Mapping[str, NDArray[np.float32]], seed: int) -> Placed | None:
    import numpy as np

    from engine.errors import BadInput

    owners = [(name, index) for name, rows in embedded.items() for index in range(len(rows))]
    try:
        drawn = region_map(np.concatenate([*embedded.values()]), at_most=_ON_MAP, seed=seed)
    except BadInput:
        return None
    return Placed(tuple(owners[place][0] for place in drawn.places), tuple(owners[place][1] for place in drawn.places), drawn)


# ── with models ───────────────────────────────────────────────────────────────────────────────────────────


def _asked(
    judged: Sequence[DataSource], task: Task, models: Models, notes: list[str], seed: int
) -> dict[str, dict[str, Correctness | Difficulty | tuple[str, ...]]]:
    """Figures by source and field. A model is not asked about outputs it wrote itself."""
    found: dict[str, dict[str, Correctness | Difficulty | tuple[str, ...]]] = {source.name: {} for source in judged}
    judge, base = models.judge, models.base
    unasked: dict[str, list[str]] = {}
    allowed: dict[str, dict[str, tuple[Example, ...]]] = {}
    for role, answers in (("judge", judge), ("base", base)):
        allowed[role] = {}
        for source in judged if answers is not None else ():
            assert answers is not None
            if wrote(source, answers):
                unasked.setdefault(source.name, []).append(
                    f"the {role} {answers.model.identity.name} is the model that wrote outputs of it"
                )
            else:
                allowed[role][source.name] = source.examples
    right: dict[str, frozenset[int]] = {}
    if judge is not None and allowed["judge"]:
        longest = max(judge.model.count_tokens(one.output) for some in allowed["judge"].values() for one in some)
        correct = judge_correctness(
            task,
            allowed["judge"],
            judge.complete,
            known=models.known,
            rotations=ROTATIONS,
            tokens=max(_LONGEST, longest + 8),
            seed=seed,
        )
        right = {name: one.found for name, one in correct.items()}
        for name, one in correct.items():
            found[name]["correctness"] = one
        for name, rated in rate_difficulty(task, allowed["judge"], right, judge.complete, votes=VOTES, seed=seed).items():
            found[name]["difficulty"] = rated
    if judge is not None and not models.known:
        notes.append("the judge's own error is not measured: give --known FILE.jsonl with right answers it has not seen")
    if base is not None and judge is None:
        notes.append("without --judge it is not known which examples are right: the base model is asked about all, wrong ones look hard")
        right = {name: frozenset(range(len(some))) for name, some in allowed["base"].items()}
    if base is not None:
        some = {name: examples for name, examples in allowed["base"].items() if name in right}
        if judge is not None and judge.model.identity.digest == base.model.identity.digest:
            notes.append("the base model is the judge: what it found right has a margin above 0 by that alone; take another judge")
        for name, measured in base_difficulty(task, some, right, base.complete, base.model.count_tokens, rotations=ROTATIONS).items():
            found[name]["base"] = measured
    for name, reasons in unasked.items():
        found[name]["unasked"] = tuple(reasons)
    return found


def wrote(source: DataSource, answers: StoredAnswers) -> bool:
    """Whether this model wrote outputs of a source: by its digest, or by the name synthetic examples bear."""
    identity = answers.model.identity
    named = {getattr(example.source, "model", "") for example in source.examples}
    return identity.digest in source.writers or identity.name in named
