"""Sources of training examples side by side, at equal numbers: repeats, diversity, language, lengths, leakage, licences, origins, regions;
with models, how hard examples are and whether they are right."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import msgspec

from engine.data_sources import DataSource, Kind
from engine.judged_data import NOBODY, Asked, Models, ask_models
from engine.quality.diversity import Interval, Spread, compare_diversity, measure_diversity, measure_spread
from engine.quality.language_check import Languages, check_languages
from engine.quality.leakage import find_leakage
from engine.quality.lengths import Lengths, measure_lengths
from engine.quality.licences import Licence, licence_of
from engine.quality.near_duplicates import find_duplicates
from engine.quality.provenance import count_origins
from engine.quality.regions import LEAST, Map, Regions, region_map, tell_apart
from engine.quality.template import template_of
from engine.records import Example, Task, TaskExample, Value
from models.embedding import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLDS = (0.7, 0.8, 0.9)
"""ROUGE-L from which texts are repeats, as in arXiv 2404.14361."""
_AT_ONCE = 64
_ON_MAP = 1500

Tell = Callable[[str, int, int], None]
"""Gets what is under way, how much of it is done, and of how much."""
APART, MAPPING = "telling sources apart", "drawing the map"
COUNTED = {"measuring": "sources", APART: "pairs of sources", MAPPING: "maps"}
"""What `Tell` counts where it is not examples."""


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
    asked: Asked = Asked()
    """What models say of some of its examples."""


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


def compare_data(
    sources: Sequence[DataSource],
    task: Task,
    *,
    test: Sequence[TaskExample] = (),
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
    asked = ask_models(judged, task, models, notes, seed)
    return DataComparison(
        task=task.name,
        seed=seed,
        equal_examples=compared.examples,
        equal_tokens=compared.tokens,
        sources=tuple(msgspec.structs.replace(one, asked=asked.get(one.name, one.asked)) for one in figures),
        regions=tuple(_between(named, embedded, seed, tell)),
        map=_map(embedded, seed, tell) if with_map and embedded else None,
        embedder=embedder.name if embedder is not None else "",
        judge=models.judge.model.identity.name if models.judge else "",
        base=models.base.model.identity.name if models.base else "",
        notes=tuple(notes),
    )


def _figures(
    source: DataSource,
    task: Task,
    test: Sequence[TaskExample],
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


def _between(named: Mapping[str, Sequence[Example]], embedded: Mapping[str, NDArray[np.float32]], seed: int, tell: Tell) -> list[Between]:
    names = [name for name, examples in named.items() if len(examples) >= LEAST]
    texts = {name: [one.input for one in named[name]] for name in names}
    pairs = list(combinations(names, 2))
    found: list[Between] = []
    for one, other in pairs:
        tell(APART, len(found), len(pairs))
        rows = (embedded[one], embedded[other]) if embedded else None
        found.append(Between(one, other, tell_apart(texts[one], texts[other], embeddings=rows, seed=seed)))
    if pairs:
        tell(APART, len(pairs), len(pairs))
    return found


def _map(embedded: Mapping[str, NDArray[np.float32]], seed: int, tell: Tell) -> Placed | None:
    import numpy as np

    from engine.errors import BadInput

    owners = [(name, index) for name, rows in embedded.items() for index in range(len(rows))]
    tell(MAPPING, 0, 1)
    try:
        drawn = region_map(np.concatenate([*embedded.values()]), at_most=_ON_MAP, seed=seed)
    except BadInput:
        return None
    tell(MAPPING, 1, 1)
    return Placed(tuple(owners[place][0] for place in drawn.places), tuple(owners[place][1] for place in drawn.places), drawn)
