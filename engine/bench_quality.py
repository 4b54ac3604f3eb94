"""How fast and how surely `engine.quality` finds repeats, items of a test among examples, and texts in another language."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from engine.errors import BadInput
from engine.quality.language_check import check_languages
from engine.quality.leakage import find_leakage
from engine.quality.near_duplicates import find_duplicates
from engine.quality.words import as_characters, ranks_of, tokens
from engine.records import Example, Source, TaskExample, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_TOKENS = 5
CASES = ("verbatim", "case folded", "options shuffled", "two words changed", "in another template")


class RepeatsFound(Value):
    """Near-duplicates among made examples, and recall against comparing every two."""

    examples: int
    tokens_each: float
    seconds: float
    grown_bytes: int
    """Most memory the process held while at it beyond what it held before."""
    kept: int
    compared: int
    """Texts in which every two were compared, half of them changed copies of the other half."""
    repeats: int
    """Repeats among them when every text is compared with every one kept, at 0.7."""
    recall: float
    wrong: int
    """Found here, but not so."""


class Planted(Value):
    """One way in which items were hidden: those of a test from the look for leakage, or copies of examples from the look for repeats."""

    case: str
    items: int
    found: float
    seconds: float
    clean: int
    clean_removed: int
    siblings: int
    """Other items of the same tasks, put in as they are: they should stay."""
    siblings_removed: int


class LanguageFound(Value):
    """Whether texts are in the expected language, as labelled."""

    expected: str
    texts: int
    right: float
    """Share kept where labelled with the expected language, and left out where not; nothing told counts as kept."""
    not_told: int
    seconds: float


class QualityFound(Value):
    """What `datatune bench quality` says; parts without data are None or empty."""

    repeats: RepeatsFound
    planted: tuple[Planted, ...] = ()
    copies: tuple[Planted, ...] = ()
    language: LanguageFound | None = None


class Item(NamedTuple):
    """One test item: the question, its options, the answer, and the task."""

    question: str
    options: tuple[str, ...]
    answer: str
    task: str

    def text(self, options: Sequence[str] | None = None) -> str:
        """As an input, options lettered below the question."""
        shown = self.options if options is None else options
        return "\n".join([self.question, *(f"({chr(65 + place)}) {option}" for place, option in enumerate(shown))]).strip()


def bench_repeats(examples: int, compared: int, clean: Sequence[Example], seed: int = 0) -> RepeatsFound:
    """Made examples for speed; for recall texts of `clean`, where there are enough, else made ones."""
    made = _made(examples, seed)
    before = _peak_bytes()
    begun = time.perf_counter()
    found = find_duplicates(made)
    seconds = time.perf_counter() - begun
    grown = _peak_bytes() - before
    chosen = random.Random(f"{seed} compared")
    texts = [one.input[:2000] for one in clean if len(tokens(one.input[:2000])) >= LEAST_TOKENS]
    texts = chosen.sample(texts, compared // 2) if len(texts) >= compared // 2 else [one.input for one in made[: compared // 2]]
    words = [word for text in texts for word in text.split()]
    texts += [_changed(text, words, chosen.randint(1, max(1, len(text.split()) * 3 // 10)), chosen) for text in texts]
    texts = [text for text in texts if len(tokens(text)) >= LEAST_TOKENS]
    chosen.shuffle(texts)
    truth = _every_two(texts, 0.7)
    pairs = [TaskExample(text, "x") for text in texts]
    told = {one.index for one in find_duplicates(pairs, threshold=0.7, use_templates=False).verdicts if not one.kept}
    return RepeatsFound(
        examples=examples,
        tokens_each=sum(len(tokens(one.input)) for one in made[:1000]) / min(1000, len(made)),
        seconds=seconds,
        grown_bytes=grown,
        kept=found.kept,
        compared=len(texts),
        repeats=len(truth),
        recall=len(truth & told) / max(1, len(truth)),
        wrong=len(told - truth),
    )


def bench_leakage(folder: Path, clean: Sequence[Example], tell: Callable[[str], None], items: int = 500, seed: int = 0) -> list[Planted]:
    """Test items hidden in five ways among clean examples and other items of the same tasks."""
    test, siblings, words = _drawn(folder, clean, items, seed)
    asked = [TaskExample(item.text(), item.answer) for item in test]

    def leaked(examples: Sequence[Example]) -> list[int]:
        return list(find_leakage(examples, asked).removed)

    return [_planted(case, test, siblings, clean, (), leaked, words, random.Random(f"{seed} {case}"), tell) for case in CASES]


def bench_copies(
    folder: Path, clean: Sequence[Example], tell: Callable[[str], None], *, threshold: float, items: int = 500, seed: int = 0
) -> list[Planted]:
    """Items that stand among clean examples, and copies of them changed in five ways: which copies are found to be repeats.

    Copies are of the original's own source, then of any of the clean ones, whose template the original does not have. What is removed
    of clean examples and siblings counts only where it is not removed without the copies.
    """
    test, siblings, words = _drawn(folder, clean, items, seed)
    originals = [_example(item.text(), item.answer, f"original {item.task}", 0) for item in test]

    def repeated(examples: Sequence[Example]) -> list[int]:
        return [one.index for one in find_duplicates(examples, threshold=threshold).verdicts if not one.kept]

    found = []
    for elsewhere in (False, True):
        for case in CASES:
            chosen = random.Random(f"{seed} {case}")
            one = _planted(case, test, siblings, clean, originals, repeated, words, chosen, tell, elsewhere=elsewhere)
            found.append(msgspec.structs.replace(one, case=f"{case}, of another source" if elsewhere else case))
    return found


def _drawn(folder: Path, clean: Sequence[Example], items: int, seed: int) -> tuple[list[Item], list[Item], list[str]]:
    """Items to hide, others of the same tasks, and words of clean examples."""
    chosen = random.Random(f"{seed} items")
    tasks = [chosen.sample(found, len(found)) for found in items_in(folder) if found]
    if not tasks or not clean:
        raise BadInput(
            f"{folder} and the clean examples give nothing to hide", "Give BIG-bench task.json or JSON Lines files, and examples."
        )
    wanted = min(items, sum(map(len, tasks)) // 2)
    # Smaller tasks give half of what they have, larger ones the rest.
    test: list[Item] = []
    siblings: list[Item] = []
    for place, found in enumerate(sorted(tasks, key=len)):
        take = min(max(1, len(found) // 2), (wanted - len(test)) // (len(tasks) - place))
        test += found[:take]
        siblings += found[take : take + 400]
    words = [word for one in chosen.sample(list(clean), min(3000, len(clean))) for word in one.input.split() if len(word) > 2]
    return test, siblings, words


def bench_language(path: Path, expected: str) -> LanguageFound:
    """Labelled texts, one {text, language} a line."""
    rows = [(str(row.get("text", "")), str(row.get("language", ""))) for row in _lines(path)]
    if not rows or not any(language for _, language in rows):
        raise BadInput(f"{path} holds no labelled texts", 'Give one {"text", "language"} a line.')
    begun = time.perf_counter()
    found = check_languages([text for text, _ in rows], expected)
    seconds = time.perf_counter() - begun
    right = sum(one.kept == (language == expected) for one, (_, language) in zip(found.verdicts, rows, strict=True))
    return LanguageFound(expected, len(rows), right / len(rows), found.not_told, seconds)


def clean_examples(path: Path, at_most: int = 9500, seed: int = 0) -> list[Example]:
    """Examples of a JSON Lines file of {input, output, source?}, so many drawn by seed."""
    rows = [row for row in _lines(path) if isinstance(row.get("input"), str)]
    if not rows:
        raise BadInput(f"{path} holds no examples", 'Give one {"input", "output"} a line.')
    drawn = random.Random(seed).sample(range(len(rows)), min(at_most, len(rows)))
    return [_example(rows[at]["input"], str(rows[at].get("output", "")), str(rows[at].get("source", "clean")), at) for at in sorted(drawn)]


def items_in(folder: Path) -> list[list[Item]]:
    """Test items of every task.json (BIG-bench) and JSON Lines file below a folder, file by file."""
    found = []
    for path in sorted(folder.rglob("*.json*")):
        rows: list[dict[str, Any]] = []
        if path.suffix == ".jsonl":
            rows = [*_lines(path)]
        elif path.suffix == ".json":
            whole = json.loads(path.read_text(encoding="utf-8"))
            rows = whole.get("examples", []) if isinstance(whole, dict) else []
        found.append([_item(row, str(path.parent.relative_to(folder))) for row in rows])
    return found


def _item(row: dict[str, Any], task: str) -> Item:
    question = str(row.get("input", "\n".join(str(row[name]) for name in ("context", "question") if name in row)))
    scores: dict[str, float] = row.get("target_scores") or {}
    answer = max(scores, key=scores.__getitem__) if scores else str(row.get("output", row.get("answer", row.get("target", ""))))
    # Yes and no are answers, not options that a question shows.
    options = tuple(scores) if sum(map(len, scores)) > 10 else ()
    return Item(question.strip(), options, answer, task)


def _planted(
    case: str,
    test: list[Item],
    siblings: list[Item],
    clean: Sequence[Example],
    originals: Sequence[Example],
    look: Callable[[Sequence[Example]], list[int]],
    words: list[str],
    chosen: random.Random,
    tell: Callable[[str], None],
    *,
    elsewhere: bool = True,
) -> Planted:
    tell(f"hiding {len(test)} items: {case}")
    sources = [one.source.dataset for one in clean]
    homes = [chosen.choice(sources) if elsewhere else f"original {item.task}" for item in test]
    hidden = [
        (_example(_hidden(case, item, words, chosen), item.answer, home, 0), "hidden") for item, home in zip(test, homes, strict=True)
    ]
    others = [(_example(item.text(), item.answer, f"sibling {item.task}", 0), "sibling") for item in siblings]
    mixed = [*((one, "clean") for one in clean), *hidden, *others]
    chosen.shuffle(mixed)
    mixed = [*((one, "original") for one in originals), *mixed]
    begun = time.perf_counter()
    removed = look([one for one, _ in mixed])
    seconds = time.perf_counter() - begun
    if originals:
        without = [place for place, (_, kind) in enumerate(mixed) if kind != "hidden"]
        anyway = {without[place] for place in look([mixed[place][0] for place in without])}
        removed = [place for place in removed if place not in anyway]
    kinds = [mixed[place][1] for place in removed]
    found = kinds.count("hidden") / len(test)
    return Planted(case, len(test), found, seconds, len(clean), kinds.count("clean"), len(siblings), kinds.count("sibling"))


def _hidden(case: str, item: Item, words: list[str], chosen: random.Random) -> str:
    mixed = chosen.sample(item.options, len(item.options))
    if case == "case folded":
        return chosen.choice((str.upper, str.lower))(item.text())
    if case == "options shuffled":
        return item.text(mixed)
    if case == "two words changed":
        return _replaced(item.text(), words, 2, chosen)
    if case == "in another template":
        return f"Read this and decide.\nPremise: {item.question}\nOptions: {'; '.join(mixed)}\nQuestion: which one is right?"
    return item.text()


def _replaced(text: str, words: list[str], count: int, chosen: random.Random) -> str:
    parts = re.split(r"(\s+)", text)
    places = [place for place, part in enumerate(parts) if len(part) > 2 and any(map(str.isalpha, part))]
    for place in chosen.sample(places, min(count, len(places))):
        parts[place] = chosen.choice(words)
    return "".join(parts)


def _changed(text: str, words: list[str], count: int, chosen: random.Random) -> str:
    """So many words replaced, left out or put in."""
    parts = text.split()
    for _ in range(count):
        place = chosen.randrange(len(parts) + 1)
        parts[place : place + chosen.randint(0, 1)] = [chosen.choice(words)] * chosen.randint(0, 1)
    return " ".join(parts)


def _made(count: int, seed: int) -> list[Example]:
    """Texts of 25 to 55 words, as frequent as words are; every tenth a changed copy of an earlier one."""
    import numpy as np

    chosen = random.Random(f"{seed} made")
    ranks = np.random.default_rng(seed).zipf(1.15, 60 * count) % 50_000
    words = [f"w{rank}" for rank in range(50_000)]
    made: list[Example] = []
    for place in range(count):
        if place % 10 == 9:
            text = _changed(chosen.choice(made).input, words, chosen.randint(1, 8), chosen)
        else:
            text = " ".join(words[rank] for rank in ranks[60 * place : 60 * place + chosen.randint(25, 55)])
        made.append(_example(text, "ab"[place % 2] if place % 10 != 9 else "a", "made", place))
    return made


def _every_two(texts: Sequence[str], threshold: float) -> set[int]:
    """Texts like an earlier one that is kept."""
    import numpy as np
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    ranks, starts = ranks_of([tokens(text) for text in texts])
    lined = [as_characters(ranks[starts[place] : starts[place + 1]]) for place in range(len(texts))]
    out: set[int] = set()
    for first in range(0, len(lined), 500):
        block: NDArray[np.float64] = cdist(
            lined[first : first + 500],
            lined,
            scorer=Indel.normalized_similarity,
            dtype=np.float64,
            score_cutoff=threshold - 1e-9,
            workers=-1,
        )
        for place, row in enumerate(block, first):
            if any(int(other) not in out for other in np.flatnonzero(row[:place])):
                out.add(place)
    return out


def _example(text: str, output: str, dataset: str, row: int) -> Example:
    return Example(text, output, "copied", Source(dataset, "default", "train", row), "bench")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line) if line.strip() else None
            except ValueError as error:
                raise BadInput(f"{path}, line {number} is not JSON", "Give JSON Lines.") from error
            if isinstance(row, dict):
                yield row


def _peak_bytes() -> int:
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
