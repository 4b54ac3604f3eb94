from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from engine.data_sources import by_kind, read_pairs, sources_of
from engine.errors import BadInput
from engine.records import Example, Source
from engine.store import items, runs, steps
from engine.store.lease import this_process
from engine.store.reviews import Review, put_reviews
from tests.engine.stages.house import WEATHER, House, notes, only, task


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.add("notes", notes(60), "---\nlicense: cc-by-4.0\n---\n# Weather notes\n\nSay what kind of weather a note speaks of.")
    made.pipeline(options={"execute": {"examples": 20}})
    return made


def run_of(house: House) -> runs.Run:
    found = runs.read_run(house.connection, house.session.run)
    assert found is not None
    return found


def add_step(house: House, stage: str, results: list[str], candidate: str = "", fingerprint: str = "made up") -> None:
    """A step of the latest run, still at work, with these accepted items."""
    steps.claim_step(house.connection, fingerprint, stage, candidate, 1, "{}", 0, this_process())
    steps.link_step(house.connection, house.session.run, fingerprint, stage, candidate, False)
    made = [items.Item(f"{place}", place, "accepted", "", result) for place, result in enumerate(results)]
    items.store_items(house.connection, fingerprint, made)


def written(count: int) -> list[str]:
    source = Source("", "", "", -1)
    return [msgspec.json.encode(Example(f"Note {place} of snow", "snow", "written", source, "")).decode() for place in range(count)]


def test_what_a_run_made_of_a_data_set_is_a_source(house: House) -> None:
    source = only(sources_of(house.connection, [run_of(house)]))
    assert source.name == "transformed: notes" and source.kind == "transformed" and not source.going_on
    assert source.stored == len(source.examples) == 20 and not source.writers


def test_what_people_rejected_is_left_out_and_what_they_put_right_is_in(house: House) -> None:
    step = next(step.fingerprint for step in house.steps() if step.stage == "execute")
    first, second = [item.key for item in items.items_in_order(house.connection, step, "accepted", 2)]
    put_reviews(house.connection, step, [Review(first, "rejected"), Review(second, output="hail")])
    source = only(sources_of(house.connection, [run_of(house)]))
    assert source.rejected == 1 and source.stored == 20 and len(source.examples) == 19
    assert source.examples[0].output == "hail" and source.examples[0].output_origin == "edited"


def test_a_step_that_goes_on_counts_with_what_it_has_and_synthetic_examples_are_another_kind(house: House) -> None:
    add_step(house, "generate", written(7))
    add_step(house, "rerank", ['{"vote": 1}'], fingerprint="votes")
    found = sources_of(house.connection, [run_of(house)])
    assert [(one.kind, len(one.examples), one.going_on) for one in found] == [("transformed", 20, False), ("synthetic", 7, True)]
    add_step(house, "execute", written(5), "/data/more", "other")
    merged = by_kind(sources_of(house.connection, [run_of(house)]))
    assert [(one.name, one.stored) for one in merged] == [("transformed", 25), ("synthetic", 7)]
    fewer = by_kind(sources_of(house.connection, [run_of(house)]), 10)
    assert [len(one.examples) for one in fewer] == [10, 7]
    assert sum(one.output_origin == "written" for one in fewer[0].examples) == 2


def test_a_step_two_runs_share_is_one_source_and_equal_names_are_told_apart(house: House) -> None:
    first = run_of(house)
    house.pipeline(options={"execute": {"examples": 20}})
    assert only(sources_of(house.connection, [first, run_of(house)])).runs == (first.id, run_of(house).id)
    house.pipeline(options={"execute": {"examples": 15}})
    names = [one.name for one in sources_of(house.connection, [first, run_of(house)])]
    assert names == [f"transformed: notes ({first.id})", f"transformed: notes ({run_of(house).id})"]


def test_draws_are_the_same_for_the_same_seed(house: House) -> None:
    source = only(sources_of(house.connection, [run_of(house)]))
    assert source.drawn(5, 1).examples == source.drawn(5, 1).examples != source.drawn(5, 2).examples
    assert source.drawn(50, 1) is source
    few = only(sources_of(house.connection, [run_of(house)], 5, 1))
    assert len(few.examples) == 5 and few.stored == 20 and set(few.examples) < set(source.examples)


def test_runs_of_different_tasks_and_runs_without_examples_are_refused(house: House) -> None:
    first = run_of(house)
    house.begin(task())
    with pytest.raises(BadInput, match="different tasks"):
        sources_of(house.connection, [first, run_of(house)])
    house.begin(WEATHER)
    with pytest.raises(BadInput, match="no examples yet"):
        sources_of(house.connection, [run_of(house)])


def test_a_file_of_pairs_is_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "known.jsonl"
    file.write_text(
        json.dumps({"input": "a", "output": "b", "row": 3}) + "\n\n" + json.dumps({"input": "c", "output": "d", "right": False})
    )
    assert [(one.input, one.output, one.right) for one in read_pairs(file)] == [("a", "b", True), ("c", "d", False)]
    file.write_text('{"input": "a", "output": "b"}\n{"input": 3, "output": "b"}')
    with pytest.raises(BadInput, match="line 2"):
        read_pairs(file)
    file.write_text("\n")
    with pytest.raises(BadInput, match="no example"):
        read_pairs(file)
    with pytest.raises(BadInput, match="cannot be read"):
        read_pairs(tmp_path / "absent.jsonl")
