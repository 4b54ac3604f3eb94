"""A data set on this machine: its configs, their splits, and the files each is made of."""

from __future__ import annotations

from typing import Literal

from engine.catalog.card import Card, Feature
from engine.errors import BadInput
from engine.records import Value

Format = Literal["delimited", "lines", "array", "columns", "keyed", "sheet", "parquet", "arrow", "saved"]


class DataFile(Value, frozen=True):
    """One table in one file."""

    path: str
    """Relative to the folder, with forward slashes; for "saved" the folder `save_to_disk` wrote."""
    format: Format
    part: str = ""
    """Sheet of a workbook, or key of a JSON object the rows lie under."""
    columns: tuple[str, ...] = ()
    """Names seen in its first rows."""
    size: int = 0
    """Bytes."""


class Split(Value, frozen=True):
    """Files of one split, in row order."""

    name: str
    files: tuple[DataFile, ...]


class Config(Value, frozen=True):
    """One table of the data set, in splits."""

    name: str
    splits: tuple[Split, ...]
    features: tuple[Feature, ...] = ()
    """As card or `dataset_info.json` declare them."""


class DataFolder(Value, frozen=True):
    """A data set on this machine."""

    dataset: str
    folder: str
    """Absolute."""
    within: str
    """Links may lead no further than here."""
    configs: tuple[Config, ...]
    """The one meant when none is named comes first."""
    card: Card
    revision: str = ""
    """Commit, where the folder is a snapshot of the Hub; else the rows' reader computes a digest."""
    notes: tuple[str, ...] = ()
    """Files left out and why, one line each."""

    def config(self, name: str = "") -> Config:
        """The named config, or the first. Raises BadInput naming those there are."""
        if not name:
            return self.configs[0]
        for config in self.configs:
            if config.name == name:
                return config
        raise BadInput(f"{self.dataset} has no config {name!r}", f"It has: {_listed([config.name for config in self.configs])}.")

    def split(self, config: str = "", name: str = "") -> Split:
        """The named split, or train, or the first. Raises BadInput naming those there are."""
        chosen = self.config(config)
        for split in chosen.splits:
            if split.name == (name or "train"):
                return split
        if not name:
            return chosen.splits[0]
        raise BadInput(f"{self.dataset} has no split {name!r}", f"{chosen.name} has: {_listed([split.name for split in chosen.splits])}.")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
