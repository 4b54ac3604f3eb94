"""What calibration chooses, on sequences whose steps take a told time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.cache_file import CacheFile
from models.errors import ModelError, RuntimeUnavailable
from models.language import unhindered
from models.llama_cpp import calibration
from models.llama_cpp.calibration import HELD, SHARED, Cache, Calibration, calibrate
from models.llama_cpp.sequences import CACHE_BYTES, Feed, Layout


class Machine:
    """Opens sequences on a clock of its own: each step takes a fixed time and some for every token and sequence."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: float, token: float, neighbour: float, flash: float = 1.0) -> None:
        self.now = 0.0
        self.step, self.token, self.neighbour, self.flash = step, token, neighbour, flash
        self.open = 0
        self.at_work: list[Timed] = []
        self.room, self.most, self.steps = 1 << 40, 1 << 40, 0
        """Tokens that may be held at once, sequences that may be in a step, and how many steps there were."""
        self.broken: set[bool] = set()
        self.caches: dict[str, float] = {}
        """Factors of types of cache."""
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def start(self, layout: Layout) -> Timed:
        if layout.unified in self.broken or layout.count * layout.length > self.room:
            raise RuntimeUnavailable("no such layout")
        self.open += 1
        self.at_work.append(Timed(layout, self))
        return self.at_work[-1]

    def choose(
        self, most: int = 64, batch: int = 512, cell: int = 1, between: Callable[[], None] = unhindered, caches: Sequence[Cache] = ()
    ) -> Calibration:
        kinds = [(unified, flash) for unified in (False, True) for flash in ("on", "off")]
        found = calibrate(self.start, [5, 6, 7], Layout(most, 512, batch=batch), kinds, cell, between, caches)  # type: ignore[arg-type]
        assert self.open == 0
        return found


class Timed:
    def __init__(self, layout: Layout, machine: Machine) -> None:
        self.layout, self.rewinds = layout, True
        self._machine = machine
        self.held = [0] * layout.count

    def share(self, source: int, target: int, count: int) -> None:
        assert self.held[source] >= count
        self.held[target] = count

    def decode(self, feeds: Sequence[Feed]) -> NDArray[np.float32]:
        machine, tokens = self._machine, sum(len(feed.tokens) for feed in feeds)
        assert 0 < tokens <= self.layout.batch
        machine.steps += 1
        if len(feeds) > machine.most:
            raise ModelError("too many for one step")
        for feed in feeds:
            self.held[feed.sequence] += len(feed.tokens)
        cells = sum(self.held) if self.layout.unified else max(self.held)
        factor = (machine.flash if self.layout.flash == "on" else 1.0) * machine.caches.get(self.layout.cache, 1.0)
        machine.now += (machine.step + tokens * (machine.token + cells * machine.neighbour)) * factor
        return np.zeros((len(feeds), 3), dtype=np.float32)

    def wait(self) -> None:
        pass

    def close(self) -> None:
        self._machine.open -= 1


def test_where_tokens_look_at_every_neighbour_caches_are_separate(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Machine(monkeypatch, step=0.05, token=0.001, neighbour=1e-5).choose()
    assert not found.unified and found.sequences > 8


def test_steps_that_cost_nothing_but_their_tokens_need_few_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Machine(monkeypatch, step=1e-6, token=0.01, neighbour=0).choose().sequences <= 2


def test_dear_steps_are_worth_as_many_sequences_as_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Machine(monkeypatch, step=10, token=1e-6, neighbour=0).choose(most=32).sequences == 32


@pytest.mark.parametrize(("factor", "flash"), [(0.8, "on"), (1.3, "off")])
def test_flash_attention_is_used_where_it_is_faster(monkeypatch: pytest.MonkeyPatch, factor: float, flash: str) -> None:
    assert Machine(monkeypatch, step=0.05, token=0.001, neighbour=1e-6, flash=factor).choose().flash == flash


@pytest.mark.parametrize(("factor", "cache"), [(0.8, "bf16"), (0.99, "f16"), (1.3, "f16")])
def test_another_type_of_cache_is_used_where_it_is_faster_beyond_noise(monkeypatch: pytest.MonkeyPatch, factor: float, cache: str) -> None:
    machine = Machine(monkeypatch, step=0.05, token=0.001, neighbour=1e-5)
    machine.caches = {"bf16": factor}
    found = machine.choose(caches=["bf16"])
    assert (found.cache, found.unified) == (cache, False)
    assert {variant.cache for variant in found.variants} == {"f16", "bf16"}
    assert {variant.unified for variant in found.variants if variant.cache == "bf16"} == {False}, "the better kind alone is tried again"
    assert ("in bf16" in str(found)) == (cache == "bf16")


def test_one_cache_for_all_is_measured_as_full_as_it_is_while_answers_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, step=0.02, token=0.001, neighbour=1e-6)
    full = 0

    def look() -> None:
        nonlocal full
        full = max(full, *(sum(timed.held) for timed in machine.at_work if timed.layout.unified), 0)

    machine.choose(between=look)
    assert full >= SHARED + 32 * HELD


def test_a_layout_that_does_not_work_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, step=0.05, token=0.001, neighbour=1e-5)
    machine.broken = {False}
    assert machine.choose().unified
    machine.broken = {False, True}
    with pytest.raises(ModelError, match="no such layout"):
        machine.choose()


def test_no_more_sequences_are_tried_than_fit_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, step=10, token=1e-6, neighbour=0)
    assert machine.choose(cell=CACHE_BYTES // 512 // 20).sequences == 16
    assert machine.choose(cell=CACHE_BYTES // 512 // 3).sequences == 2
    machine.room = 512 * 9
    assert machine.choose().sequences == 8
    machine.room, machine.most = 1 << 40, 6
    assert machine.choose(most=4).sequences == 4
    machine.most = 12
    assert machine.choose().sequences == 8


def test_small_batches_are_measured_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Machine(monkeypatch, step=10, token=1e-6, neighbour=0).choose(batch=16).sequences == 64


def test_measuring_can_be_stopped_before_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, step=0.05, token=0.001, neighbour=1e-5)
    looks = 0

    def look() -> None:
        nonlocal looks
        assert looks == machine.steps
        looks += 1
        if looks > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        machine.choose(between=look)
    assert machine.open == 0


def test_what_was_found_is_remembered_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = Machine(monkeypatch, step=0.05, token=0.001, neighbour=1e-5).choose()
    file = CacheFile(tmp_path, calibration.FILE, Calibration)
    file.put("a", found)
    assert file.get("a") == found
