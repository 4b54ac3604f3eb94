"""Which language a text is in, by lingua, with a detector kept to the languages asked about and the world's most written ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from lingua import IsoCode639_1, LanguageDetector

SCRIPTS = {
    "CYRILLIC": "be bg kk mk mn ru sr uk",
    "ARABIC": "ar fa ur",
    "DEVANAGARI": "hi mr",
    "HANGUL": "ko",
    "JAPANESE": "ja",
    "CJK": "zh",
    "GREEK": "el",
    "HEBREW": "he",
    "THAI": "th",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "TAMIL": "ta",
    "BENGALI": "bn",
    "TELUGU": "te",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
}
"""Scripts as `script_of` names them → languages written in them that can be told by it or by their words."""

_OFTEN = "EN DE FR ES PT IT NL RU UK PL TR AR FA HI BN ZH JA KO VI ID SW".split()

_SHORT = 120
"""Characters up to which lingua's low accuracy mode is said to be too weak."""

_TOGETHER = 2000
"""Texts that lingua's threads are given at a time."""


def language_of(text: str, expected: str = "en") -> str:
    """BCP 47 primary code ("de") of the likeliest language among `expected` and the most written ones; "" when nothing can be told."""
    found = _detector(primary_code(expected)).detect_language_of(text[:2000])
    return found.iso_code_639_1.name.lower() if found is not None else ""


def widest_language_of(text: str) -> tuple[str, float]:
    """The likeliest of all languages that can be told, and how likely it is, 0 to 1; ("", 0.0) for no language."""
    found = _widest().compute_language_confidence_values(text[:2000])
    return (found[0].language.iso_code_639_1.name.lower(), found[0].value) if found and found[0].value > 0 else ("", 0.0)


def likelihoods(texts: Sequence[str], expected: str = "en", watch: Callable[[int], None] = lambda done: None) -> list[dict[str, float]]:
    """For each text how likely each language is that `language_of` would choose among; empty where nothing can be told.

    Slower and surer than `language_of` for texts up to 120 characters: 2,000 a second and core, and up to 310 MiB for the models.
    `watch` is told now and then how many were looked at.
    """
    short = [place for place, text in enumerate(texts) if len(text) <= _SHORT]
    long = [place for place, text in enumerate(texts) if len(text) > _SHORT]
    found: list[dict[str, float]] = [{} for _ in texts]
    for places, sure in ((short, True), (long, False)):
        detector = _detector(primary_code(expected), sure)
        for first in range(0, len(places), _TOGETHER):
            some = places[first : first + _TOGETHER]
            watch(first + (0 if sure else len(short)))
            cut = [texts[place][:2000].encode(errors="ignore").decode() for place in some]
            for place, values in zip(some, detector.compute_language_confidence_values_in_parallel(cut), strict=True):
                told = {one.language.iso_code_639_1.name.lower(): one.value for one in values}
                found[place] = told if any(told.values()) else {}
    return found


def primary_code(code: str) -> str:
    """ "de" for "de-AT". Raises BadInput for a language that cannot be told from others."""
    primary = code.replace("_", "-").split("-")[0].lower()
    _iso(primary)
    return primary


def _iso(primary: str) -> IsoCode639_1:
    try:
        import lingua
    except ImportError as error:
        title = "language detection needs the package lingua-language-detector"
        raise Unavailable(title, "Install it, or leave the language out.") from error
    codes = {language.iso_code_639_1.name: language.iso_code_639_1 for language in lingua.Language.all()}
    if primary.upper() not in codes:
        raise BadInput(f"the language `{primary}` cannot be recognised", "Use a two-letter code such as en, de, ru.")
    return codes[primary.upper()]


@lru_cache(maxsize=8)
def _detector(primary: str, sure: bool = False) -> LanguageDetector:
    from lingua import LanguageDetectorBuilder

    codes = [_iso(code.lower()) for code in dict.fromkeys([primary.upper(), *_OFTEN])]
    builder = LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
    return (builder if sure else builder.with_low_accuracy_mode()).build()


@lru_cache(maxsize=1)
def _widest() -> LanguageDetector:
    from lingua import LanguageDetectorBuilder

    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
