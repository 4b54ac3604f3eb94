"""Retrieve takes data sets that are near and here, names better ones that are not here, and says plainly when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import NothingSuitable
from engine.stages.retrieve import Given, query_text
from tests.engine.stages.house import WEATHER, House, notes

NEAR = "# Notes\n\nNotes with the weather they speak of."
NEARER = "# Weather notes\n\nSay what kind of weather a note speaks of: sun, rain or snow, in one word."
FAR = "# Prices\n\nTurnover by quarter of automobile dealerships."


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.add("notes", notes(12), NEAR)
    made.add("prices", [{"quarter": n, "turnover": 10 * n} for n in range(12)], FAR)
    return made


def given(house: House) -> Given:
    return Given(WEATHER, house.catalog.state_digest())


def ids(record: object) -> list[str]:
    return [candidate.dataset for candidate in record.candidates]  # type: ignore[attr-defined]


def test_what_is_near_goes_on_with_rank_likeness_and_reasons(house: House) -> None:
    record = house.run("retrieve", given(house))
    assert ids(record) == ["local/notes"]
    first = record.candidates[0]
    assert first.rank == 1 and first.likeness is not None and first.likeness >= 0.2
    assert any(reason.startswith("matches: weather") for reason in first.reasons)
    assert record.searched == 2


def test_no_likeness_asked_for_lets_all_in_nearest_first(house: House) -> None:
    record = house.run("retrieve", given(house), least_likeness=0.0)
    assert ids(record) == ["local/notes", "local/prices"]
    assert [candidate.rank for candidate in record.candidates] == [1, 2]


def test_nothing_near_enough_is_an_answer_with_the_nearest_named(house: House) -> None:
    with pytest.raises(NothingSuitable, match=r"none of the 2 .* nearest is 0\.\d\d like it, 0\.95 is asked for") as refused:
        house.run("retrieve", given(house), least_likeness=0.95)
    assert "least_likeness=0" in refused.value.hint


def test_a_better_one_that_is_not_here_is_named_with_how_to_fetch_it(house: House) -> None:
    house.cards({"someone/weather-notes": NEARER, "someone/turnover": FAR})
    record = house.run("retrieve", given(house))
    assert ids(record) == ["local/notes"]
    (event,) = house.story("not-here")
    assert "datatune catalog fetch someone/weather-notes" in event.text
    assert event.data == {"dataset": "someone/weather-notes"}


def test_a_worse_one_that_is_not_here_is_passed_over_in_silence(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.add("notes", notes(12), NEARER)
    house.cards({"someone/notes": NEAR})
    assert ids(house.run("retrieve", given(house))) == ["local/notes"]
    assert not house.story("not-here")


def test_nothing_here_says_what_to_fetch(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cards({"someone/weather-notes": NEARER})
    with pytest.raises(NothingSuitable, match="rows on this machine") as refused:
        house.run("retrieve", given(house))
    assert "datatune catalog fetch someone/weather-notes" in refused.value.hint


def test_an_empty_catalog_says_how_to_fill_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    with pytest.raises(NothingSuitable, match="empty") as refused:
        house.run("retrieve", given(house))
    assert "catalog add" in refused.value.hint


def test_an_excluded_data_set_is_never_used(house: House) -> None:
    house.add("more", notes(12, start=100), NEARER)
    assert ids(house.run("retrieve", given(house))) == ["local/more", "local/notes"]
    assert ids(house.run("retrieve", given(house), exclude=["local/more"])) == ["local/notes"]
    assert ids(house.run("retrieve", given(house), exclude=["local/more"], prefer=["local/more"])) == ["local/notes"]


def test_when_all_that_is_near_is_excluded_that_is_said(house: House) -> None:
    with pytest.raises(NothingSuitable, match="excluded") as refused:
        house.run("retrieve", given(house), exclude=["local/notes", "local/prices"])
    assert "exclude" in refused.value.hint


def test_a_preferred_data_set_comes_first_however_unlike(house: House) -> None:
    record = house.run("retrieve", given(house), prefer=["local/prices"])
    assert ids(record) == ["local/prices", "local/notes"]
    assert [candidate.rank for candidate in record.candidates] == [1, 2]
    assert [candidate.preferred for candidate in record.candidates] == [True, False]


def test_those_put_first_come_in_the_order_they_were_named(house: House) -> None:
    house.add("more", notes(12, start=100), NEARER)
    record = house.run("retrieve", given(house), prefer=["local/prices", "local/notes"])
    assert ids(record) == ["local/prices", "local/notes", "local/more"]


def test_one_put_first_that_the_search_does_not_bring_is_added_and_one_that_is_not_here_is_told(house: House) -> None:
    house.cards({"owner/far": "# Far\n\nNothing of it is here."})
    record = house.run("retrieve", given(house), prefer=["owner/far", "local/prices"], depth=1, least_likeness=0.9)
    assert ids(record)[0] == "local/prices" and "owner/far" not in ids(record)
    assert "owner/far was put first" in house.story("not-here")[0].text


def test_at_most_as_many_go_on_as_asked_for(house: House) -> None:
    for number in range(5):
        house.add(f"more-{number}", notes(3, start=number), NEAR)
    assert len(house.run("retrieve", given(house), candidates=3).candidates) == 3


def test_another_state_of_the_catalog_is_another_search(house: House) -> None:
    before, _ = house.step("retrieve", given(house))
    house.add("more", notes(12, start=100), NEARER)
    after, record = house.step("retrieve", given(house))
    assert before != after and ids(record)[0] == "local/more"


def test_the_query_is_the_users_own_words_without_examples() -> None:
    text = query_text(WEATHER)
    assert text.startswith("weather notes. Say in one word")
    assert text.endswith("Labels: sun, rain, snow.")
    assert "ice cream" not in text


def test_what_is_here_is_found_however_many_others_are_nearer(house: House) -> None:
    house.cards({f"someone/weather-{number}": f"{NEARER} Part {number}." for number in range(30)})
    assert ids(house.run("retrieve", given(house), depth=3, least_likeness=0.0)) == ["local/notes", "local/prices"]
    assert len(house.story("not-here")) == 3


def test_the_models_name_for_the_task_is_searched_for_too(tmp_path: Path) -> None:
    def answer(role: str, prompt: str, request: object) -> str:
        assert role == "expand" and WEATHER.description in prompt
        return '{"task": "time series", "data": "turnover by quarter of automobile dealerships"}'

    made = House(tmp_path, answer)
    made.add("notes", notes(12), NEAR)
    made.add("prices", [{"quarter": n, "turnover": 10 * n} for n in range(12)], FAR)
    assert ids(made.run("retrieve", given(made))) == ["local/notes"]
    assert set(ids(made.run("retrieve", given(made), name_task=True))) == {"local/prices", "local/notes"}
    assert "automobile dealerships" in made.story("task-named")[0].text


@pytest.mark.parametrize("answer", ["no JSON", "{}", '{"task": " ", "data": 3}'])
def test_a_name_that_says_nothing_is_told_and_leaves_the_search_as_it_was(tmp_path: Path, answer: str) -> None:
    made = House(tmp_path, lambda role, prompt, request: answer)
    made.add("notes", notes(12), NEAR)
    assert ids(made.run("retrieve", given(made), name_task=True)) == ["local/notes"]
    assert made.story("task-named")[0].text.startswith("the model names no task")
