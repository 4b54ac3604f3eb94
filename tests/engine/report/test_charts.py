"""Marks stay on the map and apart by shape; bars count every example."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compare_data import Placed, compare_data
from engine.data_sources import DataSource
from engine.quality.regions import Map
from engine.records import Example, Source, Task
from engine.report.charts import BAR_HEIGHT, MAP_SIZE, length_histograms, map_layers


def source(name: str, texts: list[str]) -> DataSource:
    examples = tuple(Example(text, "yes", "copied", Source("local/a", "", "train", row), "p") for row, text in enumerate(texts))
    return DataSource(name, "transformed", ("run",), ("step",), len(texts), 0, False, frozenset(), examples)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=30))
def test_every_mark_is_on_the_map(points: list[tuple[float, float]]) -> None:
    placed = Placed(("a",) * len(points), tuple(range(len(points))), Map((), tuple(x for x, _ in points), tuple(y for _, y in points), 3))
    (layer,) = map_layers(placed, [source("a", ["text"] * len(points))])
    starts = [re.match(r"M([\d.-]+) ([\d.-]+)", point.path) for point in layer.points]
    assert len(starts) == len(points)
    assert all(start and 0 <= float(start[1]) <= MAP_SIZE and 0 <= float(start[2]) <= MAP_SIZE for start in starts)


def test_sources_have_marks_of_their_own_and_points_their_texts() -> None:
    placed = Placed(("b", "a", "b"), (1, 0, 0), Map((0, 1, 2), (0, 1, 2), (0, 1, 2), 3))
    one, other = map_layers(placed, [source("a", ["first of a"]), source("b", ["first of b", "second of b"])])
    assert one.key != other.key
    assert [point.input for point in one.points] == ["first of a"]
    assert [point.input for point in other.points] == ["second of b", "first of b"]


@given(st.lists(st.integers(1, 300), min_size=2, max_size=40), st.lists(st.integers(1, 300), min_size=2, max_size=40))
@settings(max_examples=25)
def test_bars_count_every_example_once(some: list[int], others: list[int]) -> None:
    compared = compare_data([source("a", ["word " * n for n in some]), source("b", ["word " * n for n in others])], Task("t", "Say yes."))
    found = length_histograms(compared.sources)
    for histogram, lengths in zip(found[:2], (some, others), strict=True):
        counts = [int(re.search(r"words: ([\d,]+) of", bar.told)[1].replace(",", "")) for bar in histogram.bars]  # type: ignore[index]
        assert sum(counts) == histogram.examples == len(lengths)
        assert max(bar.height for bar in histogram.bars) == BAR_HEIGHT
    assert {bar.x for bar in found[0].bars} == {bar.x for bar in found[1].bars}, "all sources share bins"
