"""datatune try: inputs typed or piped, answers side by side."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.cli.conftest import Datatune, Said
from tests.engine.cli.test_evaluate import TASK, script
from tests.engine.cli.trained import train
from tests.engine.stages.house import House

Typing = Callable[..., Said]


class Terminal(io.StringIO):
    """Standard input that somebody types into."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def task(tmp_path: Path) -> Path:
    (tmp_path / "task.toml").write_text(TASK.replace('test = "test.jsonl"\n', ""))
    return tmp_path / "task.toml"


@pytest.fixture
def good(tmp_path: Path) -> str:
    return script(tmp_path, "good", (r"poured[^\n]*$", "[-3, -0.1]"), (r"beach[^\n]*$", "[-0.1, -3]"), ("", "[-1, -1]"))


@pytest.fixture
def typed(datatune: Datatune, monkeypatch: pytest.MonkeyPatch) -> Typing:
    """`datatune try` with somebody typing these lines."""

    def run(lines: str, *arguments: object) -> Said:
        left = iter(lines.split("\n"))

        def read(prompt: str = "") -> str:
            return next_of(left)

        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr("builtins.input", read)
        return datatune("try", *arguments)

    return run


def next_of(lines: Iterator[str]) -> str:
    try:
        return next(lines)
    except StopIteration:
        raise EOFError from None


@pytest.fixture
def piped(datatune: Datatune, monkeypatch: pytest.MonkeyPatch) -> Typing:
    """`datatune try` with bytes from a file."""

    def run(data: bytes, *arguments: object) -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))
        return datatune("try", *arguments)

    return run


def test_each_line_is_an_input_with_a_bar_for_every_label(piped: Typing, task: Path, good: str) -> None:
    said = piped(b"It poured.\n\nThe beach again.\r\n", task, "--base", good)
    assert said.code == 0 and "base: good, 2-shot, chat" in said.err
    rain, sun = said.out.split("› ")[1:]
    assert rain.startswith("It poured.\nbase     rain\n") and sun.startswith("The beach again.\nbase     sun\n")
    assert "sun   █░░░░░░░░░░░░░░░░░░░   5.2%  log-probability -3.00" in rain
    assert "rain  ███████████████████░  94.8%  log-probability -0.10" in rain


def test_for_programs_each_input_is_a_line_of_json(piped: Typing, task: Path, good: str, tmp_path: Path) -> None:
    weak = script(tmp_path, "weak", ("", "[-0.1, -3]"))
    said = piped("It poured, naïvely.\n".encode(), task, "--model", weak, "--base", good, "--json")
    (line,) = said.out.splitlines()
    found = json.loads(line)
    assert found["input"] == "It poured, naïvely." and [one["side"] for one in found["answers"]] == ["model", "base"]
    assert [one["answer"] for one in found["answers"]] == ["sun", "rain"]
    assert sum(one["share"] for one in found["answers"][0]["weighed"]) == pytest.approx(1)
    alone = piped(b"It poured.\n", task, "--model", weak, "--no-base", "--json")
    assert [one["side"] for one in json.loads(alone.out)["answers"]] == ["model"]


def test_an_input_of_several_lines_ends_with_an_empty_one(typed: Typing, task: Path, good: str, tmp_path: Path) -> None:
    said = typed("First a storm.\nThen it poured.\n\n:quit\nnever read", task, "--base", good)
    assert said.code == 0 and said.out.startswith("base     rain") and said.out.count("base ") == 1
    assert "First a storm.\\nThen it poured." in (tmp_path / "good.log").read_text()


def test_commands_are_told_from_inputs(typed: Typing, task: Path, good: str, tmp_path: Path) -> None:
    weak = script(tmp_path, "weak", ("", "[-0.1, -3]"))
    lines = ":help\n:examples\n:base\nIt poured.\n\n:base\nIt poured.\n\n:nonsense\n :help is an input\n\n"
    said = typed(lines, task, "--model", weak, "--base", good)
    assert said.code == 0 and said.err.count("an empty line ends it") == 3, "when it begins, when asked, and after what is no command"
    assert "The beach was full.\n  → sun" in said.err and "without the base" in said.err and "no command :nonsense" in said.err
    assert said.out.count("model ") == 3 and said.out.count("base ") == 2


def test_the_end_of_input_ends_it_with_what_was_typed(typed: Typing, task: Path, good: str) -> None:
    assert typed("It poured.", task, "--base", good).out.startswith("base     rain")
    assert typed("", task, "--base", good).out == ""


def test_what_a_model_writes_is_plain_text(piped: Typing, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text('[task]\ndescription = "Write."\n')
    rogue = script(tmp_path, "rogue", ("", "\x1b[2Jone\n\x07[bold]two"))
    assert piped(b"go\n", tmp_path / "task.toml", "--base", rogue).out == "› go\nbase     [2Jone\n         [bold]two\n"
    odd = piped(b"\xff\xfe go\n", tmp_path / "task.toml", "--base", rogue)
    assert odd.code == 0 and "two" in odd.out, "bytes that are no text are no reason to end"


def test_an_answer_that_does_not_come_is_said_and_the_next_is_asked(piped: Typing, task: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.json"
    rules = [{"match": "storm", "text": "no answer today", "finish": "error"}, {"match": "", "text": "[-1, -2]"}]
    odd.write_text(json.dumps({"name": "odd", "rules": rules}))
    said = piped(b"A storm.\nCalm.\n" + b"x" * 200_001 + b"\n", task, "--base", f"scripted:{odd}", "--shots", "0")
    assert "no answer: no answer today" in said.out and "base     sun" in said.out
    assert "200,001 characters is too long" in said.err


def test_the_model_a_run_trained_stands_beside_its_base(piped: Typing, house: House, finished: str) -> None:
    train(house, finished)
    said = piped(b"It froze.\n", finished, "--json")
    trained, base = json.loads(said.out)["answers"]
    assert trained["side"] == "trained" and trained["model"] == "tiny.gguf + adapter.gguf" and trained["setting"] == "0-shot, as trained"
    assert base["side"] == "base" and base["model"] == "tiny.gguf" and base["setting"] == "2-shot, chat"
    assert {one["label"] for one in trained["weighed"]} == {"sun", "rain", "snow"}
    calls = house.connection.execute("SELECT count(*) FROM calls").fetchone()[0]
    again = piped(b"It froze.\n", finished, "--json")
    assert again.out == said.out and house.connection.execute("SELECT count(*) FROM calls").fetchone()[0] == calls
