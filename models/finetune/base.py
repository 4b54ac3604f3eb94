"""The base model as a folder that can be trained: made once of a GGUF file, or a safetensors folder checked for what it must not have.

One file serves inference and training: the weights of a GGUF file are turned back into numbers and kept under the file's digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from models import weights
from models.errors import MemoryShort, ModelError, WeightsInvalid, WeightsMissing
from models.finetune.libraries import quiet, stay_offline
from models.finetune.probe import compare
from models.finetune.tokens import FolderVocabulary, Reader
from models.llama_cpp.chat import Chat
from models.llama_cpp.tokenizer import open_tokenizer

VERSION = 1
"""Of what is made of a GGUF file: another number makes it anew."""
FILE = "base.json"
FOLDERS = "bases"
EXACT_PARAMETERS = 1_500_000_000
"""Up to here the numbers are kept in 32 bits, as the GGUF file means them; above in 16, which adds an error of at most 0.4 per cent."""
PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
CONFIG_LIMIT = 4 << 20
PROBED_NAMES = 64


class Base(msgspec.Struct, frozen=True):
    """A folder with config.json, safetensors and a tokenizer, and what training must know beside them."""

    folder: str
    digest: str
    """SHA-256 of the GGUF file it was made of, or of the folder's safetensors files together."""
    name: str
    """The model's own name: data, never markup."""
    adds_bos: bool
    """Prompts begin with the token that begins texts."""
    ends: tuple[int, ...]
    """Tokens at which the runtime stops."""
    end: int
    """The token that ends a text; -1 for none."""
    template: str
    """The chat template; "" for none."""

    def reader(self) -> Reader:
        """What turns examples into tokens for this base."""
        with quiet():
            vocabulary = FolderVocabulary(load_tokenizer(Path(self.folder)), adds_bos=self.adds_bos)
        return Reader(vocabulary, Chat(self.template, vocabulary, self.end), self.ends, self.end)


def base_of(path: Path, cache: Path) -> Base:
    """The base at `path`, a GGUF file or a safetensors folder. A GGUF file becomes a folder in `cache`, once.

    WeightsMissing, WeightsInvalid, MemoryShort or RuntimeUnavailable when it cannot be trained.
    """
    return base_of_folder(path, cache) if path.is_dir() else base_of_gguf(path, cache)


def known_folder(path: Path, cache: Path) -> Path | None:
    """Where the folder made of a GGUF file lies, if it was made."""
    digest = weights.known_digest(path, cache)
    folder = _place(cache, digest)
    return folder if digest and (folder / FILE).is_file() else None


def bytes_of_folder(parameters: int) -> int:
    """Size of the folder made of a GGUF file with so many parameters."""
    return parameters * (4 if parameters <= EXACT_PARAMETERS else 2)


def base_of_gguf(path: Path, cache: Path) -> Base:
    """The folder made of a GGUF file; made now, under a temporary name, when it is not there yet."""
    from filelock import FileLock

    described = weights.describe(path)
    digest = weights.digest(path, cache)
    folder = _place(cache, digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / FILE).is_file():
            for part in folder.parent.glob(f"{folder.name}.*.part"):
                shutil.rmtree(part, ignore_errors=True)
            _must_fit(described, folder.parent)
            part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}.", suffix=".part"))
            try:
                made = _convert(path, described, digest, part)
                (part / FILE).write_bytes(msgspec.json.encode(made))
                shutil.rmtree(folder, ignore_errors=True)
                part.replace(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        try:
            made = msgspec.json.decode((folder / FILE).read_bytes(), type=Base)
        except (OSError, msgspec.DecodeError) as error:
            raise WeightsInvalid(f"{folder} is damaged", "Delete that folder: it is made anew.") from error
    return msgspec.structs.replace(made, folder=str(folder))


def base_of_folder(folder: Path, cache: Path | None = None) -> Base:
    """A safetensors folder as it is; WeightsInvalid when it asks for code of its own, holds pickled weights or is quantised."""
    config = _checked_config(folder)
    stay_offline()
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = str(config.get("model_type"))
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise WeightsInvalid(f"{folder} holds a model that transformers does not know as one that writes text: {kind[:60]}", "")
    tokenizer = load_tokenizer(folder)
    files = sorted(folder.glob("*.safetensors"))
    digest = hashlib.sha256("".join(weights.digest(file, cache) for file in files).encode()).hexdigest()
    bos, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    try:
        generation = msgspec.json.decode((folder / "generation_config.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        generation = {}
    ends = {end, *_listed(generation.get("eos_token_id")), *_listed(config.get("eos_token_id"))} - {None}
    template = tokenizer.chat_template
    return Base(
        folder=str(folder.resolve()),
        digest=digest,
        name=folder.resolve().name,
        adds_bos=bos is not None and list(tokenizer("a")["input_ids"])[:1] == [bos],
        ends=tuple(sorted(token for token in ends if isinstance(token, int))),
        end=-1 if end is None else int(end),
        template=template if isinstance(template, str) else "",
    )


def compare_with_gguf(base: Base, path: Path) -> None:
    """WeightsInvalid when the folder cuts texts into other tokens than llama.cpp does with the GGUF file at `path`."""
    with quiet():
        vocabulary = FolderVocabulary(load_tokenizer(Path(base.folder)), adds_bos=base.adds_bos)
    _compare(vocabulary, path)


def load_tokenizer(folder: Path, **settings: Any) -> Any:
    """The tokenizer in `folder`, by transformers; WeightsInvalid when it cannot be read."""
    stay_offline()
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **settings)
    except Exception as error:
        raise WeightsInvalid(f"The tokenizer in {folder} cannot be read: {_line(error)}", "Copy or download the folder again.") from error


def _place(cache: Path, digest: str) -> Path:
    return cache / FOLDERS / f"{digest[:32]}-{VERSION}"


def _convert(path: Path, described: weights.Weights, digest: str, out: Path) -> Base:
    """Write config, tokenizer and weights; the tokens are compared before the weights are touched."""
    # The bar of the conversion has no switch.
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        tokenizer = load_tokenizer(path.parent, gguf_file=path.name)
        _mend(tokenizer, described.pre_tokenizer)
        _compare(FolderVocabulary(tokenizer, adds_bos=False), path)
        with open_tokenizer(path) as native:
            vocabulary = native.vocabulary
            tokenizer.chat_template = native.template or None
            base = Base("", digest, described.name, vocabulary.adds_bos, tuple(sorted(vocabulary.ends)), native.end, native.template)
        import torch
        from transformers import AutoModelForCausalLM, GgufConfig

        kind = torch.float32 if described.parameters <= EXACT_PARAMETERS else torch.bfloat16
        try:
            model = AutoModelForCausalLM.from_pretrained(
                str(path.parent),
                gguf_file=path.name,
                # Otherwise the model counts as quantised, and can be neither trained nor saved.
                quantization_config=GgufConfig(dequantize=True),
                dtype=kind,
                local_files_only=True,
                trust_remote_code=False,
            )
            model.save_pretrained(str(out))
            tokenizer.save_pretrained(str(out))
        except MemoryError as error:
            raise MemoryShort(f"Memory does not suffice to read {path}", "Close programs that use memory.") from error
        except OSError as error:
            raise ModelError(f"{path} cannot be made a folder: {_line(error)}", "Is there room on the disk?") from error
        except Exception as error:
            hint = "Give a GGUF file of another architecture, or the model's safetensors folder."
            raise WeightsInvalid(f"transformers cannot read {path.name} ({described.architecture}): {_line(error)}", hint) from error
    _checked_config(out)
    return base


def _mend(tokenizer: Any, pre_tokenizer: str) -> None:
    """Pre-tokenizers that transformers does not know by the name a GGUF file gives them, and takes for GPT-2's."""
    if pre_tokenizer == "smollm":
        from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

        tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])


def _compare(vocabulary: FolderVocabulary, path: Path) -> None:
    with open_tokenizer(path) as native:
        names = [native.vocabulary.name(token) for token in sorted(native.vocabulary.ends)[:PROBED_NAMES]]
        compare(vocabulary, native.vocabulary, [name for name in names if name], path.name)


def _must_fit(described: weights.Weights, folder: Path) -> None:
    import psutil

    needed, free = bytes_of_folder(described.parameters), shutil.disk_usage(folder).free
    if needed * 1.05 > free:
        raise MemoryShort(
            f"{described.path} as a folder to train takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in {folder}",
            "Make room, set another cache folder, or give the model's safetensors folder.",
        )
    if needed * 1.2 > (memory := psutil.virtual_memory().available):
        raise MemoryShort(
            f"Reading {described.path} for training takes {needed * 1.2 / 1e9:.1f} GB of memory, and {memory / 1e9:.1f} GB are free",
            "Close programs that use memory, choose a smaller base, or give the model's safetensors folder.",
        )


def _checked_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json, once nothing in the folder is against it."""
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise WeightsMissing(f"{folder} holds no model to train", "Give a GGUF file, or a folder with config.json and safetensors files.")
    pickled = [path.name for path in folder.iterdir() if path.suffix.lower() in PICKLED]
    if pickled:
        raise WeightsInvalid(f"{folder} holds pickled weights, which can run code: {min(pickled)[:80]}", "Keep only the safetensors files.")
    if code := [path.name for path in folder.glob("*.py")]:
        raise WeightsInvalid(f"{folder} holds code of its own: {min(code)[:80]}", "Choose a model that transformers knows without it.")
    found: dict[str, Any] = {}
    for name in ("tokenizer_config.json", "processor_config.json", "generation_config.json", "config.json"):
        if not (folder / name).is_file():
            continue
        try:
            if (folder / name).stat().st_size > CONFIG_LIMIT and name == "config.json":
                raise WeightsInvalid(f"{folder / name} is too long", "It is no model's config.")
            found = msgspec.json.decode((folder / name).read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.DecodeError) as error:
            raise WeightsInvalid(f"{folder / name} cannot be read: {_line(error)}", "Copy or download the folder again.") from error
        if "auto_map" in found:
            raise WeightsInvalid(
                f"{folder / name} asks for code of its own (auto_map)", "Choose a model that transformers knows without it."
            )
    if found.get("quantization_config"):
        raise WeightsInvalid(f"{folder} is quantised already", "Give the model's 16- or 32-bit folder, or a GGUF file.")
    return found


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]


def _line(error: object) -> str:
    """One printable line of at most 200 characters."""
    return "".join(c if c.isprintable() else " " for c in str(error).strip().split("\n", 1)[0][:200])
