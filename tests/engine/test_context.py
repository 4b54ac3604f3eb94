"""What a running stage asks models and tells the run: answers stored once, progress, rates, cost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import context as stepping
from engine.errors import BadInput, Cancelled, StageFailed, Unavailable
from engine.stage import Outcome
from engine.store import events, items, runs
from models.errors import RuntimeUnavailable, WeightsInvalid
from models.language import Completion, Message, Request, Sampling, Speed
from tests.engine.bench import Bench, CountingModel, names, same


def request(prompt: str, key: str = "", seed: int = 0) -> Request:
    return Request(key or prompt, (Message("user", prompt),), None, Sampling(seed=seed))


def counting(bench: Bench) -> CountingModel:
    assert isinstance(bench.model, CountingModel)
    return bench.model


def test_an_answer_is_stored_and_never_asked_for_again(bench: Bench) -> None:
    first = list(bench.context("one").complete("execute", [request("a", "1"), request("b", "2")]))
    again = list(bench.context("two").complete("execute", [request("b", "x"), request("a", "y"), request("c", "z")]))
    assert [(c.key, c.text) for c in first] == [("1", "A"), ("2", "B")]
    assert sorted((c.key, c.text) for c in again) == [("x", "B"), ("y", "A"), ("z", "C")]
    assert counting(bench).asked == ["a", "b", "c"]
    assert items.calls_of_step(bench.connection, "one").calls == 2 and items.calls_of_step(bench.connection, "two").calls == 3


def test_another_seed_is_another_call(bench: Bench) -> None:
    list(bench.context().complete("execute", [request("a", "1", seed=0), request("a", "2", seed=1)]))
    assert counting(bench).asked == ["a", "a"]


def test_weighed_choices_are_stored_under_the_choices_too(bench: Bench) -> None:
    def weigh(key: str, *choices: str) -> Request:
        return Request(key, (Message("user", "a"),), choices=choices)

    asked = [weigh("1", "x", "y"), request("a", "2"), weigh("3", "y", "x"), weigh("4", "x", "y")]
    list(bench.context("one").complete("execute", asked))
    assert counting(bench).asked == ["a", "a", "a"]
    list(bench.context("two").complete("execute", asked))
    assert counting(bench).asked == ["a", "a", "a"]


def test_the_same_question_twice_in_flight_is_asked_once_and_answers_both(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CountingModel(batch=8))
    answers = list(bench.context().complete("execute", [request("a", "1"), request("b", "2"), request("a", "3"), request("a", "4")]))
    assert sorted((c.key, c.text) for c in answers) == [("1", "A"), ("2", "B"), ("3", "A"), ("4", "A")]
    assert counting(bench).asked == ["a", "b"]


def test_what_a_model_lacks_here_is_told_before_it_is_asked(tmp_path: Path) -> None:
    model = CountingModel()
    bench = Bench(tmp_path, model)
    for shortage in ("", "12 of 32 layers are on the GPU"):
        model.shortage = shortage
        bench.context(shortage).expect_calls("execute", 5, 50, 50)
    told = [event.text for event in events.events_after(bench.connection, bench.run, 0) if event.kind == "shortage"]
    assert told == ["counting: 12 of 32 layers are on the GPU"]


def test_a_failed_call_is_not_stored(tmp_path: Path) -> None:
    model = CountingModel(batch=4, errors=["a"])
    bench = Bench(tmp_path, model)
    answers = list(bench.context().complete("execute", [request("a", "1"), request("a", "2"), request("b", "3")]))
    assert sorted((c.key, c.finish) for c in answers) == [("1", "error"), ("2", "error"), ("3", "stop")]
    model.errors.clear()
    (now,) = bench.context().complete("execute", [request("a", "1")])
    assert now.text == "A" and model.asked == ["a", "b", "a"]


@settings(max_examples=60, deadline=None)
@given(
    prompts=st.lists(st.integers(0, 12), max_size=40),
    known=st.sets(st.integers(0, 12)),
    batch=st.integers(1, 6),
    ahead=st.integers(1, 4),
)
def test_every_request_gets_its_own_answer_whatever_was_known_before(
    shared: Bench, prompts: list[int], known: set[int], batch: int, ahead: int
) -> None:
    mark = os.urandom(6).hex()
    model = CountingModel(batch)
    shared.session.roles.only = model  # type: ignore[attr-defined]
    list(shared.context().complete("execute", [request(f"{mark} {number}") for number in sorted(known)]))
    model.asked.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepping, "KNOWN_AT_ONCE", ahead)
        wanted = [request(f"{mark} {number}", f"key {place}") for place, number in enumerate(prompts)]
        answers = list(shared.context().complete("execute", iter(wanted)))
    assert {c.key: c.text for c in answers} == {f"key {place}": f"{mark} {number}".upper() for place, number in enumerate(prompts)}
    assert len(answers) == len(prompts)
    assert Counter(model.asked) == Counter({f"{mark} {number}": 1 for number in set(prompts) - known})


def test_a_cancel_takes_effect_between_calls_and_the_answer_that_came_is_kept(bench: Bench) -> None:
    answers = []
    with pytest.raises(Cancelled):
        for completion in bench.context().complete("execute", [request("a"), request("b"), request("c")]):
            answers.append(completion.text)
            runs.send_command(bench.connection, bench.run, "cancel")
    assert answers == ["A"] and counting(bench).asked == ["a"]
    list(bench.context().complete("execute", [request("a")]))
    assert counting(bench).asked == ["a"]


def test_a_role_the_stage_does_not_declare_is_refused(bench: Bench) -> None:
    with pytest.raises(StageFailed, match="role plan"):
        list(bench.context().complete("plan", [request("a")]))


@pytest.mark.parametrize(
    ("error", "expected"), [(RuntimeUnavailable("it died", "reinstall"), Unavailable), (WeightsInvalid("cut"), BadInput)]
)
def test_a_model_that_cannot_go_on_ends_the_step_in_the_engines_words(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    def die(requests: Iterator[Request | None], between: Callable[[], None]) -> Iterator[Completion]:
        raise error
        yield

    monkeypatch.setattr(bench.model, "complete_many", die)
    with pytest.raises(expected, match="role execute"):
        bench.step(lambda given, options, ctx: list(ctx.complete("execute", [request("a")])))


def test_progress_counts_examples_or_all_units(bench: Bench) -> None:
    def half(pending: Iterator[str]) -> Iterator[tuple[str, Outcome]]:
        for number, name in enumerate(pending):
            yield name, Outcome("accepted" if number % 2 else "skipped")

    bench.context("one").each(names(10), key=same, through=half, total=5, unit="examples")
    told = events.read_progress(bench.connection, bench.run)
    assert told and (told.done, told.total, told.unit, told.stage) == (5, 5, "examples", "count")
    bench.context("two").each(names(10), key=same, through=half, total=10)
    told = events.read_progress(bench.connection, bench.run)
    assert told and (told.done, told.total, told.unit) == (10, 10, "units")


def test_the_rate_counts_only_what_this_engine_did(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100, 10_000))
    monkeypatch.setattr("engine.context.time.monotonic", lambda: float(next(clock)))
    context = bench.context()
    context.progress(1000, 2000, "units")
    context.progress(1010, 2000, "units")
    told = events.read_progress(bench.connection, bench.run)
    assert told and 0 < told.rate <= 10
    context.progress(5, 300, "MB")
    told = events.read_progress(bench.connection, bench.run)
    assert told and (told.done, told.unit, told.rate) == (5, "MB", 0)


def test_who_looks_on_in_this_process_hears_of_progress(bench: Bench) -> None:
    heard: list[tuple[object, ...]] = []
    bench.session.watch = lambda *told: heard.append(told)
    bench.context().progress(3, 3, "units")
    assert heard == [("count", 3, 3, "units")]


def test_the_cost_is_told_in_calls_and_in_time_once_the_rate_is_known(bench: Bench) -> None:
    context = bench.context()
    context.expect_calls("execute", 100, 5000, 1000)
    list(context.complete("execute", [request("a" * size) for size in (5, 50, 90)]))
    context.expect_calls("execute", 100, 5000, 1000)
    before, after = (event for event in events.events_after(bench.connection, bench.run, 0) if event.kind == "cost")
    assert before.data == {"role": "execute", "calls": 100, "prompt_tokens": 5000, "completion_tokens": 1000}
    assert "not measured" in before.text and "100 calls" in before.text and "6,000 tokens" in before.text
    assert after.data["seconds"] > 0 and "measured on this machine" in after.text


def test_the_cost_of_many_calls_is_told_at_the_calibrated_speed(bench: Bench) -> None:
    counting(bench).measured = Speed(read=100.0, written=20.0)
    context = bench.context()
    list(context.complete("execute", [request("a" * size) for size in (5, 50, 90)]))
    context.expect_calls("execute", 1000, 1000 * 350, 1000 * 40, shared=300)
    context.expect_calls("execute", 10, 10 * 350, 10 * 40, shared=300)
    many, few = (event for event in events.events_after(bench.connection, bench.run, 0) if event.kind == "cost")
    assert many.data["seconds"] == (50_000 + 300) / 100 + 40_000 / 20
    rates = items.measured_rates(bench.connection, counting(bench).identity.digest)
    stored = 3500 * rates.per_prompt_token + 400 * rates.per_completion_token
    assert few.data["seconds"] == round(stored, 1) > 0, "a few leave most sequences idle: the stored calls tell"
