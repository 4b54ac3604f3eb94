"""Sources made from the benchmark the user's test comes from, told by their names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from engine.plain_text import one_line
from engine.records import Value

_FAMILIES = (
    "bigbench bigbenchhard bbh bigbenchlite bbl bigbenchextrahard bbeh tasksource/bigbench",
    "glue superglue",
    "mmlu mmlupro mmluredux globalmmlu hendryckstest",
    "naturalinstructions superni supernaturalinstructions niv2",
    "arc ai2arc arceasy arcchallenge",
    "xnli mnli multinli",
)
"""Names of one benchmark's editions, as `plain_name` writes them: taken in one of them, a test is in all."""
_COMMON = set(
    "test train validation dev default all plain text main data dataset en english multilingual qa question questions answer task tasks"
    " subset v1 v2 causal sentiment translation summarization classification".split()
)


class Related(Value):
    """Whether a source may hold the test itself."""

    related: bool
    reason: str = ""


def plain_name(name: str) -> str:
    """A name as it is compared: letters and digits in lower case."""
    return "".join(ch for ch in unicodedata.normalize("NFKC", name).casefold() if ch.isalnum())


def related_source(dataset: str, config: str, benchmarks: Sequence[str]) -> Related:
    """Whether a data set, by its id or its config, is one of the benchmarks or tests named, or another edition of it.

    A config that has the name of the test's task counts (`tasksource/bigbench`, config `cause_and_effect`), and so does a data set
    whose name begins or ends with the benchmark's. Words that many configs are called by say nothing.
    """
    names = [part for part in (dataset.rsplit("/", 1)[-1], dataset.rsplit("/", 1)[0] if "/" in dataset else "") if part]
    for benchmark in benchmarks:
        for wanted in dict.fromkeys(filter(None, (benchmark, *re.split(r"[/:]", benchmark)))):
            plain = plain_name(wanted)
            if len(plain) < 3 or plain in _COMMON:
                continue
            for title, name in (("data set", names[0] if names else ""), ("config", config)):
                if _same(plain, plain_name(name)):
                    return Related(True, f"its {title} `{one_line(name, 60)}` is of the test's benchmark `{one_line(wanted, 60)}`")
    return Related(False)


def _same(wanted: str, name: str) -> bool:
    if not name or name in _COMMON:
        return False
    if wanted == name or any({wanted, name} <= set(family.split()) for family in _FAMILIES):
        return True
    # A short name may stand in another by chance: "arc" in "search".
    if len(wanted) >= 6 and (name.startswith(wanted) or name.endswith(wanted)):
        return True
    return len(name) >= 8 and (wanted.startswith(name) or wanted.endswith(name))
