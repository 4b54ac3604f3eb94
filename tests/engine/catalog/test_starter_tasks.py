from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from engine.catalog import starter_folders, starter_tasks
from engine.config import read_task
from engine.evaluate.items import read_test
from engine.mix.held_out import items_of_test
from engine.quality.leakage import find_leakage
from engine.quality.near_duplicates import find_duplicates
from engine.records import Task, TaskExample


@pytest.mark.parametrize("path", starter_tasks(), ids=lambda path: path.stem)
def test_a_starter_task_can_be_read_with_its_test(path: Path) -> None:
    task = read_task(path).task
    assert task.name == path.stem
    if task.test:
        assert read_test(Path(task.test), task).items


def test_the_test_of_sort_mails_is_even_and_repeats_nothing() -> None:
    task = _sort_mails()
    items = items_of_test(task.test)
    assert Counter(item.output for item in items) == dict.fromkeys(task.output.labels, 30)
    assert read_test(Path(task.test), task).clusters == 150  # as many groups as items: none shares its stem with another
    found = find_duplicates([*task.examples, *items], outputs="ignored")
    assert (found.exact, found.near, found.conflicts) == (0, 0, ())


def test_the_test_of_sort_mails_holds_nothing_of_the_training_mails() -> None:
    folder = next(one for one in starter_folders() if one.name == "support-mails")
    rows = [json.loads(line) for line in (folder / "mails.jsonl").read_text(encoding="utf-8").splitlines()]
    items = items_of_test(_sort_mails().test)
    mails = [TaskExample(form.format(**row), row["queue"]) for row in rows for form in ("{body}", "{subject}\n{body}")]
    assert not find_leakage(mails, items).matches
    assert len(find_leakage([TaskExample(f"{item.input} Thanks!", "") for item in items], items).matches) == len(items)


def _sort_mails() -> Task:
    return read_task(next(path for path in starter_tasks() if path.stem == "sort-mails")).task
