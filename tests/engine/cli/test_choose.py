"""When a person is asked to choose between two readings, and when not."""

from __future__ import annotations

from typing import Any

import pytest

from engine.cli.choose import second_reading
from engine.plan.steps import Emit, Plan
from engine.records import PlanChoice, RunnerUp

PLAN = Plan(name="p", emit=Emit(input="{{ a }}", output="{{ b }}"))


def choice(verdict: Any, *others: tuple[Any, float]) -> PlanChoice:
    runners_up = tuple(RunnerUp(PLAN, score, verdict=other) for other, score in others)
    return PlanChoice("d", "c", ("train",), PLAN, "digest", 0.8, runners_up=runners_up, verdict=verdict)


@pytest.mark.parametrize(
    ("verdict", "others", "place"),
    [
        ("verified", (("unverified", 0.8),), 0),
        ("verified", (("beaten", 0.8), ("verified", 0.75)), 2),
        ("unverified", (("beaten", 0.79), ("unverified", 0.75)), 2),
        ("unverified", (("unverified", 0.5),), 0),
        ("unverified", (("", 0.8),), 0),
        ("", (), 0),
    ],
)
def test_only_a_near_reading_that_was_asked_about_and_not_beaten_is_a_second_one(verdict: Any, others: Any, place: int) -> None:
    assert second_reading(choice(verdict, *others)) == place
