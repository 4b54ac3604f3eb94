"""Which rows a task wants: keep steps read off few-valued columns that the description names, languages, counts and marks.

A filter put before a draft's own steps costs rows when it is needless and gives other rows when it is missing, so it needs words of the
description that a person can find there; each says them in its reason.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from engine.plan.labels.loanwords import sound_alike
from engine.plan.labels.words import folded, loose_meanings, words_for
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Get, Keep, Template
from engine.plan.structure.filters_by_number import counted, in_range
from engine.plan.structure.kept_rows import LEAST_ROWS, Filter, together
from engine.plan.structure.languages import can_be_told, input_language, language_code, names_language, told_language
from engine.plan.structure.option_sets import siblings
from engine.plan.structure.restrictions import Clause, clauses
from engine.plan.structure.shape import form_of
from engine.plan.structure.spoken import OF_ANY_TASK, SAYS_NOTHING, alike, speaks, spoken
from engine.plan.template import printed
from engine.records import Task

_MOST_VALUES = 60
_NAMED = 0.95
_PARTLY = 0.5
_SPLIT = re.compile(r"(^|_)(split|partition|fold|set)$", re.IGNORECASE)
_LABEL_NAME = re.compile(r"label|class|gold|target|categor|topic|domain|intent|type", re.IGNORECASE)
_ONE_VOICE = re.compile(r"annotator|author|worker|rater|label_?[2-9]$|(?<![a-z])old|noisy|pred|silver", re.IGNORECASE)
_LANGUAGE_NAME = re.compile(r"lang|locale|sprache|langue|idioma|lingua|язык|语言|言語|언어|भाषा|lugha|bahasa", re.IGNORECASE)


def row_filters(sample: Sample, task: Task) -> tuple[Filter, ...]:
    """Filters that the task's words ask for, surest first, at most one for the same words."""
    said = clauses(task.description)
    found: list[tuple[tuple[float, ...], Filter]] = []
    sets = {name for _, names in siblings([profile.name for profile in sample.profiles]) for name in names}
    for place, profile in enumerate(sample.profiles):
        if profile.kind == "list" and not profile.steps:
            found += [((-float(one.strict), -one.score, 1.0, profile.distinct, place), one) for one in _by_items(profile, sample, said)]
        if profile.constant or profile.kind in ("list", "dict") or _of_one_item(profile, sample):
            continue
        voice = float(bool(_ONE_VOICE.search(profile.name))) + 0.5 * (not _LABEL_NAME.search(profile.name))
        few = profile.label_set and 2 <= profile.distinct <= _MOST_VALUES and not _SPLIT.search(profile.name)
        candidates = [counted(profile, sample, said, task), in_range(profile, sample, said, task)]
        if few and (not profile.numeric or profile.class_names):
            candidates += [_by_values(profile, sample, said, task)]
        if few and profile.name not in sets:
            candidates += [_by_name(profile, sample, said, task)]
        if not profile.steps:
            candidates += [_given(profile, sample, said), _unmarked(profile, sample, said)]
        for one in candidates:
            if one is not None:
                found.append(((-float(one.strict), -one.score, voice, profile.distinct, place), one))
    columns = _language_columns(sample)
    in_language = _spoken_language(columns, sample, task) if columns else _mixed_languages(sample, task)
    chosen = [in_language] if in_language is not None else []
    for _, one in sorted(found, key=lambda entry: entry[0]):
        known = {word for other in chosen for word in other.words}
        if any(set(one.columns) & set(other.columns) for other in chosen) or (one.words and one.words <= known):
            continue
        # What the description plainly asks for holds even where few sample rows are left: a refusal is better than the wrong rows.
        if sum(together((*chosen, one), sample.rows)) >= (1 if one.strict and one.score >= _NAMED else LEAST_ROWS):
            chosen.append(one)
    return tuple(chosen)


def _of_one_item(profile: ColumnProfile, sample: Sample) -> bool:
    """Read out of a list that may hold others: it says nothing about the row."""
    lists = [step.path.split("[")[0] for step in profile.steps if isinstance(step, Get) and "[" in step.path]
    return any(name not in sample.by_name or sample.by_name[name].most > 1 for name in lists)


# ── values that the description names ─────────────────────────────────────────────────────────────────────


def _by_values(profile: ColumnProfile, sample: Sample, said: Sequence[Clause], task: Task) -> Filter | None:
    shown = _shown(profile)
    rare = Counter(word for name in shown.values() for word in set(folded(name).split()))
    strict = [clause for clause in said if clause.strict]
    for wanted in (True, False):
        scored = [_best(name, [clause for clause in strict if clause.wanted is wanted], rare, len(shown)) for name in shown.values()]
        top = max((score for score, _ in scored), default=0.0)
        if top < (_PARTLY if wanted else _NAMED) or (top < _NAMED and profile.distinct < 3):
            continue
        named = [(value, words) for value, (score, words) in zip(shown, scored, strict=True) if score >= min(top, _NAMED) - 0.01]
        return _keep(profile, sample, shown, named, wanted, top, True)
    if task.output.kind == "label":
        return None
    # Merely named: one value, whole, and none of the others anywhere.
    scored = [_best(name, said, rare, len(shown)) for name in shown.values()]
    named = [(value, words) for value, (score, words) in zip(shown, scored, strict=True) if score >= _NAMED]
    if len(named) != 1 or named[0][1] <= OF_ANY_TASK:
        return None
    clause = next(clause for clause in said if _score(shown[named[0][0]], clause, rare, len(shown))[0] >= _NAMED)
    return _keep(profile, sample, shown, named, True, 0.9, False) if clause.wanted else None


def _shown(profile: ColumnProfile) -> dict[str, str]:
    """What each value is called, of values that say something."""
    names = {}
    for value in profile.counts:
        place = int(value) if value.isdigit() else -1
        name = profile.class_names[place] if 0 <= place < len(profile.class_names) else value
        if not set(folded(name).split()) <= SAYS_NOTHING and re.search(r"[^\W\d]{2}", name):
            names[value] = name
    return names


def _best(name: str, said: Sequence[Clause], rare: Counter[str], distinct: int) -> tuple[float, frozenset[str]]:
    return max((_score(name, clause, rare, distinct) for clause in said), key=lambda entry: entry[0], default=(0.0, frozenset()))


def _score(name: str, clause: Clause, rare: Counter[str], distinct: int) -> tuple[float, frozenset[str]]:
    """0 to 1: how plainly the clause names a value, and the words that do."""
    plain, spoken = folded(name), clause.said.split()
    if speaks(clause.said, plain):
        return 1.0, frozenset(plain.split())
    words = [word for word in plain.split() if word not in SAYS_NOTHING and not word.isdigit()]
    pairs = {word: next((other for other in spoken if alike(word, other) or sound_alike(word, other)), "") for word in words}
    matched = {word for word, other in pairs.items() if other}
    telling = {word for word in matched if word not in OF_ANY_TASK and rare[word] <= max(1, 0.35 * distinct)}
    share = len(matched) / len(words) if words and telling else 0.0
    if share == 1:
        return 0.97, frozenset(pairs.values())
    meant = [word for meaning in loose_meanings(name) for word in words_for(meaning) if speaks(clause.said, word)]
    if meant:
        return _NAMED, frozenset(meant)
    return share, frozenset(pairs[word] for word in matched)


def _keep(
    profile: ColumnProfile,
    sample: Sample,
    shown: dict[str, str],
    named: Sequence[tuple[str, frozenset[str]]],
    wanted: bool,
    score: float,
    strict: bool,
) -> Filter | None:
    values = tuple(value for value, _ in named)
    if wanted and len(values) * 2 > max(2, profile.distinct):
        return None
    words = frozenset().union(*(words for _, words in named))
    texts = [as_text(value) for value in sample.values[profile.name]]
    kept = tuple((text in values) is wanted and text != "" for text in texts)
    if not (1 if strict and score >= _NAMED else LEAST_ROWS) <= sum(kept) < 0.97 * sum(map(bool, texts)):
        return None
    names = ", ".join(f"“{shown[value]}”" for value in values[:6])
    reason = f"only rows whose {profile.name} is {'' if wanted else 'not '}{names}: the description says “{' '.join(sorted(words))}”"
    step = Keep(value=profile.name, **{"one_of" if wanted else "not_one_of": values}, note="rows the task is about")  # type: ignore[arg-type]
    return Filter(
        steps=(*profile.steps, step), columns=(profile.column,), kept=kept, reason=reason, strict=strict, score=score, words=words
    )


def _by_items(profile: ColumnProfile, sample: Sample, said: Sequence[Clause]) -> list[Filter]:
    """A list of a few kinds of items, where the description wants only rows whose list holds a named one, or none of it."""
    if profile.item_kind != "text" or profile.tags or profile.most < 2:
        return []
    lists = [list(map(as_text, value)) if isinstance(value, list | tuple) else [] for value in sample.values[profile.name]]
    counts = Counter(item for items in lists for item in items)
    if not 2 <= len(counts) <= _MOST_VALUES or len(counts) * 3 > counts.total():
        return []
    names = _shown(ColumnProfile(name=profile.name, column=profile.column, kind="text", rows=profile.rows, counts=dict(counts)))
    rare = Counter(word for name in names for word in set(folded(name).split()))
    for wanted in (True, False):
        clauses_ = [clause for clause in said if clause.strict and clause.wanted is wanted]
        scored = {name: _best(name, clauses_, rare, len(names)) for name in names}
        named = [name for name, (score, _) in scored.items() if score >= _NAMED]
        kept = tuple((len(named) == 1 and named[0] in items) is wanted for items in lists)
        if len(named) != 1 or not LEAST_ROWS <= sum(kept) < len(kept):
            continue
        words, into = scored[named[0]][1], sample.unused("held")
        test = f"{{{{ 1 if {json.dumps(named[0], ensure_ascii=False)} in {printed(profile.name)[3:-3]} else 0 }}}}"
        steps = (
            Template(into=into, template=test, note=f"whether {profile.name} holds {named[0]}"),
            Keep(value=into, one_of=("1" if wanted else "0",), note="rows the task is about"),
        )
        holds = "hold" if wanted else "do not hold"
        reason = f"only rows whose {profile.name} {holds} “{named[0]}”: the description says “{' '.join(sorted(words))}”"
        return [Filter(steps=steps, columns=(profile.column,), kept=kept, reason=reason, strict=True, score=0.9, words=words)]
    return []


# ── columns of truth, counts, empty ones, marks ───────────────────────────────────────────────────────────


def _by_name(profile: ColumnProfile, sample: Sample, said: Sequence[Clause], task: Task) -> Filter | None:
    """A column of true and false that is called what the description speaks of."""
    values = {value.casefold(): value for value in profile.counts}
    true = next((one for one in ("true", "1", "yes") if one in values), "")
    if profile.distinct != 2 or not true or not set(values) <= {"true", "false", "1", "0", "yes", "no"}:
        return None
    words = [word for word in folded(profile.name).split() if word not in ("is", "has", "label", "flag", "gold", "a", "an", "the")]
    if not words or max(map(len, words)) < 5:
        return None
    for clause in said:
        if not clause.strict and task.output.kind == "label":
            continue
        named = {word: spoken(word, clause) for word in words}
        if not all(named.values()) or set(words) <= OF_ANY_TASK:
            continue
        texts = [as_text(value).casefold() for value in sample.values[profile.name]]
        kept = tuple(text != "" and (text == true) is clause.wanted for text in texts)
        if not LEAST_ROWS <= sum(kept) < len(kept):
            return None
        step = Keep(
            value=profile.name,
            one_of=tuple(v for k, v in values.items() if (k == true) is clause.wanted),
            note="rows the task is about",
        )
        found = frozenset(named.values())
        reason = (
            f"only rows whose {profile.name} is {'' if clause.wanted else 'not '}{true}: the description says “{' '.join(sorted(found))}”"
        )
        return Filter(
            steps=(*profile.steps, step),
            columns=(profile.column,),
            kept=kept,
            reason=reason,
            strict=clause.strict,
            score=0.85,
            words=found,
        )
    return None


def _given(profile: ColumnProfile, sample: Sample, said: Sequence[Clause]) -> Filter | None:
    """A column that is often empty, where the description wants only rows that have it."""
    if not 0.03 < profile.filled < 0.97:
        return None
    words = [word for word in folded(profile.name).split() if word not in SAYS_NOTHING]
    if not words or set(words) <= OF_ANY_TASK:
        return None
    clause = next((clause for clause in said if clause.strict and clause.wanted and all(spoken(word, clause) for word in words)), None)
    kept = tuple(as_text(value) != "" for value in sample.values[profile.name])
    if clause is None or sum(kept) < LEAST_ROWS:
        return None
    step = Keep(value=profile.name, min_chars=1, note="rows that have it")
    # Looking whether it is there says nothing about what is in it: the column may still be the output.
    reason = f"only rows with a {profile.name}: the description says “{clause.text.strip()[:80]}”"
    return Filter(steps=(step,), columns=(), kept=kept, reason=reason, strict=True, score=0.7, words=frozenset(words))


_MARK = re.compile(r"<[A-Za-z_]{2,20}>|\[[A-Za-z_]{2,20}\]|[\"“„«「]([^\"”“»」]{2,30})[\"”“»」]")


def marks(said: Sequence[Clause]) -> tuple[str, ...]:
    """Marks such as <MASK>, [deleted] or a quoted one that rows to be left out hold."""
    unwanted = [clause for clause in said if clause.strict and not clause.wanted]
    return tuple(dict.fromkeys(found.group(1) or found.group(0) for clause in unwanted for found in _MARK.finditer(clause.text)))


def _unmarked(profile: ColumnProfile, sample: Sample, said: Sequence[Clause]) -> Filter | None:
    if not profile.free_text:
        return None
    texts = sample.texts(profile.name)
    for mark in marks(said):
        kept = tuple(mark not in text for text in texts)
        if all(kept) or sum(kept) < LEAST_ROWS or not re.search(r"\W", mark):
            continue
        steps = without(mark, profile.name, sample.unused("marked"))
        reason = f"rows whose {profile.name} holds {mark} are left out, as the description asks"
        return Filter(steps=steps, columns=(), kept=kept, reason=reason, strict=True, score=0.9)
    return None


def without(mark: str, name: str, into: str) -> tuple[AnyStep, ...]:
    """Steps that keep units whose text `name` does not hold the mark."""
    test = f"{{{{ 1 if {json.dumps(mark, ensure_ascii=False)} in {printed(name)[3:-3]} else 0 }}}}"
    return Template(into=into, template=test, note=f"whether it holds {mark}"), Keep(value=into, one_of=("0",), note="rows to be left out")


# ── languages ─────────────────────────────────────────────────────────────────────────────────────────────


def _language_columns(sample: Sample) -> list[tuple[ColumnProfile, dict[str, str]]]:
    """Columns that say each row's language, with the code of each value that is known."""
    found = []
    for profile in sample.profiles:
        if profile.steps or not profile.label_set or profile.kind not in ("text", "class") or profile.constant:
            continue
        codes = {value: code for value, name in _names(profile).items() if (code := language_code(name))}
        least = 0.5 if _LANGUAGE_NAME.search(profile.name) else 0.7
        if len(codes) >= least * profile.distinct and len(set(codes.values())) > 1:
            found.append((profile, codes))
    return found


def _spoken_language(columns: Sequence[tuple[ColumnProfile, dict[str, str]]], sample: Sample, task: Task) -> Filter | None:
    """The languages the description names, else the task's."""
    for profile, codes in columns:
        named = {code for code in codes.values() if names_language(task.description, code)}
        wanted = named or {_own(task)}
        values = tuple(sorted(value for value, code in codes.items() if code in wanted))
        kept = tuple(as_text(value) in values for value in sample.values[profile.name])
        if not values or len(values) >= profile.distinct or sum(kept) < LEAST_ROWS:
            continue
        why = "the description names it" if named else "the task's language"
        reason = f"only rows whose {profile.name} is {', '.join(map(_names(profile).__getitem__, values))}: {why}"
        step = Keep(value=profile.name, one_of=values, note="rows in the task's language")
        return Filter(steps=(step,), columns=(profile.column,), kept=kept, reason=reason, strict=True, score=1.0)
    return None


def _names(profile: ColumnProfile) -> dict[str, str]:
    names = profile.class_names
    return {value: names[int(value)] if value.isdigit() and int(value) < len(names) else value for value in profile.counts}


def _own(task: Task) -> str:
    return task.language.replace("_", "-").split("-")[0].lower()


def _mixed_languages(sample: Sample, task: Task) -> Filter | None:
    """Rows of several languages with no column to say so: those whose longest text is in the language of the examples' inputs."""
    wanted = input_language(task)
    texts = [profile for profile in sample.profiles if profile.free_text and not profile.steps and profile.kind == "text"]
    longest = max(texts, key=lambda profile: profile.chars, default=None)
    if (
        not can_be_told(wanted)
        or longest is None
        or longest.chars < 60
        or not task.examples
        or form_of(sample.texts(longest.name)[:60]).code > 0.2
    ):
        return None
    every = max(1, sample.rows // 100)
    first = [told_language(text, wanted) for text in sample.texts(longest.name)[::every] if text]
    told = Counter(language for language in first if language)
    foreign = Counter({language: count for language, count in told.items() if language != wanted})
    # A language told now and then is a mistake of the detector; one told often is there.
    if not 0.1 * told.total() <= told[wanted] <= 0.85 * told.total() or not foreign or foreign.most_common(1)[0][1] < 0.15 * told.total():
        return None
    if sum(names_language(task.description, code) for code in told) > 1:  # several are welcome, or one is to become the other
        return None
    kept = tuple(bool(text) and told_language(text, wanted) == wanted for text in sample.texts(longest.name))
    if sum(kept) < LEAST_ROWS:
        return None
    step = Keep(value=longest.name, language=wanted, note="rows in the task's language")
    reason = f"only rows whose {longest.name} is in the language of the examples ({wanted}); others are in {foreign.most_common(1)[0][0]}"
    return Filter(steps=(step,), columns=(), kept=kept, reason=reason, strict=True, score=0.9)
