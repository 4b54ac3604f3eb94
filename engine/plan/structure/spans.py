"""Plans that list the spans of one type in BIO tags."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.plan.label_words import folded, meanings, words_for
from engine.plan.profile import ColumnProfile, Sample
from engine.plan.steps import Spans
from engine.plan.structure.draft import Draft
from engine.plan.template import printed
from engine.records import Task


def span_drafts(sample: Sample, task: Task) -> list[Draft]:
    """A draft for each pair of token and tag lists and each tag type the task speaks of."""
    if task.output.kind != "text":
        return []
    drafts = []
    for tags in sample.profiles:
        if not (tags.kind == "list" and tags.tags):
            continue
        for tokens in sample.profiles:
            if tokens.text_list and tokens.name != tags.name and _same_lengths(sample, tokens.name, tags.name):
                drafts += [_draft(tokens, tags, kind, why, prior, sample, task) for kind, why, prior in _types(sample, tags.name, task)]
    return drafts


def _same_lengths(sample: Sample, tokens: str, tags: str) -> bool:
    pairs = [(a, b) for a, b in zip(sample.values[tokens], sample.values[tags], strict=True) if isinstance(a, list) and isinstance(b, list)]
    return bool(pairs) and sum(len(a) == len(b) for a, b in pairs) >= 0.97 * len(pairs)


def _types(sample: Sample, tags: str, task: Task) -> list[tuple[str, str, float]]:
    """(type, why, prior) of the tag types that the description names, by their own name, a word it begins, or a shared meaning."""
    found = {
        tag[2:]
        for value in sample.values[tags]
        if isinstance(value, list)
        for tag in value
        if isinstance(tag, str) and tag[1:2] in "-_" and tag[2:]
    }
    said = folded(task.description)
    words = said.split()
    results = []
    for kind in sorted(found):
        plain = folded(kind)
        if plain in words:
            results.append((kind, f"the description names {kind}", 0.92))
        elif len(plain) >= 3 and any(word.startswith(plain) for word in words):
            results.append((kind, f"{kind} is the beginning of a word in the description", 0.9))
        elif any(_mentions(said, word) for meaning in meanings(kind) for word in words_for(meaning)):
            results.append((kind, f"{kind} and a word of the description mean {sorted(meanings(kind))[0]}", 0.88))
    if not results and len(found) == 1:
        results.append((found.pop(), "the only type of tag there is", 0.6))
    return results


def _mentions(text: str, word: str) -> bool:
    if len(word) < 3 and word.isascii():
        return False
    if word.isascii() or (word.isalpha() and not re.search(r"[\u3040-\u9fff\uac00-\ud7af]", word)):
        return re.search(rf"(?<!\w){re.escape(word)}\w{{0,3}}(?!\w)", text) is not None
    return word in text


def _draft(tokens: ColumnProfile, tags: ColumnProfile, kind: str, why: str, prior: float, sample: Sample, task: Task) -> Draft:
    separator, none = _separator(task), _none(task)
    joiner = "" if tokens.script in ("CJK", "JAPANESE", "THAI") else " "
    outputs = tuple(
        separator.join(spans_of(a, b, kind, joiner)) or none if isinstance(a, list) and isinstance(b, list) else ""
        for a, b in zip(sample.values[tokens.name], sample.values[tags.name], strict=True)
    )
    into = sample.unused("spans")
    step = Spans(tokens=tokens.name, tags=tags.name, type=kind, into=into, separator=separator, none=none, joiner=joiner)
    steps = (*tokens.steps, *(extra for extra in tags.steps if extra not in tokens.steps), step)
    return Draft(
        family="spans",
        output=printed(into),
        reads=(tags.column,),
        outputs=outputs,
        prior=prior,
        reasons=(f"{tags.name} tags the {tokens.name}", f"type {kind}: {why}", f"joined with “{separator}”, “{none}” where there is none"),
        steps=steps,
        shown=(tokens.name,),
    )


def spans_of(tokens: Sequence[str], tags: Sequence[str], kind: str, joiner: str) -> list[str]:
    """Texts of the spans of one type."""
    found: list[list[str]] = []
    inside = False
    for token, tag in zip(tokens, tags, strict=False):
        if tag[:1] in "BS" and tag[2:] == kind:
            found.append([token])
            inside = True
        elif tag[:1] in "IELM" and tag[2:] == kind and inside:
            found[-1].append(token)
        else:
            inside = False
    return [joiner.join(span) for span in found]


def _separator(task: Task) -> str:
    quoted = re.findall(r"[\"'“„«「]([;,|/、·\n] ?)[\"'”“»」]", task.description)
    if quoted:
        return str(quoted[0])
    for separator in ("; ", " | ", "、", "\n", ", "):
        if any(separator in example.output for example in task.examples):
            return separator
    return "; "


def _none(task: Task) -> str:
    for example in task.examples:
        output = example.output.strip()
        if output and not any(part.strip() in example.input for part in re.split(r"[;,|\n、]", output)):
            return output
    quoted = re.findall(r"[\"'“„«「]([^\W\d][\w ]{1,24})[\"'”“»」]", task.description)
    return str(quoted[-1]) if quoted else "none"
