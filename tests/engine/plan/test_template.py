"""Templates: what they print, what they refuse, and that they always end."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.plan.template import TemplateFailed, compile_template, names_in, printed
from engine.plan.values import Option, OptionSet

OPTIONS = OptionSet([Option("red", 0), Option("blue", 1)])


def rendered(template: str, **values: Any) -> str:
    return compile_template(template).render(values)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (3.0, "3"),
        (0.5, "0.5"),
        (True, "true"),
        (7, "7"),
        (["a", 1.0], "a, 1"),
        ({"k": None}, '{"k": null}'),
        (float("nan"), ""),
    ],
)
def test_values_print_plainly_alone_and_in_conditions(value: Any, text: str) -> None:
    assert rendered("{{ x }}", x=value) == text
    assert rendered("{% if true %}{{ x }}{% endif %}", x=value) == text
    assert rendered("{{ x ~ '!' }}", x=value) == text + "!"


def test_options_print_as_a_list_and_with_letters() -> None:
    values = {"o": OPTIONS, "p": OPTIONS.choice(1)}
    assert rendered("{{ o }}", **values) == "- red\n- blue"
    assert rendered("{{ o.lettered }}", **values) == "A. red\nB. blue"
    assert rendered("{{ p }}|{{ p.text }}|{{ p.letter }}|{{ p.index }}|{{ p.options }}", **values) == "blue|blue|B|1|- red\n- blue"
    assert (
        rendered("{% for one in o %}({{ one.letter }}) {{ one }}{% if not loop.last %}; {% endif %}{% endfor %}", **values)
        == "(A) red; (B) blue"
    )


def test_names_that_are_no_identifiers_are_reached_through_row() -> None:
    assert compile_template('{{ row["A-coref"] }} {{ row.b }}').render({"A-coref": "x", "b": "y"}) == "x y"
    assert names_in('{{ row["A-coref"] }}{% for t in turns %}{{ t.who }}{{ a[0].b }}{% endfor %}') == {"A-coref", "turns", "a"}


@given(st.text(min_size=1, max_size=20))
def test_every_name_can_be_printed(name: str) -> None:
    assert compile_template(printed(name)).render({name: "found"}) == "found"


def test_a_loop_variable_is_no_name_and_its_like_outside_is() -> None:
    assert names_in("{% for x in xs %}{{ x }}{% endfor %}") == {"xs"}
    assert names_in("{% for x in xs %}{{ x }}{% endfor %}{{ x }}") == {"xs", "x"}


def test_keys_of_a_dictionary_come_before_its_methods() -> None:
    assert rendered("{{ d.items }}", d={"items": "three"}) == "three"


@pytest.mark.parametrize(
    "template",
    [
        "{{ a.upper() }}",
        "{{ a.__class__() }}",
        "{% set b = a %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{{ 9 ** 9 }}",
        "{{ row }}",
        "{{ row[a] }}",
        "{{ a | tojson }}",
        "{% for x in a recursive %}{% endfor %}",
        "{{ a",
        "{{ " + "(" * 3000 + "a" + ")" * 3000 + " }}",
        "x" * 20_001,
    ],
)
def test_what_a_template_may_not_do_is_refused_before_any_row(template: str) -> None:
    with pytest.raises(BadInput):
        compile_template(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ a.__class__ }}",
        "{{ a['__class__'] }}",
        "{{ o.items }}",
        "{{ missing }}",
        "{{ a * 1000000 }}",
        "{{ '%99999999d' % 1 }}",
        "{{ l | map(attribute='__class__') | join }}",
        "{{ (a | default('b')).__class__.__mro__ }}",
        "{{ b }}",
        "{{ a[7] }}",
        "{{ 1 // 0 }}",
    ],
)
def test_what_leads_nowhere_fails_while_rendering(template: str) -> None:
    with pytest.raises(TemplateFailed, match="template: "):
        rendered(template, a="text", o=OPTIONS, l=[1], b=b"bytes")


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for i in range(100001) %}{% endfor %}",
        "{% for i in big %}{% for j in big %}{% endfor %}{% endfor %}",
        "{% for i in range(90000) %}{{ big }}{% endfor %}",
        "{{ big | replace('x', big) }}",
        "{{ big | join(big) }}",
    ],
)
def test_a_template_that_would_not_end_or_grow_without_bound_is_stopped(template: str) -> None:
    began = time.perf_counter()
    with pytest.raises(TemplateFailed, match="more than"):
        rendered(template, big="x" * 5000)
    assert time.perf_counter() - began < 5


def test_the_sole_name_of_a_template_is_known() -> None:
    assert compile_template(" {{ a.text }}\n").sole_use == ("a", ("text",))
    assert compile_template('{{ row["x-y"] }}').sole_use == ("x-y", ())
    assert compile_template("{{ a }}!").sole_use is None
    assert compile_template("{{ a | upper }}").sole_use is None
