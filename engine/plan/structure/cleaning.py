"""What has to go from a column's texts for them to have the form of the examples: marks, brackets, numbers at the end, what follows a sign.

A rule applies only where most texts have a feature that no example has; the result has to keep most texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from engine.plan.patterns import compile_pattern
from engine.plan.profile import MARKERS, ColumnProfile, Sample, as_number
from engine.plan.steps import AnyStep, Match, Slice, Template
from engine.plan.structure.derived import derived_profile
from engine.plan.template import printed
from engine.plan.value_steps import sentence_spans
from engine.records import Value

_SIGNS = ("=>", "->", "→", "|||", "\t", " // ", "</think>", "---", " | ")
_DEEPEST = 3
_CUT = 0.2
"""Share of the texts of which a first or last piece is less than the whole; below it the description speaks of something else."""
_ASKED = (
    ("underscores", r"underscore|unterstrich|tiret|guion(es)? bajo|подч[её]ркив|下划线|下線|밑줄"),
    ("hyphens", r"hyphen|dash|bindestrich|trait d.union|guion|дефис|连字符|ハイフン|하이픈"),
    ("brackets", r"bracket|parenthes|klammer|crochet|parenthès|corchete|paréntesis|скоб|括号|括弧|かっこ|괄호"),
    ("around it", r"bracket|parenthes|klammer|crochet|corchete|скоб|括号|括弧|괄호|quot|anführung|guillemet|comillas|кавыч|引号|따옴표"),
    ("number at the end", r"(no|without|drop|ohne|sans|sin|без).{0,12}(number|nummer|zahl|suffix|numéro|número|числ|номер|цифр)|数字"),
    ("marks such as", r"\bmarks?\b|annotation|calculator|zeichen|marque|marca|пометк|标记|記号|표시"),
    ("sign before it", r"speaker|prefix|enumerat|sprecher|vorsilbe|préfixe|prefijo|говорящ|префикс"),
    ("tags", r"\btags?\b|html|markup"),
)
"""What the reasons of a cleaning say, beside words by which descriptions ask for it."""
_OF_THE_INPUT = re.compile(r"(input|given|from|eingabe|entrée|entrada|вход|输入|入力)\W+(\w+\W+){0,3}$", re.IGNORECASE)
_FIRST = {
    "sentences": r"first sentence|erste[nr]? satz|première phrase|primera (frase|oración)|перв\w+ предложени|第一句|最初の文|첫 문장",
    "words": r"first word|erste[snr]? wort|premier mot|primera palabra|перв\w+ слов|第一个词|最初の単語|첫 단어",
    "lines": r"first line|erste[nr]? zeile|première ligne|primera línea|перв\w+ строк|第一行|最初の行|첫 줄",
}
_LAST = {
    "sentences": r"(last|final) sentence|letzte[nr]? satz|dernière phrase|última (frase|oración)|последн\w+ предложени|"
    r"最后一句|最後の文|마지막 문장",
    "words": r"last word|letzte[snr]? wort|dernier mot|última palabra|последн\w+ слов|最后一个词|最後の単語|마지막 단어",
    "lines": r"last line|final line|letzte[nr]? zeile|dernière ligne|última línea|последн\w+ строк|最后一行|最後の行|마지막 줄",
}


class Cleaned(Value):
    """A column's texts with what the examples lack taken away."""

    profile: ColumnProfile
    texts: tuple[str, ...]
    said: tuple[str, ...]
    asked: bool
    """The description speaks of such marks: most likely of those of this column."""


class _Rule(Value):
    found: str
    """Python expression a text matches that needs the rule."""
    pattern: str
    replacement: str
    said: str
    share: float = 0.6
    """Of the texts, at least so many must match."""


_RULES = (
    _Rule(found=r"<<[^<>\n]*>>", pattern=r"<<[^<>\n]*>>", replacement="", said="marks such as <<…>> taken out", share=0.3),
    _Rule(found=r"</?[a-z][^<>\n]*>", pattern=r"</?[a-z][^<>\n]*>", replacement="", said="tags taken out", share=0.5),
    _Rule(found=r"\[\d{1,3}\]", pattern=r"\s?\[\d{1,3}\]", replacement="", said="numbers in brackets taken out", share=0.3),
    _Rule(found=r"\s@[-,.]@\s", pattern=r"\s@([-,.])@\s", replacement=r"\1", said="@-@ written as it is spoken", share=0.2),
    _Rule(found=r"\*\*", pattern=r"\*\*", replacement="", said="stars taken out", share=0.3),
    *(
        _Rule(
            found=rf"(?s)^\s*\{left}[^\{left}\{right}]*\{right}\s*$",
            pattern=rf"(?s)^\s*\{left}(.*)\{right}\s*$",
            replacement=r"\1",
            said=f"{left}{right} around it taken off",
            share=0.8,
        )
        for left, right in ("()", "[]", "{}")
    ),
    *(
        _Rule(
            found=rf"(?s)^\s*{left}[^{left}{right}]*{right}\s*$",
            pattern=rf"(?s)^\s*{left}(.*){right}\s*$",
            replacement=r"\1",
            said=f"{left}{right} around it taken off",
            share=0.8,
        )
        for left, right in ('""', "''", "“”", "«»", "「」", "„“", "<>", "``")
    ),
    _Rule(found=r"\[[^\[\]]+\]", pattern=r"[\[\]]", replacement="", said="square brackets taken off"),
    _Rule(
        found=r"^\s*(?:\d{1,3}[.):]|[-*•–]|\([A-Za-z0-9]\)|[A-Z]:)\s*\S",
        pattern=r"^\s*(?:\d{1,3}[.):]|[-*•–]|\([A-Za-z0-9]\)|[A-Z]:)\s*",
        replacement="",
        said="the sign before it taken off",
    ),
    _Rule(
        found=r"^\S+\.(?:txt|json|jpe?g|png|html?|xml|csv|pdf|wav|mp3)$",
        pattern=r"\.\w{2,4}$",
        replacement="",
        said="the file's ending cut",
    ),
    _Rule(found=r"^\S+[_\-#]\d+$", pattern=r"[_\-#]\d+$", replacement="", said="the number at the end cut", share=0.8),
    _Rule(found=r"\w_+\w", pattern=r"_+", replacement=" ", said="blanks for underscores"),
)
_SLUG = _Rule(found=r"^[^\s]*\w-\w[^\s]*$", pattern=r"-+", replacement=" ", said="blanks for hyphens")
_CAMEL = _Rule(found=r"^\S*[a-z][A-Z]\S*$", pattern=r"([a-z0-9])([A-Z])", replacement=r"\1 \2", said="words set apart")
_COMMAS = _Rule(found=r"\d,\d{3}", pattern=r"(\d),(\d{3})", replacement=r"\1\2", said="without commas between thousands", share=0.02)
_POINT_NOUGHT = _Rule(found=r"^[-+]?\d[\d,]*\.0+$", pattern=r"\.0+$", replacement="", said="whole numbers without a point", share=0.02)


def cleaned(profile: ColumnProfile, sample: Sample, outputs: Sequence[str], description: str) -> list[Cleaned]:
    """The column's texts brought to the form of the examples' outputs, in up to three ways; none where they have it already."""
    if profile.kind != "text" or not outputs:
        return []
    found: list[Cleaned] = []
    texts = sample.texts(profile.name)
    starts: list[tuple[tuple[tuple[str, str, int], ...], list[str], list[str]]] = [((), texts, [])]
    starts += [(((pattern, "extract", 1),), cut, [said]) for pattern, cut, said in _cuts(texts, outputs)]
    for operations, start, why in starts:
        done = _run_rules(start, outputs, list(operations), list(why))
        for steps_of, last, said in _finishes(done[0], outputs, description):
            made = [*done[1], *((steps_of,) if steps_of else ())]
            reasons = [*done[2], *((said,) if said else ())]
            if reasons and _keeps(last, texts):
                found.append(_built(profile, sample, made, last, reasons, description, len(found)))
    return found[:4]


def _run_rules(
    texts: list[str], outputs: Sequence[str], operations: list[tuple[str, str, int]], said: list[str]
) -> tuple[list[str], list[tuple[str, str, int] | str], list[str]]:
    done: list[tuple[str, str, int] | str] = list(operations)
    rules = [*_RULES]
    if all(" " in output or len(output) < 3 for output in outputs) and not any("-" in output for output in outputs):
        rules += [_SLUG, _CAMEL]
    if all(as_number(output) is not None and "," not in output for output in outputs):
        rules.append(_COMMAS)
    if all(as_number(output) is not None for output in outputs) and any("." not in output for output in outputs):
        rules.append(_POINT_NOUGHT)
    for rule in rules:
        feature = re.compile(rule.found)
        filled = [text for text in texts if text]
        if len(said) >= _DEEPEST or not filled or any(feature.search(output) for output in outputs):
            continue
        if rule.replacement == " " and not any(" " in output for output in outputs):
            continue
        if sum(bool(feature.search(text)) for text in filled) < rule.share * len(filled):
            continue
        pattern = compile_pattern(rule.pattern)
        changed = [_replaced(pattern, rule.replacement, text) for text in texts]
        if _keeps(changed, texts):
            texts = changed
            done.append((rule.pattern, rule.replacement, -1))
            said = [*said, rule.said]
    return texts, done, said


def _replaced(pattern: object, replacement: str, text: str) -> str:
    parts = replacement.split("\\")
    return str(
        pattern.sub(  # type: ignore[attr-defined]
            lambda found: parts[0] + "".join((found.group(int(part[0])) or "") + part[1:] for part in parts[1:]), text
        )
    ).strip()


_FEW_TEXTS = 8
_SIGNED = re.compile(r"[<>|=#@*~^_/\\{}\[\]→⇒»«]")


def _cuts(texts: Sequence[str], outputs: Sequence[str]) -> Iterator[tuple[str, list[str], str]]:
    """What stands before, and after, a sign that nearly all texts and no example hold."""
    filled = [text for text in texts if text]
    for sign in (*MARKERS, *_SIGNS, *_own_signs(filled)):
        if any(sign in output for output in outputs) or sum(sign in text for text in filled) < max(1.0, 0.8 * len(filled)):
            continue
        mark = re.sub(r"([^\w\s])", r"\\\1", sign).replace("\t", "\\t")
        shown = sign.strip() or "a tab"
        for pattern, said in (
            (rf"(?s)^(.*?)\s*{mark}.*$", f"what stands before {shown}"),
            (rf"(?s)^.*?{mark}\s*(.*)$", f"what stands after {shown}"),
        ):
            compiled = compile_pattern(pattern)
            yield pattern, [(found.group(1) or "").strip() if (found := compiled.search(text)) else "" for text in texts], said
        return


def _own_signs(texts: Sequence[str]) -> list[str]:
    """Pieces between blanks that hold a sign and stand once in nearly every text, neither first nor last: the longest first."""
    if len(texts) < _FEW_TEXTS:
        return []
    inner = [Counter(text.split()[1:-1]) for text in texts]
    counts = Counter(
        piece for pieces in inner for piece, times in pieces.items() if times == 1 and _SIGNED.search(piece) and len(piece) > 1
    )
    return sorted((piece for piece, count in counts.items() if count >= 0.95 * len(texts)), key=len, reverse=True)


def _finishes(
    texts: list[str], outputs: Sequence[str], description: str
) -> Iterator[tuple[tuple[str, str, int] | str | None, list[str], str]]:
    """The texts as they are and, where numbers or a first or last piece are asked for, only those."""
    yield None, texts, ""
    filled = [text for text in texts if text]
    if outputs and all(as_number(output) is not None for output in outputs) and filled:
        alone = re.compile(r"^\D{0,20}?([-+]?\d[\d,]*(?:\.\d+)?)\D{0,20}$")
        if sum(as_number(text) is not None for text in filled) < 0.9 * len(filled) and sum(
            bool(alone.match(text)) for text in filled
        ) >= 0.9 * len(filled):
            pattern = r"[-+]?\d[\d,]*(?:\.\d+)?"
            yield (
                (pattern, "extract", 0),
                [found.group() if (found := re.search(pattern, text)) else "" for text in texts],
                "the number alone",
            )
    for names, which in ((_FIRST, "first"), (_LAST, "last")):
        for unit, words in names.items():
            named = re.search(words, description, re.IGNORECASE)
            if named and not _OF_THE_INPUT.search(description[: named.start()]):
                place = 0 if which == "first" else -1
                pieces = [_piece(text, unit, place) for text in texts]
                if sum(piece != text.strip() for piece, text in zip(pieces, texts, strict=True)) >= _CUT * len(filled):
                    yield f"{unit} {place}", pieces, f"its {which} {unit[:-1]}"
    capitals = sum(text.isupper() for text in filled) >= 0.9 * len(filled) > 0
    if capitals and all(output.islower() for output in outputs):
        yield "lower", [text.lower() for text in texts], "in lower case"
    elif capitals and all(output[:1].isupper() and not output.isupper() for output in outputs):
        yield "capitalize", [text.capitalize() for text in texts], "with a capital"


def _piece(text: str, unit: str, place: int) -> str:
    if unit == "sentences":
        pieces = [text.strip()[start:end] for start, end in sentence_spans(text.strip())]
    else:
        pieces = text.split() if unit == "words" else [line.strip() for line in text.split("\n") if line.strip()]
    return pieces[place] if pieces else ""


def _keeps(changed: Sequence[str], texts: Sequence[str]) -> bool:
    """Nearly every text is still there, and they still differ from row to row."""
    filled = [(new, text) for new, text in zip(changed, texts, strict=True) if text]
    kept = [new for new, _ in filled if re.search(r"\w", new)]
    coded = sum(" " not in text for _, text in filled) > 0.8 * len(filled)
    if (
        coded
        and any(map(str.isalpha, "".join(kept[:20])))
        and len({re.sub(r"[\W\d_]+", "", new) for new in kept}) <= max(1, 0.05 * len(kept))
    ):
        return False  # Only numbers tell them apart: names of rows, not what is in them.
    return len(kept) >= 0.85 * len(filled) and len(set(kept)) > 1 and len(set(kept)) >= 0.3 * len({text for _, text in filled})


def _built(
    profile: ColumnProfile,
    sample: Sample,
    operations: Sequence[tuple[str, str, int] | str],
    texts: Sequence[str],
    said: Sequence[str],
    description: str,
    number: int,
) -> Cleaned:
    steps: list[AnyStep] = []
    before, name = profile.name, profile.name
    for place, operation in enumerate(operations):
        name = sample.unused(re.sub(r"\W+", "_", f"{profile.name}_clean{number or ''}{'_' * place}"))
        steps.append(_step(operation, before, name))
        before = name
    made = derived_profile(name, profile, tuple(steps), [text or None for text in texts])
    return Cleaned(made, tuple(texts), tuple(said), _asked(said, description))


def _asked(said: Sequence[str], description: str) -> bool:
    return any(sign in why and re.search(words, description, re.IGNORECASE) for why in said for sign, words in _ASKED)


def _step(operation: tuple[str, str, int] | str, value: str, into: str) -> AnyStep:
    if isinstance(operation, tuple):
        pattern, text, group = operation
        if group >= 0:
            return Match(value=value, into=into, pattern=pattern, group=group)
        return Match(value=value, into=into, pattern=pattern, mode="replace", replacement=text)
    if operation in ("lower", "capitalize"):
        return Template(into=into, template=f"{{{{ {printed(value)[3:-3]} | {operation} }}}}")
    unit, place = operation.split()
    if unit == "lines":
        return Match(value=value, into=into, pattern=r"(?m)^[ \t]*(\S[^\n]*)$", group=1, which="first" if place == "0" else "last")
    return Slice(
        value=value, into=into, start=int(place), stop=1 if place == "0" else None, unit="words" if unit == "words" else "sentences"
    )
