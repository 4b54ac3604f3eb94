"""Which backend is chosen, on encoders that take a told time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.cache_file import CacheFile
from models.embedding_backend import FILE, TEXTS_A_WORKER, Backend, Choice, Tried, calibration_texts, choose
from models.errors import RuntimeUnavailable

ONE, TWO = Backend(), Backend(workers=2)


class Machine:
    """Encodes on a clock of its own: each text takes the seconds told for its backend, a second where none are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[Backend, float], cosines: dict[str, float] | None = None) -> None:
        self.now = 0.0
        self.seconds, self.cosines = seconds, cosines or {}
        self.broken: set[str] = set()
        self.encoded: dict[Backend, int] = {}
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def encode(self, backend: Backend, texts: Sequence[str]) -> NDArray[np.float32]:
        if backend.precision in self.broken:
            raise RuntimeUnavailable("no such kernels")
        self.encoded[backend] = self.encoded.get(backend, 0) + len(texts)
        self.now += len(texts) * self.seconds.get(backend, 1.0)
        cosine = self.cosines.get(backend.precision, 1.0)
        return np.tile(np.array([cosine, (1 - cosine**2) ** 0.5], dtype=np.float32), (len(texts), 1))


def test_the_fastest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = choose(Machine(monkeypatch, {TWO: 0.5, Backend("int8", 2): 0.25}).encode, 2)
    assert found.backend == Backend("int8", 2)
    assert {tried.backend: tried.texts_per_second for tried in found.tried} == {
        ONE: 1.0,
        TWO: 2.0,
        Backend("bfloat16"): 1.0,
        Backend("bfloat16", 2): 1.0,
        Backend("int8"): 1.0,
        Backend("int8", 2): 4.0,
    }


def test_more_workers_are_taken_where_they_are_nearly_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    int8 = {Backend("int8"): 0.5, Backend("int8", 2): 0.52}
    assert choose(Machine(monkeypatch, {TWO: 1.05} | int8).encode, 2).backend == Backend("int8", 2)
    assert choose(Machine(monkeypatch, {TWO: 1.2}).encode, 2).backend == ONE


def test_a_faster_one_beyond_the_bound_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {Backend("int8"): 0.1, Backend("bfloat16"): 0.5}, {"int8": 0.98, "bfloat16": 0.999})
    found = choose(machine.encode, 1)
    assert found.backend == Backend("bfloat16")
    assert {tried.backend.precision: tried.cosine for tried in found.tried} == pytest.approx(
        {"float32": 1, "bfloat16": 0.999, "int8": 0.98}
    )


def test_vectors_that_are_no_numbers_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(Machine(monkeypatch, {Backend("int8"): 0.1}, {"int8": float("nan")}).encode, 1).backend == ONE


def test_one_that_is_hopeless_costs_a_few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Backend("bfloat16")
    machine = Machine(monkeypatch, {slow: 5.0})
    found = choose(machine.encode, 1)
    assert machine.encoded[slow] == 3 < TEXTS_A_WORKER
    assert Tried(slow, 0.0, 1.0) in found.tried


def test_one_that_does_not_work_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {TWO: 0.5})
    machine.broken = {"int8", "bfloat16"}
    found = choose(machine.encode, 2)
    assert found.backend == TWO and [tried.backend for tried in found.tried] == [ONE, TWO]


def test_without_float32_nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {})
    machine.broken = {"float32"}
    with pytest.raises(RuntimeUnavailable, match="no such kernels"):
        choose(machine.encode, 2)


def test_on_many_cores_a_worker_for_every_four_is_tried_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    found = choose(Machine(monkeypatch, {Backend(workers=4): 0.2, Backend(workers=16): 0.3}).encode, 16)
    assert found.backend == Backend(workers=4)


def test_a_choice_is_remembered_whole(tmp_path: Path) -> None:
    file = CacheFile(tmp_path, FILE, Choice)
    choice = Choice(TWO, (Tried(TWO, 2.0, 1.0),), 2.0)
    file.put("a", choice)
    assert file.get("a") == choice


def test_texts_differ_and_are_the_same_every_time() -> None:
    texts = calibration_texts(600)
    assert len(set(texts)) == 600 and texts == calibration_texts(600)
    assert len({len(text) for text in texts[:8]}) == 8
