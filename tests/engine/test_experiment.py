"""An experiment: arms share what they can, have equally many examples, none of the test, and stand side by side with their intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import experiment
from engine.context import StepContext
from engine.curve import Point
from engine.errors import BadInput, Cancelled, NothingSuitable
from engine.evaluate import evaluation
from engine.evaluate.evaluated import Compared
from engine.evaluate.items import read_test
from engine.export_run import export_run
from engine.records import Finetuned, Generated, Mixed, Task
from engine.session import Session
from engine.store import runs
from engine.store.events import events_after
from engine.store.items import items_in_order
from engine.store.reviews import Review, put_reviews
from models.dry_run import DryRunTrainer
from models.language import Request
from models.training import TrainingExample, TrainingOptions
from tests.engine.stages.house import WEATHER, House, notes

TEST_WORDS = {"sun": "sunburn", "rain": "puddles", "snow": "sledges"}


def answer(role: str, prompt: str, request: Request) -> str | None:
    """Writes a new note of the weather asked for; of options the base takes the first, a trained model the right one."""
    if role == "generate":
        wanted: dict[str, Any] = request.schema or {}
        if "enum" in wanted:
            return json.dumps(next(label for label, word in TEST_WORDS.items() if word in prompt.rpartition("[user]")[2]))
        label = wanted["properties"]["output"]["const"]
        told = f"Day {request.sampling.seed} in town {request.key}: {TEST_WORDS[label]} again."
        return json.dumps({"output": label, "input": told})
    if request.choices:
        if role != "finetuned":
            return json.dumps([-1.0 - number for number in range(len(request.choices))])
        said = prompt.rpartition("[user]")[2]
        return json.dumps([-0.1 if TEST_WORDS[choice] in said else -5.0 for choice in request.choices])
    return None


class Kept(DryRunTrainer):
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[list[TrainingExample]] = []
        self.seeds: list[int] = []

    def train(self, train: Any, validation: Any, out: Any, options: TrainingOptions, *arguments: Any) -> Any:
        """Trains nothing."""
        self.given.append([*train, *validation])
        self.seeds.append(options.seed)
        return super().train(train, validation, out, options, *arguments)


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path, answer)
    made.add("notes", notes(90), "# Weather notes\n\nShort notes with the kind of weather each speaks of: sun, rain or snow.")
    made.roles.trains = Kept()
    return made


def with_test(house: House, items: list[tuple[str, str]] | None = None) -> Task:
    """The weather task with a test."""
    file = house.folder / "test.jsonl"
    rows = items or [(f"Everybody spoke of {TEST_WORDS[label]} on day {n}.", label) for n in range(6) for label in TEST_WORDS]
    file.write_text("".join(json.dumps({"input": text, "output": label}) + "\n" for text, label in rows), encoding="utf-8")
    return msgspec.structs.replace(WEATHER, test=str(file))


def compared(
    house: House, task: Task, arms: tuple[str, ...], examples: int = 30, seeds: int = 1, least: int = 0, **more: dict[str, object]
) -> Compared:
    """The record of an experiment; `more` options by stage."""
    options: dict[str, dict[str, object]] = {
        "compare": {"arms": list(arms), "examples": examples, "seeds": seeds, "least": least},
        "plan": {"verify": False},
        "generate": {"votes": 0, "near_duplicate": 1.1},
        **more,
    }
    found = house.pipeline(task, options=options, experiment=True).compared
    assert found is not None
    return found


def records(house: House, stage: str, kind: Any) -> dict[str, Any]:
    """Records of a stage's steps by arm."""
    return {step.candidate: msgspec.json.decode(step.record, type=kind) for step in house.steps() if step.stage == stage}


def test_every_arm_has_as_many_examples_and_shared_steps_run_once(house: House) -> None:
    found = compared(house, with_test(house), ("few-shot", "existing", "synthetic", "transformed", "mix", "shuffled", "own"))
    assert [arm.name for arm in found.arms] == ["few-shot", "existing", "synthetic", "transformed", "mix", "shuffled", "own"]
    sizes = {arm.name: arm.examples for arm in found.arms}
    assert sizes == {"few-shot": 0, "existing": 30, "synthetic": 30, "transformed": 30, "mix": 30, "shuffled": 30, "own": 2}
    assert len({arm.steps for arm in found.arms if arm.examples}) == 1
    stages = [step.stage for step in house.steps()]
    assert stages.count("plan") == stages.count("generate") == stages.count("compare") == 1
    assert stages.count("execute") == 2 and stages.count("evaluate") == 7 and stages.count("finetune") == 6
    mixed: Mixed = records(house, "mix", Mixed)["mix"]
    assert [source.counts.examples for source in mixed.sources] == [15, 15]


def test_trained_arms_are_held_against_prompting_with_intervals_and_what_was_fixed_comes_first(house: House) -> None:
    found = compared(house, with_test(house), ("few-shot", "synthetic", "transformed", "mix"), seeds=2)
    few, *trained = found.arms
    assert all(arm.figures[0].estimate.value == 1 and arm.figures[0].estimate.draws == 2 for arm in trained)
    assert few.figures[0].estimate.value < 1 and few.figures[0].estimate.draws == 1 and found.items == 18
    pairs = [(contrast.arm, contrast.other, contrast.primary) for contrast in found.contrasts]
    assert pairs[:2] == [("mix", "few-shot", True), ("mix", "synthetic", True)]
    assert ("transformed", "synthetic", False) in pairs
    gain = found.contrasts[0].difference
    expected = 100 * (1 - few.figures[0].estimate.value) / (1 - 1 / 3)
    assert found.contrasts[0].normalised and gain.estimate.value == pytest.approx(expected) and gain.p < 0.01
    assert found.contrasts[1].difference.estimate.value == 0
    assert any("descriptive" in note for note in found.notes) and any("2 seeds" in note for note in found.notes)


def test_seeds_train_anew_on_the_same_data_and_only_that_is_done_again(house: House) -> None:
    task = with_test(house)
    one = compared(house, task, ("few-shot", "transformed"))
    trained = len(house.roles.trains.given)  # type: ignore[attr-defined]
    two = compared(house, task, ("few-shot", "transformed"), seeds=2)
    given = house.roles.trains.given  # type: ignore[attr-defined]
    assert (trained, len(given)) == (1, 2)
    assert sorted(map(repr, given[0])) == sorted(map(repr, given[1])), "another seed splits and orders the same examples"
    assert house.roles.trains.seeds == [0, 1]  # type: ignore[attr-defined]
    assert len({step.fingerprint for step in house.steps() if step.stage == "mix"}) == 2, "each seed splits for itself"
    assert (one.seeds, two.seeds) == (1, 2) and any("one seed" in note for note in one.notes)
    assert [step.candidate for step in house.steps() if step.stage == "finetune"] == ["transformed", "transformed, seed 1"]


def test_the_test_is_in_no_arm_and_what_was_found_is_told_and_left_out_once(house: House) -> None:
    known = notes(90)
    stolen = [(row["note"], row["weather"]) for row in known[:6]]
    fresh = [(f"Everybody spoke of {TEST_WORDS[label]} on day {n}.", label) for n in range(6) for label in TEST_WORDS]
    found = compared(house, with_test(house, [*stolen, *fresh]), ("few-shot", "existing", "transformed"), examples=72)
    assert found.found == 6 and found.items == 24
    taught = [example.prompt[-1].content for given in house.roles.trains.given for example in given]  # type: ignore[attr-defined]
    assert taught and not {text for text, _ in stolen} & set(taught)
    by_name = {arm.name: arm for arm in found.arms}
    without = by_name["transformed"].without_found
    assert by_name["transformed"].leaked == 6 and without is not None and without.n == 18 and without.value == 1


def test_what_holds_an_item_of_the_test_is_left_out_whatever_a_run_would_do(house: House) -> None:
    stolen = [(row["note"], row["weather"]) for row in notes(90)[:6]]
    fresh = [(f"Everybody spoke of {TEST_WORDS[label]} on day {n}.", label) for n in range(6) for label in TEST_WORDS]
    task = with_test(house, [*stolen, *fresh])
    compared(house, task, ("few-shot", "existing", "transformed"), examples=72, mix={"near_duplicates": 0, "leakage": "report"})
    taught = {example.prompt[-1].content for given in house.roles.trains.given for example in given}  # type: ignore[attr-defined]
    assert taught and not taught & {text for text, _ in stolen}


def test_of_a_part_of_a_test_its_own_items_are_found_and_clusters_count(house: House) -> None:
    """Items are drawn by seed; pairs of them belong together, and no figure takes them for two."""
    stolen = [(row["note"], row["weather"]) for row in notes(90)[::3][:20]]
    fresh = [(f"Everybody spoke of {TEST_WORDS[label]} on day {n}.", label) for n in range(10) for label in TEST_WORDS]
    task = with_test(house, [*stolen, *fresh])
    file = Path(task.test)
    rows = [json.loads(line) | {"cluster": f"{number // 2}"} for number, line in enumerate(file.read_text().splitlines())]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = compared(house, task, ("few-shot", "transformed"), examples=90, evaluate={"items": 25})
    drawn = read_test(file, task).drawn(25, 0)[0]
    known = {item.cluster for item in drawn.items if item.input in {text for text, _ in stolen}}
    left = [item for item in drawn.items if item.cluster not in known]
    clusters = len({item.cluster for item in drawn.items})
    assert (found.items, found.clusters, found.found) == (25, clusters, 25 - len(left)) and clusters < 25 and 0 < len(left) < 25
    without = found.arms[1].without_found
    assert without is not None and (without.n, without.clusters) == (len(left), len({item.cluster for item in left}))
    (contrast,) = found.contrasts
    assert contrast.difference.estimate.clusters == clusters
    assert contrast.share is None, "the base is at chance: nothing can be a share of that"


def test_rows_as_they_stand_are_left_as_alike_as_they_are(house: House) -> None:
    mix: dict[str, object] = {"near_duplicates": 0.5}
    compared(house, with_test(house), ("few-shot", "existing", "transformed"), examples=10, mix=mix)
    mixes: dict[str, Mixed] = records(house, "mix", Mixed)
    assert mixes["transformed"].counts.near_duplicates > 0 == mixes["existing"].counts.near_duplicates


def test_an_arm_that_has_fewer_makes_all_smaller_and_says_so(house: House) -> None:
    found = compared(house, with_test(house), ("few-shot", "synthetic", "transformed"), examples=200)
    sizes = {arm.examples for arm in found.arms if arm.name != "few-shot"}
    assert len(sizes) == 1 and sizes.pop() <= 90
    assert any("not 200" in note and "transformed" in note for note in found.notes)
    assert len(records(house, "mix", Mixed)) == 2 == sum(step.stage == "mix" for step in house.steps()), (
        "mixes that were too large are gone"
    )
    assert records(house, "generate", Generated)[""].examples == 95, "no more is written than rows give, and 5 % besides"
    assert [event.text for event in events_after(house.connection, house.session.run, 0) if event.kind == "fewer"] == [
        "90 examples at most came of rows for the arm transformed: no arm will have the 200 asked for"
    ]


def test_an_arm_with_too_few_is_left_out_and_does_not_make_the_others_smaller(house: House) -> None:
    arms = ("few-shot", "synthetic", "transformed")
    found = compared(house, with_test(house), arms, examples=120, least=100)
    assert [(arm.name, arm.examples) for arm in found.arms] == [("few-shot", 0), ("synthetic", 120)]
    assert "no arm transformed: 90 examples, not the 100 that an arm must have" in found.notes
    assert [step.candidate for step in house.steps() if step.stage in ("mix", "finetune")] == ["synthetic"] * 2
    assert len(compared(house, with_test(house), arms, examples=120, least=90).arms) == 3
    with pytest.raises(NothingSuitable, match="no arm transformed: 90 examples"):
        compared(house, with_test(house), ("few-shot", "transformed"), examples=120, least=100)
    with pytest.raises(BadInput, match="no arm can have 100 examples"):
        compared(house, with_test(house), arms, least=100)


def test_an_arm_of_which_the_test_leaves_nothing_is_left_out_too(house: House) -> None:
    task = with_test(house, [(row["note"], row["weather"]) for row in notes(90)])
    found = compared(house, task, ("few-shot", "synthetic", "transformed"), least=10)
    assert [arm.name for arm in found.arms] == ["few-shot", "synthetic"]
    assert "no arm transformed: 0 examples, not the 10 that an arm must have" in found.notes
    with pytest.raises(NothingSuitable, match="the arm transformed has no example"):
        compared(house, task, ("few-shot", "synthetic", "transformed"))


def test_items_that_say_what_a_known_one_says_are_known_too(house: House) -> None:
    (row, *_) = notes(90)
    turned = " ".join(reversed(row["note"].split()))
    fresh = [(f"Everybody spoke of {TEST_WORDS[label]} on day {n}.", label) for n in range(6) for label in TEST_WORDS]
    found = compared(
        house, with_test(house, [(row["note"], row["weather"]), (turned, row["weather"]), *fresh]), ("few-shot", "transformed")
    )
    assert (found.items, found.clusters, found.found) == (20, 19, 2)
    assert all(arm.without_found is not None and arm.without_found.n == 18 for arm in found.arms)


def test_an_example_of_the_task_that_is_in_its_test_shows_no_model_the_way(house: House) -> None:
    (known, kept) = WEATHER.examples
    fresh = [(f"Everybody spoke of {TEST_WORDS[label]} on day {n}.", label) for n in range(6) for label in TEST_WORDS]
    found = compared(house, with_test(house, [(known.input, known.output), *fresh]), ("few-shot", "synthetic", "transformed", "own"))
    made = [prompt for role, prompt in [*house.roles.asked, *house.roles.weighed] if role not in ("base", "finetuned")]
    assert made and any(kept.input in prompt for prompt in made) and not any(known.input in prompt for prompt in made)
    assert found.found == 1 and next(arm for arm in found.arms if arm.name == "own").examples == 1
    assert "1 of the task's examples are items of the test" in house.story("left-out")[0].text
    with pytest.raises(BadInput, match="all of the task's own examples"):
        compared(house, with_test(house, [(one.input, one.output) for one in WEATHER.examples] + fresh), ("few-shot", "transformed"))


def test_what_a_person_rejects_is_in_no_arm_of_a_later_seed(house: House) -> None:
    task = with_test(house)
    compared(house, task, ("few-shot", "transformed"))
    (step,) = [step.fingerprint for step in house.steps() if step.stage == "execute"]
    taught = {example.prompt[-1].content for example in house.roles.trains.given[0]}  # type: ignore[attr-defined]
    key = next(one.key for one in items_in_order(house.connection, step, "accepted") if any(text in one.result for text in taught))
    put_reviews(house.connection, step, [Review(key, "rejected", "")])
    compared(house, task, ("few-shot", "transformed"), seeds=2)
    first, again, other = house.roles.trains.given  # type: ignore[attr-defined]
    assert sorted(map(repr, again)) == sorted(map(repr, other)) != sorted(map(repr, first))


def test_a_time_budget_that_ends_before_the_arms_have_their_examples_is_no_crash(house: House) -> None:
    options: dict[str, dict[str, object]] = {"compare": {"arms": ["few-shot", "transformed"], "examples": 30}}
    with pytest.raises(Cancelled, match="the time budget was spent before every arm had its examples") as spent:
        house.pipeline(with_test(house), options=options, experiment=True, budget=1e-9)
    assert "--budget" in spent.value.hint and not house.roles.trains.given  # type: ignore[attr-defined]


@pytest.mark.parametrize("arm", ["transformed", "prose"])
def test_a_step_that_the_budget_ended_makes_no_small_arms(house: House, monkeypatch: pytest.MonkeyPatch, arm: str) -> None:
    """The time is over within the arm's own execute: what it has by then is stored, and the comparison stops."""
    each = StepContext.each

    def ending(ctx: StepContext, *arguments: Any, **options: Any) -> Any:
        counts = each(ctx, *arguments, **options)
        if ctx._stage.name == "execute" and ("prose" in ctx._candidate) == (arm == "prose"):
            house.session.spent = True
        return counts

    monkeypatch.setattr(StepContext, "each", ending)
    options: dict[str, dict[str, object]] = {"compare": {"arms": ["few-shot", arm, "synthetic"], "examples": 30}, "plan": {"verify": False}}
    with pytest.raises(Cancelled, match="before every arm had its examples"):
        house.pipeline(with_test(house), options=options, experiment=True)
    assert "generate" not in {step.stage for step in house.steps()}


def test_an_odd_least_is_held_against_what_an_arm_can_have_and_not_against_an_even_half(house: House) -> None:
    found = compared(house, with_test(house), ("few-shot", "synthetic", "transformed", "mix"), examples=120, least=89)
    assert {arm.name: arm.examples for arm in found.arms} == {"few-shot": 0, "synthetic": 90, "transformed": 90, "mix": 90}
    house.roles.trains.given.clear()  # type: ignore[attr-defined]
    task = with_test(house, [(notes(90)[0]["note"], notes(90)[0]["weather"]), ("Everybody spoke of sunburn.", "sun")])
    found = compared(house, task, ("few-shot", "synthetic", "transformed", "mix"), examples=120, least=89)
    assert {arm.examples for arm in found.arms if arm.name != "few-shot"} == {88}


def test_a_base_that_llama_cpp_cannot_run_is_refused_before_anything_is_made(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.roles, "runs_base", lambda: False)
    with pytest.raises(BadInput, match="is a folder"):
        compared(house, with_test(house), ("few-shot", "transformed"))
    assert not house.steps()


def test_arms_that_lose_examples_to_their_length_are_told(house: House) -> None:
    class Short(DryRunTrainer):
        def train(self, train: Any, validation: Any, *arguments: Any) -> Any:
            """Leaves out what speaks of a day."""
            kept = [one for one in train if "Day" not in one.prompt[-1].content]
            result = super().train(kept or train, validation, *arguments)
            return msgspec.structs.replace(result, left_out=len(train) - len(kept))

    house.roles.trains = Short()
    found = compared(house, with_test(house), ("few-shot", "transformed", "mix"))
    (told,) = [note for note in found.notes if "finetune.max_length" in note]
    assert "transformed 30" in told and "mix 30" not in told


def test_what_a_sum_does_to_long_options_is_told_before_anything_is_made(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "LENGTHS_APART", 1.3)
    found = compared(house, with_test(house), ("few-shot", "transformed"))
    assert [note for note in found.notes if "1.3 times the characters" in note and "evaluate.by=per_token" in note]
    told = events_after(house.connection, house.session.run, 0)
    assert [event.kind for event in told].index("lengths") == 0 and "1.3 times" in told[0].text


def test_an_arm_that_cannot_be_made_is_left_out_and_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any) -> Any:
        raise NothingSuitable("it has no two columns")

    monkeypatch.setattr(experiment, "as_it_stands", refused)
    found = compared(house, with_test(house), ("few-shot", "existing", "transformed"))
    assert [arm.name for arm in found.arms] == ["few-shot", "transformed"]
    assert "no arm existing: it has no two columns" in found.notes


def test_shuffled_outputs_teach_the_form_alone(house: House) -> None:
    compared(house, with_test(house), ("few-shot", "transformed", "shuffled"))
    plain, shuffled = house.roles.trains.given  # type: ignore[attr-defined]
    assert sorted(one.completion for one in plain) == sorted(one.completion for one in shuffled)
    assert [one.prompt for one in plain] == [one.prompt for one in shuffled]
    assert [one.completion for one in plain] != [one.completion for one in shuffled]
    compared(house, with_test(house), ("few-shot", "transformed", "shuffled"), seeds=2)
    by_seed = [{one.prompt: one.completion for one in given} for given in house.roles.trains.given[-2:]]  # type: ignore[attr-defined]
    assert by_seed[0].keys() == by_seed[1].keys() and by_seed[0] != by_seed[1], "each seed shuffles in its own way"


def test_an_experiment_stopped_anywhere_goes_on_where_it_was(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    task = with_test(house)
    arms = ("few-shot", "synthetic", "transformed", "mix")
    other = House(house.folder / "whole", answer)
    other.add("notes", notes(90), "# Weather notes\n\nShort notes with the kind of weather each speaks of: sun, rain or snow.")
    expected = compared(other, task, arms)
    check, looks = Session.check, [0]
    for stop_at in (30, 120, 200, 400):
        looks[0] = 0

        def checking(session: Session, stop_at: int = stop_at) -> None:
            looks[0] += 1
            if looks[0] == stop_at:
                raise Cancelled("cancelled")
            check(session)

        with monkeypatch.context() as patch, pytest.raises(Cancelled):
            patch.setattr(Session, "check", checking)
            compared(house, task, arms)
    found = compared(house, task, arms)
    assert msgspec.structs.replace(found, arms=(), contrasts=()) == msgspec.structs.replace(expected, arms=(), contrasts=())
    for ours, theirs in zip(found.arms, expected.arms, strict=True):
        assert (ours.name, ours.figures, ours.examples, ours.steps) == (theirs.name, theirs.figures, theirs.examples, theirs.steps)
    assert found.contrasts == expected.contrasts
    assert sorted(house.roles.asked) == sorted(other.roles.asked), "nothing is asked twice"


def test_what_cannot_be_compared_is_refused_before_a_model_is_asked(house: House) -> None:
    with pytest.raises(BadInput, match="needs a test"):
        compared(house, WEATHER, ("few-shot", "transformed"))
    with pytest.raises(BadInput, match="none of the labels"):
        compared(house, with_test(house, [("A storm came.", "storm")]), ("few-shot", "transformed"))
    with pytest.raises(BadInput, match="twice"):
        compared(house, with_test(house), ("few-shot", "few-shot"))
    assert not house.roles.asked and not house.roles.weighed


def test_an_experiment_has_no_one_training_set_to_export(house: House) -> None:
    compared(house, with_test(house), ("few-shot", "transformed"))
    found = runs.read_run(house.connection, house.session.run)
    assert found is not None
    with pytest.raises(BadInput, match="several training sets"):
        export_run(house.connection, found, house.locations, house.folder / "out")


def test_the_curve_of_every_training_is_kept(house: House) -> None:
    compared(house, with_test(house), ("few-shot", "transformed"))
    (step,) = [step for step in house.steps() if step.stage == "finetune"]
    made = msgspec.json.decode(step.record, type=Finetuned)
    points = [msgspec.json.decode(item.result, type=Point) for item in items_in_order(house.connection, step.fingerprint, "accepted")]
    assert made.steps == made.examples // 8 * 3 + (3 if made.examples % 8 else 0)
    assert [one.step for one in points if one.validation_loss is None] == [*range(1, made.steps + 1)]
    measured = [one.validation_loss for one in points if one.validation_loss is not None]
    assert measured[0] == made.first_validation_loss and min(measured[1:]) == made.best_validation_loss
