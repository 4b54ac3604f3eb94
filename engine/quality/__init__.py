"""Measures over examples, each usable alone. Embeddings come in as an array; correctness and difficulty ask a model through a function
that is given, so that stored answers are used.

This is the table of contents; a name's module is imported when the name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.quality.benchmarks import Related, related_source
    from engine.quality.correctness import Correctness, Known, judge_correctness
    from engine.quality.difficulty import Difficulty, base_difficulty, rate_difficulty
    from engine.quality.diversity import (
        Comparison,
        Diversity,
        Interval,
        Saturation,
        Spread,
        compare_diversity,
        measure_diversity,
        measure_spread,
    )
    from engine.quality.language_check import Languages, check_languages
    from engine.quality.leakage import Leakage, Match, find_leakage
    from engine.quality.lengths import Lengths, measure_lengths
    from engine.quality.licences import Clash, Licence, LicenceSummary, allowed, licence_of, sort_licences
    from engine.quality.near_duplicates import Conflict, Duplicates, find_duplicates, rouge_l
    from engine.quality.pairs import Pair, Verdict
    from engine.quality.provenance import Origins, Provenance, SourceOrigins, count_origins
    from engine.quality.regions import Map, Regions, region_map, tell_apart
    from engine.quality.shares import Calibration, Share
    from engine.quality.summary import Flag, Summary, summarise
    from engine.quality.template import Template, template_of, templates
    from engine.quality.words import normalised, tokens

_HOMES = {
    "pairs": ("Pair", "Verdict"),
    "words": ("normalised", "tokens"),
    "template": ("Template", "template_of", "templates"),
    "near_duplicates": ("Conflict", "Duplicates", "find_duplicates", "rouge_l"),
    "diversity": (
        "Comparison",
        "Diversity",
        "Interval",
        "Saturation",
        "Spread",
        "compare_diversity",
        "measure_diversity",
        "measure_spread",
    ),
    "language_check": ("Languages", "check_languages"),
    "lengths": ("Lengths", "measure_lengths"),
    "leakage": ("Leakage", "Match", "find_leakage"),
    "benchmarks": ("Related", "related_source"),
    "licences": ("Clash", "Licence", "LicenceSummary", "allowed", "licence_of", "sort_licences"),
    "regions": ("Map", "Regions", "region_map", "tell_apart"),
    "provenance": ("Origins", "Provenance", "SourceOrigins", "count_origins"),
    "correctness": ("Correctness", "Known", "judge_correctness"),
    "difficulty": ("Difficulty", "base_difficulty", "rate_difficulty"),
    "shares": ("Calibration", "Share"),
    "summary": ("Flag", "Summary", "summarise"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Pair",
    "Verdict",
    "normalised",
    "tokens",
    "Template",
    "template_of",
    "templates",
    "Conflict",
    "Duplicates",
    "find_duplicates",
    "rouge_l",
    "Comparison",
    "Diversity",
    "Interval",
    "Saturation",
    "Spread",
    "compare_diversity",
    "measure_diversity",
    "measure_spread",
    "Languages",
    "check_languages",
    "Lengths",
    "measure_lengths",
    "Leakage",
    "Match",
    "find_leakage",
    "Related",
    "related_source",
    "Clash",
    "Licence",
    "LicenceSummary",
    "allowed",
    "licence_of",
    "sort_licences",
    "Map",
    "Regions",
    "region_map",
    "tell_apart",
    "Origins",
    "Provenance",
    "SourceOrigins",
    "count_origins",
    "Correctness",
    "Known",
    "judge_correctness",
    "Difficulty",
    "base_difficulty",
    "rate_difficulty",
    "Calibration",
    "Share",
    "Flag",
    "Summary",
    "summarise",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"engine.quality has no {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"engine.quality.{_HOME[name]}"), name)
    globals()[name] = value
    return value
