"""Plans whose output lists several labels: a row's list of labels, or its columns of yes and no, item by item in the task's words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from engine.plan.labels.mapping import map_values
from engine.plan.labels.words import folded
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Keep, Template
from engine.plan.structure.draft import Draft
from engine.plan.structure.spans import described_none, separator_of
from engine.plan.template import printed
from engine.records import Output, Task, Value

if TYPE_CHECKING:
    from models.embedding import Embedder

_MOST = 60
_BETWEEN = re.compile(
    r"\s*[,，、/|]\s*(?:(?:or|and|oder|und|ou|et|o|y|e|или|и|veya|ve|atau|dan|au|na|hoặc|và)\s+)?"
    r"|\s+(?:or|and|oder|und|ou|et|o|y|или|и|veya|ve|atau|dan|au|na|hoặc|và)\s+|或|和|または"
)
_IN_ORDER = re.compile(
    r"order|reihenfolge|ordre|orden|ordine|ordem|порядк|volgorde|kolejno|sıra|urutan|mpangilio|thứ tự|顺序|次序|順|순서|क्रम", re.IGNORECASE
)
_SPELLINGS: tuple[Callable[[str], str], ...] = (str, lambda text: text.replace("_", " "), lambda text: text.replace("_", " ").lower())


class _Wanted(Value):
    """What the task's outputs are made of."""

    labels: tuple[str, ...]
    """As the description lists them, else those the examples show."""
    listed: bool
    separator: str
    none: str
    """For rows without a label; "" leaves them out."""


def label_list_drafts(sample: Sample, task: Task, embedder: Embedder | None = None) -> list[Draft]:
    """A draft for every list of labels, and one for columns of yes and no, that say the labels the examples' outputs are made of."""
    if task.output.kind != "text" or not task.examples:
        return []
    wanted = _wanted(task)
    if wanted is None:
        return []
    drafts = []
    for profile in sample.profiles:
        counts = _vocabulary(profile, sample)
        if counts:
            table, reasons, score = _mapped(counts, profile.class_names, profile.name, wanted, task, embedder)
            if table:
                drafts.append(_listed(profile, table, reasons, score, wanted, sample, task))
    flags = [profile for profile in sample.profiles if not profile.steps and _is_flag(profile)]
    if len(flags) > 1:
        table, reasons, score = _mapped(Counter({profile.name: 1 for profile in flags}), (), "columns", wanted, task, embedder)
        if len(table) > 1:
            drafts.append(_flagged(table, reasons, score, wanted, sample))
    return drafts


def _wanted(task: Task) -> _Wanted | None:
    separator = separator_of(task)
    outputs = [example.output.strip() for example in task.examples if example.output.strip()]
    parts = [[part.strip() for part in output.split(separator.strip() or separator)] for output in outputs]
    if not any(len(some) > 1 for some in parts) or max(len(part.split()) for some in parts for part in some) > 4:
        return None
    listed: tuple[str, ...] = ()
    for segment in re.split(r"[.:;?!()\n。：；？！（）]", task.description):
        names = tuple(part.strip(" \"'“”„«»「」-") for part in _BETWEEN.split(segment))
        known = set(map(folded, names))
        if len(names) > max(1, len(listed)) and sum(all(folded(part) in known for part in some) for some in parts) >= len(parts) - 1:
            listed = names
    shown = {folded(part): part for some in parts for part in some}
    if listed:
        labels = tuple(dict.fromkeys(shown.get(folded(name), name) for name in listed if name and len(name.split()) <= 4))
        odd = [
            output for output, some in zip(outputs, parts, strict=True) if len(some) == 1 and folded(output) not in set(map(folded, labels))
        ]
        return _Wanted(labels=labels, listed=True, separator=separator, none=odd[0] if odd else described_none(task))
    return _Wanted(labels=tuple(shown.values()), listed=False, separator=separator, none=described_none(task))


def _vocabulary(profile: ColumnProfile, sample: Sample) -> Counter[str]:
    """How often each item of a list of labels occurs; empty for other lists."""
    if (
        profile.kind != "list"
        or profile.tags
        or not (profile.item_kind == "text" or (profile.item_kind == "integer" and profile.class_names))
    ):
        return Counter()
    counts = Counter(as_text(item) for value in sample.values[profile.name] if isinstance(value, list | tuple) for item in value)
    few = 2 <= len(counts) <= _MOST and len(counts) * 3 <= counts.total() and max(map(len, counts)) <= 40
    return counts if few else Counter()


def _is_flag(profile: ColumnProfile) -> bool:
    return profile.distinct == 2 and {value.casefold() for value in profile.counts} in ({"0", "1"}, {"true", "false"})


def _mapped(
    counts: Counter[str], class_names: Sequence[str], name: str, wanted: _Wanted, task: Task, embedder: Embedder | None
) -> tuple[dict[str, str], tuple[str, ...], float]:
    """Items to the task's labels, one line for each, and how sure that is; an empty table where they are not these labels."""
    shown = {item: class_names[int(item)] if item.isdigit() and int(item) < len(class_names) else item for item in counts}
    for write in _SPELLINGS:
        written = {item: write(text) for item, text in shown.items()}
        if set(wanted.labels) <= set(written.values()):
            kept = {item: label for item, label in written.items() if not wanted.listed or label in wanted.labels}
            return kept, (f"the examples' labels are items of {name}",), 0.9
    if not wanted.listed:
        return {}, (), 0.0
    profile = ColumnProfile(
        name=name, column=name, kind="text", rows=counts.total(), filled=1.0, distinct=len(counts), counts=dict(counts), label_set=True
    )
    asked = msgspec.structs.replace(task, output=Output("label", wanted.labels))
    found = map_values(profile, asked, names=class_names, embedder=embedder)
    if found.covered < 0.6 or len(found.table) < 2:
        return {}, (), 0.0
    return dict(found.table), found.reasons, min(0.95, found.score)


def _listed(
    profile: ColumnProfile, table: dict[str, str], reasons: Sequence[str], score: float, wanted: _Wanted, sample: Sample, task: Task
) -> Draft:
    into = sample.unused("labels_said")
    ordered = wanted.listed and (_IN_ORDER.search(task.description) is not None)
    order = {label: place for place, label in enumerate(wanted.labels)}
    pairs = sorted(table.items(), key=lambda pair: order.get(pair[1], len(order))) if ordered else list(table.items())
    numbers = profile.item_kind == "integer"
    shown = json.dumps([[int(item) if numbers else item, label] for item, label in pairs], ensure_ascii=False)
    value = printed(profile.name)[3:-3]
    comma = json.dumps(wanted.separator, ensure_ascii=False)
    between = "{% if not loop.last %}{{ " + comma + " }}{% endif %}"
    if ordered:
        template = "{% for pair in " + shown + " if pair[0] in " + value + " %}{{ pair[1] }}" + between + "{% endfor %}"
    else:
        known = json.dumps([int(item) if numbers else item for item, _ in pairs], ensure_ascii=False)
        one = "{% for pair in " + shown + " if pair[0] == item %}{{ pair[1] }}{% endfor %}"
        template = "{% for item in " + value + " if item in " + known + " %}" + one + between + "{% endfor %}"
    lists = [[as_text(item) for item in items] if isinstance(items, list | tuple) else [] for items in sample.values[profile.name]]
    texts = []
    for items in lists:
        labels = [label for item, label in pairs if item in items] if ordered else [table[item] for item in items if item in table]
        texts.append(wanted.separator.join(labels))
    how = "in the order the description gives" if ordered else "in the row's own order"
    told = (f"{profile.name} lists the labels, {how}", *reasons)
    return _draft(into, template, texts, score * 0.97, told, (profile.column,), profile.steps, wanted)


def _flagged(table: dict[str, str], reasons: Sequence[str], score: float, wanted: _Wanted, sample: Sample) -> Draft:
    into = sample.unused("labels_said")
    order = {label: place for place, label in enumerate(wanted.labels)}
    pairs = sorted(table.items(), key=lambda pair: order.get(pair[1], len(order)))
    shown = ", ".join(f"[{printed(name)[3:-3]}, {json.dumps(label, ensure_ascii=False)}]" for name, label in pairs)
    between = "{% if not loop.last %}{{ " + json.dumps(wanted.separator, ensure_ascii=False) + " }}{% endif %}"
    test = 'pair[0] | string in ["1", "true", "True"]'
    template = "{% for pair in [" + shown + "] if " + test + " %}{{ pair[1] }}" + between + "{% endfor %}"
    texts = [
        wanted.separator.join(label for name, label in pairs if as_text(sample.values[name][row]).casefold() in ("1", "true"))
        for row in range(sample.rows)
    ]
    told = ("each label has a column that says whether it holds", *reasons)
    return _draft(into, template, texts, score * 0.97, told, tuple(name for name, _ in pairs), (), wanted)


def _draft(
    into: str,
    template: str,
    texts: Sequence[str],
    prior: float,
    reasons: tuple[str, ...],
    reads: tuple[str, ...],
    steps: tuple[AnyStep, ...],
    wanted: _Wanted,
) -> Draft:
    made: list[AnyStep] = [*steps, Template(into=into, template=template)]
    output = printed(into)
    if wanted.none:
        output = "{{ " + f"{printed(into)[3:-3]} or {json.dumps(wanted.none, ensure_ascii=False)}" + " }}"
    else:
        made.append(Keep(value=into, min_chars=1, note="rows with a label"))
    without = f"“{wanted.none}” where there is none" if wanted.none else "rows without a label left out"
    return Draft(
        family="named",
        output=output,
        reads=reads,
        outputs=tuple(text or wanted.none for text in texts),
        prior=prior,
        reasons=(*reasons, f"joined with “{wanted.separator}”, {without}"),
        steps=tuple(made),
    )
