from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import ModelError
from models.llama_cpp.options import Options, adapter_setting, parse_options
from models.registry import batches, resolve


def test_settings_stand_after_the_model() -> None:
    assert parse_options("sequences=4, flash=off,gpu_layers=-1") == Options(sequences=4, flash="off")
    assert parse_options("") == Options()
    assert parse_options("batch=16").batch == 16


def test_a_batch_too_small_for_a_few_sequences_is_refused() -> None:
    with pytest.raises(ModelError, match="16 tokens or more"):
        parse_options("sequences=4,batch=15")


@pytest.mark.parametrize("text", ["sequences", "sequences=many", "sequences=-1", "speed=11", "flash=maybe", "=", "threads=0x8"])
def test_a_wrong_setting_is_named_with_those_there_are(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_options(text)
    assert text.partition("=")[0] in caught.value.title and "sequences" in caught.value.hint


def test_settings_are_told_from_names(tmp_path: object) -> None:
    from pathlib import Path

    from tests.models.gguf_file import gguf

    folder = Path(str(tmp_path))
    for name in ("a.gguf", "b#1.gguf"):
        (folder / name).write_bytes(gguf())
    assert resolve(f"{folder}/a.gguf#sequences=1").settings == "sequences=1"
    assert resolve("a#flash=on", [folder]).settings == "flash=on"
    assert resolve(f"{folder}/b#1.gguf").settings == ""
    assert not batches(f"{folder}/a.gguf#sequences=1") and batches(f"{folder}/a.gguf")
    assert batches("openai:http://localhost:1/v1#big")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(lambda name: f"/home/{name}/adapter.gguf"))
@example("/home/a, b=c/100%/#1/%2C/adapter.gguf")
def test_an_adapter_may_lie_anywhere(path: str) -> None:
    spec = f"model.gguf#sequences=1,{adapter_setting(Path(path))}"
    assert parse_options(spec.rpartition("#")[2]) == Options(sequences=1, adapter=str(Path(path)))
