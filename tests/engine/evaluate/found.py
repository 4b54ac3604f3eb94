"""An evaluation of a finetuned model and an experiment of five arms, as stages record them; numbers written down."""

from __future__ import annotations

import msgspec

from engine.evaluate.asking import Setting
from engine.evaluate.choosing import Choice, Tried
from engine.evaluate.evaluated import Agreement, Arm, Compared, Contrast, Evaluated
from engine.evaluate.evaluation import Comparison, Evaluation, Judged, LabelRow, Result, Wrong
from engine.evaluate.intervals import Difference, Estimate
from engine.evaluate.scores import Figure

ITEMS, CLUSTERS = 300, 210
CHANCE = 1 / 3
HOSTILE = "[b]mails[/b]\x1b[31m \u202eabc"


def estimate(value: float, low: float, high: float, *, n: int = ITEMS, draws: int = 1) -> Estimate:
    """Over the test's items, or so many."""
    return Estimate(value, low, high, n, CLUSTERS, draws)


def figures(accuracy: float, wide: float = 0.055, draws: int = 1) -> tuple[Figure, ...]:
    """All figures of a task with three labels."""
    one = estimate(accuracy, accuracy - wide, accuracy + wide, draws=draws)
    written = estimate(accuracy - 0.04, accuracy - 0.04 - wide, accuracy - 0.04 + wide, draws=draws)
    return (
        Figure("accuracy, sum", "by the sum of log-probabilities", one, one.scaled(CHANCE, 1.0), True),
        Figure("accuracy, per_token", "by log-probability a token", written, written.scaled(CHANCE, 1.0)),
        Figure("accuracy, written", "of the answer written", written, written.scaled(CHANCE, 1.0)),
        Figure("unparsable", "written answers that name no option", estimate(0.05, 0.03, 0.08)),
        Figure("macro_f1, sum", "F1 of each label, averaged", written),
    )


def arm(name: str, accuracy: float, what: str, *, examples: int = 0, leaked: int = 0, without: bool = True) -> Arm:
    """One way to come to a model."""
    shown = estimate(accuracy - 0.01, accuracy - 0.07, accuracy + 0.05, n=288) if without else None
    return Arm(
        name,
        what,
        examples,
        3 * examples // 8,
        "0-shot, as trained" if examples else "2-shot, chat",
        figures(accuracy),
        shown,
        leaked,
        2.913 if examples else None,
        0.704 if examples else None,
        "d" * 64,
    )


def contrast(one: str, other: str, value: float, p: float, *, primary: bool = False, share: bool = True) -> Contrast:
    """One arm less another, in normalised points."""
    found = Difference(estimate(value, value - 9.5, value + 9.5), p, "paired permutation test, 10,000 draws")
    return Contrast(one, other, found, True, estimate(1.39, 1.09, 1.83) if share else None, primary)


COMPARED = Compared(
    "weather-notes",
    "held-out",
    "accuracy, sum",
    ITEMS,
    CLUSTERS,
    12,
    3,
    (
        arm("few-shot", 0.42, "two examples shown, nothing trained"),
        arm("existing", 0.51, "600 examples of [b]existing[/b] data sets", examples=600),
        arm("synthetic", 0.53, "600 synthetic examples", examples=600),
        arm("transformed", 0.6, "600 transformed examples", examples=600, leaked=9),
        arm("mix", 0.64, "300 transformed and 300 synthetic examples", examples=600, leaked=4),
    ),
    (
        contrast("mix", "transformed", 6.0, 0.21),
        contrast("mix", "few-shot", 33.0, 0.0004, primary=True),
        contrast("mix", "synthetic", 16.5, 0.0041, primary=True),
        contrast("mix", "existing", 19.5, 0.0012, share=False),
    ),
    ("the base is tiny.gguf in all arms",),
)
FREE = Compared(
    "titles",
    "held-out",
    "chrf",
    40,
    40,
    0,
    1,
    tuple(
        Arm(
            name,
            "",
            0,
            0,
            "2-shot, chat",
            (Figure("chrf", "of the text written", Estimate(value, value - 0.1, value + 0.1, 40, 40), None, True),),
        )
        for name, value in (("few-shot", 0.31), ("mix", 0.45))
    ),
    (Contrast("mix", "few-shot", Difference(Estimate(14.0, -1.0, 29.0, 40, 40), 0.066, "paired permutation test"), False, None, True),),
)
"""Free answers, on which there is no chance: no scale of points."""


def result(setting: Setting, accuracy: float, wrong: int) -> Result:
    """One setting on the test."""
    labels = tuple(
        LabelRow(label, 100, 100 * accuracy - 10 * place, (("rain", 31),)) for place, label in enumerate(("rain", "snow", "sun"))
    )
    missed = tuple(
        Wrong(f"{4 + number}", f"The gutter ran over again. {HOSTILE} ({number})", "rain", "snow", "Snow, I think.")
        for number in range(wrong)
    )
    return Result(setting, 1, figures(accuracy), 2, labels, missed, 300 - round(300 * accuracy))


def judged(name: str, setting: Setting, accuracy: float, wrong: int = 5) -> Judged:
    """One model on the test."""
    others = [setting, *(one for one in (Setting(0), Setting(2), Setting(8, "plain")) if one != setting)]
    tried = tuple(Tried(one, 0.75 - place / 16, -0.31 - place / 4, 16) for place, one in enumerate(others))
    choice = Choice(
        setting, "best of 3 on 16 examples of the task, each left out in turn: 0.75", tried if setting.style != "export" else ()
    )
    results = (result(setting, accuracy, wrong), *((result(Setting(2), accuracy - 0.02, 1),) if setting != Setting(2) else ()))
    return Judged(name, "e" * 64, "llama.cpp", choice, results if setting.style != "export" else results[:1])


EVALUATED = Evaluated(
    Evaluation(
        "weather-notes",
        "held-out",
        ITEMS,
        CLUSTERS,
        "accuracy, sum",
        40,
        (
            judged("tiny.gguf with adapter.gguf", Setting(0, "export"), 0.62),
            judged("tiny.gguf", Setting(8), 0.47, 3),
        ),
        Comparison(
            "accuracy, sum",
            Difference(estimate(0.15, 0.08, 0.22), 0.0002, "paired permutation test, 10,000 draws"),
            estimate(2.1, 1.38, 4.02),
        ),
        ("descriptive: 210 independent items, under 250, say little about others",),
    ),
    True,
    Agreement(25, 23, 16),
)
ALONE = msgspec.structs.replace(
    EVALUATED,
    evaluation=msgspec.structs.replace(EVALUATED.evaluation, models=EVALUATED.evaluation.models[:1], comparison=None),
)
"""Where nothing but the finetuned model was asked."""
