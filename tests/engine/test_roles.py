from __future__ import annotations

from pathlib import Path

import pytest

from engine.roles import absolute_spec


@pytest.mark.parametrize(
    ("spec", "absolute"),
    [
        ("smollm2", "smollm2"),
        ("smollm2#adapter=mine.gguf,flash=off", "smollm2#adapter=/base/mine.gguf,flash=off"),
        ("in-the-folder.gguf#sequences=1", "in-the-folder.gguf#sequences=1"),
        ("./m.gguf#sequences=1", "/base/m.gguf#sequences=1"),
        ("/x/m.gguf#flash=on, adapter = ../mine.gguf", "/x/m.gguf#flash=on,adapter=/mine.gguf"),
        ("scripted:a#b.toml", "scripted:/base/a#b.toml"),
        ("openai:http://localhost:1/v1#adapter=x", "openai:http://localhost:1/v1#adapter=x"),
    ],
)
def test_paths_in_a_spec_are_made_absolute_from_where_they_were_given(spec: str, absolute: str) -> None:
    assert absolute_spec(spec, Path("/base")) == absolute
