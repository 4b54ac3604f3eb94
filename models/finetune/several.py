"""One training by several processes of this machine, one for each GPU: each works on its share of every batch, gradients are averaged.

The batch is cut, never multiplied, so steps and learning rate mean what they mean with one process. The processes are accelerate's
and torch's (DistributedDataParallel); here they are started, listened to and ended. They speak over the loopback interface alone.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.finetune.libraries import quiet
from models.finetune.machine import mind_old_drivers
from models.finetune.session import Session, Work
from models.finetune.watch import Memory
from models.training import TrainingProgress, TrainingResult

LISTENING = 0.2
"""Seconds between two looks whether to stop, and whether all processes live."""
ENDING = 20.0
"""Seconds that processes get to end by themselves when one has failed."""


def train_together(
    work: Work, processes: int, progress: Callable[[TrainingProgress], None], should_stop: Callable[[], bool]
) -> TrainingResult:
    """Train with so many processes. What goes wrong in one ends all, and is raised here."""
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    with tempfile.TemporaryDirectory(prefix="datatune-") as place:
        # A file says that all are to stop: a lock could be held by one that is killed.
        meeting, stop = Path(place, "meeting"), Path(place, "stop")
        children = [
            context.Process(target=_take_part, args=(work, rank, processes, meeting, told, stop), daemon=True) for rank in range(processes)
        ]
        patience = 0.0
        try:
            for child in children:
                child.start()
            result = _listen(children, told, stop, progress, should_stop)
            patience = ENDING
            return result
        finally:
            for child in (one for one in children if one.pid is not None):
                child.join(patience)
                child.kill()
                child.join()


def _listen(
    children: Sequence[Any], told: Any, stop: Path, progress: Callable[[TrainingProgress], None], should_stop: Callable[[], bool]
) -> TrainingResult:
    while True:
        if not stop.exists() and should_stop():
            stop.touch()
        try:
            what = told.get(timeout=LISTENING)
        except queue.Empty:
            dead = next((child for child in children if child.exitcode), None)
            if dead is None:
                continue
            try:
                what = told.get(timeout=1)  # it may have said why just then
            except queue.Empty:
                raise _ended(dead.exitcode) from None
        if isinstance(what, BaseException):
            # One that was killed leaves the others with a broken connection: they tell of that.
            multiprocessing.connection.wait([child.sentinel for child in children], 1)
            if killed := next((child for child in children if (child.exitcode or 0) < 0), None):
                raise _ended(killed.exitcode) from what
            raise what
        if isinstance(what, TrainingResult):
            return what
        progress(what)


def _ended(code: int) -> ModelError:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
    return ModelError(f"A process of the training ended with {how}", "Train again: it goes on from the last checkpoint.")


def _take_part(work: Work, rank: int, processes: int, meeting: Path, told: Any, stop: Path) -> None:
    """What each process does."""
    # For the one that listens, which stops the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    loopback = _loopback()
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "GLOO_SOCKET_IFNAME": loopback,
        "NCCL_SOCKET_IFNAME": loopback,
    }
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with quiet(), Memory(work.device == "cuda") as memory:
            import torch

            if work.device == "cpu":
                os.environ["ACCELERATE_USE_CPU"] = "true"
                threads = max(1, torch.get_num_threads() // processes)
                os.environ["OMP_NUM_THREADS"] = str(threads)
                torch.set_num_threads(threads)
            else:
                torch.cuda.set_device(rank)
                mind_old_drivers()
            backend = "nccl" if work.device == "cuda" else "gloo"
            # They meet in a file, not at a port.
            torch.distributed.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=processes)

            def agreed() -> bool:
                """What the first says, so that all stop after the same step."""
                said = torch.tensor([int(rank == 0 and stop.exists())], device=work.device)
                torch.distributed.broadcast(said, 0)
                return bool(said.item())

            report = told.put if rank == 0 else _nothing
            session = Session(work, report, agreed, memory, processes, rank == 0)
            loop = session.train()
            if rank == 0:
                told.put(session.result(loop))
            torch.distributed.destroy_process_group()
    except BaseException as error:
        told.put(_portable(error))
        told.close()
        told.join_thread()
        os._exit(1)


def _loopback() -> str:
    """The name of the interface that leads back to this machine."""
    import psutil

    named = psutil.net_if_addrs()
    return next((name for name, addresses in named.items() if any(one.address == "127.0.0.1" for one in addresses)), "lo")


def _end_with_parent() -> None:
    """A process whose parent was killed would go on writing into a folder that another may train in by then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _portable(error: BaseException) -> BaseException:
    """An error that another process can raise: its own where that travels, else its words; with where it came from."""
    import pickle
    import traceback

    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _nothing(_: TrainingProgress) -> None:
    return
