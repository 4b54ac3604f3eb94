"""How sure a handful of measured gains makes one that there is a gain at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

SURE = 0.985
"""Asked at each of up to four looks at growing samples: with 0.95 at each look, one plan in five passed by luck (measured)."""


def belief(gains: Sequence[float]) -> float:
    """Probability that independent gains (each between -1 and 1) come from a mean above 0; 0.5 without any.

    Normal, with two observations of -0.5 and 0.5 as the prior, so that a few equal gains are not taken for certainty.
    """
    if not gains:
        return 0.5
    values = [*gains, -0.5, 0.5]
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / len(values)
    return NormalDist().cdf(mean / math.sqrt(spread / len(values)))
