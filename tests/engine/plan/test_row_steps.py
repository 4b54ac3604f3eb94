"""Row steps: which units there are, each once, in an order that depends on the seed alone."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.plan.compile import compile_plan
from engine.plan.steps import AnyStep, Borrow, Emit, Explode, Group, Join, Keep, Parse, Plan, Sample, Template
from engine.plan.units import Accepted, Skipped, Unit
from tests.engine.plan.tables import Table, examples, outcomes, task


def plan(*steps: AnyStep, given: str = "{{ x }}", output: str = "{{ y }}") -> Plan:
    return Plan(name="p", steps=steps, emit=Emit(input=given, output=output))


def units(plan: Plan, table: Table, *, seed: int = 0, block: int = 256, **options: Any) -> list[Unit]:
    return list(compile_plan(plan, table.columns, task=task(), seed=seed, **options).units(table, block=block))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(0, 5), st.integers(1, 50))
def test_every_row_is_one_unit_in_an_order_that_no_block_size_changes(size: int, seed: int, block: int) -> None:
    table = Table({"x": f"x{n}", "y": f"y{n}"} for n in range(size))
    keys = [unit.key for unit in units(plan(), table, seed=seed, block=block)]
    assert sorted(map(int, keys)) == list(range(size))
    assert keys == [unit.key for unit in units(plan(), table, seed=seed)]


def test_rows_are_drawn_from_the_whole_split_and_only_as_far_as_they_are_needed() -> None:
    table = Table({"x": f"x{n}", "y": f"y{n}"} for n in range(10_000))
    program = compile_plan(plan(), table.columns, task=task(), seed=3)
    first = [int(unit.key) for unit in islice(program.units(table, block=50), 100)]
    assert len(table.asked) == 100
    assert min(first) < 2000 and max(first) > 8000


def test_a_unit_tells_where_it_came_from() -> None:
    table = Table([{"x": "x0", "y": "y0"}], config="main", split="train")
    source = units(plan(), table)[0].source
    assert (source.dataset, source.config, source.split, source.row, source.revision, source.licence) == (
        "made-up",
        "main",
        "train",
        0,
        "r1",
        "mit",
    )


def test_a_row_that_lacks_a_column_has_nothing_there() -> None:
    found = outcomes(plan(), Table([{"x": "x0", "y": "y0"}, {"x": "x1"}]))
    assert found["1"].reason == "output: empty"  # type: ignore[union-attr]


def test_explode_makes_a_unit_of_each_item_with_those_before_it() -> None:
    step = Explode(value="turns", into="turn", index_into="n", window=2, window_into="before", first=1)
    table = Table([{"turns": ["a", "b", "c", "d"]}, {"turns": ["lonely"]}, {"turns": []}, {"turns": None}])
    found = outcomes(plan(step, given="{{ before }}", output="{{ turn }}"), table)
    made = {
        key: (one.example.input, one.example.output, one.example.source.part) for key, one in found.items() if isinstance(one, Accepted)
    }
    assert made == {"0/1": ("a", "b", (1,)), "0/2": ("a, b", "c", (2,)), "0/3": ("b, c", "d", (3,))}
    assert found["1"] == Skipped("explode: turns has no item after the first 1")
    assert found["2"] == found["3"] == Skipped("explode: turns is empty")


def test_explode_twice_gives_a_part_for_each() -> None:
    steps = (Explode(value="a", into="b"), Explode(value="b", into="c"))
    made = examples(plan(*steps, given="{{ x }}", output="{{ c }}"), Table([{"x": "x", "a": [["p"], ["q", "r"]]}]))
    assert {key: (one.output, one.source.part) for key, one in made.items()} == {
        "0/0/0": ("p", (0, 0)),
        "0/1/0": ("q", (1, 0)),
        "0/1/1": ("r", (1, 1)),
    }


def test_group_takes_the_majority_collects_lists_and_skips_ties() -> None:
    rows = [("s1", "yes", "a"), ("s2", "no", "b"), ("s1", "no", "c"), ("s1", "yes", "d"), ("s2", "yes", "e"), ("s3", "no", "f")]
    table = Table({"x": x, "y": y, "who": who} for x, y, who in rows)
    step = Group(by=("x",), majority=("y",), collect=("who",))
    found = outcomes(plan(step, given="{{ x }} {{ who }}"), table, seed=1)
    made = {
        key: (one.example.input, one.example.output, one.example.source.rows) for key, one in found.items() if isinstance(one, Accepted)
    }
    assert made == {"0": ("s1 a, c, d", "yes", (0, 2, 3)), "5": ("s3 f", "no", ())}
    assert found["1"] == Skipped("group: a tie in y")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(0, 3), st.integers(1, 9))
def test_groups_hold_every_row_once_and_no_block_size_changes_their_order(keys: list[int], seed: int, block: int) -> None:
    table = Table({"x": f"k{key}", "y": f"y{n}"} for n, key in enumerate(keys))
    made = units(plan(Group(by=("x",), collect=("y",)), output="{{ y }}"), table, seed=seed, block=block)
    held = [row for unit in made for row in (unit.source.rows or (unit.source.row,))]
    assert sorted(held) == list(range(len(keys)))
    assert len(made) == len(set(keys))
    assert [unit.key for unit in made] == [
        unit.key for unit in units(plan(Group(by=("x",), collect=("y",)), output="{{ y }}"), table, seed=seed)
    ]


def test_a_row_stopped_before_the_group_is_counted_and_in_no_group() -> None:
    table = Table({"x": "s", "y": y, "ok": ok} for y, ok in [("a", 1), ("b", 0), ("a", 1)])
    found = outcomes(plan(Keep(value="ok", one_of=(1,)), Group(by=("x",), majority=("y",))), table)
    assert found["1"] == Skipped("keep: ok is '0'")
    assert isinstance(found["0"], Accepted)
    assert set(found) == {"0", "1"}


def test_join_adds_the_columns_of_the_row_that_agrees() -> None:
    other = Table([{"id": 7, "text": "seven"}, {"id": 8, "text": "eight"}, {"id": 7, "text": "again"}], config="texts")
    table = Table([{"x": "a", "ref": "7"}, {"x": "b", "ref": "9"}, {"x": "c", "ref": None}])
    step = Join(left="ref", right="id", config="texts")
    found = outcomes(plan(step, output="{{ joined_text }}"), table, tables=lambda config, split: {("texts", "train"): other}[config, split])
    assert isinstance(found["0"], Accepted)
    assert found["0"].example.output == "seven"
    assert found["1"] == found["2"] == Skipped("join: no row has id as in ref")


def test_join_with_itself_names_both_rows() -> None:
    table = Table([{"id": 1, "x": "parent", "up": None}, {"id": 2, "x": "child", "up": 1}])
    found = outcomes(plan(Join(left="up", right="id"), output="{{ joined_x }}"), table)["1"]
    assert isinstance(found, Accepted)
    assert (found.example.output, found.example.source.rows) == ("parent", (1, 0))


def test_a_join_without_the_other_table_says_so() -> None:
    table = Table([{"x": "a", "ref": 1}])
    with pytest.raises(BadInput, match="join: texts cannot be read here"):
        units(plan(Join(left="ref", right="id", config="texts"), output="{{ joined_text }}"), table)


def test_sample_takes_so_many_and_reads_no_further() -> None:
    table = Table({"x": f"x{n}", "y": f"y{n}"} for n in range(5000))
    assert len(units(plan(Sample(size=70)), table, block=64)) == 70
    assert len(table.asked) == 128


def test_a_balanced_sample_takes_as_many_of_each_value() -> None:
    table = Table({"x": f"x{n}", "y": "rare" if n % 50 == 0 else "often"} for n in range(1000))
    labels = [unit.values["y"] for unit in units(plan(Sample(balance="y", per_value=12)), table)]
    assert (labels.count("rare"), labels.count("often")) == (12, 12)


def test_a_unit_stopped_before_a_sample_does_not_count_toward_it() -> None:
    table = Table({"x": f"x{n}", "y": f"y{n}", "ok": n % 2} for n in range(200))
    made = units(plan(Keep(value="ok", one_of=(1,)), Sample(size=20)), table)
    assert sum(unit.stopped is None for unit in made) == 20


def test_a_borrowed_value_is_another_rows_and_depends_on_the_unit_alone() -> None:
    table = Table({"x": f"x{n}", "y": f"y{n}", "topic": n % 3} for n in range(60))
    made = units(plan(Borrow(value="x", into="z", different=("topic",)), given="{{ x }} {{ z }}"), table, seed=2)
    assert all(int(unit.values["z"][1:]) % 3 != unit.values["topic"] for unit in made)
    again = units(plan(Borrow(value="x", into="z", different=("topic",)), given="{{ x }} {{ z }}"), table, seed=2, block=7)
    assert [unit.values for unit in made] == [unit.values for unit in again]


def test_a_computed_value_can_be_borrowed() -> None:
    table = Table({"x": f"x{n}", "y": f"{n}", "raw": f'["r{n}"]'} for n in range(9))
    steps = (Parse(value="raw", into="list", form="json"), Template(into="t", template="{{ list[0] }}"), Borrow(value="t", into="z"))
    made = units(plan(*steps, given="{{ x }} {{ z }}"), table)
    assert all(unit.values["z"].startswith("r") and unit.values["z"] != unit.values["t"] for unit in made)


def test_where_no_other_row_differs_the_unit_is_skipped() -> None:
    found = outcomes(plan(Borrow(value="x", into="z"), given="{{ x }} {{ z }}"), Table([{"x": "same", "y": f"y{n}"} for n in range(5)]))
    assert set(found.values()) == {Skipped("borrow: no other row found with another x")}
