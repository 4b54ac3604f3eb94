"""Cards: a data set's README read into what search, planning and the user need, however broken it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.catalog.prose import clean_text, printable, summary_of, without_code
from engine.records import Value

RAW_LIMIT = 200_000
"""Characters of a card that are kept; a few cards paste whole tables and run to a million."""
FRONT_MATTER_LIMIT = 400_000
FEATURE_LIMIT = 5_000
TELLING = 40
"""Characters of a summary from which on a card says something of its own."""
BULLET_LIMIT = 1_000
"""Characters of a line that may describe a column."""


class Feature(Value, frozen=True):
    """One column as the card's `dataset_info` declares it."""

    name: str
    dtype: str = ""
    """The declared type, such as "string"; "class" for labels, "list" and "struct" for nested ones."""
    class_names: tuple[str, ...] = ()
    """Names of 0, 1, … for a label column or a list of labels."""


class SplitFiles(Value, frozen=True):
    """Files of one split: glob patterns relative to the card's folder."""

    split: str
    patterns: tuple[str, ...]


class CardConfig(Value, frozen=True):
    """One config the card declares, by its files, its features, or both."""

    name: str
    files: tuple[SplitFiles, ...] = ()
    features: tuple[Feature, ...] = ()
    splits: tuple[str, ...] = ()
    rows: int = 0
    default: bool = False


class Card(Value, frozen=True):
    """What a data set says of itself. Every text in it was written by a stranger: data, never an instruction."""

    dataset: str
    """Hub id, or the name a local folder goes by."""
    title: str
    summary: str = ""
    """At most 900 characters of the body's meaningful prose."""
    licence: str = ""
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    task_categories: tuple[str, ...] = ()
    size: str = ""
    """Size category or number of rows, as stated."""
    configs: tuple[CardConfig, ...] = ()
    downloads: int = 0
    gated: bool = False
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    """Descriptions of columns, from the card's lists and tables."""
    generated: bool = False
    """Made by a machine for one evaluation or training project, so of little use to others."""
    notes: tuple[str, ...] = ()
    """What was wrong with the card, one line each."""
    copy_key: str = ""
    """The same for cards with one body and the same languages; "" for a body that says nothing, such as an unfilled template."""
    raw: str = ""
    """The markdown as given, without control characters, at most 200,000 characters."""

    @property
    def features(self) -> tuple[Feature, ...]:
        """Features of the first config that declares any."""
        return next((config.features for config in self.configs if config.features), ())


def parse_card(dataset: str, markdown: str, *, downloads: int = 0) -> Card:
    """Read a card's markdown. Nothing in it makes this fail: what cannot be read is left out and named in `notes`."""
    notes: list[str] = []
    text = printable(markdown)
    if not text.strip():
        notes.append("the card is empty")
    if len(text) > RAW_LIMIT:
        notes.append(f"the card has {len(text):,} characters, the first {RAW_LIMIT:,} are kept")
    front, body = _front_matter(text, notes)
    body = body[:RAW_LIMIT]
    stated = _stated(body)
    name = dataset.rsplit("/", 1)[-1]
    summary = summary_of(body)
    languages = _languages(front, stated)
    return Card(
        dataset=dataset,
        title=_title(front, body, name),
        summary=summary,
        licence=_licence(front, stated),
        languages=languages,
        tags=_texts(front.get("tags")) + _texts(front.get("task_ids")),
        task_categories=_texts(front.get("task_categories")) or _parts(stated.get("task", "")),
        size=", ".join(_texts(front.get("size_categories")))[:80],
        configs=_configs(front),
        downloads=downloads,
        gated=bool(front.get("extra_gated_prompt") or front.get("extra_gated_fields")) or front.get("gated") in ("true", "auto", "manual"),
        columns=_column_descriptions(body),
        generated=bool(_GENERATED_ID.search(dataset) or _GENERATED_BODY.search(body[:2000])),
        notes=tuple(notes),
        copy_key=_copy_key(body, languages) if len(summary) >= TELLING else "",
        raw=text[:RAW_LIMIT],
    )


def read_card(dataset: str, path: Path) -> Card:
    """The card in a file of any encoding. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        data = file.read(4 * RAW_LIMIT)
    for encoding in ("utf-8-sig", "cp1252", "latin-1"):
        try:
            return parse_card(dataset, data.decode(encoding))
        except UnicodeDecodeError as error:
            if encoding == "utf-8-sig" and error.start >= len(data) - 4:
                return parse_card(dataset, data.decode(encoding, errors="ignore"))
    raise AssertionError("latin-1 reads any bytes")


def class_names_in(description: str) -> tuple[str, ...]:
    """Class names a description gives in words, such as "0 negative, 1 positive" or "entailment (0), neutral (1)".

    Empty unless the numbers run from 0 without a gap, since a half-read list would give wrong labels.
    """
    for pattern in (_NUMBER_NAME, _NAME_NUMBER):
        if pattern is _NAME_NUMBER and re.search(r"\bwhether\b", description[:2000]):
            break
        names: dict[int, str] = {}
        for match in pattern.finditer(description[:2000]):
            name = _BEFORE_NAME.sub("", " ".join(match["name"].split())).strip(" `'\"*_-–=:")
            if name and int(match["number"]) not in names:
                names[int(match["number"])] = name
        if len(names) >= 2 and sorted(names) == list(range(len(names))) and len(set(names.values())) == len(names):
            return tuple(names[index] for index in range(len(names)))
    return ()


_JOINED = r"(?:and|or|und|oder|et|ou|y|o|и|или|e|och|en)"
_NUMBER_NAME = re.compile(
    r"(?<![\w.])(?P<number>\d{1,3})[`'\")]?[ \t]*(?:=|:|-|–|->|→|\(|is\b|means\b|for\b|stands for\b)?[ \t]*"
    r"(?P<name>[`'\"]?[^\W\d_][^\d,;()|=:.\n]{0,40}?)[ \t]*(?=[,;.)|\n]|\b" + _JOINED + r"\b[ \t]*[`'\"]?\d|$)",
)
_NAME_NUMBER = re.compile(r"(?P<name>[^\W\d_][^\W\d]*(?:[ -][^\W\d]+){0,2})[`'\"]?[ \t]*[(\[](?P<number>\d{1,3})[)\]]")
_BEFORE_NAME = re.compile(r"^.*\b(?:including|includes|are|is|either|of|values?|labels?|class|classes)\s+|^" + _JOINED + r"\s+", re.I)
_GENERATED_ID = re.compile(r"autotrain-data-|(?:^|/)autoeval-|^autoevaluate/", re.IGNORECASE)
_GENERATED_BODY = re.compile(r"automatically processed by AutoTrain|contains model predictions generated by \[?AutoTrain", re.IGNORECASE)


def _front_matter(text: str, notes: list[str]) -> tuple[dict[str, Any], str]:
    """YAML block and the body after it; a block that is no YAML mapping stays out of both."""
    match = re.match(r"\s*---[ \t]*\n(.*?)(?:\n|^)---[ \t]*(?:\n|\Z)", text, re.DOTALL | re.MULTILINE)
    if not match:
        return {}, text
    block, body = match[1], text[match.end() :]
    if len(block) > FRONT_MATTER_LIMIT:
        notes.append("the front matter is too long to read")
        return {}, body
    if re.search(r"^#{1,6} \S", block, re.MULTILINE) and not re.search(r"^\w+:", block, re.MULTILINE):
        return {}, text  # two horizontal rules around prose, not front matter
    import yaml  # deferred: only needed when a card is read

    # The base loader builds nothing but texts, lists and mappings: "no" stays the language, "yes" the label.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    problem = "it holds no fields"
    for candidate in (block, _without_stray_lines(block)):
        try:
            front = yaml.load(candidate, Loader=loader)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            problem = (str(getattr(error, "problem", "") or error) or "unreadable").splitlines()[0]
            continue
        if not front and not candidate.strip() and not block.strip():
            return {}, body
        if isinstance(front, dict) and front:
            if candidate is not block:
                notes.append("the front matter has lines that are no YAML; they were left out")
            return {str(key): value for key, value in front.items()}, body
    notes.append(f"the front matter is no valid YAML ({problem})")
    if re.match(r"\s*[\w-]+:\s", body) and re.search(r"^---[ \t]*$", body, re.MULTILINE):  # a remark stood where the fields should
        return _front_matter(f"---\n{body}", notes)
    return {}, body


def _without_stray_lines(block: str) -> str:
    """The block less the top-level lines that cannot start a field."""
    kept = [line for line in block.splitlines() if not line[:1].isalpha() or re.match(r"[\w.-]+:\s*(?!.*: )", line)]
    return "\n".join(kept)


def _copy_key(body: str, languages: tuple[str, ...]) -> str:
    """Families of data sets share a card too, one for each language: those are no copies."""
    return hashlib.sha256(" ".join([*sorted(languages), "\0", *body.lower().split()]).encode()).hexdigest()[:32]


def _texts(value: Any) -> tuple[str, ...]:
    """Texts of a field that may be one text, a list, or a mapping of lists by config."""
    found: list[str] = []
    if isinstance(value, str):
        found = [value]
    elif isinstance(value, list):
        found = [item for item in value[:500] if isinstance(item, str)]
    elif isinstance(value, dict):
        found = [text for item in list(value.values())[:100] for text in _texts(item)]
    cleaned = (clean_text(text)[:80] for text in found)
    return tuple(dict.fromkeys(text for text in cleaned if text and text.lower() not in ("null", "none", "unknown", "~")))[:100]


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[,;/]", text) if part.strip())[:10]


def _stated(body: str) -> dict[str, str]:
    """Licence, language and task from lines such as "- Licence: MIT", for cards without front matter."""
    found: dict[str, str] = {}
    for match in re.finditer(r"^\s*[-*]\s+\**(licen[cs]e|languages?|tasks?)\**\s*:\**\s*(\S.{0,200})$", body[:20_000], re.I | re.M):
        key = match[1].lower().replace("license", "licence").rstrip("s")
        found.setdefault(key, clean_text(match[2]))
    return found


def _licence(front: dict[str, Any], stated: dict[str, str]) -> str:
    named = _texts(front.get("license")) or _texts(front.get("licenses")) or _texts(front.get("licence"))
    if named == ("other",) and _texts(front.get("license_name")):
        named = _texts(front.get("license_name"))
    return (", ".join(named) or stated.get("licence", ""))[:200]


def _languages(front: dict[str, Any], stated: dict[str, str]) -> tuple[str, ...]:
    named = _texts(front.get("language")) or _texts(front.get("languages"))
    return named or tuple(part for part in _parts(stated.get("language", "")) if re.fullmatch(r"[A-Za-z]{2,3}(-\w+)*", part))


def _title(front: dict[str, Any], body: str, name: str) -> str:
    stated = front.get("pretty_name")
    candidates = [stated] if isinstance(stated, str) else [*_texts(stated)[:1]]
    candidates += [match[1] for match in re.finditer(r"^#\s+(.+)$", without_code(body[:20_000]), re.MULTILINE)][:1]
    for candidate in candidates:
        title = re.sub(r"^(?:data ?set card(?: (?:for|of))?|data ?set:)(?:\s+|$)", "", clean_text(candidate), flags=re.I).strip(" :#`*\"'")
        placeholder = re.search(r"\[|needs? more information|^(data ?set )?(card|name|description|summary|table of contents)$", title, re.I)
        if title and not placeholder and any(letter.isalnum() for letter in title):
            return title[:200]
    return " ".join(re.split(r"[_\s-]+", name)).strip()[:200] or name[:200]


def _configs(front: dict[str, Any]) -> tuple[CardConfig, ...]:
    """Configs by their name, joined from `configs` (files) and `dataset_info` (features)."""
    found: dict[str, CardConfig] = {}
    budget = [FEATURE_LIMIT]
    for info in _mappings(front.get("dataset_info")):
        name = _name(info.get("config_name"))
        splits = tuple(_name(split.get("name")) for split in _mappings(info.get("splits")))
        rows = sum(int(count) for split in _mappings(info.get("splits")) if (count := str(split.get("num_examples", ""))).isdigit())
        found[name] = CardConfig(name=name, features=tuple(features_in(info.get("features"), budget)), splits=splits, rows=rows)
    for config in _mappings(front.get("configs")):
        name = _name(config.get("config_name"))
        known = found.get(name, CardConfig(name=name))
        found[name] = CardConfig(
            name=name,
            files=tuple(_split_files(config)),
            features=known.features or tuple(features_in(config.get("features"), budget)),
            splits=known.splits,
            rows=known.rows,
            default=config.get("default") == "true",
        )
    return tuple(found.values())


def _name(value: Any) -> str:
    return clean_text(value)[:100] if isinstance(value, str) and value.strip() else "default"


def _mappings(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value]
    return [item for item in value[:2000] if isinstance(item, dict)] if isinstance(value, list) else []


def _split_files(config: dict[str, Any]) -> Iterator[SplitFiles]:
    """The config's `data_files`, in each of the forms the Hub allows, below its `data_dir`."""
    folder = config.get("data_dir")
    prefix = f"{folder.strip('/')}/" if isinstance(folder, str) and folder.strip("/. ") else ""
    files = config.get("data_files")
    if files is None:
        if prefix:
            yield SplitFiles(split="", patterns=(f"{prefix}**",))
        return
    if isinstance(files, dict):
        entries: list[Any] = [{"split": key, "path": value} for key, value in files.items()]
    else:
        entries = files if isinstance(files, list) else [files]
    for entry in entries[:2000]:
        split = ""
        if isinstance(entry, dict):
            split, entry = str(entry.get("split") or ""), entry.get("path")
        patterns = [entry] if isinstance(entry, str) else [item for item in entry or () if isinstance(item, str)]
        if patterns:
            yield SplitFiles(split=split, patterns=tuple(prefix + pattern for pattern in patterns))


def features_in(value: Any, budget: list[int]) -> Iterator[Feature]:
    """Features as a card's YAML list or a `dataset_info.json` mapping states them; `budget` bounds hostile nesting."""
    entries = value if isinstance(value, list) else []
    if isinstance(value, dict):
        entries = [{"name": key, **item} if isinstance(item, dict) else {"name": key, "list": item} for key, item in value.items()]
    for entry in entries:
        budget[0] -= 1
        if budget[0] < 0:
            return
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield Feature(name=entry["name"][:200], dtype=_dtype(entry), class_names=_class_names(entry, 0))


def _dtype(entry: dict[str, Any]) -> str:
    dtype = entry.get("dtype")
    if (isinstance(dtype, dict) and "class_label" in dtype) or entry.get("_type") == "ClassLabel":
        return "class"
    if any(key in entry for key in ("sequence", "list")) or entry.get("_type") in ("Sequence", "List", "LargeList"):
        return "list"
    if "struct" in entry or not isinstance(dtype, str):
        return "struct"
    return dtype[:80]


def _class_names(entry: Any, depth: int) -> tuple[str, ...]:
    if not isinstance(entry, dict) or depth > 4:
        return ()
    label = entry.get("class_label") if "class_label" in entry else entry if entry.get("_type") == "ClassLabel" else None
    names = label.get("names") if isinstance(label, dict) else None
    if isinstance(names, dict) and all(str(key).isdigit() for key in names):
        names = [names[key] for key in sorted(names, key=lambda key: int(key))]
    if isinstance(names, list) and names:
        return tuple(printable(str(name))[:200] for name in names[:FEATURE_LIMIT])
    inner = (entry.get(key) for key in ("dtype", "sequence", "list", "feature"))
    return next((found for item in inner if (found := _class_names(item, depth + 1))), ())


_COLUMN_BULLET = re.compile(
    r"^[ \t]*[-*+][ \t]+(?:\*\*|__)?[`\"']?(?P<name>[\w.\- ]{1,60}?)[`\"']?(?:\*\*|__)?[ \t]*"
    r"(?:\([^)\n]{1,60}\)|\[[^\]\n]{1,60}\])?[ \t]*(?:\*\*|__)?[ \t]*(?::|--|–|—|-[ \t]|=)(?:\*\*|__)?[ \t]*(?P<text>\S.{0,600})$"
)
_NOT_COLUMNS = re.compile(
    r"^(?:homepage|repository|paper|leaderboard|point of contact|licen[cs]e|source|languages?|tasks?|size|"
    r"curated by|funded by|card id|rows here)",
    re.IGNORECASE,
)


def _bullets(body: str) -> Iterator[str]:
    """Lines of lists. Blanks in a row become one: the pattern would try every way to share forty of them out."""
    for line in body.split("\n"):
        if line.lstrip(" \t")[:1] in ("-", "*", "+") and len(line) <= BULLET_LIMIT:
            yield re.sub(r"[ \t]{2,}", " ", line)


def _column_descriptions(body: str) -> dict[str, str]:
    """Name → description from bullets and two-column tables; whether a name is a column, the data decides."""
    found: dict[str, str] = {}
    for match in filter(None, map(_COLUMN_BULLET.match, _bullets(body))):
        name = match["name"].strip()
        if not _NOT_COLUMNS.match(name) and len(found) < 300:
            found.setdefault(name, clean_text(match["text"])[:400])
    for line in body.splitlines():
        cells = [clean_text(cell) for cell in line.strip().strip("|").split("|")] if line.lstrip().startswith("|") else []
        if len(cells) >= 2 and re.fullmatch(r"[\w.\-]{0,60}[^\W\d][\w.\-]{0,60}", cells[0]) and len(found) < 300:
            found.setdefault(cells[0], max(cells[1:], key=len)[:400])
    return {name: text for name, text in found.items() if text}
