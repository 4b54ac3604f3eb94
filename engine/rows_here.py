"""Data sets on this machine by the name a run gives them: an id of the catalog, or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadInput, EngineError, Unavailable
from engine.records import RowSource
from engine.store.origins import DataSeen

if TYPE_CHECKING:
    from engine.catalog.catalog import Catalog
    from engine.catalog.layout import DataFolder


class RowsHere:
    """Opens data sets; each is scanned once."""

    def __init__(self, catalog: Catalog, cache: Path, seen: Mapping[str, DataSeen] | None = None) -> None:
        """`seen`: what data sets were on the machine a run comes from, for those that are not on this one."""
        self._catalog = catalog
        self._cache = cache
        self._seen = seen or {}
        self._scanned: dict[str, DataFolder] = {}

    def name(self, dataset: str) -> str:
        """What to call it: its id, or for a folder the folder's name. Raises Unavailable or BadInput."""
        try:
            return self._scan(dataset).dataset
        except (Unavailable, BadInput) as error:
            return self._known(dataset, error).label

    def splits(self, dataset: str) -> dict[str, tuple[str, ...]]:
        """Configs with their splits, in the data set's own order. Raises Unavailable or BadInput."""
        return {config.name: tuple(split.name for split in config.splits) for config in self._scan(dataset).configs}

    def rows(self, dataset: str, config: str, split: str) -> RowSource:
        """One split. Raises Unavailable or BadInput."""
        from engine.catalog.rows import open_rows

        return open_rows(self._scan(dataset), config, split, cache=self._cache)

    def revision(self, dataset: str) -> str:
        """What tells this state of the data from another: the Hub's commit, or a digest over all its files. Raises BadInput."""
        from engine.catalog.arrow_copy import files_digest

        try:
            data = self._scan(dataset)
        except (Unavailable, BadInput) as error:
            return self._known(dataset, error).revision
        files = (file for config in data.configs for split in config.splits for file in split.files)
        try:
            return data.revision or files_digest(Path(data.folder), files)
        except OSError as error:
            raise BadInput(
                f"{data.dataset}: {error.filename} cannot be read: {error.strerror}", "put the file back, or add the folder again"
            ) from error

    def unread(self, dataset: str) -> tuple[str, ...]:
        """Files of the data set that are not read, each with why; none for one that is not here."""
        try:
            return self._scan(dataset).notes
        except (Unavailable, BadInput):
            return ()

    def _known(self, dataset: str, error: EngineError) -> DataSeen:
        """What a data set that is not to be had here was elsewhere; the error where that is not known."""
        known = self._seen.get(dataset)
        if known is None:
            raise error
        return known

    def _scan(self, dataset: str) -> DataFolder:
        from engine.catalog import hub
        from engine.catalog.scan import scan_folder

        if dataset not in self._scanned:
            path = Path(dataset)
            if path.is_absolute():
                self._scanned[dataset] = scan_folder(path)
            elif self._catalog.knows(dataset):
                self._scanned[dataset] = self._catalog.data(dataset)
            else:
                # An id that was never catalogued may still lie in the Hub's cache; if not, this says how to fetch it.
                found = hub.cached_snapshot(dataset)
                self._scanned[dataset] = scan_folder(Path(found.path), dataset, within=Path(found.within), revision=found.revision)
        return self._scanned[dataset]
