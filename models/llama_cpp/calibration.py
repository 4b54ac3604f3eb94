"""Finds how one model is fastest on this machine: cache layout, flash attention, how many sequences. Measured once, then remembered."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from models.errors import ModelError
from models.language import unhindered
from models.llama_cpp.sequences import CACHE_BYTES, SHORTEST, Feed, Layout, Sequences, fitting

VERSION = 5
"""Raised when what is measured or how it is chosen changes, so that older calibrations are not taken."""
SHARED = 320
"""Tokens of the beginning that all sequences have in common while measuring: about as many as a plan and its task take, since
what a token looks back at is a third of its cost with a small model."""
ROW = 48
"""Tokens of a row, and of its answer, in the workload the choice is made for."""
HELD = ROW + ROW // 2
"""Tokens of its own that a sequence holds while it writes, on average: where there is one cache for all, every token looks at them."""
STEPS = 5
FALLS = 2
"""So many widths in a row below the best end the search: one may be noise."""
FIRST_WIDTHS = {False: (8, 64), True: (8, 32)}
"""At which layouts are compared: caches of their own pay late, one for all soon."""
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
WORTH = 1.03
"""More sequences must make rows so much faster to be worth their memory."""
WORTH_ROUNDING = 1.03
"""Another type of cache must make rows so much faster, since bfloat16 rounds more coarsely than float16. Measured with SmolLM2, it
makes no difference to how many answers come out as one after the other: 58 of 200 with bfloat16, 52 with float16."""
FILE = "calibrations.json"
"""Remembers calibrations."""

Open = Callable[[Layout], Sequences]
Flash = Literal["on", "off"]
Cache = Literal["f16", "bf16", "q8_0"]


class Width(msgspec.Struct, frozen=True):
    """So many sequences writing at once."""

    sequences: int
    tokens: float
    """Tokens a second of all together."""
    rows: float
    """Rows a second, when each reads and writes ROW tokens."""


class Variant(msgspec.Struct, frozen=True):
    """One layout tried."""

    unified: bool
    flash: Flash
    cache: Cache
    read: float
    """Tokens a second of a row's prompt."""
    widths: tuple[Width, ...]


class Calibration(msgspec.Struct, frozen=True):
    """What was measured and what was chosen."""

    sequences: int
    unified: bool
    flash: Flash
    cache: Cache
    read: float
    """Tokens a second of a prompt, with the chosen layout."""
    write: float
    """Tokens a second of all answers together, with the chosen number of sequences."""
    variants: tuple[Variant, ...]
    seconds: float
    """Time the measurement took."""

    def __str__(self) -> str:
        kind = "one cache for all" if self.unified else "a cache each"
        numbers = "" if self.cache == "f16" else f", cache in {self.cache}"
        rates = f"reads {self.read:,.0f} and writes {self.write:,.0f} tokens a second"
        return f"{self.sequences} sequences, {kind}, flash attention {self.flash}{numbers}; {rates}"


def calibrate(
    start: Open,
    tokens: Sequence[int],
    layout: Layout,
    free: Sequence[tuple[bool, Flash]],
    cell: int = 1,
    between: Callable[[], None] = unhindered,
    caches: Sequence[Cache] = (),
    room: int = CACHE_BYTES,
) -> Calibration:
    """Try each of `free` (unified, flash attention) with a few and with many sequences, the best kind with other types of `caches` too,
    and the best of all with more and more sequences until that stops to pay.

    `start` makes the sequences of a layout, whose cache takes `cell` bytes a token; `tokens` are any text's. `layout` has the most
    sequences to try; no more are tried than fit `room`, the bytes a cache may take. Takes about as long as reading 4,000 tokens; what
    `between` raises before a step ends it. ModelError when no layout works.
    """
    began = time.perf_counter()
    most = fitting(layout.count, SHORTEST, cell, room)
    tried: list[tuple[Layout, Variant]] = []
    trouble = ""

    def attempt(candidate: Layout) -> None:
        nonlocal trouble
        first = sorted({min(width, most) for width in FIRST_WIDTHS[candidate.unified]})
        try:
            tried.append((candidate, _try_as_wide_as_can_be(start, tokens, candidate, first, between)))
        except ModelError as error:
            trouble = error.title

    def worth(one: tuple[Layout, Variant]) -> float:
        return max(width.rows for width in one[1].widths) / (1.0 if one[0].cache == layout.cache else WORTH_ROUNDING)

    for unified, flash in free:
        attempt(msgspec.structs.replace(layout, unified=unified, flash=flash))
    if not tried:
        raise ModelError(f"No layout works: {trouble}", "Run `datatune doctor`.")
    kind = max(tried, key=worth)[0].unified
    for cache in caches:
        for unified, flash in free:
            if unified == kind:
                attempt(msgspec.structs.replace(layout, unified=unified, flash=flash, cache=cache))
    best, final = max(tried, key=worth)
    # Nothing wider, or nothing at all any more, for want of memory: then what was measured before is as good.
    with contextlib.suppress(ModelError):
        final = _try_as_wide_as_can_be(start, tokens, best, [width for width in WIDTHS if width <= most], between)
    fastest = max(width.rows for width in final.widths)
    chosen = next(width for width in final.widths if width.rows * WORTH >= fastest)
    return Calibration(
        sequences=chosen.sequences,
        unified=best.unified,
        flash=final.flash,
        cache=final.cache,
        read=round(final.read, 1),
        write=round(chosen.tokens, 1),
        variants=(*(variant for _, variant in tried), final),
        seconds=round(time.perf_counter() - began, 1),
    )


def _try_as_wide_as_can_be(
    start: Open, tokens: Sequence[int], layout: Layout, widths: Sequence[int], between: Callable[[], None]
) -> Variant:
    """As `_try`, leaving out the widest for which there is no memory; ModelError when even the narrowest cannot be had."""
    for count in range(len(widths), 1, -1):
        with contextlib.suppress(ModelError):
            return _try(start, tokens, layout.of(widths[count - 1], SHORTEST), widths[:count], between)
    return _try(start, tokens, layout.of(widths[0], SHORTEST), widths[:1], between)


def _try(start: Open, tokens: Sequence[int], layout: Layout, widths: Sequence[int], between: Callable[[], None]) -> Variant:
    """Rates of one layout at these widths, up to where they have fallen or a step fails; ModelError when there is not even one."""
    sequences = start(layout)
    try:
        filled = 0
        measured: list[Width] = []
        read = 0.0
        for width in widths:
            try:
                for sequence in range(filled, width):
                    read = max(read, _fill(sequences, sequence, tokens, between))
                filled = width
                seconds = min(_step(sequences, width, tokens, between) for _ in range(STEPS))
            except ModelError:
                if not measured:
                    raise
                break
            row = ROW / read + ROW * seconds / width
            measured.append(Width(width, round(width / seconds, 1), round(1 / row, 3)))
            if len(measured) > FALLS and max(width.rows for width in measured[-FALLS:]) < max(width.rows for width in measured):
                break
        return Variant(layout.unified, "off" if layout.flash == "off" else "on", layout.cache, round(read, 1), tuple(measured))
    finally:
        sequences.close()


def _fill(sequences: Sequences, sequence: int, tokens: Sequence[int], between: Callable[[], None]) -> float:
    """Give a sequence the shared beginning and HELD tokens of its own; tokens a second of their reading, 0 when they were copied."""
    row = [tokens[(sequence * 7 + i) % len(tokens)] for i in range(HELD)]
    if sequence == 0:
        _read(sequences, 0, [tokens[i % len(tokens)] for i in range(SHARED)], between)
    elif not sequences.layout.unified and sequence > 1 and sequences.rewinds:
        # Rows cost the same whatever they say, and copying one takes no time.
        sequences.share(0, sequence, SHARED + HELD)
        return 0.0
    elif sequences.rewinds:
        sequences.share(0, sequence, SHARED)
    return HELD / max(_read(sequences, sequence, row, between), 1e-9)


def _read(sequences: Sequences, sequence: int, tokens: Sequence[int], between: Callable[[], None]) -> float:
    """Seconds in which a sequence reads tokens, in as many batches as they need."""
    seconds = 0.0
    for start in range(0, len(tokens), sequences.layout.batch):
        between()
        began = time.perf_counter()
        sequences.decode([Feed(sequence, tokens[start : start + sequences.layout.batch], 1)])
        sequences.wait()
        seconds += time.perf_counter() - began
    return seconds


def _step(sequences: Sequences, width: int, tokens: Sequence[int], between: Callable[[], None]) -> float:
    """Seconds in which each of the first `width` sequences writes a token."""
    between()
    began = time.perf_counter()
    sequences.decode([Feed(sequence, [tokens[sequence % len(tokens)]], 1) for sequence in range(width)])
    sequences.wait()
    return max(time.perf_counter() - began, 1e-9)
