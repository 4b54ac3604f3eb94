"""A data set on a page: why it was found, its facts, columns, first rows, and its card.

A card is what a stranger wrote. It is shown as the text it is: no link can be followed, nothing is loaded, and what looks like markup of
the screens is text. Headings, code and its front matter only look different, found line by line, so a megabyte of brackets costs no
more than a megabyte of prose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from engine.plain_text import clean, one_line

CELL = 200
COLUMNS = 40
CONFIGS = 20

Shown = Mapping[str, Any]
"""What `catalog serve` shows of a data set, or a hit it gives."""


def card_text(shown: Shown, hit: Shown, rank: int = 0, hits: int = 0, mark: str = "") -> Text:
    """The whole page; `hit` is empty where it was not searched for."""
    text = head_text(clean(shown["title"]), clean(shown["dataset"]), hit, rank, hits, mark)
    facts = [f"licence {clean(shown['licence']) or 'not stated'}", f"languages {clean(', '.join(shown['languages'][:12])) or 'not stated'}"]
    facts += [f"{shown['count']:,} rows in {clean(_first(shown))}"] if "count" in shown else []
    facts += [f"{shown['downloads']:,} downloads"] if shown["downloads"] else []
    facts += ["its owner decides who gets it"] if shown["gated"] else []
    text.append(f"{'; '.join(facts)}\n")
    if shown.get("missing"):
        text.append(f"{clean(shown['missing'])}\n", "yellow")
    for config, splits in list(shown["splits"].items())[:CONFIGS]:
        text.append(f"config {clean(config)}: {clean(', '.join(splits))}\n", "dim")
    if shown["columns"]:
        text.append("\nColumns\n", "bold")
        for name, described in list(shown["columns"].items())[:COLUMNS]:
            text.append(f"  {one_line(name, 80)}", "cyan")
            text.append(f"  {one_line(described, CELL)}\n", "dim")
    for place, row in enumerate(shown["rows"]):
        text.append(f"\nRow {place}\n", "bold")
        for name, value in row.items():
            text.append(f"  {one_line(name, 80)}: ", "cyan")
            text.append(f"{one_line(value, CELL)}\n")
    text.append("\nCard\n", "bold")
    text.append_text(markdown_text(clean(shown["card"])))
    more = shown.get("card_characters", 0) - len(shown["card"])
    if more > 0:
        text.append(f"\n… and {more:,} characters more: datatune catalog show {clean(shown['dataset'])} --json", "dim")
    return text


def head_text(title: str, dataset: str, hit: Shown, rank: int, hits: int, mark: str) -> Text:
    """Name and why it was found: what is known before the data set was looked at."""
    text = Text()
    text.append(f"{title}\n", "bold")
    text.append(dataset, "dim")
    text.append(f"  {mark}\n" if mark else "\n", "bold yellow")
    if hit.get("aliases"):
        text.append(f"the same card: {clean(', '.join(hit['aliases'][:5]))}\n", "dim")
    for line in why(hit, rank, hits):
        text.append(f"{line}\n", "green")
    return text


def why(hit: Shown, rank: int, hits: int) -> list[str]:
    """Why it stands where it stands, in words, with the numbers that add up to its score."""
    from engine.catalog.ranking import LEARNT  # deferred: brings the database, and start-up counts

    parts = hit.get("parts")
    if not parts:
        return [f"· {clean(reason)}" for reason in hit.get("reasons", ())]
    meaning, words, popular = parts.get("meaning", 0.0), parts.get("words", 0.0), parts.get("popularity", 0.0)
    shared = next((clean(reason).removeprefix("matches: ") for reason in hit["reasons"] if reason.startswith("matches: ")), "")
    downloads = next((clean(reason) for reason in hit["reasons"] if reason.endswith(" downloads")), "")
    lines = [f"Number {rank} of {hits}, score {hit['score']:.3f}:" if rank else f"Score {hit['score']:.3f}:"]
    lines.append(f"  {meaning:.3f} meaning: how near it is to your words" if meaning else "  0.000 meaning: it has nothing of it")
    most = "; none has more of them" if words >= LEARNT.words - 0.0005 else ""
    lines.append(f"  {words:.3f} words: {shared or 'some in common'}{most}" if words else "  0.000 words: none in common")
    if popular:
        lines.append(f"  {popular:.3f} downloads: {downloads or 'a folder of yours counts half as much as the best known'}")
    else:
        lines.append("  0.000 downloads: none known")
    if (factor := parts.get("language", 1.0)) != 1.0:
        lines.append(f"  × {factor:g} for the language it states")
    if parts.get("generated"):
        lines.append(f"  {parts['generated']:.3f} made by a machine for one project")
    total = (meaning + words + popular) * parts.get("language", 1.0) + parts.get("generated", 0.0)
    if abs(total - hit["score"]) > 0.002:
        lines.append("  (it stands where its best copy does)")
    return lines


def markdown_text(card: str) -> Text:
    """A card's Markdown as it is written, with headings, code and front matter set apart."""
    text = Text()
    lines = card.split("\n")
    matter = bool(lines) and lines[0].strip() == "---"
    code = False
    for number, line in enumerate(lines):
        fence = line.lstrip().startswith(("```", "~~~"))
        if matter or code or fence:
            style = "dim"
        elif line.startswith("#"):
            style = "bold"
        else:
            style = ""
        text.append(f"{line}\n", style or None)
        if matter and number and line.strip() == "---":
            matter = False
        elif fence and not matter:
            code = not code
    return text


def _first(shown: Shown) -> str:
    config, splits = next(iter(shown["splits"].items()), ("", [""]))
    return f"{config}, {splits[0]}"
