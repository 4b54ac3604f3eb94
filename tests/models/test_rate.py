from __future__ import annotations

import pytest

from models.errors import ModelError
from models.language import Completion, Request
from models.rate import Rate, measure_rate
from models.scripted import ScriptedModel, scripted


class Clockwork(ScriptedModel):
    """Reads 100 tokens a second and writes 10."""

    def _complete(self, request: Request) -> Completion:
        prompt = self.count_tokens(self.render(request.messages))
        written = request.sampling.max_tokens
        return Completion(request.key, "x", "length", prompt, written, prompt / 100 + (written - 1) / 10)


def test_reading_and_writing_are_told_apart() -> None:
    rate = measure_rate(Clockwork())
    assert rate.prompt == pytest.approx(100)
    assert rate.completion == pytest.approx(10)


def test_a_cost_is_the_time_both_take() -> None:
    assert Rate(prompt=100, completion=10).seconds(1000, 100) == 20


def test_a_model_that_takes_no_time_has_a_finite_rate() -> None:
    assert 0 < measure_rate(scripted()).seconds(1000, 1000) < 1


def test_a_model_that_cannot_answer_is_an_error() -> None:
    with pytest.raises(ModelError, match="cannot answer"):
        measure_rate(scripted(context_length=5))
