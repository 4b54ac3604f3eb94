"""An experiment: several ways to come to a model for one task, each trained on as many examples, all asked the same test.

Steps are shared: data is found, planned, executed and generated once, and every arm takes its part of it. All arms' data passes one
decontamination (the mix's) before the first is trained. Everything is a step of an ordinary run, so a kill costs what one step loses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from engine.config import stage_options
from engine.errors import BadInput, Cancelled, NothingSuitable
from engine.evaluate.evaluation import must_be_measurable, note_on_lengths
from engine.evaluate.items import Test
from engine.evaluate.kept import test_of
from engine.mix.held_out import columns_taken, digest_of_test, mark_of_test
from engine.pipeline import Ending, Line
from engine.plan.as_is import as_it_stands
from engine.plan.file import plan_digest
from engine.quality.leakage import find_leakage
from engine.records import Finetuned, MixCounts, Mixed, Output, Part, PlanChoice, SyntheticPart, Task, TaskExample
from engine.runner import run_step
from engine.session import BudgetSpent, Session
from engine.stages import STAGE_NAMES, stage
from engine.stages.compare import UNTRAINED, ArmGiven, ArmName, ArmStep
from engine.stages.compare import Given as CompareGiven
from engine.stages.compare import Options as CompareOptions
from engine.stages.evaluate import Given as EvaluateGiven
from engine.stages.evaluate import Options as EvaluateOptions
from engine.stages.execute import Given as ExecuteGiven
from engine.stages.finetune import Given as FinetuneGiven
from engine.stages.mix import Given as MixGiven
from engine.store import steps
from engine.store.reviews import reviews_digest
from engine.store.runs import AS_THEY_STAND, RunSettings

OFFERED = 1.25
"""Rows turned into examples for each that an arm is to have: some are in the test, or say the same as others."""
WRITTEN = 1.05
"""Synthetic examples for each that an arm is to have: repeats are left out while they are written, and each costs seconds."""
FROM_ROWS = ("existing", "transformed", "mix", "shuffled", "prose")


class _Data(NamedTuple):
    """What one arm is trained on."""

    parts: tuple[Part, ...] = ()
    synthetic: tuple[SyntheticPart, ...] = ()
    share: float | None = None
    """Of synthetic examples."""
    control: str = ""


class _Mix(NamedTuple):
    step: str
    mixed: Mixed


def run_experiment(session: Session, task: Task, settings: RunSettings) -> Ending:
    """All arms of `compare.arms`. Raises BadInput before anything is asked where the experiment cannot be made, NothingSuitable where an
    arm has no data."""
    try:
        return _Experiment(session, task, settings).run()
    except BudgetSpent:
        raise Cancelled(
            "the time budget was spent before every arm had its examples", f"give it more: datatune resume {session.run} --budget 2h"
        ) from None


class _Experiment:
    def __init__(self, session: Session, task: Task, settings: RunSettings) -> None:
        self._session = session
        self._task = task
        self._settings = settings
        self._options: CompareOptions = stage_options("compare", settings.options.get("compare", {}))
        self._ending = Ending()
        self._told: list[str] = []

    def run(self) -> Ending:
        options, session = self._options, self._session
        if not self._task.test:
            raise BadInput("a comparison needs a test", "give the task one: test = … in the task file, with input and output in each row")
        digest = digest_of_test(self._task.test)
        asked: EvaluateOptions = self._stage_options("evaluate")
        # What cannot be read, trained or asked is said before any model is asked.
        test = test_of(self._task, asked.items, asked.shuffle, self._settings.seed)
        must_be_measurable(test, asked.by)
        if taken := columns_taken(self._task.test, self._task.output.labels):
            session.event("test", taken)
        if lengths := note_on_lengths(test, asked.by):
            session.event("lengths", lengths)
        base = session.roles.base()
        if not session.roles.runs_base():
            raise BadInput(f"{base.name} is a folder, and llama.cpp asks GGUF files alone", "compare with one: --base MODEL.gguf")
        as_given, self._task = self._task, self._without(test)
        steps.unlink_steps(session.connection, session.run)
        data = self._data()
        session.spent = True  # a time budget is one for making examples
        mixes = self._mixes(data)
        wanted = [name for name in options.arms if name in UNTRAINED or name in data]
        arms = tuple(self._arm(name, data.get(name, _Data()), mixes, digest) for name in wanted)
        given = CompareGiven(as_given, digest, arms, asked.items, asked.shuffle, asked.by, tuple(self._told))
        _, self._ending.compared = self._step("compare", given)
        return self._ending

    def _without(self, test: Test) -> Task:
        """The task without those of its own examples that its test holds: plans are found, and examples written, by them."""
        leaks = find_leakage(self._task.examples, [TaskExample(item.input, item.answer) for item in test.items])
        kept = tuple(one for place, one in enumerate(self._task.examples) if place not in leaks.removed)
        if self._task.examples and not kept:
            raise BadInput("all of the task's own examples are items of its test", "give the task others")
        if leaks.removed:
            text = f"{len(leaks.removed)} of the task's examples are items of the test: nothing is found, planned or written by them"
            self._session.event("left-out", text)
        return msgspec.structs.replace(self._task, examples=kept)

    # ── data ──────────────────────────────────────────────────────────────────────────────────────────────

    def _data(self) -> dict[ArmName, _Data]:
        """Data of every arm that is trained on some; each step done once, whichever arms take it."""
        arms = self._options.arms
        settings = self._offering()
        line = Line(self._session, self._task, settings, STAGE_NAMES.index("mix"))
        expanded = line.expand()
        ending = self._ending
        if any(arm in FROM_ROWS for arm in arms):
            found = line.candidates()
            line.examples(expanded, found or (), ending)
            self._must_have_time()
            if not ending.parts:
                raise NothingSuitable(f"no data set serves this task: {'; '.join(ending.refusals[:2])}", "name one: --dataset ID_OR_FOLDER")
        rows = tuple(ending.parts)
        found_data: dict[ArmName, _Data] = {}
        # What comes of rows is known in a moment, what a model writes in hours.
        for arm, make in (("existing", self._existing), ("prose", lambda parts: self._prose(parts, expanded))):
            if arm not in arms:
                continue
            try:
                found_data[arm] = _Data(make(rows))
            except NothingSuitable as error:
                self._must_have_time()
                self._told.append(f"no arm {arm}: {error.title}")
                self._session.event("left-out", self._told[-1])
        if "synthetic" in arms or "mix" in arms:
            writing = self._writing(self._most(rows, found_data))
            Line(self._session, self._task, writing, STAGE_NAMES.index("mix")).generate(expanded, ending)
            self._must_have_time()
            if not ending.synthetic:
                raise NothingSuitable(ending.refusals[-1], "with a stronger model it may do: --model generate=…")
        written = tuple(ending.synthetic)
        for arm in arms:
            if arm == "transformed":
                found_data[arm] = _Data(rows)
            elif arm == "shuffled":
                found_data[arm] = _Data(rows, control="shuffled")
            elif arm == "synthetic":
                found_data[arm] = _Data((), written)
            elif arm == "mix":
                found_data[arm] = _Data(rows, written, 0.5)
            elif arm == "own":
                found_data[arm] = _Data(control="own")
        return found_data

    def _must_have_time(self) -> None:
        """A step that the budget ended has fewer examples than it could have: arms of such would all be small."""
        if self._session.spent:
            raise BudgetSpent("the time budget is spent")

    def _offering(self) -> RunSettings:
        """The run's settings, with as many examples to make of rows as the arms need."""
        halved = 1 if set(self._options.arms) & {"existing", "transformed", "shuffled", "prose"} else 2
        return self._making("execute", math.ceil(self._options.examples * OFFERED / halved))

    def _writing(self, each: int) -> RunSettings:
        """As `_offering`, of synthetic examples for arms of `each`."""
        return self._making("generate", math.ceil(each * WRITTEN / (1 if "synthetic" in self._options.arms else 2)))

    def _making(self, name: str, examples: int) -> RunSettings:
        options = self._settings.options
        return msgspec.structs.replace(self._settings, options={**options, name: {**options.get(name, {}), "examples": examples}})

    def _most(self, rows: tuple[Part, ...], made: dict[ArmName, _Data]) -> int:
        """How many examples an arm can have by what came of rows: all have as many, so a model need not write more."""
        options = self._options
        came = sum(part.take for part in rows)
        offered = {name: sum(part.take for part in one.parts) for name, one in made.items()}
        offered |= {name: 2 * came if name == "mix" else came for name in options.arms if name in ("transformed", "mix", "shuffled")}
        enough = {name: offer for name, offer in offered.items() if offer >= max(options.least, 1)}
        short = min(enough, key=lambda name: enough[name], default=None)
        if short is None or enough[short] >= options.examples:
            return options.examples
        text = f"{enough[short]:,} examples at most came of rows for the arm {short}: no arm will have the {options.examples:,} asked for"
        hint = "leave out arms that have few: --arms, or --set compare.least=N" if len(set(enough.values())) > 1 else ""
        self._session.event("fewer", f"{text}; {hint}" if hint else text)
        return enough[short]

    def _existing(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The parts that come of the data sets as they stand. Raises NothingSuitable where none does."""
        made, refusals = [], []
        for part in parts:
            try:
                made.append(self._as_it_stands(part))
            except NothingSuitable as error:
                refusals.append(error)
        if not made:
            raise refusals[0]
        return tuple(made)

    def _as_it_stands(self, part: Part) -> Part:
        """The same data set's columns without any transformation; any output will do, for nothing makes it one of the task's."""
        choice = part.choice
        source = self._session.data.rows(choice.dataset, choice.config, choice.splits[0])
        plan = as_it_stands(choice.plan, source.columns)
        bare = PlanChoice(choice.dataset, choice.config, choice.splits, plan, plan_digest(plan), 0.0, plan.reasons)
        return self._executed(bare, msgspec.structs.replace(self._task, output=Output()), part.made.examples, AS_THEY_STAND)

    def _prose(self, parts: tuple[Part, ...], expanded: Any) -> tuple[Part, ...]:
        """The published method on the same data sets: a model writes steps in prose, and follows them row by row."""
        made = []
        for part in parts:
            name = part.choice.dataset
            label = f"{self._session.data.name(name)}, prose"
            line = Line(self._session, self._task, self._in_prose(), STAGE_NAMES.index("mix"))
            choice = line.plan(expanded, name, label)
            assert choice is not None, "its line ends after plan"
            made.append(self._executed(choice, self._task, part.made.examples, ", prose"))
        return tuple(made)

    def _executed(self, choice: PlanChoice, task: Task, wanted: int, ending: str) -> Part:
        from engine.records import ExpandedTask

        label = f"{self._session.data.name(choice.dataset)}{ending}"
        revision = self._session.data.revision(choice.dataset)
        plain = ExpandedTask(task.description, "user")
        step, made = self._step("execute", ExecuteGiven(task, plain, choice, revision, wanted), label)
        self._must_have_time()
        if not made.examples:
            raise NothingSuitable(f"{label}: no example came of it", "leave that arm out: --arms")
        return Part(step, choice, made, made.examples)

    # ── one decontamination, equal sizes ──────────────────────────────────────────────────────────────────

    def _mixes(self, data: dict[ArmName, _Data]) -> dict[tuple[str, int], _Mix]:
        """The mix of each arm and seed, all with as many examples; why there are fewer than were asked for is told, if so.

        Arms with fewer than `compare.least` are taken out of `data`.
        """
        wanted = self._options.examples
        arms = {name: one for name, one in data.items() if one.control != "own"}
        mixes: dict[tuple[str, int], _Mix] = {}
        shortest: dict[str, None] = {}
        while True:
            for name, one in arms.items():
                for seed in range(self._options.seeds):
                    mixes[name, seed] = self._mix(name, one, wanted, seed)
            sizes = {name: mixes[name, 0].mixed.counts.examples for name in arms}
            if nothing := [name for name, size in sizes.items() if not size and not self._options.least]:
                why = _most(mixes[nothing[0], 0].mixed.counts)
                raise NothingSuitable(f"the arm {nothing[0]} has no example: {why}", "leave it out: --arms")
            # Once, while they are as large as they can be: afterwards all are made as small as the smallest.
            first = wanted == self._options.examples
            for name in [name for name, size in sizes.items() if first and size < self._options.least]:
                self._told.append(f"no arm {name}: {sizes.pop(name):,} examples, not the {self._options.least:,} that an arm must have")
                self._session.event("left-out", self._told[-1])
                del arms[name], data[name]
                for seed in range(self._options.seeds):
                    steps.unlink_step(self._session.connection, self._session.run, mixes.pop((name, seed)).step)
                if not arms:
                    raise NothingSuitable(self._told[-1], "ask for fewer: --set compare.least=N")
            least = min(sizes.values(), default=wanted)
            if least == wanted or not sizes:
                if least < self._options.examples:
                    self._told.append(f"{least:,} examples an arm, not {self._options.examples:,}: {', '.join(shortest)} had no more")
                return mixes
            short = min(sizes, key=lambda name: sizes[name])
            shortest[short] = None
            # A mix is half of each: its size falls by two.
            least = max(0, least - (least % 2 if "mix" in arms else 0))
            if not least:
                raise NothingSuitable(f"the arm {short} has no examples left", "see why: datatune show RUN mix; or leave it out: --arms")
            for too_large in mixes.values():
                steps.unlink_step(self._session.connection, self._session.run, too_large.step)
            wanted = least

    def _mix(self, name: str, data: _Data, total: int, seed: int) -> _Mix:
        sources = [*(part.step for part in data.parts), *(part.step for part in data.synthetic)]
        reviews = reviews_digest(self._session.connection, sources)
        given = MixGiven(self._task, data.parts, data.synthetic, reviews, mark_of_test(self._task))
        options = msgspec.structs.replace(self._stage_options("mix"), total=total, synthetic_share=data.share, leakage="remove")
        if name == "existing":
            # Nothing was made for the task: its languages and its copies are what it is.
            options = msgspec.structs.replace(options, near_duplicates=0.0, languages="report", balance=False)
        self._session.check()
        step, mixed = run_step(self._session, stage("mix"), given, options, self._label(name, seed), self._settings.seed + seed)
        return _Mix(step, mixed)

    # ── train and ask ─────────────────────────────────────────────────────────────────────────────────────

    def _arm(self, name: ArmName, data: _Data, mixes: dict[tuple[str, int], _Mix], test: str) -> ArmGiven:
        if name in UNTRAINED:
            step, evaluated = self._evaluate(None, name, test)
            choice = evaluated.evaluation.models[0].choice
            return ArmGiven(name, f"the base model, prompted off the test: {choice.setting}, {choice.why}", (ArmStep(step, evaluated),))
        seeds = tuple(self._trained(name, data, mixes, seed, test) for seed in range(self._options.seeds))
        return ArmGiven(name, _what(name, seeds[0].finetuned), seeds)

    def _trained(self, name: ArmName, data: _Data, mixes: dict[tuple[str, int], _Mix], seed: int, test: str) -> ArmStep:
        mix = mixes.get((name, seed))
        options = self._stage_options("finetune")
        if data.control == "own":
            # As many steps as the others, however few its examples.
            options = msgspec.structs.replace(options, steps=options.steps or self._steps_of_others(options, mixes))
        base = self._session.roles.base()
        self._session.roles.close()  # training needs the memory
        given = FinetuneGiven(
            self._task,
            data.parts,
            mix.step if mix else "",
            mix.mixed if mix else Mixed(()),
            base,
            data.synthetic,
            control=data.control,  # type: ignore[arg-type]
        )
        label = self._label(name, seed)
        finetuned: Finetuned
        _, finetuned = run_step(self._session, stage("finetune"), given, options, label, self._settings.seed + seed)
        step, evaluated = self._evaluate(finetuned, label, test)
        return ArmStep(step, evaluated, mix.step if mix else "", mix.mixed if mix else None, finetuned)

    def _evaluate(self, finetuned: Finetuned | None, label: str, test: str) -> tuple[str, Any]:
        given = EvaluateGiven(self._task, test, self._session.roles.base(), finetuned, alone=finetuned is not None)
        return self._step("evaluate", given, label)

    def _steps_of_others(self, options: Any, mixes: dict[tuple[str, int], _Mix]) -> int:
        train = max((one.mixed.counts.train for one in mixes.values()), default=self._options.examples)
        return int(options.epochs * math.ceil(math.ceil(train / options.batch) / options.accumulation))

    # ── small things ──────────────────────────────────────────────────────────────────────────────────────

    def _label(self, name: str, seed: int) -> str:
        return f"{name}, seed {self._settings.seed + seed}" if seed else name

    def _stage_options(self, name: str) -> Any:
        return stage_options(name, self._settings.options.get(name, {}))

    def _in_prose(self) -> RunSettings:
        given = self._settings.options
        options = {**given, "plan": {**given.get("plan", {}), "mode": "prose"}}
        return msgspec.structs.replace(self._settings, plan="", plans={}, options=options)

    def _step(self, name: str, given: Any, candidate: str = "") -> tuple[str, Any]:
        self._session.check()
        return run_step(self._session, stage(name), given, self._stage_options(name), candidate, self._settings.seed)


def _what(name: ArmName, trained: Finetuned | None) -> str:
    count = f"{trained.examples + trained.validation:,}" if trained else "no"
    return {
        "existing": f"{count} rows, columns as they stand",
        "synthetic": f"{count} synthetic examples",
        "transformed": f"{count} transformed examples",
        "mix": f"{count} examples, half transformed and half synthetic",
        "shuffled": f"{count} transformed examples, outputs shuffled: what form alone teaches",
        "own": f"the task's own {count} examples, for as many steps, of which the last is kept: there is no validation",
        "prose": f"{count} examples made by prose followed row by row",
        "few-shot": "",
    }[name]


def _most(counts: MixCounts) -> str:
    return ", ".join(_reasons(counts)) or "nothing was offered"


def _reasons(counts: MixCounts) -> Iterator[str]:
    from engine.mix.offered import WORDS

    for reason, words in WORDS.items():
        if number := getattr(counts, reason):
            yield f"{number:,} {words}"
