from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine.compare_data import compare_data
from engine.data_sources import DataSource, Kind, Line
from engine.judged_data import Models, expected_costs
from engine.quality.correctness import Known
from engine.records import Example, OutputOrigin, Source, TaskExample
from engine.store.database import open_writer
from engine.stored_answers import StoredAnswers
from models.hashing import HashingEmbedder
from models.language import Request
from models.scripted import Script, ScriptedModel
from tests.engine.quality.judges import MOODS, SIGNS, knows_moods, moods
from tests.engine.quality.pairs import sentences


def source(
    name: str, pairs: list[Any], kind: Kind = "transformed", origin: OutputOrigin = "copied", writers: tuple[str, ...] = ()
) -> DataSource:
    made = tuple(
        Example(one.input, one.output, origin, Source(name, "", "train", row, licence="mit"), "p") for row, one in enumerate(pairs)
    )
    return DataSource(name, kind, ("run",), (name,), len(made), 0, False, frozenset(writers), made)


def varied(count: int, seed: int) -> list[Line]:
    """Notes of made-up words that say their mood, the mood first."""
    drawn = random.Random(seed)
    made = []
    for text in sentences(count, seed=seed):
        mood = drawn.choice([*SIGNS])
        made.append(Line(f"{text} {SIGNS[mood]}.", mood))
    return made


def answers(tmp_path: Path, role: str = "judge", fond: float = 0.0) -> StoredAnswers:
    """A model that knows moods, and rates what is long as hard."""

    def answer(prompt: str, request: Request) -> str:
        text = request.messages[-1].content
        if request.choices == MOODS.output.labels:
            return json.dumps([knows_moods(text, choice) + fond for choice in request.choices])
        place = len(text) % 5
        return json.dumps([float(at == place) for at in range(5)])

    return StoredAnswers(ScriptedModel(Script(name=role), answer=answer), role, open_writer(tmp_path / "d.db"))


def test_sources_are_measured_at_equal_numbers() -> None:
    repeated = varied(10, 1) * 12
    found = compare_data([source("few", varied(18, 2)), source("copies", repeated)], MOODS, embedder=HashingEmbedder())
    few, copies = found.sources
    assert found.equal_examples == 18 and few.examples == 18 and copies.examples == 120
    assert few.repeats == {"0.7": 0.0, "0.8": 0.0, "0.9": 0.0} and copies.repeats["0.9"] >= 0.4
    assert few.diversity["unique_2"].mean > copies.diversity["unique_2"].mean
    assert few.spread is not None and copies.spread is not None and few.spread.vendi > 1.5 * copies.spread.vendi
    assert few.spread.examples == copies.spread.examples == 18
    assert few.origins == {"copied": 18} and few.licences == {"mit": 18} and few.asked.correctness is None


def test_regions_are_held_against_halves_of_one_source() -> None:
    sailing = [Line(f"{one.input} under sail off the coast at anchor", one.output) for one in varied(20, 4)]
    cooking = [Line(f"{one.input} with garlic, onions and butter in the pan", one.output) for one in varied(20, 3)]
    found = compare_data([source("a", varied(40, 5)), source("c", [*sailing, *cooking]), source("few", varied(5, 6))], MOODS)
    (told,) = found.regions
    assert (told.one, told.other) == ("a", "c") and told.regions.different and "halves of one source" in told.regions.reason
    assert found.map is None and found.embedder == ""


def test_the_map_says_whose_each_point_is() -> None:
    found = compare_data([source("a", varied(12, 1)), source("b", varied(15, 2))], MOODS, embedder=HashingEmbedder(), with_map=True)
    assert found.map is not None and len(found.map.map.x) == len(found.map.sources) == 27
    assert found.map.indices[:12] == tuple(range(12)) and set(found.map.sources[:12]) == {"a"}


def test_items_of_the_test_and_the_users_examples_are_counted_apart() -> None:
    pairs = varied(40, 1)
    shown = [Line("Never again.", "angry")]
    found = compare_data(
        [source("a", [*pairs, *shown])],
        MOODS,
        test=[TaskExample(pairs[3].input, pairs[3].output), TaskExample("something else altogether, never seen before", "calm")],
    )
    assert found.sources[0].of_test == 1 and found.sources[0].of_examples == 1


def test_difficulty_is_of_those_the_judge_found_right(tmp_path: Path) -> None:
    right = source("right", moods(40))
    half = source("half", moods(40, wrong=20, seed=1))
    models = Models(answers(tmp_path), answers(tmp_path, "base", 1.0), tuple(Known(one.input, one.output) for one in moods(40, seed=2)))
    found = compare_data([right.drawn(12, 0), half.drawn(12, 0)], MOODS, models=models, judged=[right, half])
    first, second = (one.asked for one in found.sources)
    assert first.correctness is not None and second.correctness is not None
    assert first.correctness.found_right.count == 40 and second.correctness.found_right.count == 20
    assert second.correctness.right is not None and second.correctness.right.mean == pytest.approx(0.5)
    assert second.difficulty is not None and second.difficulty.measured == 20 and second.difficulty.right == 20
    assert second.base is not None and second.base.measured == 20 and second.base.measure == "margin"
    assert found.judge == "judge" and found.base == "base"


def test_a_model_is_not_asked_about_what_it_wrote(tmp_path: Path) -> None:
    judge = answers(tmp_path)
    own = source("own", moods(30), "synthetic", "written", (judge.model.identity.digest,))
    other = source("other", moods(30, seed=1))
    found = compare_data([own.drawn(12, 0), other.drawn(12, 0)], MOODS, models=Models(judge, judge), judged=[own, other])
    assert found.sources[0].asked.correctness is None and len(found.sources[0].asked.unasked) == 2
    assert "wrote outputs" in found.sources[0].asked.unasked[0]
    assert found.sources[1].asked.correctness is not None and found.sources[1].asked.unasked == ()
    assert any("own error is not measured" in note for note in found.notes) and any(
        "base model is the judge" in note for note in found.notes
    )


def test_a_base_model_alone_is_asked_about_all_and_says_so(tmp_path: Path) -> None:
    one = source("one", moods(30, wrong=10))
    found = compare_data([one], MOODS, models=Models(base=answers(tmp_path, "base")), judged=[one])
    assert found.sources[0].asked.base is not None and found.sources[0].asked.base.measured == 30
    assert "wrong ones look hard" in found.notes[0]


def test_the_cost_is_told_before_and_is_not_less_than_what_is_asked(tmp_path: Path) -> None:
    one = source("one", moods(30))
    models = Models(answers(tmp_path), answers(tmp_path, "base"), tuple(Known(one.input, one.output) for one in moods(20, seed=2)))
    costs = expected_costs([one], MOODS, models)
    assert costs["judge"].calls == 30 * 3 + 20 and costs["base"].calls == 30 and costs["judge"].seconds is None
    compare_data([one], MOODS, models=models, judged=[one])
    assert models.judge is not None and models.judge.done == 110
    assert models.base is not None and models.base.done == 30
