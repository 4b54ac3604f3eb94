"""What lies in an exported folder now: its files with their sizes, and what each is; read from the disk, not from what was written once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from engine.export.folder import MANIFEST
from engine.export.formats import EXAMPLES
from engine.records import Value

MODEL = "model"
"""Folder of the finetuned model."""
MOST_FILES = 500
"""Looked at; an export has a few dozen, a folder that took its place may have millions."""
_KNOWN = {
    "README.md": "data card: sources, licences, counts, a few examples",
    EXAMPLES: "every example with its source",
    MANIFEST: "what a replay needs",
    "Modelfile": "for Ollama: ollama create NAME -f Modelfile",
    "adapter_model.safetensors": "LoRA adapter for transformers and PEFT",
    "adapter_config.json": "rank and base of the adapter",
}
_FOLDERS = {
    "data": "examples with their sources as columns",
    "chat": "chat messages",
    "alpaca": "instruction, input and output",
    "completion": "prompt and completion",
    "plans": "a plan that made them",
}


class File(Value):
    """One file."""

    path: str
    """Below the folder, with slashes."""
    size: int
    """Bytes."""
    what: str
    """"" where that is not known."""


class Written(Value):
    """A folder as it is."""

    there: bool
    files: tuple[File, ...] = ()
    """Those of the folder itself first, then by folder and name."""
    more: int = 0
    """Files beyond those, as far as was looked."""


def contents_of(folder: Path) -> Written:
    """The files of a folder; links are not followed, and what cannot be read is passed over."""
    if not folder.is_dir():
        return Written(False)
    found: list[File] = []
    more = 0
    for path, size in _files(folder):
        if len(found) < MOST_FILES:
            found.append(File(path, size, what_is(path)))
        elif more >= MOST_FILES:
            break
        else:
            more += 1
    return Written(True, tuple(sorted(found, key=lambda file: (file.path.count("/"), file.path))), more)


def what_is(path: str) -> str:
    """What a file of an export is, by its place and name."""
    place = PurePosixPath(path)
    if place.name in _KNOWN and (len(place.parts) == 1 or place.name.startswith("adapter_") or place.name == "Modelfile"):
        return _KNOWN[place.name]
    if place.suffix == ".gguf":
        return "LoRA adapter for llama.cpp" if "adapter" in place.name else "model for llama.cpp and Ollama"
    if path == f"{MODEL}/README.md":
        return "card of the model: data, settings, losses, scores"
    if len(place.parts) == 2 and place.parts[0] in _FOLDERS:
        what = _FOLDERS[place.parts[0]]
        return what if place.parts[0] == "plans" else f"{what}, {place.stem}"
    return ""


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Paths below the folder, with sizes."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(here) / name
            try:
                size = path.lstat().st_size
            except OSError:
                continue
            yield path.relative_to(folder).as_posix(), size
