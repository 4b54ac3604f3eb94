"""The card of a finetuned model: what it states, and that nothing in it can be more than text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import yaml

from engine.evaluate.asking import Asker
from engine.evaluate.evaluated import Evaluated
from engine.evaluate.evaluation import Given, evaluate
from engine.export.facts import Facts, PartFacts, SplitUse
from engine.export.model_card import model_card
from engine.export.model_files import Model
from engine.records import Base, Example, Finetuned, MixCounts, Mixed, MixSource, ModelFile, Source
from models.language import Request
from tests.engine.evaluate.made import WEATHER, answers_of, closed_test

COUNTS = MixCounts(offered=40, train=36, validation=4)
MIXED = Mixed((MixSource("a", "owner/notes", "", "", COUNTS),), test_items=8)
HUB = "0123456789abcdef0123456789abcdef01234567"
FINETUNED = Finetuned(Base("tiny.gguf", "ab" * 32), "step/adapter", 34, 4, 2, 12, 9, 0.51, 1.25, 0.75, "cpu", "nf4", "mix")
SETTINGS = {"rank": 8, "alpha": 16, "learning_rate": 5e-5, "epochs": 3}
EXAMPLE = Example("We built a snowman.", "snow", "derived", Source("owner/notes", "default", "train", 1, HUB, "mit"), "plan")


def facts_of(*parts: PartFacts, synthetic: int = 0) -> Facts:
    examples = sum(part.examples for part in parts)
    return Facts(examples, 4, parts, {"derived": examples}, {}, 0, 0, synthetic, 0)


def part(dataset: str = "owner/notes", revision: str = HUB, licence: str = "mit", model: str = "") -> PartFacts:
    return PartFacts(dataset, "", model, COUNTS, () if model else (SplitUse("train", revision, licence, 40, 40),))


def file(name: str, answer: str | None = "snow") -> ModelFile:
    return ModelFile(f"model/{name}", "a file", 1234, "cd" * 32, answer)


MODEL = Model(
    (file("adapter/adapter_model.safetensors"), file("adapter.gguf"), file("notes-Q8_0.gguf"), file("Modelfile", None)),
    (),
    "tiny.gguf",
    "apache-2.0",
    "notes-Q8_0.gguf",
)


def written(
    facts: Facts | None = None,
    model: Model = MODEL,
    evaluated: Evaluated | None = None,
    settings: dict[str, Any] = SETTINGS,
    **changes: Any,
) -> str:
    finetuned = msgspec.structs.replace(FINETUNED, **changes)
    facts = facts or facts_of(part())
    return model_card(WEATHER, MIXED, facts, finetuned, settings, model, evaluated, (EXAMPLE, "validation"), mixed_anew=False, seed=7)


def front(card: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return read


def test_lineage_training_and_losses_stand_with_their_n() -> None:
    card = written()
    for words in (
        "QLoRA (the base in 4 bits) on 34 examples",
        "| owner/notes |  | train | 0123456789ab | mit | 40 | 40 |",
        "40 examples, none synthetic; 4 were held out for the validation loss",
        "](../README.md)",
        "](../manifest.json)",
        "| highest learning rate, falling to 0 in a straight line | 5e-05 |",
        "| base held in | nf4 |",
        "| seed | 7 |",
        "Merged files are rounded once more than the base's file",
        "Loss of the last step: 0.510, of 34 training examples.",
        "Validation loss on 4 examples: 1.250 before, 0.750 at step 9",
        "2 examples were too long",
        f"SHA-256 `{'ab' * 32}`",
        f"| `notes-Q8_0.gguf` | a file | 1,234 | `{'cd' * 32}` |",
        "The right output is: snow",
        "It was not evaluated on a test.",
    ):
        assert words in card, words


def test_settings_that_decided_stand_and_one_that_had_no_say_does_not() -> None:
    plain, by_steps = written(), written(settings={**SETTINGS, "steps": 9})
    assert "| rank | 8 |" in plain and "| alpha | 16 |" in plain and "| epochs | 3 |" in plain
    assert "| epochs |" not in by_steps and "| alpha | 16 |" in by_steps


def test_the_front_matter_names_published_data_sets_and_every_licence() -> None:
    facts = facts_of(part(), part("local/mine", "ef" * 32, ""), part(model="writer.gguf"), synthetic=40)
    head = front(written(facts=facts))
    assert head["datasets"] == ["owner/notes"]
    assert (head["license"], head["library_name"], head["pipeline_tag"], head["language"]) == ("other", "peft", "text-generation", ["en"])
    assert head["license_details"] == (
        "base model tiny.gguf: apache-2.0; local/mine: not stated; owner/notes: mit; synthetic, by writer.gguf: not stated"
    )
    assert head["tags"] == ["datatune", "lora", "gguf", "synthetic"]
    one = front(written(facts=facts_of(part(licence="Apache-2.0"))))
    assert one["license"] == "apache-2.0" and "license_details" not in one
    assert "40 of them (33 %) synthetic" in written(facts=facts)


def test_scores_stand_with_n_intervals_the_difference_and_what_they_are_good_for(tmp_path: Path) -> None:
    test = closed_test([0, 1, 0, 1, 0, 0, 1, 1])

    def knowing(prompt: str, request: Request) -> str | None:
        _, asked, number = prompt.rpartition("question ")
        return test.items[int(number)].answer if asked else "yes"

    def stubborn(prompt: str, request: Request) -> str | None:
        return "yes"

    places = [tmp_path / name for name in "ab"]
    for place in places:
        place.mkdir()
    askers = [Asker(answers_of(place, answer), WEATHER) for place, answer in zip(places, (knowing, stubborn), strict=True)]
    found = evaluate(Given(WEATHER, test, (), shots=(0,), styles=("export",)), askers)
    card = written(evaluated=Evaluated(found, True))
    assert "Asked on made, 8 items. No example holds one of the test's 8 items." in card
    assert "| this model, 0-shot, as trained | scripted, 0-shot, as trained |" in card
    (line,) = [line for line in card.splitlines() if line.startswith("| ★ accuracy, sum")]
    assert "| 1.000 (" in line and "| 0.500 (" in line and line.count("), n 8 |") == 2
    assert "This model less the other, accuracy, sum: +0.500 (" in card
    assert "Descriptive: 8 independent items, under 250" in card
    assert "not evaluated" not in card and "was not measured" not in card


def test_a_difference_that_may_be_chance_is_said_to_be_and_a_base_is_not_called_this_model(tmp_path: Path) -> None:
    test = closed_test([0, 1, 0, 1, 0, 0, 1, 1])
    places = [tmp_path / name for name in "ab"]
    for place in places:
        place.mkdir()
    askers = [Asker(answers_of(place, lambda *_: "yes"), WEATHER) for place in places]
    found = evaluate(Given(WEATHER, test, (), shots=(0,), styles=("export",)), askers)
    assert "the interval holds 0, so it may be chance" in written(evaluated=Evaluated(found, True))
    assert "| scripted, 0-shot, as trained | scripted, 0-shot, as trained |" in written(evaluated=Evaluated(found, False))


def test_what_is_weak_is_said() -> None:
    assert "did not lower the validation loss (1.250 before, 1.250 at best)" in written(best_validation_loss=1.25)
    assert "Merged files are rounded" not in written(model=msgspec.structs.replace(MODEL, merged=""))
    assert "Training did not lower the validation loss (1.250 before, 1.300 at best)" in written(best_validation_loss=1.3)
    bare = written(best_validation_loss=None, first_validation_loss=None)
    assert "Nothing was held out" in bare and "There was no validation" in bare
    failed = written(model=msgspec.structs.replace(MODEL, left_out=("notes-Q4_0.gguf: no room",)))
    assert "- notes-Q4\\_0.gguf: no room" in failed


def test_nothing_that_others_wrote_is_more_than_text() -> None:
    from markdown_it import MarkdownIt

    evil = 'x\n```\n# Owned\n<script>\'; rm -rf / # """ [a](http://b) ![c](d)'
    task = msgspec.structs.replace(WEATHER, name=evil, description=f"---\nlicense: mit\n{evil}")
    model = msgspec.structs.replace(
        MODEL, files=(file("adapter.gguf", evil), *MODEL.files[2:]), left_out=(evil,), licence=evil, base_file=evil
    )
    example = msgspec.structs.replace(EXAMPLE, input=evil, output=evil)
    finetuned = msgspec.structs.replace(FINETUNED, base=Base(evil, "ab" * 32))
    facts = facts_of(part(evil, HUB, evil), part(model=evil))
    card = model_card(task, MIXED, facts, finetuned, SETTINGS, model, None, (example, "train"), mixed_anew=True, seed=7)
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "other" and "datasets" not in yaml.safe_load(head)
    tokens = list(_flat(MarkdownIt("gfm-like", {"linkify": False}).parse(body)))
    headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    assert not any(heading == "Owned" for heading in headings)
    links = [token.attrs["href"] for token in tokens if token.type == "link_open"]
    assert links == ["../README.md", "../manifest.json"]
    assert not {token.type for token in tokens} & {"html_block", "html_inline", "image"}
    commands = [token.content for token in tokens if token.type == "fence" and token.content.startswith("llama-cli")]
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command)
        assert words[words.index("-sys") + 1] == task.description and words[-2:] == ["-p", "INPUT"]
    (program,) = [token.content for token in tokens if token.type == "fence" and token.info == "python"]
    compile(program, "card", "exec")
    assert f"system = {task.description!r}" in program


def _flat(tokens: Any) -> Iterator[Any]:
    for token in tokens:
        yield token
        yield from _flat(token.children or ())
