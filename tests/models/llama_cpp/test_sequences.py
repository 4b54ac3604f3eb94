"""What a context is asked for and what it refuses, over a native library that keeps count and computes nothing."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from models.errors import ModelError
from models.llama_cpp.options import LEAST_BATCH
from models.llama_cpp.sequences import CACHE_BYTES, DecodeFailed, Feed, Layout, Sequences, cell_bytes, fitting

SIZE = 5


class Native:
    """As much of llama.h as Sequences calls."""

    def __init__(self, window: int = 0, scored: bool = True) -> None:
        self.window, self.cleared, self.decoded = window, 0, 0
        self.scores = (ctypes.c_float * (SIZE * 512))() if scored else None
        self.params = SimpleNamespace(n_outputs_max=0)
        self.llama_batch = SimpleNamespace

    def __getattr__(self, name: str) -> Any:
        answers = {
            "llama_context_default_params": self.params,
            "llama_model_n_swa": self.window,
            "llama_model_is_recurrent": False,
            "llama_model_is_hybrid": False,
            "llama_get_logits": self.scores,
            "llama_decode": 0,
        }

        def call(*_: Any) -> Any:
            self.cleared += name == "llama_memory_clear"
            self.decoded += name == "llama_decode"
            return answers.get(name, 1)

        return call


def opened(native: Native, layout: Layout) -> Sequences:
    return Sequences(native, 1, SIZE, layout, 1)


def test_a_window_leaves_nothing_to_share_in_one_cache_for_all() -> None:
    assert [opened(Native(window), Layout(2, 64, unified)).rewinds for window in (0, 8) for unified in (False, True)] == [
        True,
        True,
        True,
        False,
    ]


def test_feeds_that_are_too_large_are_refused_before_anything_changes() -> None:
    native = Native()
    sequences = opened(native, Layout(2, 64, batch=160))
    for feeds, said in (
        ([Feed(0, [1] * 161, 0)], "160 tokens, not 161"),
        ([Feed(0, [], 0)], "not 0"),
        ([Feed(0, [1] * 65, 0)], "at most 64 tokens, not 65"),
        ([Feed(number, [1] * 64, 64) for number in range(2)] + [Feed(1, [1], 1)], "128 scores, not 129"),
    ):
        with pytest.raises(ModelError, match=said):
            sequences.decode(feeds)
    assert native.decoded == 0 and len(sequences.held(0)) == 0
    assert sequences.decode([Feed(number, [1] * 64, 64) for number in range(2)]).shape == (128, SIZE)


def test_scores_that_do_not_come_leave_nothing_held() -> None:
    native = Native(scored=False)
    sequences = opened(native, Layout(2, 64))
    with pytest.raises(DecodeFailed, match="no scores"):
        sequences.decode([Feed(0, [1, 2], 1)])
    assert native.cleared == 1 and len(sequences.held(0)) == 0


def test_a_batch_holds_a_token_of_each_sequence() -> None:
    assert Layout(1, 1, batch=2).of(4, 64).batch == LEAST_BATCH
    assert Layout(1, 1, batch=32).of(64, 64).batch == 64
    with pytest.raises(ModelError, match="too small for 64"):
        opened(Native(), Layout(64, 64, batch=32))
    assert opened(Native(), Layout(1, 1, batch=1).of(256, 64)).outputs == 256


def test_a_cache_of_eight_bits_takes_half_and_no_more_sequences_are_made_than_fit() -> None:
    assert cell_bytes(1 << 15, "f16") == 1 << 15 and cell_bytes(1 << 15, "q8_0") == 17 << 10
    assert cell_bytes(0, "q8_0") == 1
    assert fitting(64, 512, 1 << 15) == 64 and fitting(64, 4096, 1 << 15) == CACHE_BYTES >> 27 == 8
    assert fitting(8, 1 << 20, 1 << 20) == 1 and fitting(64, 4096, 1 << 15, 4 * CACHE_BYTES) == 32
