from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.bench import _file, bench
from engine.errors import BadInput
from tests.models.gguf_file import gguf


def test_a_bench_of_one_after_the_other_alone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATATUNE_HOME", str(tmp_path / "home"))
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf())
    with pytest.raises(BadInput, match="one row after the other"):
        _file(f"{path}#sequences=1")
    assert _file(f"{path}#sequences=4")[1].sequences == 4


def test_rows_without_a_model_are_timed_pass_by_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["rows", "--rows", "2000", "--json"], standalone_mode=False) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 2000 and min(found["read"], found["planned"], found["stored"]) > 0
    assert bench.main(["rows", "--rows", "1000"], standalone_mode=False) == 0
    assert "read, planned, stored" in capsys.readouterr().out
