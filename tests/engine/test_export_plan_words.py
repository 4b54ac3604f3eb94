"""Plans in words: every kind of step has its sentence."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from engine.export.plan_words import plan_in_words, step_in_words
from engine.plan import steps as s

STEPS: tuple[s.AnyStep, ...] = (
    s.Keep(value="text", at_least=2, min_chars=0, one_of=("a", 1), matches="x+", language="de"),
    s.Explode(value="turns", into="turn", window=3, window_into="before", first=1),
    s.Group(by=("id",), majority=("label",), collect=("text",)),
    s.Join(left="id", right="key", split="more"),
    s.Sample(size=5, balance="label", per_value=2),
    s.Get(path="a.b[0]", into="b"),
    s.Parse(value="a", into="b", form="literal"),
    s.Names(value="label", into="name", names=("no", "yes")),
    s.Map(value="label", into="word", table={str(n): f"w{n}" for n in range(20)}),
    s.Bin(value="stars", into="tone", thresholds=(2.5, 4), labels=("bad", "fair", "good")),
    s.Match(value="answer", into="number", pattern="#### (.*)", group=1),
    s.Slice(value="text", into="start", stop=3, unit="sentences"),
    s.Options(into="options", columns=("A", "B")),
    s.Pick(options="options", into="right", by="letter", value="key", none="none"),
    s.Shuffle(options="options"),
    s.Spans(tokens="tokens", tags="tags", type="PER", into="people"),
    s.Each(value="items", into="list", template="- {{ item }}"),
    s.Case(into="word", when=(s.When(value="label", one_of=(0, "x"), then="no"),), otherwise="yes"),
    s.Borrow(value="text", into="other", different=("label",)),
    s.Fit(value="text", into="short", tokens=100),
    s.Template(into="whole", template="{{ a }}\n{{ b }}"),
    s.Write(instruction="Ask about the text.", given=("text",), into=("question",)),
    s.Check(question="Is it answerable?", given=("question", "text")),
)


def test_every_kind_of_step_is_tried_here() -> None:
    assert {type(step) for step in STEPS} == set(get_args(s.AnyStep))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_a_step_is_one_sentence_that_names_what_it_reads_and_makes(step: s.AnyStep) -> None:
    sentence = step_in_words(step)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    for field in ("value", "path", "options", "tokens", "into", "given", "by_column"):
        named = getattr(step, field, "")
        for name in (named,) if isinstance(named, str) else named if isinstance(named, tuple) else ():
            assert name in sentence


def test_a_bound_of_zero_is_a_condition() -> None:
    assert step_in_words(s.Keep(value="n", at_most=0)) == "Keep rows whose n is at most 0."


def test_a_long_table_is_cut_with_its_rest_counted() -> None:
    assert "11 → w11 and 8 more" in step_in_words(msgspec.convert(msgspec.to_builtins(STEPS[8]), s.Map))


def test_a_plan_ends_with_its_templates_and_prose_stands_as_it_is() -> None:
    plan = s.Plan(name="p", steps=(s.Get(path="a", into="b", note="why"),), emit=s.Emit(input="{{ b }}", output="{{ c }}"))
    assert plan_in_words(plan) == ["Take a as b. (why)", "The input is “{{ b }}”.", "The output is “{{ c }}”."]
    assert plan_in_words(s.Plan(name="p", prose=("Read.", "Write."))) == ["Read.", "Write."]
