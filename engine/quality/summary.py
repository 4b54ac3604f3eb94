"""All measures that need nothing but the examples, as one value for a page to print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import msgspec

from engine.quality.diversity import Diversity, measure_diversity
from engine.quality.language_check import Languages, check_languages
from engine.quality.leakage import Leakage, find_leakage
from engine.quality.lengths import Lengths, measure_lengths
from engine.quality.licences import LicenceSummary, sort_licences
from engine.quality.near_duplicates import Duplicates, find_duplicates
from engine.quality.pairs import Pair, Verdict
from engine.quality.provenance import Provenance, count_origins
from engine.records import Example, Task, Value


class Flag(Value):
    """One example that some measure would leave out."""

    index: int
    measure: str
    verdict: Verdict


class Summary(Value):
    """What a report shows of a training set; verdicts of the parts stand in `flags`, those of examples that stay are left out."""

    examples: int
    provenance: Provenance
    duplicates: Duplicates
    diversity: Diversity
    input_language: Languages
    input_lengths: Lengths
    output_lengths: Lengths
    licences: LicenceSummary
    leakage: Leakage | None
    """None where there is no test and no example of the user's."""
    flags: tuple[Flag, ...]
    flagged: int
    """Different examples among them."""


def summarise(
    examples: Sequence[Example],
    task: Task,
    test: Sequence[Pair] = (),
    *,
    count: Callable[[str], int] = lambda text: len(text.split()),
    language: str = "",
    seed: int = 0,
) -> Summary:
    """Every measure over one training set; `count` counts tokens (words between blanks unless given), `language` is that of inputs
    where it is not the task's. Raises BadInput for no examples."""
    repeats = find_duplicates(examples)
    spoken = check_languages([one.input for one in examples], language or task.language, labels=task.output.labels)
    read, written = measure_lengths(examples, count), measure_lengths(examples, count, part="output")
    found = find_leakage(examples, test, task.examples) if test or task.examples else None
    flags = [
        Flag(verdict.index, name, verdict)
        for name, verdicts in (
            ("duplicates", repeats.verdicts),
            ("language", spoken.verdicts),
            ("input length", read.verdicts),
            ("output length", written.verdicts),
        )
        for verdict in verdicts
        if not verdict.kept
    ]
    for match in found.matches if found else ():
        if match.removed:
            flags.append(Flag(match.example, "leakage", Verdict(match.example, False, match.kind, match.reason, match.item, match.score)))
    flags.sort(key=lambda flag: (flag.index, flag.measure))
    stated = {f"{one.dataset} {one.config}".strip(): one.licence for one in count_origins(examples).sources}
    return Summary(
        examples=len(examples),
        provenance=count_origins(examples),
        duplicates=msgspec.structs.replace(repeats, verdicts=()),
        diversity=measure_diversity(examples, seed=seed),
        input_language=msgspec.structs.replace(spoken, verdicts=()),
        input_lengths=msgspec.structs.replace(read, verdicts=()),
        output_lengths=msgspec.structs.replace(written, verdicts=()),
        licences=sort_licences(stated),
        leakage=found,
        flags=tuple(flags),
        flagged=sum(1 for _ in groupby(flags, lambda flag: flag.index)),
    )
