"""Options written inside a text, such as "… (A) red (B) blue", bullets or lines, as lists of their own beside what stands before them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from engine.plan.patterns import compile_pattern
from engine.plan.profile import ColumnProfile, Sample
from engine.plan.steps import AnyStep, Match
from engine.plan.structure.derived import derived_profile, extended, taken_name
from engine.records import Value

BEFORE = "before_options"
"""What names of what stands before the options end in."""
_MOST_READ = 120
_LEAST_ROWS = 5
_MOST_OPTIONS = 12
_HELD = 0.9
"""Share of rows that have to read so."""
_SIGNS = (("A-J", "ABCDEFGHIJ"), ("a-j", "abcdefghij"), ("1-9", "123456789"), ("А-Е", "АБВГДЕ"), ("а-е", "абвгде"))
_SEPARATORS = ("\n", "|", "; ", " / ", ", ")
_NAMES_OPTIONS = re.compile(
    r"option|choice|candidate|alternative|antwortmöglich|opcion|opzion|вариант|选项|選択肢|보기|विकल्प", re.IGNORECASE
)


class _Style(Value):
    """One way of writing options into a text."""

    cut: str
    """Pattern of two groups: what stands before the options, and these."""
    between: str
    """Pattern of a sign with what stands around it; it splits the options."""
    sign: str = ""
    """Pattern of the signs, with the sign as its group; "" where options have none that counts."""
    signs: str = ""


def with_written_options(sample: Sample) -> Sample:
    """The sample with the options its texts list, and what stands before them, as parts of these texts; parts' before the whole texts'."""
    added: list[tuple[ColumnProfile, list[Any]]] = []
    taken = set(sample.by_name)
    split: set[str] = set()
    for profile in sorted(sample.profiles, key=lambda profile: not profile.steps):
        if profile.kind != "text" or profile.label_set or profile.chars < 8 or (profile.column in split and not profile.steps):
            continue
        found = _written(profile, sample, taken)
        if found:
            split.add(profile.column)
            added += found
    return extended(sample, added)


def sign_of(steps: Sequence[AnyStep]) -> str:
    """The first sign of options that a text lists, "" for options that are no part of a text; "-" for options without signs that count."""
    last = steps[-1] if steps else None
    if not isinstance(last, Match) or last.mode != "split":
        return ""
    return next((kind[0] for kind, _ in _SIGNS if f"[{kind}]" in last.pattern), "-")


def _written(profile: ColumnProfile, sample: Sample, taken: set[str]) -> list[tuple[ColumnProfile, list[Any]]]:
    texts = sample.texts(profile.name)
    read = [text for text in texts if text][:_MOST_READ]
    if len(read) < _LEAST_ROWS:
        return []
    shares = [(sum(bool(_options(text, style)) for text in read) / len(read), -place, style) for place, style in enumerate(_styles())]
    share, _, style = max(shares, key=lambda entry: entry[:2])
    if share >= _HELD and not _counts_words(read, style):
        return _derived(profile, style, texts, taken)
    for separated in _separated(profile, texts, sample):
        return _derived(profile, separated, texts, taken)
    return []


def _derived(profile: ColumnProfile, style: _Style, texts: Sequence[str], taken: set[str]) -> list[tuple[ColumnProfile, list[Any]]]:
    before, block, options = (taken_name(f"{profile.name}_{part}", taken) for part in (BEFORE, "options_text", "options"))
    cut = [found if (found := compile_pattern(style.cut).search(text)) else None for text in texts]
    heads = [(found.group(1).strip() or None) if found else None for found in cut]
    lists = [_options(text, style) or None for text in texts]
    steps = (
        Match(value=profile.name, into=block, pattern=style.cut, group=2),
        Match(value=block, into=options, pattern=style.between, mode="split"),
    )
    found = [(derived_profile(options, profile, steps, lists), list[Any](lists))]
    if sum(map(bool, heads)) >= 0.5 * len(heads):
        step = Match(value=profile.name, into=before, pattern=style.cut, group=1)
        found.insert(0, (derived_profile(before, profile, (step,), heads), list[Any](heads)))
    return found


def _options(text: str, style: _Style) -> list[str]:
    """The options, [] where the text does not list any in this style, each with the sign that follows the last one's."""
    found = compile_pattern(style.cut).search(text) if text else None
    if found is None:
        return []
    block = found.group(2).strip()
    items = [item.strip() for item in compile_pattern(style.between).split(block)]
    items = items[1:] if items and not items[0] else items
    if not 2 <= len(items) <= _MOST_OPTIONS or not all(items):
        return []
    if style.sign and "".join(sign.group(1) for sign in compile_pattern(style.sign).finditer(block)) != style.signs[: len(items)]:
        return []
    return items


def _counts_words(texts: Sequence[str], style: _Style) -> bool:
    """The signs number a word that stands before each of them, as in "sentence 1: … sentence 2: …"."""
    counted = 0
    for text in texts:
        found = compile_pattern(style.cut).search(text)
        ends = [item.split()[-1].casefold() for item in [found.group(1), *_options(text, style)[:-1]] if item.split()] if found else []
        counted += len(ends) > 1 and len(set(ends)) == 1
    return counted >= 0.5 * len(texts)


def _styles() -> Iterator[_Style]:
    """Signs in brackets, signs before a mark on lines of their own, then such in running text, then bullets."""
    for opened, closed in (("[(（]", "[)）]"), (r"\[", r"\]")):
        for kind, signs in _SIGNS:
            yield _marked(kind, signs, r"[\s,;，；]*", opened, closed, r"\s*")
    for start in (r"\s*\n\s*", r"[\s,;，；]+"):
        for closed in (r"\s?[)）]", r"[.．、]", "[:：]", r"\s?\-"):
            for kind, signs in _SIGNS:
                tight = kind != "1-9" or closed.endswith("[)）]")
                yield _marked(kind, signs, start, "", closed, r"\s*" if tight else r"\s+")
    yield _Style(cut=r"(?s)^(.*?)(?:^|\n)\s*([\-*•]\s.*\n\s*[\-*•]\s.*)$", between=r"(?:^|\s*\n\s*)[\-*•]\s+")


def _marked(kind: str, signs: str, start: str, opened: str, closed: str, after: str) -> _Style:
    first, second = (f"{opened}{sign}{closed}" for sign in signs[:2])
    return _Style(
        cut=rf"(?s)^(.*?)(?:^|{start})({first}.*?{start}{second}.*)$",
        between=rf"(?:^|{start}){opened}[{kind}]{closed}{after}",
        sign=rf"(?:^|{start}){opened}([{kind}]){closed}{after}",
        signs=signs,
    )


def _separated(profile: ColumnProfile, texts: Sequence[str], sample: Sample) -> Iterator[_Style]:
    """Options without signs, in lines or with one separator, where another column holds one of them in nearly every row, here and there."""
    for separator in _SEPARATORS:
        lists = [[item.strip() for item in text.split(separator)] for text in texts]
        many = [2 <= len(items) <= _MOST_OPTIONS and all(items) for items, text in zip(lists, texts, strict=True) if text]
        if sum(many) < _HELD * len(many):
            continue
        for other in sample.profiles:
            if other.column == profile.column and not (other.steps and profile.steps):
                continue
            if other.name == profile.name or other.kind != "text" or other.constant:
                continue
            rows = [(items, answer) for items, answer in zip(lists, sample.texts(other.name), strict=True) if answer and any(items)]
            places = Counter(items.index(answer) for items, answer in rows if answer in items)
            told = places.total() >= max(_LEAST_ROWS, _HELD * len(rows))
            if not told or max(places.values()) > 0.8 * places.total() or len(rows) < 0.5 * len(texts):
                continue
            yield _split_at(separator, min(places) if separator == "\n" and places.total() >= 20 else 0)
            return
        if _NAMES_OPTIONS.search(profile.name) and not profile.numeric:
            yield _split_at(separator, 0)
            return


def _split_at(separator: str, before: int) -> _Style:
    """Options between separators after so many lines."""
    mark = {"\n": r"\s*\n\s*", "|": r"\s*\|\s*", " / ": r"\s+/\s+"}.get(separator, rf"{separator.strip()}\s+")
    return _Style(cut=rf"(?s)^((?:[^\n]*\n){{{before}}})(.*)$" if before else r"(?s)^(\s*)(.*)$", between=mark)
