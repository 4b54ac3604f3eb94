"""Generate writes examples of the right form, evenly and each once, asks the same whatever order answers come in, and accounts for all."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.generate import waves
from engine.records import Example, ExpandedTask, Generated, Output, Task, TaskExample
from engine.stages.generate import Given
from engine.store import events, items
from engine.store.tallies import ItemState
from models.intake import Intake
from models.language import Completion, Request, Speed, unhindered
from models.scripted import Script, ScriptedModel
from tests.engine.stages.house import LABELS, WEATHER, House

TITLES = Task(
    "titles",
    "Write a title for a short note.",
    examples=(
        TaskExample("We ate ice cream on the balcony.", "Ice cream outside"),
        TaskExample("Everyone came in with wet shoes after lunch.", "Wet shoes in the hall again"),
    ),
)
QUIZ = Task(
    "quiz",
    "Choose the right answer.",
    output=Output("option_letter"),
    examples=(
        TaskExample("Where are books lent?\n(A)shop (B)library (C)park", "B"),
        TaskExample("Who bakes?\n(A)baker (B)cook (C)dog", "A"),
    ),
)
THINGS = "lamp door river coat train garden letter bridge kettle window ladder market harbour piano"
HINTS = {"sun": "heat", "rain": "puddles", "snow": "sledges"}
"""A word for each label that does not say it."""
PLACES = "attic cellar meadow station museum kitchen forest tower bakery island school chapel"


def thing(seed: int) -> str:
    """Words that differ from seed to seed."""
    rng = random.Random(seed)
    return f"{rng.choice(THINGS.split())} {rng.randrange(10**6)} {rng.choice(PLACES.split())} {rng.randrange(10**6)}"


def write(role: str, prompt: str, request: Request) -> str | None:
    """A well-formed example that differs from call to call; votes for what is right; topics by the schema."""
    schema = request.schema or {}
    if role != "generate":
        return None
    said = prompt.rpartition("[user]")[2]
    if "enum" in schema:
        found = re.search(r"\((\w)\)right", said)
        return json.dumps(found[1] if found else next(label for label, hint in HINTS.items() if hint in said))
    if schema.get("type") == "string":
        return '"no title"'
    fields = schema["properties"]
    if "topics" in fields:
        return None
    if "examples" in fields:
        several = fields["examples"]["prefixItems"]
        return json.dumps({"examples": [one(each["properties"], request.sampling.seed + n) for n, each in enumerate(several)]})
    return json.dumps(one(fields, request.sampling.seed))


def one(fields: dict[str, Any], seed: int) -> dict[str, Any]:
    """An object that fills these fields."""
    if "right" in fields:
        wrong = [f"wrong {n} {seed}" for n in range(fields["wrong"]["minItems"])]
        return {"question": f"Where is the {thing(seed)}?", "right": f"right {seed}", "wrong": wrong}
    label = fields["output"].get("const", "A good title")
    return {"output": label, "input": f"{HINTS.get(label, label)} at the {thing(seed)}."}


class Shuffling(ScriptedModel):
    """Takes several requests at a time and answers them in random order, as a batching runtime does."""

    def __init__(self, seed: int, answer: Any = write, at_once: int = 9) -> None:
        super().__init__(Script(name="generate"), answer=lambda prompt, request: answer("generate", prompt, request))
        self.asked: list[tuple[str, str]] = []
        self.at_hand: list[int] = []
        self._rng = random.Random(seed)
        self._at_once = at_once

    def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
        waiting: list[Request] = []
        intake = Intake(requests)
        while True:
            while len(waiting) < self._at_once and (request := intake.take()):
                waiting.append(request)
            if not waiting:
                return
            between()
            intake.go_on()
            yield self._any(waiting)

    def _any(self, waiting: list[Request]) -> Completion:
        self.at_hand.append(len(waiting))
        request = waiting.pop(self._rng.randrange(len(waiting)))
        self.asked.append((request.key, self.render(request.messages)))
        return next(super().complete_many([request]))


def given(task: Task = WEATHER) -> Given:
    return Given(task, ExpandedTask(task.description, "user"))


def examples(house: House, step: str) -> list[Example]:
    return [msgspec.json.decode(item.result, type=Example) for item in items.items_in_order(house.connection, step, "accepted")]


def stored(house: House, step: str) -> list[items.Item]:
    """All units in their order."""
    states: tuple[ItemState, ...] = ("accepted", "rejected", "failed", "skipped")
    found = [item for state in states for item in items.items_in_order(house.connection, step, state)]
    return sorted(found, key=lambda item: item.key)


def adds_up(made: Generated) -> bool:
    return made.units == made.examples + made.rejected + made.failed + made.skipped == made.examples + sum(made.reasons.values())


def bench(folder: Path, answer: Any = write) -> House:
    return House(folder, answer, context_length=8192)


# ── what comes out ────────────────────────────────────────────────────────────────────────────────────────


def test_examples_are_as_many_as_asked_for_each_once_and_labels_are_even(tmp_path: Path) -> None:
    house = bench(tmp_path)
    step, made = house.step("generate", given(), examples=60)
    found = examples(house, step)
    assert made.examples == len(found) == 60 and adds_up(made) and not made.saturated
    assert len({example.input for example in found}) == 60
    assert made.outputs == dict.fromkeys(sorted(LABELS), 20)
    assert all(example.source.synthetic and example.source.model == "generate" for example in found)
    assert {(example.output_origin, example.plan) for example in found} == {("written", "")}


def test_the_right_option_is_right_wherever_it_stands(tmp_path: Path) -> None:
    house = bench(tmp_path)
    step, made = house.step("generate", given(QUIZ), examples=60)
    for example in examples(house, step):
        assert re.search(rf"\({example.output}\)right", example.input), example
        assert re.fullmatch(r"Where is the .*\?\n\(A\)\w+ .* \(B\)\w+ .* \(C\)\w+ .*", example.input)
    assert min(made.outputs.values()) >= 10 and set(made.outputs) == set("ABC")


def test_none_are_written_where_none_are_asked_for(tmp_path: Path) -> None:
    house = bench(tmp_path)
    assert house.run("generate", given(), examples=0) == Generated("generate", 0, 0)
    assert not house.asked("generate")


def test_every_answer_that_is_no_example_is_kept_with_its_reason_and_words(tmp_path: Path) -> None:
    def failing(role: str, prompt: str, request: Request) -> str | None:
        whole = write(role, prompt, request)
        if "enum" in (request.schema or {}) or whole is None or "#" in request.key or "topics" in request.key:
            return whole
        bad = {0: "no JSON", 1: '{"output": "rain", "input": "..."}', 2: '{"output": "rain", "input": ""}'}
        return bad.get(int(request.key) % 5, whole)

    house = bench(tmp_path, failing)
    step, made = house.step("generate", given(), examples=30)
    assert made.examples == 30 and adds_up(made) and made.failed >= 14 and made.rejected >= 28
    kept = [item for item in stored(house, step) if item.state != "accepted"]
    assert {item.reason for item in kept} == {
        "the answer is not of the form asked for",
        "a placeholder stands for the text",
        "a part of it is empty",
    }
    assert all(json.loads(item.result)["completions"][0] for item in kept)


def test_an_answer_cut_off_or_not_given_is_a_failure(tmp_path: Path) -> None:
    class Failing(Shuffling):
        def _any(self, waiting: list[Request]) -> Completion:
            whole = super()._any(waiting)
            if not whole.key.isdigit() or int(whole.key) % 3 == 0:
                return whole
            changed = {"finish": "length"} if int(whole.key) % 3 == 1 else {"finish": "error", "text": "", "error": "no room"}
            return msgspec.structs.replace(whole, **changed)

    house = bench(tmp_path)
    house.roles.special["generate"] = Failing(1)
    _, made = house.step("generate", given(), examples=20)
    assert made.examples == 20 and adds_up(made)
    assert set(made.reasons) == {"failed: the answer was cut off by length", "failed: no answer: no room"}


# ── repeats and votes ─────────────────────────────────────────────────────────────────────────────────────


def test_repeats_and_near_repeats_are_no_examples(tmp_path: Path) -> None:
    def repeating(role: str, prompt: str, request: Request) -> str | None:
        if request.key.isdigit() and int(request.key) % 4:
            text = "We met the old man near the gate of the green garden"
            return json.dumps({"input": f"{text}{' then.' if int(request.key) % 4 == 2 else '!'}", "output": "The old man"})
        return write(role, prompt, request)

    house = bench(tmp_path, repeating)
    step, made = house.step("generate", given(TITLES), examples=20)
    assert adds_up(made) and made.examples == 20
    assert sum("old man" in example.input for example in examples(house, step)) == 1
    assert set(made.reasons) == {"rejected: it repeats an input", "rejected: its input is nearly an earlier one"}


def test_a_copy_of_a_given_example_is_a_repeat(tmp_path: Path) -> None:
    def copying(role: str, prompt: str, request: Request) -> str | None:
        return (
            json.dumps({"input": "we ate ICE cream, on the balcony.", "output": "New"})
            if request.key == "0000003"
            else write(role, prompt, request)
        )

    house = bench(tmp_path, copying)
    _, made = house.step("generate", given(TITLES), examples=8)
    assert made.reasons == {"rejected: it repeats an input with another output": 1}


def test_equal_inputs_have_the_output_of_the_majority_and_none_in_a_tie(tmp_path: Path) -> None:
    outputs = {0: "Foggy", 1: "Misty", 2: "Misty"}

    def divided(role: str, prompt: str, request: Request) -> str | None:
        number = int(request.key) if request.key.isdigit() else 99
        if number in outputs:
            return json.dumps({"input": "No one could see the harbour.", "output": outputs[number]})
        if number in (4, 5):
            return json.dumps({"input": "Leaves covered both of our cars.", "output": "Red leaves" if number == 4 else "Yellow leaves"})
        return write(role, prompt, request)

    house = bench(tmp_path, divided)
    step, _ = house.step("generate", given(TITLES), examples=12)
    ends = [(item.state, item.reason) for item in stored(house, step)[:6]]
    assert ends == [
        ("rejected", "most votes are for another output"),
        ("accepted", ""),
        ("rejected", "it repeats an input"),
        ("accepted", ""),
        ("rejected", "no output has most votes"),
        ("rejected", "no output has most votes"),
    ]
    assert examples(house, step)[0].output == "Misty"


@pytest.mark.parametrize("votes", [1, 3])
def test_a_model_that_does_the_task_otherwise_than_it_wrote_is_not_believed(tmp_path: Path, votes: int) -> None:
    def contrary(role: str, prompt: str, request: Request) -> str | None:
        number, _, vote = request.key.partition("#")
        if vote and int(number) % 2:
            return '"snow"'
        return write(role, prompt, request)

    house = bench(tmp_path, contrary)
    step, made = house.step("generate", given(), examples=15, votes=votes)
    assert adds_up(made) and made.rejected >= 5
    odd = [item for item in stored(house, step) if int(item.key) % 2]
    assert all(item.state == "rejected" or json.loads(item.result)["output"] == "snow" for item in odd)
    assert all(item.state == "accepted" for item in stored(house, step) if not int(item.key) % 2)
    assert all(json.loads(item.result)["votes"]["snow"] == votes for item in odd if item.state == "rejected")


def test_free_texts_are_not_voted_on_and_options_by_what_they_say(tmp_path: Path) -> None:
    house = bench(tmp_path)
    house.step("generate", given(TITLES), examples=10, votes=3)
    assert not [prompt for prompt in house.asked("generate") if "You do one task" in prompt]
    _, made = house.step("generate", given(QUIZ), examples=10, votes=3)
    assert made.examples == made.units == 10
    assert len([prompt for prompt in house.asked("generate") if "You do one task" in prompt]) >= 30


def test_a_model_that_likes_one_letter_does_not_choose_where_the_right_option_stands(tmp_path: Path) -> None:
    def liking(role: str, prompt: str, request: Request) -> str | None:
        return '"B"' if "#" in request.key else write(role, prompt, request)

    house = bench(tmp_path, liking)
    made = house.run("generate", given(QUIZ), examples=60)
    assert made.examples == 60 and made.reasons == {"rejected: no output has most votes": made.rejected} and made.rejected > 60
    assert min(made.outputs.values()) >= 10 and set(made.outputs) == set("ABC")


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────


def requests_of(house: House, **options: Any) -> list[Request]:
    """All requests for examples of a run over the weather."""
    seen: list[Request] = []

    def noting(role: str, prompt: str, request: Request) -> str | None:
        seen.append(request)
        return write(role, prompt, request)

    house.roles._answer = noting
    house.step("generate", given(), **options)
    return [request for request in seen if request.key.isdigit()]


def test_the_temperature_rises_and_seeds_differ(tmp_path: Path) -> None:
    asked = requests_of(bench(tmp_path), examples=96, temperature_from=0.2, temperature_to=1.0, min_p=0.05)
    heat = [request.sampling.temperature for request in asked]
    assert heat == sorted(heat) and heat[0] == 0.2 and 0.9 <= heat[-1] <= 1.0 and len(set(heat)) > 8
    assert {request.sampling.min_p for request in asked} == {0.05}
    assert len({request.sampling.seed for request in asked}) == len(asked)


def test_later_prompts_show_accepted_examples_after_the_users(tmp_path: Path) -> None:
    house = bench(tmp_path)
    asked = requests_of(house, examples=96, demonstrations=4)
    shown = [[message.content for message in request.messages if message.role == "assistant"] for request in asked]
    own = ['{"output":"sun","input":"We ate ice cream on the balcony."}', '{"output":"rain","input":"Everyone came in with wet shoes."}']
    assert shown[0] == own
    assert sorted(shown[-1][:2]) == sorted(own) and len(shown[-1]) == 4
    accepted = {example.input for example in examples(house, house.steps()[-1].fingerprint)}
    assert all(json.loads(one)["input"] in accepted for one in shown[-1][2:])
    # One wave shows the same, so that its prompts share their beginning.
    assert len({tuple(one) for one in shown[-8:]}) == 1


def test_topics_come_one_after_the_other_each_with_its_label(tmp_path: Path) -> None:
    def listing(role: str, prompt: str, request: Request) -> str | None:
        if request.key.startswith("topics"):
            label = re.findall(r"whose output is: (\w+)", prompt)[-1]
            return json.dumps({"topics": [f"{label} {word}" for word in PLACES.split()[:10]]})
        return write(role, prompt, request)

    house = bench(tmp_path, listing)
    _, made = house.step("generate", given(), examples=30, topics=30)
    assert len(made.topics) == 30 and len(set(made.topics)) == 30
    about = [
        match
        for prompt in house.asked("generate")
        for match in re.findall(r"whose output is: (\w+)\. .*to do with: (\w+) (\w+)\.$", prompt)
    ]
    assert len(about) >= made.units and all(label == own for label, own, _ in about)
    assert max(Counter(about).values()) - min(Counter(about).values()) <= 1 and len(set(about)) == 30


def test_where_outputs_are_not_asked_for_topics_are_for_all(tmp_path: Path) -> None:
    house = bench(tmp_path)
    _, made = house.step("generate", given(TITLES), examples=12, topics=10)
    assert made.topics and house.story("topics")[0].data["topics"] == list(made.topics)
    about = [topic for prompt in house.asked("generate") for topic in re.findall(r"to do with: (.+)\.$", prompt)]
    assert len(about) >= 12 and set(about) <= set(made.topics) and len(set(about)) == min(len(about), len(made.topics))


def test_no_topics_and_no_examples_of_the_user_are_fine(tmp_path: Path) -> None:
    house = bench(tmp_path)
    bare = msgspec.structs.replace(TITLES, examples=())
    assert house.run("generate", given(bare), examples=10, topics=0).examples == 10
    assert not [prompt for prompt in house.asked("generate") if "to do with" in prompt]


def test_several_examples_a_call_are_units_of_their_own(tmp_path: Path) -> None:
    house = bench(tmp_path)
    step, made = house.step("generate", given(), examples=24, batch=4, topics=0, votes=0)
    assert made.examples == 24 and adds_up(made) and made.outputs == dict.fromkeys(sorted(LABELS), 8)
    assert len(house.asked("generate")) <= -(-made.units // 4) + 2 * waves.BEHIND
    assert [int(item.key) for item in stored(house, step)] == list(range(made.units))


def test_demonstrations_that_do_not_fit_the_context_are_left_out(tmp_path: Path) -> None:
    long = TaskExample("We went " + "there and back again, all the way, " * 60 + "home.", "A long walk")
    house = House(tmp_path, write, context_length=1100)
    house.run("generate", given(msgspec.structs.replace(TITLES, examples=(*TITLES.examples, long))), examples=8, topics=0, max_tokens=300)
    assert all("all the way" not in prompt for prompt in house.asked("generate"))


# ── when nothing new comes ────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_says_the_same_again_and_again_is_stopped_with_the_reason(tmp_path: Path) -> None:
    def same(role: str, prompt: str, request: Request) -> str | None:
        return json.dumps({"input": "The train was late.", "output": "Late train"}) if request.key.isdigit() else None

    house = bench(tmp_path, same)
    _, made = house.step("generate", given(TITLES), examples=1000)
    assert (made.examples, adds_up(made)) == (1, True) and 100 <= made.units < 200
    assert made.saturated == "of the latest 100 only 0 were new and well formed" or "only" in made.saturated
    assert "ended early" in house.story("generated")[0].text


def test_the_same_words_in_ever_new_order_are_saturation(tmp_path: Path) -> None:
    def shuffling(role: str, prompt: str, request: Request) -> str | None:
        rng = random.Random(request.sampling.seed % 7919)
        return json.dumps({"input": " ".join(rng.sample(["sun", "rain", "wind", "snow", "hail"], 5) * 2), "output": "Weather"})

    house = bench(tmp_path, shuffling)
    _, made = house.step("generate", given(TITLES), examples=1000, near_duplicate=1.1, saturation=0.5, topics=0)
    assert made.saturated and made.examples < 200


def test_without_saturation_it_ends_all_the_same(tmp_path: Path) -> None:
    def same(role: str, prompt: str, request: Request) -> str | None:
        return json.dumps({"input": "The train was late.", "output": "Late train"}) if request.key.isdigit() else None

    house = bench(tmp_path, same)
    _, made = house.step("generate", given(TITLES), examples=20, saturation=0.0)
    assert made.examples == 1 and made.units == 600 and "did not give as many" in made.saturated


def test_the_time_told_counts_what_prompts_share_once_whatever_the_votes(tmp_path: Path) -> None:
    class Measured(Shuffling):
        @property
        def speed(self) -> Speed:
            return Speed(read=100.0, written=20.0)

    house = bench(tmp_path)
    house.roles.special["generate"] = Measured(1)
    house.step("generate", given(QUIZ), examples=400, votes=3, saturation=0)
    cost = next(event.data for event in events.events_after(house.connection, house.session.run, 0) if event.kind == "cost")
    assert cost["calls"] == 400 + 3 * 400
    assert cost["seconds"] > cost["completion_tokens"] / 20, "reading takes time too"


def test_options_that_are_the_whole_input_are_written_without_a_question(tmp_path: Path) -> None:
    cause = Task(
        "cause",
        "Two sentences tell of two events. Say which tells of the cause.",
        output=Output("option_letter"),
        examples=(TaskExample("A. It rained.\nB. The street is wet.", "A"), TaskExample("A. She fell.\nB. There was ice.", "B")),
    )

    def events_of(role: str, prompt: str, request: Request) -> str | None:
        if "enum" in (request.schema or {}):
            return json.dumps("AB"["caused" not in prompt.rpartition("A.")[2].partition("\n")[0]])
        assert list((request.schema or {})["properties"]) == ["right", "wrong"]
        return json.dumps(
            {"right": f"The {thing(request.sampling.seed)} caused it.", "wrong": [f"A {thing(-request.sampling.seed)} broke."]}
        )

    house = bench(tmp_path, events_of)
    step, made = house.step("generate", given(cause), examples=30)
    assert made.examples == 30 and adds_up(made)
    for example in examples(house, step):
        assert "caused" in example.input.split("\n")["AB".index(example.output)]
