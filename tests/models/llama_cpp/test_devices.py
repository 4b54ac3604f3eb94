"""What ggml tells of devices, and a model that does not fit a GPU whole."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from models.llama_cpp import library
from models.llama_cpp.devices import CPU, devices, load_model


class Card:
    """A llama.cpp whose GPU has room for so many layers; it cannot read a file called broken."""

    def __init__(self, room: int, offloads: bool = True) -> None:
        self.room = room
        self.offloads = offloads
        self.tried: list[int] = []

    def llama_supports_gpu_offload(self) -> bool:
        return self.offloads

    def llama_model_default_params(self) -> SimpleNamespace:
        return SimpleNamespace(n_gpu_layers=99)

    def llama_model_load_from_file(self, path: bytes, params: SimpleNamespace) -> int | None:
        self.tried.append(params.n_gpu_layers)
        library._log.clear()
        if path == b"broken":
            library._log.append("llama_model_load: error loading model: unknown model architecture")
            return None
        if self.offloads and not 0 <= params.n_gpu_layers <= self.room:
            library._log.append("llama_model_load: error loading model: unable to allocate CUDA0 buffer")
            return None
        return 7


@pytest.mark.parametrize(
    ("room", "wanted", "pointer", "on_gpu", "tried"),
    [
        (40, 12, 7, 12, [12]),
        (20, -1, 7, 16, [-1, 24, 16]),
        (3, -1, 7, 0, [-1, 24, 16, 8, 0]),
        (20, 24, None, 24, [24]),
        (20, 0, 7, 0, [0]),
    ],
)
def test_as_many_layers_as_fit_are_on_the_gpu_unless_somebody_decided(
    room: int, wanted: int, pointer: int | None, on_gpu: int, tried: list[int]
) -> None:
    card = Card(room)
    assert load_model(card, Path("a.gguf"), wanted, 32) == (pointer, on_gpu) and card.tried == tried


def test_a_file_that_cannot_be_read_is_tried_once_and_so_is_one_without_a_gpu() -> None:
    card, none = Card(20), Card(20, offloads=False)
    assert load_model(card, Path("broken"), -1, 32) == (None, -1) and card.tried == [-1]
    assert load_model(none, Path("a.gguf"), -1, 32) == (7, -1) and none.tried == [-1]


@pytest.mark.skipif(not find_spec("llama_cpp"), reason="llama.cpp is not installed")
def test_ggml_tells_of_the_processor_what_the_system_tells() -> None:
    (processor,) = devices(CPU)
    assert processor.description and processor.total == pytest.approx(psutil.virtual_memory().total, rel=0.02)
    assert processor.free <= processor.total


def test_a_library_that_does_not_tell_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "load", lambda: SimpleNamespace())
    assert devices() == ()
