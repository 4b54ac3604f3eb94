from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Unavailable
from engine.locations import Locations
from engine.records import Base
from engine.roles import Roles, absolute_spec
from engine.store.origins import ModelSeen
from models.language import Identity


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


def test_a_model_that_is_not_here_counts_as_what_it_was_where_the_run_comes_from(tmp_path: Path) -> None:
    seen = {"/theirs/big.gguf": ModelSeen("big.gguf", "its digest", "llama.cpp 1", True)}
    roles = Roles({"default": "/theirs/big.gguf", "judge": "/theirs/other.gguf"}, Locations(tmp_path), seen)
    assert roles.identity("execute") == Identity("big.gguf", "its digest", "llama.cpp 1") and roles.batched("execute")
    assert roles.base() == Base("big.gguf", "its digest")
    for asks in (roles.identity, roles.batched, roles.model):
        with pytest.raises(Unavailable, match=r"other\.gguf"):
            asks("judge")
    with pytest.raises(Unavailable, match=r"big\.gguf"):
        roles.model("execute")


def test_a_model_that_is_here_is_what_it_is(tmp_path: Path) -> None:
    script = tmp_path / "mine.json"
    script.write_text('{"name": "mine"}')
    seen = {f"scripted:{script}": ModelSeen("theirs", "its digest", "scripted 0")}
    assert Roles({"default": f"scripted:{script}"}, Locations(tmp_path), seen).identity("execute").name == "mine"
