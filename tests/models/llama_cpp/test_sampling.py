from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from models.language import Sampling
from models.llama_cpp.sampling import Chooser

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))


def drawn(sampling: Sampling, count: int = 4000, logits: np.ndarray = LOGITS, allowed: np.ndarray | None = None) -> Counter[int]:
    chooser = Chooser(sampling, [1, 2])
    return Counter(chooser.choose(logits, allowed) for _ in range(count))


def test_without_temperature_the_best_is_chosen() -> None:
    assert drawn(Sampling(), 5) == {0: 5}


def test_with_temperature_one_draws_follow_the_models_own_shares() -> None:
    counts = drawn(Sampling(temperature=1.0))
    assert [counts[i] / 4000 for i in range(4)] == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    assert drawn(Sampling(temperature=0.3))[0] > drawn(Sampling(temperature=1.0))[0] > drawn(Sampling(temperature=3.0))[0]


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    assert set(drawn(Sampling(temperature=1.0, top_p=0.7))) == {0, 1}
    assert set(drawn(Sampling(temperature=1.0, top_p=0.0))) == {0}


def test_min_p_drops_what_is_far_below_the_best() -> None:
    assert set(drawn(Sampling(temperature=1.0, min_p=0.2))) == {0, 1, 2}


def test_what_is_not_allowed_is_never_chosen() -> None:
    allowed = np.array([False, False, True, True])
    assert set(drawn(Sampling(temperature=2.0), allowed=allowed)) == {2, 3}
    assert set(drawn(Sampling(), 3, allowed=allowed)) == {2}


def test_nothing_allowed_and_scores_that_are_no_numbers_are_errors() -> None:
    chooser = Chooser(Sampling(temperature=1.0), [1])
    for logits, allowed in ((LOGITS, np.zeros(4, dtype=bool)), (np.full(4, np.nan, dtype=np.float32), None)):
        with pytest.raises(ValueError, match="score"):
            chooser.choose(logits, allowed)


def test_draws_depend_on_seed_and_prompt_alone() -> None:
    def draws(seed: int, prompt: list[int]) -> list[int]:
        chooser = Chooser(Sampling(temperature=5.0, seed=seed), prompt)
        return [chooser.choose(LOGITS, None) for _ in range(40)]

    assert draws(1, [1, 2]) == draws(1, [1, 2])
    assert len({tuple(draws(seed, prompt)) for seed in (1, 2) for prompt in ([1, 2], [1, 3])}) == 4
