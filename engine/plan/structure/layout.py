"""How the values an input shows are laid out: in the examples' shape where they fit it, else each under a heading of its own."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Sequence
from typing import Any

from engine.plan.profile import ColumnProfile, Sample, as_text, identifier
from engine.plan.steps import AnyStep, Each
from engine.plan.structure.draft import Draft
from engine.plan.structure.headings import SURE, Part, assigned
from engine.plan.structure.numbers import written_number
from engine.plan.structure.shape import Shape, sentence_count
from engine.plan.template import printed
from engine.records import Value

ONE_HEADING_EACH = "the input has a heading for each column"
_SPEAKER = re.compile(r"speaker|role|from|author|user|who|name|sender", re.IGNORECASE)
_SPOKEN = re.compile(r"^\s*[\w .'-]{1,20}\s?[:：]")
_MOST_TEXTS = 200
_DECIMAL = ("0.5",)
_ORDER = 0.3


class Piece(Value):
    """One value the input shows."""

    name: str
    expression: str
    """Its part of the template."""
    heading: str
    steps: tuple[AnyStep, ...] = ()


def piece_of(profile: ColumnProfile, sample: Sample) -> Piece:
    """The value as the input prints it: lists joined, turns line by line."""
    heading = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", profile.name).replace("_", " ").replace("-", " ").split())
    heading = heading[:1].upper() + heading[1:]
    if profile.kind != "list":
        # Beside 20.5 a reading of 21 is written 21.0, as in the source.
        expression = written_number(profile, _DECIMAL) if profile.whole < 0.5 else printed(profile.name)
        return Piece(name=profile.name, expression=expression, heading=heading, steps=profile.steps)
    if profile.item_kind == "dict":
        into = sample.unused(f"{identifier(profile.name)}_lines")
        items = [item for value in sample.values[profile.name] if isinstance(value, list) for item in value if isinstance(item, dict)]
        return Piece(
            name=profile.name,
            expression=printed(into),
            heading=heading,
            steps=(*profile.steps, Each(value=profile.name, into=into, template=turn_template(items, profile.keys), separator="\n")),
        )
    lines = [as_text(item) for value in sample.values[profile.name] if isinstance(value, list) for item in value][:2000]
    spoken = sum(bool(_SPOKEN.match(line)) for line in lines) > 0.6 * len(lines)
    blank = "" if profile.script in ("CJK", "JAPANESE", "THAI") else " "
    joiner = json.dumps("\n" if spoken else blank)
    expression = "{{ " + printed(profile.name)[3:-3] + f" | join({joiner}) }}}}"
    return Piece(name=profile.name, expression=expression, heading=heading, steps=profile.steps)


def turn_template(items: Sequence[dict[str, Any]], keys: Sequence[str]) -> str:
    """ "speaker: text" for a list's dictionaries: the key with the longest texts, after the one that names who speaks."""
    lengths = {key: statistics.median([len(item[key]) if isinstance(item.get(key), str) else 0 for item in items] or [0]) for key in keys}
    text = max(keys, key=lambda key: lengths[key])
    speakers = [
        key
        for key in keys
        if key != text and _SPEAKER.search(key) and len({as_text(item.get(key)) for item in items}) <= max(4, len(items) // 5)
    ]
    said = "{{ item[" + json.dumps(text, ensure_ascii=False) + "] }}"
    return "{{ item[" + json.dumps(speakers[0], ensure_ascii=False) + "] }}: " + said if speakers else said


def input_template(pieces: list[Piece], draft: Draft, sample: Sample, shape: Shape, parts: Sequence[Part]) -> tuple[str, list[str]]:
    """The input's template in the examples' shape where the pieces fit it, else plain headings; `parts` as the shape's pieces."""
    placed = _placed(pieces, shape, parts, sample, bool(draft.options))
    if placed is None:
        placed = [("" if len(pieces) == 1 else f"{piece.heading}: ", piece.expression, "\n") for piece in pieces]
        told = [ONE_HEADING_EACH] if len(pieces) > 1 else []
        if draft.options:
            placed.append(("Options:\n" if pieces else "", _options(draft, shape), "\n"))
    else:
        told = ["the input has the shape of the examples'"] if len(shape.slots) > 1 else []
        placed = [(heading, expression if expression else _options(draft, shape), before) for heading, expression, before in placed]
    text = ""
    for heading, expression, before in placed:
        text += (before if text else "") + heading + expression
    return text, told


def _placed(pieces: list[Piece], shape: Shape, parts: Sequence[Part], sample: Sample, options: bool) -> list[tuple[str, str, str]] | None:
    """(heading with colon, expression or "" for the options, what stands before) for each slot; None when the shape does not fit."""
    slots = [slot for slot in shape.slots if not slot.options]
    if any(slot.options for slot in shape.slots) != options or len(pieces) < len(slots):
        return None
    found = assigned([piece.name for piece in pieces], parts, sample, _ORDER)
    if len(found) < len(slots):
        return None
    taken = {place: [pieces[column]] for place, (column, _) in found.items()}
    rest = [piece for piece in pieces if [piece] not in taken.values()]
    if rest and not slots:
        return None
    if rest and len(slots) == 1:
        if slots[0].heading or not (_flows(pieces, sample) or _one_sentence_each(pieces, parts, sample)):
            return None
        taken[0] = pieces
    elif rest and (any(sure < SURE for _, sure in found.values()) or _longer(rest, taken, sample)):
        return None
    placed = []
    number = 0
    for slot in shape.slots:
        heading = slot.heading + slot.colon if slot.heading else ""
        if slot.options:
            placed.append((heading, "", slot.before))
            continue
        several = taken[number]
        first = sample.by_name.get(several[0].name)
        between = "" if first is not None and first.script in ("CJK", "JAPANESE") else " "
        placed.append((heading, between.join(piece.expression for piece in several), slot.before))
        number += 1
    return placed


def _longer(rest: Sequence[Piece], taken: dict[int, list[Piece]], sample: Sample) -> bool:
    """What has no place is far longer than all that has one: most likely the text the task works on."""

    def length(piece: Piece) -> float:
        return sample.by_name[piece.name].chars if piece.name in sample.by_name else float("inf")

    return max(map(length, rest)) > 2 * max(length(piece) for pieces in taken.values() for piece in pieces)


def _flows(pieces: list[Piece], sample: Sample) -> bool:
    """Several texts read as one: none of them is a numbered sibling of another."""
    stems = [re.sub(r"[\d]+|[_ ][a-d]$", "", piece.name) for piece in pieces]
    pairs = {frozenset(("premise", "hypothesis")), frozenset(("source", "target")), frozenset(("context", "question"))}
    names = {piece.name.lower() for piece in pieces}
    return len(set(stems)) == len(stems) and not any(pair <= names for pair in pairs)


def _one_sentence_each(pieces: list[Piece], parts: Sequence[Part], sample: Sample) -> bool:
    """Numbered sentences, where the examples show as many sentences in one paragraph."""
    if len({re.sub(r"\d+$", "", piece.name) for piece in pieces}) != 1 or not parts or not parts[0].texts:
        return False
    texts = [text for piece in pieces if piece.name in sample.by_name for text in sample.texts(piece.name) if text][:_MOST_TEXTS]
    single = sum(sentence_count(text) == 1 for text in texts) >= 0.8 * len(texts)
    return single and all(sentence_count(text) == len(pieces) and "\n" not in text for text in parts[0].texts)


def _options(draft: Draft, shape: Shape) -> str:
    """The options as the examples list them; lettered where the output is a letter, bullets where the examples show none."""
    if shape.style == "joined" and not draft.letters:
        return f"{{{{ {draft.options} | join(" + json.dumps(shape.join, ensure_ascii=False) + ") }}"
    if shape.style != "marked" or (draft.letters and not re.search(r"[Aa]", shape.mark)):
        return f"{{{{ {draft.options}.lettered }}}}" if draft.letters else f"{{{{ {draft.options} }}}}"
    if shape.mark == "A. " and shape.join == "\n":
        return f"{{{{ {draft.options}.lettered }}}}"
    sign = re.search(r"[A-Za-z1]", shape.mark)
    if sign is None:
        return f"{{{{ {draft.options} }}}}" if shape.join == "\n" else f"{{{{ {draft.options} | join(" + json.dumps(shape.join) + ") }}"
    by = {"A": "option.letter", "a": "option.letter | lower", "1": "loop.index"}.get(sign.group(), "option.letter")
    mark = shape.mark[: sign.start()] + "{{ " + by + " }}" + shape.mark[sign.end() :]
    join = json.dumps(shape.join, ensure_ascii=False)
    return f"{{% for option in {draft.options} %}}" + mark + "{{ option }}{% if not loop.last %}{{ " + join + " }}{% endif %}{% endfor %}"
