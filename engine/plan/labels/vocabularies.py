"""Closed vocabularies that people write in more than one way: languages, countries, months, signs, parts of speech, marks.

A code of one or two letters says little by itself ("no" is Norwegian and a refusal), so a vocabulary speaks only for a whole set of
labels: at least two of them, and as many values, must be its words. Names of languages, countries, months and weekdays come from CLDR.
"""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from engine.plan.labels.vocabulary_words import WORDS
from engine.plan.labels.words import folded

_WIDE_SPREAD = (
    "en de fr es pt it nl ru uk pl cs sk hu ro bg el tr ar he fa hi bn ta te mr gu ur zh ja ko vi th id ms sw tl fi sv da nb et lv lt hr "
    "sr sl ca"
).split()
"""Languages whose own names for things are known besides English and the task's."""


def stand_for(shown: Mapping[str, str], labels: Sequence[str], language: str = "") -> dict[str, tuple[str, str]]:
    """Value → (label, reason) for a set of labels and a column's values (with what each is called) that one vocabulary holds.

    Empty unless a vocabulary knows all labels and values for at least two of them, one label each.
    """
    best: dict[str, tuple[str, str]] = {}
    for name, read in _vocabularies(language).items():
        if name == "months" and all(label.isdigit() for label in labels):
            continue  # labels that are numbers are rather a rating than months
        meant = {label: read(label) for label in labels}
        if not all(meant.values()) or len(labels) < 2:
            continue
        found: dict[str, tuple[str, str]] = {}
        for value, called in shown.items():
            own = read(called)
            fitting = [label for label in labels if own & meant[label]]
            if len(fitting) == 1 and len(own & meant[fitting[0]]) >= 1:
                word = sorted(own & meant[fitting[0]])[0]
                found[value] = (fitting[0], f"both are ways to write “{word}” ({name})")
        if any(len(called) == 1 and called.isalpha() for value, called in shown.items() if value in found) and len(found) < len(shown):
            continue  # letters of which some are no words of the vocabulary stand for something else
        if len({label for label, _ in found.values()}) >= 2 and len(found) > len(best):
            best = found
    return best


def place_in_a_row(text: str) -> int | None:
    """The number a word or sign counts to ("second" and "II" are 2, "neither" is 0); None for any other text."""
    found = _look_up("places in a row", text)
    return int(next(iter(found))) if len(found) == 1 else None


def _vocabularies(language: str) -> dict[str, Callable[[str], frozenset[str]]]:
    tables = {name: functools.partial(_look_up, name) for name in WORDS}
    named = {
        name: functools.partial(_named, name, _base(language)) for name in ("languages", "countries", "months", "weekdays", "currencies")
    }
    return {**tables, **named}


def _base(language: str) -> str:
    return language.replace("-", "_").split("_")[0].lower() or "en"


def plain_sign(text: str) -> str:
    """Lower case without brackets, quotes and variation marks, signs kept: the form in which signs and codes are compared."""
    kept = unicodedata.normalize("NFC", text).replace("\ufe0f", "").strip().casefold()
    if len(kept) > 1:
        kept = kept.strip("()[]\"'“”«»") or kept
    return kept


def _look_up(vocabulary: str, text: str) -> frozenset[str]:
    """Meanings of a sign or word; of several words, those of the one word that has any."""
    table = _table(vocabulary)
    whole = table.get(plain_sign(text)) or table.get(folded(text))
    if whole:
        return whole
    words = folded(text).split()
    if not 1 <= len(words) <= (1 if vocabulary == "places in a row" else 4):
        return frozenset()
    found = [meant for word in words if len(word) > 2 and (meant := table.get(word) or _misspelt(vocabulary, word))]
    return found[0] if found and all(meant == found[0] for meant in found) else frozenset()


def _misspelt(vocabulary: str, word: str) -> frozenset[str]:
    if len(word) < 7:
        return frozenset()
    table = _table(vocabulary)
    near = difflib.get_close_matches(word, [known for known in table if len(known) >= 6], 1, 0.9)
    return table[near[0]] if near else frozenset()


@functools.cache
def _table(vocabulary: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in WORDS[vocabulary].replace("\n    ", " ").strip().splitlines():
        meaning, _, words = line.partition(": ")
        for word in (meaning, *words.split()):
            spelled = plain_sign(word.replace("_", " "))
            found.setdefault(spelled, set()).add(meaning)
    return {word: frozenset(meant) for word, meant in found.items()}


# ── names from CLDR ───────────────────────────────────────────────────────────────────────────────────────


def _named(kind: str, language: str, text: str) -> frozenset[str]:
    plain = plain_sign(text)
    if not plain or len(plain) > 60:
        return frozenset()
    known = _names(kind, language).get(plain) or _names(kind, language).get(folded(text))
    if known:
        return known
    if kind in ("languages", "countries"):
        return _coded(kind, plain) or _own_names(kind).get(plain, frozenset())
    return frozenset()


@functools.cache
def _names(kind: str, language: str) -> dict[str, frozenset[str]]:
    """Names and codes in English and one other language."""
    found: dict[str, set[str]] = {}
    for locale in dict.fromkeys(("en", language)):
        for key, name in _cldr(kind, locale):
            for spelled in {plain_sign(name), folded(name), plain_sign(name).rstrip(".")}:
                found.setdefault(spelled, set()).add(key)
    return {name: frozenset(keys) for name, keys in found.items()}


@functools.cache
def _own_names(kind: str) -> dict[str, frozenset[str]]:
    """What widespread languages call themselves, and what they call the countries."""
    found: dict[str, set[str]] = {}
    for locale in _WIDE_SPREAD:
        for key, name in _cldr(kind, locale):
            if kind == "countries" or key == locale:
                found.setdefault(plain_sign(name), set()).add(key)
    return {name: frozenset(keys) for name, keys in found.items()}


def _coded(kind: str, plain: str) -> frozenset[str]:
    """The two-letter code of a code of two or three letters, with or without a region ("deu", "en-US", "USA")."""
    from babel.core import get_global

    if kind == "languages":
        code = re.split(r"[-_]", plain)[0]
        known = code if code in {key for key, _ in _cldr("languages", "en")} else get_global("language_aliases").get(code, "")
        return frozenset((known.split("_")[0],)) if known else frozenset()
    if not re.fullmatch(r"[a-z]{2,3}|\d{3}", plain):
        return frozenset()
    code = plain.upper()
    codes = (code,) if code in {key for key, _ in _cldr("countries", "en")} else get_global("territory_aliases").get(code, ())
    return frozenset(codes) if len(codes) == 1 else frozenset()


@functools.cache
def _cldr(kind: str, locale: str) -> tuple[tuple[str, str], ...]:
    """(code, name) pairs of a kind in a locale; nothing for a locale that CLDR does not have."""
    from babel import Locale, UnknownLocaleError  # a fifth of a second, and few tasks need it

    try:
        data = Locale.parse(locale)
    except (UnknownLocaleError, ValueError):
        return ()
    if kind == "languages":
        return tuple((code, name) for code, name in data.languages.items() if "_" not in code)
    if kind == "countries":
        return tuple((code, name) for code, name in data.territories.items() if re.fullmatch("[A-Z]{2}", code))
    if kind == "currencies":
        signs = [(code, sign) for code, sign in data.currency_symbols.items()]
        return (*data.currencies.items(), *signs, *((code, code) for code in data.currencies))
    table = data.months if kind == "months" else data.days
    pairs = [
        (str(number), name)
        for width in ("wide", "abbreviated")
        for form in ("format", "stand-alone")
        for number, name in table[form][width].items()
    ]
    return tuple(
        [*pairs, *((str(number), f"{number:02}") for number in range(1, 13)), *((str(n), str(n)) for n in range(1, 13))]
        if kind == "months"
        else pairs
    )
