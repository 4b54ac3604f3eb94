"""Many sequences of one llama.cpp context: each holds the tokens of one prompt and answer; what two have in common is decoded once."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, RuntimeUnavailable
from models.llama_cpp import library
from models.llama_cpp.adapter import Adapter
from models.llama_cpp.options import LEAST_BATCH

Tokens: TypeAlias = NDArray[np.int32]

FLASH = {"auto": -1, "off": 0, "on": 1}
CACHE_TYPES = {"f16": 1, "q8_0": 8, "bf16": 30}
"""ggml's numbers of the types a cache may have."""

LEAST_OUTPUTS = 128
SHORTEST = 512
"""Tokens a sequence holds at least."""
MOST = 256
"""llama.cpp has no more sequences in a context."""
CACHE_BYTES = 1 << 30
"""What the cache may take at most in main memory, unless one sequence takes more."""


class Layout(msgspec.Struct, frozen=True):
    """How a context's cache is divided."""

    count: int
    """Sequences side by side."""
    length: int
    """Tokens each may hold."""
    unified: bool = False
    """One cache for all: a prefix is stored once and tokens of any number of sequences share a batch, but each token looks at every
    sequence's cells. Otherwise each sequence has cells of its own and a shared prefix is copied into them."""
    flash: Literal["auto", "on", "off"] = "auto"
    """Flash attention."""
    cache: Literal["f16", "bf16", "q8_0"] = "f16"
    """Type of what is kept of each token; q8_0 takes half the room and needs flash attention."""
    batch: int = 512
    """Tokens decoded at once at most."""
    shelves: int = 0
    """Sequences after these that only keep beginnings; see shelf.py."""

    @property
    def total(self) -> int:
        """Sequences in all."""
        return self.count + self.shelves

    def of(self, count: int, length: int, shelves: int = 0) -> Layout:
        """The same for `count` sequences of `length` tokens, and `shelves`; a batch holds a token of each, as llama.cpp demands."""
        batch = max(self.batch, count + shelves, LEAST_BATCH)
        return msgspec.structs.replace(self, count=count, length=length, shelves=shelves, batch=batch)

    def __str__(self) -> str:
        kind = "one cache" if self.unified else "a cache each"
        return (
            f"{self.count} sequences of {self.length} tokens, {kind}, flash attention {self.flash}, {self.cache}, batches of {self.batch}"
        )


class Feed(msgspec.Struct, frozen=True):
    """Tokens to be added to a sequence."""

    sequence: int
    tokens: Sequence[int] | Tokens
    scored: int
    """Of how many of its last tokens the scores of the following one are wanted."""


class DecodeFailed(ModelError):
    """llama.cpp gave up on a batch; nothing is held any more."""


class Sequences:
    """A context with the sequences of `layout`, numbered from 0. Not for use from several threads at once."""

    def __init__(self, native: Any, model: Any, vocabulary_size: int, layout: Layout, threads: int, adapter: Adapter | None = None) -> None:
        if layout.batch < max(layout.total, LEAST_BATCH):
            raise ModelError(f"Batches of {layout.batch} tokens are too small for {layout.total} sequences", "Ask for larger ones.")
        self.layout = layout
        self.outputs = min(layout.batch, max(layout.total, LEAST_OUTPUTS))
        """Tokens of a batch whose scores can be had at most."""
        self._native = native
        self._vocabulary_size = vocabulary_size
        params = native.llama_context_default_params()
        params.n_ctx = layout.total * layout.length
        params.n_batch = params.n_ubatch = layout.batch
        params.n_seq_max = layout.total
        if hasattr(params, "n_outputs_max"):
            # The default reserves room for the scores of every token of a batch: hundreds of megabytes nobody reads.
            params.n_outputs_max = self.outputs
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = layout.unified
        params.flash_attn_type = FLASH[layout.flash]
        params.type_k = params.type_v = CACHE_TYPES[layout.cache]
        params.swa_full = True
        params.no_perf = True
        self._pointer = native.llama_init_from_model(model, params)
        if not self._pointer:
            title = f"llama.cpp cannot make a context of {layout}: {library.recent_log()}"
            raise RuntimeUnavailable(title, "Ask for a shorter context, or close programs that use memory.")
        if adapter is not None:
            adapter.apply(self._pointer)
        self._memory = native.llama_get_memory(self._pointer)
        recurrent = native.llama_model_is_recurrent(model) or native.llama_model_is_hybrid(model)
        # In one cache for all, layers with a window use cells outside of it again, whoever shares them.
        self.rewinds = not recurrent and not (layout.unified and native.llama_model_n_swa(model) > 0)
        """Whether part of what a sequence holds can be given back or shared. Models with a recurrent state have no parts."""
        self._held: Tokens = np.zeros((layout.total, layout.length), dtype=np.int32)
        self._lengths = [0] * layout.total
        self._batch = _Batch(native, layout.batch)

    def held(self, sequence: int) -> Tokens:
        """What a sequence holds: a view, valid until it changes."""
        return self._held[sequence, : self._lengths[sequence]]

    def keep(self, sequence: int, count: int) -> int:
        """Forget what follows the first `count` tokens; how many are left, 0 where only all can be forgotten."""
        if count >= self._lengths[sequence]:
            return self._lengths[sequence]
        if not self.rewinds:
            count = 0
        if not self._native.llama_memory_seq_rm(self._memory, sequence, count if count else -1, -1):
            self._native.llama_memory_seq_rm(self._memory, sequence, -1, -1)
            count = 0
        self._lengths[sequence] = count
        return count

    def share(self, source: int, target: int, count: int) -> None:
        """Let `target` hold the first `count` tokens of `source`, and nothing else; only where sequences rewind."""
        self.keep(target, 0)
        # With caches of their own, anything but a whole copy aborts the process.
        end = count if self.layout.unified else -1
        self._native.llama_memory_seq_cp(self._memory, source, target, 0 if self.layout.unified else -1, end)
        self._held[target, :count] = self._held[source, :count]
        self._lengths[target] = count if self.layout.unified else self._lengths[source]
        self.keep(target, count)

    def decode(self, feeds: Sequence[Feed]) -> NDArray[np.float32]:
        """Add the tokens of all feeds, at most `layout.batch`; the scores wanted, in order, at most `outputs`: shape (scored, vocabulary).

        A view, valid until the next call. DecodeFailed when llama.cpp cannot: then all sequences are empty. ModelError for feeds
        that are too large: then nothing has changed.
        """
        self._must_fit(feeds)
        batch, start, scored = self._batch, 0, 0
        for feed in feeds:
            end, held = start + len(feed.tokens), self._lengths[feed.sequence]
            batch.tokens[start:end] = feed.tokens
            batch.positions[start:end] = np.arange(held, held + end - start)
            batch.sequences[start:end] = feed.sequence
            batch.scored[start : end - feed.scored] = 0
            batch.scored[end - feed.scored : end] = 1
            scored += feed.scored
            start = end
        batch.struct.n_tokens = start
        code = self._native.llama_decode(self._pointer, batch.struct)
        if code != 0:
            self.clear()
            raise DecodeFailed(f"llama.cpp could not decode {start} tokens of {len(feeds)} sequences (code {code})", library.recent_log())
        for feed in feeds:
            held = self._lengths[feed.sequence]
            self._held[feed.sequence, held : held + len(feed.tokens)] = feed.tokens
            self._lengths[feed.sequence] = held + len(feed.tokens)
        if not scored:
            return np.empty((0, self._vocabulary_size), dtype=np.float32)
        pointer = self._native.llama_get_logits(self._pointer)
        if not pointer:
            self.clear()
            raise DecodeFailed("llama.cpp gave no scores for the next token", library.recent_log())
        scores: NDArray[np.float32] = np.ctypeslib.as_array(
            ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), shape=(scored, self._vocabulary_size)
        )
        return scores

    def wait(self) -> None:
        """Until what was decoded is really done: a GPU answers before."""
        self._native.llama_synchronize(self._pointer)

    def clear(self) -> None:
        """Forget everything held."""
        self._native.llama_memory_clear(self._memory, True)
        self._lengths = [0] * self.layout.total

    def close(self) -> None:
        """Release the native memory; safe to call twice."""
        if self._pointer:
            self._native.llama_free(self._pointer)
            self._pointer = None

    def _must_fit(self, feeds: Sequence[Feed]) -> None:
        tokens, scored = sum(len(feed.tokens) for feed in feeds), sum(feed.scored for feed in feeds)
        if not 0 < tokens <= self.layout.batch:
            raise ModelError(f"A batch holds 1 to {self.layout.batch} tokens, not {tokens}")
        if scored > self.outputs:
            raise ModelError(f"A batch gives at most {self.outputs} scores, not {scored}")
        for feed in feeds:
            length = self._lengths[feed.sequence] + len(feed.tokens)
            if length > self.layout.length:
                raise ModelError(f"Sequence {feed.sequence} holds at most {self.layout.length} tokens, not {length}")


class _Batch:
    """A llama_batch over arrays that numpy fills: entry by entry through ctypes would take longer than a small model's step."""

    def __init__(self, native: Any, size: int) -> None:
        self.tokens: NDArray[np.int32] = np.zeros(size, dtype=np.int32)
        self.positions: NDArray[np.int32] = np.zeros(size, dtype=np.int32)
        self.sequences: NDArray[np.int32] = np.zeros(size, dtype=np.int32)
        self.scored: NDArray[np.int8] = np.zeros(size, dtype=np.int8)
        self._ones: NDArray[np.int32] = np.ones(size, dtype=np.int32)
        address = self.sequences.ctypes.data
        self._pointers = (ctypes.POINTER(ctypes.c_int32) * size)(
            *(ctypes.cast(address + 4 * i, ctypes.POINTER(ctypes.c_int32)) for i in range(size))
        )
        self.struct = native.llama_batch()
        self.struct.token = self.tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        self.struct.pos = self.positions.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        self.struct.n_seq_id = self._ones.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        self.struct.seq_id = ctypes.cast(self._pointers, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32)))
        self.struct.logits = self.scored.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))


def cell_bytes(per_token: int, cache: str) -> int:
    """Bytes the cache takes for one token, where 16-bit numbers take `per_token`."""
    return max(1, per_token * 17 // 32 if cache == "q8_0" else per_token)


def fitting(count: int, length: int, cell: int, room: int = CACHE_BYTES) -> int:
    """Of `count` sequences of `length` tokens with `cell` bytes each, how many `room` bytes hold: at least one."""
    return max(1, min(count, room // (length * cell)))
