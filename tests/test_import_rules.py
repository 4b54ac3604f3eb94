"""The rules of who may import what: that they bite, that nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("datatune_tui", "engine", "models")
DEFERRED = frozenset(
    "accelerate bitsandbytes datasets gguf hnswlib lingua llama_cpp llguidance openpyxl pandas peft pyarrow "
    "re2 scipy sentence_transformers sklearn tokenizers torch transformers".split()
)
"""Libraries whose import takes so long that it happens inside functions, everywhere."""
HEAVY = DEFERRED | {"httpx", "huggingface_hub", "jinja2", "numpy", "sqlite_utils", "textual"}
"""What `datatune --help` must not load, since it answers in less than half a second."""

VIOLATIONS = {
    "engine/pipeline.py": "import datatune_tui.app",
    "models/registry.py": "import engine.records",
    "engine/events.py": "import textual",
    "engine/fingerprint.py": "def tokens():\n    import transformers",
    "models/weights.py": "def load():\n    import torch",
    "models/rate.py": "def load():\n    import gguf",
    "engine/runner.py": "from sqlite3 import connect",
    "engine/stages/rerank.py": "import httpx",
    "engine/stages/plan.py": "import engine.stages.execute",
    "engine/stages/mix.py": "import engine.blend",
    "engine/blend.py": "import engine.stages.export",
}
ALLOWED = {
    "datatune_tui/app.py": "import textual\nimport engine.records",
    "engine/records.py": "import models.language",
    "engine/stages/execute.py": "import engine.records\nimport models.registry",
    "engine/stages/export.py": "import engine.store.database",
    "engine/store/database.py": "import sqlite3",
    "engine/catalog/index.py": "import sqlite3",
    "engine/catalog/hub.py": "def fetch():\n    import huggingface_hub",
    "models/gguf/base.py": "def read():\n    import gguf",
    "models/language.py": "",
    "models/llama_cpp/library.py": "def load():\n    import llama_cpp",
    "models/registry.py": "def open():\n    import models.llama_cpp.library",
    "models/sentence_transformer.py": "def load():\n    import sentence_transformers",
}


def write_tree(folder: Path, files: dict[str, str]) -> None:
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    for name in files:
        for parent in (folder / name).relative_to(folder).parents[:-1]:
            (folder / parent / "__init__.py").touch()


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_contract_is_broken_by_code_that_breaks_its_rule(tmp_path: Path) -> None:
    write_tree(tmp_path, ALLOWED | VIOLATIONS)
    done = lint(tmp_path)
    verdicts = re.findall(r"^(.+) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE)
    assert len(verdicts) >= 6, done.stdout + done.stderr
    assert [contract for contract, verdict in verdicts if verdict == "KEPT"] == []
    told = done.stdout.partition("Broken contracts")[2].replace("\n", " ")
    for name in VIOLATIONS:
        assert name.removesuffix(".py").replace("/", ".") in told


def test_the_way_the_house_is_built_keeps_every_contract(tmp_path: Path) -> None:
    write_tree(tmp_path, ALLOWED)
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def heavy_imports_at_module_level(source: str) -> list[str]:
    found = []
    for node in statements_run_on_import(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""] if not node.level else []
        found += [f"line {node.lineno}: {name}" for name in names if name.partition(".")[0] in DEFERRED]
    return found


def statements_run_on_import(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements_run_on_import(node)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import torch.nn as nn", 1),
        ("try:\n    from datasets import Dataset\nexcept ImportError:\n    pass", 1),
        ("class A:\n    import pandas", 1),
        ("def f():\n    import torch", 0),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy", 0),
        ("from .datasets import scan", 0),
    ],
)
def test_an_import_that_runs_on_import_is_told_from_one_that_waits(source: str, count: int) -> None:
    assert len(heavy_imports_at_module_level(source)) == count


def test_no_module_imports_a_heavy_library_before_it_is_needed() -> None:
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert files
    found = {str(path.relative_to(ROOT)): heavy_imports_at_module_level(path.read_text()) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("module", ["datatune_tui.__main__", "engine.cli", "engine.doctor", "engine.locations", "models"])
def test_importing_the_command_line_loads_no_heavy_library(module: str) -> None:
    code = f"import sys, importlib; importlib.import_module({module!r}); print(*sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert HEAVY & set(done.stdout.split()) == set()


def test_help_is_printed_without_loading_a_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['datatune', '--help']\n"
        "from datatune_tui.__main__ import main\n"
        "try:\n    code = main()\nexcept SystemExit as end:\n    code = end.code\n"
        "print(code or 0, *sorted({n.partition('.')[0] for n in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    code_and_modules = done.stderr.split()
    assert code_and_modules[0] == "0", done.stderr
    assert "Usage" in done.stdout
    assert HEAVY & set(code_and_modules) == set()
