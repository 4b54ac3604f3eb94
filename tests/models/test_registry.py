from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.dry_run import DryRunTrainer
from models.errors import ModelError, WeightsInvalid, WeightsMissing
from models.peft_lora import PeftLoraTrainer
from models.registry import Spec, open_embedder, open_language_model, open_trainer, resolve
from tests.models.gguf_file import gguf


def test_a_path_and_a_bare_name_both_find_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf())
    wanted = Spec("llama_cpp", str(path.resolve()))
    assert resolve(str(path)) == resolve("tiny.gguf", [tmp_path]) == resolve("tiny", [tmp_path]) == wanted


def test_a_server_may_name_its_model() -> None:
    assert resolve("openai:http://localhost:1/v1#big") == Spec("openai", "http://localhost:1/v1", "big")


@pytest.mark.parametrize(
    ("spec", "error", "hint"),
    [
        ("smolm2", ModelError, "Did you mean smollm2?"),
        ("openai:localhost", ModelError, "http://"),
        ("gpt-4", ModelError, "Known forms"),
        ("", ModelError, "Known forms"),
        ("/no/such/file.gguf", WeightsMissing, "models list"),
        ("scripted:/no/such.toml", WeightsMissing, "path"),
    ],
)
def test_an_unusable_spec_names_what_would_be_right(spec: str, error: type[ModelError], hint: str) -> None:
    with pytest.raises(error) as caught:
        resolve(spec)
    assert hint in caught.value.hint


def test_a_name_cannot_leave_the_folders_it_is_looked_for_in(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out.gguf").write_bytes(gguf())
    with pytest.raises(ModelError):
        resolve("../out", [tmp_path / "in"])


def test_a_nearby_weights_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "qwen-coder.gguf").write_bytes(gguf())
    with pytest.raises(ModelError) as caught:
        resolve("qwen-codr", [tmp_path])
    assert "qwen-coder" in caught.value.hint


def test_broken_weights_are_refused_before_native_code_sees_them(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(gguf()[:300])
    with pytest.raises(WeightsInvalid):
        open_language_model(str(path))


def test_embedders_are_named_or_folders(tmp_path: Path) -> None:
    assert open_embedder("hashing").dimensions == 512
    for spec, error in (("minlm", ModelError), (str(tmp_path), WeightsMissing), ("/no/such/folder", WeightsMissing)):
        with pytest.raises(error):
            open_embedder(spec)


def test_importing_the_registry_and_a_scripted_model_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('name = "x"')
    code = (
        "import sys, models.registry as r; r.open_language_model(sys.argv[1]); "
        "print([m for m in ('numpy', 'torch', 'llama_cpp', 'httpx', 'jinja2', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, f"scripted:{tmp_path / 's.toml'}"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_trainer_is_had_for_a_file_a_folder_and_a_dry_run(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(gguf())
    assert isinstance(open_trainer("dry-run", tmp_path), DryRunTrainer)
    for spec in (str(tmp_path / "tiny.gguf"), "tiny", str(tmp_path)):
        assert isinstance(open_trainer(spec, tmp_path / "cache", [tmp_path]), PeftLoraTrainer)
    with pytest.raises(ModelError, match="is no model that can be trained") as caught:
        open_trainer("openai:http://localhost:1/v1", tmp_path)
    assert "dry-run" in caught.value.hint
