"""What PyTorch computes with an adapter, llama.cpp computes with the exported files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.gguf import adapter_gguf, base, merged_gguf
from models.language import Message, Request, Sampling
from models.llama_cpp.model import LlamaCppModel
from models.llama_cpp.options import Options
from tests.models.gguf.tiny import HEAD, PROJECTIONS, in_torch, tiny_model, with_adapter

QUESTION = Request("q", (Message("user", "hello"),), sampling=Sampling(max_tokens=8))
TOKENS = [*range(3, 150, 3), 256, 257, 258, 70]
NEAR = 0.06
"""Rounding moves scores of these models by up to 0.03, llama.cpp's cache in 16 bits alone by 0.02; the adapters move them by 3 to 7."""


def in_llama_cpp(path: str | Path, adapter: str = "") -> NDArray[np.float32]:
    """The scores after each of TOKENS."""
    model = LlamaCppModel(Path(path), options=Options(sequences=1, adapter=adapter))
    try:
        return np.array([scores.copy() for scores in model.single.follow(TOKENS)])
    finally:
        model.close()


def by_torch(model: Any) -> NDArray[np.float32]:
    import torch

    with torch.no_grad():
        scores: NDArray[np.float32] = model(torch.tensor([TOKENS])).logits[0].numpy()
    return scores


def apart(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float(np.abs(left - right).max())


@pytest.mark.parametrize("architecture", HEAD)
def test_an_adapter_gives_the_scores_of_pytorch_alone_and_merged(architecture: str, tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "base.gguf", architecture)
    plain = in_torch(path)
    before = by_torch(plain)
    assert apart(before, in_llama_cpp(path)) < NEAR
    folder = tmp_path / "adapter"
    wanted = by_torch(with_adapter(plain, folder, PROJECTIONS.get(architecture, PROJECTIONS["llama"])))
    assert apart(before, wanted) > 1
    alone = adapter_gguf(folder, path, tmp_path / "adapter.gguf", QUESTION)
    assert apart(wanted, in_llama_cpp(path, alone.path)) < NEAR
    answers = {alone.answer}
    for numbers in ("F32", "F16"):
        merged = merged_gguf(folder, path, tmp_path / f"{numbers}.gguf", QUESTION, numbers)
        assert apart(wanted, in_llama_cpp(merged.path)) < NEAR
        answers.add(merged.answer)
    assert "" not in answers


def test_scaling_by_layer_and_by_the_root_of_the_rank_is_kept(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "base.gguf")
    options: dict[str, Any] = {"use_rslora": True, "rank_pattern": {"k_proj": 2}, "alpha_pattern": {"layers.1.self_attn.q_proj": 3}}
    wanted = by_torch(with_adapter(in_torch(path), tmp_path / "adapter", ("q_proj", "k_proj", "lm_head"), size=0.5, **options))
    alone = adapter_gguf(tmp_path / "adapter", path, tmp_path / "adapter.gguf", QUESTION)
    merged = merged_gguf(tmp_path / "adapter", path, tmp_path / "merged.gguf", QUESTION, "F32")
    assert apart(wanted, in_llama_cpp(path)) > 1
    assert apart(wanted, in_llama_cpp(path, alone.path)) < NEAR
    assert apart(wanted, in_llama_cpp(merged.path)) < NEAR


def test_with_rows_in_the_other_order_the_scores_would_be_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_model(tmp_path / "base.gguf")
    wanted = by_torch(with_adapter(in_torch(path), tmp_path / "adapter", ("q_proj", "k_proj"), size=0.5))
    monkeypatch.setattr(base, "PERMUTED", frozenset())
    monkeypatch.setattr(base, "PLAIN", frozenset({"llama"}))
    alone = adapter_gguf(tmp_path / "adapter", path, tmp_path / "adapter.gguf", QUESTION)
    assert apart(wanted, in_llama_cpp(path, alone.path)) > 10 * NEAR


def test_an_adapter_is_merged_into_what_a_quantised_base_holds(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "base.gguf", kind="Q4_1")
    wanted = by_torch(with_adapter(in_torch(path), tmp_path / "adapter", PROJECTIONS["llama"]))
    merged = merged_gguf(tmp_path / "adapter", path, tmp_path / "merged.gguf", QUESTION)
    assert apart(wanted, in_llama_cpp(merged.path)) < NEAR
