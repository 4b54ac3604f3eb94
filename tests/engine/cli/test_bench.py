from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.bench import _file
from engine.errors import BadInput
from tests.models.gguf_file import gguf


def test_a_bench_of_one_after_the_other_alone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATATUNE_HOME", str(tmp_path / "home"))
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf())
    with pytest.raises(BadInput, match="one row after the other"):
        _file(f"{path}#sequences=1")
    assert _file(f"{path}#sequences=4")[1].sequences == 4
