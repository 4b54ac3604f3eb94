"""Which columns a plan shows and which decide its output, through every kind of step."""

from __future__ import annotations

from engine.plan.column_roles import inputs_and_outputs
from engine.plan.steps import Bin, Case, Emit, Get, Map, Options, Pick, Plan, Shuffle, Template, When, Write
from engine.records import Column

COLUMNS = tuple(Column(name, "text") for name in ("text", "label", "a", "b", "extra", "a name"))


def roles(*steps: object, shown: str, answer: str) -> tuple[set[str], set[str]]:
    plan = Plan(name="p", steps=steps, emit=Emit(input=shown, output=answer))  # type: ignore[arg-type]
    return inputs_and_outputs(plan, COLUMNS)


def test_columns_named_in_the_templates() -> None:
    assert roles(shown="{{ text }}", answer="{{ label }}") == ({"text"}, {"label"})
    assert roles(shown='{{ row["a name"] }} {{ a }}', answer="{{ label }}") == ({"a name", "a"}, {"label"})


def test_a_value_leads_back_to_its_column() -> None:
    steps = (
        Get(path="label.kind[0]", into="kind"),
        Map(value="kind", into="word", table={"1": "yes"}),
        Template(into="whole", template="{{ text }} and {{ a }}"),
    )
    assert roles(*steps, shown="{{ whole }}", answer="{{ word }}") == ({"text", "a"}, {"label"})


def test_several_columns_can_decide_the_output() -> None:
    steps = (
        Case(into="word", when=(When(value="label", one_of=("1",), then="{{ a }}"),), otherwise="{{ b }}"),
        Bin(value="extra", into="size", thresholds=(1.0,), labels=("small", "large")),
    )
    assert roles(*steps, shown="{{ text }}", answer="{{ word }}") == ({"text"}, {"label", "a", "b"})
    assert roles(*steps, shown="{{ text }}", answer="{{ size }}") == ({"text"}, {"extra"})


def test_options_shown_are_inputs_and_only_what_picks_is_output() -> None:
    steps = (
        Options(into="choices", columns=("a", "b")),
        Pick(options="choices", into="right", by="index", value="label"),
        Shuffle(options="choices"),
    )
    assert roles(*steps, shown="{{ text }}\n{{ choices.lettered }}", answer="{{ right.letter }}") == ({"text", "a", "b"}, {"label"})


def test_what_a_model_was_shown_counts_for_the_output_it_wrote() -> None:
    steps = (Write(instruction="Write it.", given=("extra",), into=("written",)),)
    assert roles(*steps, shown="{{ text }}", answer="{{ written }}") == ({"text"}, {"extra"})


def test_prose_shows_its_columns_and_says_nothing_of_outputs() -> None:
    assert inputs_and_outputs(Plan(name="p", prose=("Do it.",)), COLUMNS) == ({column.name for column in COLUMNS}, set())
    assert inputs_and_outputs(Plan(name="p", prose=("Do it.",), columns=("text", "gone")), COLUMNS) == ({"text"}, set())


def test_names_that_are_no_columns_are_left_out() -> None:
    assert roles(shown="{{ text }} {{ index }}", answer="{{ elsewhere }}") == ({"text"}, set())
