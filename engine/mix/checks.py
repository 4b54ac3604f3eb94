"""What must not be in a training set: items of the test, copies, texts in another language, sources that are not allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from engine.errors import BadInput
from engine.mix.offered import Decisions, Offered
from engine.plain_text import one_line
from engine.quality.benchmarks import related_source
from engine.quality.language_check import check_languages
from engine.quality.leakage import find_leakage
from engine.quality.licences import Family, LicenceSummary, allowed, sort_licences
from engine.quality.near_duplicates import find_duplicates
from engine.quality.pairs import Watch
from engine.records import Task, TaskExample

SURE = 0.9
"""How likely another language must be. Of 36,200 English inputs of 181 tasks 0.23 % are left out so, some of them foreign indeed, and
0.33 % whatever the likelihood; of 60 lines each of French, Spanish and German subtitles among English ones 45, 46 and 53 are."""
LANGUAGE_CHARACTERS = 400
"""Of a text that are looked at for its language."""


def check_benchmarks(decisions: Decisions, names: Sequence[str]) -> None:
    """Leave out whole data sets that are, by their name, made from one of these benchmarks."""
    sources = {one.source for one in decisions.offered if not one.source.synthetic}
    reasons = {source: related.reason for source in sources if (related := related_source(source.dataset, source.config, names)).related}
    for place, one in enumerate(decisions.offered):
        if one.source in reasons:
            decisions.leave_out(place, "benchmark", reasons[one.source])


def check_licences(decisions: Decisions, wanted: Sequence[str]) -> LicenceSummary:
    """Leave out what has none of the licences (ids or families) where some are given; what all sources state.

    What a model wrote has no licence of its own, and stays.
    """
    families = [one for one in wanted if one in get_args(Family)]
    ids = [one for one in wanted if one not in families]
    judged: dict[str, bool] = {}
    stated: dict[str, str] = {}
    for place in decisions.kept():
        source = decisions.offered[place].source
        if source.synthetic:
            continue
        stated.setdefault(f"{source.dataset} {source.config}".strip(), source.licence)
        licence = source.licence
        if licence not in judged:
            judged[licence] = allowed(licence, families, ids)  # type: ignore[arg-type]
        if not judged[licence]:
            decisions.leave_out(place, "licence", one_line(licence, 120) or "no licence is stated")
    return sort_licences(stated)


def check_leaks(decisions: Decisions, task: Task, test: Sequence[TaskExample], remove: bool, watch: Watch) -> int:
    """Find examples that hold an item of the test or one of the task's own examples, and leave them out where `remove`; how many
    different items were found. Of those that stay, the details say which one they hold."""
    kept = decisions.kept()
    if not kept or not (test or task.examples):
        return 0
    found = find_leakage(_at(decisions, kept), test, task.examples, watch=watch)
    held = [match for match in found.matches if match.removed]
    for match in held:
        place = kept[match.example]
        if match.item < len(test):
            decisions.items[place] = match.item
        item = f"item {match.item + 1} of the test" if match.item < len(test) else f"your example {match.item - len(test) + 1}"
        told = match.reason.replace(f"item {match.item}", item, 1)
        if remove:
            decisions.leave_out(place, "leaked", told)
        else:
            decisions.details[place] = told
    return len({match.item for match in held})


def check_repeats(decisions: Decisions) -> None:
    """Leave out what has the same input and output as an earlier example, to the letter."""
    first: dict[tuple[str, str], int] = {}
    for place in decisions.kept():
        one = decisions.offered[place]
        earlier = first.setdefault((one.input, one.output), place)
        if earlier != place:
            decisions.leave_out(place, "repeats", f"the same as {decisions.offered[earlier].name}")


def check_near_duplicates(decisions: Decisions, threshold: float, watch: Watch) -> None:
    """Leave out what says nearly the same as an earlier example; outputs must be alike too."""
    kept = decisions.kept()
    for verdict in find_duplicates(_at(decisions, kept), threshold=threshold, watch=watch).verdicts:
        if verdict.kept or verdict.against is None:
            continue
        other = decisions.offered[kept[verdict.against]].name
        how = "the same but for case and punctuation as" if verdict.kind == "exact" else "nearly the same as"
        score = f": ROUGE-L {verdict.score:.2f}" if verdict.kind == "near" else ""
        decisions.leave_out(kept[verdict.index], "near_duplicates", f"{how} {other}{score}")


def check_language(decisions: Decisions, task: Task, remove: bool, watch: Watch) -> tuple[str, ...]:
    """Leave out what is in another language than the task, where `remove`; what there is to tell, in lines.

    Inputs are looked at, and outputs where they are free text; neither where the task's own examples are in another language there, as
    in translation.
    """
    kept = decisions.kept()
    sides = ["input", *(["output"] if task.output.kind == "text" else [])]
    told = []
    for side in sides:
        try:
            own = check_languages([getattr(one, side) for one in task.examples], task.language, labels=task.output.labels, halves=False)
            if own.other:
                told.append(f"the {side}s of your examples are not all in {task.language}: the language of {side}s is not looked at")
                continue
            texts = [getattr(decisions.offered[place], side)[:LANGUAGE_CHARACTERS] for place in kept]
            found = check_languages(texts, task.language, labels=task.output.labels, halves=False, watch=watch)
        except BadInput as error:
            return (*told, f"languages are not looked at: {error.title}")
        foreign: Counter[str] = Counter()
        for verdict in found.verdicts:
            if verdict.kept or (verdict.score or 0.0) < SURE:
                continue
            foreign[verdict.reason] += 1
            if remove:
                decisions.leave_out(kept[verdict.index], "language", f"its {side} is {_is(verdict.reason)}")
        if foreign:
            most = "; ".join(f"{count:,} {reason}" for reason, count in foreign.most_common(3))
            told.append(f"{foreign.total():,} {side}s are in another language: {most}")
    return tuple(told)


def _is(reason: str) -> str:
    return reason if reason.startswith("in ") else f"in {reason}"


def _at(decisions: Decisions, places: Sequence[int]) -> list[Offered]:
    return [decisions.offered[place] for place in places]
