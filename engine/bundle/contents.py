"""What a bundle holds: a zip file with one manifest, a file of rows for each table of the database, and files under plain numbers.

Real names and places stand in the manifest alone, and a machine that reads it decides itself where things go.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.records import Value
from engine.store.copying import Count, Fingerprint, Id
from engine.store.origins import DataSeen, ModelSeen

FORMAT: Literal["datatune bundle"] = "datatune bundle"
VERSION = 1
MANIFEST = "manifest.json"
ENTRY = re.compile(r"manifest\.json|rows/[a-z_]{1,20}\.jsonl|files/[0-9]{4}")
"""Every name an entry can have."""

MOST_ENTRIES = 2000
MOST_MANIFEST = 8 << 20
"""Bytes."""
MOST_ROW = 64 << 20
"""Bytes of one row as JSON."""
MOST_TEST = 512 << 20
CHUNK = 1 << 20

ADAPTER_FILES = ("adapter/adapter_config.json", "adapter/adapter_model.safetensors", "result.json", "state.json", "training.json")
"""What goes along of the folder of a finished training. Checkpoints stay: they hold pickles, which could run code."""

_ONE_NAME = r"^(?!\.)[^/\\\x00-\x1f\x7f:*?\"<>|]{1,200}\Z"
Name = Annotated[str, Meta(pattern=_ONE_NAME)]
"""Of a file, without a folder; not hidden, and allowed on every system."""
NameOrNone = Annotated[str, Meta(pattern=rf"{_ONE_NAME}|^\Z")]
Sha256 = Fingerprint


class Entry(Value):
    """One file of the zip."""

    name: str
    bytes: Count
    sha256: Sha256


class AdapterFile(Value, tag="adapter"):
    """A file a training made."""

    entry: str
    step: Fingerprint
    name: Literal["adapter/adapter_config.json", "adapter/adapter_model.safetensors", "result.json", "state.json", "training.json"]


class TestFile(Value, tag="test"):
    """The user's own test; of a task of BIG-bench one of its files."""

    __test__ = False  # pytest would take it for a class of its tests
    entry: str
    name: Name
    part: NameOrNone = ""
    """The folder of the subtask whose file it is; "" for a test of one file, and for the head of a task."""


class WeightsFile(Value, tag="weights"):
    """A GGUF file."""

    entry: str
    name: Name


File = AdapterFile | TestFile | WeightsFile


class Weights(Value):
    """A GGUF file the run's settings name, whether it is in the bundle or not."""

    spec: str
    """Which names it."""
    part: Literal["model", "adapter"]
    """What the spec names it as."""
    name: Name
    bytes: Count
    sha256: Sha256


class Seen(Value):
    """What the run's data and models were; see engine.store.origins."""

    catalog: str = ""
    data: dict[str, DataSeen] = {}
    models: dict[str, ModelSeen] = {}
    """By spec as the bundled settings have it."""
    plans: dict[str, tuple[str, ...]] = {}


class About(Value):
    """The run, for telling it from others."""

    id: Id
    task_name: str
    created: float


class Manifest(Value):
    """manifest.json."""

    format: Literal["datatune bundle"]
    version: int
    program: str
    """Version of DataTune that wrote it."""
    run: About
    rows: dict[str, Count]
    """Table → number of rows."""
    entries: tuple[Entry, ...]
    """Every file of the zip but the manifest."""
    files: tuple[File, ...] = ()
    weights: tuple[Weights, ...] = ()
    seen: Seen = Seen()


class Format(msgspec.Struct):
    """What is looked at before anything else of a manifest."""

    format: str = ""
    version: int = 0


def rows_entry(table: str) -> str:
    """Name of the entry with a table's rows."""
    return f"rows/{table}.jsonl"


def file_entry(number: int) -> str:
    """Name of the entry of a file."""
    return f"files/{number:04}"
