"""Plans that look into lists of named entries: the value of the slot a description names, or whether an act occurs in a dialogue."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from engine.plan.labels.mapping import affirming
from engine.plan.labels.words import folded, meanings, words_for
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Each, Get, Keep, Template
from engine.plan.structure.draft import Draft
from engine.plan.structure.spans import separator_of
from engine.plan.structure.spoken import alike, shortens, speaks
from engine.plan.template import printed
from engine.records import Task

_MOST_NAMES = 80
_MARK = "¦"
_SAYS_NOTHING = frozenset("the a an of to in and or is it was with for what which name value text type".split())


def nested_drafts(sample: Sample, task: Task) -> list[Draft]:
    """For texts: values of named entries. For yes and no: whether an entry of the name occurs."""
    drafts = []
    for profile in sample.profiles:
        if any(isinstance(step, Get) and "[" in step.path for step in profile.steps):
            continue
        if task.output.kind == "text" and profile.kind == "list" and profile.item_kind == "dict":
            drafts += _slots(profile, sample, task)
        elif task.output.kind == "text" and profile.kind == "dict":
            drafts += _sparse(profile, sample, task)
        elif task.output.kind == "label" and profile.kind == "list" and profile.item_kind == "dict":
            drafts += _occurs(profile, sample, task)
    return drafts


def has_names(profile: ColumnProfile, sample: Sample) -> bool:
    """A list of entries of which each says by a name what it is."""
    items = [item for value in sample.values[profile.name] for item in _dicts(value)]
    return profile.kind == "list" and any(_few_names(Counter(as_text(item.get(key)) for item in items)) for key in profile.keys)


# ── values of slots ───────────────────────────────────────────────────────────────────────────────────────


def _slots(profile: ColumnProfile, sample: Sample, task: Task) -> list[Draft]:
    """A list of {name, value}: the value of the entries the description names, rows without one left out."""
    lists = [_dicts(value) for value in sample.values[profile.name]]
    items = [item for entries in lists for item in entries]
    named = [key for key in profile.keys if _few_names(Counter(as_text(item.get(key)) for item in items))]
    drafts = []
    for key in named:
        held = [other for other in profile.keys if other != key and any(isinstance(item.get(other), str | int | float) for item in items)]
        texts = max(held, key=lambda other: len({as_text(item.get(other)) for item in items}), default="")
        if not texts or len({as_text(item.get(texts)) for item in items}) <= len({as_text(item.get(key)) for item in items}):
            continue
        for name, word in _spoken_of(sorted({as_text(item.get(key)) for item in items}), task.description):
            drafts.append(_slot(profile, key, texts, name, word, lists, sample, task))
    return drafts


def _slot(
    profile: ColumnProfile,
    key: str,
    texts: str,
    name: str,
    word: str,
    lists: Sequence[Sequence[dict[str, Any]]],
    sample: Sample,
    task: Task,
) -> Draft:
    several = any(separator_of(task).strip() in example.output for example in task.examples)
    into = sample.unused("entry_value")
    test = f"entry[{_quoted(key)}] == {_quoted(name)}"
    said = f"{{{{ entry[{_quoted(texts)}] }}}}"
    one = "{% if loop.first %}" + said + "{% endif %}"
    all_of = said + "{% if not loop.last %}{{ " + _quoted(separator_of(task)) + " }}{% endif %}"
    template = f"{{% for entry in {printed(profile.name)[3:-3]} if {test} %}}{all_of if several else one}{{% endfor %}}"
    found = [[as_text(entry.get(texts)) for entry in entries if as_text(entry.get(key)) == name] for entries in lists]
    outputs = tuple(separator_of(task).join(values) if several else values[0] if values else "" for values in found)
    return Draft(
        family="spans",
        output=printed(into),
        reads=(profile.column,),
        outputs=outputs,
        prior=0.93,
        reasons=(
            f"{texts} of the entry of {profile.name} whose {key} is {name}: the description says “{word}”",
            "rows without it left out",
        ),
        steps=(*profile.steps, Template(into=into, template=template), Keep(value=into, min_chars=1, note=f"rows with a {name}")),
    )


def _sparse(profile: ColumnProfile, sample: Sample, task: Task) -> list[Draft]:
    """A dictionary with other keys in every row: the value under the key the description names."""
    dicts = [value if isinstance(value, dict) else {} for value in sample.values[profile.name]]
    keys = Counter(key for value in dicts for key, held in value.items() if isinstance(key, str) and isinstance(held, str) and held.strip())
    if len(keys) < 2 or len(keys) > _MOST_NAMES:
        return []
    drafts = []
    for key, word in _spoken_of(sorted(set(keys) - set(profile.keys)), task.description):
        if "." in key or "[" in key:
            continue
        into = sample.unused("entry_value")
        drafts.append(
            Draft(
                family="spans",
                output=printed(into),
                reads=(profile.column,),
                outputs=tuple(as_text(value.get(key)) if isinstance(value.get(key), str) else "" for value in dicts),
                prior=0.93,
                reasons=(f"{key} of {profile.name}: the description says “{word}”", "rows without it left out"),
                steps=(
                    *profile.steps,
                    Get(path=f"{profile.name}.{key}", into=into),
                    Keep(value=into, min_chars=1, note=f"rows with a {key}"),
                ),
            )
        )
    return drafts


def _spoken_of(names: Sequence[str], description: str) -> list[tuple[str, str]]:
    """Names the description has whole, else by stems, else by meaning, with its word for them."""
    said = folded(description)
    found: list[list[tuple[str, str]]] = [[], [], []]
    for name in names:
        plain = folded(name)
        words = [word for word in plain.split() if word not in _SAYS_NOTHING]
        stems = [next((other for other in said.split() if alike(word, other)), "") for word in words]
        meant = [word for meaning in meanings(name) for word in words_for(meaning) if speaks(said, word)]
        if speaks(said, plain):
            found[0].append((name, plain))
        elif words and all(stems):
            found[1].append((name, " ".join(stems)))
        elif meant:
            found[2].append((name, meant[0]))
    return next((some[:3] for some in found if some), [])


# ── whether something occurs ──────────────────────────────────────────────────────────────────────────────


def _occurs(profile: ColumnProfile, sample: Sample, task: Task) -> list[Draft]:
    """Yes where any entry of the list (or of a list in it) has the name the question speaks of."""
    pair = affirming(task.output.labels)
    if pair is None:
        return []
    asked = folded(re.sub(r"\(.*?\)|（.*?）", " ", task.description))
    lists = [_dicts(value) for value in sample.values[profile.name]]
    best: tuple[float, str, str, tuple[str, ...]] | None = None
    for path, counts in _vocabularies(lists):
        rows = [frozenset(_leaves(entries, path)) for entries in lists]
        for name in counts:
            share, word = _share(name, asked, counts)
            if not 0.03 * len(rows) <= sum(name in held for held in rows) <= 0.97 * len(rows):
                continue  # a speaker, who is in every dialogue, or a rarity
            if share >= 0.5 and (best is None or share > best[0]):
                best = (share, name, word, path)
            elif best is not None and share == best[0] and (name, path) != (best[1], best[3]):
                return []
    if best is None:
        return []
    share, name, word, path = best
    outputs = tuple(pair[0] if name in set(_leaves(entries, path)) else pair[1] for entries in lists)
    told, label = sample.unused("occurring"), sample.unused("label_word")
    first = f"item[{_quoted(path[0])}]"
    if len(path) == 1:
        template = (
            _MARK
            + "{% for entry in ["
            + first
            + ' | default("")] %}{{ entry | join("'
            + _MARK
            + '") if entry is not string else entry }}{% endfor %}'
        )
    else:
        template = (
            _MARK
            + "{% for entry in "
            + first
            + " | default([]) %}{{ entry["
            + _quoted(path[1])
            + '] | default("") }}'
            + _MARK
            + "{% endfor %}"
        )
    held = f"{_quoted(_MARK + name + _MARK)} in {_quoted(_MARK)} ~ {told} ~ {_quoted(_MARK)}"
    steps: tuple[AnyStep, ...] = (
        *profile.steps,
        Each(value=profile.name, into=told, template=template, separator=_MARK),
        Template(into=label, template=f"{{{{ {_quoted(pair[0])} if {held} else {_quoted(pair[1])} }}}}"),
    )
    where = ".".join((profile.name, *path))
    return [
        Draft(
            family="label",
            output=printed(label),
            reads=(profile.column,),
            outputs=outputs,
            prior=0.9 if share == 1 else 0.78,
            reasons=(f"{pair[0]} where any {where} is {name}: the description says “{word}”",),
            steps=steps,
            shown=(profile.name,),
        )
    ]


def _vocabularies(lists: Sequence[Sequence[dict[str, Any]]]) -> Iterator[tuple[tuple[str, ...], Counter[str]]]:
    """Paths into the entries that hold names of few kinds, with how often each occurs."""
    items = [item for entries in lists for item in entries]
    keys = dict.fromkeys(key for item in items[:2000] for key in item)
    for key in keys:
        inner = dict.fromkeys(other for item in items[:2000] for entry in _dicts(item.get(key)) for other in entry)
        paths: list[tuple[str, ...]] = [(key, other) for other in inner]
        for path in paths or [(key,)]:
            counts = Counter(leaf for entries in lists for leaf in _leaves(entries, path))
            if _few_names(counts):
                yield path, counts


def _leaves(entries: Sequence[dict[str, Any]], path: tuple[str, ...]) -> Iterator[str]:
    for item in entries:
        held = item.get(path[0])
        if len(path) == 2:
            yield from (entry[path[1]] for entry in _dicts(held) if isinstance(entry.get(path[1]), str))
        elif isinstance(held, str):
            yield held
        elif isinstance(held, list):
            yield from (one for one in held if isinstance(one, str))


def _share(name: str, asked: str, counts: Counter[str]) -> tuple[float, str]:
    """How much of a name the question has, and its words for it: 1 whole, less by the words that few other names share."""
    plain = folded(name)
    words = [word for word in plain.split() if word not in _SAYS_NOTHING]
    if not words:
        return 0.0, ""
    if len(plain) >= 5 and speaks(asked, plain):
        return 1.0, plain
    found = {word: other for word in words for other in asked.split() if len(other) >= 5 and (alike(word, other) or shortens(word, other))}
    shared = sum(1 for other in counts if set(found) & set(folded(other).split()))
    return (len(found) / len(words), " ".join(found.values())) if found and shared == 1 else (0.0, "")


def _few_names(counts: Counter[str]) -> bool:
    """Few short names that repeat."""
    names = [name for name in counts if name]
    return 2 <= len(names) <= _MOST_NAMES and len(names) * 3 <= counts.total() and max(map(len, names)) <= 40


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list | tuple) else []


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
