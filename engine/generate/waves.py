"""The order in which everything is asked: waves, each shown what waves some way before it made.

A wave's prompts depend on units of waves before it and on the seed, never on which answer came first; its units are settled together, in
their order, when all of its answers are there. While one wave's last answers come in, the next two are being asked, so a batching
runtime is kept fed. A run that goes on asks a wave that was half stored once more: its answers are known and cost nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import msgspec

from engine.generate.checks import Checks
from engine.generate.collection import Collection, request_seed, temperature_at
from engine.generate.form import Filled, Form
from engine.generate.repeats import majority
from engine.generate.topics import Topics
from engine.prompts.generate import vote_messages, write_messages
from engine.records import Example, ExpandedTask, Task, Value, written_by
from engine.stage import Context, Outcome
from models.language import Completion, Request, Sampling

WAVE = 32
LEAST_WAVE = 8
SHARE_OF_ALL = 12
"""A run of few examples has waves of a twelfth of them, so that later ones see what earlier ones made."""
BEHIND = 3
"""A wave is shown what was made up to the third one before it; so many are under way at once."""
ROLE = "generate"
VOTE_TEMPERATURE = 0.7


class Settings(Value):
    """How to ask; see the options of generate."""

    wanted: int
    temperature_from: float
    temperature_to: float
    min_p: float
    demonstrations: int
    balance: bool
    votes: int
    batch: int
    max_tokens: int
    saturation: float

    @property
    def calls(self) -> int:
        """Calls in a wave."""
        units = max(LEAST_WAVE, min(WAVE, self.wanted // SHARE_OF_ALL))
        return max(1, units // self.batch)

    @property
    def wave(self) -> int:
        """Units in a wave."""
        return self.calls * self.batch

    @property
    def most(self) -> int:
        """Units after which a run ends whatever comes."""
        return 5 * self.wanted + 500


class _Unit:
    """One example that was asked for."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pulled = False
        """Its outcome is wanted; else it is stored already, and here only for what its wave depends on."""
        self.raw = ""
        self.fault: tuple[str, str] | None = None
        """State and reason, of one that is no example."""
        self.text = self.output = self.key = ""
        self.says = ""
        """What its output means, whatever the order of options."""
        self.filled: Filled | None = None
        self.votes: Counter[str] = Counter()


class _Wave:
    def __init__(self, number: int) -> None:
        self.number = number
        self.units: dict[int, _Unit] = {}
        self.waiting = 0
        """Answers to come."""
        self.whole = False
        """All its units are there."""
        self.labels: list[str] = []
        self.shown: list[tuple[tuple[str, ...], str]] = []
        self.temperature = 0.0


def unit_key(number: int) -> str:
    """A unit's key."""
    return f"{number:07d}"


class Waves:
    """One step's asking. `over` is true when there is enough, or nothing new to come (`saturated` says why)."""

    def __init__(
        self,
        task: Task,
        expanded: ExpandedTask,
        topics: Topics,
        settings: Settings,
        form: Form,
        collection: Collection,
        ctx: Context,
    ) -> None:
        self.over = False
        self.saturated = ""
        self.exhausted = False
        """So many units were asked for that no more are."""
        self._task = task
        self._description = expanded.description
        self._topics = topics
        self._settings = settings
        self._form = form
        self._checks = Checks(task, form)
        self._collection = collection
        self._ctx = ctx
        self._model = ctx.model(ROLE).identity.name
        self._steers = settings.balance and task.output.kind == "label"
        self._dead: set[int] = set()
        self._waves: deque[_Wave] = deque()
        self._planned: dict[int, list[str]] = {}
        self._wanted_before: dict[int, Counter[str]] = {}
        """Wave → how often each label was wanted in those before it."""
        self._settled = -1
        """The last wave that is settled whole."""
        self._next: int | None = None
        """The unit after the last one that is there; None before the first."""

    def units(self) -> Iterator[int]:
        """Units without end, until it is over."""
        number = 0
        while not self.over and number < self._settings.most:
            yield number
            number += 1
        self.exhausted = not self.over

    def through(self, pending: Iterator[int]) -> Iterator[tuple[str, Outcome]]:
        """Ask for each unit, and settle them in order."""
        outcomes: deque[tuple[str, Outcome]] = deque()
        asked: deque[tuple[Request, Callable[[Completion], None]]] = deque()
        waiting: dict[str, Callable[[Completion], None]] = {}
        held: list[int] = []

        def requests() -> Iterator[Request | None]:
            while not self.over:
                while asked:
                    request, then = asked.popleft()
                    waiting[request.key] = then
                    yield request
                if not held:
                    if (number := next(pending, None)) is None:
                        if not waiting:
                            return
                        yield None
                        continue
                    held.append(number)
                if self._may_begin(held[0] // self._settings.wave, outcomes):
                    if not self.over:
                        self._enter(held.pop(), asked)
                elif waiting:
                    yield None
                else:
                    raise AssertionError("a wave waits for nothing")

        while True:
            stream = requests()
            first = next(stream, None)
            if first is None:
                break
            for completion in self._ctx.complete(ROLE, chain([first], stream)):
                waiting.pop(completion.key)(completion)
                self._settle(outcomes)
                yield from _all_of(outcomes)
                if self.over:
                    return
        self._settle(outcomes, everything=True)
        yield from _all_of(outcomes)

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────

    def _may_begin(self, wave: int, outcomes: deque[tuple[str, Outcome]]) -> bool:
        """Whether all that this wave's prompts depend on is settled."""
        if self._next is None:
            self._recall(wave)
        if self._waves and wave > self._waves[-1].number:
            self._waves[-1].whole = True
            self._settle(outcomes)
        return self._settled >= wave - BEHIND

    def _recall(self, wave: int) -> None:
        """Take up what is stored of the waves before this one."""
        start = wave * self._settings.wave
        for item in self._ctx.items("accepted"):
            if int(item.key) < start:
                example = msgspec.json.decode(item.result, type=Example)
                self._collection.accept(int(item.key), example.input, example.output)
        self._dead = {int(item.key) for item in self._ctx.items("failed") if not item.result}
        self._settled = wave - 1
        self._next = start
        for earlier in range(wave):
            self._plan(earlier)
        self._judge(start)

    def _enter(self, number: int, asked: deque[tuple[Request, Callable[[Completion], None]]]) -> None:
        """Ask for a unit, and again for those before it that are stored: what is known of its wave costs nothing."""
        assert self._next is not None
        for passed in range(min(self._next, number), number + 1):
            wave = self._wave_of(passed)
            unit = wave.units.get(passed)
            if unit is None:
                self._ask(wave, passed // self._settings.batch, asked)
                unit = wave.units[passed]
            if passed == number:
                unit.pulled = True
        self._next = max(self._next, number + 1)
        if self._next % self._settings.wave == 0:
            self._waves[-1].whole = True

    def _wave_of(self, unit: int) -> _Wave:
        number = unit // self._settings.wave
        if not self._waves or self._waves[-1].number < number:
            wave = _Wave(number)
            upto = max(0, number - BEHIND + 1) * self._settings.wave
            wave.labels = self._plan(number)
            wave.shown = self._fitting(self._collection.demonstrations(number, upto, self._settings.demonstrations))
            share = number * self._settings.wave / max(1, self._settings.wanted - 1)
            wave.temperature = temperature_at(share, self._settings.temperature_from, self._settings.temperature_to)
            self._waves.append(wave)
        return next(wave for wave in self._waves if wave.number == number)

    def _plan(self, wave: int) -> list[str]:
        """The labels of a wave, from what is accepted up to where it looks and what the waves since were to be."""
        if not self._steers:
            return []
        upto = max(0, wave - BEHIND + 1)
        planned = [label for one in range(upto, wave) for label in self._planned.get(one, [])]
        self._planned[wave] = self._collection.due(wave, upto * self._settings.wave, planned, self._settings.wave)
        before = self._wanted_before.get(wave, Counter())
        self._wanted_before[wave + 1] = before + Counter(self._planned[wave])
        self._wanted_before.setdefault(wave, before)
        return self._planned[wave]

    def _turn(self, wave: _Wave, place: int, call: int) -> int:
        """How many calls came before this one that choose from the same topics."""
        if not self._steers or self._settings.batch > 1:
            return call
        label = wave.labels[place]
        return self._wanted_before[wave.number][label] + wave.labels[:place].count(label)

    def _fitting(self, shown: list[tuple[tuple[str, ...], str]]) -> list[tuple[tuple[str, ...], str]]:
        """As many demonstrations as the context has room for beside the rest."""
        model = self._ctx.model(ROLE)
        room = model.context_length - self._settings.max_tokens * self._settings.batch - model.count_tokens(self._description[:2500]) - 300
        kept = []
        for outputs, answer in shown:
            room -= model.count_tokens(answer) + 30
            if room < 0:
                break
            kept.append((outputs, answer))
        return kept

    def _ask(self, wave: _Wave, call: int, asked: deque[tuple[Request, Callable[[Completion], None]]]) -> None:
        batch, seed = self._settings.batch, self._ctx.seed
        first = call * batch
        units = [_Unit(number) for number in range(first, first + batch)]
        wave.units |= {unit.number: unit for unit in units}
        if self._dead & set(range(first, first + batch)):
            for unit in units:
                unit.fault = ("failed", "its call ended the engine before")
            return
        place = first - wave.number * self._settings.wave
        outputs = wave.labels[place : place + batch]
        key = unit_key(first)
        sampling = Sampling(
            temperature=wave.temperature,
            min_p=self._settings.min_p,
            seed=request_seed(seed, key),
            max_tokens=self._settings.max_tokens * batch,
        )
        topic = self._topics.of(self._turn(wave, place, call), outputs, seed)
        messages = write_messages(self._description, self._task.output.labels, wave.shown, outputs, batch, topic)
        request = Request(key, messages, self._form.schema(outputs, key, seed, batch), sampling)
        wave.waiting += 1

        def answered(completion: Completion) -> None:
            wave.waiting -= 1
            self._read(units, completion)
            if self._settings.votes and self._form.closed:
                for unit in units:
                    if not unit.fault:
                        self._ask_votes(wave, unit, asked)

        asked.append((request, answered))

    def _read(self, units: Sequence[_Unit], completion: Completion) -> None:
        for unit in units:
            unit.raw = completion.text or completion.error
        if completion.finish != "stop":
            reason = "the answer was cut off by length" if completion.finish == "length" else f"no answer: {completion.error}"
            for unit in units:
                unit.fault = ("failed", reason)
            return
        filled = self._form.read(completion.text, len(units))
        if filled is None:
            for unit in units:
                unit.fault = ("failed", "the answer is not of the form asked for")
            return
        for unit, one in zip(units, filled, strict=True):
            self._check(unit, one)

    def _check(self, unit: _Unit, filled: Filled) -> None:
        if fault := self._checks.fault(filled):
            unit.fault = ("rejected", fault)
            return
        unit.text, unit.output = self._form.render(filled, unit_key(unit.number), self._ctx.seed)
        if not self._form.holds(filled, unit.text, unit.output):
            unit.fault = ("rejected", "a part of it holds what separates the parts")
            return
        unit.key = self._collection.key(unit.text, unit.output)
        unit.filled = filled
        unit.says = self._form.said_by(unit.text, unit.output)
        unit.votes[unit.says] += 1

    def _ask_votes(self, wave: _Wave, unit: _Unit, asked: deque[tuple[Request, Callable[[Completion], None]]]) -> None:
        """Each vote sees the options in an order of its own: who likes one place votes for no option, and for no place in the end."""
        assert unit.filled is not None
        for vote in range(self._settings.votes):
            key = f"{unit_key(unit.number)}#{vote}"
            text, _ = self._form.render(unit.filled, key, self._ctx.seed)
            allowed = self._form.outputs_of(text) or list(self._task.output.labels)
            schema = {"enum": allowed} if allowed else {"type": "string", "minLength": 1}
            temperature = VOTE_TEMPERATURE if self._settings.votes > 1 else 0.0
            sampling = Sampling(temperature=temperature, seed=request_seed(self._ctx.seed, key), max_tokens=self._settings.max_tokens)
            wave.waiting += 1

            def answered(completion: Completion, shown: str = text) -> None:
                wave.waiting -= 1
                if completion.finish == "stop" and (said := self._form.said_by(shown, _text_in(completion.text))):
                    # Texts that say the same in other signs are one vote.
                    unit.votes[next((known for known in unit.votes if _alike(known, said)), said)] += 1

            asked.append((Request(key, vote_messages(self._task, text), schema, sampling), answered))

    # ── settling ──────────────────────────────────────────────────────────────────────────────────────────

    def _settle(self, outcomes: deque[tuple[str, Outcome]], everything: bool = False) -> None:
        """Decide on the waves that are complete, in order; on everything there is when no more units come."""
        while self._waves and not self.over and not self._waves[0].waiting and (self._waves[0].whole or everything):
            wave = self._waves[0]
            self._decide(wave, outcomes)
            if not wave.whole:
                return  # the rest of it comes later, one by one
            self._waves.popleft()
            self._settled = wave.number
            if not self.over:
                self._judge((wave.number + 1) * self._settings.wave)

    def _judge(self, units: int) -> None:
        self.saturated = self._collection.saturated(units, self._settings.saturation)
        self.over = bool(self.saturated)

    def _decide(self, wave: _Wave, outcomes: deque[tuple[str, Outcome]]) -> None:
        together: dict[str, Counter[str]] = {}
        for unit in wave.units.values():
            if not unit.fault:
                together.setdefault(unit.key, Counter()).update(unit.votes)
        for number in [number for number in sorted(wave.units) if number < (self._next or 0)]:
            unit = wave.units.pop(number)
            outcome = self._outcome(unit, together)
            if unit.pulled:
                outcomes.append((unit_key(number), outcome))
            if len(self._collection) >= self._settings.wanted:
                self.over = True
                return

    def _outcome(self, unit: _Unit, together: dict[str, Counter[str]]) -> Outcome:
        if unit.fault:
            state, reason = unit.fault
            return self._refused(unit, reason, failed=state == "failed")
        known = self._collection.said_of(unit.key)
        if known is not None:
            return self._refused(unit, "it repeats an input" if known == unit.says else "it repeats an input with another output")
        votes = together[unit.key]
        chosen = majority(votes)
        if chosen is None:
            return self._refused(unit, "no output has most votes", votes)
        if chosen != unit.says:
            return self._refused(unit, "most votes are for another output", votes)
        if self._collection.near(unit.text, unit.output):
            return self._refused(unit, "its input is nearly an earlier one")
        self._collection.accept(unit.number, unit.text, unit.output)
        example = Example(unit.text, unit.output, "written", written_by(self._model), "")
        return Outcome("accepted", "", msgspec.json.encode(example).decode())

    def _refused(self, unit: _Unit, reason: str, votes: Counter[str] | None = None, failed: bool = False) -> Outcome:
        trace = {"completions": [unit.raw]} | ({"votes": dict(votes)} if votes else {})
        return Outcome("failed" if failed else "rejected", reason, msgspec.json.encode(trace).decode())


def _all_of(outcomes: deque[tuple[str, Outcome]]) -> Iterator[tuple[str, Outcome]]:
    while outcomes:
        yield outcomes.popleft()


def _text_in(answer: str) -> str:
    try:
        return msgspec.json.decode(answer, type=str).strip()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _alike(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()).rstrip(" .") == " ".join(other.casefold().split()).rstrip(" .")
