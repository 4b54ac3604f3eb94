"""Who owns a run or a step: a process, told from a later one with the same number by its start time."""

from __future__ import annotations

import os

from engine.records import Value


class Owner(Value):
    """A process on this machine."""

    pid: int
    started: float

    def alive(self) -> bool:
        """Whether this very process still runs."""
        import psutil

        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) < 0.1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


def this_process() -> Owner:
    """The process that asks."""
    import psutil

    return Owner(os.getpid(), psutil.Process().create_time())
