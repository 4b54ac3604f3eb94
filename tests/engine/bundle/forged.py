"""Bundles as a stranger would make them: taken apart, changed, and put together again so that sums and sizes fit."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Forged:
    """The parts of a bundle."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as bundle:
            self.content = {name: bundle.read(name) for name in bundle.namelist()}
        self.manifest: dict[str, Any] = json.loads(self.content.pop("manifest.json"))
        self.before: Callable[[zipfile.ZipFile], None] = lambda bundle: None
        """What is done to the zip before its entries are written."""
        self.sums: dict[str, str] = {}
        """SHA-256 that the manifest claims of an entry in place of its own."""

    def rows(self, table: str) -> list[Any]:
        """The rows of a table."""
        return [json.loads(line) for line in self.content[f"rows/{table}.jsonl"].splitlines()]

    def put_rows(self, table: str, rows: list[Any]) -> None:
        """Other rows in their place, counted in the manifest."""
        lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
        self.content[f"rows/{table}.jsonl"] = b"".join(line + b"\n" for line in lines)
        self.manifest["rows"][table] = len(rows)

    def change(self, table: str, number: int, column: int, value: Any) -> None:
        """One cell."""
        rows = self.rows(table)
        rows[number][column] = value
        self.put_rows(table, rows)

    def within(self, table: str, number: int, column: int, change: Callable[[Any], object]) -> None:
        """Something in the JSON of a cell."""
        value = json.loads(self.rows(table)[number][column])
        change(value)
        self.change(table, number, column, json.dumps(value))

    def write(self, path: Path) -> Path:
        """The bundle, its manifest true to its entries."""
        self.manifest["entries"] = [
            {"name": name, "bytes": len(data), "sha256": self.sums.get(name) or hashlib.sha256(data).hexdigest()}
            for name, data in self.content.items()
        ]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            self.before(bundle)
            for name, data in self.content.items():
                packed = zipfile.ZIP_STORED if name.startswith("files/") else zipfile.ZIP_DEFLATED
                bundle.writestr(zipfile.ZipInfo(name), data, packed)
            bundle.writestr("manifest.json", json.dumps(self.manifest))
        return path
