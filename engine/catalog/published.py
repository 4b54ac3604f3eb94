"""Cards as somebody published them: on the Hub, or in a dump of it as JSON Lines or Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from engine.catalog.prose import printable
from engine.catalog.text_file import open_text
from engine.errors import BadInput
from engine.records import Value

IDS = ("id", "datasetId", "dataset_id")
MARKDOWNS = ("card_markdown", "card", "readme", "markdown")
"""Names that dumps give an id and a card, ours first."""
ROWS_AT_ONCE = 200


class Published(Value, frozen=True):
    """One card from outside."""

    dataset: str
    markdown: str
    downloads: int = 0
    revision: str = ""
    """The Hub's commit; "" where it is not known."""


Refuse = Callable[[str, str], None]
"""Takes what does not go in, and why."""


def read_dump(path: Path, refuse: Refuse) -> Iterator[Published]:
    """The cards of a dump, each id once; `refuse` gets every line that is none. Raises BadInput when the file cannot be read."""
    if not path.is_file():
        raise BadInput(f"There is no file {path}", "Give a JSON Lines or Parquet file of cards.")
    records = _of_parquet(path) if path.suffix.lower() == ".parquet" else _of_lines(path)
    seen: set[str] = set()
    for place, record in records:
        published = _published(record)
        if published is None:
            refuse(place, "no object with an id")
            continue
        reason = unfit_id(published.dataset)
        if not reason and not isinstance(published.markdown, str):
            reason = "the card is no text"
        if not reason and published.dataset in seen:
            reason = "the same id stands in the file twice; the first is kept"
        if reason:
            refuse(printable(str(published.dataset))[:120] or place, reason)
            continue
        seen.add(published.dataset)
        yield published


def unfit_id(dataset: object) -> str:
    """Why an id from outside cannot be used, or ""."""
    if not isinstance(dataset, str) or not dataset.strip():
        return "the id is no text or empty"
    if len(dataset) > 200 or not all(part and part.strip(".") for part in dataset.split("/")) or dataset.count("/") > 1:
        return "the id is no name of the form name or owner/name"
    if printable(dataset) != dataset or any(letter.isspace() or letter in '\\:*?"<>|' for letter in dataset):
        return "the id holds characters no id has"
    if dataset.startswith(("local/", "starter/")):
        return "ids that start with local/ or starter/ are for folders of this machine"
    return ""


def _published(record: Any) -> Published | None:
    if not isinstance(record, dict) or not any(name in record for name in IDS):
        return None
    downloads = record.get("downloads")
    revision = record.get("sha") or record.get("revision")
    return Published(
        dataset=_first(record, IDS),
        markdown="" if (markdown := _first(record, MARKDOWNS)) is None else markdown,
        downloads=int(downloads) if isinstance(downloads, int | float) and abs(downloads) < 1e15 else 0,
        revision=revision if isinstance(revision, str) else "",
    )


def _first(record: dict[str, Any], names: Iterable[str]) -> Any:
    return next((record[name] for name in names if name in record), None)


def _of_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError):
                yield f"line {number}", None


def _of_parquet(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name in (*IDS, *MARKDOWNS, "downloads", "sha", "revision")]
            if not set(names) & set(IDS) or not set(names) & set(MARKDOWNS):
                raise BadInput(
                    f"{path.name} has no columns for ids and cards", f"Expected {' or '.join(IDS)}, and {' or '.join(MARKDOWNS)}."
                )
            number = 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
                for record in batch.to_pylist():
                    number += 1
                    yield f"row {number}", record
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path.name} cannot be read: {str(error).splitlines()[0][:200]}") from error
