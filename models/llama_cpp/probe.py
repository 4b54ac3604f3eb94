"""Tries a real decode. Run as `python -I -m models.llama_cpp.probe PATH` it prints one JSON line; a build that cannot run on this
processor dies there instead of in the caller."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from models.errors import ModelError

CURE = (
    "Rebuild llama-cpp-python without the instructions this processor or llama.cpp gets wrong, for example "
    'CMAKE_ARGS=\'-DCMAKE_C_FLAGS="-mno-amx-tile -mno-amx-int8 -mno-amx-bf16" -DCMAKE_CXX_FLAGS="-mno-amx-tile -mno-amx-int8 '
    "-mno-amx-bf16\"' pip install --force-reinstall --no-cache-dir --no-binary llama-cpp-python --no-deps llama-cpp-python"
)
SCHEMA = {"type": "object", "properties": {"answer": {"enum": ["yes", "no"]}}, "required": ["answer"], "additionalProperties": False}


class Probe(msgspec.Struct, frozen=True):
    """What a decode on this machine gave."""

    ok: bool
    problem: str = ""
    hint: str = ""
    package: str = ""
    """Version of llama-cpp-python."""
    version: str = ""
    """Version of llama.cpp."""
    features: tuple[str, ...] = ()
    """Instruction sets and backends in use."""
    gpu: bool = False
    model: str = ""
    threads: int = 0
    text: str = ""
    """The beginning of a free answer."""
    json: str = ""
    """An answer under a schema."""
    prompt_rate: float = 0.0
    """Tokens a second read."""
    completion_rate: float = 0.0
    """Tokens a second written."""
    warning: str = ""
    """What works less well than it should, such as a chat template that cannot be used."""


def probe_in_child(path: Path, timeout: float = 300.0) -> Probe:
    """Probe in a process of its own: a native crash becomes a Probe that names the signal and its cure. `timeout` in seconds."""
    command = [sys.executable, "-I", "-m", "models.llama_cpp.probe", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Probe(False, f"A first decode took more than {timeout:.0f} seconds", "Try a smaller model, or close other programs.")
    return interpret(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def interpret(code: int, stdout: str, stderr: str) -> Probe:
    """What a probe's exit code and output mean."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        if name == "SIGKILL":
            return Probe(False, "The probe was killed, most likely for want of memory", "Use a smaller model, or close other programs.")
        return Probe(False, f"llama.cpp died with {name} at its first decode", CURE)
    lines = [line for line in stdout.splitlines() if line.startswith("{")]
    try:
        return msgspec.json.decode(lines[-1], type=Probe)
    except (IndexError, msgspec.DecodeError):
        last = [line for line in stderr.splitlines() if line.strip()][-1:]
        return Probe(False, f"The probe ended with code {code} and no result: {''.join(last)[:300]}", "Reinstall datatune.")


def probe(path: Path) -> Probe:
    """Load the model at `path` and decode with and without a grammar, in this process."""
    from models.language import Message, Request, Sampling
    from models.llama_cpp import library
    from models.llama_cpp.model import LlamaCppModel
    from models.rate import measure_rate

    try:
        build = library.build()
        model = LlamaCppModel(path, context_length=1024)
        try:
            rate = measure_rate(model)
            question = (Message("user", "Is water wet?"),)
            done = model.complete_many(
                [
                    Request("free", question, sampling=Sampling(max_tokens=16)),
                    Request("bound", question, SCHEMA, Sampling(max_tokens=32)),
                ]
            )
            bound, free = sorted(done, key=lambda completion: completion.key)
        finally:
            model.close()
    except ModelError as error:
        return Probe(False, error.title, error.hint)
    return Probe(
        ok=free.finish != "error" and bound.finish == "stop",
        problem=free.error or bound.error,
        package=build.package,
        version=build.version,
        features=build.features,
        gpu=build.gpu,
        model=model.identity.name,
        threads=library.usable_cores(),
        text=free.text,
        json=bound.text,
        prompt_rate=round(rate.prompt, 1),
        completion_rate=round(rate.completion, 1),
        warning=model.template_problem,
    )


def main() -> int:
    """Print one JSON line; 0 when the model answers."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -I -m models.llama_cpp.probe PATH\n")
        return 2
    result = probe(Path(sys.argv[1]))
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
