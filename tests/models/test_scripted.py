from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.errors import RequestInvalid, WeightsInvalid
from models.language import Completion, Message, Request, Sampling
from models.scripted import Rule, Script, ScriptedModel, scripted
from models.scripted_answer import answer_for


def answered(model: ScriptedModel, text: str, schema: dict[str, Any] | None = None, **sampling: Any) -> Completion:
    (done,) = model.complete_many([Request("k", (Message("user", text),), schema, Sampling(**sampling))])
    return done


def test_the_first_matching_rule_answers_with_what_it_found() -> None:
    model = scripted([(r"capital of (\w+)", r"It is in \1."), ("", "Other.")])
    assert answered(model, "What is the capital of Peru?").text == "It is in Peru."
    assert answered(model, "Hello").text == "Other."


def test_a_rule_can_fail_with_a_reason() -> None:
    model = ScriptedModel(Script(rules=(Rule("bad", "the reason", "error"),)))
    done = answered(model, "a bad row")
    assert (done.finish, done.error, done.text) == ("error", "the reason", "")


def test_a_function_answers_before_the_rules() -> None:
    model = ScriptedModel(Script(rules=(Rule("", "rule"),)), answer=lambda prompt, _: "own" if "x" in prompt else None)
    assert [answered(model, text).text for text in ("x", "y")] == ["own", "rule"]


def test_answers_depend_on_prompt_schema_and_seed_alone() -> None:
    model, other = scripted(), scripted()
    schema = {"type": "array", "items": {"type": "integer", "maximum": 10**9}, "minItems": 3}
    assert answered(model, "a", schema) == answered(other, "a", schema)
    assert len({answered(model, text, schema, seed=seed).text for text in "ab" for seed in (0, 1)}) == 4


def weighed(model: ScriptedModel, text: str, *choices: str) -> Completion:
    (done,) = model.complete_many([Request("k", (Message("user", text),), choices=choices)])
    return done


def test_a_rule_names_the_likely_choice_or_gives_the_numbers() -> None:
    model = scripted([("legs", "cat"), ("wings", "[-1, -2.5]"), ("fins", "[-1]"), ("", "neither")])
    assert weighed(model, "legs?", "dog", "cat", "cow").text == "[-10.0, -0.05, -10.0]"
    assert weighed(model, "wings?", "dog", "cat").text == "[-1.0, -2.5]"
    for text in ("fins?", "scales?"):
        done = weighed(model, text, "dog", "cat")
        assert (done.finish, done.text) == ("error", "")
        assert "2 choices" in done.error


def test_a_function_may_name_the_likely_choice() -> None:
    model = ScriptedModel(answer=lambda prompt, request: request.choices[-1])
    assert weighed(model, "x", "a", "b").text == "[-10.0, -0.05]"


def test_choices_without_a_rule_get_numbers_from_prompt_and_choice_alone() -> None:
    one, again, turned, other = (
        json.loads(weighed(scripted(), text, *choices).text) for text, choices in [("x", "ab"), ("x", "ab"), ("x", "ba"), ("y", "ab")]
    )
    assert one == again == turned[::-1]
    assert one != other
    assert all(-20 <= number <= 0 for number in one + other)


def test_the_identity_changes_with_the_script() -> None:
    assert scripted().identity.digest != scripted([("a", "b")]).identity.digest


def test_a_script_file_in_toml_or_json_does_the_same(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('name = "t"\n[[rules]]\nmatch = "hi"\ntext = "ho"\n')
    (tmp_path / "s.json").write_text(json.dumps({"name": "t", "rules": [{"match": "hi", "text": "ho"}]}))
    first, second = (ScriptedModel.from_file(tmp_path / name) for name in ("s.toml", "s.json"))
    assert first.script == second.script
    assert answered(first, "hi").text == "ho"


@pytest.mark.parametrize("text", ["rules = 3", "nmae = 'x'", "= =", "[[rules]]\nmatch = '('"])
def test_a_script_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(WeightsInvalid):
        ScriptedModel.from_file(tmp_path / "s.toml")


def test_each_call_is_logged_in_the_scripts_folder(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('log = "calls.jsonl"')
    model = ScriptedModel.from_file(tmp_path / "s.toml")
    answered(model, "one\ntwo")
    answered(model, "three")
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == ["k", "k"]
    assert "one\ntwo" in lines[0]["prompt"]


def test_a_poisoned_prompt_kills_the_process_natively_after_its_call_is_logged(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('abort_on = "poison"\nlog = "calls.jsonl"')
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "from models import Message, Request, open_language_model\n"
        "m = open_language_model(sys.argv[1])\n"
        "[print(c.key, flush=True) for c in m.complete_many(Request(t, (Message('user', t),)) for t in ('fine', 'poison', 'never'))]"
    )
    done = subprocess.run([sys.executable, "-c", code, f"scripted:{tmp_path / 's.toml'}"], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGABRT
    assert done.stdout.split() == ["fine"]
    assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == 2


def test_a_delay_is_slept_through_the_given_function() -> None:
    slept: list[float] = []
    model = ScriptedModel(Script(delay=0.25), sleep=slept.append)
    assert answered(model, "a").seconds == 0.25
    assert slept == [0.25]


def test_text_is_cut_at_max_tokens_without_losing_a_character_before() -> None:
    model = scripted([("", "one two, three; four")])
    done = answered(model, "a", max_tokens=4)
    assert (done.text, done.finish, done.completion_tokens) == ("one two, three", "length", 4)


@pytest.mark.parametrize(
    ("schema", "check"),
    [
        ({"enum": ["a", 3, None]}, lambda v: v in ("a", 3, None)),
        ({"const": {"x": 1}}, lambda v: v == {"x": 1}),
        ({"type": "integer", "minimum": 5, "maximum": 6}, lambda v: v in (5, 6)),
        ({"type": "integer", "maximum": -3}, lambda v: v <= -3),
        ({"type": "number", "exclusiveMinimum": 2, "maximum": 3}, lambda v: 2 < v <= 3),
        ({"type": "string", "minLength": 40, "maxLength": 41}, lambda v: 40 <= len(v) <= 41),
        ({"type": "string", "maxLength": 3}, lambda v: len(v) <= 3),
        ({"type": "string", "pattern": "^[B-D]$"}, lambda v: v in "BCD"),
        ({"type": "string", "pattern": "^(yes|no)$"}, lambda v: v in ("yes", "no")),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4}, lambda v: len(v) >= 2),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, lambda v: v == [1, 2]),
        ({"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"]}, lambda v: v == {"b": 2}),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, lambda v: v in (1, 2)),
        ({"allOf": [{"type": "integer", "minimum": 4}, {"maximum": 4}]}, lambda v: v == 4),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"const": 7}}}, lambda v: v == 7),
        ({"type": ["null", "null"]}, lambda v: v is None),
    ],
)
def test_a_default_answer_obeys_its_schema(schema: dict[str, Any], check: Any) -> None:
    for seed in "abcde":
        assert check(answer_for(schema, seed))


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": []},
        {"type": "colour"},
        {"$ref": "#"},
        {"$ref": "#/none"},
        {"type": "string", "pattern": "^Zq{9}x$"},
        {"not": 1, "anyOf": []},
    ],
)
def test_a_schema_without_a_small_answer_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid):
        answer_for(schema, "s")
