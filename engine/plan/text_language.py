"""Which language a text is in, by lingua, with a detector kept to the languages asked about and the world's most written ones."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from engine.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from lingua import IsoCode639_1, LanguageDetector

_OFTEN = "EN DE FR ES PT IT NL RU UK PL TR AR FA HI BN ZH JA KO VI ID SW".split()


def language_of(text: str, expected: str = "en") -> str:
    """BCP 47 primary code ("de") of the likeliest language among `expected` and the most written ones; "" when nothing can be told."""
    found = _detector(primary_code(expected)).detect_language_of(text[:2000])
    return found.iso_code_639_1.name.lower() if found is not None else ""


def widest_language_of(text: str) -> tuple[str, float]:
    """The likeliest of all languages that can be told, and how likely it is, 0 to 1; ("", 0.0) for no language."""
    found = _widest().compute_language_confidence_values(text[:2000])
    return (found[0].language.iso_code_639_1.name.lower(), found[0].value) if found and found[0].value > 0 else ("", 0.0)


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
def _detector(primary: str) -> LanguageDetector:
    from lingua import LanguageDetectorBuilder

    codes = [_iso(code.lower()) for code in dict.fromkeys([primary.upper(), *_OFTEN])]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_low_accuracy_mode().build()


@lru_cache(maxsize=1)
def _widest() -> LanguageDetector:
    from lingua import LanguageDetectorBuilder

    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
