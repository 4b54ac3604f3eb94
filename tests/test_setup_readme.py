"""The README keeps up with the code: every command, stage, plan step, exit code and make target it should name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

from engine.errors import ExitCode
from engine.plan.steps import AnyStep
from engine.stages import STAGE_NAMES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_it_opens_with_the_two_commands() -> None:
    first = blocks("sh", README)[0].splitlines()
    assert [line.partition("#")[0].strip() for line in first] == ["make demo", "make test"]


def test_every_step_of_the_plan_language_is_explained_and_no_other() -> None:
    tags = {str(step.__struct_config__.tag) for step in get_args(AnyStep)}
    assert set(re.findall(r"^\| `(\w+)` \|", section("The plan language"), re.MULTILINE)) == tags


def test_every_stage_is_explained_in_order() -> None:
    assert tuple(re.findall(r"^\| (\w+) \|", section("What it does"), re.MULTILINE)[1:]) == STAGE_NAMES


def test_every_exit_code_is_named() -> None:
    told = section("Commands").partition("Exit codes:")[2]
    assert {int(code) for code in re.findall(r"(?:^|· )\s*(\d+) ", told)} >= {int(code) for code in ExitCode}


def test_every_command_is_explained_and_no_other() -> None:
    from engine.cli import datatune

    told = set(re.findall(r"`datatune ([a-z-]+)", section("Commands")))
    assert told == set(datatune.commands)


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", README)) <= targets


def test_its_task_file_is_one_that_can_be_run() -> None:
    from engine.config import parse_task

    task = parse_task(blocks("toml", section("Task file"))[0], "README.md")
    assert task.task.examples


def test_its_plan_can_be_read() -> None:
    from engine.plan.file import read_plan

    plan = read_plan(blocks("toml", section("The plan language"))[0])
    assert plan.emit


def test_pinned_versions_in_its_commands_are_the_ones_in_the_constraints() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    named = re.findall(r"[a-z0-9-]+==[0-9.]+[0-9]", README)
    assert named
    assert set(named) <= set(pins)


def test_it_names_the_smallest_python_that_the_package_accepts() -> None:
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f"Python {required.removeprefix('>=')} or newer" in README
