"""Sandboxed Jinja templates: text from named values, with nothing to reach, nothing to call and nothing to run forever.

A name that is an identifier is a variable; every name is `row["any name"]`. Attributes exist only on our own values (`.text`,
`.letter`, `.index`, `.options`, `.lettered`), on dictionaries (their keys) and on `loop`. Values print as values.plain says.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput
from engine.plan.values import Choice, OptionSet, Values, plain

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

MAX_TEMPLATE_CHARS = 20_000
MAX_OUTPUT_CHARS = 1_000_000
MAX_LOOP_STEPS = 100_000

_BUDGET = "__budget"
_CHOICE_FIELDS = frozenset({"text", "letter", "index", "options"})
_LOOP_FIELDS = frozenset({"index", "index0", "first", "last", "length", "revindex", "previtem", "nextitem"})
_FILTERS = (
    "abs capitalize count d default first float int last length list lower map max min reject rejectattr reverse round select "
    "selectattr sort string sum title trim truncate unique upper wordcount"
).split()
_NODES = (
    "Template Output TemplateData Name Const If For Getattr Getitem Filter Test CondExpr Compare Operand And Or Not Add Sub Mul Div "
    "FloorDiv Mod Neg Pos Concat Slice Tuple List Call Keyword"
).split()
_TAGS = {"Pow": "**", "Assign": "{% set %}", "AssignBlock": "{% set %}", "Macro": "{% macro %}", "Include": "{% include %}"}
_RESERVED = frozenset({"row", "range", "loop"})

Path = tuple[str | int, ...]


class TemplateFailed(Exception):
    """A template met a value it cannot print; the text says which and why."""


class Compiled:
    """A template ready to render: `uses` lists the names it reads, each with the constant path followed into it."""

    __slots__ = ("_render", "names", "sole_use", "text", "uses")

    def __init__(
        self, text: str, uses: tuple[tuple[str, Path], ...], sole_use: tuple[str, Path] | None, render: Callable[[Values], str]
    ) -> None:
        self.text = text
        self.uses = uses
        self.sole_use = sole_use
        """The one name the template prints with nothing else around, as in `{{ name }}` or `{{ name.text }}`."""
        self.names = frozenset(name for name, _ in uses)
        self._render = render

    def render(self, values: Values) -> str:
        """The text for these values. Raises TemplateFailed."""
        return self._render(values)


def names_in(template: str) -> set[str]:
    """The names a template reads, including `row["…"]`. Raises BadInput for one that cannot be compiled."""
    return set(compile_template(template).names)


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Compiled:
    """Parse, refuse what a template may not do, and compile. Raises BadInput saying what is wrong."""
    from jinja2 import TemplateError

    if len(text) > MAX_TEMPLATE_CHARS:
        raise BadInput(f"a template of {len(text)} characters is too long", f"At most {MAX_TEMPLATE_CHARS} characters.")
    environment = _environment()
    try:
        tree = environment.parse(text)
        _refuse_unsafe(tree)
        uses = tuple(dict.fromkeys(_uses(tree, frozenset())))
        parts = _simple_parts(tree)
        if parts is None:
            return Compiled(text, uses, None, _full_render(environment, tree, uses))
        solid = [part for part in parts if not (isinstance(part, str) and not part.strip())]
        sole = solid[0] if len(solid) == 1 and not isinstance(solid[0], str) else None
        return Compiled(text, uses, sole, _simple_render(parts))
    except TemplateError as error:
        raise BadInput(f"template {_quoted(text)}: {error.message or error}", "Names go in {{ … }}; conditions in {% if … %}.") from error
    except RecursionError as error:
        raise BadInput(f"template {_quoted(text)}: nested too deeply") from error


def printed(name: str) -> str:
    """How a template prints this name: `{{ name }}`, or `{{ row["…"] }}` for one that is no identifier."""
    if name.isidentifier() and not keyword.iskeyword(name) and name not in _RESERVED and name.lower() not in ("true", "false", "none"):
        return "{{ " + name + " }}"
    text = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name.replace("\\", "\\\\"))
    return '{{ row["' + text.replace('"', '\\"') + '"] }}'


def member(value: Any, key: Any) -> Any:
    """What `value.key` or `value[key]` is in a template. Raises LookupError or TypeError when it is nothing."""
    if isinstance(value, Mapping):
        return value[key]
    if isinstance(value, Choice):
        if key in _CHOICE_FIELDS:
            return getattr(value, key)
    elif isinstance(value, OptionSet):
        if key == "lettered":
            return value.lettered
        return value[key]
    elif isinstance(value, list | tuple | str) and isinstance(key, int | slice):
        return value[key]
    elif key in _LOOP_FIELDS and type(value).__name__ == "LoopContext":
        return getattr(value, key)
    raise LookupError(key)


# ── what a template may contain ───────────────────────────────────────────────────────────────────────────


def _quoted(text: str) -> str:
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"


def _refuse_unsafe(node: nodes.Node) -> None:
    from jinja2 import nodes

    kind = type(node).__name__
    if kind not in _NODES:
        raise BadInput(f"a template may not use {_TAGS.get(kind, kind.lower())}", "Use {{ … }}, {% if %}, {% for %} and filters.")
    if isinstance(node, nodes.Call) and not (isinstance(node.node, nodes.Name) and node.node.name == "range"):
        raise BadInput("a template may not call functions or methods", "Use filters: {{ text | upper }}, {{ words | join(' ') }}.")
    if isinstance(node, nodes.Filter) and node.name not in (*_FILTERS, "join", "replace"):
        raise BadInput(
            f"a template may not use the filter `{node.name}`", f"There are: {', '.join(sorted((*_FILTERS, 'join', 'replace')))}."
        )
    if isinstance(node, nodes.For) and node.recursive:
        raise BadInput("a template may not use recursive loops")
    for child in node.iter_child_nodes():
        _refuse_unsafe(child)


def _chain(node: nodes.Node) -> tuple[str, Path] | None:
    """`name.a[0]["b"]` as (name, path); None for anything that is not a name with constant steps."""
    from jinja2 import nodes

    path: list[str | int] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            path.insert(0, node.attr)
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str | int):
            path.insert(0, node.arg.value)
        else:
            return None
        node = node.node
    if node.name != "row":
        return node.name, tuple(path)
    if path and isinstance(path[0], str):
        return path[0], tuple(path[1:])
    raise BadInput("a template may use `row` only with a name in quotes", 'Write row["column name"].')


def _uses(node: nodes.Node, bound: frozenset[str]) -> Iterator[tuple[str, Path]]:
    from jinja2 import nodes

    if isinstance(node, nodes.For):
        inner = bound | {name.name for name in (node.target, *node.target.find_all(nodes.Name)) if isinstance(name, nodes.Name)} | {"loop"}
        yield from _uses(node.iter, bound)
        for child in (*node.body, *((node.test,) if node.test else ())):
            yield from _uses(child, inner)
        for child in node.else_:
            yield from _uses(child, bound)
        return
    if isinstance(node, nodes.Call):
        for argument in node.args:
            yield from _uses(argument, bound)
        return
    if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
        found = _chain(node)
        if found is not None:
            if found[0] not in bound:
                yield found
            return
    for child in node.iter_child_nodes():
        yield from _uses(child, bound)


# ── rendering ─────────────────────────────────────────────────────────────────────────────────────────────


def _simple_parts(tree: nodes.Template) -> list[str | tuple[str, Path]] | None:
    """The texts and names of a template that only prints names; None for one that does more."""
    from jinja2 import nodes

    parts: list[str | tuple[str, Path]] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            part = node.data if isinstance(node, nodes.TemplateData) else _chain(node)
            if part is None:
                return None
            parts.append(part)
    return parts


def _simple_render(parts: list[str | tuple[str, Path]]) -> Callable[[Values], str]:
    """A plain loop for the usual case, several times as fast as Jinja's."""

    def render(values: Values) -> str:
        texts: list[str] = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            name, path = part
            try:
                value = values[name]
                for key in path:
                    value = member(value, key)
                texts.append(value if type(value) is str else plain(value))
            except (LookupError, TypeError, ValueError, RecursionError) as error:
                raise _failed(name, path, error) from error
        text = "".join(texts)
        if len(text) > MAX_OUTPUT_CHARS:
            raise TemplateFailed(f"template: more than {MAX_OUTPUT_CHARS} characters")
        return text

    return render


def _failed(name: str | int, path: Path, error: Exception) -> TemplateFailed:
    place = name if not path else f"{name}{''.join(f'[{key!r}]' for key in path)}"
    return TemplateFailed(f"template: {place} {error}" if isinstance(error, ValueError) else f"template: there is no {place}")


def _full_render(environment: SandboxedEnvironment, tree: nodes.Template, uses: tuple[tuple[str, Path], ...]) -> Callable[[Values], str]:
    from jinja2 import nodes

    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "bounded", [], [], None, None)
    for joined in tree.find_all(nodes.Concat):
        joined.nodes = [nodes.Filter(part, "string", [], [], None, None) for part in joined.nodes]
    names = {name for name, _ in uses if name.isidentifier() and name not in _RESERVED}
    code = environment.compile(tree)
    template = environment.template_class.from_code(environment, code, environment.make_globals(None))

    def render(values: Values) -> str:
        variables = {name: values[name] for name in names if name in values}
        context = template.new_context({**variables, "row": values, _BUDGET: [MAX_LOOP_STEPS]})
        pieces: list[str] = []
        room = MAX_OUTPUT_CHARS
        try:
            for piece in template.root_render_func(context):
                room -= len(piece)
                if room < 0:
                    raise TemplateFailed(f"template: more than {MAX_OUTPUT_CHARS} characters")
                pieces.append(piece)
        except TemplateFailed:
            raise
        except Exception as error:  # whatever a hostile template and hostile rows can raise between them
            raise TemplateFailed(f"template: {' '.join(str(error).split())[:80] or type(error).__name__}") from error
        return "".join(pieces)

    return render


def _bounded(context: Any, items: Any) -> Iterator[Any]:
    budget = context.resolve(_BUDGET)
    for item in items:
        budget[0] -= 1
        if budget[0] < 0:
            raise TemplateFailed(f"template: more than {MAX_LOOP_STEPS} loop steps")
        yield item


def _join(items: Any, separator: Any = "") -> str:
    texts = [plain(item) for item in items]
    if sum(map(len, texts)) + len(texts) * len(plain(separator)) > MAX_OUTPUT_CHARS:
        raise TemplateFailed(f"template: more than {MAX_OUTPUT_CHARS} characters")
    return plain(separator).join(texts)


def _replace(value: Any, old: Any, new: Any) -> str:
    text, before, after = plain(value), plain(old), plain(new)
    if len(text) + text.count(before) * len(after) > MAX_OUTPUT_CHARS:
        raise TemplateFailed(f"template: more than {MAX_OUTPUT_CHARS} characters")
    return text.replace(before, after)


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_LOOP_STEPS:
        raise TemplateFailed(f"template: more than {MAX_LOOP_STEPS} loop steps")
    return numbers


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined, Undefined, pass_context
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class PlanEnvironment(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"*", "%"})

        def getattr(self, obj: Any, attribute: str) -> Any:
            return self.getitem(obj, attribute)

        def getitem(self, obj: Any, argument: str | Any) -> Any:
            if isinstance(obj, Undefined):
                return obj
            try:
                return member(obj, argument)
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=argument)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if not (isinstance(left, int | float) and isinstance(right, int | float)):
                raise TemplateFailed(f"template: {operator} is for numbers")
            return super().call_binop(context, operator, left, right)

    environment = PlanEnvironment(
        undefined=StrictUndefined, finalize=plain, autoescape=False, trim_blocks=True, lstrip_blocks=True, cache_size=0
    )
    filters = {name: environment.filters[name] for name in _FILTERS}
    environment.filters = {**filters, "join": _join, "replace": _replace, "string": plain, "bounded": pass_context(_bounded)}
    environment.globals = {"range": _range}
    return environment
