"""The native llama.cpp library: imported once, its log kept off the screen, its build described."""

from __future__ import annotations

import collections
import functools
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import msgspec

from models.errors import RuntimeUnavailable

LOG_LINES = 40
_log: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
_callbacks: list[Any] = []
"""ctypes callbacks the native code still points at; they must outlive it."""


class Build(msgspec.Struct, frozen=True):
    """What this build of llama.cpp can do here."""

    package: str
    """Version of llama-cpp-python."""
    version: str
    """Version llama.cpp gives itself."""
    features: tuple[str, ...]
    """Instruction sets and backends in use, such as "AVX2" or "CUDA"."""
    gpu: bool
    """Layers can be offloaded to a GPU."""


@functools.cache
def load() -> Any:
    """The low-level binding (functions named as in llama.h); RuntimeUnavailable when it is absent or cannot be loaded."""
    try:
        import llama_cpp.llama_cpp as native
    except ImportError as error:
        raise RuntimeUnavailable("llama-cpp-python is not installed", "Install it: pip install llama-cpp-python") from error
    except (OSError, RuntimeError, AttributeError) as error:
        hint = "Rebuild it: pip install --force-reinstall --no-cache-dir --no-binary :all: --no-deps llama-cpp-python"
        raise RuntimeUnavailable(f"The llama.cpp library cannot be loaded: {error}", hint) from error

    @native.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(level: int, text: bytes, _: Any) -> None:
        # Progress dots and continued lines come without a line end; joining them is not worth a parser.
        line = text.decode("utf-8", "replace").rstrip()
        if line.strip("."):
            _log.append(line)

    _callbacks.append(keep)
    native.llama_log_set(keep, None)
    native.llama_backend_init()
    return native


def recent_log(lines: int = 3) -> str:
    """The last lines the native code logged, for error messages."""
    return " | ".join(list(_log)[-lines:])


def build() -> Build:
    """What the installed build can do; loads the library."""
    native = load()
    pairs = [part.split("=") for part in native.llama_print_system_info().decode("utf-8", "replace").replace(":", "|").split("|")]
    features = [pair[0].strip() for pair in pairs if len(pair) == 1 or pair[1].strip() != "0"]
    return Build(
        package=package_version(),
        version=native.llama_version().decode("utf-8", "replace"),
        features=tuple(feature for feature in features if feature),
        gpu=bool(native.llama_supports_gpu_offload()),
    )


def package_version() -> str:
    """Version of the installed llama-cpp-python."""
    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError as error:
        raise RuntimeUnavailable("llama-cpp-python is not installed", "Install it: pip install llama-cpp-python") from error


def processor() -> str:
    """The CPU's model as the system names it with a digest of what it can do: clouds call very different ones by one name."""
    model, flags = _cpu()
    features = hashlib.sha256(" ".join(sorted(flags)).encode()).hexdigest()[:8]
    return f"{model or platform.processor() or platform.machine()} {features}"


def computes_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 numbers itself."""
    return not _cpu()[1].isdisjoint(("avx512_bf16", "amx_bf16", "bf16", "svebf16"))


def _cpu() -> tuple[str, frozenset[str]]:
    """Model name and feature flags, as far as the system tells."""
    found: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            found.setdefault(name.strip().lower(), value.strip())
    except OSError:
        pass
    return found.get("model name", ""), frozenset(found.get("flags", found.get("features", "")).split())


def usable_cores() -> int:
    """Physical cores this process may use: what the machine has, within its affinity mask and its container's quota.

    More threads than that make decoding slower, not faster.
    """
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return max(1, cores)
