"""Exported files: what stays of the base, what is refused, what a failure or a kill leaves."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models import weights
from models.errors import ModelError, WeightsInvalid, WeightsMissing
from models.gguf import adapter_gguf, export, merged_gguf
from models.gguf_header import read_header
from models.language import Message, Request, Sampling
from models.registry import open_language_model
from tests.models.gguf.tiny import HEADS, WIDTH, tiny_model, written_adapter

QUESTION = Request("q", (Message("user", "hello"),), sampling=Sampling(max_tokens=8))
LAYER = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("base") / "tiny.gguf", kind="Q8_0")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return written_adapter(tmp_path / "adapter")


def test_metadata_and_norms_stay_the_bases_to_the_byte(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    made = merged_gguf(adapter, tiny, tmp_path / "merged.gguf", QUESTION)
    out = Path(made.path)
    ours, theirs = read_header(out), read_header(tiny)
    assert list(ours.entries) == list(theirs.entries)
    for key, (start, end) in theirs.entries.items():
        place = slice(*ours.entries[key])
        assert (out.read_bytes()[place] == tiny.read_bytes()[start:end]) == (key != "general.file_type"), key
    assert [(tensor.name, tensor.shape) for tensor in ours.layout] == [(tensor.name, tensor.shape) for tensor in theirs.layout]
    for mine, base in zip(ours.layout, theirs.layout, strict=True):
        same = out.read_bytes()[mine.start : mine.start + mine.size] == tiny.read_bytes()[base.start : base.start + base.size]
        assert same == base.name.endswith("_norm.weight"), base.name
    assert (made.size, made.digest) == (out.stat().st_size, hashlib.sha256(out.read_bytes()).hexdigest())
    assert weights.describe(out).quantisation == made.quantisation == "F16" and weights.describe(out).chat_template


def test_only_the_layers_of_the_adapter_change(tmp_path: Path, adapter: Path) -> None:
    base = tiny_model(tmp_path / "tiny.gguf")
    merged_gguf(adapter, base, tmp_path / "merged.gguf", QUESTION, "F32")
    pairs = zip(read_header(base).layout, read_header(tmp_path / "merged.gguf").layout, strict=True)
    before, after = base.read_bytes(), (tmp_path / "merged.gguf").read_bytes()
    changed = [a.name for a, b in pairs if before[a.start : a.start + a.size] != after[b.start : b.start + b.size]]
    assert changed == ["blk.0.attn_q.weight"]


@pytest.mark.parametrize("quantisation", ["Q8_0", "Q5_K_M", "Q4_K_M"])
def test_llama_cpp_quantises_what_was_merged(quantisation: str, tiny: Path, adapter: Path, tmp_path: Path) -> None:
    made = merged_gguf(adapter, tiny, tmp_path / "merged.gguf", QUESTION, quantisation)
    assert weights.describe(Path(made.path)).quantisation == made.quantisation == quantisation
    assert made.answer and made.size < 0.6 * merged_gguf(adapter, tiny, tmp_path / "f16.gguf", QUESTION).size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "f16.gguf", "merged.gguf"]


def test_an_adapter_belongs_to_the_spec_and_to_who_answered(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    made = adapter_gguf(adapter, tiny, tmp_path / "adapter.gguf", QUESTION)
    texts, digests = set(), set()
    for settings in ("sequences=1", f"sequences=1,adapter={made.path}", f"sequences=3,adapter={made.path}"):
        model = open_language_model(f"{tiny}#{settings}")
        (done,) = model.complete_many([QUESTION])
        texts.add(done.text)
        digests.add((model.identity.name, model.identity.digest))
        model.close()
    assert len(texts) == len(digests) == 2 and made.answer in texts
    assert ("tiny.gguf + adapter.gguf") in {name for name, _ in digests}


def test_a_file_that_is_no_adapter_of_the_model_is_refused(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    adapter_gguf(adapter, tiny, tmp_path / "adapter.gguf", QUESTION)
    other = tiny_model(tmp_path / "other.gguf", "qwen2")
    for model, file, words in ((tiny, tiny, "no LoRA adapter"), (other, tmp_path / "adapter.gguf", "cannot load the adapter")):
        with pytest.raises(WeightsInvalid, match=words):
            open_language_model(f"{model}#adapter={file}")
    with pytest.raises(WeightsMissing):
        open_language_model(f"{tiny}#adapter={tmp_path / 'none.gguf'}")


REFUSED: dict[str, dict[str, object]] = {
    "use_dora": {"use_dora": True},
    "modules_to_save": {"modules_to_save": ["lm_head"]},
    "bias": {"bias": "lora_only"},
    "lora_bias": {"lora_bias": True},
    "fan_in_fan_out": {"fan_in_fan_out": True},
    "init_lora_weights": {"init_lora_weights": "pissa"},
    "trainable_token_indices": {"trainable_token_indices": [1, 2]},
    "something_new": {"something_new": 1},
    "not LoRA": {"peft_type": "IA3"},
    "lora_alpha": {"lora_alpha": 0},
    "alpha_pattern": {"alpha_pattern": {"(a+)+$": 3}},
}


@pytest.mark.parametrize("word", REFUSED)
def test_a_kind_of_adapter_that_cannot_be_exported_is_named(word: str, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsInvalid, match=word) as caught:
        adapter_gguf(written_adapter(tmp_path / "a", REFUSED[word]), tiny, tmp_path / "out.gguf", QUESTION)
    assert "\n" not in caught.value.title
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


A: NDArray[np.float32] = np.ones((2, WIDTH), dtype=np.float32)
B: NDArray[np.float32] = np.ones((HEADS * 16, 2), dtype=np.float32)
MISFITS: dict[str, dict[str, NDArray[np.generic]]] = {
    "B .63, 2.": {f"{LAYER}.lora_A.weight": A, f"{LAYER}.lora_B.weight": B[1:]},
    "A .2, 63.": {f"{LAYER}.lora_A.weight": A[:, 1:].copy(), f"{LAYER}.lora_B.weight": B},
    "A .2.": {f"{LAYER}.lora_A.weight": A[:, 0].copy(), f"{LAYER}.lora_B.weight": B},
    "A .0, 64.": {f"{LAYER}.lora_A.weight": A[:0], f"{LAYER}.lora_B.weight": B[:, :0].copy()},
    "one of the two": {f"{LAYER}.lora_A.weight": A},
    "no LoRA matrix": {f"{LAYER}.lora_A.weight": A, f"{LAYER}.weight": B},
    "lora_embedding_A": {"base_model.model.model.embed_tokens.lora_embedding_A": A},
    "no layer of": {LAYER.replace("0", "7") + ".lora_A.weight": A, LAYER.replace("0", "7") + ".lora_B.weight": B},
    "no linear layer": {f"base_model.model.model.embed_tokens.lora_{x}.weight": A for x in "AB"},
    "the type": {f"{LAYER}.lora_A.weight": A.astype(np.float64), f"{LAYER}.lora_B.weight": B},
    "not finite": {f"{LAYER}.lora_A.weight": A * np.float32("nan"), f"{LAYER}.lora_B.weight": B},
    "no matrices": {},
}


@pytest.mark.parametrize("word", MISFITS)
def test_matrices_that_do_not_fit_the_base_are_named(word: str, tiny: Path, tmp_path: Path) -> None:
    folder = written_adapter(tmp_path / "a", tensors=MISFITS[word])
    for make in (adapter_gguf, merged_gguf):
        with pytest.raises(WeightsInvalid, match=word):
            make(folder, tiny, tmp_path / "out.gguf", QUESTION)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def damaged(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "pickle": lambda folder: (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin"),
    "claims": damaged("adapter_model.safetensors", lambda data: b"\xff" * 7 + b"\x00" + data[8:]),
    "cannot be read": damaged("adapter_model.safetensors", lambda data: data[:-5]),
    "adapter_model.safetensors cannot": damaged("adapter_model.safetensors", lambda data: b""),
    "larger than": damaged("adapter_config.json", lambda data: data + b" " * (1 << 20)),
    "adapter_config.json cannot": damaged("adapter_config.json", lambda data: b'{"peft_type":' + b"[" * 100_000),
}


@pytest.mark.parametrize("word", DAMAGE)
def test_damaged_and_hostile_files_are_refused(word: str, tiny: Path, adapter: Path, tmp_path: Path) -> None:
    DAMAGE[word](adapter)
    with pytest.raises(WeightsInvalid, match=word):
        merged_gguf(adapter, tiny, tmp_path / "out.gguf", QUESTION)


def test_missing_files_and_what_is_no_base_are_named(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"adapter_config\.json"):
        merged_gguf(tmp_path, tiny, tmp_path / "out.gguf", QUESTION)
    with pytest.raises(WeightsMissing, match=r"none\.gguf"):
        merged_gguf(adapter, tmp_path / "none.gguf", tmp_path / "out.gguf", QUESTION)
    with pytest.raises(ModelError, match="no quantisation"):
        merged_gguf(adapter, tiny, tmp_path / "out.gguf", QUESTION, "IQ1_S")
    tied = tiny_model(tmp_path / "tied.gguf", tied=True)
    layer = {f"base_model.model.lm_head.lora_{x}.weight": A for x in "AB"}
    with pytest.raises(WeightsInvalid, match="reads its output from its embeddings"):
        merged_gguf(written_adapter(tmp_path / "head", tensors=layer), tied, tmp_path / "out.gguf", QUESTION)
    data, end = bytearray(tiny.read_bytes()), read_header(tiny).entries["llama.block_count"][1]
    data[end - 4 : end] = b"\xff" * 4
    (tmp_path / "tall.gguf").write_bytes(data)
    with pytest.raises(WeightsInvalid, match="claims 4294967295 layers"):
        merged_gguf(adapter, tmp_path / "tall.gguf", tmp_path / "out.gguf", QUESTION)
    data = bytearray(tiny.read_bytes().replace(b"llama", b"lambo"))
    (tmp_path / "other.gguf").write_bytes(data)
    with pytest.raises(WeightsInvalid, match="architecture lambo"):
        merged_gguf(adapter, tmp_path / "other.gguf", tmp_path / "out.gguf", QUESTION)


def test_numbers_too_large_for_16_bits_are_told(tiny: Path, tmp_path: Path) -> None:
    layer = LAYER.replace("q_proj", "o_proj")
    tensors: dict[str, NDArray[np.generic]] = {f"{layer}.lora_A.weight": A * 300, f"{layer}.lora_B.weight": B * 300}
    folder = written_adapter(tmp_path / "a", tensors=tensors)
    with pytest.raises(WeightsInvalid, match="F16 cannot hold"):
        merged_gguf(folder, tiny, tmp_path / "out.gguf", QUESTION)
    assert merged_gguf(folder, tiny, tmp_path / "out.gguf", QUESTION, "F32").answer


def test_a_model_that_does_not_answer_gets_no_name_and_leaves_the_earlier_file(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    out.write_text("an earlier export")
    unanswerable = Request("q", ())
    for make in (adapter_gguf, merged_gguf):
        with pytest.raises(WeightsInvalid, match="does not answer"):
            make(adapter, tiny, out, unanswerable)
    assert out.read_text() == "an earlier export"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "out.gguf"]


def test_a_full_disk_and_a_missing_folder_are_told_before_anything_is_written(
    tiny: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="Cannot write to"):
        merged_gguf(adapter, tiny, tmp_path / "none" / "out.gguf", QUESTION)
    with pytest.raises(ModelError, match="base itself"):
        merged_gguf(adapter, tiny, tiny, QUESTION)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30, 1 << 30, export.SPARE + 1000))
    for make in (adapter_gguf, merged_gguf):
        with pytest.raises(ModelError, match="GB free"):
            make(adapter, tiny, tmp_path / "out.gguf", QUESTION)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


KILLED = """
import os, signal, sys
from pathlib import Path
from models.gguf import write, merged_gguf
from models.language import Message, Request
real = write._data
def last(base, adapter, tensor, kind):
    if tensor.name == "blk.1.ffn_down.weight":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(base, adapter, tensor, kind)
write._data = last
merged_gguf(*map(Path, sys.argv[1:4]), Request("q", (Message("user", "hello"),)), "Q8_0")
"""


def test_a_kill_leaves_nothing_under_the_name_and_the_next_try_cleans_up(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    done = subprocess.run([sys.executable, "-c", KILLED, str(adapter), str(tiny), str(out)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "out.gguf.f16.part"]
    assert merged_gguf(adapter, tiny, out, QUESTION, "Q8_0").answer
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "out.gguf"]


class Stopped(Exception):
    """Raised by a report."""


def test_merging_reports_how_far_it_is_and_ends_where_the_report_says_so(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    merged_gguf(adapter, tiny, tmp_path / "out.gguf", QUESTION, "Q8_0", lambda written, whole: seen.append((written, whole)))
    merging = [written for written, whole in seen if whole == seen[0][1]]
    assert len(merging) > 20 and merging == sorted(merging) and 0.9 * seen[0][1] < merging[-1] <= seen[0][1]
    assert seen[-1] == 2 * ((tmp_path / "out.gguf").stat().st_size,)

    def ending(written: int, whole: int) -> None:
        if written > whole / 2:
            raise Stopped

    for make, name in ((merged_gguf, "other.gguf"), (adapter_gguf, "adapter.gguf")):
        with pytest.raises(Stopped):
            make(adapter, tiny, tmp_path / name, QUESTION, reported=ending)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "out.gguf"]


def test_a_base_is_read_a_piece_at_a_time(tiny: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.gguf import base

    merged_gguf(adapter, tiny, tmp_path / "whole.gguf", QUESTION)
    monkeypatch.setattr(base, "PIECE", 5 * WIDTH + 3)
    merged_gguf(adapter, tiny, tmp_path / "pieces.gguf", QUESTION)
    assert (tmp_path / "whole.gguf").read_bytes() == (tmp_path / "pieces.gguf").read_bytes()


def test_numbers_of_16_bits_are_read(tiny: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    draw = torch.Generator().manual_seed(3)
    answers = []
    for number, dtype in enumerate((torch.float32, torch.bfloat16, torch.float16)):
        folder = written_adapter(tmp_path / str(number))
        layer = {f"{LAYER}.lora_{x}.weight": torch.ones(*shape) for x, shape in (("A", (2, WIDTH)), ("B", (HEADS * 16, 2)))}
        draw.manual_seed(3)
        whole = {name: torch.randint(-8, 8, value.shape, generator=draw).to(dtype) for name, value in layer.items()}
        save_file(whole, folder / "adapter_model.safetensors")
        out = tmp_path / f"{number}.gguf"
        adapter_gguf(folder, tiny, out, QUESTION)
        answers.append(out.read_bytes())
    assert answers[0] == answers[1] == answers[2]
