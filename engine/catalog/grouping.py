"""Which data files belong together: by the card's own list, else by folder, schema and the splits their names tell."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import msgspec

from engine.catalog.card import Card, CardConfig, Feature
from engine.catalog.layout import Config, DataFile, Split
from engine.catalog.text_file import plain_name

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_ORDER = ("train", "validation", "test")
_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?")


def split_named_in(name: str) -> str:
    """The split a file's or folder's name tells ("dev-00000-of-1" → "validation"), or ""; the last such word counts."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return next((SPLIT_WORDS[word] for word in reversed(words) if word in SPLIT_WORDS), "")


def configs_of(files: list[DataFile], card: Card, features: dict[str, tuple[Feature, ...]], notes: list[str]) -> tuple[Config, ...]:
    """Configs with their splits, the default first. Files of a different schema become a config of their own."""
    declared = [config for config in card.configs if config.files]
    found = _declared(files, declared, notes) or _inferred(files)
    return tuple(_with_features(config, card, features) for config in found)


def _declared(files: list[DataFile], declared: list[CardConfig], notes: list[str]) -> list[Config]:
    """Configs the card lists, less patterns that match nothing here."""
    configs = []
    for wanted in sorted(declared, key=lambda config: not config.default):
        splits: dict[str, list[DataFile]] = {}
        for entry in wanted.files:
            for pattern in entry.patterns:
                if ".." in PurePosixPath(pattern).parts or pattern.startswith("/") or "://" in pattern:
                    notes.append(f"the card names files outside its folder ({pattern[:80]}), left out")
                    continue
                matching = _glob(pattern)
                for file in files:
                    if matching.fullmatch(file.path.rstrip("/")) and all(file not in known for known in splits.values()):
                        name = SPLIT_WORDS.get(entry.split.lower(), entry.split) or _split_of(file) or "train"
                        splits.setdefault(name, []).append(file)
        if splits:
            whole = [Split(name=name, files=_same_schema(group, notes)) for name, group in splits.items()]
            configs.append(Config(name=wanted.name, splits=tuple(sorted(whole, key=_split_order))))
        else:
            notes.append(f"the card's config {wanted.name} has no files here")
    return configs


def _same_schema(files: list[DataFile], notes: list[str]) -> tuple[DataFile, ...]:
    """The files that agree with the largest schema among them."""
    largest = max(files, key=lambda file: sum(other.size for other in files if _alike(other, file)))
    for file in files:
        if not _alike(file, largest):
            notes.append(f"{file.path}: other columns than the rest of its split, left out")
    return tuple(file for file in files if _alike(file, largest))


def _inferred(files: list[DataFile]) -> list[Config]:
    """Configs by the folders that are neither splits nor mere containers, then by schema."""
    by_folder: dict[str, list[DataFile]] = {}
    for file in files:
        by_folder.setdefault(_config_folder(file), []).append(file)
    configs: list[Config] = []
    for folder, members in by_folder.items():
        stems = [_stem(file) for file in members]
        by_language = len(members) > 1 and len(set(stems)) == len(stems) and all(_LANGUAGE.fullmatch(stem) for stem in stems)
        by_language = by_language and not any(map(split_named_in, stems))
        groups = [[file] for file in members] if by_language else _by_schema(members)
        groups.sort(key=lambda group: -sum(file.size for file in group))
        for place, group in enumerate(groups):
            name = _group_name(group) if by_language or place else ""
            name = _unused("/".join(filter(None, (folder, name))) or "default", [config.name for config in configs])
            named = {file: _split_of(file) for file in group}
            splits: dict[str, list[DataFile]] = {}
            for file in group:
                alone = _stem(file) if any(named.values()) and not by_language else "train"
                splits.setdefault(named[file] or alone, []).append(file)
            whole = (Split(name=split, files=tuple(members)) for split, members in splits.items())
            configs.append(Config(name=name, splits=tuple(sorted(whole, key=_split_order))))
    return sorted(configs, key=lambda config: (config.name != "default", 0))


def _by_schema(files: list[DataFile]) -> list[list[DataFile]]:
    """Files of one split must agree on columns; another split may lack some (a test set without labels)."""
    groups: list[list[DataFile]] = []
    for file in sorted(files, key=lambda file: -len(file.columns)):
        for group in groups:
            same_split = [other for other in group if _split_of(other) == _split_of(file)]
            if all(_alike(other, file) for other in same_split) and (same_split or _overlap(group[0], file) >= 0.5):
                group.append(file)
                break
        else:
            groups.append([file])
    order = {file: place for place, file in enumerate(files)}
    return [sorted(group, key=order.__getitem__) for group in groups]


def _alike(one: DataFile, other: DataFile) -> bool:
    """Equal columns; for JSON, whose rows may leave some out, mostly equal ones."""
    if set(one.columns) == set(other.columns):
        return True
    json_like = ("lines", "array", "keyed")
    return one.format in json_like and other.format in json_like and _overlap(one, other) >= 0.5


def _overlap(one: DataFile, other: DataFile) -> float:
    columns, others = set(one.columns), set(other.columns)
    return len(columns & others) / max(1, len(columns | others))


def _stem(file: DataFile) -> str:
    return file.part or PurePosixPath(plain_name(file.path.rstrip("/"))).stem


def _split_of(file: DataFile) -> str:
    """By sheet or key, then file name, then the nearest folder that tells."""
    path = PurePosixPath(plain_name(file.path.rstrip("/")))
    return next((split for name in (file.part, path.stem, *reversed(path.parts[:-1])) if (split := split_named_in(name))), "")


def _config_folder(file: DataFile) -> str:
    parts = PurePosixPath(file.path.rstrip("/")).parts[:-1]
    return "/".join(part for part in parts if not SPLIT_WORDS.get(part.lower()) and part.lower() not in ("data", "dataset", "raw"))


def _group_name(group: list[DataFile]) -> str:
    words = [word for word in re.split(r"[^\w]+|_", _stem(group[0])) if word and word.lower() not in SPLIT_WORDS and not word.isdigit()]
    return "-".join(words) or "other"


def _unused(name: str, taken: list[str]) -> str:
    number = 2
    unused = name
    while unused in taken:
        unused, number = f"{name}-{number}", number + 1
    return unused


def _split_order(split: Split) -> tuple[int, str]:
    return (_ORDER.index(split.name) if split.name in _ORDER else len(_ORDER), split.name)


def _with_features(config: Config, card: Card, features: dict[str, tuple[Feature, ...]]) -> Config:
    """Features declared for this config, else the only ones declared, if the columns agree."""
    by_name = {declared.name: declared.features for declared in card.configs if declared.features} | {
        name: found for name, found in features.items() if found
    }
    chosen = by_name.get(config.name) or (next(iter(by_name.values())) if len(by_name) == 1 else ())
    columns = {column for split in config.splits for file in split.files for column in file.columns}
    return msgspec.structs.replace(config, features=tuple(feature for feature in chosen if feature.name in columns))


def _glob(pattern: str) -> re.Pattern[str]:
    """The Hub's glob patterns as a regular expression over relative paths."""
    pattern = pattern.removeprefix("./")
    out = ""
    place = 0
    while place < len(pattern):
        if pattern.startswith("**/", place):
            out, place = out + "(?:.*/)?", place + 3
        elif pattern.startswith("**", place):
            out, place = out + ".*", place + 2
        elif pattern[place] == "*":
            out, place = out + "[^/]*", place + 1
        elif pattern[place] == "?":
            out, place = out + "[^/]", place + 1
        elif (choice := re.match(r"\{([^{}]*)\}|\[([^\[\]/]+)\]", pattern[place:])) is not None:
            chosen = "|".join(map(re.escape, choice[1].split(","))) if choice[1] is not None else ""
            out += f"(?:{chosen})" if choice[1] is not None else "[" + re.escape(choice[2]).replace(r"\-", "-") + "]"
            place += len(choice[0])
        else:
            out, place = out + re.escape(pattern[place]), place + 1
    return re.compile(out)
