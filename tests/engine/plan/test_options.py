"""Options, picks and shuffles: the right one stays the right one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.plan.steps import AnyStep, Emit, Options, Pick, Plan, Shuffle
from engine.plan.units import Accepted, Skipped
from tests.engine.plan.tables import Table, examples, outcomes, task

COLUMNS = Options(into="o", columns=("a", "b", "c"))
ROW = {"q": "Which?", "a": "red", "b": "blue", "c": "green"}


def picked(steps: tuple[AnyStep, ...], **values: Any) -> Any:
    """The text and letter picked in one row, or the outcome that stopped it."""
    plan = Plan(name="p", steps=steps, emit=Emit(input="{{ q }}", output="{{ p }}/{{ p.letter }}"))
    found = outcomes(plan, Table([{**ROW, **values}]))["0"]
    return found.example.output if isinstance(found, Accepted) else found


@pytest.mark.parametrize(
    ("pick", "values", "output"),
    [
        (Pick(options="o", into="p", by="index", value="n"), {"n": 1}, "blue/B"),
        (Pick(options="o", into="p", by="index", value="n"), {"n": True}, "blue/B"),
        (Pick(options="o", into="p", by="index", value="n", base=1), {"n": "1"}, "red/A"),
        (Pick(options="o", into="p", by="letter", value="n"), {"n": "(c)"}, "green/C"),
        (Pick(options="o", into="p", by="key", value="n"), {"n": "b"}, "blue/B"),
        (Pick(options="o", into="p", by="text", value="n"), {"n": "Green "}, "green/C"),
        (Pick(options="o", into="p", by="flags", flags=("f", "g", "h")), {"f": "FALSE", "g": "TRUE", "h": None}, "blue/B"),
        (Pick(options="o", into="p", by="flags", flags=("f",)), {"f": [0, 0, 1]}, "green/C"),
        (Pick(options="o", into="p", by="flags", flags=("f",), none="neither"), {"f": [0, 0, 0]}, "neither/"),
        (Pick(options="o", into="p", by="best", flags=("f",)), {"f": [0.1, 0.7, 0.2]}, "blue/B"),
    ],
)
def test_the_right_option_is_found_in_each_way(pick: Pick, values: dict[str, Any], output: str) -> None:
    assert picked((COLUMNS, pick), **values) == output
    assert picked((COLUMNS, pick, Shuffle(options="o")), **values).split("/")[0] == output.split("/")[0]
    assert picked((COLUMNS, Shuffle(options="o"), pick), **values).split("/")[0] == output.split("/")[0]


@pytest.mark.parametrize(
    ("pick", "values", "reason"),
    [
        (Pick(options="o", into="p", by="index", value="n"), {"n": 3}, "pick: no option '3'"),
        (Pick(options="o", into="p", by="index", value="n"), {"n": -1}, "pick: no option '-1'"),
        (Pick(options="o", into="p", by="index", value="n"), {"n": None}, "pick: n is no index but ''"),
        (Pick(options="o", into="p", by="letter", value="n"), {"n": "red"}, "pick: n is no letter but 'red'"),
        (Pick(options="o", into="p", by="text", value="n"), {"n": "pink"}, "pick: n is not among the options"),
        (Pick(options="o", into="p", by="flags", flags=("f",)), {"f": [1, 1, 0]}, "pick: 2 options are flagged"),
        (Pick(options="o", into="p", by="flags", flags=("f",)), {"f": [0, 0, 0]}, "pick: no option is flagged"),
        (Pick(options="o", into="p", by="best", flags=("f",)), {"f": [1, 1, 0]}, "pick: two options share the best score"),
        (Pick(options="o", into="p", by="index", value="n"), {"n": 0, "b": "Red"}, "pick: two options read like the right one"),
        (Pick(options="o", into="p", by="index", value="n"), {"n": 1, "b": ""}, "pick: no option '1'"),
    ],
)
def test_a_row_without_one_right_option_is_skipped_with_its_reason(pick: Pick, values: dict[str, Any], reason: str) -> None:
    assert picked((COLUMNS, pick), **values) == Skipped(reason)


def test_an_empty_option_is_dropped_and_the_others_keep_their_index() -> None:
    assert picked((COLUMNS, Pick(options="o", into="p", by="index", value="n")), b=None, n=2) == "green/B"
    assert picked((COLUMNS, Pick(options="o", into="p", by="index", value="n")), b=None, c=" ", n=0) == Skipped("options: fewer than two")


@pytest.mark.parametrize(
    ("options", "value"),
    [
        (Options(into="o", list="x"), ["red", "blue"]),
        (Options(into="o", list="x"), [{"label": "A", "text": "red"}, {"label": "B", "text": "blue"}]),
        (Options(into="o", list="x"), {"label": ["A", "B"], "text": ["red", "blue"]}),
        (Options(into="o", dictionary="x"), {"A": "red", "B": "blue", "C": None}),
    ],
)
def test_options_come_from_lists_and_dictionaries(options: Options, value: Any) -> None:
    row = {"q": "Which?", "x": value, "n": "B"}
    plan = Plan(
        name="p",
        steps=(options, Pick(options="o", into="p", by="letter", value="n")),
        emit=Emit(input="{{ q }}\n{{ o.lettered }}", output="{{ p.letter }}"),
    )
    made = examples(plan, Table([row]), task("option_letter"))["0"]
    assert (made.input, made.output) == ("Which?\nA. red\nB. blue", "B")


def test_options_come_from_parallel_lists_with_keys() -> None:
    steps = (Options(into="o", texts="t", keys="k"), Pick(options="o", into="p", by="key", value="n"))
    assert picked(steps, t=["red", "blue"], k=[10, 20], n="20") == "blue/B"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abcdefgh", min_size=1, max_size=4), min_size=2, max_size=8, unique=True), st.integers(0, 7), st.integers())
def test_a_shuffle_keeps_the_right_one_and_all_the_others(texts: list[str], right: int, seed: int) -> None:
    right %= len(texts)
    row = {"q": "Which?", "x": texts, "n": right}
    steps = (Options(into="o", list="x"), Pick(options="o", into="p", by="index", value="n"), Shuffle(options="o"))
    plan = Plan(name="p", steps=steps, emit=Emit(input="{{ o.lettered }}", output="{{ p.letter }}"))
    made = examples(plan, Table([row]), task("option_letter"), seed=seed)["0"]
    shown = dict(line.split(". ", 1) for line in made.input.splitlines())
    assert sorted(shown.values()) == sorted(texts)
    assert shown[made.output] == texts[right]


def test_the_right_place_is_spread_evenly_and_depends_on_the_unit_alone() -> None:
    table = Table({"q": f"q{n}", "good": f"good {n}", "bad": f"bad {n}"} for n in range(400))
    steps = (Options(into="o", columns=("good", "bad")), Pick(options="o", into="p", by="position"), Shuffle(options="o"))
    plan = Plan(name="p", steps=steps, emit=Emit(input="{{ q }}\n{{ o }}", output="{{ p }}"))
    made = examples(plan, table, task("option_text"), seed=1)
    first = sum(one.input.splitlines()[1] == f"- {one.output}" for one in made.values())
    assert 160 < first < 240
    fewer = examples(plan, Table(row.values for row in table.rows[:10]), task("option_text"), seed=1)
    assert all(made[key].input == fewer[key].input for key in fewer)


@pytest.mark.parametrize("last", ["None of the above", "neither", "Cannot be determined", "Keine davon", "以上都不是"])
def test_an_option_about_the_others_stays_last(last: str) -> None:
    table = Table({"q": f"q{n}", "x": [last, f"a{n}", f"b{n}"], "n": 1} for n in range(20))
    steps = (Options(into="o", list="x"), Pick(options="o", into="p", by="index", value="n"), Shuffle(options="o"))
    made = examples(Plan(name="p", steps=steps, emit=Emit(input="{{ o }}", output="{{ p }}")), table, task("option_text"))
    assert all(one.input.endswith(f"- {last}") for one in made.values())
    assert len({one.input.splitlines()[0][:3] for one in made.values()}) == 2


def test_options_that_name_each_others_letters_are_left_in_place() -> None:
    table = Table({"q": f"q{n}", "x": [f"a{n}", f"b{n}", "Both A and B"], "n": 2} for n in range(10))
    steps = (Options(into="o", list="x"), Pick(options="o", into="p", by="index", value="n"), Shuffle(options="o"))
    made = examples(Plan(name="p", steps=steps, emit=Emit(input="{{ o }}", output="{{ p }}")), table, task("option_text"))
    assert all(one.input == f"- a{key}\n- b{key}\n- Both A and B" for key, one in made.items())
