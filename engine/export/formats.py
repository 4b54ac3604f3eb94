"""The files of an export that hold examples: JSON lines with sources, and the layouts that training programs read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from engine.records import Example, Split, Value

Format = Literal["parquet", "chat", "alpaca", "completion"]

EXAMPLES = "examples.jsonl"
PATHS: dict[Format, str] = {
    "parquet": "data/{}.parquet",
    "chat": "chat/{}.jsonl",
    "alpaca": "alpaca/{}.json",
    "completion": "completion/{}.jsonl",
}

ROW_GROUP = 1000
"""Rows in one Parquet row group: what is held in memory at a time, and fixed so that the bytes are."""


class Wording(Value):
    """The texts that some layouts put around an example."""

    system: str
    """System message of chats; "" leaves it out."""
    instruction: str
    """Instruction of Alpaca entries."""


class Files:
    """All files of examples under one folder, written side by side in one pass, in bounded memory."""

    def __init__(self, folder: Path, formats: Sequence[Format], splits: Sequence[Split], wording: Wording) -> None:
        self._stack = ExitStack()
        self._everything = _Lines(folder / EXAMPLES, self._stack, _with_source)
        self._by_split: dict[Split, list[_Writer]] = {split: [] for split in splits}
        for split in splits:
            for name in dict.fromkeys(formats):
                path = folder / PATHS[name].format(split)
                path.parent.mkdir(exist_ok=True)
                self._by_split[split].append(_writer(name, path, self._stack, wording))

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)

    def add(self, example: Example, split: Split) -> None:
        """Write one example everywhere it belongs."""
        self._everything.add(example)
        for writer in self._by_split[split]:
            writer.add(example)


def data_files(formats: Sequence[Format], splits: Sequence[Split]) -> dict[str, str]:
    """Split → file that `datasets.load_dataset` is to read: those of the first format, or all examples where there is none."""
    return {split: PATHS[formats[0]].format(split) for split in splits} if formats else {"train": EXAMPLES}


class _Writer(Protocol):
    def add(self, example: Example) -> None: ...


def _writer(name: Format, path: Path, stack: ExitStack, wording: Wording) -> _Writer:
    def chat(example: Example) -> Any:
        system = [{"role": "system", "content": wording.system}] if wording.system else []
        turns = [{"role": "user", "content": example.input}, {"role": "assistant", "content": example.output}]
        return {"messages": system + turns}

    def alpaca(example: Example) -> Any:
        return {"instruction": wording.instruction, "input": example.input, "output": example.output}

    def completion(example: Example) -> Any:
        return {"prompt": example.input, "completion": example.output}

    if name == "parquet":
        return _Parquet(path, stack)
    if name == "chat":
        return _Lines(path, stack, chat)
    if name == "alpaca":
        return _Array(path, stack, alpaca)
    return _Lines(path, stack, completion)


def _with_source(example: Example) -> dict[str, Any]:
    source = example.source
    origin: dict[str, Any] = {
        "dataset": source.dataset,
        "config": source.config,
        "split": source.split,
        "row": source.row,
        "revision": source.revision,
        "licence": source.licence,
    }
    if source.rows:
        origin["rows"] = source.rows
    if source.part:
        origin["part"] = source.part
    if source.synthetic:
        origin["model"] = source.model
    return {
        "input": example.input,
        "output": example.output,
        "output_origin": example.output_origin,
        "source": origin,
        "plan": example.plan,
    }


class _Lines:
    """One JSON object a line."""

    def __init__(self, path: Path, stack: ExitStack, render: Callable[[Example], Any]) -> None:
        self._file = stack.enter_context(path.open("wb"))
        self._render = render

    def add(self, example: Example) -> None:
        self._file.write(msgspec.json.encode(self._render(example)) + b"\n")


class _Array:
    """One JSON list, an entry a line."""

    def __init__(self, path: Path, stack: ExitStack, render: Callable[[Example], Any]) -> None:
        self._file = stack.enter_context(path.open("wb"))
        self._render = render
        self._between = b"[\n"
        stack.callback(self._end)

    def add(self, example: Example) -> None:
        self._file.write(self._between + msgspec.json.encode(self._render(example)))
        self._between = b",\n"

    def _end(self) -> None:
        self._file.write(b"[]\n" if self._between == b"[\n" else b"\n]\n")


class _Parquet:
    """One Parquet file with fixed settings, a row group at a time."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        places = pa.list_(pa.int64())
        text, number = pa.string(), pa.int64()
        source = pa.struct(
            {
                "dataset": text,
                "config": text,
                "split": text,
                "row": number,
                "revision": text,
                "licence": text,
                "rows": places,
                "part": places,
                "model": text,
            }
        )
        self._schema = pa.schema({"input": text, "output": text, "output_origin": text, "source": source, "plan": text})
        self._table = pa.Table
        self._file = stack.enter_context(pq.ParquetWriter(path, self._schema, version="2.6", compression="zstd", compression_level=3))
        self._rows: list[dict[str, Any]] = []
        stack.callback(self._write)

    def add(self, example: Example) -> None:
        row = _with_source(example)
        row["source"] = {"rows": (), "part": (), "model": "", **row["source"]}
        self._rows.append(row)
        if len(self._rows) == ROW_GROUP:
            self._write()

    def _write(self) -> None:
        if self._rows:
            self._file.write_table(self._table.from_pylist(self._rows, schema=self._schema), row_group_size=ROW_GROUP)
            self._rows.clear()
