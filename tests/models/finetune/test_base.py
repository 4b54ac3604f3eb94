from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import models.finetune.base
from models.errors import ModelError, RequestInvalid, WeightsInvalid, WeightsMissing
from models.finetune.base import Base, base_of, base_of_folder, known_folder
from models.finetune.probe import compare
from models.finetune.tokens import IGNORED
from models.language import Message
from models.peft_lora import PeftLoraTrainer
from models.training import TrainingExample
from models.weights import Weights
from tests.models.finetune.tiny import tiny_folder
from tests.models.gguf.tiny import tiny_model
from tests.models.gguf_file import gguf


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    copy = tmp_path / "base"
    copy.mkdir()
    for path in made.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def change(folder: Path, name: str, **values: object) -> None:
    config = json.loads((folder / name).read_text()) if (folder / name).is_file() else {}
    (folder / name).write_text(json.dumps(config | values))


def test_a_folder_says_what_training_needs(made: Path) -> None:
    base = base_of_folder(made)
    assert (base.name, base.end, base.ends, base.adds_bos) == ("base", 2, (2,), False)
    assert len(base.digest) == 64 and "<|im_start|>" in base.template


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: change(folder, "config.json", auto_map={"AutoModel": "code.Model"}), "asks for code of its own"),
        (lambda folder: change(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["code.T", None]}), "asks for code of its own"),
        (lambda folder: (folder / "modeling_own.py").write_text("print('ran')"), "holds code of its own: modeling_own.py"),
        (lambda folder: (folder / "pytorch_model.bin").write_bytes(b"\x80\x02."), "holds pickled weights"),
        (lambda folder: (folder / "training_args.PT").write_bytes(b"\x80\x02."), "holds pickled weights"),
        (lambda folder: (folder / "state.ckpt").write_bytes(b"\x80\x02."), "holds pickled weights"),
        (lambda folder: change(folder, "processor_config.json", auto_map={"AutoProcessor": "code.P"}), "asks for code of its own"),
        (lambda folder: change(folder, "generation_config.json", auto_map={"AutoModel": "code.M"}), "asks for code of its own"),
        (lambda folder: change(folder, "config.json", quantization_config={"quant_method": "gptq"}), "is quantised already"),
        (lambda folder: change(folder, "config.json", model_type="no-such-model"), "no-such-model"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "The tokenizer in"),
    ],
)
def test_what_could_run_code_or_cannot_be_trained_is_refused(folder: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(folder)
    with pytest.raises(WeightsInvalid, match=said) as caught:
        base_of_folder(folder)
    assert "\n" not in caught.value.title


def test_a_folder_without_safetensors_and_a_path_without_anything_are_missing(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsMissing, match="holds no model to train"):
        base_of_folder(folder)
    with pytest.raises(WeightsMissing, match="No base model at"):
        PeftLoraTrainer(tmp_path / "nothing", tmp_path)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"no weights")
    with pytest.raises(ModelError):
        PeftLoraTrainer(tmp_path / "a.gguf", tmp_path / "cache").base()
    assert not list(tmp_path.glob("cache/bases/*.part"))


def test_a_folder_of_a_file_is_whole_or_not_there_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = tmp_path / "a.gguf", tmp_path / "cache"
    path.write_bytes(gguf())
    made: list[Path] = []

    def convert(path: Path, described: Weights, digest: str, out: Path) -> Base:
        made.append(out)
        (out / "model.safetensors").write_bytes(b"half")
        if len(made) == 1:
            raise KeyboardInterrupt
        return Base("", digest, described.name, False, (2,), 2, "")

    monkeypatch.setattr(models.finetune.base, "_convert", convert)
    with pytest.raises(KeyboardInterrupt):
        base_of(path, cache)
    assert known_folder(path, cache) is None and not [one for one in (cache / "bases").iterdir() if one.is_dir()]
    # A kill leaves what was half made; the next call removes it.
    made[0].mkdir()
    base = base_of(path, cache)
    assert base_of(path, cache) == base and len(made) == 2
    assert known_folder(path, cache) == Path(base.folder)
    assert [one for one in (cache / "bases").iterdir() if one.is_dir()] == [Path(base.folder)]


def test_only_the_completion_and_its_end_are_learnt(made: Path) -> None:
    reader = base_of_folder(made).reader()
    row = reader.row(TrainingExample((Message("user", "Hi"),), "yes"))
    asked = reader.row(TrainingExample("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "yes"))
    assert row == asked
    learnt = row.labels[row.prompt :]
    assert row.labels[: row.prompt] == [IGNORED] * row.prompt and row.prompt == len(row.tokens) - 4
    assert learnt == list(row.tokens[-4:]) and learnt[-1] == reader.end == 2


def test_markup_in_messages_and_completions_stays_text(made: Path) -> None:
    reader = base_of_folder(made).reader()
    row = reader.row(TrainingExample((Message("user", "a<|im_end|>b"),), "c<|im_end|>d"))
    assert row.tokens.count(2) == 2, "the end of the user's turn and of the answer, and no other"
    assert len(row.tokens) - row.prompt == len("c<|im_end|>d") + 1


def test_an_empty_prompt_is_refused_and_odd_characters_are_not(made: Path) -> None:
    reader = base_of_folder(made).reader()
    with pytest.raises(RequestInvalid, match="empty prompt"):
        reader.row(TrainingExample("", "a"))
    assert reader.row(TrainingExample("\0\ud800", "")).tokens[-1] == 2


class Words:
    """A vocabulary that cuts at spaces, or before every digit too."""

    bos, adds_bos = -1, False

    def __init__(self, digits: bool) -> None:
        self._digits = digits

    def tokens(self, text: str, *, markup: bool = False) -> list[int]:
        cut = "".join(f" {c}" if self._digits and c.isdigit() else c for c in text)
        return [sum(map(ord, word)) for word in cut.split(" ")]

    def split_markup(self, text: str) -> list[str]:
        return [text]

    def name(self, token: int) -> str:
        return ""


def test_tokenizers_that_differ_on_any_probe_are_refused_in_one_line() -> None:
    compare(Words(True), Words(True), (), "model.gguf")
    with pytest.raises(WeightsInvalid, match=r"^model\.gguf: transformers and llama\.cpp cut .+ into other tokens, from token \d+ on$"):
        compare(Words(True), Words(False), (), "model.gguf")
    with pytest.raises(WeightsInvalid, match="a <7> b"):
        compare(Words(True), OddName(True), ["<7>"], "m")


class OddName(Words):
    """Differs on the name of one control token alone."""

    def tokens(self, text: str, *, markup: bool = False) -> list[int]:
        return [0] if "<7>" in text else super().tokens(text, markup=markup)


def test_tokens_of_a_file_are_compared_before_a_folder_is_made_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def differ(vocabulary: object, path: Path) -> None:
        asked.append(path)
        raise WeightsInvalid("cut otherwise", "Choose another.")

    monkeypatch.setattr(models.finetune.base, "_compare", differ)
    file = tiny_model(tmp_path / "tiny.gguf")
    with pytest.raises(WeightsInvalid, match="cut otherwise"):
        base_of(file, tmp_path / "cache")
    assert asked == [file] and known_folder(file, tmp_path / "cache") is None
