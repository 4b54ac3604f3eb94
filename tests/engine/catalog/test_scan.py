"""Folders of data as configs and splits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.catalog.layout import DataFolder
from engine.catalog.scan import data_folders, folder_name, scan_folder
from engine.errors import BadInput


def _files(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def _shape(data: DataFolder) -> dict[str, dict[str, list[str]]]:
    return {config.name: {split.name: [file.path for file in split.files] for split in config.splits} for config in data.configs}


ROWS = '{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n'


def test_splits_come_from_file_and_folder_names(tmp_path: Path) -> None:
    _files(tmp_path, {"dev.jsonl": ROWS, "my_train_set.jsonl": ROWS, "testing/part.jsonl": ROWS, "TrainExtra.jsonl": ROWS})
    assert _shape(scan_folder(tmp_path)) == {
        "default": {"train": ["TrainExtra.jsonl", "my_train_set.jsonl"], "validation": ["dev.jsonl"], "test": ["testing/part.jsonl"]}
    }


def test_shards_stand_in_natural_order_and_make_one_split(tmp_path: Path) -> None:
    _files(tmp_path, {f"data/part-{number}.csv": "a,b\n1,2\n" for number in (10, 9, 1)})
    assert _shape(scan_folder(tmp_path)) == {"default": {"train": ["data/part-1.csv", "data/part-9.csv", "data/part-10.csv"]}}


def test_files_that_describe_the_data_never_become_rows(tmp_path: Path) -> None:
    _files(tmp_path, {"data.jsonl": ROWS, "meta.json": '[{"text": "m", "label": 2}]', "dataset_info.json": "{}", "index.json": "[]"})
    data = scan_folder(tmp_path)
    assert _shape(data) == {"default": {"train": ["data.jsonl"]}}
    assert any(note.startswith("meta.json") for note in data.notes)


def test_a_describing_file_alone_is_read(tmp_path: Path) -> None:
    _files(tmp_path, {"metadata.csv": "file,caption\na.png,a cat\n"})
    assert _shape(scan_folder(tmp_path)) == {"default": {"train": ["metadata.csv"]}}


def test_files_of_another_schema_become_a_config_of_their_own(tmp_path: Path) -> None:
    _files(tmp_path, {"train.jsonl": ROWS * 9, "authors.csv": "name,born\nA,1900\n", "test.jsonl": '{"text": "no label"}\n'})
    shape = _shape(scan_folder(tmp_path))
    assert shape == {"default": {"train": ["train.jsonl"], "test": ["test.jsonl"]}, "authors": {"train": ["authors.csv"]}}


def test_folders_and_files_named_after_languages_become_configs(tmp_path: Path) -> None:
    _files(tmp_path / "a", {"en/train.csv": "t,l\na,b\n", "de/train.csv": "t,l\nc,d\n", "de/test.csv": "t,l\nc,d\n"})
    assert _shape(scan_folder(tmp_path / "a")) == {
        "de": {"train": ["de/train.csv"], "test": ["de/test.csv"]},
        "en": {"train": ["en/train.csv"]},
    }
    _files(tmp_path / "b", {"en.csv": "t,l\na,b\n", "zh.csv": "t,l\nc,d\n"})
    assert set(_shape(scan_folder(tmp_path / "b"))) == {"en", "zh"}


def test_the_cards_own_configs_win_and_cannot_reach_outside(tmp_path: Path) -> None:
    card = """---
configs:
- config_name: small
  data_files: "data/few-*.csv"
- config_name: main
  default: true
  data_files:
  - split: train
    path: ["data/**/m?.csv", "../../outside.csv", "/etc/passwd"]
  - split: held
    path: data/{x,y}.csv
- config_name: gone
  data_files: nowhere.csv
---
"""
    csv = "t,l\na,b\n"
    _files(
        tmp_path / "set",
        {"README.md": card, "data/few-1.csv": csv, "data/in/m1.csv": csv, "data/x.csv": csv, "data/y.csv": csv, "left.csv": csv},
    )
    _files(tmp_path, {"outside.csv": csv})
    data = scan_folder(tmp_path / "set")
    assert _shape(data) == {
        "main": {"train": ["data/in/m1.csv"], "held": ["data/x.csv", "data/y.csv"]},
        "small": {"train": ["data/few-1.csv"]},
    }
    assert sum("outside" in note for note in data.notes) == 2
    assert any("gone" in note for note in data.notes)


def test_links_that_lead_outside_are_left_out(tmp_path: Path) -> None:
    _files(tmp_path, {"secret.csv": "a,b\n1,2\n", "set/train.csv": "a,b\n1,2\n"})
    (tmp_path / "set" / "test.csv").symlink_to(tmp_path / "secret.csv")
    data = scan_folder(tmp_path / "set")
    assert _shape(data) == {"default": {"train": ["train.csv"]}}
    assert "outside" in data.notes[0]
    wide = scan_folder(tmp_path / "set", within=tmp_path)
    assert _shape(wide)["default"].keys() == {"train", "test"}


def test_broken_and_empty_files_are_notes_and_alone_they_are_an_error(tmp_path: Path) -> None:
    _files(tmp_path, {"train.jsonl": ROWS, "bad.parquet": "no parquet", "empty.csv": "", "broken.json": "[{"})
    data = scan_folder(tmp_path)
    assert _shape(data) == {"default": {"train": ["train.jsonl"]}}
    assert {note.split(":")[0] for note in data.notes} == {"bad.parquet", "empty.csv", "broken.json"}
    (tmp_path / "train.jsonl").unlink()
    with pytest.raises(BadInput, match="no data that can be read"):
        scan_folder(tmp_path)


def test_a_loading_script_is_refused_in_plain_words(tmp_path: Path) -> None:
    _files(tmp_path, {"README.md": "# x", "thing.py": "raise SystemExit"})
    with pytest.raises(BadInput, match="never runs code"):
        scan_folder(tmp_path)


def test_what_save_to_disk_wrote_is_one_table_a_split(tmp_path: Path) -> None:
    import datasets

    whole = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"a": [1, 2]}), "test": datasets.Dataset.from_dict({"a": [3]})})
    whole.save_to_disk(str(tmp_path / "saved"))
    assert _shape(scan_folder(tmp_path / "saved")) == {"default": {"train": ["train/"], "test": ["test/"]}}
    state = tmp_path / "saved" / "train" / "state.json"
    state.write_text(json.dumps({"_data_files": [{"filename": "../../elsewhere.arrow"}]}))
    assert "train/" not in [
        file for splits in _shape(scan_folder(tmp_path / "saved")).values() for files in splits.values() for file in files
    ]


def test_one_file_is_a_data_set(tmp_path: Path) -> None:
    _files(tmp_path, {"things.csv": "a,b\n1,2\n", "other.csv": "c\n1\n"})
    data = scan_folder(tmp_path / "things.csv")
    assert data.dataset == "local/things"
    assert _shape(data) == {"default": {"train": ["things.csv"]}}


def test_unknown_configs_and_splits_are_answered_with_those_there_are(tmp_path: Path) -> None:
    data = scan_folder(_files(tmp_path, {"validation.csv": "a,b\n1,2\n"}))
    assert data.split().name == "validation"
    with pytest.raises(BadInput) as error:
        data.config("nope")
    assert "default" in error.value.hint
    with pytest.raises(BadInput) as error:
        data.split("default", "train")
    assert "validation" in error.value.hint


def test_a_collection_is_told_from_a_data_set(tmp_path: Path) -> None:
    csv = "a,b\n1,2\n"
    _files(
        tmp_path / "many",
        {"index.json": "[]", "README.md": "# all", "one/README.md": "# 1", "one/data.csv": csv, "two/README.md": "", "two/data.csv": csv},
    )
    assert [folder.name for folder in data_folders(tmp_path / "many")] == ["one", "two"]
    _files(tmp_path / "bare", {"x/data.jsonl": ROWS, "y/data.jsonl": ROWS})
    assert [folder.name for folder in data_folders(tmp_path / "bare")] == ["x", "y"]
    _files(tmp_path / "single", {"README.md": "# s", "data/train.csv": csv, "extra/more.csv": csv})
    assert data_folders(tmp_path / "single") == [tmp_path / "single"]
    _files(tmp_path / "split", {"train/a.csv": csv, "test/a.csv": csv})
    assert data_folders(tmp_path / "split") == [tmp_path / "split"]
    (tmp_path / "none").mkdir()
    for nothing in ("none", "absent"):
        with pytest.raises(BadInput):
            data_folders(tmp_path / nothing)


def test_a_folder_without_a_card_is_described_by_its_metadata(tmp_path: Path) -> None:
    _files(tmp_path, {"data.jsonl": ROWS, "meta.json": '{"Definition": ["Say whether the review is kind."], "id": 3}'})
    assert scan_folder(tmp_path).card.summary == "Say whether the review is kind."


def test_folder_names_are_safe_to_print(tmp_path: Path) -> None:
    odd = tmp_path / "a b\x1b[1m"
    odd.mkdir()
    assert folder_name(odd) == "local/a-b-1m"
