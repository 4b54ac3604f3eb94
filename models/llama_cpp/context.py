"""One sequence of a llama.cpp context: decodes tokens, and keeps what successive prompts have in common.

A prompt is decoded in chunks of a fixed size that begin at multiples of it, and only whole chunks are kept for the
next prompt. So each token is computed in the same company whether or not its prefix was kept: the numbers, and with
them the text, do not depend on which requests came before. (Bit for bit on one machine, build and thread count.)
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, RuntimeUnavailable
from models.llama_cpp import library
from models.llama_cpp.adapter import Adapter

CPU_CHUNK = 64
"""Tokens decoded at once. Up to this many are decoded anew for each prompt; larger chunks read a prompt up to a fifth faster."""
GPU_CHUNK = 256


class Context:
    """A context with one sequence of at most `length` tokens."""

    def __init__(self, native: Any, model: Any, vocabulary_size: int, length: int, threads: int, adapter: Adapter | None = None) -> None:
        self._native = native
        self._vocabulary_size = vocabulary_size
        params = native.llama_context_default_params()
        params.n_ctx = length
        self.chunk = GPU_CHUNK if native.llama_supports_gpu_offload() else CPU_CHUNK
        params.n_batch = params.n_ubatch = self.chunk
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = threads
        self._pointer = native.llama_init_from_model(model, params)
        if not self._pointer:
            title = f"llama.cpp cannot make a context of {length} tokens: {library.recent_log()}"
            raise RuntimeUnavailable(title, "Ask for a shorter context, or close programs that use memory.")
        if adapter is not None:
            adapter.apply(self._pointer)
        self._memory = native.llama_get_memory(self._pointer)
        self._batch = native.llama_batch_init(self.chunk, 0, 1)
        self._held: list[int] = []
        self._kept = 0
        self.length = length

    def start(self, prompt: Sequence[int]) -> NDArray[np.float32]:
        """Begin anew with a prompt of at least one token; the scores of the token after it, shape (vocabulary,)."""
        common = 0
        for ours, theirs in zip(self._held[: self._kept], prompt[:-1], strict=False):
            if ours != theirs:
                break
            common += 1
        self._forget_after(common // self.chunk * self.chunk)
        logits = self.extend(prompt[len(self._held) :])
        self._kept = len(prompt) // self.chunk * self.chunk
        return logits

    def extend(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Add tokens after what is held; the scores of the token after them. A view, valid until the next call."""
        for start in range(0, len(tokens), self.chunk):
            self._decode(tokens[start : start + self.chunk])
        return self._logits(-1)

    def follow(self, tokens: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """Add tokens after what is held; after each of them the scores of the next. Views, each valid until the next is asked for."""
        for start in range(0, len(tokens), self.chunk):
            some = tokens[start : start + self.chunk]
            self._decode(some, every=True)
            for place in range(len(some)):
                yield self._logits(place)

    def rewind(self, beginning: Sequence[int]) -> None:
        """Go back to a beginning of what is held, at least its prompt; where nothing can be given back, decode it again."""
        self._forget_after(len(beginning))
        if len(self._held) < len(beginning):
            self.start(beginning)

    def clear(self) -> None:
        """Forget everything held."""
        self._native.llama_memory_clear(self._memory, True)
        self._held, self._kept = [], 0

    def close(self) -> None:
        """Release the native memory."""
        if self._pointer:
            self._native.llama_batch_free(self._batch)
            self._native.llama_free(self._pointer)
            self._pointer = None

    def _forget_after(self, count: int) -> None:
        self._kept = min(self._kept, count)
        if count == len(self._held):
            return
        # Recurrent models cannot give back part of what they read; then everything is decoded again.
        if count == 0 or not self._native.llama_memory_seq_rm(self._memory, 0, count, -1):
            self.clear()
        else:
            del self._held[count:]

    def _logits(self, place: int) -> NDArray[np.float32]:
        pointer = self._native.llama_get_logits_ith(self._pointer, place)
        if not pointer:
            raise ModelError("llama.cpp gave no scores for the next token", library.recent_log())
        logits: NDArray[np.float32] = np.ctypeslib.as_array(
            ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), shape=(self._vocabulary_size,)
        )
        return logits

    def _decode(self, tokens: Sequence[int], every: bool = False) -> None:
        batch, held = self._batch, len(self._held)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = held + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = every or i == len(tokens) - 1
        code = self._native.llama_decode(self._pointer, batch)
        if code != 0:
            self.clear()
            raise ModelError(f"llama.cpp could not decode {len(tokens)} tokens at {held} (code {code})", library.recent_log())
        self._held.extend(tokens)
