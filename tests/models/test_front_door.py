from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import models
import models.gguf
import models.llama_cpp


@pytest.mark.parametrize("package", [models, models.gguf, models.llama_cpp])
def test_the_front_door_lists_exactly_what_it_opens_to(package: object) -> None:
    source = ast.parse(Path(str(getattr(package, "__file__", ""))).read_text(encoding="utf-8"))
    typed = {alias.name for node in ast.walk(source) if isinstance(node, ast.ImportFrom) and node.level == 0 for alias in node.names}
    listed = set(getattr(package, "__all__", ()))
    assert listed == typed - {"annotations", "TYPE_CHECKING", "Any"}
    for name in listed:
        assert getattr(package, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        getattr(importlib.import_module("models"), "no_such_thing".strip())
