"""Dataflow: where outputs come from, and which parts overlap."""

from __future__ import annotations

import pytest

from engine.plan.flow import origin_of_output, overlap
from engine.plan.patterns import compile_pattern, group_parents
from engine.plan.steps import AnyStep, Borrow, Emit, Explode, Get, Map, Match, Options, Pick, Plan, Shuffle, Template, Write
from engine.records import Column

PICK = (Options(into="o", columns=("a", "b")), Pick(options="o", into="p", by="index", value="n"), Shuffle(options="o"))


@pytest.mark.parametrize(
    ("steps", "output", "origin"),
    [
        ((), "{{ a }}", "copied"),
        ((), ' {{ row["a"] }}\n', "copied"),
        ((), "The {{ a }}", "derived"),
        ((), "{{ a | lower }}", "derived"),
        ((), "{{ number }}", "derived"),
        ((), "{{ items }}", "derived"),
        ((Get(path="d.text[0]", into="y"),), "{{ y }}", "copied"),
        ((), "{{ d.text[0] }}", "copied"),
        ((Explode(value="items", into="y"),), "{{ y }}", "copied"),
        ((Borrow(value="a", into="y"),), "{{ y }}", "copied"),
        (PICK, "{{ p }}", "copied"),
        (PICK, "{{ p.text }}", "copied"),
        (PICK, "{{ p.letter }}", "derived"),
        ((Map(value="a", into="y", table={"a": "b", "b": "c"}),), "{{ y }}", "derived"),
        ((Match(value="a", into="y", pattern="x(.)", group=1),), "{{ y }}", "derived"),
        ((Template(into="y", template="{{ a }}"),), "{{ y }}", "copied"),
        ((Write(instruction="Write.", given=("a",), into=("y",)),), "{{ y }}", "written"),
        ((Write(instruction="Write.", given=("a",), into=("y",)),), "{{ a }}", "copied"),
        ((Write(instruction="W.", given=("a",), into=("y",)), Match(value="y", into="z", pattern=".")), "{{ z }}", "written"),
    ],
)
def test_the_origin_of_an_output_is_read_off_the_plan(steps: tuple[AnyStep, ...], output: str, origin: str) -> None:
    columns = [Column(name, "text") for name in ("a", "b", "n")]
    columns += [Column("number", "number"), Column("items", "list"), Column("d", "dict")]
    plan = Plan(name="p", steps=steps, emit=Emit(input="{{ b }}", output=output))
    assert origin_of_output(plan, columns) == origin
    if output not in ("{{ number }}", "{{ items }}"):
        assert origin_of_output(plan) == origin


def test_prose_writes_its_outputs() -> None:
    assert origin_of_output(Plan(name="p", prose=("Write it.",))) == "written"


def test_parts_overlap_unless_a_step_takes_another_piece() -> None:
    column = ("c",)
    assert overlap((column,), (column, ("key", "x")))
    assert not overlap((column,), (("d",),))
    assert not overlap((("item",),), (("d",),))
    assert not overlap((column, ("key", "x")), (column, ("key", "y")))
    assert overlap((column, ("index", 0)), (column, ("index", -1)))
    assert overlap((column, ("item",)), (column, ("index", 1)))
    assert not overlap((column, ("item",)), (column, ("earlier",)))
    assert overlap((column, ("match", "(a)(b)", "first", 1)), (column, ("match", "(a)(b)", "first", 0)))
    assert overlap((column, ("match", "(a)(b)", "first", 1)), (column, ("match", "(a)(b)", "last", 2)))
    assert not overlap((column, ("slice", "words", -2, "")), (column, ("slice", "words", -5, -2)))
    assert overlap((column, ("slice", "words", -2, "")), (column, ("slice", "words", 0, 5)))
    assert overlap((column, ("slice", "words", 0, 2)), (column, ("slice", "chars", 2, 5)))


def test_groups_are_counted_as_the_pattern_counts_them() -> None:
    assert group_parents(r"(a(b))(?:c(d))(?P<x>e)[(](\()([^]()])\Q(\E(f)") == (0, 1, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"\w+", "Öl да", "Öl"),
        (r"[\w-]+$", "во-первых", "во-первых"),
        (r"\W", "да!", "!"),
        (r"[]\w]+", "ж]", "ж]"),
        (r"\\w", "ж\\w", "\\w"),
    ],
)
def test_word_letters_are_those_of_every_script(pattern: str, text: str, found: str) -> None:
    assert compile_pattern(pattern).search(text).group() == found
