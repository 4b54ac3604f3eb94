"""Mix: every example offered is in training, in validation or left out for one reason, and nothing of the test gets through."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.context import StepContext
from engine.errors import BadInput, Cancelled, NothingSuitable
from engine.export_run import export_run
from engine.mix.held_out import digest_of_test
from engine.mix.offered import WORDS
from engine.mix.table import mix_table
from engine.plan.file import plan_digest, read_plan
from engine.records import (
    Example,
    Generated,
    Made,
    MixCounts,
    Mixed,
    MixUnit,
    Output,
    Part,
    PlanChoice,
    Source,
    SyntheticPart,
    Task,
    TaskExample,
    written_by,
)
from engine.stages.mix import Given, Options
from engine.store import items, runs, steps
from engine.store.reviews import Review, put_reviews, reviews_digest
from tests.end_to_end.workbench import MAPPING_PLAN
from tests.engine.stages.house import House, notes

BEST = "# Weather notes\n\nSay in one word what kind of weather a note speaks of: sun, rain or snow."
PLAN = read_plan(MAPPING_PLAN)
TASK = Task("weather", "Say in one word what kind of weather a note speaks of.", output=Output("label", ("sun", "rain", "snow")))
VOCABULARY = """water house garden winter morning neighbour street window summer letter bridge market river mountain kitchen doctor
teacher library station ticket holiday paper evening village farmer sailor engine basket candle blanket orchard chimney harbour""".split()


def text(number: int) -> str:
    """A text that is like no other."""
    return "The " + " of the ".join(random.Random(number).sample(VOCABULARY, 8)) + f" {number}"


def example(number: int, of: str = "", output: str = "", **source: Any) -> Example:
    whole: dict[str, Any] = {"dataset": "owner/notes", "config": "default", "split": "train", "row": number, "licence": "mit"} | source
    return Example(of or text(number), output or ("sun", "rain", "snow")[number % 3], "derived", Source(**whole), "p")


def written(number: int, of: str = "", output: str = "") -> Example:
    return Example(of or text(number), output or ("sun", "rain", "snow")[number % 3], "written", written_by("a-model"), "")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def stored(house: House, step: str, examples: list[Example]) -> str:
    """A step that made these."""
    steps.claim_step(house.connection, step, "execute", step, 1, "{}", 0, house.session.owner)
    made = [items.Item(f"k{n}", n, "accepted", "", msgspec.json.encode(one).decode()) for n, one in enumerate(examples)]
    items.store_items(house.connection, step, made)
    return step


def part(house: House, step: str, examples: list[Example], dataset: str = "owner/notes") -> Part:
    choice = PlanChoice(dataset, "default", ("train",), PLAN, plan_digest(PLAN), 0.9)
    made = Made(dataset, "default", choice.digest, len(examples), len(examples))
    return Part(stored(house, step, examples), choice, made, len(examples))


def synthetic(house: House, step: str, examples: list[Example]) -> SyntheticPart:
    return SyntheticPart(stored(house, step, examples), Generated("a-model", len(examples), len(examples)), len(examples))


def reviewed(house: House, given: Given) -> Given:
    """With the reviews there are."""
    return msgspec.structs.replace(given, reviews=reviews_digest(house.connection, [one.step for one in given.all_parts]))


def mixed(house: House, given: Given, **options: Any) -> tuple[str, Mixed]:
    """Step and record; languages are off, for texts in tests are none."""
    step, record = house.step("mix", reviewed(house, given), **{"languages": "off", **options})
    return step, record


def units(house: House, step: str) -> list[tuple[items.Item, MixUnit]]:
    """All units of a mix with what they say, in order."""
    every = [item for state in ("accepted", "rejected") for item in items.items_in_order(house.connection, step, state)]
    return [(item, msgspec.json.decode(item.result, type=MixUnit)) for item in sorted(every, key=lambda item: item.seq)]


# ── what becomes of every example ─────────────────────────────────────────────────────────────────────────


def test_every_example_is_a_unit_that_says_where_it_goes(house: House) -> None:
    given = Given(
        TASK, (part(house, "a", [example(n) for n in range(30)]),), (synthetic(house, "s", [written(n) for n in range(100, 110)]),)
    )
    step, record = mixed(house, given, validation_share=0.2)
    assert record.counts == MixCounts(40, 32, 8)
    assert [(source.dataset, source.model, source.counts) for source in record.sources] == [
        ("owner/notes", "", MixCounts(30, 24, 6)),
        ("", "a-model", MixCounts(10, 8, 2)),
    ]
    found = units(house, step)
    assert [(unit.step, unit.key) for _, unit in found] == [("a", f"k{n}") for n in range(30)] + [("s", f"k{n}") for n in range(10)]
    assert Counter(unit.split for _, unit in found) == {"train": 32, "validation": 8}
    assert record.outputs == {"rain": 14, "sun": 13, "snow": 13}
    assert house.story("mixed")[0].text == "40 of 40 examples: 32 to train on, 8 for validation, 0 left out"


def test_each_reason_is_counted_for_its_source_and_its_detail_names_the_other(house: House, tmp_path: Path) -> None:
    test = tmp_path / "test.jsonl"
    test.write_text("".join(json.dumps({"input": text(n), "output": "sun"}) + "\n" for n in (900, 3)))
    task = msgspec.structs.replace(TASK, test=str(test), examples=(TaskExample(text(8), "snow"),))
    rows = [example(n) for n in range(10)] + [example(10, text(0), "sun"), example(11, text(1) + " again", "rain")]
    made = [written(100), written(101, text(2), "snow"), written(102, text(1).upper(), "rain")]
    put_reviews(house.connection, "a", [Review("k5", "rejected"), Review("k6", "accepted", output="sun"), Review("k7", note="hm")])
    given = Given(task, (part(house, "a", rows),), (synthetic(house, "s", made),), test=digest_of_test(str(test)))
    step, record = mixed(house, given, total=7)
    first, second = record.sources
    assert first.counts == MixCounts(12, 6, 1, rejected=1, leaked=2, repeats=1, near_duplicates=1)
    assert second.counts == MixCounts(3, repeats=1, near_duplicates=1, over_quota=1)
    assert (record.test_items, record.test_items_found, record.edited) == (2, 2, 1)
    why = {f"{item.key}": (item.reason, unit.detail) for item, unit in units(house, step) if item.state == "rejected"}
    assert why == {
        "0:k3": (WORDS["leaked"], "the same input as item 2 of the test"),
        "0:k5": (WORDS["rejected"], ""),
        "0:k8": (WORDS["leaked"], "the same input as your example 1"),
        "0:k10": (WORDS["repeats"], "the same as row 0 of owner/notes, train"),
        "0:k11": (WORDS["near_duplicates"], "nearly the same as row 1 of owner/notes, train: ROUGE-L 0.98"),
        "1:k0": (WORDS["over_quota"], "more in all than are wanted"),
        "1:k1": (WORDS["repeats"], "the same as row 2 of owner/notes, train"),
        "1:k2": (WORDS["near_duplicates"], "the same but for case and punctuation as row 1 of owner/notes, train"),
    }
    edited = [unit for _, unit in units(house, step) if unit.output is not None]
    assert [(unit.key, unit.output) for unit in edited] == [("k6", "sun")]
    heads, lines = mix_table(record)
    assert heads == ("Source", "Offered", "Train", "Validation", "Rejected", "In the test", "Repeats", "Nearly repeats", "Over quota")
    assert lines[-1] == ("all", "15", "6", "1", "1", "2", "2", "2", "1")


CORPUS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(("sun", "rain", "snow", "")), st.integers(0, 3)), max_size=30)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    CORPUS,
    CORPUS,
    st.sets(st.integers(0, 40), max_size=6),
    st.sampled_from((0, 3, 10, 100)),
    st.sampled_from((None, 0.0, 0.3, 1.0)),
    st.booleans(),
    st.sampled_from((0, 2)),
    st.sampled_from((0.0, 0.1, 0.5)),
    st.sampled_from((0.0, 0.8)),
    st.sampled_from(((), ("permissive",))),
)
def test_the_counts_always_add_up_and_no_group_straddles(
    house: House,
    rows: list[tuple[int, str, int]],
    made: list[tuple[int, str, int]],
    rejected: set[int],
    total: int,
    share: float | None,
    balance: bool,
    most: int,
    validation: float,
    near: float,
    licences: tuple[str, ...],
) -> None:
    house.connection.executescript("DELETE FROM run_steps; DELETE FROM items; DELETE FROM tallies; DELETE FROM steps; DELETE FROM reviews;")
    one = [example(row, text(number), output, row=row, licence=("mit", "cc-by-nc-4.0")[row % 2]) for number, output, row in rows]
    other = [written(number, text(number), output) for number, output, _ in made]
    put_reviews(house.connection, "a", [Review(f"k{n}", "rejected") for n in rejected if n < len(one)])
    parts = (part(house, "a", one),) if one else ()
    given = Given(TASK, parts, (synthetic(house, "s", other),) if other else ())
    step, record = mixed(
        house,
        given,
        total=total,
        synthetic_share=share,
        balance=balance,
        max_per_group=most,
        validation_share=validation,
        near_duplicates=near,
        licences=licences,
    )
    counts = record.counts
    assert counts.offered == len(one) + len(other)
    for found in (counts, *(source.counts for source in record.sources)):
        assert found.offered == found.train + found.validation + sum(getattr(found, reason) for reason in WORDS)
        assert all(getattr(found, name) >= 0 for name in found.__struct_fields__)
    found_units = units(house, step)
    assert Counter(unit.split or item.reason for item, unit in found_units) == Counter(
        {name: number for name, number in _by_name(counts).items() if number}
    )
    assert not total or counts.examples <= total
    examples = {("a", f"k{n}"): one for n, one in enumerate(one)} | {("s", f"k{n}"): one for n, one in enumerate(other)}
    splits: dict[str, set[str]] = {}
    for _, unit in found_units:
        if unit.split:
            splits.setdefault(examples[unit.step, unit.key].input, set()).add(unit.split)
    assert all(len(one) == 1 for one in splits.values()), "one input is in one split"
    if validation and len(splits) > 1 and counts.examples > 1 and record.groups > 1:
        assert counts.train and counts.validation


def _by_name(counts: MixCounts) -> dict[str, int]:
    return {"train": counts.train, "validation": counts.validation, **{words: getattr(counts, name) for name, words in WORDS.items()}}


# ── the same again ────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_examples_give_the_same_mix_and_another_seed_another_validation(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        house = House(tmp_path / name)
        step, record = mixed(house, Given(TASK, (part(house, "a", [example(n) for n in range(60)]),)))
        found.append((step, record, [unit for _, unit in units(house, step)]))
    assert found[0] == found[1]
    step, _ = house.step("mix", Given(TASK, (part(house, "b", [example(n) for n in range(60)]),)), seed=5, languages="off")
    assert [unit.split for _, unit in units(house, step)] != [unit.split for unit in found[0][2]]


@pytest.mark.parametrize("moment", [0, 7, 199])
def test_interrupted_anywhere_it_goes_on_to_the_same_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    whole, torn = House(tmp_path / "whole"), House(tmp_path / "torn")
    rows = [example(n % 180, text(n % 170)) for n in range(200)]
    step, expected = mixed(whole, Given(TASK, (part(whole, "a", rows),)))
    given = Given(TASK, (part(torn, "a", rows),))
    before = StepContext.progress

    def cancelling(context: StepContext, done: int, total: int | None, unit: str) -> None:
        if unit == "units" and done == moment:
            runs.send_command(torn.connection, torn.session.run, "cancel")
        before(context, done, total, unit)

    with monkeypatch.context() as patch:
        patch.setattr(StepContext, "progress", cancelling)
        with pytest.raises(Cancelled):
            mixed(torn, given)
    assert len(units(torn, step)) == moment
    assert mixed(torn, given) == (step, expected)
    assert units(torn, step) == units(whole, step)


def test_another_review_is_another_mix_and_a_note_or_an_accepted_one_is_none(house: House) -> None:
    given = Given(TASK, (part(house, "a", [example(n) for n in range(12)]),))
    first, _ = mixed(house, given)
    put_reviews(house.connection, "a", [Review("k1", "accepted"), Review("k2", note="odd")])
    assert mixed(house, given)[0] == first
    put_reviews(house.connection, "a", [Review("k1", "rejected")])
    second, record = mixed(house, given)
    assert second != first and record.counts.rejected == 1
    put_reviews(house.connection, "a", [Review("k1")])
    assert mixed(house, given)[0] == first


# ── validation ────────────────────────────────────────────────────────────────────────────────────────────


def test_pieces_of_rows_never_straddle_and_one_huge_row_is_told(house: House) -> None:
    pieces = [example(n // 5, text(n), part=(n % 5,)) for n in range(100)]
    step, record = mixed(house, Given(TASK, (part(house, "a", pieces),)))
    rows = {"train": set(), "validation": set()}  # type: dict[str, set[int]]
    for number, (_, unit) in enumerate(units(house, step)):
        rows[unit.split].add(number // 5)
    assert not rows["train"] & rows["validation"] and (len(rows["validation"]), record.largest_group) == (2, 5)
    assert not house.story("groups")
    house.begin()
    huge = [example(0, text(n), part=(n,)) for n in range(40)]
    _, record = mixed(house, Given(TASK, (part(house, "b", huge),)))
    assert record.counts == MixCounts(40, 36, 4)
    assert "40 examples are connected, too many to keep together" in house.story("groups")[0].text


def test_all_of_one_input_have_no_validation_and_that_is_said(house: House) -> None:
    same = [example(n, "the only input", output) for n, output in enumerate(("sun", "rain", "snow"))]
    _, record = mixed(house, Given(TASK, (part(house, "a", same),)))
    assert record.counts == MixCounts(3, 3)
    assert house.story("groups")[0].text == "all examples have one input: nothing can be set aside for validation"


# ── what is told ──────────────────────────────────────────────────────────────────────────────────────────


def test_unclear_and_clashing_licences_are_told_where_none_is_asked_for(house: House) -> None:
    rows = [
        example(0, licence="cc-by-sa-4.0"),
        example(1, dataset="owner/b", licence="cc-by-nc-4.0"),
        example(2, dataset="owner/c", licence=""),
    ]
    mixed(house, Given(TASK, (part(house, "a", rows),)))
    assert [event.text for event in house.story("licences")] == [
        "read these licences yourself: owner/c default: none is stated",
        "licences of owner/b default and owner/notes default: one must stay free for all uses, the other forbids commercial ones",
    ]


def test_a_source_that_is_mostly_near_duplicates_and_one_named_like_the_test_are_told(house: House, tmp_path: Path) -> None:
    test = tmp_path / "weather_notes.jsonl"
    test.write_text('{"input": "something that nobody says in any note", "output": "sun"}\n')
    rows = [example(n, f"{text(1)} {n}", "sun", dataset="owner/weather-notes") for n in range(12)]
    given = Given(
        msgspec.structs.replace(TASK, test=str(test)), (part(house, "a", rows, "owner/weather-notes"),), test=digest_of_test(str(test))
    )
    _, record = mixed(house, given)
    assert record.counts.near_duplicates == 11
    assert "11 of 12 examples are nearly the same as others" in house.story("near-duplicates")[0].text
    assert "--set mix.benchmarks=weather_notes" in house.story("benchmark")[0].text
    _, record = mixed(house, given, benchmarks=["weather_notes"])
    assert record.counts == MixCounts(12, benchmark=12)


def test_leaks_that_are_only_reported_stay_and_are_told(house: House, tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    test.write_text(f"input,output\n{text(3)},sun\n")
    given = Given(msgspec.structs.replace(TASK, test=str(test)), (part(house, "a", [example(n) for n in range(6)]),))
    step, record = mixed(house, given, leakage="report")
    assert (record.counts.examples, record.leaks_kept, record.test_items_found) == (6, 1, 1)
    assert [unit.detail for _, unit in units(house, step) if unit.detail] == ["the same input as item 1 of the test"]
    assert "1 examples in the mix hold an item of the test" in house.story("leakage")[0].text
    _, record = mixed(house, given, leakage="off")
    assert (record.test_items, record.leaks_kept) == (0, 0)


def test_a_threshold_that_finds_nothing_is_refused() -> None:
    from engine.config import stage_options

    assert Options(near_duplicates=0.5).near_duplicates == 0.5
    with pytest.raises(BadInput, match=r"near_duplicates is 0, or at least 0\.5"):
        stage_options("mix", {"near_duplicates": 0.3})


def test_validation_share_says_where_it_went() -> None:
    from engine.config import parse_setting, parse_task

    with pytest.raises(BadInput, match=r"it is now mix\.validation_share"):
        parse_setting("export.validation_share=0.2")
    with pytest.raises(BadInput, match=r"it is now mix\.validation_share"):
        parse_task('[task]\ndescription = "d"\n[export]\nvalidation_share = 0.2\n', "t.toml")


# ── in a run ──────────────────────────────────────────────────────────────────────────────────────────────


def lines(folder: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(folder) / "examples.jsonl").read_text(encoding="utf-8").splitlines()]


def test_no_item_of_the_test_is_exported_however_it_is_dressed(house: House, tmp_path: Path) -> None:
    rows = [{"note": text(n), "weather": ("sun", "rain", "snow")[n % 3]} for n in range(60)]
    house.add("best", rows, BEST)
    planted = [rows[n]["note"] for n in (4, 17, 33)]
    test = tmp_path / "held-out.jsonl"
    test.write_text("".join(json.dumps({"input": f"Note: {note.upper()}.", "output": "sun"}) + "\n" for note in planted))
    task = msgspec.structs.replace(TASK, test=str(test))
    ending = house.pipeline(task, options={"execute": {"examples": 60}, "mix": {"languages": "off"}})
    assert ending.exported is not None and ending.examples == 57
    assert not {line["input"] for line in lines(ending.exported.folder)} & set(planted)
    manifest = json.loads((Path(ending.exported.folder) / "manifest.json").read_bytes())
    assert (manifest["mix"]["leaked"], manifest["mix"]["test_items"], manifest["mix"]["offered"]) == (3, 3, 60)
    card = (Path(ending.exported.folder) / "README.md").read_text(encoding="utf-8")
    assert "3 examples held 3 items of the test" in card and "| Source | Offered | Train | Validation | In the test |" in card
    assert "3 left out" in house.story("mixed")[0].text


def test_a_run_whose_examples_are_all_in_the_test_ends_with_that_reason(house: House, tmp_path: Path) -> None:
    rows = [{"note": text(n), "weather": ("sun", "rain", "snow")[n % 3]} for n in range(40)]
    house.add("best", rows, BEST)
    test = tmp_path / "held-out.jsonl"
    test.write_text("".join(json.dumps({"input": row["note"], "output": row["weather"]}) + "\n" for row in rows))
    with pytest.raises(NothingSuitable, match="no example is left in the mix: 40 in the test or the examples given"):
        house.pipeline(msgspec.structs.replace(TASK, test=str(test)), options={"mix": {"languages": "off"}})
    assert house.steps()[-1].stage == "mix" and house.steps()[-1].record
    assert not list(house.locations.exports.iterdir())


def test_a_test_that_is_gone_ends_a_run_before_anything_is_asked(house: House, tmp_path: Path) -> None:
    house.add("best", notes(60), BEST)
    task = msgspec.structs.replace(TASK, test=str(tmp_path / "gone.jsonl"))
    with pytest.raises(BadInput, match=r"gone\.jsonl cannot be read"):
        house.pipeline(task)
    assert not house.steps()
    assert house.pipeline(task, options={"mix": {"leakage": "off"}, "execute": {"examples": 20}}).examples == 20


def test_an_export_mixes_anew_where_reviews_changed_and_the_mix_before_is_forgotten(house: House, tmp_path: Path) -> None:
    house.add("best", notes(60), BEST)
    ending = house.pipeline(options={"execute": {"examples": 20}})
    assert ending.exported is not None
    run = runs.read_run(house.connection, house.session.run)
    assert run is not None
    before = house.steps()[-1].fingerprint
    same = export_run(house.connection, run, house.locations, tmp_path / "same")
    assert same.digest == ending.exported.digest and house.steps()[-1].fingerprint == before
    made = house.steps()[-2].fingerprint
    keys = [item.key for item in items.items_in_order(house.connection, made, "accepted", 3)]
    put_reviews(house.connection, made, [Review(keys[0], "rejected"), Review(keys[2], "accepted", output="snow")])
    exported = export_run(house.connection, run, house.locations, tmp_path / "out")
    assert exported.examples == 19
    assert [line["output_origin"] for line in lines(tmp_path / "out")].count("edited") == 1
    after = house.steps()[-1].fingerprint
    assert after != before and steps.read_step(house.connection, before) is None
    assert not list(items.items_in_order(house.connection, before, "accepted"))
    assert len(list(items.items_in_order(house.connection, made, "accepted"))) == 20, "what made the examples is left as it is"


def test_an_export_beside_a_running_engine_leaves_its_cancel_to_it(house: House, tmp_path: Path) -> None:
    house.add("best", notes(60), BEST)
    house.pipeline(options={"execute": {"examples": 20}})
    run = runs.read_run(house.connection, house.session.run)
    assert run is not None
    runs.send_command(house.connection, run.id, "cancel")
    assert export_run(house.connection, run, house.locations, tmp_path / "out").examples == 20
    assert runs.take_command(house.connection, run.id) == "cancel"


def test_a_data_set_of_a_named_benchmark_is_not_even_tried(house: House) -> None:
    house.add("weatherbench", notes(60), BEST)
    house.add("good", notes(60, start=100), "# Notes on the weather\n\nWhat kind of weather a note speaks of.")
    ending = house.pipeline(options={"execute": {"examples": 20}, "mix": {"benchmarks": ["WeatherBench"], "near_duplicates": 0}})
    assert [one.choice.dataset for one in ending.parts] == ["local/good"]
    assert "weatherbench" in house.story("left-out")[0].text
