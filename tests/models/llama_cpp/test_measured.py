"""What was measured of a file is found without loading it, and forgotten when the file changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import weights
from models.cache_file import CacheFile
from models.llama_cpp import calibration, library
from models.llama_cpp.calibration import Calibration
from models.llama_cpp.measured import calibration_key, measured
from models.llama_cpp.options import Options
from tests.models.gguf_file import gguf

FOUND = Calibration(8, False, "on", "f16", 400.0, 90.0, (), 1.0)


def test_rates_of_a_file_are_found_for_the_settings_they_were_measured_with(tmp_path: Path) -> None:
    file, cache = tmp_path / "a.gguf", tmp_path / "cache"
    file.write_bytes(gguf())
    assert measured(file, cache) is None
    digest = weights.digest(file, cache)
    assert measured(file, cache) is None
    CacheFile(cache, calibration.FILE, Calibration).put(calibration_key(digest, Options()), FOUND)
    assert measured(file, cache) == FOUND
    assert measured(file, cache, Options(flash="off")) is None
    assert measured(file, cache, Options(adapter="a.gguf")) is None
    CacheFile(cache, calibration.FILE, Calibration).put(calibration_key(digest, Options(adapter="a.gguf")), FOUND)
    assert measured(file, cache, Options(adapter="b.gguf")) == FOUND, "one for all adapters of a file"
    file.write_bytes(gguf(data=512))
    assert measured(file, cache) is None


def test_the_native_library_is_not_loaded_where_nothing_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cache = tmp_path / "a.gguf", tmp_path / "cache"
    file.write_bytes(gguf())
    weights.digest(file, cache)
    monkeypatch.setattr(library, "load", lambda: pytest.fail("loaded"))
    assert measured(file, cache) is None
