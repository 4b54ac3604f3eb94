"""Settings: what is read, what is said of what is wrong, and that a change leaves everything else as it was."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import parse_setting
from engine.errors import BadInput
from engine.locations import Locations, locate
from engine.options import Option, options_of, read_value, written
from engine.settings import Settings, change_settings, examine, merged, read_settings
from engine.stages import STAGE_NAMES

WRITTEN = """\
# how I like it
[execute]
# a small model is enough
examples = 500   # for a first look
temperature = 0.5

[models]
default = "./weights/mine.gguf"
plan = "smollm2"

[keys]
"home.new" = "a"
run.resume = "f5,r"

[screens]
theme = "light"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_it_lies_in_the_platforms_folder_or_where_everything_was_moved(tmp_path: Path) -> None:
    assert locate({"DATATUNE_HOME": str(tmp_path)}).settings == tmp_path / "settings.toml"
    assert locate({}).settings.name == "settings.toml" and locate({}).settings.parent != locate({}).home


def test_no_file_is_no_settings(file: Path) -> None:
    assert read_settings(Locations(file.parent)) == Settings()


def test_what_is_written_is_read(file: Path) -> None:
    file.write_text(WRITTEN, encoding="utf-8")
    found = read_settings(Locations(file.parent))
    assert found.options == {"execute": {"examples": 500, "temperature": 0.5}}
    assert found.models == {"default": str(file.parent / "weights" / "mine.gguf"), "plan": "smollm2"}
    assert found.theme == "light" and found.keys == {"home.new": "a", "run.resume": "f5,r"}
    assert examine(file, screens_only=True).settings == Settings(theme="light", keys=found.keys)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[execute]\nexamples =\n", 2, "not valid TOML"),
        ("[execute]\nexamples = 1\n[execute]\n", 3, "not valid TOML"),
        ('[keys]\na = "', 2, "not valid TOML"),
        ("[execute]\n\nexamples = 0\n", 3, "execute.examples: expected `int` >= 1"),
        ("[execute]\nexampels = 9\n", 2, "did you mean 'examples'?"),
        ("execute.max_tokens = 'x'\n", 1, "execute.max_tokens: expected `int`"),
        ("\n[exekute]\nexamples = 9\n", 2, "did you mean 'execute'?"),
        ("execute = 3\n", 1, "execute is a table"),
        ("[models]\nplanner = 'smollm2'\n", 2, "unknown role 'planner'"),
        ("[models]\nplan = 3\n", 2, "models.plan: expected `str`"),
        ("[models]\nplan = ' '\n", 2, "models.plan is empty"),
        ("[screens]\ntheme = 'drak'\n", 2, "did you mean 'dark'?"),
        ("[screens]\ncolour = 'dark'\n", 2, "unknown key screens.colour"),
        ("[keys]\n'run.resume' = 5\n", 2, "keys.run.resume: expected `str`"),
        ("[keys]\nrun.x = 'a'\nrun.resume = ['a']\n", 3, "keys.run.resume: expected `str`"),
        ("[schema.roles]\ntext = 'nothing'\n", 1, "schema.roles"),
    ],
)
def test_what_is_wrong_is_one_line_naming_file_and_line(file: Path, text: str, line: int, said: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_settings(Locations(file.parent))
    assert caught.value.title.startswith(f"{file}, line {line}: ") and said in caught.value.title
    assert "\n" not in caught.value.title


def test_what_is_right_is_used_where_something_else_is_wrong(file: Path) -> None:
    file.write_text("[execute]\nexamples = 7\nmax_tokens = 'x'\n[plan]\nmood = 1\n", encoding="utf-8")
    examined = examine(file)
    assert examined.settings.options == {"execute": {"examples": 7}}
    assert [line.partition(": ")[0] for line in examined.wrong] == [f"{file}, line 3", f"{file}, line 5"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[execute]\nexamples = \n"])
def test_a_file_that_cannot_be_read_is_never_written_over(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(BadInput, match="not "):
        change_settings(file, {"execute.examples": 9})
    assert file.read_bytes() == content and [one.name for one in file.parent.iterdir() if one.suffix == ".toml"] == ["settings.toml"]


def test_a_folder_in_its_place_is_said(file: Path) -> None:
    file.mkdir()
    with pytest.raises(BadInput, match="cannot be read"):
        read_settings(Locations(file.parent))


def test_a_change_leaves_comments_order_and_everything_else(file: Path) -> None:
    file.write_text(WRITTEN + "[tomorrow]\nx = 1\n", encoding="utf-8")
    file.chmod(0o600)
    assert change_settings(file, {"execute.examples": 700, "keys.run.resume": "f6"}) == ()
    before, after = WRITTEN.splitlines(), file.read_text(encoding="utf-8").splitlines()
    assert after[:3] == before[:3] and after[3] == "examples = 700   # for a first look" and after[4:12] == before[4:12]
    assert after[-2:] == ["[tomorrow]", "x = 1"] and examine(file).settings.keys == {"home.new": "a", "run.resume": "f6"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert change_settings(file, {"execute.examples": None, "execute.temperature": None, "tomorrow": None, "plan.mode": None}) == (
        "plan.mode",
    )
    assert "# a small model is enough" in file.read_text(encoding="utf-8")
    assert not examine(file).wrong and not examine(file).settings.options


def test_a_table_that_holds_nothing_any_more_goes(file: Path) -> None:
    change_settings(file, {"retrieve.exclude": ("a/b", "c"), "screens.theme": "light"})
    assert examine(file).settings == Settings(options={"retrieve": {"exclude": ["a/b", "c"]}}, theme="light")
    change_settings(file, {"retrieve.exclude": None, "screens.theme": None})
    assert file.read_text(encoding="utf-8").strip() == ""


def test_where_the_file_is_a_link_the_link_stays(file: Path) -> None:
    kept = file.with_name("elsewhere.toml")
    kept.write_text(WRITTEN, encoding="utf-8")
    file.symlink_to(kept)
    change_settings(file, {"execute.examples": 9})
    assert file.is_symlink() and "examples = 9" in kept.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("execute.examples", 0),
        ("execute.exampels", 3),
        ("keys.run.resume", ""),
        ("screens.theme", "blue"),
        ("models.x", "y"),
        ("bogus.x", 1),
    ],
)
def test_a_change_that_is_wrong_is_refused_and_nothing_is_written(file: Path, name: str, value: Any) -> None:
    with pytest.raises(BadInput):
        change_settings(file, {"execute.max_tokens": 99, name: value})
    assert not file.exists()


def test_a_disk_that_takes_nothing_loses_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(WRITTEN, encoding="utf-8")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.settings.os.fsync", full)
    with pytest.raises(BadInput, match="No space left"):
        change_settings(file, {"execute.examples": 9})
    assert file.read_text(encoding="utf-8") == WRITTEN
    assert {one.name for one in file.parent.iterdir()} <= {"settings.toml", ".settings.toml.lock"}


def test_a_task_file_comes_before_the_settings() -> None:
    settings = Settings(options={"execute": {"examples": 5, "max_tokens": 64}, "plan": {"verify": False}})
    found = merged(settings, {"execute": {"examples": 7}, "rerank": {"votes": 1}})
    assert found == {"execute": {"examples": 7, "max_tokens": 64}, "plan": {"verify": False}, "rerank": {"votes": 1}}


# ── options as values ─────────────────────────────────────────────────────────────────────────────────────

OPTIONS = [option for stage in STAGE_NAMES for option in options_of(stage)]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_the_default_of_every_option_is_written_so_that_it_is_read_again(option: Option) -> None:
    read, default = read_value(option, written(option.default)), option.default
    assert read == (list(default) if isinstance(default, tuple) else default)
    assert option.help and option.takes
    if option.kind in ("whole", "number"):
        assert option.least is not None and option.most is not None
        for outside in (option.least - 1, option.most + 1):
            with pytest.raises(BadInput, match="it takes"):
                read_value(option, written(int(outside) if option.kind == "whole" else outside))


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), max_size=4))
def test_a_list_of_texts_is_written_so_that_it_is_read_again(texts: list[str]) -> None:
    option = next(one for one in OPTIONS if one.key == "retrieve.exclude")
    assert list(read_value(option, written(texts))) == texts


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), st.sampled_from(["input", "output"]), max_size=3)
)
def test_a_table_is_written_so_that_it_is_read_again(roles: dict[str, str]) -> None:
    option = next(one for one in OPTIONS if one.key == "schema.roles")
    assert read_value(option, written(roles)) == roles


def test_an_empty_text_is_told_from_none() -> None:
    option = next(one for one in OPTIONS if one.key == "export.system")
    assert read_value(option, "") is None and read_value(option, '""') == "" and read_value(option, "Be brief.") == "Be brief."


def test_a_value_on_the_command_line_and_in_a_field_is_the_same() -> None:
    option = next(one for one in OPTIONS if one.key == "schema.config")
    assert read_value(option, "2024") == parse_setting("schema.config=2024")[2] == "2024"
