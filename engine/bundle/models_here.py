"""The models a bundled run names, as this machine has them: the bundle's weights, the same files here, or a word on what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.bundle.archive import Archive
from engine.bundle.contents import Weights, WeightsFile
from engine.locations import Locations
from engine.plain_text import one_line
from engine.store.origins import ModelSeen
from engine.store.runs import RunSettings
from models.errors import ModelError


class ModelsHere:
    """Spec of the other machine → spec of this one."""

    def __init__(self, archive: Archive, settings: RunSettings, locations: Locations, placed: Mapping[str, Path]) -> None:
        """`placed`: where the bundle's files go, by entry."""
        manifest = archive.manifest
        self._named = manifest.weights
        self._locations = locations
        sums = {entry.name: entry.sha256 for entry in manifest.entries}
        self._placed = {sums[file.entry]: placed[file.entry] for file in manifest.files if isinstance(file, WeightsFile)}
        self._specs = {spec: self._here(spec) for spec in {*settings.models.values(), *(one.spec for one in manifest.weights)}}
        self._settings = settings
        self.models = self._roles()
        """Role → spec, as this machine has it."""

    def seen(self, seen: Mapping[str, ModelSeen]) -> dict[str, ModelSeen]:
        """What models were, by the spec that names them here."""
        return {self._specs.get(spec, spec): model for spec, model in seen.items()}

    def servers(self) -> list[str]:
        """What a person should know before a run or a prediction asks one: roles whose model is a server."""
        return [f"{role}: {one_line(spec, 120)}" for role, spec in self.models.items() if spec.strip().startswith("openai:")]

    def missing(self) -> list[str]:
        """Roles whose model is not on this machine, each with what it was."""
        return [
            f"{role}: {one_line(self._settings.models.get(role, spec), 120)}"
            for role, spec in self.models.items()
            if not self._is_here(role, spec)
        ]

    def _roles(self) -> dict[str, str]:
        models = {role: self._specs[spec] for role, spec in self._settings.models.items()}
        # A model that nobody named, since it comes with an install: named now where this install has none and the bundle brings it.
        if "default" not in models and (spec := self._specs.get("smollm2", "smollm2")) != "smollm2":
            models["default"] = spec
        return models

    def _here(self, spec: str) -> str:
        if spec in ("smollm2", "minilm") and self._resolves(spec):
            return spec
        wanted = [one for one in self._named if one.spec == spec]
        found: dict[str, Path] = {one.part: path for one in wanted if (path := self._file(one)) is not None}
        if "model" not in found:
            return spec
        mark, settings = spec.rpartition("#")[1:] if "#" in spec else ("", "")
        changed = (self._setting(setting, found) for setting in settings.split(","))
        return f"{found['model']}{mark}{','.join(changed)}"

    def _setting(self, setting: str, found: Mapping[str, Path]) -> str:
        name, equals, _ = setting.partition("=")
        return f"{name}{equals}{found['adapter']}" if name.strip() == "adapter" and "adapter" in found else setting

    def _file(self, wanted: Weights) -> Path | None:
        """The file of this content: the bundle's, or one that lies here among weights."""
        from models.weights import digest

        if wanted.sha256 in self._placed:
            return self._placed[wanted.sha256]
        for path in _files(self._locations.weight_folders):
            if path.stat().st_size == wanted.bytes and digest(path, self._locations.cache) == wanted.sha256:
                return path
        return None

    def _is_here(self, role: str, spec: str) -> bool:
        if Path(spec.rpartition("#")[0] or spec) in self._placed.values():
            return True
        return self._resolves(spec, role)

    def _resolves(self, spec: str, role: str = "") -> bool:
        from models.registry import find_embedder, resolve, trainable

        try:
            if role == "embed" or spec == "minilm":
                find_embedder(spec)
            elif role == "base":
                trainable(spec, self._locations.weight_folders)
            else:
                resolve(spec, self._locations.weight_folders)
        except ModelError:
            return False
        return True


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from sorted(path.resolve() for path in folder.rglob("*.gguf") if path.is_file())
