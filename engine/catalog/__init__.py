"""The catalog: what data sets there are, which of them fit a task, and their rows.

`Catalog` keeps cards and folders and searches them; `scan_folder` says what lies in a folder and `open_rows` reads it;
`hub` finds data sets in the Hub's local cache and fetches one when the user asks; `starter_folders` and `starter_tasks`
are what is shipped. Everything is imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.catalog.card import Card, parse_card, read_card
    from engine.catalog.catalog import Catalog, Info, Refusal, Report
    from engine.catalog.index import Entry
    from engine.catalog.layout import Config, DataFile, DataFolder, Split
    from engine.catalog.pace import Progress
    from engine.catalog.rows import DataRows, open_rows, shown
    from engine.catalog.scan import data_folders, scan_folder
    from engine.catalog.search import Hit
    from engine.catalog.shipped import STARTER_PREFIX, starter_folders, starter_tasks

_ROOMS = {
    "Catalog": "catalog",
    "Hit": "search",
    "Report": "catalog",
    "Refusal": "catalog",
    "Info": "catalog",
    "Progress": "pace",
    "Entry": "index",
    "Card": "card",
    "parse_card": "card",
    "read_card": "card",
    "scan_folder": "scan",
    "data_folders": "scan",
    "DataFolder": "layout",
    "Config": "layout",
    "Split": "layout",
    "DataFile": "layout",
    "open_rows": "rows",
    "DataRows": "rows",
    "shown": "rows",
    "starter_folders": "shipped",
    "starter_tasks": "shipped",
    "STARTER_PREFIX": "shipped",
}

__all__ = [
    "Catalog",
    "Hit",
    "Report",
    "Refusal",
    "Info",
    "Progress",
    "Entry",
    "Card",
    "parse_card",
    "read_card",
    "scan_folder",
    "data_folders",
    "DataFolder",
    "Config",
    "Split",
    "DataFile",
    "open_rows",
    "DataRows",
    "shown",
    "starter_folders",
    "starter_tasks",
    "STARTER_PREFIX",
]


def __getattr__(name: str) -> object:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{room}"), name)
