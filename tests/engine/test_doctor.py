"""The doctor: what it finds is what is there, a crash in native code is reported rather than suffered, and the exit code says which."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
import sys
from importlib.metadata import PackagePath
from pathlib import Path
from typing import Any

import pytest

from engine import doctor
from engine.doctor import Finding, exit_code
from engine.errors import ExitCode
from engine.locations import Locations
from models.finetune.machine import COMPUTES
from models.weights import Weights

PROBE = {"ok": True, "package": "0.3", "version": "1", "features": ["AVX2"], "gpu": False}
PROBE |= {"prompt_rate": 100.0, "completion_rate": 20.0}


def python_that(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let every child process run this shell script."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


def gguf(path: Path) -> Path:
    """A GGUF file with one tensor and the least a language model says of itself."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    pairs = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    tensor = text("w") + struct.pack("<IQIQ", 1, 32, 0, 0)
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + pairs + tensor
    path.write_bytes(header + b"\0" * (-len(header) % 32) + b"\0" * 128)
    return path


def weights(size: int) -> Weights:
    return Weights("/m.gguf", size, "llama", "m", "Q4_0", 4096, "", True, 1, 2, 1, 100, "", 1, 0)


def named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_a_crash_at_the_first_decode_is_reported_with_its_signal_and_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python_that(tmp_path, monkeypatch, "kill -SEGV $$")
    (finding,) = doctor.examine_llama_cpp(tmp_path / "m.gguf", "")
    assert finding.state == "fail"
    assert "SIGSEGV" in finding.detail
    assert "-mno-amx-int8" in finding.cure
    assert "--no-cache-dir" in finding.cure


def test_a_decode_that_works_says_what_the_build_is_and_how_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python_that(tmp_path, monkeypatch, f"echo noise; echo '{json.dumps(PROBE)}'")
    build, decode = doctor.examine_llama_cpp(tmp_path / "m.gguf", "")
    assert (build.state, decode.state) == ("ok", "ok")
    assert "AVX2" in build.detail
    assert "100 tokens/s read, 20 tokens/s written" in decode.detail


def test_a_gpu_that_the_build_cannot_use_is_a_warning_with_the_way_to_use_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python_that(tmp_path, monkeypatch, f"echo '{json.dumps(PROBE)}'")
    build, _ = doctor.examine_llama_cpp(tmp_path / "m.gguf", "A GPU")
    assert build.state == "warn"
    assert "GGML_CUDA" in build.cure


@pytest.mark.parametrize("script", ["echo nonsense >&2", 'echo \'{"ok": false, "problem": "nonsense"}\'', "echo nonsense >&2; exit 1"])
def test_a_probe_without_a_usable_answer_is_a_failure_that_quotes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    python_that(tmp_path, monkeypatch, script)
    (finding,) = doctor.examine_llama_cpp(tmp_path / "m.gguf", "")
    assert finding.state == "fail"
    assert "nonsense" in finding.detail


def test_a_child_that_never_ends_is_a_failure_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python_that(tmp_path, monkeypatch, "exec tail -f /dev/null")
    done, why = doctor.run_child("engine.doctor", "minilm", seconds=0.1)
    assert not done
    assert "no answer" in why


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ('{"dimensions": 384, "near": 0.9, "far": 0.1}', "ok"),
        ('{"dimensions": 384, "near": 0.0, "far": 0.0}', "fail"),
        ('{"dimensions": 384, "near": 0.1, "far": 0.9}', "fail"),
        ("no JSON", "fail"),
    ],
)
def test_vectors_must_tell_same_meaning_from_other_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, state: str
) -> None:
    python_that(tmp_path, monkeypatch, f"echo '{answer}'")
    assert doctor.examine_embedder("minilm").state == state


def test_the_embedder_without_weights_passes_in_a_real_child() -> None:
    finding = doctor.examine_embedder("hashing")
    assert finding.state == "ok", finding


def test_an_unknown_embedder_fails_with_a_plain_line() -> None:
    finding = doctor.examine_embedder("no-such-embedder")
    assert finding.state == "fail"
    assert "no-such-embedder" in finding.detail
    assert "Traceback" not in finding.detail


def test_missing_weights_fail_and_name_weights_that_could_be_used_instead(tmp_path: Path) -> None:
    locations = Locations(tmp_path).ensure()
    other = gguf(locations.weights / "other.gguf")
    findings = doctor.examine(locations, model=str(tmp_path / "none.gguf"), embedder="hashing")
    finding = named(findings, "weights")
    assert finding.state == "fail"
    assert str(other) in finding.cure
    assert not [f for f in findings if f.name == "decode"]
    assert exit_code(findings) == ExitCode.UNAVAILABLE


def test_weights_that_are_not_what_their_package_recorded_are_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = gguf(tmp_path / "m.gguf")

    def files(recorded: bytes) -> Any:
        entry = PackagePath("m.gguf")
        value = base64.urlsafe_b64encode(hashlib.sha256(recorded).digest()).decode().rstrip("=")
        entry.hash = type("Hash", (), {"mode": "sha256", "value": value})()
        entry.dist = type("Dist", (), {"locate_file": lambda self, name: path})()
        return lambda distribution: [entry]

    monkeypatch.setattr("importlib.metadata.files", files(path.read_bytes()))
    found, finding = doctor.examine_weights(path, Locations(tmp_path / "home"))
    assert found is not None
    assert "as its package recorded" in finding.detail
    monkeypatch.setattr("importlib.metadata.files", files(b"what was published"))
    found, finding = doctor.examine_weights(path, Locations(tmp_path / "home"))
    assert found is None
    assert finding.state == "fail"
    assert "damaged" in finding.detail


def test_a_file_that_is_no_gguf_fails_without_being_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_text("not weights at all")
    found, finding = doctor.examine_weights(path, Locations(tmp_path / "home"))
    assert found is None
    assert finding.state == "fail"


@pytest.mark.parametrize(("size", "state"), [(1000, "ok"), (15_000_000_000, "warn"), (40_000_000_000, "fail")])
def test_memory_is_compared_with_what_the_model_needs(monkeypatch: pytest.MonkeyPatch, size: int, state: str) -> None:
    memory = type("Memory", (), {"total": 16_000_000_000, "available": 8_000_000_000})()
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    assert doctor.examine_memory(weights(size)).state == state


@pytest.mark.parametrize(("free", "state"), [(50_000_000_000, "ok"), (1_000_000_000, "warn"), (1_000_000, "fail")])
def test_free_space_is_looked_up_where_the_data_will_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    asked: list[Path] = []

    def usage(folder: Path) -> Any:
        asked.append(folder)
        return type("Usage", (), {"free": free})()

    monkeypatch.setattr("shutil.disk_usage", usage)
    assert doctor.examine_disk(Locations(tmp_path / "not" / "yet")).state == state
    assert asked == [tmp_path]


def test_the_gpus_are_named_with_their_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA T4, 15360, 15000'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(sys, "platform", "linux")
    assert doctor.find_gpu() == "NVIDIA T4, 15000 of 15360 MiB free"


@pytest.mark.parametrize(
    ("gpu", "backend"), [("NVIDIA T4, 1 of 2 MiB free", "CUDA"), ("AMD GPU, 8 GB", "VULKAN"), ("Apple GPU, shares", "METAL")]
)
def test_each_makers_gpu_has_a_build_of_its_own(gpu: str, backend: str) -> None:
    assert f"-DGGML_{backend}=on" in doctor.gpu_build(gpu)


@pytest.mark.parametrize(
    ("script", "state", "told"),
    [
        ("echo torch computes on the GPU", "ok", "computes"),
        ("echo it is a build without CUDA", "warn", "without CUDA"),
        ("exit 3", "warn", "no output"),
    ],
)
def test_whether_training_can_use_the_gpu_is_tried_in_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, state: str, told: str
) -> None:
    python_that(tmp_path, monkeypatch, script)
    found = doctor.examine_training()
    assert found.state == state and told in found.detail and bool(found.cure) == (state == "warn")


def test_what_the_child_says_here_is_what_torch_says() -> None:
    import torch

    done, output = doctor.run_child("models.finetune.machine", "")
    assert done and (output == COMPUTES) == torch.cuda.is_available()


def test_a_home_that_cannot_be_made_fails_with_the_stores_exit_code(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = doctor.examine_database(Locations(tmp_path / "file" / "home"))
    assert finding.state == "fail"
    assert "DATATUNE_HOME" in finding.cure
    assert exit_code([finding, Finding(name="disk", state="warn", detail="")]) == ExitCode.STORE_UNUSABLE


def test_a_damaged_database_fails_and_is_left_alone(tmp_path: Path) -> None:
    locations = Locations(tmp_path).ensure()
    locations.database.write_bytes(b"this is no database at all" * 100)
    assert doctor.examine_database(locations).state == "fail"
    assert locations.database.read_bytes().startswith(b"this is no database")


def test_packages_that_are_missing_or_too_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["msgspec>=999", "no-such-package-anywhere", 'only-elsewhere; sys_platform == "nowhere"', "pytest>=1"]
    monkeypatch.setattr("importlib.metadata.requires", lambda distribution: wanted)
    finding = doctor.examine_packages()
    assert finding.state == "fail"
    assert "no-such-package-anywhere is missing" in finding.detail
    assert "msgspec is" in finding.detail
    assert "pytest" not in finding.detail
    assert "only-elsewhere" not in finding.detail


def test_warnings_alone_do_not_keep_the_main_job_from_running() -> None:
    assert exit_code([Finding(name="memory", state="warn", detail="")]) == ExitCode.DONE
    both = [Finding(name=name, state="fail", detail="") for name in ("database", "decode")]
    assert exit_code(both) == ExitCode.UNAVAILABLE


def test_each_finding_is_told_as_it_comes_and_every_failure_has_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python_that(tmp_path, monkeypatch, "kill -ILL $$")
    heard: list[Finding] = []
    findings = doctor.examine(Locations(tmp_path / "home"), model=str(gguf(tmp_path / "m.gguf")), report=heard.append)
    assert heard == findings
    assert {"python", "packages", "weights", "decode", "memory", "gpu", "disk", "embedder", "database", "settings"} <= {
        f.name for f in findings
    }
    assert all(f.cure for f in findings if f.state != "ok")
    assert "SIGILL" in named(findings, "decode").detail


def test_what_the_settings_name_is_tried_and_a_settings_file_that_is_wrong_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python_that(tmp_path, monkeypatch, "kill -ILL $$")
    locations = Locations(tmp_path / "home").ensure()
    locations.settings.parent.mkdir(parents=True, exist_ok=True)
    locations.settings.write_text(f'[models]\ndefault = "{tmp_path / "gone.gguf"}"\nembed = "hashing"\n')
    findings = doctor.examine(locations)
    assert "gone.gguf" in named(findings, "weights").detail and named(findings, "settings").state == "ok"
    locations.settings.write_text("[execute]\nexamples = 'many'\n")
    wrong = named(doctor.examine(locations, embedder="hashing"), "settings")
    assert wrong.state == "fail" and "settings.toml, line 2" in wrong.detail and wrong.cure
