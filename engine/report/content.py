"""What the report of a run says, gathered from the database; no layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from engine.export.facts import portable
from engine.export.plan_words import plan_in_words
from engine.mix.table import found_words, source_name
from engine.records import Candidates, Generated, Made, Mixed, MixSource, PlanChoice, Ranking, Value
from engine.report.failures import Failure, failures_of
from engine.report.trained import Trained, read_trained
from engine.store.items import calls_of_step, roles_of_step
from engine.store.steps import Step, steps_of_run
from engine.store.tallies import item_counts

if TYPE_CHECKING:
    from engine.data_sources import DataSource
    from engine.store.database import Connection
    from engine.store.runs import Run

R = TypeVar("R", bound=Value)
_WORK = ("schema", "plan", "execute")


class Found(Value):
    """One data set that was thought of."""

    rank: int
    dataset: str
    score: float
    reasons: tuple[str, ...]
    became: str
    """What came of it: its last stage with state and reason; "" where it was not tried."""


class PlanShown(Value):
    """How rows of one data set became examples."""

    dataset: str
    sentences: tuple[str, ...]
    score: float
    verdict: str
    evidence: str
    reasons: tuple[str, ...]
    others: tuple[tuple[float, tuple[str, ...]], ...]
    """Score and sentences of the plans that were not taken."""


class Tally(Value):
    """What became of the units of one source, from entering to the mix."""

    source: str
    units: int
    examples: int
    rejected: int
    failed: int
    skipped: int
    surplus: int
    mix: MixSource | None
    """None where there is no mix yet."""

    @property
    def not_offered(self) -> int:
        """Examples that were more than the run wanted, and never offered to the mix."""
        return self.examples - self.mix.counts.offered if self.mix else 0

    @property
    def adds_up(self) -> bool:
        """Whether every unit and every example is accounted for."""
        ended = self.examples + self.rejected + self.failed + self.skipped + self.surplus
        if self.mix is None:
            return self.units == ended
        counts = self.mix.counts
        out = sum(value for name, value in msgspec.structs.asdict(counts).items() if name not in ("offered", "train", "validation"))
        return self.units == ended and self.not_offered >= 0 and counts.offered == counts.train + counts.validation + out


class Spent(Value):
    """What one step cost."""

    stage: str
    candidate: str
    seconds: float
    calls: int
    prompt_tokens: int
    completion_tokens: int
    roles: tuple[str, ...]
    """Which models were asked."""
    reused: bool
    """Taken over from an earlier run; its cost is that of back then."""


class Sample(Value):
    """One example to read."""

    source: str
    place: str
    """Where it is from, in words."""
    origin: str
    input: str
    output: str


class Report(Value):
    """A run, told."""

    run: str
    state: str
    reason: str
    created: float
    finished: float | None
    version: str
    task_name: str
    description: str
    language: str
    output_kind: str
    labels: tuple[str, ...]
    given: tuple[tuple[str, str], ...]
    """Input and output of the examples in the task."""
    expanded: str
    models: tuple[tuple[str, str], ...]
    """Role and name."""
    searched: int
    """Cards the catalog held; 0 where nothing was searched."""
    found: tuple[Found, ...]
    chosen_because: str
    plans: tuple[PlanShown, ...]
    tallies: tuple[Tally, ...]
    mixes: tuple[tuple[str, Mixed], ...]
    """Arm of an experiment, or "", and its mix; of each arm the first seed's."""
    leakage: tuple[str, ...]
    trained: Trained
    failures: tuple[Failure, ...]
    spent: tuple[Spent, ...]
    samples: tuple[Sample, ...]


def read_report(connection: Connection, run: Run, drawn: Sequence[DataSource] = (), *, samples: int = 10) -> Report:
    """Everything of a run in whatever state; of each source drawn, `samples` examples to read, at even distances."""
    from importlib.metadata import version

    taken = steps_of_run(connection, run.id)
    mixes = _mixes(taken)
    # In an experiment every arm has a mix of its own, and what one of them left out says nothing of the others.
    mixed = mixes[0][1] if len(mixes) == 1 else None
    searched, found, because = _found(taken)
    expanded = [msgspec.json.decode(step.record) for step in taken if step.stage == "expand" and step.record]
    return Report(
        run=run.id,
        state=run.state,
        reason=run.reason,
        created=run.created,
        finished=run.finished,
        version=version("datatune"),
        task_name=run.task.name,
        description=run.task.description,
        language=run.task.language,
        output_kind=run.task.output.kind,
        labels=run.task.output.labels,
        given=tuple((one.input, one.output) for one in run.task.examples),
        expanded=str(expanded[-1].get("description", "")) if expanded and expanded[-1].get("origin") == "model" else "",
        models=tuple(sorted((role, str(portable(spec))) for role, spec in run.settings.models.items())),
        searched=searched,
        found=tuple(found),
        chosen_because=because,
        plans=tuple(_plan(step) for step in taken if step.stage == "plan" and step.record),
        tallies=tuple(_tallies(connection, taken, mixed)),
        mixes=tuple(mixes),
        leakage=tuple(f"{arm}: {words}" if arm else words for arm, one in mixes if (words := found_words(one))),
        trained=read_trained(connection, taken),
        failures=tuple(failures_of(connection, taken)),
        spent=tuple(_spent(connection, step) for step in taken),
        samples=tuple(one for source in drawn for one in _samples(source, samples)),
    )


def _last(taken: Sequence[Step], stage: str, record: type[R]) -> R | None:
    steps = [step for step in taken if step.stage == stage and step.record]
    return msgspec.json.decode(steps[-1].record, type=record) if steps else None


def _mixes(taken: Sequence[Step]) -> list[tuple[str, Mixed]]:
    first: dict[str, Step] = {}
    for step in taken:
        if step.stage == "mix" and step.record:
            first.setdefault(step.candidate.partition(", seed ")[0], step)
    return [(arm, msgspec.json.decode(step.record, type=Mixed)) for arm, step in first.items()]


def _found(taken: Sequence[Step]) -> tuple[int, list[Found], str]:
    """Cards searched, the data sets thought of in their last order, and what the ranking says of itself."""
    retrieved, ranked = _last(taken, "retrieve", Candidates), _last(taken, "rerank", Ranking)
    candidates = ranked.candidates if ranked and ranked.candidates else retrieved.candidates if retrieved else ()
    became: dict[str, str] = {}
    for step in taken:
        if step.stage in _WORK:
            became[step.candidate] = _became(step)
    listed = [Found(c.rank, str(portable(c.dataset)), c.score, c.reasons, became.pop(c.dataset, "")) for c in candidates]
    named = [Found(0, str(portable(dataset)), 0.0, ("named by you",), what) for dataset, what in became.items() if dataset]
    return (retrieved.searched if retrieved else 0), named + listed, ranked.reason if ranked else ""


def _became(step: Step) -> str:
    if step.stage == "execute" and step.record:
        made = msgspec.json.decode(step.record, type=Made)
        return f"{made.examples:,} examples"
    return f"{step.stage}: {step.state}" + (f", {step.reason}" if step.reason else "")


def _plan(step: Step) -> PlanShown:
    choice = msgspec.json.decode(step.record, type=PlanChoice)
    return PlanShown(
        dataset=str(portable(choice.dataset)),
        sentences=tuple(plan_in_words(choice.plan)),
        score=choice.score,
        verdict=choice.verdict,
        evidence=choice.evidence,
        reasons=choice.reasons,
        others=tuple((other.score, tuple(plan_in_words(other.plan))) for other in choice.runners_up),
    )


def _tallies(connection: Connection, taken: Sequence[Step], mixed: Mixed | None) -> Iterator[Tally]:
    of_mix = {source.step: source for source in mixed.sources} if mixed else {}
    for step in taken:
        if step.stage not in ("execute", "generate"):
            continue
        source = of_mix.get(step.fingerprint)
        kind: type[Made] | type[Generated] = Made if step.stage == "execute" else Generated
        record: Made | Generated | None = msgspec.json.decode(step.record, type=kind) if step.record else None
        surplus = record.surplus if isinstance(record, Made) else 0
        if record is not None:
            ended = (record.units, record.examples, record.rejected, record.failed, record.skipped)
        else:
            counts = item_counts(connection, step.fingerprint)
            states = [counts.get(state, 0) for state in ("accepted", "rejected", "failed", "skipped")]
            ended = (sum(states), states[0], states[1], states[2], states[3])
        name = str(portable(step.candidate)) or (
            f"synthetic, by {portable(record.model)}" if isinstance(record, Generated) else "synthetic"
        )
        named = msgspec.structs.replace(source, dataset=portable(source.dataset), model=portable(source.model)) if source else None
        yield Tally(source_name(named) if named else name, *ended, surplus, named)


def _spent(connection: Connection, step: Step) -> Spent:
    cost = calls_of_step(connection, step.fingerprint)
    roles = tuple(roles_of_step(connection, step.fingerprint))
    return Spent(
        step.stage, str(portable(step.candidate)), step.seconds, cost.calls, cost.prompt_tokens, cost.completion_tokens, roles, step.reused
    )


def _samples(source: DataSource, count: int) -> Iterator[Sample]:
    examples = source.examples
    for number in range(min(count, len(examples))):
        example = examples[number * len(examples) // min(count, len(examples))]
        row = example.source
        place = f"written by {portable(row.model)}" if row.synthetic else f"{portable(row.dataset)}, {row.split}, row {row.row}"
        yield Sample(source.name, place, example.output_origin, example.input, example.output)
