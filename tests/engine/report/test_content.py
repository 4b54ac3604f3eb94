"""What a report says is what the database holds, and its counts add up or say that they do not."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.data_sources import sources_of
from engine.records import MixCounts, MixSource
from engine.report.content import Report, Tally, read_report
from engine.store import reviews, runs
from engine.store.items import items_in_order
from tests.engine.stages.house import House, notes, only

CARD = "---\nlicense: cc-by-4.0\nlanguage: en\n---\n# Weather notes\n\nSay what kind of weather a note speaks of: sun, rain or snow."


def run_of(folder: Path) -> House:
    house = House(folder)
    house.add("notes", notes(60), CARD)
    ending = house.pipeline(options={"execute": {"examples": 20}})
    runs.finish_run(house.connection, house.session.run, "done", "20 examples from 1 data set", 0, ending.examples)
    return house


def told(house: House) -> Report:
    run = runs.read_run(house.connection, house.session.run)
    assert run is not None
    return read_report(house.connection, run, sources_of(house.connection, [run]), samples=4)


def test_a_run_is_told_from_what_was_found_to_what_it_cost(tmp_path: Path) -> None:
    report = told(run_of(tmp_path))
    found = only(report.found)
    assert (found.dataset, found.became, report.searched) == ("local/notes", "20 examples", 1)
    assert "weather" in " ".join(only(report.plans).sentences)
    assert report.state == "done" and only(report.mixes)[1].counts.offered == 20
    assert [one.stage for one in report.spent] == ["expand", "retrieve", "rerank", "schema", "plan", "execute", "mix"]
    assert len(report.samples) == 4 and {one.origin for one in report.samples} == {"copied"}
    assert all(one.place.startswith("local/notes, train, row ") for one in report.samples)


def test_counts_add_up_over_all_that_became_of_units(tmp_path: Path) -> None:
    tally = only(told(run_of(tmp_path)).tallies)
    assert tally.adds_up and tally.units == tally.examples + tally.rejected + tally.failed + tally.skipped + tally.surplus
    assert tally.mix is not None and tally.mix.counts.train + tally.mix.counts.validation == 20


def test_counts_that_do_not_add_up_are_said_to() -> None:
    source = MixSource("step", "local/notes", "", "", MixCounts(offered=8, train=7, leaked=1))
    right = Tally("notes", units=10, examples=8, rejected=1, failed=1, skipped=0, surplus=0, mix=source)
    assert right.adds_up and right.not_offered == 0
    assert not msgspec.structs.replace(right, units=11).adds_up
    lost = msgspec.structs.replace(source, counts=MixCounts(offered=8, train=7))
    assert not msgspec.structs.replace(right, mix=lost).adds_up
    assert not msgspec.structs.replace(right, examples=7, rejected=2).adds_up, "more were offered than there are"


def test_what_a_person_rejected_is_told_with_the_example_itself(tmp_path: Path) -> None:
    house = run_of(tmp_path)
    step = next(step.fingerprint for step in house.steps() if step.stage == "execute")
    first = next(items_in_order(house.connection, step, "accepted"))
    reviews.put_reviews(house.connection, step, [reviews.Review(first.key, "rejected")])
    house.pipeline(options={"execute": {"examples": 20}})
    failure = only([one for one in told(house).failures if one.stage == "mix"])
    assert failure.units == 1 and "said neighbour number" in failure.case and "→ " in failure.case


def test_a_run_that_found_nothing_is_told_all_the_same(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.begin()
    run = runs.read_run(house.connection, house.session.run)
    assert run is not None
    report = read_report(house.connection, run)
    assert not (report.found or report.plans or report.tallies or report.failures or report.mixes)


def test_no_path_of_this_machine_is_in_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    folder = house.write("notes", notes(60), CARD)
    house.pipeline(dataset=str(folder), options={"execute": {"examples": 20}}, models={"rerank": str(tmp_path / "weights" / "a.gguf")})
    assert str(tmp_path) not in msgspec.json.encode(told(house)).decode()
