"""What a person says of data sets while looking for them: use this one, put that one first, never that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from datatune_tui.panels.panel import with_options
from engine.store.runs import RunSettings

Mark = Literal["used", "preferred", "excluded"]


class Marks(NamedTuple):
    """Marks for the next task; a task file holds them as `task.dataset` and `[retrieve] prefer, exclude`."""

    dataset: str = ""
    """Used instead of finding one; "" finds one."""
    prefer: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def of(self, dataset: str) -> Mark | None:
        """What was said of a data set."""
        if dataset and dataset == self.dataset:
            return "used"
        return "preferred" if dataset in self.prefer else "excluded" if dataset in self.exclude else None

    def toggled(self, dataset: str, mark: Mark) -> Marks:
        """Say this of a data set, instead of what was said before; the same again takes it back."""
        rest = self.without(dataset)
        if self.of(dataset) == mark:
            return rest
        if mark == "used":
            return rest._replace(dataset=dataset)
        if mark == "preferred":
            return rest._replace(prefer=(*rest.prefer, dataset))
        return rest._replace(exclude=(*rest.exclude, dataset))

    def without(self, dataset: str) -> Marks:
        """Nothing said of a data set."""
        return Marks(
            "" if dataset == self.dataset else self.dataset,
            tuple(one for one in self.prefer if one != dataset),
            tuple(one for one in self.exclude if one != dataset),
        )

    def all(self) -> list[tuple[Mark, str]]:
        """Every mark with its data set."""
        used: list[tuple[Mark, str]] = [("used", self.dataset)] if self.dataset else []
        return [*used, *(("preferred", one) for one in self.prefer), *(("excluded", one) for one in self.exclude)]

    def __str__(self) -> str:
        counts = (f"{len(self.prefer)} preferred" if self.prefer else "", f"{len(self.exclude)} excluded" if self.exclude else "")
        return ", ".join(filter(None, (f"{self.dataset} is used" if self.dataset else "", *counts)))


def marks_of(dataset: str, retrieve: Mapping[str, Any]) -> Marks:
    """The marks in a task file."""
    prefer, exclude = (tuple(map(str, retrieve.get(name, ()))) for name in ("prefer", "exclude"))
    return Marks(dataset, prefer, exclude)


def with_marks(settings: RunSettings, marks: Marks) -> RunSettings:
    """The settings of a run with these marks added to its own."""
    before = marks_of("", settings.options.get("retrieve", {}))
    prefer = [one for one in dict.fromkeys((*before.prefer, *marks.prefer)) if one not in marks.exclude]
    exclude = [one for one in dict.fromkeys((*before.exclude, *marks.exclude)) if one not in marks.prefer]
    settings = with_options(settings, "retrieve", prefer=prefer or None, exclude=exclude or None)
    if marks.dataset and marks.dataset != settings.dataset:
        # The plan was for the columns of another data set.
        settings = msgspec.structs.replace(settings, dataset=marks.dataset, plan="")
    return settings
