"""Plans as files: what is written reads back, what is wrong is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.plan.file import STEP_TYPES, plan_digest, plan_from, read_plan, write_plan
from engine.plan.steps import Case, Emit, Keep, Map, Pick, Plan, Template, When, Write

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
scalars = st.one_of(words, st.integers(-(2**60), 2**60), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
steps = st.one_of(
    st.builds(Map, value=words, into=words, table=st.dictionaries(words, words, min_size=1, max_size=4), note=words),
    st.builds(Keep, value=words, one_of=st.lists(scalars, min_size=1, max_size=3).map(tuple), matches=st.none() | words),
    st.builds(Template, into=words, template=words),
    st.builds(
        Case,
        into=words,
        when=st.lists(st.builds(When, value=words, one_of=st.just(("a", 1, True)), then=words), min_size=1, max_size=2).map(tuple),
        otherwise=st.none() | words,
    ),
    st.builds(Write, instruction=words, given=st.just(("a", "b")), into=st.just(("c",))),
)
plans = st.builds(
    Plan,
    name=words,
    steps=st.lists(steps, max_size=4).map(tuple),
    emit=st.builds(Emit, input=words, output=words),
    reasons=st.lists(words, max_size=2).map(tuple),
    data=st.dictionaries(words, words, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(plans)
def test_a_written_plan_reads_back_equal(plan: Plan) -> None:
    assert read_plan(write_plan(plan)) == plan


def test_texts_of_several_lines_stay_readable() -> None:
    plan = Plan(name="p", emit=Emit(input="Question: {{ q }}\nOptions:\n{{ o }}", output="{{ a }}"))
    assert "\nQuestion: {{ q }}\nOptions:\n{{ o }}" in write_plan(plan)


def test_a_plan_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('name = "p"\n[emit]\ninput = "{{ a }}"\noutput = "{{ b }}"\n', encoding="utf-8")
    assert read_plan(path).emit == Emit(input="{{ a }}", output="{{ b }}")


def test_a_missing_file_is_bad_input_naming_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.toml"):
        read_plan(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "p"\nprse = ["x"]', "plan: unknown key `prse`; did you mean `prose`?"),
        ('name = "p"\n[[steps]]\ndo = "pikc"', "step 1: there is no step `pikc`; did you mean `pick`?"),
        (
            'name = "p"\n[[steps]]\ndo = "options"\ninto = "o"\ncolum = ["a"]',
            "step 1, options: unknown key `colum`; did you mean `columns`?",
        ),
        ('name = "p"\n[[steps]]\nvalue = "x"', "step 1: `do` is missing"),
        ('name = "p"\n[[steps]]\ndo = "get"\npath = "x"', "step 1, get: `into` is missing"),
        ('name = "p"\n[[steps]]\ndo = "get"\npath = 3\ninto = "y"', "step 1, get: `path`: expected text, got a whole number"),
        ('name = "p"\n[emit]\ninput = "x"', "emit: `output` is missing"),
        ('name = "p"\n[[steps]]\ndo = "case"\ninto = "y"\n[[steps.when]]\nvalu = "x"', "step 1, case, when 1: unknown key `valu`"),
        ("name = ", "plan is not TOML"),
        ('prose = ["x"]', "plan: `name` is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_plan(text)
    assert caught.value.title.startswith(says)
    assert caught.value.hint


def test_a_dictionary_is_read_as_strictly_as_a_file() -> None:
    plan = plan_from({"name": "p", "steps": [{"do": "pick", "options": "o", "into": "p", "by": "index", "value": "n"}]})
    assert plan.steps == (Pick(options="o", into="p", by="index", value="n"),)
    with pytest.raises(BadInput, match="step 1: not a table"):
        plan_from({"name": "p", "steps": ["pick"]})


def test_the_digest_depends_on_what_a_plan_does_and_not_on_what_is_said_of_it() -> None:
    plan = Plan(name="p", steps=(Template(into="t", template="{{ a }}", note="why"),), emit=Emit(input="{{ t }}", output="{{ b }}"))
    same = Plan(name="q", steps=(Template(into="t", template="{{ a }}"),), emit=plan.emit, reasons=("r",), origin="model")
    other = Plan(name="p", steps=plan.steps, emit=Emit(input="{{ t }}", output="{{ c }}"))
    assert plan_digest(plan) == plan_digest(same) != plan_digest(other)


def test_every_step_type_has_its_word() -> None:
    assert len(STEP_TYPES) == 23
    assert STEP_TYPES["map"] is Map
