"""What an experiment found, in rows, bars and sentences for people: the same words in the terminal, on the screen and in the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from engine.evaluate.intervals import DESCRIPTIVE_BELOW
from engine.interval_bars import BarRow, Bars
from engine.plain_text import one_line

if TYPE_CHECKING:
    from engine.evaluate.evaluated import Arm, Compared, Contrast
    from engine.evaluate.intervals import Estimate
    from engine.evaluate.scores import Figure

PRIMARY = "★"
NAME = 24
"""Characters of an arm's name."""
_DESCRIPTIVE = "descriptive"
Table = tuple[tuple[str, ...], Sequence[tuple[str, ...]]]
"""Heads and rows."""


def headline(found: Compared) -> str:
    """On what the arms were compared."""
    grouped = "" if found.clusters == found.items else f" in {found.clusters:,} groups that share a stem"
    seeds = f"{found.seeds} seed" + ("s" if found.seeds != 1 else "")
    return f"{one_line(found.task, 60)} on {one_line(found.test, 60)}: {found.items:,} items{grouped}, {seeds}"


def caveats(found: Compared) -> list[str]:
    """What to know of the figures beforehand: how far they carry, and what was found of the test."""
    told = []
    if found.clusters < DESCRIPTIVE_BELOW:
        told.append(descriptive(found.clusters))
    if found.found:
        told.append(f"{found.found:,} items were found in data, demonstrations or plans, and left out there before training")
    else:
        told.append("no item was found in any data, demonstration or plan")
    return told


def descriptive(clusters: int) -> str:
    """What is said of a test of few independent items."""
    return f"{_DESCRIPTIVE}: {clusters:,} independent items, under {DESCRIPTIVE_BELOW}, say little about others"


def other_notes(notes: Sequence[str]) -> list[str]:
    """The notes but the one that caveats say."""
    return [one_line(note, 400) for note in notes if not note.startswith(_DESCRIPTIVE)]


def in_points(found: Compared) -> bool:
    """Whether all arms have a figure on the scale where 0 is chance and 100 all right."""
    return all(arm.figures and arm.figures[0].normalised for arm in found.arms)


def points_of(arm: Arm, normalised: bool) -> Estimate | None:
    """The primary figure on that scale, or times 100."""
    if not arm.figures:
        return None
    figure = arm.figures[0]
    return figure.normalised if normalised else figure.estimate.scaled(0.0, 1.0)


def arm_bars(found: Compared) -> Bars:
    """The primary figure of every arm."""
    normalised = in_points(found)
    deciding = {one.arm for one in found.contrasts if one.primary}
    rows = []
    for arm in found.arms:
        points = points_of(arm, normalised)
        if points is not None:
            rows.append(BarRow(one_line(arm.name, NAME), interval_words(points, 1), f"{points.value:.1f}", points, arm.name in deciding))
    name = f"{PRIMARY} {figure_name(found.metric)}"
    title = f"{name}: 0 is chance, 100 all right" if normalised else f"{name}, times 100"
    return Bars(title, tuple(rows), 0.0 if normalised else None, "chance")


def contrasts_in_order(found: Compared) -> list[Contrast]:
    """Those that were fixed beforehand first."""
    return sorted(found.contrasts, key=lambda one: not one.primary)


def contrast_bars(found: Compared) -> Bars:
    """What one arm has more than another, on the same items."""
    rows = []
    longest = max((len(interval_words(one.difference.estimate, 1, "+")) for one in found.contrasts), default=0)
    for one in contrasts_in_order(found):
        estimate, p = one.difference.estimate, f"p {one.difference.p:.2g}"
        words, short = f"{interval_words(estimate, 1, '+'):{longest}}  {p}", f"{estimate.value:+.1f}  {p}"
        rows.append(BarRow(contrast_name(one), words, short, estimate, one.primary))
    scale = "points" if all(one.normalised for one in found.contrasts) else "figure times 100"
    return Bars(f"one arm less another in {scale}, item by item; {PRIMARY} fixed beforehand", tuple(rows), 0.0, "no difference")


def contrast_name(one: Contrast) -> str:
    """Such as "★ mix − few-shot"."""
    return f"{PRIMARY if one.primary else ' '} {one_line(one.arm, NAME)} − {one_line(one.other, NAME)}"


def share_words(one: Contrast) -> str:
    """How much of the other's figure the arm has."""
    return f"{one.share.value:.0%} ({one.share.low:.0%} to {one.share.high:.0%})" if one.share else "-"


def contrast_table(found: Compared) -> Table:
    """Contrast, difference, p, share of the other's figure above chance, test."""
    rows = [
        (
            contrast_name(one).strip(),
            interval_words(one.difference.estimate, 1, "+"),
            f"{one.difference.p:.2g}",
            share_words(one),
            one_line(one.difference.test, 60),
        )
        for one in contrasts_in_order(found)
    ]
    return ("contrast", "difference", "p", "share of the other's", "test"), rows


def contrast_sentences(found: Compared) -> Iterator[str]:
    """Shares in words, and by which tests."""
    for one in contrasts_in_order(found):
        if one.share:
            above = " above chance" if in_points(found) else ""
            yield f"{one_line(one.arm, NAME)} has {share_words(one)} of what {one_line(one.other, NAME)} has{above}"
    without = [contrast_name(one).removeprefix(PRIMARY).strip() for one in contrasts_in_order(found) if one.share is None]
    if without:
        yield f"no share for {', '.join(without)}: the other's figure is not clear of {'chance' if in_points(found) else '0'}"
    tests = list(dict.fromkeys(one_line(one.difference.test, 60) for one in found.contrasts))
    if tests:
        yield f"p: {'; '.join(tests)}, two-sided"


def arm_table(found: Compared) -> Table:
    """What each arm was trained on and how it went."""
    rows = [
        (
            one_line(arm.name, NAME),
            f"{arm.examples:,}",
            f"{arm.steps:,}" if arm.steps else "-",
            f"{arm.leaked:,}",
            loss_words(arm),
            one_line(arm.setting, 30),
        )
        for arm in found.arms
    ]
    return ("arm", "examples", "steps", "leaked", "validation loss", "asked"), rows


def arm_sentences(found: Compared) -> Iterator[str]:
    """What each arm is."""
    for arm in found.arms:
        if arm.what:
            yield f"{one_line(arm.name, NAME)}: {one_line(arm.what, 300)}"
    if any(arm.leaked for arm in found.arms):
        yield "leaked: examples that were left out since they held an item of the test"
    if any(arm.best_validation_loss is not None for arm in found.arms):
        yield f"validation loss: before training and the best, nats a token{', of the first seed' if found.seeds > 1 else ''}"


def loss_words(arm: Arm) -> str:
    """Validation loss before and at its best."""
    if arm.best_validation_loss is None:
        return "-"
    first = f"{arm.first_validation_loss:.3f} → " if arm.first_validation_loss is not None else ""
    return f"{first}{arm.best_validation_loss:.3f}"


def figure_table(found: Compared) -> Table:
    """Every figure of every arm as it is, an arm a row; without the items that were found, where there were some."""
    names = list(dict.fromkeys(figure.name for arm in found.arms for figure in arm.figures))
    heads = [f"{PRIMARY} {figure_name(name)}" if place == 0 else figure_name(name) for place, name in enumerate(names)]
    without = any(arm.without_found for arm in found.arms)
    if without:
        heads.insert(1, "without found items")
    rows = []
    for arm in found.arms:
        cells = [_of(arm.figures, name) for name in names]
        if without:
            cells.insert(1, interval_words(arm.without_found) if arm.without_found else "-")
        rows.append((one_line(arm.name, NAME), *cells))
    return ("arm", *heads), rows


def figure_name(name: str) -> str:
    """As people read it."""
    return one_line(name.replace("_", " "), 60)


def interval_words(one: Estimate, places: int = 3, sign: str = "") -> str:
    """Such as "0.573 (0.52 to 0.63)": ends have a digit less, which is as far as they carry, unless a sign tells them from 0."""
    ends = places if sign or places < 2 else places - 1
    return f"{one.value:{sign}.{places}f} ({one.low:{sign}.{ends}f} to {one.high:{sign}.{ends}f})"


def _of(figures: Sequence[Figure], name: str) -> str:
    return next((interval_words(figure.estimate) for figure in figures if figure.name == name), "-")
