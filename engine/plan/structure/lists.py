"""Plans whose output is an item of a list: the one a parallel list marks, the second after the first, the last after the others."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Sequence

from engine.plan.profile import ColumnProfile, Sample, as_text, identifier
from engine.plan.steps import AnyStep, Get, Keep, Match, Options, Pick, Slice
from engine.plan.structure.draft import Draft
from engine.plan.structure.option_sets import items_of, mostly
from engine.plan.structure.shape import form_of
from engine.plan.template import printed
from engine.records import Task

_MARK = r"<[A-Z_]{3,12}>|\[[A-Z_]{3,12}\]|_{3,}"
_SPEAKER = re.compile(r"^\s*(\w[\w .'-]{0,14})\s?[:：]\s*\S")
_SECOND = re.compile(
    r"second|repl|respon|next|follow|continu|zweite|antwort|nächste|deuxième|second|répon|suivant|segund|respuest|siguient|второ|ответ|следующ|"
    r"第二|回复|回答|下一|二番目|返事|次の|두 번째|대답|응답|다음",
    re.IGNORECASE,
)
_LAST = re.compile(
    r"last|final|ending|conclu|continu|letzte|ende|dernièr|fin\b|últim|final|последн|конец|конц|最后|结尾|最後|結末|마지막|결말",
    re.IGNORECASE,
)


def marked_items(sample: Sample, task: Task) -> list[Draft]:
    """The item of a list of texts that a parallel list of 0 and 1 marks; the list itself may be shown."""
    drafts = []
    for profile in _text_lists(sample):
        for flags in sample.profiles:
            if flags.kind != "list" or flags.item_kind not in ("integer", "boolean", "number") or flags.name == profile.name:
                continue
            pairs = [
                (items_of(texts), [int(bool(flag)) if flag in (0, 1) else 2 for flag in items_of(marks)])
                for texts, marks in zip(sample.values[profile.name], sample.values[flags.name], strict=True)
            ]
            if not mostly(len(texts) == len(marks) and set(marks) <= {0, 1} and sum(marks) == 1 for texts, marks in pairs if texts):
                continue
            options, right = sample.unused("sentences"), sample.unused("marked")
            outputs = [as_text(texts[marks.index(1)]) if 1 in marks[: len(texts)] else "" for texts, marks in pairs]
            drafts.append(
                Draft(
                    family="text",
                    output=printed(right),
                    reads=(flags.column,),
                    outputs=tuple(outputs),
                    prior=0.9 if _taken_whole(task) else 0.45,
                    reasons=(f"{flags.name} marks one item of the list {profile.name}",),
                    steps=(
                        *profile.steps,
                        *flags.steps,
                        Options(into=options, list=profile.name),
                        Pick(options=options, into=right, by="flags", flags=(flags.name,)),
                    ),
                    option_columns=(profile.column,),
                    shown=(profile.name,),
                )
            )
    return drafts


def neighbours(sample: Sample, task: Task) -> list[Draft]:
    """The second item of a list from the first, and the last from those before it, where the description speaks of such."""
    drafts = []
    for profile in _text_lists(sample):
        lists = [list(map(as_text, items_of(value))) for value in sample.values[profile.name]]
        if profile.fewest < 2 or statistics.median([len(item) for value in lists for item in value] or [0]) < 8:
            continue
        if _SECOND.search(task.description):
            drafts.append(_after(profile, lists, sample, task, last=False))
        if _LAST.search(task.description) and profile.most > 2:
            drafts.append(_after(profile, lists, sample, task, last=True))
    return drafts


def _text_lists(sample: Sample) -> list[ColumnProfile]:
    return [profile for profile in sample.profiles if profile.text_list and profile.most >= 2 and profile.filled >= 0.5]


def _taken_whole(task: Task) -> bool:
    """The examples' outputs stand word for word in their inputs, shorter than these."""
    return bool(task.examples) and all(
        example.output.strip() in example.input and len(example.output) < len(example.input) for example in task.examples
    )


def _after(profile: ColumnProfile, lists: Sequence[Sequence[str]], sample: Sample, task: Task, *, last: bool) -> Draft:
    """The draft for two neighbouring items, speakers cut where the examples show none, rows with a mark in them left out."""
    stem = identifier(profile.name)
    before, output = sample.unused(f"{stem}_before"), sample.unused(f"{stem}_next")
    steps: list[AnyStep] = [*profile.steps]
    several = last and form_of([example.input for example in task.examples]).lines > 1
    if several:
        steps.append(Slice(value=profile.name, into=before, start=0, stop=-1))
    else:
        steps.append(Get(path=f"{profile.name}[0]", into=before))
    steps.append(Get(path=f"{profile.name}[{-1 if last else 1}]", into=output))
    shown = before
    texts = [value[-1 if last else 1] if len(value) > 1 else "" for value in lists]
    reasons = [f"the {'last' if last else 'second'} item of {profile.name} from {'those before it' if several else 'the first'}"]
    names = {found.group(1) for value in lists for item in value if (found := _SPEAKER.match(item))}
    spoken = statistics.mean([bool(_SPEAKER.match(item)) for value in lists for item in value] or [0]) > 0.8 and len(names) <= 12
    if spoken and not any(_SPEAKER.match(example.output) for example in task.examples):
        plain = sample.unused(f"{stem}_next_said")
        cut = r"^\s*\w[\w .'-]{0,14}?\s?[:：]\s*"
        steps.append(Match(value=output, into=plain, pattern=cut, mode="replace"))
        output = plain
        if not several and not any(_SPEAKER.match(example.input) for example in task.examples):
            shown = sample.unused(f"{stem}_before_said")
            steps.append(Match(value=before, into=shown, pattern=cut, mode="replace"))
        texts = [re.sub(cut, "", text) for text in texts]
        reasons.append("without who speaks, as in the examples")
    mark = marked_rows(texts, task)
    if mark:
        for value in dict.fromkeys((output, shown)):
            if not (several and value == shown):
                steps.append(Keep(value=value, matches=_without(mark), note=f"rows without {mark}"))
        reasons.append(f"rows with {mark} left out, which no example has and the description names")
    if several:
        joined = sample.unused(f"{stem}_lines")
        steps.append(_joined(shown, joined))
        shown = joined
    return Draft(
        family="text",
        output=printed(output),
        reads=(profile.column,),
        outputs=tuple("" if mark and mark in text else text for text in texts),
        prior=0.85,
        reasons=tuple(reasons),
        steps=tuple(steps),
        made=(shown,),
    )


def _joined(name: str, into: str) -> AnyStep:
    from engine.plan.steps import Template

    return Template(into=into, template=f"{{{{ {printed(name)[3:-3]} | join({json.dumps(chr(10))}) }}}}")


def marked_rows(texts: Sequence[str], task: Task) -> str:
    """A mark such as <MASK> that some texts hold, no example does, and the description names; "" when there is none."""
    held = "\n".join(f"{example.input}\n{example.output}" for example in task.examples)
    for mark in dict.fromkeys(re.findall(_MARK, task.description)):
        if mark not in held and any(mark in text for text in texts):
            return str(mark)
    return ""


def _without(mark: str) -> str:
    return rf"^[^{re.escape(mark[0])}]*$"
