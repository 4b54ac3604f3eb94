"""What of a card's markdown is worth reading: prose without markup, templates, lists of contents and badges."""

from __future__ import annotations

import re

SUMMARY_LIMIT = 900
LINE_LIMIT = 4000
"""Characters of one line that are read: pasted tables and minified pages are no prose."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]")
_LINKED_IMAGE = re.compile(r"\[\s*!\[[^\]]*\]\([^)]*\)\s*\]\([^)]*\)|!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]\[]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_BARE_ADDRESS = re.compile(r"<?https?://\S+>?|www\.\S+")
_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]{0,2000}>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HIDDEN_BLOCK = re.compile(r"<(script|style|svg)\b.{0,5000}?</\1\s*>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_EMPHASIS = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)")
_BROKEN_LINK = re.compile(r"^\W*\]\(\S*")
_MARKUP = re.compile(r"[\[\]<>*_`]|://|www\.")
_PLACEHOLDER = re.compile(
    r"\[?\s*(?:more information needed|needs? more information|dataset name|optional|"
    r"provide (?:a|an|the)[^\]]*|if (?:relevant|available)[^\]]*)\s*\]",
    re.IGNORECASE,
)
_TEMPLATE_LINE = re.compile(
    r"^(?:provide (?:a|an|the) (?:quick|longer|basic|short)|describe the|for each task tagged|"
    r"this section (?:describes|is meant|intends)|add (?:positive|yaml)"
    r"|this dataset card aims to be a base template|n/?a\.?$|none\.?$|tbd\.?$|todo\b|more information needed|needs more information"
    r"|thanks to \[?@|this modelcard|briefly summarize)",
    re.IGNORECASE,
)
_METADATA_LINE = re.compile(
    r"^[-*+]?\s*\**(?:homepage|repository|repo|paper|leaderboard|point of contact|contact|download|demo|size of|curated by|funded by|"
    r"shared by|dataset card|"
    r"licen[cs]e|languages?(?:\(s\))?|total amount|website|authors?|url|doi|rows here|card id)\b[^:\n]{0,60}:",
    re.IGNORECASE,
)
_CONTENTS_LINE = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s*\[[^\]]*\]\(#[^)]*\)\s*$")
_HEADING = re.compile(r"^(#{1,6})\s*(.+?)\s*#*\s*$")

_LEADING = re.compile(r"summary|description|overview|introduction|about|abstract|what is|zusammenfassung|описание", re.IGNORECASE)
_USEFUL = re.compile(r"task|usage|use|field|structure|content|instance|example|language|column|feature", re.IGNORECASE)
_TRAILING = re.compile(
    r"citation|licen[cs]|contribut|contents|curator|personal and sensitive|acknowledg|reference|bias|"
    r"limitation|social impact|contact|changelog|"
    r"annotat|curation|considerations|additional information|how to cite|bibtex|download|install|load",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    """The text without control, direction and zero-width characters, and without halves of surrogate pairs."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def clean_text(text: str) -> str:
    """One line of plain words: no markup, links reduced to their words, no addresses."""
    text = " ".join(printable(text[:LINE_LIMIT]).split())
    if not _MARKUP.search(text):
        return text
    text = _LINKED_IMAGE.sub(" ", text)
    text = _TAG.sub(" ", text)
    text = _LINK.sub(r"\1", _LINK.sub(r"\1", text))
    text = _PLACEHOLDER.sub(" ", _BARE_ADDRESS.sub(" ", text))
    return " ".join(_BROKEN_LINK.sub("", _EMPHASIS.sub("", text)).split())


def without_code(text: str) -> str:
    """The markdown less fenced code, comments, scripts and styles."""
    return _FENCE.sub("\n", _HIDDEN_BLOCK.sub(" ", _COMMENT.sub(" ", text)))


def summary_of(body: str) -> str:
    """The most telling prose of a card's body, at most 900 characters: summary first, then what follows, credits never."""
    sections = _sections(without_code(body[:100_000]))
    ranked = sorted(enumerate(sections), key=lambda place: (_rank(place[1][0], place[0]), place[0]))
    chosen: list[str] = []
    length = 0
    for place, (heading, lines) in ranked:
        if place > 1 and _TRAILING.search(heading) and not _LEADING.search(heading):
            continue
        text = " ".join(lines)
        if text and text not in chosen:
            chosen.append(text)
            length += len(text) + 1
        if length >= SUMMARY_LIMIT:
            break
    return _cut(" ".join(chosen), SUMMARY_LIMIT)


def _sections(body: str) -> list[tuple[str, list[str]]]:
    """(heading, clean lines of prose) in the card's order."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in body.splitlines():
        heading = _HEADING.match(line)
        if heading:
            sections.append((clean_text(heading[2]), []))
            continue
        stripped = line.strip()
        if not stripped or stripped.startswith("|") or _CONTENTS_LINE.match(line) or set(stripped) <= set("-=_*#> "):
            continue
        if _METADATA_LINE.match(stripped):
            continue
        text = clean_text(re.sub(r"^(?:[-*+>]|\d+[.)])\s+", "", stripped))
        if len(text) > 1 and not _TEMPLATE_LINE.match(text):
            sections[-1][1].append(text)
    return sections


def _rank(heading: str, place: int) -> int:
    if _LEADING.search(heading):
        return 0
    if place <= 1:
        return 1
    return 2 if _USEFUL.search(heading) else 3


def _cut(text: str, limit: int) -> str:
    """The text up to the limit, ended at a word."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    space = head.rfind(" ")
    return (head[:space] if space > limit // 2 else head).rstrip(" ,;") + "…"
