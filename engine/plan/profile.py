"""What sample rows say of each column: label set, index, options, nested paths, markers, tags, copies, ids."""

from __future__ import annotations

import ast
import json
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from engine.plan.steps import AnyStep, Get, Keep, Match, Parse, Template
from engine.plan.template import printed
from engine.records import Column, ColumnKind, Row, Value

MOST_COUNTED = 64
MOST_KEYS = 12
DEEPEST = 3
MARKERS = (
    "####",
    "Final answer:",
    "The answer is",
    "Answer:",
    "ANSWER:",
    "Antwort:",
    "Réponse :",
    "Respuesta:",
    "Ответ:",
    "答案：",
    "答え：",
)
_BIO = re.compile(r"^(O|[BIESLUM][-_].+)$")
_ID_NAME = re.compile(r"(^|[_\-. ])(id|ids|uid|guid|uuid|idx|key|hash|no)[.#]?$|^(index|id|sr no\.?|nr\.?|#)$|[a-z]I[Dd]$", re.IGNORECASE)
_NUMBER = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+|\d{1,3}(,\d{3})+(\.\d+)?)([eE][+-]?\d+)?$")
_TIME = re.compile(r"^\d{1,4}[-/:.]\d{1,2}[-/:.,]\d{1,4}([ T:,.].{0,20})?$")
_CODED = re.compile(r"^(?=\S+$)(\w*[^\W_]_\w+|[a-z]+[A-Z]\w*|([A-Z][a-z]+){2,})$")
_WORDS = re.compile(r"\w+")


class ColumnProfile(Value):
    """One value a plan can name: a column, or something nested in one with the steps that read it out."""

    name: str
    column: str
    """The top-level column it comes from."""
    kind: ColumnKind
    rows: int
    steps: tuple[AnyStep, ...] = ()
    """Steps that give `name` its value; () for a column itself."""
    filled: float = 0.0
    """Share of rows with something in them."""
    distinct: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """The most frequent values as text."""
    class_names: tuple[str, ...] = ()
    description: str = ""
    constant: bool = False
    id_like: bool = False
    """Running number, uuid, file name, address or time: says which row this is, not what is in it."""
    label_set: bool = False
    """Few short values that repeat."""
    low: float | None = None
    """Range of a number, also of one written as text."""
    high: float | None = None
    whole: float = 0.0
    """Share of the numbers that are integers."""
    chars: float = 0.0
    """Median length in characters (of a list of texts: joined)."""
    words: float = 0.0
    letters: float = 0.0
    """Share of letters among the characters that are not blank."""
    script: str = ""
    """Most frequent script of the letters, such as LATIN, CYRILLIC, CJK, HIRAGANA, HANGUL, ARABIC, DEVANAGARI."""
    fewest: int = 0
    """Items of a list: fewest, most."""
    most: int = 0
    item_kind: str = ""
    """Of a list: text, integer, number, boolean, dict, list, mixed."""
    keys: tuple[str, ...] = ()
    """Of a dictionary, or of a list's dictionaries: keys that most rows have."""
    tags: bool = False
    """A list of BIO tags, as names or as the places of class names that are tags."""
    marker: str = ""
    """A marker such as "####" that most texts hold exactly one of at their end."""
    single_item: bool = False
    """Read out of a list, and only rows whose list holds exactly one item have it."""
    first_item: bool = False
    """Read out of a list as its first item."""

    coded: bool = False
    """Names as programs write them: no blanks, but underscores or capitals inside."""

    @property
    def free_text(self) -> bool:
        """Natural text that differs from row to row."""
        return (
            self.kind == "text"
            and not (self.id_like or self.label_set or self.constant or self.numeric or self.coded)
            and self.letters >= 0.35
        )

    @property
    def numeric(self) -> bool:
        return self.low is not None

    @property
    def text_list(self) -> bool:
        return self.kind == "list" and self.item_kind == "text" and not self.tags


class Sample:
    """Profiles beside the values they describe; `values[name][i]` belongs to `rows[i]`."""

    def __init__(self, profiles: tuple[ColumnProfile, ...], values: dict[str, list[Any]], rows: int) -> None:
        self.profiles = profiles
        self.values = values
        self.rows = rows
        self.by_name = {profile.name: profile for profile in profiles}

    def where(self, kept: Sequence[bool]) -> Sample:
        """The rows marked True as a sample of their own, profiled afresh: what filtered rows hold is another data set."""
        columns = [
            Column(profile.name, profile.kind, profile.class_names, profile.description) for profile in self.profiles if not profile.steps
        ]
        places = [place for place, keep in enumerate(kept) if keep]
        rows = [Row(new, {column.name: self.values[column.name][place] for column in columns}) for new, place in enumerate(places)]
        return read_sample(columns, rows)

    def unused(self, name: str) -> str:
        """The name, lengthened where a column has it already."""
        while name in self.by_name:
            name += "_"
        return name

    def texts(self, name: str) -> list[str]:
        """Values as text, lists of texts joined with blanks."""
        return [as_text(value) for value in self.values[name]]


def profile_columns(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[ColumnProfile, ...]:
    """Profiles of the columns and of what is nested in them, in column order."""
    return read_sample(columns, rows).profiles


def read_sample(columns: Sequence[Column], rows: Sequence[Row]) -> Sample:
    """Profiles with their values: columns first in their order, each followed by what is nested in it."""
    profiles: list[ColumnProfile] = []
    values: dict[str, list[Any]] = {}
    taken = {column.name for column in columns}
    for column in columns:
        own = [row.values.get(column.name) for row in rows]
        for profile, nested in _unfold(column, column.name, own, (), taken, 0):
            profiles.append(profile)
            values[profile.name] = nested
    return Sample(tuple(profiles), values, len(rows))


def as_text(value: Any) -> str:
    """A value as the plan language prints it: nothing is "", true and false in lower case, 3.0 is "3", lists joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list | tuple):
        return " ".join(as_text(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value).strip()


def as_number(value: Any) -> float | None:
    """The number a value is or spells, else None (a boolean is none)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if value == value else None
    text = str(value).strip()
    return float(text.replace(",", "")) if len(text) < 40 and _NUMBER.match(text) else None


def script_of(texts: Iterable[str]) -> str:
    """The script most letters belong to; "" without letters. Kana and Han together are JAPANESE."""
    found: Counter[str] = Counter()
    for text in texts:
        for letter in text[:400]:
            if letter.isalpha():
                found[_script(letter)] += 1
    if not found:
        return ""
    if (found["HIRAGANA"] + found["KATAKANA"]) * 8 > found.total():
        return "JAPANESE"
    return found.most_common(1)[0][0]


def identifier(text: str) -> str:
    """A name templates can use as a variable."""
    name = re.sub(r"\W+", "_", text).strip("_")
    return name if name and not name[0].isdigit() else f"value_{name}".rstrip("_")


def _script(letter: str) -> str:
    if letter.isascii():
        return "LATIN"
    name = unicodedata.name(letter, "").split(" ", 1)[0]
    return "CJK" if name.startswith("CJK") else name


def _unfold(
    column: Column, label: str, values: list[Any], steps: tuple[AnyStep, ...], taken: set[str], depth: int
) -> list[tuple[ColumnProfile, list[Any]]]:
    """The profile of one value and of everything nested in it."""
    profile = _profile(column, label, values, steps)
    found = [(profile, values)]
    if depth >= DEEPEST:
        return found

    def nested(suffix: str, step: Callable[[str], tuple[AnyStep, ...]], inner: list[Any]) -> list[tuple[ColumnProfile, list[Any]]]:
        name = identifier(f"{label}_{suffix}")
        while name in taken:
            name += "_"
        taken.add(name)
        return _unfold(Column(column.name, "mixed"), name, inner, steps + step(name), taken, depth + 1)

    # Steps already taken end in `label`; a path starts there.
    if profile.kind == "dict":
        for key in profile.keys:
            inner = [value.get(key) if isinstance(value, dict) else None for value in values]
            found += nested(key, lambda name, key=key: (Get(path=f"{label}.{key}", into=name),), inner)  # type: ignore[misc]
    elif profile.kind == "list" and not profile.tags and profile.fewest + profile.most > 0 and profile.most <= 200:
        found += _first_item(profile, label, values, nested)
    elif profile.kind == "text":
        parsed, form = _parse_all(values)
        if form:
            found += nested("parsed", lambda name: (Parse(value=label, into=name, form=form),), parsed)  # type: ignore[arg-type]
        elif profile.marker:
            pattern = re.escape(profile.marker) + r"[ \t]*([^\n]+?)[ \t.]*$"
            ends = [_after(profile.marker, value) for value in values]
            found += nested("end", lambda name: (Match(value=label, into=name, pattern=f"(?s){pattern}", group=1, which="last"),), ends)
    return found


def _first_item(profile: ColumnProfile, label: str, values: list[Any], nested: Callable[..., Any]) -> list[tuple[ColumnProfile, list[Any]]]:
    """The first item of a list; where many lists hold exactly one item of a small vocabulary, only those."""
    firsts = [value[0] if isinstance(value, list | tuple) and value else None for value in values]
    if profile.item_kind == "dict":
        return list(nested("first", lambda name: (Get(path=f"{label}[0]", into=name),), firsts))
    if profile.item_kind not in ("text", "integer", "number", "boolean"):
        return []
    several = sum(1 for value in values if isinstance(value, list | tuple) and len(value) > 1)
    vocabulary = {as_text(item) for value in values if isinstance(value, list | tuple) for item in value}
    if several and profile.rows >= 10 and len(vocabulary) <= max(6, profile.rows // 6):
        alone = [value[0] if isinstance(value, list | tuple) and len(value) == 1 else None for value in values]

        def only(name: str) -> tuple[AnyStep, ...]:
            size = f"{name}_count"
            count = Template(into=size, template="{{ " + printed(label)[3:-3] + " | length }}", note="how many there are")
            return count, Keep(value=size, one_of=("1",), note="rows with exactly one"), Get(path=f"{label}[0]", into=name)

        found = list(nested("only", only, alone))
        return [(_with(found[0][0], single_item=True), found[0][1]), *found[1:]]
    found = list(nested("first", lambda name: (Get(path=f"{label}[0]", into=name),), firsts))
    whole = profile.most <= 1 and found[0][0].label_set
    return [(_with(found[0][0], first_item=not whole), found[0][1]), *found[1:]]


def _with(profile: ColumnProfile, **changes: Any) -> ColumnProfile:
    return msgspec.structs.replace(profile, **changes)


def _profile(column: Column, label: str, values: list[Any], steps: tuple[AnyStep, ...]) -> ColumnProfile:
    present = [value for value in values if not _empty(value)]
    kind = _kind(present) if steps or column.kind in ("mixed", "class", "null") else column.kind
    if column.class_names and kind != "list":
        kind = "class"
    texts = [as_text(value) for value in present]
    counts = Counter(texts)
    facts: dict[str, Any] = {
        "filled": len(present) / len(values) if values else 0.0,
        "distinct": len(counts),
        "counts": dict(counts.most_common(MOST_COUNTED)),
        "class_names": column.class_names if not steps else (),
        "description": column.description if not steps else "",
        "constant": len(counts) <= 1 and len(present) > 0,
    }
    if kind in ("text", "integer", "number", "class", "boolean"):
        facts |= _numbers(present) if kind != "boolean" else {}
    if kind in ("text", "list", "class"):
        facts |= _texts(texts)
    if kind == "list":
        facts |= _lists(present, column.class_names)
    if kind == "dict":
        facts["keys"] = _keys(present)
    if kind == "text":
        facts["marker"] = _marker(texts)
    if kind in ("text", "integer", "number", "boolean", "class", "mixed"):
        typical = statistics.median(map(len, texts)) if texts else 0
        few = _few(len(counts), len(present)) or (facts.get("coded", False) and _repeat(counts))
        facts["label_set"] = few and typical <= 40 and max(map(len, texts), default=0) <= 80
        facts["id_like"] = not facts["label_set"] and _id_like(label, kind, texts, len(counts), facts)
    return ColumnProfile(name=label, column=column.name, kind=kind, rows=len(values), steps=steps, **facts)


def _few(distinct: int, present: int) -> bool:
    return 0 < distinct <= 60 and (distinct * 3 <= present or (distinct <= 3 and distinct < present))


def _repeat(counts: Counter[str]) -> bool:
    """Most rows share their value with another row: enough where there are few rows and the values are names as programs write them."""
    return len(counts) <= 60 and sum(count for count in counts.values() if count > 1) >= 0.6 * max(1, counts.total())


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, float) and value != value)


def _kind(present: list[Any]) -> ColumnKind:
    kinds = {_kind_of(value) for value in present}
    if not kinds:
        return "null"
    if kinds <= {"integer", "number"}:
        return "integer" if kinds == {"integer"} else "number"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind_of(value: Any) -> ColumnKind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "dict"
    if isinstance(value, list | tuple):
        return "list"
    return "binary" if isinstance(value, bytes) else "mixed"


def _numbers(present: list[Any]) -> dict[str, Any]:
    numbers = [as_number(value) for value in present]
    read = [number for number in numbers if number is not None]
    if not read or len(read) < 0.97 * len(present):
        return {}
    return {"low": min(read), "high": max(read), "whole": sum(number.is_integer() for number in read) / len(read)}


def _texts(texts: list[str]) -> dict[str, Any]:
    if not texts:
        return {}
    seen = [letter for text in texts for letter in text[:300] if not letter.isspace()]
    return {
        "chars": float(statistics.median(map(len, texts))),
        "words": float(statistics.median(len(_WORDS.findall(text[:4000])) for text in texts)),
        "letters": sum(unicodedata.category(letter)[0] in "LM" for letter in seen) / len(seen) if seen else 0.0,
        "script": script_of(texts),
        "coded": sum(bool(_CODED.match(text)) for text in texts) > 0.5 * len(texts),
    }


def _lists(present: list[Any], class_names: Sequence[str] = ()) -> dict[str, Any]:
    lists = [list(value) for value in present if isinstance(value, list | tuple)]
    items = [item for value in lists for item in value if item is not None]
    if not items:
        return {}
    kind = _kind(items)
    facts: dict[str, Any] = {"fewest": min(map(len, lists)), "most": max(map(len, lists)), "item_kind": kind}
    if kind == "text":
        facts["tags"] = _tagged(set(items))
    elif kind == "integer" and class_names:
        facts["tags"] = _tagged(set(class_names)) and all(0 <= item < len(class_names) for item in items)
    if kind == "dict":
        facts["keys"] = _keys(items)
    return facts


def _tagged(names: set[str]) -> bool:
    """BIO tags in one of their dialects: all of the form, "O" among them, and at least one with a type."""
    typed = [name for name in names if len(name) > 2 and name[1] in "-_"]
    begins = any(name[0] in "BSU" for name in typed)
    return bool(typed) and (begins or "O" in names) and all(_BIO.match(name) for name in names)


def _keys(values: list[Any]) -> tuple[str, ...]:
    dicts = [value for value in values if isinstance(value, dict)]
    found = Counter(key for value in dicts for key in value if isinstance(key, str))
    kept = [key for key, count in found.most_common(4 * MOST_KEYS) if count * 5 >= 4 * len(dicts)][:MOST_KEYS]
    order = {key: place for place, key in enumerate(dict.fromkeys(key for value in dicts for key in value))}
    return tuple(sorted(kept, key=lambda key: order[key]))


def _marker(texts: list[str]) -> str:
    for marker in MARKERS:
        held = [text for text in texts if marker in text]
        if len(held) * 5 < 4 * len(texts) or not held:
            continue
        ends = [_after(marker, text) or "" for text in held]
        if statistics.median(map(len, ends)) * 3 <= statistics.median(map(len, held)):
            return marker
    return ""


def _after(marker: str, value: Any) -> str | None:
    if not isinstance(value, str) or marker not in value:
        return None
    end = value.rsplit(marker, 1)[1].strip()
    return end.rstrip(".").strip() if end and "\n" not in end else None


def _parse_all(values: list[Any]) -> tuple[list[Any], str]:
    """The values read as JSON, else as Python literals, if nearly all of them are a list or dictionary in text."""
    present = [value for value in values if isinstance(value, str) and value.strip()]
    if not present or sum(value.lstrip()[0] in "[{" for value in present) < 0.97 * len(present):
        return [], ""
    readers: tuple[tuple[str, Callable[[str], Any]], ...] = (("json", json.loads), ("literal", ast.literal_eval))
    for form, read in readers:
        parsed = [_read(read, value) for value in values]
        if sum(isinstance(value, list | dict) for value in parsed) >= 0.97 * len(present):
            return parsed, form
    return [], ""


def _read(read: Callable[[str], Any], value: Any) -> Any:
    if not isinstance(value, str) or len(value) > 100_000:
        return None
    try:
        return read(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _id_like(name: str, kind: ColumnKind, texts: list[str], distinct: int, facts: dict[str, Any]) -> bool:
    if not texts:
        return False
    unique = distinct >= 0.9 * len(texts)
    if _ID_NAME.search(name) and distinct * 3 >= len(texts):
        return True
    if kind == "integer":
        return unique and len(texts) >= 8 and _running(texts)
    if kind != "text":
        return False
    if facts.get("low") is not None:
        return unique and len(texts) >= 8 and _running(texts)
    if sum(bool(_TIME.match(text)) for text in texts) >= 0.9 * len(texts):
        return True
    coded = sum(not re.search(r"\s", text) and bool(re.search(r"[\d_/]|://|\.\w{2,4}$", text)) and text.isascii() for text in texts)
    addresses = sum(text.startswith(("http://", "https://", "www.")) for text in texts)
    return coded >= 0.9 * len(texts) or addresses >= 0.9 * len(texts)


def _running(texts: list[str]) -> bool:
    numbers = [as_number(text) for text in texts]
    kept = [number for number in numbers if number is not None]
    rises = sum(after > before for before, after in pairwise(kept))
    ordered = rises >= 0.97 * (len(kept) - 1) or rises <= 0.03 * (len(kept) - 1)
    # Numbers of rows or accounts have about as many digits each; amounts do not, and come rounded.
    rounded = sum(number % 10 == 0 for number in kept) >= 0.4 * len(kept)
    return ordered or (min(kept) >= 0 and max(kept) >= 1000 and not rounded)
