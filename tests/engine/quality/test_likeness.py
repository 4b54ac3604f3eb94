from __future__ import annotations

import pytest

from engine.quality.likeness import chrf, likeness, token_f1


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("The cat sat on the mat.", "The cat is on the mat.", 0.6717),
        ("7", "17", 0.5556),
        ("Oslo is the capital", "the capital of Norway is Oslo", 0.4731),
        ("a very long answer with many words in it", "a short one", 0.1368),
        ("abc", "xyz", 0.0),
    ],
)
def test_chrf_is_what_the_reference_program_says(answer: str, reference: str, score: float) -> None:
    assert chrf(answer, reference) == pytest.approx(score, abs=1e-4)  # sacrebleu 2, chrF2 without smoothing


def test_texts_alike_but_for_case_and_points_are_the_same() -> None:
    assert likeness("Oslo.", "oslo") == 1 and likeness("", "") == 1 and likeness("", "x") == 0
    assert token_f1("the capital is Oslo", "Oslo is the capital") == 1 > likeness("the capital is Oslo", "Oslo is the capital") > 0.5
