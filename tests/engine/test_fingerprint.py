"""Names of steps and calls: the same for the same work in any process, another for anything that changes what comes out."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from engine.fingerprint import call_hash, digest, step_fingerprint
from engine.records import Output, Task, Value
from models.language import Identity, Message, Request, Sampling

MODEL = Identity("small.gguf", "sha256 of it", "llama.cpp 1")
TASK = Task("cards", "Sort cards.", output=Output("label", ("red", "black")))
REQUEST = Request("unit 1", (Message("user", "Which?"),), {"type": "object", "properties": {"a": {"type": "string"}}}, Sampling(seed=1))


def test_a_digest_does_not_depend_on_the_order_of_keys_but_on_that_of_lists() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert len(digest("")) == 64


def test_a_digest_is_the_same_in_another_process() -> None:
    code = "from engine.fingerprint import digest; print(digest({'ключ': [1, 2.5, None, {'b': 1, 'a': True}]}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "4"})
    assert said.stdout.strip() == digest({"ключ": [1, 2.5, None, {"a": True, "b": 1}]})


STEP: dict[str, Any] = {
    "stage": "plan",
    "version": 1,
    "given": TASK,
    "options": {"mode": "typed"},
    "seed": 0,
    "models": {"plan": MODEL},
}


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "schema"},
        {"version": 2},
        {"given": msgspec.structs.replace(TASK, description="Sort the cards.")},
        {"given": msgspec.structs.replace(TASK, output=Output("label", ("black", "red")))},
        {"options": {"mode": "prose"}},
        {"options": {}},
        {"seed": 1},
        {"models": {}},
        {"models": {"judge": MODEL}},
        {"models": {"plan": msgspec.structs.replace(MODEL, digest="of another")}},
        {"models": {"plan": msgspec.structs.replace(MODEL, runtime="llama.cpp 2")}},
    ],
)
def test_whatever_changes_what_a_step_makes_changes_its_name(change: dict[str, Any]) -> None:
    assert step_fingerprint(**STEP) != step_fingerprint(**(STEP | change))


def test_what_only_people_see_leaves_the_name_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = {"plan": msgspec.structs.replace(MODEL, name="the same file elsewhere.gguf")}
    assert step_fingerprint(**STEP) == step_fingerprint(**(STEP | {"models": renamed}))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": None},
        {"schema": {"type": "object", "properties": {"b": {"type": "string"}}}},
        {"sampling": Sampling(seed=2)},
        {"sampling": Sampling(seed=1, temperature=0.5)},
        {"sampling": Sampling(seed=1, max_tokens=9)},
        {"sampling": Sampling(seed=1, top_p=0.9)},
        {"sampling": Sampling(seed=1, min_p=0.1)},
        {"choices": ("a", "b")},
    ],
)
def test_whatever_changes_an_answer_changes_the_name_of_the_call(change: dict[str, Any]) -> None:
    assert call_hash("prompt", REQUEST, MODEL) != call_hash("prompt", msgspec.structs.replace(REQUEST, **change), MODEL)


def test_other_choices_or_another_order_of_them_is_another_call_and_calls_without_any_keep_their_names() -> None:
    weighed = [msgspec.structs.replace(REQUEST, choices=choices) for choices in [("a", "b"), ("b", "a"), ("ab",), ()]]
    assert len({call_hash("prompt", request, MODEL) for request in weighed}) == 4
    before = digest(["call", "prompt", REQUEST.schema, REQUEST.sampling, MODEL.digest, MODEL.runtime])
    assert call_hash("prompt", REQUEST, MODEL) == before


def test_a_call_is_named_after_its_prompt_as_rendered_not_after_its_key() -> None:
    other = msgspec.structs.replace(REQUEST, key="unit 2", messages=(Message("system", "rendered to the same"),))
    assert call_hash("prompt", REQUEST, MODEL) == call_hash("prompt", other, MODEL)
    assert call_hash("prompt", REQUEST, MODEL) != call_hash("prompt ", REQUEST, MODEL)
    assert call_hash("prompt", REQUEST, MODEL) != call_hash("prompt", REQUEST, msgspec.structs.replace(MODEL, digest="x"))


def test_where_the_test_of_a_task_lies_leaves_the_name_of_a_step_and_what_it_is_called_does_not() -> None:
    class Given(Value):
        task: Task
        more: int = 0

    def named(test: str, more: int = 0) -> str:
        return step_fingerprint(**(STEP | {"given": Given(msgspec.structs.replace(TASK, test=test), more)}))

    assert named("/home/one/test.jsonl") == named("/mnt/test.jsonl")
    assert len({named("/home/one/test.jsonl"), named("/home/one/other.jsonl"), named(""), named("/home/one/test.jsonl", 1)}) == 4
    assert named("") == step_fingerprint(**(STEP | {"given": Given(TASK)}))
