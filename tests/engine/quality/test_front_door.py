from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import engine.quality


def test_the_front_door_lists_exactly_what_it_opens_to() -> None:
    source = ast.parse(Path(engine.quality.__file__).read_text(encoding="utf-8"))
    typed = {alias.name for node in ast.walk(source) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(engine.quality.__all__) == typed - {"annotations", "TYPE_CHECKING", "Any"}
    for name in engine.quality.__all__:
        assert getattr(engine.quality, name).__name__ == name


def test_no_name_is_a_modules_too_for_importing_the_module_would_hide_it() -> None:
    modules = {path.stem for path in Path(engine.quality.__file__).parent.glob("*.py")}
    assert not modules & set(engine.quality.__all__)


def test_listing_loads_nothing_heavy() -> None:
    told = "import sys, engine.quality; print([name for name in ('numpy', 'rapidfuzz', 'sklearn', 'lingua') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        getattr(engine.quality, "no_such_thing".strip())
