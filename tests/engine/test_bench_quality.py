from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.bench_quality import CASES, bench_leakage, clean_examples, items_in
from engine.cli.bench import bench
from engine.errors import BadInput
from tests.engine.quality.pairs import sentences


def _folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    options = sentences(160, words=2, seed=5)
    items = [
        {"input": text, "target_scores": {option: int(at == 1) for at, option in enumerate(options[4 * place : 4 * place + 4])}}
        for place, text in enumerate(sentences(40, seed=4))
    ]
    (tmp_path / "tests" / "one").mkdir(parents=True)
    (tmp_path / "tests" / "one" / "task.json").write_text(json.dumps({"name": "one", "examples": items}), encoding="utf-8")
    clean = tmp_path / "clean.jsonl"
    rows = [{"input": text, "output": "x", "source": f"s{place % 3}"} for place, text in enumerate(sentences(300, words=25, seed=6))]
    clean.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    labelled = tmp_path / "labelled.jsonl"
    told = [("Where did you put the keys?", "en"), ("Wo hast du die Schlüssel hingelegt?", "de"), ("Куда ты положил ключи?", "ru")]
    labelled.write_text("\n".join(json.dumps({"text": text, "language": language}) for text, language in told), encoding="utf-8")
    return tmp_path / "tests", clean, labelled


def test_hidden_items_are_found_in_every_case_and_clean_examples_stay(tmp_path: Path) -> None:
    folder, clean, _ = _folders(tmp_path)
    (found,) = items_in(folder)
    assert found[0].text().count("\n(") == 4 and found[0].answer == found[0].options[1]
    planted = bench_leakage(folder, clean_examples(clean), lambda line: None)
    assert [one.case for one in planted] == [*CASES]
    assert all(one.items == 20 and one.found >= (0.9 if "two" in one.case else 1) and one.clean_removed == 0 for one in planted)
    assert all(one.siblings == 20 and one.siblings_removed == 0 for one in planted)


def test_the_command_measures_what_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, clean, labelled = _folders(tmp_path)
    given = ["--examples", "1000", "--compared", "200", "--clean", str(clean), "--test", str(folder), "--labelled", str(labelled)]
    assert bench.main(["quality", *given, "--json"], standalone_mode=False) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["repeats"]["recall"] > 0.95 and found["repeats"]["examples"] == 1000 and found["language"]["right"] == 1
    assert bench.main(["quality", "--examples", "1000", "--compared", "200"], standalone_mode=False) == 0
    shown = capsys.readouterr().out
    assert "1,000 made examples" in shown and "HIDDEN" not in shown


def test_files_that_hold_nothing_are_told(tmp_path: Path) -> None:
    folder, clean, _ = _folders(tmp_path)
    with pytest.raises(BadInput, match="--test needs --clean"):
        bench.main(["quality", "--test", str(folder)], standalone_mode=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="nothing to hide"):
        bench_leakage(tmp_path / "empty", clean_examples(clean), lambda line: None)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"input": "a"}\n{', encoding="utf-8")
    with pytest.raises(BadInput, match="line 2 is not JSON"):
        clean_examples(broken)
