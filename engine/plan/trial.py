"""Candidate plans tried on sample rows: what they make, how far it has the form the task's examples show, and whether it leaks."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import EngineError
from engine.plan.profile import Sample, read_sample
from engine.plan.steps import Plan
from engine.plan.structure import Unmapped, candidates
from engine.plan.structure.draft import Draft
from engine.plan.structure.inputs import FEWER_PARTS, LEAKS
from engine.plan.structure.languages import input_language, output_language, told_language
from engine.plan.structure.layout import ONE_HEADING_EACH
from engine.plan.structure.option_sets import alike
from engine.plan.structure.parts import with_parts
from engine.plan.structure.shape import contents_of, form_of, shape_of
from engine.plan.structure.signs import sign_gaps
from engine.plan.structure.texts import form_likeness
from engine.records import Column, Example, Row, Task, Value

if TYPE_CHECKING:
    from models.embedding import Embedder

BAR = 0.55
"""A plan below this score is no proposal. Reached by half-sure names and half-fitting form together, or one of them clear."""
SEED = 0
_TURNED_ROUND = 0.7
_FOREIGN = "the inputs are in"
_FOREIGN_SCRIPT = "the inputs are written in"
_TRANSLATES = re.compile(
    r"translat|übersetz|tradu[iczts]|перев(од|ед|ёд|ести)|перекла|翻译|翻譯|译成|訳|번역|çevir|terjemah|tafsiri|अनुवाद|ترجم|dịch|vertaal|przetłumacz",
    re.IGNORECASE,
)
_SHOWN = 5
_MOST_TRIED = 14


class Trial(Value):
    """What a plan made of the sample rows."""

    made: int
    skipped: int
    rejected: int
    failed: int
    score: float
    """0 to 1; 0 is no plan at all, `reasons` says why."""
    reasons: tuple[str, ...] = ()
    """Lines a person can check."""
    samples: tuple[Example, ...] = ()
    why_not: dict[str, int] = msgspec.field(default_factory=dict)
    """Reasons of rows that gave no example, by count."""


class Proposal(Value):
    """Plans worth proposing, best first; or none, and why."""

    plans: tuple[tuple[Plan, Trial], ...]
    refusal: str = ""
    """Why the data set cannot serve the task; "" when there are plans."""
    hopeless: bool = False
    """No other plan over these rows could serve either: they are in another language than the task."""


class SampleSource:
    """Sample rows as a source of their own, for trying plans."""

    dataset = "sample"
    config = ""
    split = ""
    revision = ""
    licence = ""

    def __init__(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        self.columns = tuple(columns)
        self._rows = [Row(index, row.values) for index, row in enumerate(rows)]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def take(self, indices: Sequence[int]) -> list[Row]:
        return [self._rows[index] for index in indices]


class _Remembering:
    """An embedder that embeds each text once, for plans tried on the same rows share most of theirs."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self._embedder = embedder
        self._known: dict[str, Any] = {}

    def embed(self, texts: Sequence[str]) -> Any:
        """As the embedder's own."""
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts])


def propose(task: Task, columns: Sequence[Column], rows: Sequence[Row], *, embedder: Embedder | None = None) -> Proposal:
    """The plans a data set's columns suggest for the task, best first, tried on the rows (about 300, drawn by seed).

    With none above BAR, `refusal` says what the data set lacks.
    """
    if not rows:
        return Proposal((), "there are no rows")
    embedder = _Remembering(embedder) if embedder is not None else None
    sample = with_parts(read_sample(columns, rows))
    found, unmapped = candidates(task, sample, embedder)
    tried = [(plan, draft, try_plan(plan, columns, rows, task, draft=draft, embedder=embedder)) for plan, draft in found[:_MOST_TRIED]]
    tried.sort(key=lambda entry: -entry[2].score)
    good = tuple((plan, trial) for plan, _, trial in tried if trial.score >= BAR)
    if good:
        return Proposal(good)
    refusal = _refusal(task, sample, [(draft, trial) for _, draft, trial in tried], unmapped)
    if not tried and (language := _rows_language(task, sample)):
        return Proposal((), f"{refusal}; its texts are in {language}, the task's in {input_language(task)}", True)
    foreign = [any(reason.startswith((_FOREIGN, _FOREIGN_SCRIPT)) for reason in trial.reasons) for _, _, trial in tried]
    return Proposal((), refusal, bool(foreign) and all(foreign))


def try_plan(
    plan: Plan,
    columns: Sequence[Column],
    rows: Sequence[Row],
    task: Task,
    *,
    draft: Draft | None = None,
    embedder: Embedder | None = None,
) -> Trial:
    """Run a plan without model steps on the rows and score what comes out; `draft` adds what names and values promised."""
    made, counts, why_not = run_on(plan, columns, rows, task)
    units = len(made) + sum(counts.values())
    trial = Trial(
        len(made), counts["skipped"], counts["rejected"], counts["failed"], 0.0, (), tuple(made[:_SHOWN]), dict(why_not.most_common(12))
    )
    refused = _refused(made, units, why_not, task, draft)
    if refused:
        return msgspec.structs.replace(trial, reasons=(refused,))
    fit, reasons = _fit(made, task, draft)
    if fit == 0:
        return msgspec.structs.replace(trial, reasons=tuple(reasons))
    tried = len(made) + counts["rejected"] + counts["failed"]
    working = len(made) / tried * min(1.0, len(made) / (0.05 * units))
    prior = draft.prior if draft is not None else 0.75
    if draft is not None and draft.family == "text" and ONE_HEADING_EACH in plan.reasons and len(shape_of(task).slots) == 1:
        prior *= 0.75
    if draft is not None and draft.family in ("text", "label") and FEWER_PARTS in plan.reasons:
        prior *= 0.75
    # A text that holds the output where the examples' inputs do not: the data set may serve another task.
    prior *= 0.8 if draft is not None and draft.family == "text" and any(LEAKS in reason for reason in plan.reasons) else 1.0
    score = math.sqrt(prior * fit) * working
    if embedder is not None and task.language.lower().startswith("en"):
        nearness, said = _nearness(made, task, embedder)
        score *= nearness
        reasons.append(said)
    return msgspec.structs.replace(trial, score=min(1.0, score), reasons=(f"{len(made)} of {units} rows become examples", *reasons))


def run_on(plan: Plan, columns: Sequence[Column], rows: Sequence[Row], task: Task) -> tuple[list[Example], Counter[str], Counter[str]]:
    """Examples, counts of the other outcomes by kind, and their reasons. A plan that does not compile fails with its reason."""
    from engine.plan.compile import compile_plan
    from engine.plan.units import Accepted, Failed, Rejected

    made: list[Example] = []
    counts: Counter[str] = Counter()
    why_not: Counter[str] = Counter()
    try:
        program = compile_plan(plan, columns, seed=SEED, task=task)
        units = list(program.units(SampleSource(columns, rows)))
    except EngineError as error:
        return [], Counter(failed=len(rows)), Counter({error.title: len(rows)})
    if program.has_model_steps:
        return [], Counter(failed=len(units)), Counter({"a model step, and no model to ask": len(units)})
    for unit in units:
        outcome = program.outcome(unit)
        if isinstance(outcome, Accepted):
            made.append(outcome.example)
            continue
        counts["rejected" if isinstance(outcome, Rejected) else "failed" if isinstance(outcome, Failed) else "skipped"] += 1
        why_not[outcome.reason] += 1
    return made, counts, why_not


def _refused(made: Sequence[Example], units: int, why_not: Counter[str], task: Task, draft: Draft | None) -> str:
    """Why what was made is no training data at all; "" when it may be."""
    if len(made) < max(1, min(8, units // 4)):
        usual = "".join(f" ({reason})" for reason, _ in why_not.most_common(1))
        return f"only {len(made)} of {units} rows become examples{usual}"
    outputs = Counter(example.output for example in made)
    if len(made) >= 6 and outputs.most_common(1)[0][1] > 0.98 * len(made):
        return f"the output is “{outputs.most_common(1)[0][0][:60]}” in nearly every row"
    if sum(example.input.strip() == example.output.strip() for example in made) > 0.5 * len(made):
        return "the output repeats the input"
    return _wrong_language(made, task, draft)


def _wrong_language(made: Sequence[Example], task: Task, draft: Draft | None) -> str:
    inputs = list(dict.fromkeys(example.input for example in made[:120]))
    wanted = input_language(task)
    told = Counter(told_language(text, wanted) for text in _long_enough(inputs))
    typical = form_of(contents_of(task)).script
    found = form_of(inputs).script
    if typical and found and typical != found and {typical, found} != {"CJK", "JAPANESE"} and task.examples:
        return f"{_FOREIGN_SCRIPT} {found.lower()} letters, the examples' in {typical.lower()}"
    if wanted and told and told[wanted] < 0.1 * told.total() and told[""] < 0.5 * told.total() and told.total() >= 5:
        return f"{_FOREIGN} {told.most_common(1)[0][0]}, the task's are in {wanted}"
    if task.output.kind != "text" or (draft is not None and draft.family not in ("text", "turns")):
        return ""
    return _wrong_output_language(inputs, [example.output for example in made[:60]], wanted, task)


def _wrong_output_language(inputs: Sequence[str], outputs: Sequence[str], source: str, task: Task) -> str:
    wanted = output_language(task)
    short = statistics.median(map(len, outputs)) < 15
    if form_of(outputs).code > 0.5:
        return ""
    if not short or wanted != source:
        # Words alone tell a language only many together; a translation's have to, for their form tells nothing.
        size = 12 if short else 3
        together = Counter(
            told_language(" ".join(outputs[start : start + size]), wanted) for start in range(0, len(outputs) - size + 1, size)
        )
        if wanted and together and together[wanted] < 0.3 * together.total() and together[""] < 0.5 * together.total():
            return f"the outputs are in {together.most_common(1)[0][0]}, the task's are in {wanted}"
    if _TRANSLATES.search(task.description) and task.examples:
        spoken = [told_language(" ".join(side[:30]), "") for side in (inputs, outputs)]
        if spoken[0] and spoken[0] == spoken[1]:
            return f"inputs and outputs are both in {spoken[0]}, and a translation is asked for"
    return ""


def _rows_language(task: Task, sample: Sample) -> str:
    """The language of the longest texts when it is clearly not the task's, else ""."""
    wanted = input_language(task)
    longest = max((profile for profile in sample.profiles if profile.free_text), key=lambda profile: profile.chars, default=None)
    if not wanted or longest is None:
        return ""
    told = Counter(told_language(text, wanted) for text in _long_enough(sample.texts(longest.name)))
    clear = told.total() >= 5 and told[wanted] < 0.1 * told.total() and told[""] < 0.5 * told.total()
    return next((language for language, _ in told.most_common() if language), "") if clear else ""


def _long_enough(texts: Sequence[str], least: int = 80, most: int = 40) -> list[str]:
    """The texts, short ones put together, so that each has letters enough for its language to be told."""
    found: list[str] = []
    held = ""
    for text in texts:
        held = f"{held} {text}".strip()
        if sum(letter.isalpha() for letter in held) >= least:
            found.append(held)
            held = ""
    return found[:most]


def _fit(made: Sequence[Example], task: Task, draft: Draft | None) -> tuple[float, list[str]]:
    """0 to 1: how far inputs and outputs have the form of the examples', with the measures in words."""
    inputs, outputs = [example.input for example in made], [example.output for example in made]
    if not task.examples:
        return 0.8, []
    shown_in, shown_out = [example.input for example in task.examples], [example.output for example in task.examples]
    asked, _ = form_likeness(form_of(inputs), form_of(shown_in))
    input_fit = 0.5 + 0.5 * asked
    if draft is not None and draft.family not in ("text", "turns"):
        counts = Counter(outputs)
        top = counts.most_common(1)[0]
        said = f"{len(counts)} different outputs, the most frequent in {100 * top[1] / len(outputs):.0f} %"
        degenerate = 0.8 if top[1] > 0.95 * len(outputs) else 1.0
        return input_fit * degenerate, [said]
    likeness, why = form_likeness(form_of(outputs), form_of(shown_out))
    if likeness == 0:
        return 0.0, [f"outputs: {why}"]
    relation, relation_why = _relation(inputs, outputs, shown_in, shown_out)
    taken = min(_taken(inputs, outputs), _taken(shown_in, shown_out))
    known = 1.0 if taken > 0.8 else _known_outputs(outputs, shown_out)
    strange, whys = _strangeness(inputs, outputs, shown_in, shown_out, taken)
    strange *= _TURNED_ROUND if _turned_round(inputs, outputs, shown_in, shown_out) else 1.0
    return (0.35 * likeness + 0.4 * relation + 0.25 * asked) * known * strange, [f"outputs: {why}", relation_why, *whys]


def _relation(inputs: Sequence[str], outputs: Sequence[str], shown_in: Sequence[str], shown_out: Sequence[str]) -> tuple[float, str]:
    """How alike the step from input to output is: its change of length, and how much of the output stands in the input."""
    ratio, wanted = _ratio(inputs, outputs), _ratio(shown_in, shown_out)
    far = abs(math.log(ratio / wanted))
    length = 1.0 if far < 0.35 else max(0.0, 1 - (far - 0.35) / 2.2)
    if (ratio > 1.05) != (wanted > 1.05) and min(abs(math.log(ratio)), abs(math.log(wanted))) > 0.12:
        length *= 0.6
    taken, asked = _taken(inputs, outputs), _taken(shown_in, shown_out)
    return (
        0.5 * length + 0.5 * max(0.0, 1 - 1.3 * abs(taken - asked)),
        f"output over input length {ratio:.2f} (examples {wanted:.2f}), "
        f"{100 * taken:.0f} % of its words from the input (examples {100 * asked:.0f} %)",
    )


def _turned_round(inputs: Sequence[str], outputs: Sequence[str], shown_in: Sequence[str], shown_out: Sequence[str]) -> bool:
    """Whether every example clearly grows from input to output and what was made clearly shrinks, or the reverse: it reads backwards."""
    steps = [math.log((len(output) + 1) / (len(text) + 1)) for text, output in zip(shown_in, shown_out, strict=True)]
    change = math.log(_ratio(inputs, outputs))
    if len(steps) < 2:
        return False
    return (min(steps) > 0.2 and change < -0.2) or (max(steps) < -0.2 and change > 0.2)


def _ratio(inputs: Sequence[str], outputs: Sequence[str]) -> float:
    return statistics.median((len(output) + 1) / (len(text) + 1) for text, output in zip(inputs, outputs, strict=True))


def _taken(inputs: Sequence[str], outputs: Sequence[str]) -> float:
    """Median share of the output's words (of pairs of letters where words are not set apart) that the input holds."""
    shares = []
    for text, output in zip(inputs[:150], outputs[:150], strict=True):
        own, other = _units(output), set(_units(text))
        if own:
            shares.append(sum(unit in other for unit in own) / len(own))
    return statistics.median(shares) if shares else 0.0


def _strangeness(
    inputs: Sequence[str], outputs: Sequence[str], shown_in: Sequence[str], shown_out: Sequence[str], taken: float
) -> tuple[float, list[str]]:
    """1, or less for each way in which inputs and outputs stand to each other as in no example, with these ways."""
    ways = []
    if taken <= 0.8 and abs(math.log(_ratio(inputs, outputs) / _ratio(shown_in, shown_out))) > math.log(5):
        ways.append((0.7, "outputs are more than five times as long or short beside their inputs as the examples'"))
    made, shown = form_of(inputs), form_of(shown_in)
    if shown.asks == 1 and made.questions < 0.2:
        ways.append((0.65, "the inputs ask nothing, the examples' do"))
    elif shown.questions == 0 and made.asks > 0.8:
        ways.append((0.65, "the inputs are questions, the examples' are not"))
    near, wanted = alike(inputs, outputs), alike(shown_in, shown_out)
    if taken <= 0.8 and abs(math.log(_ratio(shown_in, shown_out))) < 0.5 and abs(near - wanted) > 0.4:
        ways.append((0.6, f"inputs and outputs are alike by {near:.2f}, the examples' by {wanted:.2f}"))
    held, sure = _held(inputs, outputs), _held(shown_in, shown_out)
    if (sure == 1 and held < 0.4) or (sure >= 0.5 and held < 0.1):
        ways.append((0.65, f"{100 * held:.0f} % of the outputs are made of words of their inputs, of the examples' {100 * sure:.0f} %"))
    ways += sign_gaps(outputs, shown_out)
    return math.prod(factor for factor, _ in ways), [why for _, why in ways]


def _held(inputs: Sequence[str], outputs: Sequence[str]) -> float:
    """Share of outputs all of whose words stand in their inputs."""
    rows = [(_units(output), set(_units(text))) for text, output in zip(inputs[:150], outputs[:150], strict=True)]
    told = [all(unit in other for unit in own) for own, other in rows if own]
    return sum(told) / len(told) if told else 0.0


def _units(text: str) -> list[str]:
    if re.search(r"[\u3040-\u30ff\u3400-\u9fff]", text):
        letters = re.sub(r"\W", "", text)
        return [letters[place : place + 2] for place in range(len(letters) - 1)] or [letters]
    return re.findall(r"\w+", text.casefold())


def _known_outputs(outputs: Sequence[str], shown: Sequence[str]) -> float:
    """1, or less where outputs come from a small vocabulary that holds none of the examples' outputs."""
    counts = Counter(output.casefold().strip(" .") for output in outputs)
    often = sum(count for _, count in counts.most_common(25) if count >= max(3, 0.01 * len(outputs))) / len(outputs)
    held = any(output.casefold().strip(" .") in counts for output in shown)
    if held or often < 0.4 or len(outputs) < 30 or all(re.fullmatch(r"[\d.,\-]+", output) for output in shown):
        return 1.0
    return max(0.0, 1.0 - 1.4 * (often - 0.2))


def _nearness(made: Sequence[Example], task: Task, embedder: Embedder) -> tuple[float, str]:
    """0.72 to 1: how near what was made comes in meaning to the task's own words and examples.

    Rows of the right data set measure 0 to 0.5 here and rows of a wrong one -0.1 to 0.4: a hint, never a verdict.
    """
    import numpy as np

    inputs, outputs = [example.input[:400] for example in made[:24]], [example.output[:400] for example in made[:24]]
    shown = [example.input for example in task.examples] or [task.description]
    near = embedder.embed(inputs) @ embedder.embed([task.description, *shown]).T
    best = max(float(np.median(near[:, 0])), float(np.median(near[:, 1:].max(axis=1))))
    if task.output.kind == "text" and task.examples:
        answers = embedder.embed(outputs) @ embedder.embed([example.output for example in task.examples]).T
        best = max(best, float(np.median(answers.max(axis=1))))
    return 0.72 + 0.28 * min(1.0, max(0.0, (best - 0.04) / 0.16)), f"{best:.2f} near in meaning to the task's own words and examples"


def _refusal(task: Task, sample: Sample, tried: Sequence[tuple[Draft, Trial]], unmapped: Sequence[Unmapped]) -> str:
    """Why nothing will do, as a person would say it."""
    if tried:
        draft, trial = max(tried, key=lambda entry: (entry[1].score, entry[0].prior))
        lines = trial.reasons[:1] if trial.score == 0 else (*draft.reasons[:1], *trial.reasons[1:3])
        best = f"the nearest plan reads {', '.join(draft.reads)}: {'; '.join(lines)}"
    else:
        best = ""
    if task.output.kind == "label":
        near = "; ".join(f"{entry.column} has {', '.join(value[:24] for value in entry.values[:5])}" for entry in unmapped[:3])
        said = f"no column holds any of the labels {', '.join(task.output.labels)}, nor values that map to them"
        return f"{said} ({near})" if near and not tried else f"{said}; {best}" if tried else said
    if task.output.kind in ("option_text", "option_letter") and not tried:
        return "no columns hold options with another column that says which of them is right"
    if not tried:
        shown = ", ".join(f"“{example.output[:40]}”" for example in task.examples[:2])
        return f"no column holds texts like the examples' outputs {shown}" if shown else "no column can serve as the output"
    return f"no column holds outputs like the examples'; {best}"
