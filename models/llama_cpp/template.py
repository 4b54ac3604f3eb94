"""Renders the chat template a GGUF file carries, which is somebody else's program: few methods, few filters, limits on
steps and sizes, so that the worst it can do is fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes, sandbox
from jinja2.runtime import LoopContext, Macro
from jinja2.utils import Namespace

from models.errors import WeightsInvalid

STEPS_LIMIT = 100_000
"""Loop rounds and calls one rendering may take."""
TEXT_LIMIT = 4_000_000
"""Characters any text made while rendering may have."""
TEMPLATE_LIMIT = 200_000

METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset(
        "capitalize count endswith find isalpha isdigit isspace join lower lstrip removeprefix removesuffix replace rfind rsplit rstrip "
        "split splitlines startswith strip title upper".split()
    ),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
}
FILTERS = (
    "abs capitalize count d default dictsort e escape first float int items join last length list lower map max min reject "
    "rejectattr replace reverse round safe select selectattr sort string sum title tojson trim unique upper"
).split()

DATE = "01 Jan 2025"
"""What templates that ask for today's date get: with a clock, the same request would be another prompt tomorrow."""


class TemplateFailed(Exception):
    """The template raised an error of its own, or broke a limit."""


class ChatTemplate:
    """One template, compiled once."""

    def __init__(self, source: str) -> None:
        if len(source) > TEMPLATE_LIMIT:
            raise WeightsInvalid(f"The chat template has {len(source)} characters", f"At most {TEMPLATE_LIMIT} are accepted.")
        self._environment = _Environment()
        try:
            tree = self._environment.parse(source)
            _insert_limits(tree)
            self._template = self._environment.from_string(tree)
        except (jinja2.TemplateError, RecursionError, ValueError) as error:
            raise WeightsInvalid(f"The chat template cannot be read: {_line(error)}", "The file's maker should know of it.") from error

    def render(self, messages: Sequence[Mapping[str, str]], **names: str) -> str:
        """The prompt for these messages, up to where the answer begins; TemplateFailed when the template refuses them."""
        self._environment.steps = 0
        pieces, length = [], 0
        try:
            given = [dict(message) for message in messages]
            for piece in self._template.generate(messages=given, add_generation_prompt=True, enable_thinking=False, tools=None, **names):
                length += len(piece)
                if length > TEXT_LIMIT:
                    raise TemplateFailed(f"it writes more than {TEXT_LIMIT} characters")
                pieces.append(piece)
        except TemplateFailed:
            raise
        except Exception as error:
            # Whatever a foreign program can raise: type errors, recursion, division by zero.
            raise TemplateFailed(_line(error)) from error
        return "".join(pieces)


class _Environment(sandbox.ImmutableSandboxedEnvironment):
    """A sandbox with an allow-list, that counts steps and measures texts."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        self.steps = 0
        kept: dict[str, Callable[..., Any]] = {name: function for name, function in self.filters.items() if name in FILTERS}
        self.filters = {**kept, "tojson": _to_json, "replace": _replace, "rounds_within_limit": self._rounds, "text_within_limit": _sized}
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
        if isinstance(obj, (Macro, LoopContext)) or obj in list(self.globals.values()):
            return True
        owner = getattr(obj, "__self__", None)
        return self.is_safe_attribute(owner, getattr(obj, "__name__", ""), obj)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._step(1)
        if getattr(obj, "__name__", "") == "replace" and isinstance(getattr(obj, "__self__", None), str):
            return _replace(obj.__self__, *args, **kwargs)
        return _sized(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        self._step(1)
        if operator == "**":
            raise TemplateFailed("powers are not allowed")
        if operator == "*" and not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
            raise TemplateFailed("repeating texts and lists is not allowed")
        if operator == "%" and isinstance(left, str):
            raise TemplateFailed("formatting with % is not allowed")
        return _sized(super().call_binop(context, operator, left, right))

    def _rounds(self, items: Any) -> list[Any]:
        """The items of a loop, counted against the limit before the first round."""
        listed = []
        for item in items:
            self._step(1)
            listed.append(item)
        return listed

    def _step(self, count: int) -> None:
        self.steps += count
        if self.steps > STEPS_LIMIT:
            raise TemplateFailed(f"it takes more than {STEPS_LIMIT} steps")


def _insert_limits(tree: nodes.Template) -> None:
    """Every loop counts its rounds, every concatenation is measured: the sandbox itself does neither."""
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = _filter(loop.iter, "rounds_within_limit")
    for parent in list(tree.find_all(nodes.Node)):
        for field, child in parent.iter_fields():
            if isinstance(child, nodes.Concat):
                setattr(parent, field, _filter(child, "text_within_limit"))
            elif isinstance(child, list):
                child[:] = [_filter(item, "text_within_limit") if isinstance(item, nodes.Concat) else item for item in child]


def _filter(node: nodes.Node, name: str) -> nodes.Filter:
    made = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    made.environment = node.environment
    return made


def _sized(value: Any) -> Any:
    if isinstance(value, (str, list, tuple)) and len(value) > TEXT_LIMIT:
        raise TemplateFailed(f"it makes a text of more than {TEXT_LIMIT} characters")
    if isinstance(value, int) and value.bit_length() > 256:
        raise TemplateFailed("it makes a number of more than 256 bits")
    return value


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    text, old, new = str(text), str(old), str(new)
    found = text.count(old) if count < 0 else min(count, text.count(old))
    if len(text) + found * len(new) > TEXT_LIMIT:
        raise TemplateFailed(f"it makes a text of more than {TEXT_LIMIT} characters")
    return text.replace(old, new, count)


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=min(indent, 8) if indent else None)


def _raise(message: object = "") -> None:
    raise TemplateFailed(_line(message))


def _line(text: object) -> str:
    """One printable line of at most 200 characters."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:200]).strip()
