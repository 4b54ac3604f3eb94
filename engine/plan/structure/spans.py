"""Plans that list, or count, the spans of one type in BIO tags."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.plan.label_words import folded, meanings, words_for
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Keep, Spans, Template
from engine.plan.structure.counts import asks_how_many
from engine.plan.structure.draft import Draft
from engine.plan.structure.filters import alike, shortens
from engine.plan.template import printed
from engine.records import Task


def span_drafts(sample: Sample, task: Task) -> list[Draft]:
    """A draft for each pair of token and tag lists and each tag type the task speaks of: the spans, or how many there are."""
    counts = asks_how_many(task)
    if task.output.kind != "text" and not counts:
        return []
    drafts = []
    for tokens, tags in tagged_pairs(sample):
        for kind, why, prior in _types(sample, tags, task):
            drafts.append(
                _count(tokens, tags, kind, why, prior, sample) if counts else _draft(tokens, tags, kind, why, prior, sample, task)
            )
    return drafts


def tagged_pairs(sample: Sample) -> list[tuple[ColumnProfile, ColumnProfile]]:
    """Lists of tokens with lists of tags of the same lengths."""
    return [
        (tokens, tags)
        for tags in sample.profiles
        if tags.kind == "list" and tags.tags
        for tokens in sample.profiles
        if tokens.text_list and tokens.name != tags.name and _same_lengths(sample, tokens.name, tags.name)
    ]


def _same_lengths(sample: Sample, tokens: str, tags: str) -> bool:
    pairs = [(a, b) for a, b in zip(sample.values[tokens], sample.values[tags], strict=True) if isinstance(a, list) and isinstance(b, list)]
    return bool(pairs) and sum(len(a) == len(b) for a, b in pairs) >= 0.97 * len(pairs)


def _named_tags(sample: Sample, tags: ColumnProfile) -> list[list[str]]:
    """The tags of each row as names, also where the data has their places among class names."""
    names = {str(place): name for place, name in enumerate(tags.class_names)}
    rows = []
    for value in sample.values[tags.name]:
        texts = [as_text(tag) for tag in value] if isinstance(value, list) else []
        rows.append([names.get(text, text) for text in texts])
    return rows


def _types(sample: Sample, tags: ColumnProfile, task: Task) -> list[tuple[str, str, float]]:
    """(type, why, prior) of the tag types the description names: by their own name, a word it begins, a shared meaning, or what the
    card says the type stands for. Types named earlier in the description come first."""
    found = {tag[2:] for row in _named_tags(sample, tags) for tag in row if tag[1:2] in ("-", "_") and tag[2:]}
    said = folded(task.description)
    told = _told(sample, found)
    results = []
    for kind in sorted(found):
        plain = folded(kind)
        if re.search(rf"(?<!\w){re.escape(plain)}s?(?!\w)", said):
            results.append((kind, f"the description names {kind}", 0.92))
            continue
        known = [(meaning, word) for meaning in sorted(meanings(kind)) for word in words_for(meaning) if _mentions(said, word)]
        stands = [
            word for word in folded(told.get(kind, "")).split() if len(word) > 3 and any(alike(word, other) for other in said.split())
        ]
        if stands:
            results.append((kind, f"the card says that {kind} is {told[kind]}", 0.91))
        elif len(plain) >= 3 and any(word.startswith(plain) for word in said.split()):
            results.append((kind, f"{kind} is the beginning of a word in the description", 0.9))
        elif known:
            results.append((kind, f"{kind} and “{known[0][1]}” of the description mean {known[0][0]}", 0.88))
    if not results:
        # Short names are guesses: one only, and in the words that say what is wanted, before any that say how to write it.
        wanted = folded(re.split(r"[,.;:?!،，。？！]", task.description)[0]).split()
        short = [(kind, word) for kind in sorted(found) for word in wanted if shortens(folded(kind), word)]
        results = [(kind, f"{kind} is short for “{word}” of the description", 0.75) for kind, word in short if len(short) == 1]
    if not results and len(found) == 1:
        results.append((found.pop(), "the only type of tag there is", 0.6))
    return results


def _told(sample: Sample, kinds: set[str]) -> dict[str, str]:
    """What the columns' descriptions say types stand for ("PER: person", "GS = statute", "LOC (place)")."""
    told: dict[str, str] = {}
    for text in (profile.description for profile in sample.profiles if profile.description):
        for kind in kinds:
            found = re.search(rf"(?<![\w-]){re.escape(kind)}\s*(?:[:=–—(-]|\bis\b|\bfor\b|\bmeans\b)\s*([^\W\d][\w' -]{{2,40}})", text)
            if found:
                told.setdefault(kind, found.group(1).strip())
    return told


def _mentions(text: str, word: str) -> bool:
    if len(word) < 3 and word.isascii():
        return False
    if word.isascii() or (word.isalpha() and not re.search(r"[\u3040-\u9fff\uac00-\ud7af]", word)):
        return re.search(rf"(?<!\w){re.escape(word)}\w{{0,3}}(?!\w)", text) is not None
    return word in text


def _draft(tokens: ColumnProfile, tags: ColumnProfile, kind: str, why: str, prior: float, sample: Sample, task: Task) -> Draft:
    separator, none = separator_of(task), none_word(task)
    joiner = "" if tokens.script in ("CJK", "JAPANESE", "THAI") else " "
    outputs = tuple(
        separator.join(spans_of(a, b, kind, joiner)) or none if isinstance(a, list) else ""
        for a, b in zip(sample.values[tokens.name], _named_tags(sample, tags), strict=True)
    )
    into = sample.unused("spans")
    steps: list[AnyStep] = [_step(tokens, tags, kind, into, separator=separator, none=none, joiner=joiner)]
    if not none:
        steps.append(Keep(value=into, min_chars=1, note=f"rows with a {kind}"))
    without = f"“{none}” where there is none" if none else "rows without one left out, for the task has no word for none"
    return Draft(
        family="spans",
        output=printed(into),
        reads=(tags.column,),
        outputs=outputs,
        prior=prior,
        reasons=(f"{tags.name} tags the {tokens.name}", f"type {kind}: {why}", f"joined with “{separator}”, {without}"),
        steps=_after(tokens, tags, steps),
        shown=(tokens.name,),
    )


def _count(tokens: ColumnProfile, tags: ColumnProfile, kind: str, why: str, prior: float, sample: Sample) -> Draft:
    """How many spans of the type there are: a line for each, counted."""
    into, number = sample.unused("spans"), sample.unused("span_count")
    outputs = tuple(
        str(len(spans_of(a, b, kind, " "))) if isinstance(a, list) else ""
        for a, b in zip(sample.values[tokens.name], _named_tags(sample, tags), strict=True)
    )
    # A span's own words stay out of the way: each counts as what stands between two line ends.
    count = "{{ " + printed(into)[3:-3] + ' | select("equalto", "\n") | list | length }}'
    steps: list[AnyStep] = [
        _step(tokens, tags, kind, into, separator="\n", none="", joiner=" "),
        Template(into=number, template="{{ 0 if not " + printed(into)[3:-3] + " else 1 + (" + count[3:-3] + ") }}"),
    ]
    return Draft(
        family="spans",
        output=printed(number),
        reads=(tags.column,),
        outputs=outputs,
        prior=prior,
        reasons=(f"{tags.name} tags the {tokens.name}", f"type {kind}: {why}", "the description asks how many there are"),
        steps=_after(tokens, tags, steps),
        shown=(tokens.name,),
    )


def _step(tokens: ColumnProfile, tags: ColumnProfile, kind: str, into: str, *, separator: str, none: str, joiner: str) -> Spans:
    names = tags.class_names if tags.item_kind == "integer" else ()
    return Spans(tokens=tokens.name, tags=tags.name, type=kind, into=into, tag_names=names, separator=separator, none=none, joiner=joiner)


def _after(tokens: ColumnProfile, tags: ColumnProfile, steps: Sequence[AnyStep]) -> tuple[AnyStep, ...]:
    return (*tokens.steps, *(extra for extra in tags.steps if extra not in tokens.steps), *steps)


def spans_of(tokens: Sequence[str], tags: Sequence[str], kind: str, joiner: str) -> list[str]:
    """Texts of the spans of one type, as the spans step reads them: an inside tag with nothing before it begins one."""
    found: list[list[str]] = []
    inside = False
    for token, tag in zip(tokens, tags, strict=False):
        own = tag[2:] == kind
        if own and (tag[:1] in "BSU" or (tag[:1] in "IELM" and not inside)):
            found.append([as_text(token)])
        elif own and tag[:1] in "IELM":
            found[-1].append(as_text(token))
        inside = own and tag[:1] in "BSUIELM"
    return [joiner.join(span) for span in found]


def separator_of(task: Task) -> str:
    """What the task puts between several things: as its description quotes it, else as its examples have it."""
    quoted = re.findall(r"[\"'“„«「]\s?([;,|/、·\n] ?)[\"'”“»」]", task.description)
    if quoted:
        return str(quoted[0])
    for separator in ("; ", " | ", "、", "，", "\n", ", ", ";", "|", ","):
        if any(separator in example.output for example in task.examples):
            return separator
    said = task.description.casefold()
    named = (
        (", ", r"comma|komma|virgule|coma(?!\w)|virgola|vírgula|запят|koma(?!\w)|virgül|逗号|コンマ|쉼표|अल्पविराम|فاصلة|dấu phẩy|mkato"),
        ("; ", r"semi-?colon|semikolon|strichpunkt|point-virgule|punto y coma|точк\w+ с запят|分号|세미콜론|noktalı virgül"),
        (
            "\n",
            r"one per line|each on (?:its|a) (?:own |new )?line|pro zeile|par ligne|por línea|на отдельной строке|по одному на строк|每行",
        ),
    )
    for separator, pattern in reversed(named):
        if re.search(pattern, said):
            return separator
    return "; "


_NOTHING = (
    r"none|nothing|no(?:ne)? (?:such|found)|there (?:is|are) no|if no|without|empty|keine?[nrms]?(?!\w)|nichts|leer"
    r"|aucune?|rien|ningun|ningún|nada|nessun|nenhum|нет(?!\w)|ничего|если не|yok|tidak ada|hakuna|không có|没有|無い|ない|없|नहीं|لا يوجد"
)


def none_word(task: Task) -> str:
    """What the task says where there is nothing to list; "" where no example and no word of it says anything, so that such rows go."""
    for example in task.examples:
        output = example.output.strip()
        if output and not any(part.strip() in example.input for part in re.split(r"[;,|\n、，]", output)):
            return output
    return described_none(task)


def described_none(task: Task) -> str:
    """The word in quotation marks that the description wants where there is nothing; "" when it names none."""
    for sentence in re.split(r"[.!?](?=\s|$)|[。！？।\n]", task.description):
        quoted = re.findall(r"[\"'“„«「]([^\W\d][\w ]{1,24}|[-–—])[\"'”“»」]", sentence)
        if quoted and re.search(_NOTHING, sentence, re.IGNORECASE):
            return str(quoted[-1])
    return ""
