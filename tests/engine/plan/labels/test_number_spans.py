"""Ranges that descriptions give their labels, in the words of several languages."""

from __future__ import annotations

from math import inf

import pytest

from engine.plan.labels.number_spans import number_spans, spans_of_labels


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("at least 3 stars", 3, inf),
        ("three or more votes", 3, inf),
        ("as soon as any rater objects", 1, inf),
        ("mindestens zwei Personen", 2, inf),
        ("ab 0,5 Punkten", 0.5, inf),
        ("au moins un avis", 1, inf),
        ("не менее 4 баллов", 4, inf),
        ("3以上", 3, inf),
        ("評価4以上なら", 4, inf),
        ("0.2 or lower", -inf, 0.2),
        ("höchstens 2", -inf, 2),
        ("не меньше 0,1", 0.1, inf),
        ("не больше 3", -inf, 3),
        ("不超过2", -inf, 2),
        ("between 3 and 6", 3, 6),
        ("4-5 stars", 4, 5),
        ("4 oder 5 Sterne", 4, 5),
        ("more than 7", 7, inf),
        ("below -5", -inf, -5),
    ],
)
def test_a_range_in_words_has_its_ends(text: str, low: float, high: float) -> None:
    spans = [span for span in number_spans(text) if not span.bare]
    assert [(span.low, span.high) for span in spans] == [(low, high)]


def test_more_than_leaves_its_end_out_and_at_least_does_not() -> None:
    assert [(span.low_in, span.high_in) for span in number_spans("more than 2, less than 9, at least 4")] == [
        (False, False),
        (False, False),
        (True, True),
    ]


@pytest.mark.parametrize(
    ("description", "labels", "lows", "rest"),
    [
        ("keep = rated 8 or higher, drop = rated 3 or lower. Skip the others.", ("keep", "drop"), {"keep": 8, "drop": -inf}, ""),
        ("Mark it loud as soon as at least one listener complains, otherwise calm.", ("loud", "calm"), {"loud": 1}, "calm"),
        ("1-2 points: weak; 3 points: fair; 4-5 points: strong", ("weak", "fair", "strong"), {"weak": 1, "fair": 3, "strong": 4}, ""),
        (
            "Songs with at least 70 points are hits, those with 20 points or less are flops.",
            ("hits", "flops"),
            {"hits": 70, "flops": -inf},
            "",
        ),
        ("laut ab 4, leise bis 2, der Rest fällt weg", ("laut", "leise"), {"laut": 4, "leise": -inf}, ""),
        ("评分4以上为好，2以下为差。", ("好", "差"), {"好": 4, "差": -inf}, ""),
        ("no: below 5; yes: above 7; maybe: everything in between", ("yes", "maybe", "no"), {"no": -inf, "yes": 7}, "maybe"),
        ("below 5 is cold, above 20 is hot, anything else is mild", ("cold", "mild", "hot"), {"cold": -inf, "hot": 20}, "mild"),
    ],
)
def test_each_label_has_the_range_that_stands_with_it(description: str, labels: tuple[str, ...], lows: dict[str, float], rest: str) -> None:
    found, other = spans_of_labels(description, labels)
    assert ({label: span.low for label, span in found.items()}, other) == (lows, rest)
