"""Which of several number columns an output is: the range the description names, and decimals as the examples have them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.plan.profile import ColumnProfile, as_number, as_text
from engine.plan.template import printed

_RANGE = re.compile(
    r"(?<![\w.])(?P<low>[-−]?\d+(?:[.,]\d+)?)(?:\s*\([^()]{0,40}\))?\s*"
    r"(?:to|and|through|bis|und|à|et|a|y|до|и|至|到|から|〜|~|–|—|-|에서|부터|ile|hadi|sampai|se|से)\s*(?P<high>[-−]?\d+(?:[.,]\d+)?)(?!\w*%)"
)


def named_range(description: str, outputs: Sequence[str]) -> tuple[float, float] | None:
    """The two ends of a scale the description names, if the examples' outputs lie within."""
    numbers = [as_number(output) for output in outputs]
    for found in _RANGE.finditer(description):
        low, high = (float(found[name].replace("−", "-").replace(",", ".")) for name in ("low", "high"))
        if low < high and all(number is not None and low <= number <= high for number in numbers):
            return low, high
    return None


def on_scale(profile: ColumnProfile, scale: tuple[float, float], outputs: Sequence[str]) -> bool:
    """The column's numbers lie on this scale and use most of it, with decimals where the examples have some.

    A scale from 0 to 1 and one of a few whole numbers are so common that they say nothing.
    """
    if profile.low is None or profile.high is None:
        return False
    low, high = scale
    span = high - low
    decimals = any("." in output for output in outputs)
    return (
        (low, high) != (0, 1)
        and low <= profile.low
        and profile.high <= high
        and profile.high - profile.low >= 0.6 * span
        and decimals
        and profile.whole < 1
        and (low >= 0 or profile.low < 0)
    )


def decimals_apart(texts: Sequence[str], outputs: Sequence[str]) -> int:
    """How many decimals more the usual number has than the longest of the examples; 0 for as many or fewer."""
    places = sorted(len(text.partition(".")[2]) for text in texts if text)
    wanted = max((len(output.partition(".")[2]) for output in outputs), default=0)
    return max(0, places[int(0.75 * (len(places) - 1))] - wanted) if places else 0


def written_number(profile: ColumnProfile, outputs: Sequence[str]) -> str:
    """The template that prints the number with a decimal where whole ones of the examples have one ("3.0")."""
    plain = printed(profile.name)
    always = outputs and all("." in output for output in outputs)
    if always and profile.kind == "number":
        name = plain[3:-3]
        return f"{plain}{{% if {name} == {name} | int %}}.0{{% endif %}}"
    return plain


def as_written(value: object, always: bool) -> str:
    """What that template gives."""
    text = as_text(value)
    return f"{text}.0" if always and isinstance(value, float) and text and "." not in text and "e" not in text else text
