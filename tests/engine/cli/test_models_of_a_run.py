"""What `--model` means: a spec for all roles or for one, with settings or without."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.run import run_settings
from engine.config import parse_task
from engine.errors import BadInput

TASK = '[task]\nname = "t"\ndescription = "d"\n'


def models(*given: str) -> dict[str, str]:
    return run_settings(parse_task(TASK, "t.toml"), Path("/nowhere"), "", (), "", (), given, 0, "", None).models


@pytest.mark.parametrize(
    "spec", ["smollm2", "smollm2#sequences=1", "/w/a.gguf#flash=off,sequences=4", "openai:http://localhost:1/v1?k=v#big"]
)
def test_a_spec_alone_is_for_every_role(spec: str) -> None:
    assert models(spec) == {"default": spec}


def test_a_role_gets_its_own_with_settings_of_its_own() -> None:
    assert models("smollm2", "execute=smollm2#sequences=8") == {"default": "smollm2", "execute": "smollm2#sequences=8"}
    assert models("plan=w/a.gguf#batch=64") == {"plan": f"{Path.cwd()}/w/a.gguf#batch=64"}


def test_a_role_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="exekute"):
        models("exekute=smollm2")


def test_a_bare_file_name_is_a_file_of_this_folder_or_one_of_the_weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert models("mine.gguf#batch=64") == {"default": "mine.gguf#batch=64"}
    (tmp_path / "mine.gguf").touch()
    assert models("mine.gguf#batch=64") == {"default": f"{tmp_path}/mine.gguf#batch=64"}
