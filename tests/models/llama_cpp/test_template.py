from __future__ import annotations

import pytest

from models.errors import WeightsInvalid
from models.llama_cpp.template import ChatTemplate, TemplateFailed

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi\n"}]

PUBLISHED_SHAPES = {
    "chatml": (
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi\n<|im_end|>\n<|im_start|>assistant\n",
    ),
    "header and date": (
        "{{- bos_token }}{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
        "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content']|trim %}{%- set messages = messages[1:] %}"
        "{%- else %}{%- set system = '' %}{%- endif %}[{{ date_string }}|{{ system }}]"
        "{%- for m in messages %}{{- '<' + m.role + '>' + m.content | trim }}{%- endfor %}",
        "<s>[01 Jan 2025|Be brief.]<user>Hi",
    ),
    "namespace, loop and macro": (
        "{%- set ns = namespace(n=0) -%}{%- macro turn(m) -%}{{ m.role|upper }}: {{ m.content.strip() }}{%- endmacro -%}"
        "{%- for m in messages if m.content is not none -%}{%- set ns.n = ns.n + loop.index -%}"
        "{{ turn(m) }}{{ '|' if not loop.last }}{%- endfor -%}#{{ ns.n }}",
        "SYSTEM: Be brief.|USER: Hi#3",
    ),
    "json and dictionaries": (
        "{% for m in messages %}{% for key, value in m.items() %}{{ key }}={{ value|tojson }};{% endfor %}{% endfor %}",
        'role="system";content="Be brief.";role="user";content="Hi\\n";',
    ),
    "thinking switched off": (
        "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}",
        "<think></think>",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED_SHAPES)
def test_templates_of_published_shapes_render(name: str) -> None:
    source, wanted = PUBLISHED_SHAPES[name]
    assert ChatTemplate(source).render(MESSAGES, bos_token="<s>", eos_token="</s>") == wanted


def repeated(start: str, step: str) -> str:
    """A template that takes a step from what the last step made, ninety-nine times."""
    return f"{{% set ns = namespace(s={start}) %}}{{% for i in range(99) %}}{step}{{% endfor %}}{{{{ ns.s }}}}"


HOSTILE = {
    "reaches python": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "reaches through a method": "{{ messages.append.__self__.__class__.__init__.__globals__ }}",
    "reaches through attr": "{{ messages|attr('__class__') }}",
    "reaches through format": "{{ '{0.__class__}'.format(messages) }}",
    "reaches through a global": "{{ raise_exception.__globals__ }}",
    "reaches the environment": "{{ self._TemplateReference__context.environment }}",
    "reaches through a macro": "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "changes the messages": "{{ messages.append(1) }}",
    "loops for ever": "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3,
    "loops over a text of its own": "{% set s = 'xxxxxxxxxxxxxxxxxxxxxxxxx'|list %}"
    + "".join(f"{{% for v{i} in s %}}" for i in range(12))
    + "".join("{% endfor %}" for _ in range(12)),
    "calls itself for ever": "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "grows by concatenation": repeated("'xx'", "{% set ns.s = ns.s ~ ns.s %}"),
    "grows by addition": repeated("'xx'", "{% set ns.s = ns.s + ns.s %}"),
    "grows by join": repeated("'xx'", "{% set ns.s = [ns.s, ns.s]|join %}"),
    "grows by replacing": repeated("'xx'", "{% set ns.s = ns.s.replace('x', 'xxxxxxxxx') %}"),
    "grows by the filter": repeated("'xx'", "{% set ns.s = ns.s|replace('x', 'xxxxxxxxx') %}"),
    "grows a list": repeated("[1, 2]", "{% set ns.s = ns.s + ns.s %}"),
    "grows by a block": repeated("'xx'", "{% set t %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = t %}"),
    "grows by a macro": "{% macro d(s) %}{{ s }}{{ s }}{% endmacro %}" + repeated("'xx'", "{% set ns.s = d(ns.s) %}"),
    "grows by sum": repeated("[1, 2]", "{% set ns.s = [ns.s, ns.s]|sum(start=[]) %}"),
    "grows a nest": repeated("[1]", "{% set ns.s = [ns.s, ns.s] %}"),
    "grows a nest of dictionaries": repeated("{}", "{% set ns.s = {'a': ns.s, 'b': ns.s} %}") + "{{ ns.s|tojson }}",
    "joins with a long text": "{% set s = range(90000)|join %}{{ range(90000)|join(s) }}",
    "maps a long replacement": "{% set s = range(90000)|join %}{{ (s|list)|map('replace', '1', s)|list|length }}",
    "writes a block in a loop": "{% set t %}{% for i in range(90000) %}" + "x" * 20_000 + "{% endfor %}{% endset %}",
    "repeats a text": "{{ 'x' * 999999999 }}",
    "raises a power": "{{ 9 ** 9 ** 9 ** 9 }}",
    "multiplies for ever": "{% set ns = namespace(n=9) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    "formats a width": "{{ '%0999999999d' % 1 }}",
    "pads by a method": "{{ 'x'.ljust(999999999) }}",
    "pads by a filter": "{{ 'x'|center(999999999) }}",
    "indents": "{{ messages|tojson(indent=999999999)|indent(999999999) }}",
    "includes a file": "{% include '/etc/passwd' %}",
    "imports a file": "{% import '/etc/passwd' as p %}",
    "refuses": "{{ raise_exception('roles must alternate') }}",
    "divides by zero": "{{ 1 / 0 }}",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_fails_or_writes_nothing_of_worth(name: str) -> None:
    try:
        text = ChatTemplate(HOSTILE[name]).render(MESSAGES)
    except (TemplateFailed, WeightsInvalid) as error:
        assert str(error)
        return
    assert not any(word in text for word in ("class", "globals", "environment", "subclasses", "root:"))
    assert len(text) < 10_000


def test_the_date_is_always_the_same() -> None:
    assert ChatTemplate("{{ strftime_now('%Y') }}").render([]) == "01 Jan 2025"


@pytest.mark.parametrize("source", ["{% for", "{{ x | no_such_filter }}", "x" * 300_000, "{% " * 5000])
def test_a_template_that_cannot_be_read_is_invalid(source: str) -> None:
    with pytest.raises(WeightsInvalid):
        ChatTemplate(source)


def test_a_refusal_carries_the_templates_own_words_on_one_line() -> None:
    with pytest.raises(TemplateFailed, match="roles must alternate"):
        ChatTemplate("{{ raise_exception('roles\x1b must\nalternate'|replace('\x1b', '')) }}").render([])
