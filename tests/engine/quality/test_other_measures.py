from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.quality.benchmarks import related_source
from engine.quality.diversity import Saturation, compare_diversity, mattr, measure_diversity, measure_spread
from engine.quality.lengths import LENGTH_BINS, measure_lengths
from engine.quality.licences import Family, allowed, licence_of, sort_licences
from engine.quality.provenance import count_origins
from engine.quality.regions import region_map, tell_apart
from engine.quality.summary import summarise
from engine.records import Example, Output, Source, Task, TaskExample
from tests.engine.quality.pairs import WORDS, example, pair, sentences


def _words(text: str) -> int:
    return len(text.split())


def test_copies_are_less_diverse_than_different_texts_by_every_figure() -> None:
    varied = measure_diversity([pair(text) for text in sentences(100)])
    copied = measure_diversity([pair(text) for text in sentences(5) * 20])
    assert all(more > less for more, less in zip(varied.unique_ngrams, copied.unique_ngrams, strict=True))
    assert all(more > less for more, less in zip(varied.distinct, copied.distinct, strict=True))
    assert varied.self_rouge_l is not None and copied.self_rouge_l is not None and varied.self_rouge_l < copied.self_rouge_l
    assert varied.mattr is not None and varied.examples == 100 and varied.tokens == 1400


def test_figures_of_two_tiny_texts_are_what_one_counts_by_hand() -> None:
    found = measure_diversity([pair("a b a b"), pair("a b c d")])
    assert found.unique_ngrams == (2.0, 2.0, 2.0, 1.0)
    assert found.distinct[0] == 4 / 8 and found.distinct[1] == 4 / 6
    assert found.self_rouge_l == pytest.approx(0.5)


def test_nothing_to_measure_gives_noughts_and_no_likeness() -> None:
    assert measure_diversity([]).self_rouge_l is None and measure_diversity([pair("")]).mattr is None


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.integers(1, 12))
def test_the_moving_window_is_the_mean_over_all_windows(words: list[str], window: int) -> None:
    windows = [words[place : place + window] for place in range(len(words) - window + 1)]
    expected = sum(len(set(one)) / window for one in windows) / len(windows) if windows else None
    found = mattr(words, window)
    assert (found is None) == (expected is None)
    assert found is None or found == pytest.approx(expected)


def test_sources_of_unlike_size_are_compared_at_the_same() -> None:
    found = compare_diversity(
        {"small": [pair(text) for text in sentences(60)], "large": [pair(t) for t in sentences(600, seed=1)]}, draws=10
    )
    small, large = found.sources
    assert (found.examples, found.tokens, large.examples) == (60, 840, 600)
    for figure in ("unique_1", "distinct_2", "mattr"):
        assert large.figures[figure].mean == pytest.approx(small.figures[figure].mean, rel=0.06)
    assert large.figures["unique_1"].low <= large.figures["unique_1"].mean <= large.figures["unique_1"].high
    with pytest.raises(BadInput, match="`none` has no words"):
        compare_diversity({"none": [pair("")], "large": [pair("a b")]})


def test_spread_is_nought_for_copies_and_full_for_unlike_ones() -> None:
    copies = measure_spread(np.tile(np.eye(4, dtype=np.float32)[0], (10, 1)))
    assert copies.mean_distance == pytest.approx(0) and copies.vendi == pytest.approx(1)
    unlike = measure_spread(np.eye(8, dtype=np.float32))
    assert unlike.mean_distance == pytest.approx(1) and unlike.vendi == pytest.approx(8)
    with pytest.raises(BadInput, match="1 embeddings"):
        measure_spread(np.eye(1, dtype=np.float32))


def test_saturation_says_when_examples_bring_nothing_new() -> None:
    repeating, going_on = Saturation(step=50), Saturation(step=50)
    few = sentences(60)
    for place in range(400):
        repeating.add(few[place % 60])
    for text in sentences(400, seed=3):
        going_on.add(text)
    assert repeating.flattened and repeating.reason.endswith(": flat") and not going_on.flattened
    assert len(repeating.history) == 8 and Saturation().reason == "0 examples, too few to tell"


def test_far_longer_and_shorter_examples_are_told() -> None:
    pairs = [pair(" ".join(["word"] * (20 + place % 7))) for place in range(50)] + [pair("word " * 900), pair("word"), pair(" ")]
    found = measure_lengths(pairs, _words)
    assert [one.kind for one in found.verdicts if not one.kept] == ["long", "short", "empty"]
    assert (found.long, found.short, found.empty) == (1, 1, 1) and found.longest == 900
    assert "usual are" in found.verdicts[50].reason


def test_equal_lengths_have_no_outliers_by_a_token_and_few_examples_none() -> None:
    assert not measure_lengths([pair("a b c d e f g h i j")] * 30 + [pair("a b c d e f g h i j k l")], _words).long
    assert not measure_lengths([pair("a"), pair("a " * 500)], _words).long
    assert measure_lengths([pair("a b", "c " * 40)], _words, part="output", at_most=30).long == 1


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=30))
def test_each_length_is_counted_in_the_bin_it_lies_in(lengths: list[int]) -> None:
    found = measure_lengths([pair(str(length)) for length in lengths], int)
    ends = (*LENGTH_BINS[1:], math.inf)
    expected = tuple(sum(start <= length < end for length in lengths) for start, end in zip(LENGTH_BINS, ends, strict=True))
    assert found.histogram == expected and sum(found.histogram) == len(lengths)


def test_no_examples_have_no_lengths() -> None:
    with pytest.raises(BadInput, match="no examples"):
        measure_lengths([], _words)


@pytest.mark.parametrize(
    ("stated", "family"),
    [
        ("mit", "permissive"),
        ("CC BY 4.0", "permissive"),
        ("Apache License 2.0", "permissive"),
        ("CC0: Public Domain", "permissive"),
        ("cc-by-sa-4.0", "share-alike"),
        ("GPL-3.0-or-later", "share-alike"),
        ("Creative Commons Attribution-ShareAlike 4.0", "share-alike"),
        ("odbl", "share-alike"),
        ("CC BY-NC-SA 4.0", "non-commercial"),
        ("cc-by-nc-nd-4.0", "no-derivatives"),
        ("mit, cc-by-nc-4.0", "non-commercial"),
        ("MIT OR CC-BY-NC-4.0", "permissive"),
        ("llama3.1", "other"),
        ("cc", "other"),
        ("", "unknown"),
        ("unknown", "unknown"),
        ("[More Information Needed]", "unknown"),
        ("my own words", "unknown"),
    ],
)
def test_licences_are_sorted_into_families(stated: str, family: str) -> None:
    assert licence_of(stated).family == family


def test_licences_that_do_not_go_together_and_unknown_ones_are_flagged() -> None:
    found = sort_licences({"a": "cc-by-sa-4.0", "b": "cc-by-nc-4.0", "c": "mit", "d": "", "e": "odbl", "f": "gpl-3.0", "g": "cc-by-nd-4.0"})
    pairs = {(one.one, one.other) for one in found.clashes}
    assert {("a", "b"), ("a", "e"), ("e", "f"), ("g", "g")} <= pairs
    assert ("a", "f") not in pairs and not any("c" in pair for pair in pairs)
    assert found.unclear == ("d",) and found.families["permissive"] == 1


def test_sources_are_let_through_by_family_or_id() -> None:
    free: tuple[Family, ...] = ("permissive",)
    sharing: tuple[Family, ...] = ("permissive", "share-alike")
    assert allowed("mit") and allowed("") and allowed("mit", families=free)
    assert not allowed("", families=free) and not allowed("cc-by-nc-4.0", families=sharing)
    assert allowed("CC BY-NC 4.0", ids=("cc-by-nc-4.0",)) and not allowed("mit, gpl-3.0", ids=("mit",))


@given(st.text(max_size=80))
def test_whatever_is_stated_has_a_family(stated: str) -> None:
    assert licence_of(stated).family


@pytest.mark.parametrize(
    ("dataset", "config", "benchmarks", "related"),
    [
        ("tasksource/bigbench", "cause_and_effect", ("BIG-bench cause_and_effect",), True),
        ("tasksource/bigbench", "default", ("bigbench", "cause_and_effect"), True),
        ("someone/mixture", "cause_and_effect", ("bigbench", "cause_and_effect"), True),
        ("lukaemon/bbh", "default", ("BIG-bench",), True),
        ("big_bench_hard", "temporal_sequences", ("BIG-bench",), True),
        ("super_glue", "copa", ("glue",), True),
        ("pkavumba/balanced-copa", "default", ("BIG-bench", "cause_and_effect"), False),
        ("someone/research", "default", ("arc",), False),
        ("someone/data", "question", ("question",), False),
        ("", "", ("BIG-bench",), False),
    ],
)
def test_sources_of_the_tests_benchmark_are_told_by_name(dataset: str, config: str, benchmarks: tuple[str, ...], related: bool) -> None:
    found = related_source(dataset, config, benchmarks)
    assert found.related is related and bool(found.reason) is related


def test_unlike_sources_are_told_apart_and_halves_of_one_are_not() -> None:
    one = [f"Text: {' '.join(WORDS[:30][(place * 7 + at * at) % 30] for at in range(9))}" for place in range(80)]
    other = [f"Passage: {' '.join(WORDS[40:70][(place * 11 + at * 3) % 30] for at in range(9))}" for place in range(80)]
    found = tell_apart(one, other, repeats=2)
    assert found.different and found.auc.mean > 0.95 and found.halves.low < 0.6 and found.examples == 80
    same = sentences(160)
    assert not tell_apart(same[:80], same[80:], repeats=2).different


def test_a_template_alone_makes_no_region() -> None:
    texts = sentences(160)
    one, other = [f"Premise: {text}" for text in texts[:80]], [f"Please read this text: {text}" for text in texts[80:]]
    assert not tell_apart(one, other, repeats=2).different


def test_embeddings_tell_apart_too_and_few_examples_are_refused() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 8)).astype(np.float32)
    found = tell_apart(["a"] * 60, ["b"] * 60, embeddings=(rows, rows[::-1] + 5), repeats=2)
    assert found.different
    with pytest.raises(BadInput, match="3 examples are too few"):
        tell_apart(["a"] * 3, ["b"] * 60)


def test_the_map_is_the_same_for_the_same_seed() -> None:
    rows = np.random.default_rng(1).normal(size=(60, 8)).astype(np.float32)
    one = region_map(rows, at_most=40)
    assert one == region_map(rows, at_most=40) and len(one.x) == len(one.y) == len(one.places) == 40
    assert all(map(math.isfinite, one.x)) and one.places == tuple(sorted(one.places))
    with pytest.raises(BadInput, match="4 examples make no map"):
        region_map(rows[:4])
    with pytest.raises(BadInput, match="the same"):
        region_map(np.ones((9, 3), np.float32))


def test_origins_are_counted_source_by_source() -> None:
    written = Example("a", "b", "written", Source("two", "default", "train", 4, rows=(4, 5)), "plan")
    found = count_origins([example("a", row=1), example("b", row=1), written])
    assert found.whole.outputs == {"copied": 2, "written": 1}
    assert [(one.dataset, one.origins.examples, one.rows) for one in found.sources] == [("one", 2, 1), ("two", 1, 2)]


def test_a_summary_holds_every_measure_and_flags_what_any_would_leave_out() -> None:
    texts = ["The river rises quickly after heavy rain in the mountains.", "She bought three apples and a loaf of bread at the market."]
    examples = [
        example(text, licence="mit", row=place) for place, text in enumerate([*texts, texts[0], "Он купил хлеб и молоко вчера вечером."])
    ]
    task = Task("t", "d", output=Output(), examples=(TaskExample(texts[1], "x"),))
    found = summarise(examples, task)
    assert {(flag.index, flag.measure) for flag in found.flags} == {(1, "leakage"), (2, "duplicates"), (3, "language")}
    assert found.flagged == 3 and found.leakage is not None and found.licences.families == {"permissive": 1}
    assert not found.duplicates.verdicts and found.examples == 4
