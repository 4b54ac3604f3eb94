"""What is refused before any row is read, and why."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.check import check_plan
from engine.plan.steps import (
    AnyStep,
    Bin,
    Borrow,
    Case,
    Check,
    Emit,
    Explode,
    Fit,
    Get,
    Group,
    Join,
    Keep,
    Map,
    Match,
    Names,
    Options,
    Pick,
    Plan,
    Sample,
    Shuffle,
    Slice,
    Spans,
    Template,
    When,
    Write,
)
from engine.records import Column
from tests.engine.plan.tables import task

COLUMNS = (
    Column("text", "text"),
    Column("other", "text"),
    Column("answer", "text"),
    Column("label", "class", ("no", "yes", "maybe")),
    Column("score", "number"),
    Column("words", "list"),
    Column("tags", "list"),
    Column("picture", "binary"),
    Column("qa", "dict"),
)
GOOD = Emit(input="{{ text }}", output="{{ answer }}")
TWO = Options(into="o", columns=("answer", "other"))


def errors(*steps: AnyStep, emit: Emit | None = GOOD, kind: Any = "text", labels: tuple[str, ...] = (), **fields: Any) -> list[str]:
    """The errors of a plan, each with its place."""
    plan = Plan(name="p", steps=steps, emit=emit, **fields)
    return [f"{one.place(plan)}: {one.title}" for one in check_plan(plan, COLUMNS, task(kind, labels)) if one.severity == "error"]


def warnings(*steps: AnyStep, emit: Emit = GOOD, kind: Any = "text", labels: tuple[str, ...] = ()) -> list[str]:
    plan = Plan(name="p", steps=steps, emit=emit)
    found = check_plan(plan, COLUMNS, task(kind, labels))
    assert not [one for one in found if one.severity == "error"]
    return [one.title for one in found]


def test_a_plain_plan_has_no_problem() -> None:
    assert errors() == []
    assert warnings() == []


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Slice(value="txet", into="y"), "step 1, slice: there is no `txet`; did you mean `text`?"),
        (Template(into="y", template="{{ txet }}"), "step 1, template: there is no `txet`; did you mean `text`?"),
        (Get(path="nowhere.text", into="y"), "step 1, get: there is no `nowhere` at the start of the path `nowhere.text`"),
        (Template(into="text", template="{{ other }}"), "step 1, template: `text` exists already"),
        (Template(into="y", template="{{ text"), "step 1, template: template '{{ text'"),
        (Match(value="text", into="y", pattern="(?=a)"), "step 1, match: regular expression '(?=a)'"),
        (Match(value="text", into="y", pattern="(a)", group=2), "step 1, match: the pattern has no group 2"),
        (Match(value="text", into="y", pattern="(a)", mode="replace", replacement=r"\2"), "step 1, match: the replacement names group 2"),
        (Keep(value="text"), "step 1, keep: no condition is given"),
        (Keep(value="text", matches="(a"), "step 1, keep: regular expression"),
        (Keep(value="text", language="klingon"), "step 1, keep: the language `klingon` cannot be recognised"),
        (Keep(value="score", at_least=3, at_most=1), "step 1, keep: nothing lies between"),
        (Explode(value="text", into="y"), "step 1, explode: `text` is text, not a list"),
        (Explode(value="words", into="y", window=3), "step 1, explode: window and window_into go together"),
        (Group(by=()), "step 1, group: `by` names nothing"),
        (Sample(balance="label"), "step 1, sample: no number is given"),
        (Sample(size=5, balance="label"), "step 1, sample: balance and per_value go together"),
        (Join(left="text", right="txt"), "step 1, join: there is no column `txt` to join with"),
        (Join(left="text", right="text", prefix="te"), "step 1, join: the prefix 'te' does not set"),
        (Names(value="text", into="y"), "step 1, names: `text` has no class names"),
        (Map(value="text", into="y", table={}), "step 1, map: the table is empty"),
        (Map(value="text", into="y", table={"1": "a", "1.0": "b"}), "step 1, map: the table says two things of `1`"),
        (Bin(value="score", into="y", thresholds=(1, 2), labels=("a", "b")), "step 1, bin: there must be one label more"),
        (Bin(value="score", into="y", thresholds=(2, 1), labels=("a", "b", "c")), "step 1, bin: the thresholds do not rise"),
        (Slice(value="text", into="y"), "step 1, slice: `text` is text, not a list"),
        (Slice(value="words", into="y", unit="chars"), "step 1, slice: `words` is a list, not text"),
        (Spans(tokens="text", tags="tags", type="PER", into="y"), "step 1, spans: `text` is text, not a list"),
        (Fit(value="text", into="y", tokens=0), "step 1, fit: no token is left"),
        (Options(into="y"), "step 1, options: the options need exactly one source"),
        (Options(into="y", columns=("text",)), "step 1, options: there must be at least two"),
        (Options(into="y", list="text"), "step 1, options: `text` is text, not a list"),
        (Options(into="y", dictionary="words"), "step 1, options: `words` is not a dictionary"),
        (Pick(options="words", into="y", by="index", value="label"), "step 1, pick: `words` is no set of options"),
        (Shuffle(options="words"), "step 1, shuffle: `words` is no set of options"),
        (Case(into="y", when=(When(value="nope", one_of=("a",), then="b"),)), "step 1, case: there is no `nope`"),
        (Write(instruction="Write.", given=(), into=("y",)), "step 1, write: `given` names nothing"),
        (Write(instruction="Write.", given=("text",), into=("y", "y")), "step 1, write: one name is given twice"),
        (Check(question="Is it?", given=("nope",)), "step 1, check: there is no `nope`"),
    ],
)
def test_a_step_that_cannot_work_is_refused_with_its_place(step: AnyStep, says: str) -> None:
    found = errors(step)
    assert found and found[0].startswith(says)


@pytest.mark.parametrize(
    ("pick", "says"),
    [
        (Pick(options="o", into="p", by="index"), 'by = "index" needs `value`'),
        (Pick(options="o", into="p", by="flags", value="label"), 'by = "flags" needs `flags`'),
        (Pick(options="o", into="p", by="flags", flags=("a", "b", "label")), "there is no `a`"),
        (Pick(options="o", into="p", by="flags", flags=("label", "score", "text")), "3 flags for 2 options"),
        (Pick(options="o", into="p", by="flags", flags=("label",)), "`label` is a integer, not a list"),
        (Pick(options="o", into="p", by="position", base=2), "there is no option number 2"),
        (Pick(options="o", into="p", by="index", value="label", none="neither"), "`none` goes with flags"),
    ],
)
def test_a_pick_that_cannot_work_is_refused(pick: Pick, says: str) -> None:
    assert any(says in title for title in errors(TWO, pick))


def test_row_steps_come_before_model_steps_and_group_before_all_others() -> None:
    write = Write(instruction="Write.", given=("text",), into=("y",))
    assert errors(write, Sample(size=3))[0].startswith("step 2, sample: stands after a step that asks a model")
    assert errors(Sample(size=3), Group(by=("text",)))[0].startswith("step 2, group: stands after another step that changes the units")


def test_what_other_rows_do_not_have_by_themselves_cannot_be_borrowed() -> None:
    steps = (Explode(value="words", into="w"), Template(into="t", template="{{ w }}!"), Borrow(value="t", into="z"))
    assert errors(*steps) == ["step 3, borrow: `t` is not a value every row has by itself"]


def test_emit_names_only_what_there_is_and_depends_on_the_row() -> None:
    assert errors(emit=Emit(input="{{ txt }}", output="{{ answer }}")) == ["emit: input: there is no `txt`; did you mean `text`?"]
    assert errors(emit=Emit(input="Say it.", output="{{ answer }}")) == ["emit: input: the same for every row"]
    assert errors(emit=Emit(input="{{ picture }}", output="{{ answer }}"))[0].startswith("emit: input: `picture` holds bytes")
    constant = Map(value="label", into="y", table={"0": "same", "1": "same"})
    assert errors(constant, emit=Emit(input="{{ text }}", output="{{ y }}")) == ["emit: output: the same for every row"]


def test_outputs_known_beforehand_must_be_labels_of_the_task() -> None:
    emit = Emit(input="{{ text }}", output="{{ y }}")
    table = Map(value="label", into="y", table={"0": "no", "1": "yes", "2": "perhaps"})
    assert errors(table, emit=emit, kind="label", labels=("no", "yes")) == ["emit: output: `perhaps` not among the task's labels"]
    assert errors(Keep(value="label", one_of=(0, 1)), table, emit=emit, kind="label", labels=("no", "yes")) == []
    names = Names(value="label", into="y")
    assert errors(names, emit=emit, kind="label", labels=("no", "yes")) == ["emit: output: `maybe` not among the task's labels"]
    assert errors(Keep(value="label", not_one_of=(2,)), names, emit=emit, kind="label", labels=("no", "yes")) == []
    assert errors(emit=Emit(input="{{ text }}", output="{{ label }}"), kind="label", labels=("no", "yes"))[0].startswith(
        "emit: output: `0`"
    )


@pytest.mark.parametrize(
    ("steps", "emit"),
    [
        ((), Emit(input="{{ answer }} {{ text }}", output="{{ answer }}")),
        ((Match(value="answer", into="y", pattern="#### (.+)", group=1),), Emit(input="{{ text }} {{ answer }}", output="{{ y }}")),
        ((Map(value="label", into="y", table={"0": "a", "1": "b"}),), Emit(input="{{ text }} {{ label }}", output="{{ y }}")),
        ((Bin(value="score", into="y", thresholds=(1,), labels=("a", "b")),), Emit(input="{{ score }}", output="{{ y }}")),
        ((Template(into="t", template="{{ answer | lower }}"),), Emit(input="{{ t }}", output="{{ answer }}")),
        ((Get(path="qa.answer", into="a"),), Emit(input="{{ qa }}", output="{{ a }}")),
        ((Explode(value="words", into="w"),), Emit(input="{{ words }}", output="{{ w }}")),
        (
            (Case(into="c", when=(When(value="label", one_of=(1,), then="one"),), otherwise="two"),),
            Emit(input="{{ c }}", output="{{ label }}"),
        ),
        ((Match(value="text", into="y", pattern="((a)b)", group=1),), Emit(input="{{ text }}", output="{{ y }}")),
        (
            (Match(value="text", into="y", pattern="((a)b)", group=1), Match(value="text", into="z", pattern="((a)b)", group=2)),
            Emit(input="{{ y }}", output="{{ z }}"),
        ),
        (
            (Slice(value="text", into="y", stop=5, unit="words"), Slice(value="text", into="z", start=4, unit="words")),
            Emit(input="{{ y }}", output="{{ z }}"),
        ),
        ((Write(instruction="Sum up.", given=("text",), into=("s",)),), Emit(input="{{ text }} {{ s }}", output="{{ s }}")),
        ((Join(left="text", right="text"),), Emit(input="{{ joined_answer }}", output="{{ answer }}")),
        ((Spans(tokens="words", tags="tags", type="PER", into="y"),), Emit(input="{{ words }} {{ tags }}", output="{{ y }}")),
    ],
)
def test_what_decides_the_output_may_not_be_shown(steps: tuple[AnyStep, ...], emit: Emit) -> None:
    assert any("decides the output and is shown in the input" in title for title in errors(*steps, emit=emit))


@pytest.mark.parametrize(
    ("steps", "emit"),
    [
        ((Get(path="qa.question", into="q"), Get(path="qa.answer", into="a")), Emit(input="{{ q }}", output="{{ a }}")),
        ((), Emit(input="{{ qa.question }}", output="{{ qa.answer }}")),
        ((), Emit(input="{{ words[0] }}", output="{{ words[1] }}")),
        ((Explode(value="words", into="w", window=3, window_into="before"),), Emit(input="{{ before }}", output="{{ w }}")),
        ((Spans(tokens="words", tags="tags", type="PER", into="y"),), Emit(input="{{ words | join(' ') }}", output="{{ y }}")),
        (
            (
                Match(value="text", into="y", pattern="Q: (.*) A: (.*)", group=1),
                Match(value="text", into="z", pattern="Q: (.*) A: (.*)", group=2),
            ),
            Emit(input="{{ y }}", output="{{ z }}"),
        ),
        (
            (Slice(value="text", into="y", stop=5, unit="words"), Slice(value="text", into="z", start=5, unit="words")),
            Emit(input="{{ y }}", output="{{ z }}"),
        ),
        ((Write(instruction="Sum up.", given=("text",), into=("s",)),), Emit(input="{{ text }}", output="{{ s }}")),
        ((Keep(value="answer", min_chars=2),), GOOD),
    ],
)
def test_pieces_that_do_not_overlap_are_no_leak(steps: tuple[AnyStep, ...], emit: Emit) -> None:
    assert errors(*steps, emit=emit) == []


def test_options_are_shown_all_together_or_not_at_all() -> None:
    pick = Pick(options="o", into="p", by="index", value="label")
    assert errors(TWO, pick, emit=Emit(input="{{ text }} {{ o }}", output="{{ p }}")) == []
    assert errors(TWO, pick, emit=Emit(input="{{ answer }} or {{ other }}?", output="{{ p }}"), kind="option_text") == []
    assert errors(TWO, pick, emit=Emit(input="{{ text }} {{ answer }}", output="{{ p }}")) == [
        "emit: the input shows some of the options `o` on their own"
    ]
    assert errors(TWO, pick, emit=Emit(input="{{ o }} {{ p.letter }}", output="{{ p }}"))[0].endswith("is shown in the input")
    assert errors(TWO, pick, emit=Emit(input="{{ text }}", output="{{ p }}"), kind="option_text") == [
        "emit: input: the options are not shown"
    ]
    assert errors(TWO, pick, emit=Emit(input="{{ o }} {{ label }}", output="{{ p }}"))[0].endswith(
        "`label` decides the output and is shown in the input"
    )


def test_a_right_option_that_always_stands_in_one_place_needs_a_shuffle() -> None:
    pick = Pick(options="o", into="p", by="position")
    emit = Emit(input="{{ text }} {{ o }}", output="{{ p }}")
    assert errors(TWO, pick, emit=emit) == ["emit: the right one always stands in the same place of `o`"]
    assert errors(TWO, pick, Shuffle(options="o"), emit=emit) == []
    by_column = Emit(input="{{ answer }} or {{ other }}?", output="{{ p }}")
    assert errors(TWO, pick, Shuffle(options="o"), emit=by_column) == ["emit: the right one always stands in the same place"]
    direct = Emit(input="{{ text }} {{ o }}", output="{{ answer }}")
    assert errors(TWO, emit=direct) == ["emit: the right one always stands in the same place of `o`"]
    assert errors(TWO, Shuffle(options="o"), emit=direct) == []


def test_an_input_written_by_a_model_that_knew_the_output_is_warned_of() -> None:
    write = Write(instruction="Ask for it.", given=("text", "answer"), into=("q",))
    assert warnings(write, emit=Emit(input="{{ q }}", output="{{ answer }}")) == ["a model that knew the output wrote the input"]


def test_model_steps_that_are_not_needed_are_warned_of() -> None:
    write = Write(instruction="Write.", given=("text",), into=("y",))
    assert warnings(write) == ["asks a model for what nothing uses"]
    label = Emit(input="{{ text }}", output="{{ y }}")
    assert warnings(write, emit=label, kind="label", labels=("a", "b")) == ["the model chooses the output itself"]


def test_prose_stands_alone_and_names_columns_that_exist() -> None:
    assert errors(emit=None, prose=("Copy the text.",), columns=("text",)) == []
    assert errors(emit=None, prose=("Copy the text.",), columns=("txt",))[0].startswith("plan: there is no column `txt`")
    assert errors(emit=GOOD, prose=("Copy the text.",))[0] == "emit: a prose plan has no steps and no [emit]"
    assert errors(emit=None) == ["plan: the plan has neither [emit] nor prose"]


def test_half_a_character_is_no_text() -> None:
    assert errors(Map(value="text", into="y", table={"a": "\ud800"})) == ["emit: a text in it holds half a character"]
