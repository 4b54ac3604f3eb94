"""Memory and speed of a training while it runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from types import TracebackType

EVERY = 0.05
"""Seconds between two looks at the memory."""
WINDOW = 20


class Memory:
    """Bytes this process holds, now and at most, looked at from a thread of its own: peaks within a step are short."""

    def __init__(self, gpu: bool) -> None:
        self.now = 0
        self.most = 0
        self._gpu = gpu
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        if self._gpu:
            import torch

            torch.cuda.reset_peak_memory_stats()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    @property
    def gpu(self) -> int:
        """Most bytes allocated on the GPU; 0 without one."""
        if not self._gpu:
            return 0
        import torch

        return int(torch.cuda.max_memory_allocated())

    def _look(self) -> None:
        import psutil

        process = psutil.Process()
        while True:
            self.now = int(process.memory_info().rss)
            self.most = max(self.most, self.now)
            if self._end.wait(EVERY):
                return


class Pace:
    """How fast steps come: each tells the tokens trained so far."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque([(time.perf_counter(), 0)], maxlen=WINDOW)
        self._started = self._seen[0][0]
        self.steps = 0
        self.tokens = 0

    def step(self, tokens: int) -> None:
        """One more step is done."""
        self.steps += 1
        self.tokens = tokens
        self._seen.append((time.perf_counter(), tokens))

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._started

    @property
    def tokens_per_second(self) -> float:
        """Over the last steps, without what came between them and the beginning."""
        (first, few), (last, many) = self._seen[0], self._seen[-1]
        return (many - few) / max(1e-9, last - first)

    def left(self, steps: int) -> float | None:
        """Seconds that many more steps take, evaluations and checkpoints included; None before the first."""
        return self.seconds / self.steps * steps if self.steps else None


def memory_ran_out(error: BaseException) -> bool:
    """Whether an error of torch means that memory did not suffice: on a CPU it has no type of its own."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in said for words in ("out of memory", "can't allocate memory", "defaultcpuallocator", "alloc_failed")
    )
