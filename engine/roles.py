"""Which model does what: specs from the task file and the command line, models opened when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.errors import BadInput, EngineError, Unavailable
from engine.locations import Locations
from engine.records import Base
from engine.store.origins import ModelSeen
from models.embedding import Embedder
from models.errors import ModelError, RequestInvalid, WeightsInvalid
from models.language import Identity, LanguageModel
from models.training import Trainer

DEFAULT_LANGUAGE_MODEL = "smollm2"
DEFAULT_EMBEDDER = "minilm"


class Roles:
    """Models by role; roles with the same spec share one model."""

    def __init__(self, specs: dict[str, str], locations: Locations, seen: Mapping[str, ModelSeen] | None = None) -> None:
        """`seen` by spec: what models were on the machine a run comes from, for those that are not on this one."""
        self._specs = specs
        self._locations = locations
        self.seen = seen or {}
        self._open: dict[str, LanguageModel] = {}
        self._embedder: Embedder | None = None

    def spec(self, role: str) -> str:
        """The spec that serves a role."""
        if role == "embed":
            return self._specs.get("embed", DEFAULT_EMBEDDER)
        if role == "retry" and role not in self._specs:
            role = "execute"
        return self._specs.get(role) or self._specs.get("default") or DEFAULT_LANGUAGE_MODEL

    def model(self, role: str) -> LanguageModel:
        """The role's model, loaded on first use. Raises Unavailable or BadInput."""
        spec = self.spec(role)
        if spec not in self._open:
            from models.registry import open_language_model

            with translated(f"role {role}, model {spec}"):
                self._open[spec] = open_language_model(spec, folders=self._locations.weight_folders, cache=self._locations.cache)
        return self._open[spec]

    def identity(self, role: str) -> Identity:
        """Which model the role has, or had where its run comes from."""
        try:
            return self.model(role).identity
        except Unavailable as error:
            known = self._known(role, error)
            return Identity(known.name, known.digest, known.runtime)

    def batched(self, role: str) -> bool:
        """Whether a repetition may word the role's answers differently, since they are decoded several at a time."""
        from models.registry import batches

        try:
            with translated(f"role {role}, model {self.spec(role)}"):
                return batches(self.spec(role), self._locations.weight_folders)
        except Unavailable as error:
            return self._known(role, error).batched

    def embedder(self) -> Embedder:
        """The embedder, loaded on first use. Raises Unavailable or BadInput."""
        if self._embedder is None:
            self._embedder = self.embedder_of(self.spec("embed"))
        return self._embedder

    def embedder_of(self, spec: str) -> Embedder:
        """The embedder a spec names. Raises Unavailable or BadInput."""
        from models.registry import open_embedder

        with translated(f"embedder {spec}"):
            return open_embedder(spec, digests=self._locations.cache)

    def base(self) -> Base:
        """Which model finetune trains, not loaded. Raises Unavailable or BadInput."""
        from models import weights
        from models.finetune.base import base_of_folder

        try:
            path = self.base_path()
        except Unavailable as error:
            known = self._known("base", error)
            return Base(known.name, known.digest)
        if path is None:
            return Base(self.spec("base"), "")
        with translated(f"role base, model {self.spec('base')}"):
            cache = self._locations.cache
            return Base(path.name, base_of_folder(path, cache).digest if path.is_dir() else weights.digest(path, cache))

    def base_path(self) -> Path | None:
        """The GGUF file or safetensors folder of the model finetune trains; None for a dry run. Raises Unavailable or BadInput."""
        from models.registry import trainable

        spec = self.spec("base")
        with translated(f"role base, model {spec}"):
            return trainable(spec, self._locations.weight_folders)

    def runs_base(self) -> bool:
        """Whether llama.cpp can run the base: GGUF files it can, folders of safetensors it cannot. Raises BadInput."""
        try:
            path = self.base_path()
        except Unavailable:
            return True
        return path is None or not path.is_dir()

    def trainer(self) -> Trainer:
        """The trainer of the base model. Raises Unavailable or BadInput."""
        from models.registry import open_trainer

        spec = self.spec("base")
        with translated(f"role base, model {spec}"):
            return open_trainer(spec, self._locations.cache, self._locations.weight_folders)

    def give(self, role: str, spec: str) -> None:
        """Let a role have another model; the one it had is released unless another role shares it."""
        before = self._specs.get(role)
        self._specs = {**self._specs, role: spec}
        if before and before != spec and before in self._open and before not in self._specs.values():
            self._open.pop(before).close()

    def _known(self, role: str, error: Unavailable) -> ModelSeen:
        """What a model that is not to be had here was elsewhere; the error where that is not known."""
        known = self.seen.get(self.spec(role))
        if known is None:
            raise error
        return known

    def close(self) -> None:
        """Release every model."""
        for model in self._open.values():
            model.close()
        self._open.clear()


def check_spec(role: str, spec: str, locations: Locations) -> None:
    """Refuse a spec that names no model here, without loading one. Raises Unavailable or BadInput."""
    from models.registry import find_embedder, resolve, trainable

    with translated(f"role {role}"):
        if role == "embed":
            find_embedder(spec)
        elif role == "base":
            trainable(spec, locations.weight_folders)
        else:
            resolve(spec, locations.weight_folders)


class translated:
    """Turn a ModelError into the engine's error of the same meaning."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModelError):
            made: type[EngineError] = BadInput if isinstance(error, WeightsInvalid | RequestInvalid) else Unavailable
            raise made(f"{self._where}: {error.title}", error.hint or "run: datatune doctor") from error


def absolute_spec(spec: str, base: Path) -> str:
    """A spec as the engine's own process can use it: a path is made absolute from the folder it was given in.

    A bare file name that is not there is left alone: it may lie in a weights folder.
    """
    name, mark, settings = spec.rpartition("#") if "#" in spec else (spec, "", "")
    settings = ",".join(_absolute_setting(setting, base) for setting in settings.split(","))
    if ":" in name.partition("/")[0]:
        head, _, tail = spec.partition(":")
        return f"{head}:{(base / Path(tail).expanduser()).resolve()}" if head == "scripted" else spec
    path = base / Path(name).expanduser()
    stays = not (name.endswith(".gguf") or "/" in name) or ("/" not in name and not path.exists())
    return f"{name if stays else path.resolve()}{mark}{settings}"


def _absolute_setting(setting: str, base: Path) -> str:
    name, _, value = setting.partition("=")
    if name.strip() != "adapter" or not value.strip():
        return setting
    from models.llama_cpp.options import adapter_setting, read_adapter

    return adapter_setting((base / Path(read_adapter(value.strip())).expanduser()).resolve())
