"""Plans that list or count the spans of a type in BIO tags, or say whether there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from engine.plan.labels.mapping import affirming
from engine.plan.labels.words import folded, meanings, words_for
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Each, Keep, Match, Spans, Template
from engine.plan.structure.counts import asks_how_many
from engine.plan.structure.draft import Draft
from engine.plan.structure.restrictions import clauses
from engine.plan.structure.spoken import alike, shortens
from engine.plan.template import printed
from engine.records import Task


def span_drafts(sample: Sample, task: Task) -> list[Draft]:
    """A draft for each pair of token and tag lists and each tag type the task speaks of: the spans, or how many there are."""
    counts, decides = asks_how_many(task), affirming(task.output.labels) if task.output.kind == "label" else None
    if task.output.kind != "text" and not counts and decides is None:
        return []
    drafts = []
    for tokens, tags in tagged_pairs(sample):
        for kind in _types(sample, tags, task):
            if counts:
                drafts.append(_count(tokens, tags, kind, sample))
            elif decides:
                drafts.append(_whether(tokens, tags, kind, decides, sample))
            else:
                drafts.append(_draft(tokens, tags, kind, sample, task))
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


class _Kind(NamedTuple):
    """One or several tag types, and how plainly the description names them."""

    types: tuple[str, ...]
    why: str
    prior: float
    word: str
    """The description's word."""

    @property
    def name(self) -> str:
        return " or ".join(self.types)


def _types(sample: Sample, tags: ColumnProfile, task: Task) -> list[_Kind]:
    """The tag types the description names: by their own name, a word it begins, a shared meaning, or what the card says of the type.
    Types in one list ("persons and places") are wanted together; of others named, the first is the likeliest."""
    found = {tag[2:] for row in _named_tags(sample, tags) for tag in row if tag[1:2] in ("-", "_") and tag[2:]}
    said = " ".join(clause.said for clause in clauses(task.description) if clause.wanted or not clause.strict)
    told = _told(sample, found)
    results = [kind for one in sorted(found) if (kind := _named(one, told.get(one, ""), said)) is not None]
    if len(results) > 1:  # place names, names of firms: a name alone says no type
        results = [one for one in results if one.word != "names"] or results
    if not results:
        # Short names are guesses: one only, and in the words that say what is wanted, before any that say how to write it.
        wanted = folded(re.split(r"[,.;:?!،，。？！]", task.description)[0]).split()
        short = [(kind, word) for kind in sorted(found) for word in wanted if shortens(folded(kind), word)]
        results = [_Kind((kind,), f"it is short for “{word}” of the description", 0.75, word) for kind, word in short if len(short) == 1]
    if not results and len(found) == 1:
        return [_Kind((found.pop(),), "the only type of tag there is", 0.6, "")]
    results.sort(key=lambda one: said.find(one.word))
    if len(results) < 2:
        return results
    if all(_listed(task.description, one.word, other.word) for one, other in pairwise(results)):
        every = tuple(kind for one in results for kind in one.types)
        return [_Kind(every, "; ".join(one.why for one in results), min(one.prior for one in results), results[0].word)]
    return [one._replace(prior=one.prior * (0.9 if place == 0 else 0.6)) for place, one in enumerate(results)]


def _named(kind: str, told: str, said: str) -> _Kind | None:
    plain, words = folded(kind), said.split()
    if re.search(rf"(?<!\w){re.escape(plain)}s?(?!\w)", said):
        return _Kind((kind,), f"the description names {kind}", 0.92, plain)
    stands = next((other for word in folded(told).split() if len(word) > 3 for other in words if alike(word, other)), "")
    if stands:
        return _Kind((kind,), f"the card says that {kind} is {told}", 0.91, stands)
    begun = next((word for word in words if word.startswith(plain)), "") if len(plain) >= 3 else ""
    if begun:
        return _Kind((kind,), f"{kind} is the beginning of “{begun}”", 0.9, begun)
    known = [(word, meaning) for meaning in sorted(meanings(kind)) for word in words_for(meaning) if _mentions(said, word)]
    known.sort(key=lambda entry: (entry[0] == "names", said.find(entry[0])))
    if not known:
        return None
    return _Kind((kind,), f"{kind} and “{known[0][0]}” of the description mean {known[0][1]}", 0.88, known[0][0])


def _listed(description: str, one: str, other: str) -> bool:
    """Two words stand side by side in a list."""
    between = r"\w*\s*(?:[,/&、，]|(?<!\w)(?:and|or|und|oder|et|ou|y|e|o|и|или|na|au|ve|veya|dan|atau|và|hoặc)(?!\w)|和|或)+\s*(?:\w+\s+)?"
    return re.search(re.escape(one) + between + re.escape(other), description, re.IGNORECASE) is not None


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


def _draft(tokens: ColumnProfile, tags: ColumnProfile, kind: _Kind, sample: Sample, task: Task) -> Draft:
    separator, none = separator_of(task), none_word(task)
    joiner = "" if tokens.script in ("CJK", "JAPANESE", "THAI") else " "
    outputs = tuple(
        separator.join(spans_of(a, b, kind.types, joiner)) or none if isinstance(a, list) else ""
        for a, b in zip(sample.values[tokens.name], _named_tags(sample, tags), strict=True)
    )
    into = sample.unused("spans")
    steps: list[AnyStep] = [*_spans(tokens, tags, kind, into, sample, separator=separator, none=none, joiner=joiner)]
    if not none:
        steps.append(Keep(value=into, min_chars=1, note=f"rows with a {kind.name}"))
    without = f"“{none}” where there is none" if none else "rows without one left out, for the task has no word for none"
    return Draft(
        family="spans",
        output=printed(into),
        reads=(tags.column,),
        outputs=outputs,
        prior=kind.prior,
        reasons=(f"{tags.name} tags the {tokens.name}", f"type {kind.name}: {kind.why}", f"joined with “{separator}”, {without}"),
        steps=_after(tokens, tags, steps),
        shown=(tokens.name,),
    )


def _count(tokens: ColumnProfile, tags: ColumnProfile, kind: _Kind, sample: Sample) -> Draft:
    """How many spans of the type there are: a line for each, counted."""
    into, number = sample.unused("spans"), sample.unused("span_count")
    outputs = tuple(
        str(len(spans_of(a, b, kind.types, " "))) if isinstance(a, list) else ""
        for a, b in zip(sample.values[tokens.name], _named_tags(sample, tags), strict=True)
    )
    # A span's own words stay out of the way: each counts as what stands between two line ends.
    count = "{{ " + printed(into)[3:-3] + ' | select("equalto", "\n") | list | length }}'
    steps: list[AnyStep] = [
        *_spans(tokens, tags, kind, into, sample, separator="\n", none="", joiner=" "),
        Template(into=number, template="{{ 0 if not " + printed(into)[3:-3] + " else 1 + (" + count[3:-3] + ") }}"),
    ]
    return Draft(
        family="spans",
        output=printed(number),
        reads=(tags.column,),
        outputs=outputs,
        prior=kind.prior,
        reasons=(f"{tags.name} tags the {tokens.name}", f"type {kind.name}: {kind.why}", "the description asks how many there are"),
        steps=_after(tokens, tags, steps),
        shown=(tokens.name,),
    )


def _whether(tokens: ColumnProfile, tags: ColumnProfile, kind: _Kind, labels: tuple[str, str], sample: Sample) -> Draft:
    """Yes where there is any span of the type."""
    into, label = sample.unused("spans"), sample.unused("label_word")
    outputs = tuple(
        labels[0] if spans_of(a, b, kind.types, " ") else labels[1] if isinstance(a, list) else ""
        for a, b in zip(sample.values[tokens.name], _named_tags(sample, tags), strict=True)
    )
    yes, no = (json.dumps(one, ensure_ascii=False) for one in labels)
    steps: list[AnyStep] = [
        *_spans(tokens, tags, kind, into, sample, separator="; ", none="", joiner=" "),
        Template(into=label, template=f"{{{{ {yes} if {printed(into)[3:-3]} else {no} }}}}"),
    ]
    return Draft(
        family="label",
        output=printed(label),
        reads=(tags.column,),
        outputs=outputs,
        prior=kind.prior * 0.95,
        reasons=(
            f"{tags.name} tags the {tokens.name}",
            f"type {kind.name}: {kind.why}",
            f"{labels[0]} where there is one, else {labels[1]}",
        ),
        steps=_after(tokens, tags, steps),
        shown=(tokens.name,),
    )


def _spans(
    tokens: ColumnProfile, tags: ColumnProfile, kind: _Kind, into: str, sample: Sample, *, separator: str, none: str, joiner: str
) -> tuple[AnyStep, ...]:
    """The spans step; for several types, after steps that make one of them."""
    names = tags.class_names if tags.item_kind == "integer" else ()
    if len(kind.types) == 1:
        one = kind.types[0]
        made = Spans(
            tokens=tokens.name, tags=tags.name, type=one, into=into, tag_names=names, separator=separator, none=none, joiner=joiner
        )
        return (made,)
    written, wanted = sample.unused("tags_written"), sample.unused("tags_wanted")

    def of(letters: str) -> str:
        said = [f"{letter}-{one}" for one in kind.types for letter in letters]
        return json.dumps([names.index(tag) for tag in said if tag in names] if names else said, ensure_ascii=False)

    template = f"{{% if item in {of('BSU')} %}}B-WANTED{{% elif item in {of('IELM')} %}}I-WANTED{{% else %}}O{{% endif %}}"
    return (
        Each(value=tags.name, into=written, template=template, separator=" ", note=f"{kind.name} as one type"),
        Match(value=written, into=wanted, pattern=" ", mode="split"),
        Spans(tokens=tokens.name, tags=wanted, type="WANTED", into=into, separator=separator, none=none, joiner=joiner),
    )


def _after(tokens: ColumnProfile, tags: ColumnProfile, steps: Sequence[AnyStep]) -> tuple[AnyStep, ...]:
    return (*tokens.steps, *(extra for extra in tags.steps if extra not in tokens.steps), *steps)


def spans_of(tokens: Sequence[str], tags: Sequence[str], kinds: Sequence[str], joiner: str) -> list[str]:
    """Texts of the spans of these types, as the spans step reads them: an inside tag with nothing before it begins one."""
    found: list[list[str]] = []
    inside = False
    for token, tag in zip(tokens, tags, strict=False):
        own = tag[2:] in kinds
        if own and (tag[:1] in "BSU" or (tag[:1] in "IELM" and not inside)):
            found.append([as_text(token)])
        elif own and tag[:1] in "IELM":
            found[-1].append(as_text(token))
        inside = own and tag[:1] in "BSUIELM"
    return [joiner.join(span) for span in found]


def separator_of(task: Task) -> str:
    """What the task puts between several things: as its description quotes it, else as its examples have it."""
    quoted = re.findall(r"[\"'“„«「]( ?[;,|/、·\n] ?)[\"'”“»」]", task.description.replace("\u00a0", " ").replace("\u202f", " "))
    for sign in (str(one).strip(" ") for one in quoted[:1]):
        for example in task.examples:
            if (shown := re.search(rf" *{re.escape(sign)}[ \n]*", example.output)) is not None:
                return shown.group()
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
        quoted = re.findall(r"[\"'“„«「]\s?([^\W\d][\w ]{0,23}\w|[-–—])\s?[\"'”“»」]", sentence)
        if quoted and re.search(_NOTHING, sentence, re.IGNORECASE):
            return str(quoted[-1])
    return ""
