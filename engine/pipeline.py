"""The order of the stages:
expand → retrieve → rerank → for each candidate (schema → plan → execute) → generate → mix → finetune → evaluate → export.

Data sets are taken in rank order until the wanted number of examples is reached; one that fails falls through to the next with its
reason, and what was made stays. A data set after the first is used only when its plan is about as good as the first one's,
because fewer right examples beat more wrong ones. Synthetic examples are written only where a run asks for them, and follow those of data
sets; where none serves the task they stand alone. Mix makes one training set of all, finetune trains a model on it where a run asks for
that, evaluate asks it the task's test, and export writes it. A run that compares arms goes through engine.experiment instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.config import NO_DATASET, stage_options
from engine.errors import BadInput, Cancelled, EngineError, NothingSuitable, StageFailed, Unavailable
from engine.evaluate.evaluated import Compared, Evaluated
from engine.quality.benchmarks import related_source
from engine.records import (
    Candidate,
    Candidates,
    ExpandedTask,
    Exported,
    Finetuned,
    Generated,
    Made,
    Mixed,
    Part,
    PlanChoice,
    Ranking,
    SchemaSelection,
    SyntheticPart,
    Task,
)
from engine.runner import run_step
from engine.session import BudgetSpent, Session
from engine.stages import STAGE_NAMES, compares, evaluates, finetunes, generates, stage
from engine.stages.execute import Options as ExecuteOptions
from engine.stages.mix import Options as MixOptions
from engine.store import items, steps
from engine.store.reviews import reviews_digest
from engine.store.runs import RunSettings, plans_applied
from models.language import Identity

MOST_DATASETS = 4
MOST_TRIED = 8
AKIN = 0.85
"""How near to the task a data set must be, as a share of the nearest one; see _akin."""
AKIN_LABELS = 0.7
SCORE_MARGIN = 0.1
"""How much less than the first data set's plan a further one's may score."""


class Ending:
    """What a run came to."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.synthetic: list[SyntheticPart] = []
        self.refusals: list[str] = []
        self.mixed: Mixed | None = None
        self.finetuned: Finetuned | None = None
        self.evaluated: Evaluated | None = None
        self.compared: Compared | None = None
        self.exported: Exported | None = None
        self.planned = False
        """A data set came as far as a run that ends before execute goes."""

    @property
    def examples(self) -> int:
        """Made so far, or in the mix once there is one."""
        if self.mixed:
            return self.mixed.counts.examples
        return sum(part.take for part in self.parts) + sum(part.take for part in self.synthetic)


def run_pipeline(session: Session, task: Task, settings: RunSettings) -> Ending:
    """All stages up to `settings.until`. Raises NothingSuitable, Cancelled and what stages raise; BudgetSpent only with nothing made."""
    if compares(settings):
        from engine.experiment import run_experiment

        return run_experiment(session, task, settings)
    ending = Ending()
    last = STAGE_NAMES.index(settings.until) if settings.until else len(STAGE_NAMES) - 1
    line = Line(session, task, settings, last)
    mixed_before = _mix_steps(session)
    asks = False
    steps.unlink_steps(session.connection, session.run)
    try:
        if settings.dataset not in ("", NO_DATASET):
            session.data.name(settings.dataset)  # a data set that is not there is said before any model is asked
        if last >= STAGE_NAMES.index("mix"):
            _check_test(session, task, settings)
        if last >= STAGE_NAMES.index("finetune") and finetunes(settings):
            base = session.roles.base()  # as is a model that cannot be trained
            if last >= STAGE_NAMES.index("evaluate") and evaluates(settings, bool(task.test)):
                if asks := session.roles.runs_base():
                    _check_items(task, settings)
                else:
                    text = f"{base.name} is a folder, and llama.cpp asks GGUF files alone: it will be trained and exported, not evaluated"
                    session.event("left-out", text, "evaluate")
        expanded = line.expand()
        candidates = line.candidates_or_none(ending)
        if candidates is not None and last >= STAGE_NAMES.index("schema"):
            line.examples(expanded, candidates, ending)
        if generates(settings) and last >= STAGE_NAMES.index("generate") and not session.spent:
            line.generate(expanded, ending)
    except BudgetSpent:
        if not ending.examples:
            raise Cancelled(
                "the time budget was spent before any example was made", "give it more: --budget 60m; or go on: datatune resume"
            ) from None
    if last < STAGE_NAMES.index("schema") or ending.planned:
        return ending
    if not ending.examples:
        if session.spent:
            raise Cancelled(
                "the time budget was spent before any example was made", "give it more: --budget 60m; or go on: datatune resume"
            )
        raise NothingSuitable("no data set serves this task" + (f": {_few(ending.refusals)}" if ending.refusals else ""), _advice(settings))
    if last >= STAGE_NAMES.index("mix"):
        session.spent = True  # what is left is quick and must not be cut short
        step, ending.mixed = mix(session, task, settings, ending.parts, ending.synthetic, mixed_before)
        if last >= STAGE_NAMES.index("finetune") and finetunes(settings):
            ending.finetuned = finetune(session, task, settings, ending.parts, ending.synthetic, (step, ending.mixed))
        if ending.finetuned and asks:
            ending.evaluated = evaluate(session, task, settings, ending.finetuned)
        if last >= STAGE_NAMES.index("export"):
            folder = Path(settings.export_to) if settings.export_to else None
            ending.exported = export(session, task, settings, ending.parts, folder, ending.synthetic, (step, ending.mixed))
    return ending


def mix(
    session: Session,
    task: Task,
    settings: RunSettings,
    parts: Sequence[Part],
    synthetic: Sequence[SyntheticPart],
    before: Sequence[str] = (),
) -> tuple[str, Mixed]:
    """Make one training set of all parts, as people have reviewed them by now; the step's fingerprint and record.

    `before` are mixes the run had earlier: every review makes another, and none costs much, so those that no run has any more are
    forgotten. Raises NothingSuitable where no example is left.
    """
    from engine.mix.held_out import mark_of_test
    from engine.stages.mix import Given

    options: MixOptions = stage_options("mix", settings.options.get("mix", {}))
    given = Given(
        task=task,
        parts=tuple(parts),
        synthetic=tuple(synthetic),
        reviews=reviews_digest(session.connection, [*(part.step for part in parts), *(part.step for part in synthetic)]),
        test=mark_of_test(task) if options.leakage != "off" else "",
    )
    before = (*before, *_mix_steps(session))
    mixed: Mixed
    step, mixed = run_step(session, stage("mix"), given, options, seed=settings.seed)
    for earlier in before:
        steps.forget_step(session.connection, earlier)
    if not mixed.counts.examples:
        raise NothingSuitable(f"no example is left in the mix: {_left_out(mixed)}", _mix_advice(mixed))
    return step, mixed


def _check_test(session: Session, task: Task, settings: RunSettings) -> None:
    """A test that cannot be read, or whose columns have no names, is said before any model is asked."""
    from engine.mix.held_out import columns_taken, items_of_test

    options: MixOptions = stage_options("mix", settings.options.get("mix", {}))
    if task.test and options.leakage != "off":
        items_of_test(task.test, task.output.labels)
        if told := columns_taken(task.test, task.output.labels):
            session.event("test", told)


def _check_items(task: Task, settings: RunSettings) -> None:
    """As _check_test, of a test whose items a model is to be asked."""
    from engine.evaluate.evaluation import must_be_measurable
    from engine.evaluate.kept import test_of
    from engine.stages.evaluate import Options as EvaluateOptions

    options: EvaluateOptions = stage_options("evaluate", settings.options.get("evaluate", {}))
    must_be_measurable(test_of(task, options.items, options.shuffle, settings.seed), options.by)


def _mix_steps(session: Session) -> list[str]:
    return [step.fingerprint for step in steps.steps_of_run(session.connection, session.run) if step.stage == "mix"]


def finetune(
    session: Session,
    task: Task,
    settings: RunSettings,
    parts: Sequence[Part],
    synthetic: Sequence[SyntheticPart],
    mixed: tuple[str, Mixed],
) -> Finetuned:
    """Train the base model on the mix (its step and record). The time budget is one for making examples, and does not end it."""
    from engine.stages.finetune import Given as FinetuneGiven

    base = session.roles.base()
    session.roles.close()  # training needs the memory
    options = stage_options("finetune", settings.options.get("finetune", {}))
    given = FinetuneGiven(task, tuple(parts), mixed[0], mixed[1], base, tuple(synthetic))
    finetuned: Finetuned
    _, finetuned = run_step(session, stage("finetune"), given, options, seed=settings.seed)
    return finetuned


def evaluate(session: Session, task: Task, settings: RunSettings, finetuned: Finetuned) -> Evaluated:
    """Ask the finetuned model and its base the task's test."""
    from engine.mix.held_out import digest_of_test
    from engine.stages.evaluate import Given as EvaluateGiven

    given = EvaluateGiven(task, digest_of_test(task.test), session.roles.base(), finetuned)
    options = stage_options("evaluate", settings.options.get("evaluate", {}))
    evaluated: Evaluated
    _, evaluated = run_step(session, stage("evaluate"), given, options, seed=settings.seed)
    return evaluated


def export(
    session: Session,
    task: Task,
    settings: RunSettings,
    parts: Sequence[Part],
    folder: Path | None,
    synthetic: Sequence[SyntheticPart],
    mixed: tuple[str, Mixed],
) -> Exported:
    """Write the mix (its step and record) as a training set; also what `datatune export` does for a finished run."""
    from engine.export.model_files import told
    from engine.stages.export import Given as ExportGiven
    from engine.trained import trained_of

    target = folder or session.locations.export_of(task.name, session.run)
    prompts = items.prompts_digest(session.connection, [step.fingerprint for step in _making_steps(session)])
    used = {name: settings.options[name] for name in STAGE_NAMES if name in settings.options and name != "export"}
    models = _models_used(session)
    trained = trained_of(session.connection, session.run)
    if trained:
        session.roles.close()  # trying the model's files needs the memory
    given = ExportGiven(
        task=task,
        parts=tuple(parts),
        synthetic=tuple(synthetic),
        mix=mixed[0],
        mixed=mixed[1],
        folder=str(target),
        models=models,
        options_used=used,
        seed=settings.seed,
        prompts_digest=prompts,
        batched=any(session.roles.batched(role) for role in models if role != "embed"),
        trained=trained,
    )
    options = stage_options("export", settings.options.get("export", {}))
    from engine.context import StepContext

    # Files are written anew each time: a step taken from the store would leave a deleted folder deleted.
    context = StepContext(session, stage("export"), "", "", settings.seed)
    exported: Exported = stage("export").run(given, options, context)
    session.event("exported", told(exported), "export", **msgspec.to_builtins(exported))
    return exported


class Line:
    """The stages of one run, with what they share."""

    def __init__(self, session: Session, task: Task, settings: RunSettings, last: int) -> None:
        self._session = session
        self._task = task
        self._settings = settings
        self._last = last

    def expand(self) -> ExpandedTask:
        """The task in more words."""
        from engine.stages.expand import Given

        _, expanded = self._step("expand", Given(self._task))
        made: ExpandedTask = expanded
        return made

    def candidates_or_none(self, ending: Ending) -> tuple[Candidate, ...] | None:
        """As `candidates`; where none fits but synthetic examples are asked for, there are none to try."""
        try:
            return self.candidates()
        except (NothingSuitable, Unavailable) as error:
            if not generates(self._settings):
                raise
            ending.refusals.append(error.title)
            self._session.event("fell-through", f"{error.title}; synthetic examples stand alone")
            return ()

    def candidates(self) -> tuple[Candidate, ...] | None:
        """Data sets to try in order; None when the run ends before they are known."""
        from engine.stages.rerank import Given as RerankGiven
        from engine.stages.retrieve import Given as RetrieveGiven

        if self._settings.dataset == NO_DATASET:
            return ()
        if self._settings.dataset:
            return (Candidate(self._settings.dataset, 1, 1.0, ("named by you",)),)
        if self._last < STAGE_NAMES.index("retrieve"):
            return None
        found: Candidates
        _, found = self._step("retrieve", RetrieveGiven(self._task, self._session.catalog.state_digest()))
        if self._last < STAGE_NAMES.index("rerank"):
            return None
        ranking: Ranking
        _, ranking = self._step("rerank", RerankGiven(self._task, found))
        if ranking.none_fits:
            raise NothingSuitable(f"no data set serves this task: {ranking.reason}", _advice(self._settings))
        return ranking.candidates

    def examples(self, expanded: ExpandedTask, candidates: tuple[Candidate, ...], ending: Ending) -> None:
        """Candidate after candidate until there are enough examples."""
        options: ExecuteOptions = stage_options("execute", self._settings.options.get("execute", {}))
        mix_options: MixOptions = stage_options("mix", self._settings.options.get("mix", {}))
        for candidate in candidates[:MOST_TRIED]:
            wanted = options.examples - ending.examples
            if wanted <= 0 or len(ending.parts) >= MOST_DATASETS or self._session.spent:
                return
            if (related := related_source(candidate.dataset, "", mix_options.benchmarks)).related and not self._settings.dataset:
                text = f"{candidate.dataset}: {related.reason}; nothing of it may be in the examples"
                self._session.event("left-out", text)
                ending.refusals.append(text)
                continue
            yours = bool(self._settings.plan_of(candidate.dataset))
            if not yours and not _akin(candidate, candidates, ending, self._task):
                text = f"{candidate.dataset} is much less like the task than the nearest; no examples beat wrong ones"
                self._session.event("left-out", text)
                ending.refusals.append(text)
                continue
            try:
                part = self._candidate(expanded, candidate, wanted, ending)
            except (NothingSuitable, Unavailable, BadInput, StageFailed) as error:
                if self._settings.dataset or (yours and isinstance(error, BadInput)):
                    raise
                self._fall_through(candidate, error, ending)
                continue
            if part is not None and part.take:
                ending.parts.append(part)
            elif part is not None:
                self._fall_through(candidate, NothingSuitable(_why_none(part.made)), ending)
            if part is None:
                ending.planned = True
                return

    def generate(self, expanded: ExpandedTask, ending: Ending) -> None:
        """Synthetic examples, from the task alone."""
        from engine.stages.generate import Given

        generated: Generated
        step, generated = self._step("generate", Given(self._task, expanded))
        if generated.examples:
            ending.synthetic.append(SyntheticPart(step, generated, generated.examples))
        else:
            worst = generated.saturated or next(iter(generated.reasons), "nothing was asked")
            ending.refusals.append(f"no synthetic example came of {generated.units:,} asked for; {worst}")

    def plan(self, expanded: ExpandedTask, dataset: str, label: str) -> PlanChoice | None:
        """How the data set's rows become examples; None where the run ends before that is known. `label` names its steps."""
        from engine.stages.plan import Given as PlanGiven
        from engine.stages.schema import Given as SchemaGiven

        revision, mine = self._session.data.revision(dataset), self._settings.plan_of(dataset)
        schema: SchemaSelection
        _, schema = self._step("schema", SchemaGiven(self._task, dataset, revision, mine), label)
        if self._last < STAGE_NAMES.index("plan"):
            return None
        choice: PlanChoice
        before = () if mine else plans_applied(self._session.connection, self._session.run, dataset)
        _, choice = self._step("plan", PlanGiven(self._task, expanded, schema, revision, mine, before), label)
        return choice

    def _candidate(self, expanded: ExpandedTask, candidate: Candidate, wanted: int, ending: Ending) -> Part | None:
        from engine.stages.execute import Given as ExecuteGiven

        name = candidate.dataset
        revision, label = self._session.data.revision(name), self._session.data.name(name)
        for file in self._session.data.unread(name):
            self._session.event("unread", f"{label}: {file}")
        choice = self.plan(expanded, name, label)
        if choice is None:
            return None
        first = ending.parts[0].choice if ending.parts else None
        yours = bool(self._settings.plan_of(name))
        if first and not yours and choice.score < first.score - SCORE_MARGIN:
            raise NothingSuitable(f"{name}: its plan scores {choice.score:.2f}, the first data set's {first.score:.2f}; left out")
        if self._last < STAGE_NAMES.index("execute"):
            return None
        made: Made
        step, made = self._step("execute", ExecuteGiven(self._task, expanded, choice, revision, wanted), label)
        return Part(step, choice, made, made.examples)

    def _fall_through(self, candidate: Candidate, error: EngineError, ending: Ending) -> None:
        name = Path(candidate.dataset).name if Path(candidate.dataset).is_absolute() else candidate.dataset
        ending.refusals.append(error.title if name in error.title else f"{name}: {error.title}")
        self._session.event("fell-through", ending.refusals[-1], candidate=name)

    def _step(self, name: str, given: Any, candidate: str = "") -> tuple[str, Any]:
        options = stage_options(name, self._settings.options.get(name, {}))
        self._session.check()
        return run_step(self._session, stage(name), given, options, candidate, self._settings.seed)


def _akin(candidate: Candidate, candidates: tuple[Candidate, ...], ending: Ending, task: Task) -> bool:
    """Whether a data set is near enough to the task to be tried.

    One after the first must be about as near as those that gave examples, the first about as near as the nearest there is; less so
    for labels and options, which prove themselves on the rows, while two texts of the right form may be about anything.
    """
    used = {part.choice.dataset for part in ending.parts}
    nearest = max((c.likeness or 0.0 for c in candidates if not used or c.dataset in used), default=0.0)
    share = AKIN if used or task.output.kind == "text" else AKIN_LABELS
    return candidate.preferred or candidate.likeness is None or candidate.likeness >= share * nearest


def _models_used(session: Session) -> dict[str, Identity]:
    """Role → model for every role whose model answered a call of this run."""
    used: dict[str, Identity] = {}
    for step in _making_steps(session):
        if items.calls_of_step(session.connection, step.fingerprint).calls:
            used |= {role: session.roles.identity(role) for role in stage(step.stage).roles}
    if session.roles.spec("retry") == session.roles.spec("execute"):
        used.pop("retry", None)
    return used


def _making_steps(session: Session) -> list[steps.Step]:
    """The run's steps that had a part in its examples: what is asked of a trained model afterwards had none."""
    made = STAGE_NAMES[: STAGE_NAMES.index("mix") + 1]
    return [step for step in steps.steps_of_run(session.connection, session.run) if step.stage in made]


def _why_none(made: Made) -> str:
    worst = next(iter(made.reasons), "no rows")
    return f"no example came of {made.units:,} units; most often {worst}"


def _left_out(mixed: Mixed) -> str:
    from engine.mix.offered import WORDS

    counts = mixed.counts
    reasons = sorted(WORDS, key=lambda reason: -int(getattr(counts, reason)))
    return "; ".join(f"{getattr(counts, reason):,} {WORDS[reason]}" for reason in reasons if getattr(counts, reason))


def _mix_advice(mixed: Mixed) -> str:
    if mixed.counts.leaked:
        return "these data sets hold your test: use others, or another test; datatune show RUN mix"
    return "see why, and the options that decide it: datatune show RUN mix; datatune options mix"


def _few(refusals: list[str]) -> str:
    shown = "; ".join(refusals[:2])
    return shown + (f"; and {len(refusals) - 2} more (datatune show RUN)" if len(refusals) > 2 else "")


def _advice(settings: RunSettings) -> str:
    if settings.dataset == NO_DATASET:
        return (
            "ask for synthetic examples (--synthetic 500), with a stronger model if these did not come out well, or let a data set be found"
        )
    if settings.dataset:
        return "try another data set, a plan of your own (--plan FILE), or --set plan.mode=prose"
    return "add data that does (datatune catalog add FOLDER), or name one: --dataset ID_OR_FOLDER"
