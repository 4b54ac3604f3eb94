"""Plans that rewrite one side of a pair of columns as the other: the mistake as its correction, or the other way round."""

from __future__ import annotations

import re

from engine.plan.profile import Sample
from engine.plan.structure.draft import Draft
from engine.plan.structure.option_sets import OptionSet, alike, own_columns
from engine.plan.template import printed
from engine.records import Task

_SPOIL = re.compile(
    r"(introduc|insert|inject|add|put|mak|creat|produc|writ|generat|giv|turn)\w*\s+(?:\w+\W+){0,5}?(error|mistake|typo|incorrect|wrong|false|"
    r"ungrammatical|faulty|misspel|corrupt|noisy|bad)"
    r"|corrupt|distort|misspell|spoil|(bau|füge|schreib|mach)\w*\s+(?:\w+\s+){0,5}?(fehler|falsch)|verfälsch|"
    r"(introdui|insèr|ajout|écri|fai)\w*\s+(?:\w+\s+){0,5}?(erreur|faute|incorrect|faux)|"
    r"(introdu|inserta|añad|escrib|haz)\w*\s+(?:\w+\s+){0,5}?(error|falta|incorrect)|"
    r"(внес|добав|сдела|напиш|допуст)\w*\s+(?:\w+\s+){0,5}?(ошибк|неправильн|неверн)|(加入|引入|制造|写出).{0,6}(错误|错字)|誤り(を|の)(入れ|含)",
    re.IGNORECASE,
)
_ALIKE = 0.5
"""Share of pairs of letters in common from which on two columns are two writings of one text."""


def rewrite_drafts(sample: Sample, task: Task) -> list[Draft]:
    """The right side from the wrong one, or the wrong from the right where the description asks for mistakes."""
    drafts = []
    shown = alike([example.input for example in task.examples], [example.output for example in task.examples])
    for options in own_columns(sample):
        if len(options.columns) == 2 and written_twice(options, sample):
            good, bad = options.columns
            source, output = (good, bad) if asks_for_mistakes(task.description) else (bad, good)
            drafts.append(
                Draft(
                    family="text",
                    output=printed(output),
                    reads=(output,),
                    outputs=tuple(sample.texts(output)),
                    # Examples that are not two writings of one text ask for something else: a synonym, a translation.
                    prior=0.9 if shown >= 0.25 else 0.3,
                    reasons=(
                        f"{good} and {bad}, by their names, are the right and the wrong writing of one text",
                        f"{output} from {source}",
                    ),
                    option_columns=options.columns,
                    shown=(source,),
                )
            )
    return drafts


def asks_for_mistakes(description: str) -> bool:
    """The description asks to make something worse, not better."""
    return bool(_SPOIL.search(description))


def written_twice(options: OptionSet, sample: Sample) -> bool:
    """The two columns hold nearly the same text in each row."""
    good, bad = options.columns[:2]
    return alike(sample.texts(good), sample.texts(bad)) >= _ALIKE
