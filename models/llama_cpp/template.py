"""Renders the chat template a GGUF file carries, which is somebody else's program: few methods, few filters, limits on
steps and sizes, so that the worst it can do is fail.

Jinja's sandbox keeps templates from Python, but not from running for ever or filling the memory. So the parsed template is
rewritten: whatever it makes (texts, lists, what filters give, what it writes) and every round of a loop pays for its size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes, sandbox
from jinja2.runtime import LoopContext, Macro
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from models.errors import WeightsInvalid

STEPS_LIMIT = 100_000
"""What one rendering may spend: a step for each call, loop round and made value, and one for each CHARS_A_STEP of its size."""
CHARS_A_STEP = 100
WEIGHT_LIMIT = 2_000_000
"""Characters and items any one value may have, all its parts counted."""
TEMPLATE_LIMIT = 200_000
TEMPLATE_CHARS_A_STEP = 500
"""A loop round or call may write as much as the whole template holds, and pays for that."""

METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset(
        "capitalize count endswith find isalpha isdigit isspace join lower lstrip removeprefix removesuffix replace rfind rsplit rstrip "
        "split splitlines startswith strip title upper".split()
    ),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
}
FILTERS = frozenset(
    "abs capitalize count d default dictsort e escape first float int items last length list lower max min reject rejectattr reverse round "
    "safe select selectattr sort string title trim unique upper".split()
)
MAPPED = frozenset("capitalize e escape first int items last length list lower string title tojson trim upper".split())

DATE = "01 Jan 2025"
"""What templates that ask for today's date get: with a clock, the same request would be another prompt tomorrow."""


class TemplateFailed(Exception):
    """The template raised an error of its own, or broke a limit."""


class ChatTemplate:
    """One template, compiled once."""

    def __init__(self, source: str) -> None:
        if len(source) > TEMPLATE_LIMIT:
            raise WeightsInvalid(f"The chat template has {len(source)} characters", f"At most {TEMPLATE_LIMIT} are accepted.")
        self._environment = _Environment(round_cost=1 + len(source) // TEMPLATE_CHARS_A_STEP)
        try:
            tree = _Metered().visit(self._environment.parse(source))
            self._template = self._environment.from_string(tree)
        except Exception as error:
            # Syntax errors, but also recursion, and what its constant parts raise when they are folded.
            raise WeightsInvalid(f"The chat template cannot be read: {_line(error)}", "The file's maker should know of it.") from error

    def render(self, messages: Sequence[Mapping[str, str]], **names: str) -> str:
        """The prompt for these messages, up to where the answer begins; TemplateFailed when the template refuses them."""
        self._environment.steps = 0
        given = [dict(message) for message in messages]
        try:
            return self._template.render(messages=given, add_generation_prompt=True, enable_thinking=False, tools=None, **names)
        except TemplateFailed:
            raise
        except Exception as error:
            # Whatever a foreign program can raise: type errors, recursion, division by zero.
            raise TemplateFailed(_line(error)) from error


class _Environment(sandbox.ImmutableSandboxedEnvironment):
    """A sandbox with allow-lists, in which everything costs steps."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self, round_cost: int) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        self.steps = 0
        self._round_cost = round_cost
        known: dict[str, Callable[..., Any]] = {name: function for name, function in self.filters.items() if name in FILTERS}
        own = {"tojson": _to_json, "replace": _replace, "join": _join, "map": _mapped(self.filters["map"])}
        self.filters = {**known, **own, "rounds": self._rounds, "paid": self._paid}
        self.globals = {
            "namespace": Namespace,
            "range": self.globals["range"],
            "dict": dict,
            "raise_exception": _raise,
            "strftime_now": lambda _: DATE,
        }

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, (LoopContext, Namespace)):
            return not attr.startswith("_")
        return any(attr in methods for kind, methods in METHODS.items() if isinstance(obj, kind))

    def is_safe_callable(self, obj: Any) -> bool:
        if isinstance(obj, (Macro, LoopContext)) or any(obj is known for known in self.globals.values()):
            return True
        return self.is_safe_attribute(getattr(obj, "__self__", None), getattr(obj, "__name__", ""), obj)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._pay(self._round_cost)
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str) and name == "replace":
            return self._paid(_replace(owner, *args, **kwargs))
        if isinstance(owner, str) and name == "join":
            return self._paid(_join(args[0] if args else (), owner))
        return self._paid(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if operator == "**" or (operator != "+" and not numbers):
            raise TemplateFailed(f"the operator {operator} is not allowed here")
        return self._paid(super().call_binop(context, operator, left, right))

    def _rounds(self, items: Iterable[Any]) -> list[Any]:
        """The items of a loop, paid for before the first round."""
        listed = []
        for item in items:
            self._pay(self._round_cost)
            listed.append(item)
        return listed

    def _paid(self, value: Any) -> Any:
        """The value itself, once its size is paid for."""
        self._pay(1 + _weight(value) // CHARS_A_STEP)
        return value

    def _pay(self, steps: int) -> None:
        self.steps += steps
        if self.steps > STEPS_LIMIT:
            raise TemplateFailed(f"it takes more than {STEPS_LIMIT} steps")


class _Metered(NodeTransformer):
    """Puts the filters `rounds` and `paid` into a parsed template."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "rounds")
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Output:
        self.generic_visit(node)
        node.nodes = [item if isinstance(item, nodes.TemplateData) else _filtered(item, "paid") for item in node.nodes]
        return node

    def _made(self, node: nodes.Expr) -> nodes.Expr:
        self.generic_visit(node)
        # A tuple may also be what a loop or an assignment unpacks into.
        return node if getattr(node, "ctx", "load") == "store" else _filtered(node, "paid")

    visit_Concat = visit_Filter = visit_List = visit_Tuple = visit_Dict = _made


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    made = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    made.environment = node.environment
    return made


def _weight(value: Any) -> int:
    """Characters and items of a value, shared parts counted each time, as they would be when written out."""
    total, rest = 0, [value]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            total += len(part)
        elif isinstance(part, (list, tuple)):
            total += 1
            rest.extend(part)
        elif isinstance(part, dict):
            total += 1
            rest.extend(part.keys())
            rest.extend(part.values())
        elif isinstance(part, int):
            total += 1 + part.bit_length() // 3
        else:
            total += 1
        if total + len(rest) > WEIGHT_LIMIT:
            raise TemplateFailed(f"it makes a value of more than {WEIGHT_LIMIT} characters and items")
    return total


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    text, old, new = str(text), str(old), str(new)
    found = text.count(old) if count < 0 else min(count, text.count(old))
    if len(text) + found * len(new) > WEIGHT_LIMIT:
        raise TemplateFailed(f"it makes a text of more than {WEIGHT_LIMIT} characters")
    return text.replace(old, new, count)


def _join(items: Iterable[Any], d: str = "") -> str:
    pieces, length = [], 0
    for item in items:
        pieces.append(str(item))
        length += len(pieces[-1]) + len(d)
        if length > WEIGHT_LIMIT:
            raise TemplateFailed(f"it makes a text of more than {WEIGHT_LIMIT} characters")
    return d.join(pieces)


def _mapped(original: Callable[..., Any]) -> Callable[..., Any]:
    """`map` with an attribute or one of the filters that make nothing much longer."""

    @jinja2.pass_context
    def limited(context: Any, items: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        if args and args[0] not in MAPPED:
            raise TemplateFailed(f"map with {_line(args[0])} is not allowed")
        return original(context, items, *args, **kwargs)

    return limited


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=min(indent, 8) if indent else None)


def _raise(message: object = "") -> None:
    raise TemplateFailed(_line(message))


def _line(text: object) -> str:
    """One printable line of at most 200 characters."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:200]).strip()
