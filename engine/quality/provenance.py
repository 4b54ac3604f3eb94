"""Where examples and their outputs come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.records import Example, OutputOrigin, Value


class Origins(Value):
    """Examples by how their output came about."""

    examples: int
    outputs: dict[OutputOrigin, int]


class SourceOrigins(Value):
    """The same for one source."""

    dataset: str
    config: str
    licence: str
    origins: Origins
    rows: int
    """Different rows the examples were made of."""


class Provenance(Value):
    """All examples, and source by source, largest first."""

    whole: Origins
    sources: tuple[SourceOrigins, ...]


def count_origins(examples: Sequence[Example]) -> Provenance:
    """Counts by origin of the output, over all examples and for each data set, config and licence."""
    groups: dict[tuple[str, str, str], list[Example]] = {}
    for example in examples:
        source = example.source
        groups.setdefault((source.dataset, source.config, source.licence), []).append(example)
    sources = [
        SourceOrigins(
            *key, _origins(group), len({(one.source.split, row) for one in group for row in one.source.rows or (one.source.row,)})
        )
        for key, group in groups.items()
    ]
    return Provenance(_origins(examples), tuple(sorted(sources, key=lambda one: (-one.origins.examples, one.dataset, one.config))))


def _origins(examples: Sequence[Example]) -> Origins:
    counts = Counter(example.output_origin for example in examples)
    return Origins(len(examples), dict(sorted(counts.items())))
