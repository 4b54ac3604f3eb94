"""What lies in an exported folder is what is on the disk now, whatever became of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.export import contents
from engine.export.contents import contents_of, what_is
from tests.engine.stages.house import House, notes

CARD = "---\nlicense: cc-by-4.0\nlanguage: en\n---\n# Weather notes\n\nSay what kind of weather a note speaks of: sun, rain or snow."


def test_every_file_of_an_export_is_listed_with_its_size_and_what_it_is(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.add("notes", notes(60), CARD)
    ending = house.pipeline(dataset="local/notes", options={"execute": {"examples": 20}})
    assert ending.exported is not None
    folder = Path(ending.exported.folder)
    written = contents_of(folder)
    assert written.there and not written.more
    assert {file.path: file.size for file in written.files} == {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()
    }
    assert all(file.what for file in written.files)
    assert [file.path for file in written.files[:3]] == ["README.md", "examples.jsonl", "manifest.json"]


def test_model_files_are_told_from_the_others(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name in (
        "model/tuned-Q8_0.gguf",
        "model/adapter.gguf",
        "model/Modelfile",
        "model/README.md",
        "model/adapter_model.safetensors",
        "odd.bin",
    ):
        (tmp_path / name).write_bytes(b"x" * 3)
    written = contents_of(tmp_path)
    what = {file.path: file.what for file in written.files}
    assert what["model/adapter.gguf"] == "LoRA adapter for llama.cpp" and what["model/Modelfile"].startswith("for Ollama")
    assert what["odd.bin"] == ""


def test_a_folder_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    assert not contents_of(tmp_path / "none").there


def test_a_folder_with_too_many_files_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_FILES", 5)
    for number in range(20):
        (tmp_path / f"{number:02}").write_text("")
    written = contents_of(tmp_path)
    assert len(written.files) == 5 and written.more == 5


def test_a_link_is_no_way_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x" * 1000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "file").symlink_to(outside / "secret")
    listed = {file.path: file.size for file in contents_of(folder).files}
    assert "link/secret" not in listed and listed["file"] < 1000


def test_names_of_plans_and_layouts_are_known() -> None:
    assert what_is("chat/train.jsonl") == "chat messages, train"
    assert what_is("plans/labels.toml") == "a plan that made them"
    assert what_is("deep/README.md") == ""
