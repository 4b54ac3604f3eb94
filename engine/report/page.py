"""A report as one HTML page that needs nothing else: no network, no other file, no script but its own."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from engine.comparison_table import comparison_rows, comparison_sentences
from engine.mix.table import mix_table
from engine.plain_text import clean
from engine.quality.licences import sort_licences
from engine.report.charts import BAR_HEIGHT, MAP_SIZE, length_histograms, map_layers
from engine.report.content import Report
from engine.report.model_charts import BAR_HEIGHT as BARS_HEIGHT
from engine.report.model_charts import BARS_WIDTH, LOSS_HEIGHT, LOSS_WIDTH
from engine.report.model_words import models_told

if TYPE_CHECKING:
    from engine.compare_data import DataComparison
    from engine.data_sources import DataSource

_TEMPLATES = ("page.html", "comparison.html", "models.html", "model_parts.html")
_LONGEST = 4000
"""Characters of one text that are shown."""


def page(report: Report, compared: DataComparison | None, drawn: Sequence[DataSource], notes: Sequence[str] = ()) -> str:
    """The page. `compared` is the measures over `drawn`; None, where there are no examples to measure, leaves them out.

    Every text of a card, a row or a model is shown as plain text; the page's own policy forbids any other script, style or request.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined

    style, script = _file("page.css"), _file("page.js")
    environment = Environment(
        loader=DictLoader({name: _file(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {"count": lambda number: f"{number:,}", "time": _time, "took": _took}
    stated = {figures.name: ", ".join(figures.licences) for figures in compared.sources} if compared else {}
    layers = map_layers(compared.map, drawn) if compared and compared.map else []
    return environment.get_template("page.html").render(
        report=report,
        compared=compared,
        rows=comparison_rows(compared) if compared else [],
        sentences=[*comparison_sentences(compared), *notes] if compared else list(notes),
        histograms=length_histograms(compared.sources) if compared else [],
        layers=layers,
        points=_json([[layer.source, point.input, point.output] for layer in layers for point in layer.points]),
        samples=[(source, list(some)) for source, some in groupby(report.samples, lambda one: one.source)],
        licences=sort_licences(stated) if stated else None,
        mixes=[(arm, mixed, *mix_table(mixed)) for arm, mixed in report.mixes],
        models=models_told(report.trained),
        bars_width=BARS_WIDTH,
        bars_height=BARS_HEIGHT,
        loss_width=LOSS_WIDTH,
        loss_height=LOSS_HEIGHT,
        map_size=MAP_SIZE,
        bar_height=BAR_HEIGHT,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _file(name: str) -> str:
    return files("engine.report").joinpath(name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """Plain text without control characters or marks that turn its direction, cut where nobody reads on."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return clean(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}… ({len(value) - _LONGEST:,} more characters)")


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: it ends no element and begins none."""
    text = msgspec.json.encode(_cleaned(value)).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _cleaned(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else [_cleaned(one) for one in value]


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def _took(seconds: float) -> str:
    from engine.cli.progress import time_left

    return time_left(seconds) if seconds >= 1 else f"{seconds:.1f} s"
