"""Whatever a plan says and a row holds, checking answers with problems and running with outcomes; nothing else is raised."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from engine.plan.check import check_plan
from engine.plan.compile import compile_plan
from engine.plan.names import gives
from engine.plan.steps import (
    AnyStep,
    Bin,
    Borrow,
    Case,
    Each,
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
    Parse,
    Pick,
    Plan,
    Sample,
    Shuffle,
    Slice,
    Spans,
    Template,
    When,
)
from engine.plan.template import printed
from engine.plan.units import Accepted, Failed, Rejected, Skipped
from engine.records import Column
from tests.engine.plan.tables import Table, task

COLUMNS = "abcd"
names = st.sampled_from([*COLUMNS, "u", "v", "w", "o"])
fresh = st.sampled_from(["u", "v", "w", "o", "p", "x"])
short_text = st.sampled_from(
    ["", "a", "1", "A", "true", '["x"]', "{{ a }}", "<b>", "####", "Ö\ud800", "(x", "[0]", "\\1", "A and B", "9" * 400]
)
leaf = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), short_text, st.binary(max_size=3))
value = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short_text, inner, max_size=3), max_leaves=6)
templates = st.sampled_from(
    ["{{ a }}", "{{ u }}", "{{ o.lettered }} {{ a[0] }}", "{{ b | join('-') }}", "{% for i in c %}{{ i.x }}{% endfor %}", "{{ p }}"]
)
ints = st.integers(-2, 3)
steps: st.SearchStrategy[AnyStep] = st.one_of(
    st.builds(
        Keep,
        value=names,
        one_of=st.none() | st.lists(st.integers(-1, 2) | short_text, max_size=2).map(tuple),
        min_chars=ints,
    ),
    st.builds(Keep, value=names, at_least=st.floats(-1, 1), matches=st.none() | short_text),
    st.builds(Explode, value=names, into=fresh, index_into=st.sampled_from(["", "w"]), first=st.integers(0, 1)),
    st.builds(Group, by=st.tuples(names), majority=st.just(()) | st.tuples(names), collect=st.just(()) | st.tuples(names)),
    st.builds(Join, left=names, right=names),
    st.builds(Sample, size=st.integers(0, 4), balance=st.sampled_from(["", "a"]), per_value=st.integers(0, 2)),
    st.builds(Get, path=st.sampled_from(["a[0]", "b.x", "u[-1].x", 'c["x"]', "a..", "o"]), into=fresh),
    st.builds(Parse, value=names, into=fresh, form=st.sampled_from(["json", "literal", "number"])),
    st.builds(Names, value=names, into=fresh, names=st.just(("n", "m"))),
    st.builds(Map, value=names, into=fresh, table=st.dictionaries(short_text, short_text, max_size=3)),
    st.builds(Bin, value=names, into=fresh, thresholds=st.just((0.5,)), labels=st.just(("n", "m"))),
    st.builds(
        Match,
        value=names,
        into=fresh,
        pattern=st.sampled_from(["(.)x?", "(", "\\w", "", "^$"]),
        mode=st.sampled_from(["extract", "replace", "split"]),
        group=st.integers(0, 1),
        replacement=short_text,
    ),
    st.builds(
        Slice, value=names, into=fresh, start=ints, stop=st.none() | ints, unit=st.sampled_from(["chars", "words", "sentences", "items"])
    ),
    st.builds(Options, into=fresh, columns=st.just(()) | st.tuples(names, names), list=st.just("") | names),
    st.builds(Options, into=fresh, texts=names, keys=st.just("") | names),
    st.builds(Options, into=fresh, dictionary=names),
    st.builds(
        Pick,
        options=st.sampled_from(["o", "u"]),
        into=fresh,
        by=st.sampled_from(["index", "letter", "key", "text"]),
        value=names,
        base=ints,
    ),
    st.builds(
        Pick, options=st.just("o"), into=fresh, by=st.sampled_from(["flags", "best"]), flags=st.tuples(names) | st.tuples(names, names)
    ),
    st.builds(Pick, options=st.just("o"), into=fresh, by=st.just("position"), base=ints),
    st.builds(Shuffle, options=st.just("o")),
    st.builds(Spans, tokens=names, tags=names, type=st.just("PER"), into=fresh),
    st.builds(Each, value=names, into=fresh, template=st.sampled_from(["{{ item }}", "{{ index }}{{ item.x }}", "{{ item[0] }}"])),
    st.builds(
        Case,
        into=fresh,
        when=st.tuples(st.builds(When, value=names, one_of=st.just(("1", True)), then=templates)),
        otherwise=st.none() | templates,
    ),
    st.builds(Borrow, value=names, into=fresh, different=st.just(()) | st.tuples(names)),
    st.builds(Fit, value=names, into=fresh, tokens=st.integers(0, 2)),
    st.builds(Template, into=fresh, template=templates),
)
rows = st.lists(st.dictionaries(st.sampled_from(COLUMNS), value), min_size=1, max_size=5)
kinds = st.sampled_from(["text", "label", "option_text", "option_letter"])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.lists(steps, min_size=3, max_size=12), st.sampled_from(["{{ a }}", "{{ d }}", "{{ o }} {{ d }}"]), rows, kinds)
def test_any_plan_over_any_rows_ends_in_problems_or_in_outcomes(made: list[AnyStep], given: str, table: Any, kind: Any) -> None:
    columns = tuple(Column(name, "mixed") for name in COLUMNS)
    for_task = task(kind, ("n", "m"))
    plan = Plan(name="p", emit=Emit(input=given, output="{{ b }}"))
    for step in made:
        longer = msgspec.structs.replace(plan, steps=(*plan.steps, step))
        if not any(problem.step and problem.severity == "error" for problem in check_plan(longer, columns, for_task)):
            plan = longer
    outputs = ["{{ b }}", "{{ c }}", *(printed(name) for step in plan.steps for name in gives(step))]
    for output in reversed(outputs):
        plan = msgspec.structs.replace(plan, emit=Emit(input=given, output=output))
        if not any(problem.severity == "error" for problem in check_plan(plan, columns, for_task)):
            break
    else:
        return
    program = compile_plan(plan, columns, task=for_task, seed=1)
    units = list(program.units(Table(table), block=2))
    counts = Counter(type(program.outcome(unit)) for unit in units)
    assert counts[Accepted] + counts[Rejected] + counts[Failed] + counts[Skipped] == len(units)
    assert len({unit.key for unit in units}) == len(units)
    event(f"{len(plan.steps)} steps")
