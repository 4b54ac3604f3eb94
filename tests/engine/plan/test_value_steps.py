"""Value steps over small tables: what they give, and with which reason they stop a unit."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.steps import AnyStep, Bin, Case, Each, Emit, Fit, Get, Keep, Map, Match, Names, Parse, Plan, Slice, Spans, Template, When
from engine.plan.units import Accepted, Failed, Skipped
from tests.engine.plan.tables import Table, outcomes

TRUE_OR_NOT = {"true": "ja", "False": "nein"}


def made(step: AnyStep, value: Any, **more: Any) -> Any:
    """The output a plan of one step makes of one row, or the outcome that stopped it."""
    table = Table([{"id": "row", "x": value, **more}], class_names=more.pop("class_names", None))
    found = outcomes(Plan(name="p", steps=(step,), emit=Emit(input="{{ id }}", output="{{ y }}")), table)["0"]
    return found.example.output if isinstance(found, Accepted) else found


@pytest.mark.parametrize(
    ("step", "value", "output"),
    [
        (Get(path="x.text[0]", into="y"), {"text": ["first", "second"]}, "first"),
        (Get(path="x[0].text", into="y"), {"text": ["first", "second"], "at": [3, 9]}, "first"),
        (Get(path="x[-1].who", into="y"), [{"who": "a"}, {"who": "b"}], "b"),
        (Get(path="x.who", into="y"), [{"who": "a"}, {"who": "b"}], "a, b"),
        (Get(path='x["a key"]', into="y"), {"a key": 3.0}, "3"),
        (Parse(value="x", into="y", form="json"), '["a", true]', "a, true"),
        (Parse(value="x", into="y", form="literal"), "['a', 2]", "a, 2"),
        (Parse(value="x", into="y", form="number"), "about 1,200 people", "1200"),
        (Names(value="x", into="y", names=("no", "yes")), 1, "yes"),
        (Map(value="x", into="y", table=TRUE_OR_NOT), True, "ja"),
        (Map(value="x", into="y", table=TRUE_OR_NOT), "false", "nein"),
        (Map(value="x", into="y", table={"1": "one", "2": "two"}), 1.0, "one"),
        (Bin(value="x", into="y", thresholds=(2.5, 4), labels=("bad", "fair", "good")), 2, "bad"),
        (Bin(value="x", into="y", thresholds=(2.5, 4), labels=("bad", "fair", "good")), "4", "good"),
        (Match(value="x", into="y", pattern=r"#### *(.+)", group=1), "3 + 4\n#### 7", "7"),
        (Match(value="x", into="y", pattern=r"\d+", which="last"), "1 and 22", "22"),
        (Match(value="x", into="y", pattern=r"\s*\(.*?\)", mode="replace"), "Ana (chair) left", "Ana left"),
        (Match(value="x", into="y", pattern=r"(\w+), (\w+)", mode="replace", replacement=r"\2 \1"), "Li, Ana", "Ana Li"),
        (
            Match(value="x", into="y", pattern=r"(\w+) und (\w+)", mode="replace", replacement=r"\2 über \1"),
            "Özil und Ana",
            "Ana über Özil",
        ),
        (Match(value="x", into="y", pattern="a", mode="replace", replacement="b"), "none here", "none here"),
        (Match(value="x", into="y", pattern=r"\s*;\s*", mode="split"), "a; b ;c", "a, b, c"),
        (Match(value="x", into="y", pattern=";", mode="split"), "alone", "alone"),
        (Match(value="x", into="y", pattern=r"é+", unmatched="empty", mode="replace", replacement="e"), "café", "cafe"),
        (Slice(value="x", into="y", stop=2), ["a", "b", "c"], "a, b"),
        (Slice(value="x", into="y", stop=2, unit="words"), "one  two three", "one  two"),
        (Slice(value="x", into="y", stop=1, unit="sentences"), "It rained. We left.", "It rained."),
        (Slice(value="x", into="y", start=1, unit="sentences"), "下雨了。我们走了。", "我们走了。"),
        (Slice(value="x", into="y", start=-3, unit="chars"), "abcdef", "def"),
        (Each(value="x", into="y", template="{{ index }}. {{ item.who }}", separator="; "), [{"who": "a"}, {"who": "b"}], "1. a; 2. b"),
        (Case(into="y", when=(When(value="x", one_of=("cause", 1), then="why {{ x }}"),), otherwise="else"), "cause", "why cause"),
        (Case(into="y", when=(When(value="x", one_of=("cause",), then="why"),), otherwise="not {{ x }}"), "Cause", "not Cause"),
        (Fit(value="x", into="y", tokens=3), "one two three four", "one two"),
        (Fit(value="x", into="y", tokens=300), "one two", "one two"),
        (Template(into="y", template="<{{ x }}>"), "a", "<a>"),
    ],
)
def test_a_step_gives_its_value(step: AnyStep, value: Any, output: str) -> None:
    assert made(step, value) == output


@pytest.mark.parametrize(
    ("step", "value", "outcome"),
    [
        (Get(path="x.text[0]", into="y"), {"text": []}, Skipped("get: x.text[0] leads nowhere at [0]")),
        (Get(path="x.text", into="y"), {"other": 1}, Skipped("get: x.text leads nowhere at text")),
        (Parse(value="x", into="y", form="json"), "{a", Failed("parse: x is not JSON")),
        (Parse(value="x", into="y", form="literal"), "__import__('os')", Failed("parse: x is not a literal")),
        (Parse(value="x", into="y", form="json"), "[" * 100_000, Failed("parse: x is not JSON")),
        (Parse(value="x", into="y", form="number"), "none", Skipped("parse: x holds no number")),
        (Names(value="x", into="y", names=("no", "yes")), -1, Skipped("names: no class '-1'")),
        (Map(value="x", into="y", table=TRUE_OR_NOT), "conflict", Skipped("map: no entry for 'conflict'")),
        (Map(value="x", into="y", table=TRUE_OR_NOT, unknown="fail"), "z" * 50, Failed(f"map: no entry for '{'z' * 40}…'")),
        (Map(value="x", into="y", table={"1": "one", "2": "two"}), True, Skipped("map: no entry for 'true'")),
        (Bin(value="x", into="y", thresholds=(1,), labels=("a", "b")), "many", Skipped("bin: x is not a number")),
        (Match(value="x", into="y", pattern="####"), "none", Skipped("match: nothing in x like '####'")),
        (Match(value="x", into="y", pattern="####", unmatched="fail"), "none", Failed("match: nothing in x like '####'")),
        (Match(value="x", into="y", pattern="a"), None, Skipped("match: x is empty")),
        (Slice(value="x", into="y", stop=1), [], Skipped("slice: x is empty")),
        (Case(into="y", when=(When(value="x", one_of=("a",), then="{{ x }}"),)), "b", Skipped("case: no condition for 'b'")),
        (Match(value="x", into="y", pattern="a"), "a\ud800", Failed("match: UnicodeEncodeError on a value of an unexpected kind")),
        (Names(value="x", into="y", names=("a", "b")), b"bytes", Failed("names: ValueError on a value of an unexpected kind")),
        (Fit(value="x", into="y", tokens=2, over="skip"), "one two three", Skipped("fit: x has more than 2 tokens")),
        (Template(into="y", template="{{ x[5] }}"), "a", Failed("template: there is no x[5]")),
    ],
)
def test_a_step_that_cannot_stops_the_unit_with_a_reason(step: AnyStep, value: Any, outcome: Skipped | Failed) -> None:
    assert made(step, value) == outcome


def test_class_names_come_from_the_column_when_the_step_has_none() -> None:
    table = Table([{"id": "row", "x": 1}], class_names={"x": ("no", "yes")})
    found = outcomes(Plan(name="p", steps=(Names(value="x", into="y"),), emit=Emit(input="{{ id }}", output="{{ y }}")), table)["0"]
    assert isinstance(found, Accepted)
    assert found.example.output == "yes"


def test_a_name_with_dots_is_found_before_it_is_read_as_a_path() -> None:
    table = Table([{"id": "row", "x": {"text": "wrong"}, "x.text": ["right"]}])
    found = outcomes(Plan(name="p", steps=(Get(path="x.text[0]", into="y"),), emit=Emit(input="{{ id }}", output="{{ y }}")), table)["0"]
    assert isinstance(found, Accepted)
    assert found.example.output == "right"


@pytest.mark.parametrize(
    ("tags", "output"),
    [
        (["B-PER", "I-PER", "O", "B-PER", "B-PER"], "Ana Li; to; Rome"),
        (["I-PER", "I-PER", "O", "O", "B-LOC"], "Ana Li"),
        (["B-LOC", "I-PER", "O", "O", "O"], "Li"),
        (["B-PER", "E-PER", "O", "O", "S-PER"], "Ana Li; Rome"),
        (["O"] * 5, "none"),
        ([1, 2, 0, 0, 3], "Ana Li"),
    ],
)
def test_spans_are_read_from_tags(tags: list[Any], output: str) -> None:
    step = Spans(tokens="x", tags="t", type="PER", into="y", tag_names=("O", "B-PER", "I-PER", "B-LOC"))
    assert made(step, ["Ana", "Li", "went", "to", "Rome"], t=tags) == output


def test_spans_of_tags_that_do_not_fit_the_tokens_fail() -> None:
    assert made(Spans(tokens="x", tags="t", type="PER", into="y"), ["Ana"], t=["O", "O"]) == Failed("spans: not as many tags as tokens")


@pytest.mark.parametrize(
    ("step", "value", "reason"),
    [
        (Keep(value="x", one_of=("a", 1)), "b", "keep: x is 'b'"),
        (Keep(value="x", not_one_of=(True,)), True, "keep: x is 'true'"),
        (Keep(value="x", at_least=0.5), 0.25, "keep: x is below 0.5"),
        (Keep(value="x", at_most=3), "4", "keep: x is above 3"),
        (Keep(value="x", at_most=3), "four", "keep: x is not a number"),
        (Keep(value="x", min_chars=1), None, "keep: x is shorter than 1 characters"),
        (Keep(value="x", max_chars=3), "long", "keep: x is longer than 3 characters"),
        (Keep(value="x", matches="^[A-Z]"), "lower", "keep: x has no match for '^[A-Z]'"),
        (Keep(value="x", language="de"), "This sentence is certainly written in English.", "keep: x is not in de but en"),
    ],
)
def test_a_unit_that_is_not_kept_says_which_condition_it_missed(step: Keep, value: Any, reason: str) -> None:
    found = outcomes(Plan(name="p", steps=(step,), emit=Emit(input="{{ x }}", output="{{ y }}")), Table([{"x": value, "y": "out"}]))
    assert found["0"] == Skipped(reason)


def test_a_unit_that_meets_every_condition_is_kept() -> None:
    step = Keep(value="x", one_of=("Das ist ganz sicher ein deutscher Satz.",), min_chars=3, max_chars=90, matches="Satz", language="de-AT")
    rows = [{"x": "Das ist ganz sicher ein deutscher Satz.", "y": "out"}]
    found = outcomes(Plan(name="p", steps=(step,), emit=Emit(input="{{ x }}", output="{{ y }}")), Table(rows))
    assert isinstance(found["0"], Accepted)
