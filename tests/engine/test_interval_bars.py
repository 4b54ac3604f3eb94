"""Intervals drawn with characters: one scale that holds all of them, and no line wider than was asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluate.intervals import Estimate
from engine.interval_bars import BarRow, Bars, Scale, bar, drawn, round_scale, scale_of

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def over(low: float, value: float, high: float) -> Estimate:
    return Estimate(value, low, high, 300, 300)


def bars(*estimates: Estimate, zero: float | None = None) -> Bars:
    rows = tuple(BarRow(f"arm {number}", f"{one.value:.2f} ({one.low} to {one.high})", "1.00", one) for number, one in enumerate(estimates))
    return Bars("accuracy", rows, zero, "chance")


def test_a_bar_has_its_ends_its_value_and_chance_where_they_are() -> None:
    scale = Scale(0, 100, 20, 50)
    assert bar(scale, over(20, 30, 40), 11) == "  ├●┤┆     "
    assert bar(scale, over(40, 60, 80), 11) == "    ├┼●─┤  "
    assert bar(scale, over(50, 50, 50), 11) == "     ●     "


def test_what_lies_beyond_the_scale_is_at_its_end() -> None:
    assert bar(Scale(0, 100, 20, None), over(50, 60, math.inf), 11) == "     ├●───┤"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.31, 0.64, ("0.3", "0.4", "0.5", "0.6", "0.7")),
        (-3.5, 42.5, ("-10", "0", "10", "20", "30", "40", "50")),
        (0.0, 1.1, ("0.00", "0.25", "0.50", "0.75", "1.00", "1.25")),
        (1.0, 1.0, ("0.4", "0.6", "0.8", "1.0", "1.2", "1.4", "1.6")),
    ],
)
def test_the_scale_has_round_numbers(low: float, high: float, words: tuple[str, ...]) -> None:
    assert round_scale(low, high).tick_words == words


def test_steps_are_counted_in_whole_numbers() -> None:
    assert round_scale(0, 12, whole=True).tick_words == ("0", "3", "6", "9", "12")
    assert round_scale(0, 1, whole=True).tick_words == ("0", "1")


@given(st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=1, max_size=6), st.one_of(st.none(), FINITE))
def test_the_scale_holds_every_interval_and_what_is_marked(ends: list[tuple[float, float, float]], zero: float | None) -> None:
    estimates = [over(*sorted(three)) for three in ends]
    scale = scale_of(estimates, zero)
    every = [end for one in estimates for end in (one.low, one.high)] + ([zero] if zero is not None else [])
    slack = 1e-6 * max(1.0, scale.high - scale.low)
    assert scale.low - slack <= min(every) and max(every) <= scale.high + slack
    assert len(scale.ticks) <= 14 and len(set(scale.tick_words)) == len(scale.ticks)


@given(st.integers(24, 200), st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=1, max_size=6))
def test_every_bar_is_whole_and_no_line_of_bars_is_wider_than_the_screen(width: int, ends: list[tuple[float, float, float]]) -> None:
    lines = drawn(bars(*(over(*sorted(three)) for three in ends), zero=0.0), width)
    assert sum("●" in line for line in lines) == len(ends)
    assert all(len(line) <= width for line in lines if "●" in line or "┴" in line)


def test_where_there_is_little_room_the_words_are_short_and_then_above() -> None:
    found = bars(over(10, 20, 30), over(15, 25, 35), zero=0.0)
    wide, narrow, least = (drawn(found, width, shorten=True) for width in (80, 40, 24))
    assert "20.00 (10 to 30)" in wide[2] and "●" in wide[2]
    assert "(10 to 30)" not in "".join(narrow) and "1.00" in narrow[2] and "●" in narrow[2]
    assert least[2].startswith("arm 0  20.00 (10 to 30)") and "●" not in least[2] and "●" in least[3]
    assert drawn(found, 40)[2:4] == ["arm 0  20.00 (10 to 30)", drawn(found, 40)[3]] and "●" in drawn(found, 40)[3], (
        "unless words matter more"
    )
